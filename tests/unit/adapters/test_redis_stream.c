/* Reading streams from a real Redis server: what is handed over of ordinary and of odd entries, and what
 * becomes of a read that fails. */
#include "reply_text.h"

#include "../../../src/adapters/redis_stream_internal.h"

#include "adapters/redis_stream.h"
#include "codec/resp.h"
#include "core/report.h"
#include "core/signal.h"
#include "util/macros.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <sys/un.h>

#define ALL_STREAMS 15U

static const struct redis_stream_names names[STREAM_KINDS] = {
    [STREAM_REPORTS] = {"reports", report_entry_names, REPORT_FIELDS},
    [STREAM_SIGNALS] = {"signals", signal_field_names, SIGNAL_FIELDS},
    [STREAM_RESULTS] = {"results", result_field_names, RESULT_FIELDS},
    [STREAM_TRADES] = {"trades", signal_field_names, 1},
};

/* The server, a link for commands (the fixture's), and the reader with what it told. */
struct reading {
    struct fixture f;
    struct redis_stream *stream;
    int ups, downs, dones, entry_count;
    struct buf text; /* one line an entry: stream, ID, fields by their number */
    struct redis_read_result result;
    char error_text[300];
    struct stream_id last[STREAM_KINDS];
    bool reads_on; /* asks again from inside done */
    /* Asks again from inside begin where there is more, so often. */
    int ahead, begins;
    bool has_begun, was_whole;
    bool is_decoding; /* the reader has no part in it */
    bool notes_sent;
    uint64_t sent; /* bytes, when the first entry came */
};

/* Long values as their first byte and their length. */
static void add_value(struct buf *out, struct slice value)
{
    if (value.len > 64)
        buf_add_format(out, "%c*%zu", value.data[0], value.len);
    else
        buf_add_slice(out, value);
}

static void add_entry(struct buf *out, const struct entry *entry)
{
    const struct redis_stream_names *n = &names[entry->stream];
    char id[STREAM_ID_TEXT_MAX];

    (void)stream_id_format(id, entry->id);
    buf_add_format(out, "%s %s", n->stream, id);
    for (uint32_t i = 0; i < ENTRY_FIELDS_MAX; i++) {
        if (!(entry->present >> i & 1U)) {
            assert_int_equal(entry->oversize >> i & 1U, 0);
            continue;
        }
        assert_true(i < n->field_count);
        buf_add_format(out, " %s=", n->fields[i].data);
        add_value(out, entry->value[i]);
        if (entry->oversize >> i & 1U)
            buf_add_char(out, '!');
    }
    buf_add_char(out, '\n');
}

static void on_up(void *ctx)
{
    ((struct reading *)ctx)->ups++;
}

static void on_down(void *ctx, const char *reason, bool was_up)
{
    struct reading *t = ctx;

    UNUSED(was_up);
    t->downs++;
    (void)snprintf(t->f.reason, sizeof(t->f.reason), "%s", reason);
}

static struct redis_read read_of(const struct reading *t, uint32_t mask, int64_t count, int64_t block_ms)
{
    struct redis_read read = {.mask = mask, .count = count, .block_ms = block_ms, .asked_ms = t->dones};

    memcpy(read.after, t->last, sizeof(read.after));
    return read;
}

static int start_read(struct reading *t, uint32_t mask, int64_t count, int64_t block_ms)
{
    struct redis_read read = read_of(t, mask, count, block_ms);

    return redis_stream_read(t->stream, &read);
}

static void on_begin(void *ctx, const struct redis_read_result *result)
{
    struct reading *t = ctx;

    assert_int_equal(result->outcome, REDIS_READ_DONE);
    assert_false(t->has_begun);
    t->has_begun = true;
    t->was_whole = result->is_whole;
    t->begins++;
    if (t->ahead > 0 && result->is_whole && redis_read_is_full(result)) {
        struct redis_read read = result->read;

        t->ahead--;
        read.asked_ms = 77;
        memcpy(read.after, result->last, sizeof(read.after));
        assert_int_equal(redis_stream_read(t->stream, &read), 0);
        assert_int_equal(redis_stream_read(t->stream, &read), -EBUSY);
    }
}

static void on_entry(void *ctx, const struct entry *entry)
{
    struct reading *t = ctx;

    assert_true(t->has_begun);
    if (t->notes_sent) {
        struct redis_link_stats stats;

        redis_link_get_stats(redis_stream_link(t->stream), &stats);
        t->sent = stats.bytes_out;
        t->notes_sent = false;
    }
    if (!t->is_decoding) {
        assert_true(redis_stream_is_reading(t->stream));
        assert_int_equal(start_read(t, ALL_STREAMS, 1, 0), -EBUSY);
    }
    assert_true(stream_id_compare(entry->id, t->last[entry->stream]) > 0);
    t->entry_count++;
    t->last[entry->stream] = entry->id;
    add_entry(&t->text, entry);
}

static void on_done(void *ctx, const struct redis_read_result *result)
{
    struct reading *t = ctx;

    t->has_begun = false;
    t->dones++;
    t->result = *result;
    if (result->outcome == REDIS_READ_ERROR)
        (void)snprintf(t->error_text, sizeof(t->error_text), "%.*s", (int)result->error_text.len,
                       result->error_text.data);
    if (t->reads_on && result->outcome == REDIS_READ_DONE && result->entries[STREAM_SIGNALS] > 0)
        assert_int_equal(start_read(t, 1U << STREAM_SIGNALS, 100, 0), 0);
}

static const struct redis_stream_events events = {on_up, on_down, on_begin, on_entry, on_done};

