/* src/codec/lua/commit.lua in a real Redis server, called as a batch calls it: each of its answers, that
 * nothing is written but with `ok`, and the operations that are more than one command. */
#include "commit_store.h"

#include "core/watch.h"

/* Seals the batch where it is not, sends it, and compares the answer. */
static void assert_commit_by(struct store *t, const char *token, const char *epoch, const char *expected)
{
    struct buf rendered = BUF_INIT, answer;

    if (!t->batch->sealed)
        batch_seal(t->batch);
    batch_render(t->batch, s(token), s(epoch), t->whole_script, &rendered);
    answer = ask_resp(&t->f, buf_slice(&rendered));
    assert_string_equal(buf_text(&answer), expected);
    buf_clear(&answer);
    buf_clear(&rendered);
}

static void assert_commit(struct store *t, const char *expected)
{
    assert_commit_by(t, TOKEN, EPOCH, expected);
}

/* Sends it and starts the next one. */
static void assert_next_commit(struct store *t, const char *expected)
{
    uint64_t number = t->batch->number;

    assert_commit(t, expected);
    batch_reset(t->batch, number + 1);
}

/* The answer is EXPECTED, and not a byte of the data is another. */
static void assert_refused_by(struct store *t, const char *token, const char *epoch, const char *expected)
{
    struct buf before = ask(&t->f, "DEBUG DIGEST"), after;

    assert_commit_by(t, token, epoch, expected);
    after = ask(&t->f, "DEBUG DIGEST");
    assert_string_equal(buf_text(&before), buf_text(&after));
    buf_clear(&before);
    buf_clear(&after);
}

static void test_commit_ok_stores_everything(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "SADD instance:state:stopped i1");
    give(&t.f, "XADD reports 1-0 a b");
    fill(&t);
    assert_commit(&t, "[ok]");
    assert_filled_once(&t);
    clear_store(&t);
}

/* The fields of the only entry of STREAM. */
static void assert_only_entry(struct store *t, const char *stream, const char *expected)
{
    char command[64];
    struct buf entries;
    const char *fields;

    (void)snprintf(command, sizeof(command), "XRANGE %s - +", stream);
    entries = ask(&t->f, command);
    fields = strchr(buf_text(&entries), ' ');
    assert_non_null(fields);
    assert_string_equal(fields + 1, expected);
    buf_clear(&entries);
    (void)snprintf(command, sizeof(command), "DEL %s", stream);
    give(&t->f, command);
}

/* Each call about the watch; what is set first is what stays. */
static void fill_watch(struct store *t)
{
    struct sink *sink = sink_of(t);
    struct watch_record record = {.commands = 3};
    struct alert alert = {.name = {.len = 1, .text = "A"}, .status = ALERT_FIRING, .value = 92.5};
    struct notice notice = {.key_len = 4, .key = "i1:A"};
    struct breaker_group group = {.key_len = 3, .key = "all", .crashed = 5, .of = 8};
    struct command_order order = {.command_id = s("i1.stop.3"),
                                  .instance_id = s("i1"),
                                  .kind = COMMAND_STOP,
                                  .issued_ms = 1000,
                                  .expires_ms = 61001};

    begin(t, CAUSE_TIMER, 1);
    sink->ops->watch_set(sink->ctx, s("i1"), &record);
    sink->ops->alert_set(sink->ctx, s("i1"), &alert);
    sink->ops->notice_set(sink->ctx, &notice);
    sink->ops->breaker_set(sink->ctx, &group);
    sink->ops->throttled_set(sink->ctx, s("i1"), true);
    sink->ops->command(sink->ctx, &order);
    sink->ops->watch_unset(sink->ctx, s("i2"));
    sink->ops->alert_unset(sink->ctx, s("i2"), s("A"));
    notice.key[1] = '2';
    sink->ops->notice_unset(sink->ctx, &notice);
    group.key_len = 2;
    sink->ops->breaker_unset(sink->ctx, &group);
    sink->ops->throttled_set(sink->ctx, s("i2"), false);
}

static void test_commit_stores_the_watch(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "HSET mt5stated:watch i2 x");
    give(&t.f, "HSET mt5stated:alerts i2:A x");
    give(&t.f, "HSET mt5stated:notices i2:A x");
    give(&t.f, "HSET mt5stated:breaker al x");
    give(&t.f, "SADD instance:index:throttled i2");
    fill_watch(&t);
    assert_commit(&t, "[ok]");
    assert_answer(&t.f, "HGETALL mt5stated:watch", "[i1 commands=3 recovery=none]");
    assert_answer(&t.f, "HGETALL mt5stated:alerts", "[i1:A status=firing value=92.5]");
    assert_answer(&t.f, "HGETALL mt5stated:notices", "[i1:A severity=info]");
    assert_answer(&t.f, "HGETALL mt5stated:breaker", "[all crashed=5 of=8]");
    assert_answer(&t.f, "SMEMBERS instance:index:throttled", "[i1]");
    assert_only_entry(&t, "commands",
                      "[command_id i1.stop.3 instance_id i1 command stop issued_at 1970-01-01T00:00:01Z "
                      "expires_at 1970-01-01T00:01:02Z open_trades 0]]]");
    clear_store(&t);
}

/* Of a user who may write none of it, and with something else in the way of it. */
static void test_commit_of_the_watch_asks_first(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    fill_watch(&t);
    give(&t.f, "ACL SETUSER default -hdel");
    assert_refused_by(&t, TOKEN, EPOCH, "!NOPERM this user may not do HDEL mt5stated:watch");
    give(&t.f, "ACL SETUSER default +hdel -xadd");
    assert_refused_by(&t, TOKEN, EPOCH, "!NOPERM this user may not do XADD commands");
    give(&t.f, "ACL SETUSER default +xadd");
    give(&t.f, "SET mt5stated:alerts x");
    give(&t.f, "SET commands x");
    assert_refused_by(&t, TOKEN, EPOCH, "[types 4 string 8 string]");
    give(&t.f, "DEL mt5stated:alerts commands");
    assert_commit(&t, "[ok]");
    clear_store(&t);
}

static void test_commit_of_an_empty_batch_counts_it(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    assert_commit(&t, "[ok]");
    assert_answer(&t.f, "HGET mt5stated:meta applied_seq", "1");
    assert_answer(&t.f, "DBSIZE", "2");
    clear_store(&t);
}

static void test_commit_publishes_the_event(void **state)
{
    static const char expected[] =
        "message instance:events {\"event\":\"instance_started\",\"instance_id\":\"i1\",\"seq\":1,"
        "\"at\":\"1970-01-01T00:00:00Z\",\"to\":\"running\",\"correlation_id\":\"report-1-0\"}";
    static const struct redis_link_events events = {fixture_on_up, fixture_on_down, fixture_on_push};
    struct slice subscribe[] = {SLICE("SUBSCRIBE"), SLICE("instance:events")};
    struct redis_link *listener;
    struct store t;

    UNUSED(state);
    init_store(&t);
    listener = redis_link_new(t.f.loop, &t.f.options, &events, &t.f);
    redis_link_start(listener);
    WAIT(&t.f, redis_link_is_up(listener));
    assert_int_equal(redis_link_subscribe(listener, subscribe, ARRAY_LEN(subscribe)), 0);
    WAIT(&t.f, t.f.pushes == 1);
    fill(&t);
    assert_commit(&t, "[ok]");
    WAIT(&t.f, t.f.pushes == 2);
    assert_string_equal(t.f.push, expected);
    redis_link_free(listener);
    clear_store(&t);
}

static void test_commit_again_changes_nothing(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "SADD instance:state:stopped i1");
    give(&t.f, "XADD reports 1-0 a b");
    fill(&t);
    assert_commit(&t, "[ok]");
    for (int i = 0; i < 3; i++)
        assert_refused_by(&t, TOKEN, EPOCH, "[again]");
    assert_filled_once(&t);
    clear_store(&t);
}