static void init_reading(struct reading *t)
{
    memset(t, 0, sizeof(*t));
    fixture_init(&t->f);
    t->f.options.max_bytes = 64 << 20;
    fixture_connect(&t->f, NULL);
    t->stream = redis_stream_new(t->f.loop, &t->f.options, names, &events, t);
    redis_link_start(redis_stream_link(t->stream));
    WAIT(&t->f, t->ups == 1);
}

static void clear_reading(struct reading *t)
{
    redis_stream_free(t->stream);
    buf_clear(&t->text);
    fixture_clear(&t->f);
}

static void read_from(struct reading *t, uint32_t mask, int64_t count, int64_t block_ms)
{
    int before = t->dones;

    assert_int_equal(start_read(t, mask, count, block_ms), 0);
    assert_true(redis_stream_is_reading(t->stream));
    WAIT(&t->f, t->dones > before);
}

/* One read of all streams behind what was read, and what it hands over. */
static void assert_read(struct reading *t, const char *expected)
{
    t->entry_count = 0;
    buf_reset(&t->text, 0);
    read_from(t, ALL_STREAMS, 1000, 0);
    assert_int_equal(t->result.outcome, REDIS_READ_DONE);
    assert_string_equal(buf_text(&t->text), expected);
    assert_int_equal(t->result.entries[0] + t->result.entries[1] + t->result.entries[2] +
                         t->result.entries[3],
                     t->entry_count);
}

static void xadd(struct reading *t, const struct slice *words, size_t count)
{
    struct buf answer = ask_words(&t->f, words, count);

    assert_true(answer.data[0] != '!');
    buf_clear(&answer);
}

static void test_read_hands_over_what_is_known_by_name(void **state)
{
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    give(&t.f, "XADD trades 1-0 signal_id t1 other x");
    give(&t.f, "XADD results 2-5 result_id r1 signal_id s1 status executed slippage -0.1 comment none");
    give(&t.f, "XADD signals 3-0 signal_id s1 action buy");
    give(&t.f, "XADD signals 3-1 action sell volume 0.1 signal_id s2 instance_id i1");
    give(&t.f, "XADD reports 4-0 instance_id i1 cpu_usage 5 last_error none");
    assert_read(&t, "reports 4-0 cpu_usage=5 instance_id=i1 last_error=none\n"
                    "signals 3-0 signal_id=s1 action=buy\n"
                    "signals 3-1 signal_id=s2 action=sell instance_id=i1\n"
                    "results 2-5 result_id=r1 signal_id=s1 status=executed slippage=-0.1\n"
                    "trades 1-0 signal_id=t1\n");
    assert_int_equal(t.result.entries[STREAM_SIGNALS], 2);
    assert_int_equal(t.result.entries[STREAM_REPORTS], 1);
    assert_read(&t, "");
    give(&t.f, "XADD signals 3-2 signal_id s3");
    assert_read(&t, "signals 3-2 signal_id=s3\n");
    clear_reading(&t);
}

static void test_read_takes_only_the_streams_asked_for_and_no_more_than_count(void **state)
{
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    for (int i = 1; i <= 5; i++) {
        char command[64];

        (void)snprintf(command, sizeof(command), "XADD signals %d-0 signal_id s%d", i, i);
        give(&t.f, command);
        (void)snprintf(command, sizeof(command), "XADD results %d-0 signal_id s%d", i, i);
        give(&t.f, command);
    }
    give(&t.f, "XADD reports 1-0 instance_id i1");
    read_from(&t, 1U << STREAM_RESULTS, 2, 0);
    assert_string_equal(buf_text(&t.text), "results 1-0 signal_id=s1\nresults 2-0 signal_id=s2\n");
    buf_reset(&t.text, 0);
    t.last[STREAM_SIGNALS] = (struct stream_id){3, UINT64_MAX};
    read_from(&t, 1U << STREAM_RESULTS | 1U << STREAM_SIGNALS, 1, 0);
    assert_string_equal(buf_text(&t.text), "signals 4-0 signal_id=s4\nresults 3-0 signal_id=s3\n");
    clear_reading(&t);
}

static void test_read_takes_the_last_of_a_repeated_field(void **state)
{
    struct reading t;
    char big[ENTRY_VALUE_MAX + 1];
    struct slice grows[] = {SLICE("XADD"),   SLICE("signals"), SLICE("2-0"),
                            SLICE("action"), SLICE("buy"),     {big, sizeof(big)},
                            SLICE("x"),      SLICE("action"),  {big, sizeof(big)}};
    struct slice shrinks[] = {SLICE("XADD"),      SLICE("signals"), SLICE("3-0"), SLICE("action"),
                              {big, sizeof(big)}, SLICE("action"),  SLICE("buy")};

    UNUSED(state);
    memset(big, 'b', sizeof(big));
    init_reading(&t);
    give(&t.f, "XADD signals 1-0 signal_id a signal_id b action x signal_id c action y");
    xadd(&t, grows, ARRAY_LEN(grows));
    xadd(&t, shrinks, ARRAY_LEN(shrinks));
    assert_read(&t, "signals 1-0 signal_id=c action=y\n"
                    "signals 2-0 action=b*4096!\n"
                    "signals 3-0 action=buy\n");
    clear_reading(&t);
}

static void test_read_passes_any_bytes(void **state)
{
    static const struct slice words[] = {
        SLICE("XADD"),
        SLICE("signals"),
        SLICE("1-0"),
        SLICE(""),
        SLICE("no name"),
        SLICE("signal_id"),
        SLICE("\r\n$5\r\n\0-*"),
        SLICE("action"),
        SLICE(""),
        SLICE("Action"),
        SLICE("other case"),
        SLICE("signal_id\0"),
        SLICE("longer"),
        SLICE("signal_i"),
        SLICE("shorter"),
        SLICE("\xff\0"),
        SLICE("\0"),
    };
    static const char expected[] = "signals 1-0 signal_id=\r\n$5\r\n\0-* action=\n";
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    xadd(&t, words, ARRAY_LEN(words));
    read_from(&t, ALL_STREAMS, 10, 0);
    assert_int_equal(t.text.len, sizeof(expected) - 1);
    assert_memory_equal(t.text.data, expected, sizeof(expected) - 1);
    clear_reading(&t);
}