/* The name by which the script is known is that of its bytes. */
static void test_commit_by_name_once_it_was_sent_whole(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    t.whole_script = false;
    fill(&t);
    assert_refused_by(&t, TOKEN, EPOCH, "!NOSCRIPT No matching script. Please use EVAL.");
    t.whole_script = true;
    assert_commit(&t, "[ok]");
    t.whole_script = false;
    assert_commit(&t, "[again]");
    clear_store(&t);
}

static void test_commit_fenced_where_the_lease_is_not_ours(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    fill(&t);
    assert_refused_by(&t, "holder-2", EPOCH, "[fenced " TOKEN "]");
    assert_refused_by(&t, "", EPOCH, "[fenced " TOKEN "]");
    assert_refused_by(&t, "holder-", EPOCH, "[fenced " TOKEN "]");
    give(&t.f, "DEL mt5stated:leader");
    assert_refused_by(&t, TOKEN, EPOCH, "[fenced ]");
    assert_refused_by(&t, "", EPOCH, "[fenced ]");
    /* Fenced comes before all else: not even that it is stored already is told. */
    give(&t.f, "SET mt5stated:leader " TOKEN);
    assert_commit(&t, "[ok]");
    give(&t.f, "SET mt5stated:leader holder-2");
    assert_refused_by(&t, TOKEN, EPOCH, "[fenced holder-2]");
    clear_store(&t);
}

static void test_commit_behind_where_the_data_is_another(void **state)
{
    static const struct {
        const char *before, *expected;
    } rows[] = {
        {"DEL mt5stated:meta", "[behind  ]"},
        {"HDEL mt5stated:meta epoch", "[behind  4]"},
        {"HSET mt5stated:meta epoch epoch-2", "[behind epoch-2 4]"},
        {"HSET mt5stated:meta epoch epoch-2 applied_seq 5", "[behind epoch-2 5]"},
        {"HSET mt5stated:meta applied_seq 3", "[behind " EPOCH " 3]"},
        {"HSET mt5stated:meta applied_seq 6", "[behind " EPOCH " 6]"},
        {"HSET mt5stated:meta applied_seq -1", "[behind " EPOCH " -1]"},
        {"HSET mt5stated:meta applied_seq four", "[behind " EPOCH " four]"},
        {"HDEL mt5stated:meta applied_seq", "[behind " EPOCH " ]"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct store t;

        init_store(&t);
        give(&t.f, "HSET mt5stated:meta applied_seq 4");
        batch_reset(t.batch, 5);
        fill(&t);
        give(&t.f, rows[i].before);
        assert_refused_by(&t, TOKEN, EPOCH, rows[i].expected);
        clear_store(&t);
    }
}

static void test_commit_counts_far(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "HSET mt5stated:meta applied_seq 9007199254740990");
    batch_reset(t.batch, 9007199254740991U);
    set_state(&t, "i1", "running");
    assert_commit(&t, "[ok]");
    assert_answer(&t.f, "HGET mt5stated:meta applied_seq", "9007199254740991");
    assert_commit(&t, "[again]");
    clear_store(&t);
}

/* fill() has as KEYS[3] instance:i1, then the sets stopped and running, the load index, events, seq, reports,
 * the journal, the totals. */