/* Nothing of an entry is seen in the next one. */
static void test_read_starts_each_entry_anew(void **state)
{
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    give(&t.f, "XADD signals 1-0 signal_id s1 action buy instance_id i1");
    give(&t.f, "XADD signals 2-0 unknown x");
    give(&t.f, "XADD signals 3-0 instance_id i3");
    give(&t.f, "XADD signals 4-0 unknown action");
    assert_read(&t, "signals 1-0 signal_id=s1 action=buy instance_id=i1\n"
                    "signals 2-0\n"
                    "signals 3-0 instance_id=i3\n"
                    "signals 4-0\n");
    clear_reading(&t);
}

static void test_read_cuts_a_long_value(void **state)
{
    static const struct {
        size_t len;
        const char *expected;
    } rows[] = {
        {ENTRY_VALUE_MAX - 1, "signals 1-0 signal_id=s1 action=x*4095\n"},
        {ENTRY_VALUE_MAX, "signals 1-0 signal_id=s1 action=x*4096\n"},
        {ENTRY_VALUE_MAX + 1, "signals 1-0 signal_id=s1 action=x*4096!\n"},
        {5000000, "signals 1-0 signal_id=s1 action=x*4096!\n"},
    };
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *value = malloc(rows[i].len);
        struct slice words[] = {SLICE("XADD"), SLICE("signals"), SLICE("1-0"),        SLICE("signal_id"),
                                SLICE("s1"),   SLICE("action"),  {value, rows[i].len}};

        assert_non_null(value);
        memset(value, 'x', rows[i].len);
        xadd(&t, words, ARRAY_LEN(words));
        assert_read(&t, rows[i].expected);
        give(&t.f, "DEL signals");
        memset(t.last, 0, sizeof(t.last));
        free(value);
    }
    clear_reading(&t);
}

static void test_read_finds_its_fields_among_a_hundred_thousand(void **state)
{
    enum { FIELDS = 100000 };
    struct reading t;
    struct buf command = BUF_INIT, answer;

    UNUSED(state);
    init_reading(&t);
    resp_add_head(&command, 3 + 2 * FIELDS);
    resp_add_text(&command, "XADD");
    resp_add_text(&command, "signals");
    resp_add_text(&command, "1-0");
    for (int i = 0; i < FIELDS; i++) {
        char name[24];

        (void)snprintf(name, sizeof(name), "field-%d", i);
        resp_add_text(&command, i == 0            ? "instance_id"
                                : i == FIELDS / 2 ? "action"
                                : i == FIELDS - 1 ? "signal_id"
                                                  : name);
        resp_add_text(&command, name);
    }
    answer = ask_resp(&t.f, buf_slice(&command));
    assert_string_equal(buf_text(&answer), "1-0");
    buf_clear(&answer);
    buf_clear(&command);
    give(&t.f, "XADD signals 2-0 signal_id s2");
    assert_read(&t, "signals 1-0 signal_id=field-99999 action=field-50000 instance_id=field-0\n"
                    "signals 2-0 signal_id=s2\n");
    clear_reading(&t);
}

static void test_read_passes_what_was_deleted(void **state)
{
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    assert_read(&t, ""); /* no stream at all */
    give(&t.f, "XADD signals 1-0 signal_id s1");
    give(&t.f, "XADD signals 2-0 signal_id s2");
    give(&t.f, "XADD signals 3-0 signal_id s3");
    give(&t.f, "XDEL signals 1-0 2-0");
    assert_read(&t, "signals 3-0 signal_id=s3\n");
    give(&t.f, "XADD signals 4-0 signal_id s4");
    give(&t.f, "XDEL signals 3-0 4-0"); /* empty, but there */
    assert_read(&t, "");
    give(&t.f, "DEL signals");
    assert_read(&t, "");
    clear_reading(&t);
}

static void test_read_of_thousands_of_entries(void **state)
{
    enum { ENTRIES = 20000 };
    struct reading t;
    const char *script = "for i=1,20000 do redis.call('XADD',KEYS[1],i..'-0','signal_id','s'..i,'x',i) end";
    struct slice words[] = {SLICE("EVAL"), slice_text(script), SLICE("1"), SLICE("signals")};

    UNUSED(state);
    init_reading(&t);
    xadd(&t, words, ARRAY_LEN(words));
    t.reads_on = true;
    read_from(&t, 1U << STREAM_SIGNALS, 100, 0);
    WAIT(&t.f, t.entry_count == ENTRIES && !redis_stream_is_reading(t.stream));
    assert_int_equal(t.dones, ENTRIES / 100 + 1);
    assert_int_equal(t.last[STREAM_SIGNALS].ms, ENTRIES);
    clear_reading(&t);
}