static void test_commit_types_before_the_first_write(void **state)
{
    static const struct {
        const char *before, *expected;
    } rows[] = {
        {"SET instance:i1 x", "[types 3 string]"},
        {"LPUSH instance:state:stopped x", "[types 4 list]"},
        {"HSET instance:state:running x y", "[types 5 hash]"},
        {"SADD instance:index:load x", "[types 6 set]"},
        {"ZADD events 1 x", "[types 7 zset]"},
        {"SET mt5stated:seq x", "[types 8 string]"},
        {"SET reports x", "[types 9 string]"},
        {"SET mt5stated:journal x", "[types 10 string]"},
        {"XADD mt5stated:totals * a b", "[types 11 stream]"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct store t;

        init_store(&t);
        fill(&t);
        give(&t.f, rows[i].before);
        assert_refused_by(&t, TOKEN, EPOCH, rows[i].expected);
        clear_store(&t);
    }
}

static void test_commit_types_names_every_key(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    fill(&t);
    give(&t.f, "SET instance:i1 x");
    give(&t.f, "SET events x");
    give(&t.f, "LPUSH mt5stated:totals x");
    assert_refused_by(&t, TOKEN, EPOCH, "[types 3 string 7 string 11 list]");
    clear_store(&t);
}

/* What the daemon does about it: the group leaves, and the rest is stored under the same number. */
static void test_commit_goes_through_once_the_group_is_cut(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "XADD reports 1-0 instance_id i1");
    give(&t.f, "XADD reports 2-0 instance_id i2");
    give(&t.f, "SET instance:i1 x");
    begin(&t, CAUSE_REPORT, 1);
    set_state(&t, "i1", "running");
    begin(&t, CAUSE_REPORT, 2);
    set_state(&t, "i2", "stopped");
    batch_set_position(t.batch, STREAM_REPORTS, (struct stream_id){2, 0});
    assert_refused_by(&t, TOKEN, EPOCH, "[types 3 string]");
    assert_int_equal(batch_cut(t.batch, false, s("i1"), s("instance:i1: wrong type")), 1);
    assert_commit(&t, "[ok]");
    assert_answer(&t.f, "GET instance:i1", "x");
    assert_answer(&t.f, "HGETALL instance:i2", "[state stopped]");
    assert_answer(&t.f, "HGET mt5stated:meta pos:reports", "2-0");
    struct buf rejected = ask(&t.f, "XRANGE reports_rejected - +");

    assert_non_null(strstr(buf_text(&rejected),
                           "[instance_id i1 reject_reason instance:i1: wrong type rejected_id 1-0]"));
    buf_clear(&rejected);
    clear_store(&t);
}

static void test_commit_tells_operations_that_failed_and_does_the_others(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "SET trades x");
    begin(&t, CAUSE_REPORT, 1);
    set_state(&t, "i1", "running");
    batch_set_position(t.batch, STREAM_TRADES, (struct stream_id){2, 0});
    batch_trim(t.batch, STREAM_TRADES, (struct stream_id){1, 0}, (struct stream_id){2, 0});
    sink_of(&t)->ops->total_set(sink_of(&t)->ctx, TOTAL_LOST, s("buy"), 1);
    batch_seal(t.batch);
    batch_ignore_key(t.batch, s("trades"));
    assert_commit(&t, "[ok "
                      "2 !position trades: WRONGTYPE Operation against a key holding the wrong kind of value "
                      "3 !trim trades: WRONGTYPE Operation against a key holding the wrong kind of value]");
    assert_answer(&t.f, "GET trades", "x");
    assert_answer(&t.f, "HGET instance:i1 state", "running");
    assert_answer(&t.f, "HGET mt5stated:totals lost:buy", "1");
    assert_answer(&t.f, "HGET mt5stated:meta applied_seq", "1");
    clear_store(&t);
}

static void reject(struct store *t, enum cause_kind kind, uint64_t ms)
{
    struct cause cause = {kind, {ms, 0}};

    begin(t, kind, ms);
    sink_of(t)->ops->reject(sink_of(t)->ctx, &cause, s("status: not a status"));
}

/* Told before the first write, in place of an operation that fails in the middle. FILL has every plain
 * command of a batch but XDEL and the like; what is more than one command needs a right to each. */
static void test_commit_without_a_right_writes_nothing(void **state)
{
    static const struct {
        const char *right, *expected;
    } rows[] = {
        {"hset", "!NOPERM this user may not do HSET instance:i1"},
        {"srem", "!NOPERM this user may not do SREM instance:state:stopped"},
        {"sadd", "!NOPERM this user may not do SADD instance:state:running"},
        {"zadd", "!NOPERM this user may not do ZADD instance:index:load"},
        {"xadd", "!NOPERM this user may not do XADD events"},
        {"publish", "!NOPERM this user may not do PUBLISH instance:events"},
        {"xgroup|setid", "!NOPERM this user may not do !position reports"},
        {"xgroup|create", "!NOPERM this user may not do !position reports"},
        {"xinfo|stream", "!NOPERM this user may not do !trim reports"},
        {"xtrim", "!NOPERM this user may not do !trim reports"},
        {"xrange", "!NOPERM this user may not do !reject reports_rejected"},
    };
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "XADD reports 1-0 a b");
    fill(&t);
    reject(&t, CAUSE_REPORT, 1);
    batch_trim(t.batch, STREAM_REPORTS, (struct stream_id){1, 0}, (struct stream_id){1, 0});
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char command[64];

        (void)snprintf(command, sizeof(command), "ACL SETUSER default -%s", rows[i].right);
        give(&t.f, command);
        assert_refused_by(&t, TOKEN, EPOCH, rows[i].expected);
        (void)snprintf(command, sizeof(command), "ACL SETUSER default +%s", rows[i].right);
        give(&t.f, command);
    }
    give(&t.f, "ACL SETUSER default resetchannels");
    assert_refused_by(&t, TOKEN, EPOCH, "!NOPERM this user may not do PUBLISH instance:events");
    give(&t.f, "ACL SETUSER default allchannels");
    assert_commit(&t, "[ok]");
    assert_answer(&t.f, "XLEN reports_rejected", "1");
    clear_store(&t);
}

static void test_reject_copies_the_entry(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "XADD results 5-0 signal_id s1 status odd signal_id s2");
    give(&t.f, "XADD results 6-0 signal_id s3");
    reject(&t, CAUSE_RESULT, 5);
    assert_next_commit(&t, "[ok]");
    assert_only_entry(
        &t, "results_rejected",
        "[signal_id s1 status odd signal_id s2 reject_reason status: not a status rejected_id 5-0]]]");
    assert_answer(&t.f, "XLEN results", "2"); /* its removal is told apart */
    clear_store(&t);
}

static void test_reject_of_an_entry_that_vanished(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    reject(&t, CAUSE_RESULT, 5); /* the stream is missing */
    assert_next_commit(&t, "[ok]");
    assert_only_entry(&t, "results_rejected", "[reject_reason status: not a status rejected_id 5-0]]]");
    give(&t.f, "XADD results 4-0 a b");
    give(&t.f, "XADD results 6-0 a b");
    reject(&t, CAUSE_RESULT, 5);
    assert_next_commit(&t, "[ok]");
    assert_only_entry(&t, "results_rejected", "[reject_reason status: not a status rejected_id 5-0]]]");
    give(&t.f, "DEL results");
    give(&t.f, "SET results x"); /* it is something else by now */
    reject(&t, CAUSE_RESULT, 5);
    batch_ignore_key(t.batch, s("results"));
    assert_next_commit(&t, "[ok]");
    assert_only_entry(&t, "results_rejected", "[reject_reason status: not a status rejected_id 5-0]]]");
    clear_store(&t);
}

static void test_reject_keeps_every_byte(void **state)
{
    static const struct slice words[] = {SLICE("XADD"), SLICE("results"), SLICE("5-0"), SLICE("n\0\r\n"),
                                         SLICE("\xff\0")};
    struct slice read[] = {SLICE("XRANGE"), SLICE("results_rejected"), SLICE("-"), SLICE("+")};
    static const char expected[] = "[n\0\r\n \xff\0 reject_reason";
    struct store t;
    struct buf answer;

    UNUSED(state);
    init_store(&t);
    answer = ask_words(&t.f, words, ARRAY_LEN(words));
    buf_clear(&answer);
    reject(&t, CAUSE_RESULT, 5);
    assert_commit(&t, "[ok]");
    answer = ask_words(&t.f, read, ARRAY_LEN(read));
    assert_non_null(memmem(answer.data, answer.len, expected, sizeof(expected) - 1));
    buf_clear(&answer);
    clear_store(&t);
}