/* Asked for from inside begin: each reply is taken in while the next is under way. */
static void test_read_ahead_gives_every_entry_once(void **state)
{
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    for (int i = 1; i <= 7; i++) {
        char command[64];

        (void)snprintf(command, sizeof(command), "XADD signals %d-0 signal_id s%d", i, i);
        give(&t.f, command);
    }
    give(&t.f, "XADD results 1-0 signal_id r1");
    t.ahead = 10;
    read_from(&t, ALL_STREAMS, 3, 0);
    assert_int_equal(t.result.read.asked_ms, 0);
    assert_int_equal(t.result.entries[STREAM_SIGNALS], 3);
    assert_int_equal(t.result.entries[STREAM_RESULTS], 1);
    assert_string_equal(buf_text(&t.text), "signals 1-0 signal_id=s1\nsignals 2-0 signal_id=s2\n"
                                           "signals 3-0 signal_id=s3\nresults 1-0 signal_id=r1\n");
    assert_true(redis_stream_is_reading(t.stream));
    WAIT(&t.f, !redis_stream_is_reading(t.stream));
    assert_int_equal(t.dones, 3);
    assert_int_equal(t.begins, 3);
    assert_int_equal(t.ahead, 8);
    assert_int_equal(t.entry_count, 8);
    assert_int_equal(t.result.entries[STREAM_SIGNALS], 1);
    assert_int_equal(t.result.read.asked_ms, 77);
    assert_int_equal(t.result.read.mask, ALL_STREAMS);
    assert_int_equal(t.result.read.after[STREAM_SIGNALS].ms, 6);
    assert_int_equal(t.result.read.after[STREAM_RESULTS].ms, 1);
    assert_int_equal(t.result.last[STREAM_SIGNALS].ms, 7);
    assert_int_equal(t.result.last[STREAM_RESULTS].ms, 1);
    clear_reading(&t);
}

/* The server has it before the first entry is handed over, not only once all of them are. */
static void test_read_ahead_is_sent_at_once(void **state)
{
    struct reading t;
    struct redis_link_stats stats;

    UNUSED(state);
    init_reading(&t);
    give(&t.f, "XADD signals 1-0 signal_id s1");
    t.ahead = 1;
    t.notes_sent = true;
    read_from(&t, ALL_STREAMS, 1, 0);
    redis_link_get_stats(redis_stream_link(t.stream), &stats);
    assert_int_equal(t.sent, stats.bytes_out);
    assert_true(redis_stream_is_reading(t.stream));
    WAIT(&t.f, !redis_stream_is_reading(t.stream));
    clear_reading(&t);
}

/* Lost with its link: what was read before it has been taken in, and it is asked for again. */
static void test_read_ahead_is_lost_with_its_link(void **state)
{
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    give(&t.f, "XADD signals 1-0 signal_id s1");
    give(&t.f, "XADD signals 2-0 signal_id s2");
    t.ahead = 1;
    read_from(&t, ALL_STREAMS, 1, 0);
    redis_link_drop(redis_stream_link(t.stream), "test", true);
    WAIT(&t.f, t.downs == 1);
    assert_int_equal(t.dones, 2);
    assert_int_equal(t.result.outcome, REDIS_READ_LOST);
    assert_false(redis_stream_is_reading(t.stream));
    WAIT(&t.f, t.ups == 2);
    read_from(&t, ALL_STREAMS, 1, 0);
    assert_string_equal(buf_text(&t.text), "signals 1-0 signal_id=s1\nsignals 2-0 signal_id=s2\n");
    clear_reading(&t);
}

static void test_read_waits_for_the_first_entry(void **state)
{
    struct reading t;
    int64_t asked_ms;

    UNUSED(state);
    init_reading(&t);
    asked_ms = loop_now_ms();
    read_from(&t, ALL_STREAMS, 10, 60);
    assert_int_equal(t.result.outcome, REDIS_READ_DONE);
    assert_int_equal(t.entry_count, 0);
    assert_in_range(loop_now_ms() - asked_ms, 59, WAIT_MS);

    assert_int_equal(start_read(&t, ALL_STREAMS, 10, 1000), 0);
    give(&t.f, "XADD results 1-0 signal_id s1");
    asked_ms = loop_now_ms();
    WAIT(&t.f, t.dones == 2);
    assert_in_range(loop_now_ms() - asked_ms, 0, 900);
    assert_string_equal(buf_text(&t.text), "results 1-0 signal_id=s1\n");
    assert_int_equal(t.downs, 0);
    clear_reading(&t);
}

/* The time that is waited is no part of the command's deadline. */
static void test_read_may_wait_longer_than_a_command(void **state)
{
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    redis_stream_free(t.stream);
    t.f.options.command_timeout_ms = 600; /* by so much the server may be late */
    t.stream = redis_stream_new(t.f.loop, &t.f.options, names, &events, &t);
    redis_link_start(redis_stream_link(t.stream));
    WAIT(&t.f, t.ups == 2);
    read_from(&t, ALL_STREAMS, 10, 800);
    assert_int_equal(t.result.outcome, REDIS_READ_DONE);
    assert_int_equal(t.downs, 0);
    clear_reading(&t);
}

static void test_read_tells_errors(void **state)
{
    static const struct {
        const char *before, *text;
        uint32_t mask;
        enum redis_error error;
    } rows[] = {
        {"SET signals x", "WRONGTYPE Operation against a key holding the wrong kind of value", ALL_STREAMS,
         REDIS_ERROR_WRONGTYPE},
        {"PING", "ERR syntax error", 0, REDIS_ERROR_OTHER},
        {"ACL SETUSER default -xread", "NOPERM this user has no permissions to run the 'xread' command",
         ALL_STREAMS, REDIS_ERROR_NOPERM},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reading t;

        init_reading(&t);
        give(&t.f, "XADD reports 1-0 instance_id i1");
        give(&t.f, rows[i].before);
        read_from(&t, rows[i].mask, 10, 0);
        assert_int_equal(t.result.outcome, REDIS_READ_ERROR);
        assert_int_equal(t.result.error, rows[i].error);
        assert_string_equal(t.error_text, rows[i].text);
        assert_int_equal(t.entry_count, 0);
        assert_int_equal(t.downs, 0);
        /* And once the cause is gone, it goes on. */
        give(&t.f, "DEL signals");
        give(&t.f, "ACL SETUSER default +xread");
        assert_read(&t, "reports 1-0 instance_id=i1\n");
        clear_reading(&t);
    }
}