/* An entry of COUNT fields f1 v1 f2 v2 ... under ID 5-0. */
static void add_wide_entry(struct store *t, const char *stream, uint64_t count)
{
    struct buf command = BUF_INIT, answer;

    resp_add_head(&command, 3 + 2 * count);
    resp_add_text(&command, "XADD");
    resp_add_text(&command, stream);
    resp_add_text(&command, "5-0");
    for (uint64_t i = 1; i <= count; i++) {
        char text[32];

        resp_add(&command, slice_of(text, (size_t)snprintf(text, sizeof(text), "f%d", (int)i)));
        resp_add(&command, slice_of(text, (size_t)snprintf(text, sizeof(text), "v%d", (int)i)));
    }
    answer = ask_resp(&t->f, buf_slice(&command));
    assert_string_equal(buf_text(&answer), "5-0");
    buf_clear(&answer);
    buf_clear(&command);
}

static void test_reject_cuts_an_entry_of_thousands_of_fields(void **state)
{
    static const struct {
        uint64_t fields, kept;
        const char *end;
    } rows[] = {
        {3899, 3899, "f3899 v3899 reject_reason"},
        {3900, 3900, "f3900 v3900 reject_reason"},
        {3901, 3900, "f3900 v3900 fields_cut 1 reject_reason"},
        {5000, 3900, "f3900 v3900 fields_cut 1100 reject_reason"},
        {100000, 3900, "f3900 v3900 fields_cut 96100 reject_reason"},
    };
    struct store t;

    UNUSED(state);
    init_store(&t);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf entry;

        add_wide_entry(&t, "reports", rows[i].fields);
        reject(&t, CAUSE_REPORT, 5);
        assert_next_commit(&t, "[ok]");
        entry = ask(&t.f, "XRANGE reports_rejected - +");
        assert_non_null(strstr(buf_text(&entry), "[f1 v1 f2 v2 "));
        assert_non_null(strstr(buf_text(&entry), rows[i].end));
        assert_non_null(strstr(buf_text(&entry), " rejected_id 5-0]"));
        buf_clear(&entry);
        give(&t.f, "DEL reports reports_rejected");
    }
    clear_store(&t);
}

static void test_drop_copies_the_signal_with_its_age(void **state)
{
    struct store t;
    struct sink *sink;

    UNUSED(state);
    init_store(&t);
    sink = sink_of(&t);
    give(&t.f, "XADD signals 5-0 signal_id s1 action buy volume 0.1");
    begin(&t, CAUSE_SIGNAL, 5);
    sink->ops->signal_drop(sink->ctx, (struct stream_id){5, 0}, 30001);
    assert_next_commit(&t, "[ok]");
    assert_only_entry(&t, "signals_dropped",
                      "[signal_id s1 action buy volume 0.1 dropped_id 5-0 age_ms 30001]]]");
    assert_answer(&t.f, "XLEN signals", "1");
    begin(&t, CAUSE_SIGNAL, 6);
    sink->ops->signal_drop(sink->ctx, (struct stream_id){6, 0}, 7);
    assert_next_commit(&t, "[ok]");
    assert_only_entry(&t, "signals_dropped", "[dropped_id 6-0 age_ms 7]]]");
    add_wide_entry(&t, "wide", 5000);
    give(&t.f, "RENAME wide signals");
    begin(&t, CAUSE_SIGNAL, 5);
    sink->ops->signal_drop(sink->ctx, (struct stream_id){5, 0}, 7);
    assert_next_commit(&t, "[ok]");

    struct buf entry = ask(&t.f, "XRANGE signals_dropped - +");

    assert_non_null(strstr(buf_text(&entry), " v3900 fields_cut 1100 dropped_id 5-0 age_ms 7]"));
    buf_clear(&entry);
    clear_store(&t);
}

static void assert_group_at(struct store *t, const char *id)
{
    struct buf groups = ask(&t->f, "XINFO GROUPS reports");
    char expected[64];

    (void)snprintf(expected, sizeof(expected), "[[name readers consumers 0 pending 0 last-delivered-id %s ",
                   id);
    assert_int_equal(strncmp(buf_text(&groups), expected, strlen(expected)), 0);
    buf_clear(&groups);
}