static void test_read_is_refused_while_one_is_under_way_or_the_link_is_down(void **state)
{
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    assert_int_equal(start_read(&t, ALL_STREAMS, 10, 50), 0);
    assert_int_equal(start_read(&t, ALL_STREAMS, 10, 0), -EBUSY);
    WAIT(&t.f, t.dones == 1);
    redis_link_drop(redis_stream_link(t.stream), "test", false);
    WAIT(&t.f, t.downs == 1);
    assert_int_equal(start_read(&t, ALL_STREAMS, 10, 0), -ENOTCONN);
    assert_false(redis_stream_is_reading(t.stream));
    clear_reading(&t);
}

static void test_read_is_lost_with_its_link(void **state)
{
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    assert_int_equal(start_read(&t, ALL_STREAMS, 10, 1000), 0);
    give(&t.f, "XADD other * a b"); /* the read has arrived by now, or soon will */
    give(&t.f, "CLIENT KILL TYPE normal SKIPME yes");
    WAIT(&t.f, t.dones == 1);
    assert_int_equal(t.result.outcome, REDIS_READ_LOST);
    assert_false(redis_stream_is_reading(t.stream));
    WAIT(&t.f, t.ups == 2);
    give(&t.f, "XADD signals 1-0 signal_id s1");
    assert_read(&t, "signals 1-0 signal_id=s1\n");
    clear_reading(&t);
}

static void test_free_tells_nobody_of_a_read_under_way(void **state)
{
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    assert_int_equal(start_read(&t, ALL_STREAMS, 10, 1000), 0);
    redis_stream_free(t.stream);
    t.stream = NULL;
    assert_int_equal(t.dones, 0);
    assert_int_equal(t.downs, 0);
    fixture_run_for(&t.f, 10);
    assert_int_equal(t.dones, 0);
    redis_stream_free(NULL);
    clear_reading(&t);
}

/* Between the reader and the server: passes everything on, and closes both ends once LEFT bytes have gone to
 * the reader. */
struct proxy {
    struct reading *t;
    struct evconnlistener *listener;
    struct bufferevent *reader, *server;
    char path[96];
    long left; /* -1: no end */
};

static void close_proxy(struct proxy *p)
{
    if (p->reader)
        bufferevent_free(p->reader);
    if (p->server)
        bufferevent_free(p->server);
    p->reader = p->server = NULL;
}

static void on_proxy_written(struct bufferevent *end, void *ctx)
{
    struct proxy *p = ctx;

    if (p->left == 0 && end == p->reader)
        close_proxy(p);
}

static void on_proxy_read(struct bufferevent *end, void *ctx)
{
    struct proxy *p = ctx;
    struct evbuffer *in = bufferevent_get_input(end);

    if (end == p->reader) {
        (void)bufferevent_write_buffer(p->server, in);
    } else if (p->left < 0) {
        (void)bufferevent_write_buffer(p->reader, in);
    } else {
        size_t n = evbuffer_get_length(in) < (size_t)p->left ? evbuffer_get_length(in) : (size_t)p->left;

        (void)evbuffer_remove_buffer(in, bufferevent_get_output(p->reader), n);
        (void)evbuffer_drain(in, evbuffer_get_length(in));
        p->left -= (long)n;
    }
}

static void on_proxy_event(struct bufferevent *end, short what, void *ctx)
{
    UNUSED(end);
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        close_proxy(ctx);
}

static struct bufferevent *new_end(struct proxy *p, evutil_socket_t fd)
{
    struct bufferevent *end =
        bufferevent_socket_new(loop_event_base(p->t->f.loop), fd, BEV_OPT_CLOSE_ON_FREE);

    assert_non_null(end);
    bufferevent_setcb(end, on_proxy_read, on_proxy_written, on_proxy_event, p);
    (void)bufferevent_enable(end, EV_READ | EV_WRITE);
    return end;
}

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    return addr;
}

static void on_proxy_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
                            int len, void *ctx)
{
    struct proxy *p = ctx;
    struct sockaddr_un server = unix_address(p->t->f.socket_path);

    UNUSED(listener);
    UNUSED(addr);
    UNUSED(len);
    close_proxy(p);
    p->left = -1;
    p->reader = new_end(p, fd);
    p->server = new_end(p, -1);
    assert_int_equal(bufferevent_socket_connect(p->server, (struct sockaddr *)&server, sizeof(server)), 0);
}

/* The reader's link goes through the proxy from now on. */
static void init_proxy(struct proxy *p, struct reading *t)
{
    struct redis_link_options options = t->f.options;
    struct sockaddr_un addr;
    int ups = t->ups;

    memset(p, 0, sizeof(*p));
    p->t = t;
    p->left = -1;
    (void)snprintf(p->path, sizeof(p->path), "%s/proxy.sock", t->f.dir);
    addr = unix_address(p->path);
    p->listener = evconnlistener_new_bind(loop_event_base(t->f.loop), on_proxy_accept, p,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16,
                                          (struct sockaddr *)&addr, sizeof(addr));
    assert_non_null(p->listener);
    redis_stream_free(t->stream);
    options.endpoint.host = p->path;
    t->stream = redis_stream_new(t->f.loop, &options, names, &events, t);
    redis_link_start(redis_stream_link(t->stream));
    WAIT(&t->f, t->ups > ups);
}

static void clear_proxy(struct proxy *p)
{
    close_proxy(p);
    evconnlistener_free(p->listener);
}

/* Four entries of which the answer has 362 bytes. */
#define SOME_ENTRIES                                                                                         \
    "reports 1-0 cpu_usage=5 instance_id=i1\nsignals 1-0 signal_id=s1 action=buy\nsignals 2-0 signal_id=s2 " \
    "action=sell\nresults 7-1 result_id=r1 signal_id=s1 status=executed\n"
#define SOME_ENTRIES_BYTES 362

static void add_some_entries(struct reading *t)
{
    give(&t->f, "XADD reports 1-0 instance_id i1 cpu_usage 5");
    give(&t->f, "XADD signals 1-0 signal_id s1 action buy other 1");
    give(&t->f, "XADD signals 2-0 action sell signal_id s2");
    give(&t->f, "XADD results 7-1 result_id r1 signal_id s1 status executed");
}

/* Killed in the middle of a reply, at any byte: nothing of it is handed over, and reading again gives every
 * entry once. */
static void test_read_goes_on_after_a_link_killed_in_mid_reply(void **state)
{
    struct reading t;
    struct proxy proxy;

    UNUSED(state);
    init_reading(&t);
    init_proxy(&proxy, &t);
    add_some_entries(&t);
    for (long bytes = 1; bytes < SOME_ENTRIES_BYTES; bytes += 5) {
        int ups = t.ups;

        memset(t.last, 0, sizeof(t.last));
        t.entry_count = t.begins = 0;
        buf_reset(&t.text, 0);
        proxy.left = bytes;
        read_from(&t, ALL_STREAMS, 100, 0);
        assert_int_equal(t.result.outcome, REDIS_READ_LOST);
        assert_false(t.result.is_whole);
        assert_int_equal(t.entry_count, 0);
        assert_int_equal(t.begins, 0);
        WAIT(&t.f, t.ups > ups);
        read_from(&t, ALL_STREAMS, 100, 0);
        assert_int_equal(t.result.outcome, REDIS_READ_DONE);
        assert_true(t.was_whole);
        assert_string_equal(buf_text(&t.text), SOME_ENTRIES);
    }
    clear_proxy(&proxy);
    clear_reading(&t);
}

/* So many entries of so many bytes are more than is kept of a reply. */
#define LARGE_ENTRIES 500
#define LARGE_BYTES   4000

static void add_large_entries(struct reading *t)
{
    const char *script =
        "local v=string.rep('x',4000) for i=1,500 do redis.call('XADD',KEYS[1],i..'-0','signal_id',v) end";
    struct slice words[] = {SLICE("EVAL"), slice_text(script), SLICE("1"), SLICE("signals")};

    assert_true((size_t)LARGE_ENTRIES * LARGE_BYTES > STREAM_KEPT_MAX_BYTES);
    xadd(t, words, ARRAY_LEN(words));
}

/* What is too large to be kept is handed over as it comes: then nobody knows yet where it ends. */
static void test_read_of_a_large_reply_begins_before_its_end(void **state)
{
    struct reading t;

    UNUSED(state);
    init_reading(&t);
    add_large_entries(&t);
    t.ahead = 1;
    read_from(&t, 1U << STREAM_SIGNALS, LARGE_ENTRIES, 0);
    assert_int_equal(t.result.outcome, REDIS_READ_DONE);
    assert_int_equal(t.begins, 1);
    assert_false(t.was_whole);
    assert_true(t.result.is_whole);
    assert_int_equal(t.ahead, 1);
    assert_int_equal(t.entry_count, LARGE_ENTRIES);
    assert_int_equal(t.result.entries[STREAM_SIGNALS], LARGE_ENTRIES);
    assert_int_equal(t.last[STREAM_SIGNALS].ms, LARGE_ENTRIES);
    /* The next one is as any other. */
    give(&t.f, "XADD signals 501-0 signal_id s1");
    assert_read(&t, "signals 501-0 signal_id=s1\n");
    assert_true(t.was_whole);
    clear_reading(&t);
}

/* What was handed over of one that the link did not survive stands, and the next read goes on behind it. */
static void test_read_goes_on_after_a_link_killed_in_a_large_reply(void **state)
{
    struct reading t;
    struct proxy proxy;
    int ups, some;

    UNUSED(state);
    init_reading(&t);
    init_proxy(&proxy, &t);
    add_large_entries(&t);
    ups = t.ups;
    proxy.left = LARGE_ENTRIES / 4 * 3 * LARGE_BYTES;
    read_from(&t, 1U << STREAM_SIGNALS, LARGE_ENTRIES, 0);
    assert_int_equal(t.result.outcome, REDIS_READ_LOST);
    assert_false(t.was_whole);
    some = t.entry_count;
    assert_in_range(some, 1, LARGE_ENTRIES - 1);
    WAIT(&t.f, t.ups > ups);
    read_from(&t, 1U << STREAM_SIGNALS, LARGE_ENTRIES, 0);
    assert_int_equal(t.result.outcome, REDIS_READ_DONE);
    assert_int_equal(t.result.entries[STREAM_SIGNALS], LARGE_ENTRIES - some);
    assert_int_equal(t.entry_count, LARGE_ENTRIES);
    clear_proxy(&proxy);
    clear_reading(&t);
}

/* The answer of the server to XREAD of all streams, byte for byte. */
static struct buf raw_answer(struct reading *t)
{
    static const char command[] = "XREAD COUNT 10 STREAMS reports signals results trades 0 0 0 0\r\n";
    struct sockaddr_un addr = unix_address(t->f.socket_path);
    struct buf out = BUF_INIT;
    redisReader *whole = redisReaderCreate();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    void *reply = NULL;

    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(write(fd, command, strlen(command)), strlen(command));
    while (!reply) {
        ssize_t n = read(fd, buf_reserve(&out, 4096), 4096);

        assert_true(n > 0);
        assert_int_equal(redisReaderFeed(whole, out.data + out.len, (size_t)n), REDIS_OK);
        out.len += (size_t)n;
        assert_int_equal(redisReaderGetReply(whole, &reply), REDIS_OK);
    }
    freeReplyObject(reply);
    redisReaderFree(whole);
    (void)close(fd);
    return out;
}