static void test_position_moves_the_group(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "XADD reports 5-0 a b");
    give(&t.f, "XADD reports 6-0 a b");
    give(&t.f, "XGROUP CREATE reports readers 0");
    batch_set_position(t.batch, STREAM_REPORTS, (struct stream_id){5, 0});
    assert_next_commit(&t, "[ok]");
    assert_group_at(&t, "5-0");
    assert_answer(&t.f, "HGET mt5stated:meta pos:reports", "5-0");
    clear_store(&t);
}

static void test_position_makes_a_group_that_is_missing(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "XADD reports 5-0 a b");
    give(&t.f, "XADD reports 6-0 a b");
    batch_set_position(t.batch, STREAM_REPORTS, (struct stream_id){5, 0});
    assert_next_commit(&t, "[ok]");
    assert_group_at(&t, "5-0");
    assert_answer(&t.f, "XLEN reports", "2");
    clear_store(&t);
}

static void test_position_makes_a_stream_that_is_missing(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    batch_set_position(t.batch, STREAM_REPORTS, (struct stream_id){5, 0});
    assert_next_commit(&t, "[ok]");
    assert_group_at(&t, "5-0");
    assert_answer(&t.f, "XLEN reports", "0");
    assert_answer(&t.f, "TYPE reports", "stream");
    clear_store(&t);
}

static void add_entries(struct store *t, const char *const ids[])
{
    for (size_t i = 0; ids[i]; i++) {
        char command[128];

        (void)snprintf(command, sizeof(command), "XADD results %s a b", ids[i]);
        give(&t->f, command);
    }
}

/* Entries of the stream, what is trimmed below and what has been handled, how many entries are left. */
static void test_trim_only_where_the_stream_is_the_one_that_was_read(void **state)
{
    static const char anew[] = "[ok 1 !trim results: ERR the stream was made anew]";
    static const struct {
        const char *entries[4];
        struct stream_id min, handled;
        const char *expected, *left;
    } rows[] = {
        /* the handled part, up to the last entry or before it */
        {{"5-0", "6-0", "7-0"}, {7, 0}, {7, 0}, "[ok]", "1"},
        {{"5-0", "6-0", "7-0"}, {7, 0}, {6, 0}, "[ok]", "1"},
        {{"5-0", "6-0", "7-0"}, {5, 0}, {7, 0}, "[ok]", "3"},
        {{"5-0", "5-9", "5-10"}, {5, 10}, {5, 10}, "[ok]", "1"},
        {{"5-0", "99-0", "100-0"}, {100, 0}, {100, 0}, "[ok]", "1"},
        {{"5-0", "100-0"}, {99, 0}, {99, 7}, "[ok]", "1"},
        {{"5-0", "100-2"}, {100, 0}, {100, 1}, "[ok]", "1"},
        {{"1742638530123-0", "1742638530124-0"}, {1742638530124, 0}, {1742638530123, 5}, "[ok]", "1"},
        {{"5-18446744073709551615"}, {6, 0}, {5, UINT64_MAX}, "[ok]", "0"},
        /* made anew with lower IDs: nobody has read these */
        {{"1-0", "2-0"}, {7, 0}, {7, 0}, anew, "2"},
        {{"7-0"}, {7, 1}, {7, 1}, anew, "1"},
        {{"7-9"}, {7, 10}, {7, 10}, anew, "1"},
        {{"9-0"}, {10, 0}, {10, 0}, anew, "1"},
        {{"99-5"}, {100, 0}, {100, 0}, anew, "1"},
        {{"7-0"}, {UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX}, anew, "1"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct store t;

        init_store(&t);
        add_entries(&t, rows[i].entries);
        batch_trim(t.batch, STREAM_RESULTS, rows[i].min, rows[i].handled);
        assert_commit(&t, rows[i].expected);
        assert_answer(&t.f, "XLEN results", rows[i].left);
        clear_store(&t);
    }
}

/* What was trimmed or deleted still counts as read: it is the last ID that was given out that matters. */
static void test_trim_of_a_stream_that_is_empty_by_now(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "XADD results 7-0 a b");
    give(&t.f, "XDEL results 7-0");
    batch_trim(t.batch, STREAM_RESULTS, (struct stream_id){7, 0}, (struct stream_id){7, 0});
    assert_next_commit(&t, "[ok]");
    give(&t.f, "DEL results");
    batch_trim(t.batch, STREAM_RESULTS, (struct stream_id){7, 0}, (struct stream_id){7, 0});
    assert_next_commit(&t, "[ok 1 !trim results: ERR no such key]");
    assert_answer(&t.f, "EXISTS results", "0");
    clear_store(&t);
}