static const struct redis_read some_read = {.mask = ALL_STREAMS, .count = 10};

static struct stream_decoder *new_decoder(struct reading *t)
{
    struct stream_decoder *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    t->is_decoding = true;
    stream_decoder_init(d, names, &events, t);
    stream_decoder_start(d, &some_read);
    return d;
}

static void free_decoder(struct stream_decoder *d)
{
    stream_decoder_clear(d);
    free(d);
}

/* A reply has come. */
static void take_in(struct stream_decoder *d)
{
    struct reading *t = d->ctx;

    if (!d->overflows) {
        on_begin(t, &d->result);
        stream_decoder_hand_over(d);
    }
    t->has_begun = false;
}

static redisReader *new_reader(struct stream_decoder *d)
{
    redisReader *reader = redisReaderCreateWithFunctions(&stream_decoder_functions);

    assert_non_null(reader);
    reader->privdata = d;
    return reader;
}

/* Feeds DATA in pieces of a length, each from memory of exactly their size; true where an
 * answer is complete. */
static bool feed(redisReader *reader, const char *data, size_t len, size_t piece)
{
    void *reply = NULL;

    for (size_t at = 0; at < len; at += piece) {
        size_t now = len - at < piece ? len - at : piece;
        char *copy = malloc(now);

        assert_null(reply);
        assert_non_null(copy);
        memcpy(copy, data + at, now);
        assert_int_equal(redisReaderFeed(reader, copy, now), REDIS_OK);
        free(copy);
        assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    }
    return reply != NULL;
}

static void test_decoder_takes_an_answer_in_pieces_of_any_size(void **state)
{
    struct reading t;
    struct buf answer;

    UNUSED(state);
    init_reading(&t);
    add_some_entries(&t);
    answer = raw_answer(&t);
    assert_int_equal(answer.len, SOME_ENTRIES_BYTES);
    for (size_t piece = 1; piece <= answer.len; piece++) {
        struct stream_decoder *d = new_decoder(&t);
        redisReader *reader = new_reader(d);

        buf_reset(&t.text, 0);
        memset(t.last, 0, sizeof(t.last));
        assert_true(feed(reader, answer.data, answer.len, piece));
        assert_int_equal(t.text.len, 0);
        take_in(d);
        assert_string_equal(buf_text(&t.text), SOME_ENTRIES);
        redisReaderFree(reader);
        free_decoder(d);
    }
    buf_clear(&answer);
    clear_reading(&t);
}

/* However little of an answer is kept, all of it is handed over, in order. */
static void test_decoder_keeps_no_more_than_it_may(void **state)
{
    struct reading t;
    struct buf answer;
    bool overflowed = false, kept = false;

    UNUSED(state);
    init_reading(&t);
    add_some_entries(&t);
    answer = raw_answer(&t);
    for (size_t most = 0; most < 400; most += 7) {
        struct stream_decoder *d = new_decoder(&t);
        redisReader *reader = new_reader(d);

        d->kept_max = most;
        buf_reset(&t.text, 0);
        memset(t.last, 0, sizeof(t.last));
        assert_true(feed(reader, answer.data, answer.len, 50));
        assert_true(d->kept.len <= most);
        overflowed = overflowed || d->overflows;
        kept = kept || !d->overflows;
        take_in(d);
        assert_string_equal(buf_text(&t.text), SOME_ENTRIES);
        assert_int_equal(d->kept.len, 0);
        redisReaderFree(reader);
        free_decoder(d);
    }
    assert_true(overflowed && kept);
    buf_clear(&answer);
    clear_reading(&t);
}

static void decode(struct stream_decoder *d, struct reading *t, const char *answer, const char *expected)
{
    redisReader *reader = new_reader(d);

    buf_reset(&t->text, 0);
    memset(t->last, 0, sizeof(t->last));
    if (feed(reader, answer, strlen(answer), strlen(answer)) && d->result.outcome == REDIS_READ_DONE)
        take_in(d);
    assert_string_equal(buf_text(&t->text), expected);
    redisReaderFree(reader);
}

#define HALF_ENTRY                                                                                           \
    "*1\r\n*2\r\n$7\r\nsignals\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*4\r\n$9\r\nsignal_id\r\n$2\r\ns1\r\n$6\r\n"

/* Half an entry is left by a link that died; an answer without the ID of its entry must not complete it. */
static void test_decoder_forgets_half_an_entry(void **state)
{
    static const char *const nexts[] = {
        "*1\r\n*2\r\n$-1\r\n*1\r\n*2\r\n*1\r\n$1\r\nx\r\n*0\r\n",
        "*1\r\n*2\r\n:1\r\n*1\r\n*2\r\n$3\r\n6-0\r\n*2\r\n$6\r\naction\r\n$1\r\nx\r\n",
        "*1\r\n*2\r\n$7\r\nsignals\r\n*1\r\n*2\r\n:1\r\n*2\r\n$6\r\naction\r\n$1\r\nx\r\n",
    };
    struct reading t = {.text = BUF_INIT};
    struct stream_decoder *d = new_decoder(&t);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(nexts); i++) {
        decode(d, &t, HALF_ENTRY, "");
        stream_decoder_start(d, &some_read);
        decode(d, &t, nexts[i], "");
        stream_decoder_start(d, &some_read);
    }
    buf_clear(&t.text);
    free_decoder(d);
}

/* Found by fuzzing: an entry whose last value is no text stays open, and one without an ID in a stream of
 * somebody else's took it for its own. */
static void test_decoder_ends_an_open_entry_with_its_stream(void **state)
{
    static const char answer[] =
        "*2\r\n*2\r\n$7\r\nsignals\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$6\r\naction\r\n:1\r\n"
        "*2\r\n$7\r\nothers1\r\n*1\r\n*2\r\n:1\r\n*2\r\n$6\r\naction\r\n$1\r\nx\r\n";
    struct reading t = {.text = BUF_INIT};
    struct stream_decoder *d = new_decoder(&t);

    UNUSED(state);
    decode(d, &t, answer, "");
    buf_clear(&t.text);
    free_decoder(d);
}

static void test_decoder_passes_answers_of_other_shapes(void **state)
{
    static const struct {
        const char *answer, *expected;
        enum redis_read_outcome outcome;
    } rows[] = {
        {"*-1\r\n", "", REDIS_READ_DONE},
        {"$-1\r\n", "", REDIS_READ_DONE},
        {"*0\r\n", "", REDIS_READ_DONE},
        {":5\r\n", "", REDIS_READ_DONE},
        {"+OK\r\n", "", REDIS_READ_ERROR},
        {"$0\r\n\r\n", "", REDIS_READ_ERROR},
        {"*2\r\n$1\r\nx\r\n:1\r\n", "", REDIS_READ_DONE},
        {"*1\r\n*0\r\n", "", REDIS_READ_DONE},
        {"*1\r\n*2\r\n$7\r\nsignals\r\n*0\r\n", "", REDIS_READ_DONE},
        {"*1\r\n*2\r\n$7\r\nsignals\r\n$-1\r\n", "", REDIS_READ_DONE},
        {"*1\r\n*2\r\n$7\r\nsignals\r\n*1\r\n*-1\r\n", "", REDIS_READ_DONE},
        /* a stream of somebody else's */
        {"*1\r\n*2\r\n$7\r\nothers1\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$6\r\naction\r\n$1\r\nx\r\n", "",
         REDIS_READ_DONE},
        /* an ID that is none */
        {"*1\r\n*2\r\n$7\r\nsignals\r\n*1\r\n*2\r\n$3\r\n5-x\r\n*2\r\n$6\r\naction\r\n$1\r\nx\r\n", "",
         REDIS_READ_DONE},
        {"*1\r\n*2\r\n$7\r\nsignals\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*0\r\n", "signals 5-0\n", REDIS_READ_DONE},
        {"*1\r\n*2\r\n$7\r\nsignals\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*1\r\n$6\r\naction\r\n", "signals 5-0\n",
         REDIS_READ_DONE},
        /* deeper than any answer */
        {"*1\r\n*2\r\n$7\r\nsignals\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*1\r\n*1\r\n$6\r\naction\r\n", "",
         REDIS_READ_DONE},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reading t = {.text = BUF_INIT};
        struct stream_decoder *d = new_decoder(&t);

        decode(d, &t, rows[i].answer, rows[i].expected);
        assert_int_equal(d->result.outcome, rows[i].outcome);
        buf_clear(&t.text);
        free_decoder(d);
    }
}

static void test_decoder_keeps_the_beginning_of_a_long_error(void **state)
{
    struct reading t = {.text = BUF_INIT};
    struct stream_decoder *d = new_decoder(&t);
    char answer[1000];

    UNUSED(state);
    memset(answer, 'e', sizeof(answer));
    memcpy(answer, "-LOADING ", 9);
    memcpy(answer + sizeof(answer) - 3, "\r\n", 3);
    decode(d, &t, answer, "");
    assert_int_equal(d->result.outcome, REDIS_READ_ERROR);
    assert_int_equal(d->result.error, REDIS_ERROR_LOADING);
    assert_int_equal(d->result.error_text.len, sizeof(d->error));
    assert_memory_equal(d->result.error_text.data, answer + 1, sizeof(d->error));
    buf_clear(&t.text);
    free_decoder(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_hands_over_what_is_known_by_name),
        cmocka_unit_test(test_read_takes_only_the_streams_asked_for_and_no_more_than_count),
        cmocka_unit_test(test_read_takes_the_last_of_a_repeated_field),
        cmocka_unit_test(test_read_passes_any_bytes),
        cmocka_unit_test(test_read_starts_each_entry_anew),
        cmocka_unit_test(test_read_cuts_a_long_value),
        cmocka_unit_test(test_read_finds_its_fields_among_a_hundred_thousand),
        cmocka_unit_test(test_read_passes_what_was_deleted),
        cmocka_unit_test(test_read_of_thousands_of_entries),
        cmocka_unit_test(test_read_ahead_gives_every_entry_once),
        cmocka_unit_test(test_read_ahead_is_sent_at_once),
        cmocka_unit_test(test_read_ahead_is_lost_with_its_link),
        cmocka_unit_test(test_read_waits_for_the_first_entry),
        cmocka_unit_test(test_read_may_wait_longer_than_a_command),
        cmocka_unit_test(test_read_tells_errors),
        cmocka_unit_test(test_read_is_refused_while_one_is_under_way_or_the_link_is_down),
        cmocka_unit_test(test_read_is_lost_with_its_link),
        cmocka_unit_test(test_free_tells_nobody_of_a_read_under_way),
        cmocka_unit_test(test_read_goes_on_after_a_link_killed_in_mid_reply),
        cmocka_unit_test(test_read_of_a_large_reply_begins_before_its_end),
        cmocka_unit_test(test_read_goes_on_after_a_link_killed_in_a_large_reply),
        cmocka_unit_test(test_decoder_takes_an_answer_in_pieces_of_any_size),
        cmocka_unit_test(test_decoder_keeps_no_more_than_it_may),
        cmocka_unit_test(test_decoder_forgets_half_an_entry),
        cmocka_unit_test(test_decoder_ends_an_open_entry_with_its_stream),
        cmocka_unit_test(test_decoder_passes_answers_of_other_shapes),
        cmocka_unit_test(test_decoder_keeps_the_beginning_of_a_long_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