static void test_totals_and_deletions_of_the_largest_size_fit(void **state)
{
    static struct stream_id entries[3000];
    struct store t;
    struct sink *sink;

    UNUSED(state);
    init_store(&t);
    sink = sink_of(&t);
    for (int i = 0; i < 64; i++) {
        char label[24];

        (void)snprintf(label, sizeof(label), "action-%d", i);
        for (int kind = 0; kind < TOTAL_KINDS; kind++)
            sink->ops->total_set(sink->ctx, (enum total_kind)kind, s(label), 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        entries[i] = (struct stream_id){i + 1, 0};
    give(&t.f, "XADD signals 1-0 a b");
    give(&t.f, "XADD signals 3000-0 a b");
    give(&t.f, "XADD signals 3001-0 a b");
    sink->ops->signals_delete(sink->ctx, entries, ARRAY_LEN(entries));
    assert_commit(&t, "[ok]");
    assert_answer(&t.f, "HLEN mt5stated:totals", "448");
    assert_answer(&t.f, "XLEN signals", "1");
    clear_store(&t);
}

/* Refused for want of memory before the first write, so that the batch can be sent again as it is. */
static void test_commit_without_memory_writes_nothing(void **state)
{
    struct store t;

    UNUSED(state);
    init_store(&t);
    give(&t.f, "XADD reports 1-0 a b");
    fill(&t);
    give(&t.f, "CONFIG SET maxmemory 1");
    assert_refused_by(&t, TOKEN, EPOCH, "!OOM command not allowed when used memory > 'maxmemory'.");
    give(&t.f, "CONFIG SET maxmemory 0");
    assert_commit(&t, "[ok]");
    assert_filled_once(&t);
    clear_store(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_ok_stores_everything),
        cmocka_unit_test(test_commit_stores_the_watch),
        cmocka_unit_test(test_commit_of_the_watch_asks_first),
        cmocka_unit_test(test_commit_of_an_empty_batch_counts_it),
        cmocka_unit_test(test_commit_publishes_the_event),
        cmocka_unit_test(test_commit_again_changes_nothing),
        cmocka_unit_test(test_commit_by_name_once_it_was_sent_whole),
        cmocka_unit_test(test_commit_fenced_where_the_lease_is_not_ours),
        cmocka_unit_test(test_commit_behind_where_the_data_is_another),
        cmocka_unit_test(test_commit_counts_far),
        cmocka_unit_test(test_commit_types_before_the_first_write),
        cmocka_unit_test(test_commit_types_names_every_key),
        cmocka_unit_test(test_commit_goes_through_once_the_group_is_cut),
        cmocka_unit_test(test_commit_tells_operations_that_failed_and_does_the_others),
        cmocka_unit_test(test_reject_copies_the_entry),
        cmocka_unit_test(test_reject_of_an_entry_that_vanished),
        cmocka_unit_test(test_reject_keeps_every_byte),
        cmocka_unit_test(test_reject_cuts_an_entry_of_thousands_of_fields),
        cmocka_unit_test(test_drop_copies_the_signal_with_its_age),
        cmocka_unit_test(test_position_moves_the_group),
        cmocka_unit_test(test_position_makes_a_group_that_is_missing),
        cmocka_unit_test(test_position_makes_a_stream_that_is_missing),
        cmocka_unit_test(test_trim_only_where_the_stream_is_the_one_that_was_read),
        cmocka_unit_test(test_trim_of_a_stream_that_is_empty_by_now),
        cmocka_unit_test(test_totals_and_deletions_of_the_largest_size_fit),
        cmocka_unit_test(test_commit_without_memory_writes_nothing),
        cmocka_unit_test(test_commit_without_a_right_writes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
