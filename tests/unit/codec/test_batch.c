/* codec/batch.h: what a batch becomes for the script, read back from the protocol. Cutting is in
 * test_batch_cut.c. */
#include "batch_text.h"

#include "codec/scripts.h"
#include "util/macros.h"
#include <stdio.h>

static const struct cause report_cause = {CAUSE_REPORT, {10, 1}};
static const struct cause signal_cause = {CAUSE_SIGNAL, {11, 2}};
static const struct cause trade_cause = {CAUSE_TRADE, {13000, 0}};
static const struct cause timer_cause = {CAUSE_TIMER, {14, 0}};

static void set_one(struct sink *sink, enum record_kind kind, const char *id, const char *name,
                    const char *value)
{
    struct record_field field = {s(name), s(value)};

    sink->ops->record_set(sink->ctx, kind, s(id), &field, 1);
}

static void test_batch_new_is_empty(void **state)
{
    struct batch *batch = batch_text_new();
    struct batch_words w;

    UNUSED(state);
    assert_true(batch_is_empty(batch));
    assert_int_equal(batch_bytes(batch), 0);
    batch_seal(batch);
    assert_true(batch_is_empty(batch));
    batch_words_init(&w, batch, false);
    assert_int_equal(w.keys, 2);
    assert_int_equal(w.count, 3 + 2 + 5);
    assert_true(slice_is(batch_words_arg(&w, 4), ""));
    batch_words_clear(&w);
    batch_free(batch);
    batch_free(NULL);
}

static void test_batch_render_head(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct batch_words w;

    UNUSED(state);
    batch_reset(batch, 18446744073709551615U);
    sink->ops->begin(sink->ctx, &report_cause);
    set_one(sink, RECORD_INSTANCE, "i1", "state", "running");
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, s("i1"), NULL, "running");
    sink->ops->load_set(sink->ctx, s("i1"), 0.25);
    batch_set_meta(batch, "schema", s("1"));
    batch_set_position(batch, STREAM_REPORTS, (struct stream_id){10, 1});
    batch_seal(batch);
    batch_words_init(&w, batch, false);
    assert_true(slice_is(w.words[0], "EVALSHA"));
    assert_true(slice_is(w.words[1], script_commit.sha1));
    assert_int_equal(w.keys, 6);
    assert_true(slice_is(batch_words_key(&w, 1), "mt5stated:leader"));
    assert_true(slice_is(batch_words_key(&w, 2), "mt5stated:meta"));
    assert_true(slice_is(batch_words_key(&w, 3), "instance:i1"));
    assert_true(slice_is(batch_words_key(&w, 4), "instance:state:running"));
    assert_true(slice_is(batch_words_key(&w, 5), "instance:index:load"));
    assert_true(slice_is(batch_words_key(&w, 6), "reports"));
    assert_true(slice_is(batch_words_arg(&w, 1), BATCH_TOKEN));
    assert_true(slice_is(batch_words_arg(&w, 2), BATCH_EPOCH));
    assert_true(slice_is(batch_words_arg(&w, 3), "18446744073709551615"));
    assert_true(slice_is(batch_words_arg(&w, 4), "hszt"));
    assert_true(slice_is(batch_words_arg(&w, 5), "4"));
    assert_true(slice_is(batch_words_arg(&w, 6), "schema"));
    assert_true(slice_is(batch_words_arg(&w, 7), "1"));
    assert_true(slice_is(batch_words_arg(&w, 8), "pos:reports"));
    assert_true(slice_is(batch_words_arg(&w, 9), "10-1"));
    assert_true(slice_is(batch_words_arg(&w, 10), "2")); /* the first operation: its words, command, key */
    assert_true(slice_is(batch_words_arg(&w, 11), "HSET"));
    assert_true(slice_is(batch_words_arg(&w, 12), "3"));
    batch_words_clear(&w);

    batch_words_init(&w, batch, true);
    assert_true(slice_is(w.words[0], "EVAL"));
    assert_int_equal(w.words[1].len, *script_commit.len);
    assert_memory_equal(w.words[1].data, script_commit.text, w.words[1].len);
    assert_memory_equal(w.words[1].data, "#!lua", 5);
    batch_words_clear(&w);
    batch_free(batch);
}

static void test_batch_render_is_the_same_each_time(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct batch_words first, second;

    UNUSED(state);
    sink->ops->begin(sink->ctx, &report_cause);
    set_one(sink, RECORD_INSTANCE, "i1", "state", "running");
    sink->ops->journal_ended(sink->ctx, s("s1"), OUTCOME_LOST);
    sink->ops->total_set(sink->ctx, TOTAL_LOST, s("buy"), 3);
    batch_seal(batch);
    batch_words_init(&first, batch, false);
    batch_words_init(&second, batch, false);
    assert_true(slice_equal(buf_slice(&first.bytes), buf_slice(&second.bytes)));
    batch_words_clear(&first);
    batch_words_clear(&second);
    batch_free(batch);
}

static void test_sink_writes_records(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct record_field fields[] = {{SLICE("state"), SLICE("running")}, {SLICE("broker_id"), SLICE("")}};
    struct slice names[] = {SLICE("host_id"), SLICE("desired_state")};

    UNUSED(state);
    sink->ops->begin(sink->ctx, &report_cause);
    sink->ops->record_set(sink->ctx, RECORD_INSTANCE, s("i1"), fields, ARRAY_LEN(fields));
    sink->ops->record_unset(sink->ctx, RECORD_INSTANCE, s("i1"), names, ARRAY_LEN(names));
    sink->ops->record_remove(sink->ctx, RECORD_METRICS, s("i1"));
    sink->ops->record_expire(sink->ctx, RECORD_HEALTH, s("i1"), 60);
    sink->ops->begin(sink->ctx, &trade_cause);
    sink->ops->record_expire(sink->ctx, RECORD_TRADE, s("t1"), 100);
    batch_seal(batch);
    batch_text_assert(batch, "HSET instance:i1 state running broker_id \n"
                             "HDEL instance:i1 host_id desired_state\n"
                             "DEL instance_metrics:i1\n"
                             "EXPIRE instance_health:i1 60\n"
                             "EXPIRE trade:t1 100\n"
                             /* at 13 s, a second later than Redis lets it go */
                             "ZADD mt5stated:trade_expiry 114 t1\n");
    batch_free(batch);
}

static void test_sink_writes_indexes(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);

    UNUSED(state);
    sink->ops->begin(sink->ctx, &report_cause);
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, s("i1"), "running", "crashed");
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, s("i1"), NULL, "stopped");
    sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, s("t1"), "closed", NULL);
    sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, s("t1"), NULL, NULL);
    sink->ops->load_set(sink->ctx, s("i1"), 1.5);
    sink->ops->load_set(sink->ctx, s("i2"), 0);
    sink->ops->load_remove(sink->ctx, s("i1"));
    sink->ops->seq_set(sink->ctx, s("i1"), 9);
    sink->ops->seq_forget(sink->ctx, s("i1"));
    batch_expect_expiry(batch, s("t1"), -5);
    batch_forget_expiry(batch, s("t1"));
    batch_seal(batch);
    batch_text_assert(batch, "SREM instance:state:running i1\n"
                             "SADD instance:state:crashed i1\n"
                             "SADD instance:state:stopped i1\n"
                             "SREM trade:state:closed t1\n"
                             "ZADD instance:index:load 1.5 i1\n"
                             "ZADD instance:index:load 0 i2\n"
                             "ZREM instance:index:load i1\n"
                             "HSET mt5stated:seq i1 9\n"
                             "HDEL mt5stated:seq i1\n"
                             "ZADD mt5stated:trade_expiry 0 t1\n"
                             "ZREM mt5stated:trade_expiry t1\n");
    batch_free(batch);
}

static void test_sink_writes_events_to_stream_channel_and_seq(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct event started = {.kind = EVENT_INSTANCE_STARTED,
                            .instance_id = s("i1"),
                            .seq = 4,
                            .at_ms = 1742638530123,
                            .from = s("stopped"),
                            .to = s("running"),
                            .cause = report_cause};
    struct event dropped = {
        .kind = EVENT_SIGNAL_DROPPED, .at_ms = 1742638530123, .signal_id = s("s1"), .cause = signal_cause};

    UNUSED(state);
    sink->ops->begin(sink->ctx, &report_cause);
    sink->ops->event(sink->ctx, &started);
    sink->ops->begin(sink->ctx, &signal_cause);
    sink->ops->event(sink->ctx, &dropped);
    batch_seal(batch);
    batch_text_assert(
        batch,
        "XADD events MAXLEN ~ 500 * event instance_started instance_id i1 seq 4 at 2025-03-22T10:15:30Z"
        " from stopped to running correlation_id report-10-1\n"
        "PUBLISH - instance:events {\"event\":\"instance_started\",\"instance_id\":\"i1\",\"seq\":4,"
        "\"at\":\"2025-03-22T10:15:30Z\",\"from\":\"stopped\",\"to\":\"running\","
        "\"correlation_id\":\"report-10-1\"}\n"
        "HSET mt5stated:seq i1 4\n"
        "XADD events MAXLEN ~ 500 * event signal_dropped at 2025-03-22T10:15:30Z signal_id s1"
        " correlation_id signal-11-2\n"
        "PUBLISH - instance:events {\"event\":\"signal_dropped\",\"at\":\"2025-03-22T10:15:30Z\","
        "\"signal_id\":\"s1\",\"correlation_id\":\"signal-11-2\"}\n");
    batch_free(batch);
}

static void assert_event(const struct batch *batch, uint32_t i, enum event_kind kind, const char *expected)
{
    const struct batch_event *event = &batch->events[i];
    struct buf out = BUF_INIT;

    assert_int_equal(event->kind, kind);
    assert_false(event->cut);
    for (uint32_t f = 0; f < event->fields; f++) {
        struct slice name, value;

        batch_get_field(batch, event->first_field + f, &name, &value);
        buf_add_slice(&out, name);
        buf_add_char(&out, '=');
        buf_add_slice(&out, value);
        buf_add_char(&out, ' ');
    }
    assert_string_equal(buf_text(&out), expected);
    buf_clear(&out);
}

/* What is announced once the batch is stored outlives the texts that were handed over. */
static void test_sink_keeps_events_to_be_told_later(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    char id[] = "i1", reason[] = "because";
    struct event event = {.kind = EVENT_INSTANCE_FAILED,
                          .instance_id = s(id),
                          .seq = 1,
                          .reason = s(reason),
                          .cause = timer_cause};

    UNUSED(state);
    for (int i = 0; i < 200; i++) {
        sink->ops->begin(sink->ctx, &timer_cause);
        sink->ops->event(sink->ctx, &event);
    }
    id[0] = reason[0] = 'X';
    batch_seal(batch);
    assert_int_equal(batch->event_count, 200);
    for (uint32_t i = 0; i < 200; i++)
        assert_event(batch, i, EVENT_INSTANCE_FAILED,
                     "event=instance_failed instance_id=i1 seq=1 at=1970-01-01T00:00:00Z reason=because "
                     "correlation_id=timer-14-0 ");
    batch_free(batch);
}

static void test_sink_rejects_into_the_stream_of_the_cause(void **state)
{
    static const struct {
        struct cause cause;
        const char *expected;
    } rows[] = {
        {{CAUSE_REPORT, {10, 1}}, "!reject reports_rejected reports 10-1 state: what is wrong\n"},
        {{CAUSE_SIGNAL, {10, 1}}, "!reject signals_rejected signals 10-1 state: what is wrong\n"},
        {{CAUSE_RESULT, {10, 1}}, "!reject results_rejected results 10-1 state: what is wrong\n"},
        {{CAUSE_TRADE, {10, 1}}, "!reject trades_rejected trades 10-1 state: what is wrong\n"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct batch *batch = batch_text_new();
        struct sink *sink = batch_sink(batch);

        sink->ops->begin(sink->ctx, &rows[i].cause);
        sink->ops->reject(sink->ctx, &rows[i].cause, s("state: what is wrong"));
        batch_seal(batch);
        batch_text_assert(batch, rows[i].expected);
        batch_free(batch);
    }
}

static void test_sink_drops_a_signal(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);

    UNUSED(state);
    sink->ops->begin(sink->ctx, &signal_cause);
    sink->ops->signal_drop(sink->ctx, (struct stream_id){11, 2}, 30001);
    sink->ops->signal_drop(sink->ctx, (struct stream_id){12, 0}, -1);
    batch_seal(batch);
    batch_text_assert(batch, "!drop signals_dropped signals 11-2 30001\n"
                             "!drop signals_dropped signals 12-0 0\n");
    batch_free(batch);
}

static void test_sink_trims_what_is_below(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);

    UNUSED(state);
    sink->ops->signals_trim(sink->ctx, (struct stream_id){20, 0});
    sink->ops->results_trim(sink->ctx, (struct stream_id){20, 5});
    batch_trim(batch, STREAM_TRADES, (struct stream_id){7, 0}, (struct stream_id){9, 9});
    batch_seal(batch);
    batch_text_assert(batch, "!trim signals 20-0 19-18446744073709551615\n"
                             "!trim results 20-5 20-4\n"
                             "!trim trades 7-0 9-9\n");
    batch_free(batch);
}

static void test_sink_stores_what_was_left_in_meta(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct batch_words w;

    UNUSED(state);
    sink->ops->signals_left(sink->ctx, (struct stream_id){20, 5});
    assert_false(batch_is_empty(batch));
    batch_seal(batch);
    batch_text_assert(batch, "");
    batch_words_init(&w, batch, false);
    assert_true(slice_is(batch_words_arg(&w, 5), "2"));
    assert_true(slice_is(batch_words_arg(&w, 6), "left:signals"));
    assert_true(slice_is(batch_words_arg(&w, 7), "20-5"));
    batch_words_clear(&w);
    batch_free(batch);
}

static void test_batch_set_position_moves_the_group_too(void **state)
{
    struct batch *batch = batch_text_new();

    UNUSED(state);
    for (int k = 0; k < STREAM_KINDS; k++)
        batch_set_position(batch, (enum stream_kind)k, (struct stream_id){5, (uint64_t)k});
    batch_seal(batch);
    batch_text_assert(batch, "!position reports readers 5-0\n"
                             "!position signals readers 5-1\n"
                             "!position results readers 5-2\n"
                             "!position trades readers 5-3\n");
    assert_int_equal(batch->meta_args, 8);
    batch_free(batch);
}

static void test_batch_keeps_events_until_they_are_forgotten(void **state)
{
    struct batch *batch = batch_text_new();

    UNUSED(state);
    batch_keep_event(batch, 7, slice_text("signal_dropped 5 timer-5-0 s1 - late"));
    batch_forget_event(batch, 6);
    batch_seal(batch);
    batch_text_assert(batch, "HSET mt5stated:far_events 7 signal_dropped 5 timer-5-0 s1 - late\n"
                             "HDEL mt5stated:far_events 6\n");
    batch_free(batch);
}

/* Of a stream of another server there is no group. */
static void test_batch_note_position_moves_no_group(void **state)
{
    struct batch *batch = batch_text_new();

    UNUSED(state);
    batch_note_position(batch, STREAM_RESULTS, (struct stream_id){5, 2});
    assert_false(batch_is_empty(batch));
    batch_seal(batch);
    batch_text_assert(batch, "");
    assert_int_equal(batch->meta_args, 2);
    batch_free(batch);
}

/* One command takes so many words at most: what Lua hands over lies on its stack. */
static void test_sink_deletes_in_commands_of_a_thousand(void **state)
{
    enum { COUNT = 2500 };
    static struct stream_id entries[COUNT];
    static const size_t expected[] = {1000, 1000, 500};
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct batch_words w;
    size_t at, next = 0;

    UNUSED(state);
    for (size_t i = 0; i < COUNT; i++)
        entries[i] = (struct stream_id){i + 1, 0};
    sink->ops->signals_delete(sink->ctx, entries, COUNT);
    batch_seal(batch);
    batch_words_init(&w, batch, false);
    at = w.first_op;
    for (size_t op = 0; op < ARRAY_LEN(expected); op++) {
        assert_int_equal(batch_words_number(w.words[at]), expected[op]);
        assert_true(slice_is(w.words[at + 1], "XDEL"));
        assert_true(slice_is(batch_words_key(&w, batch_words_number(w.words[at + 2])), "signals"));
        at += 3;
        for (size_t i = 0; i < expected[op]; i++) {
            char text[STREAM_ID_TEXT_MAX];

            (void)stream_id_format(text, entries[next++]);
            assert_true(slice_is(w.words[at++], text));
        }
    }
    assert_int_equal(at, w.count);
    batch_words_clear(&w);
    batch_free(batch);
}

static void test_sink_deletes_exactly_a_thousand_in_one_command(void **state)
{
    static struct stream_id entries[1000];
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct batch_words w;

    UNUSED(state);
    sink->ops->results_delete(sink->ctx, entries, ARRAY_LEN(entries));
    batch_seal(batch);
    batch_words_init(&w, batch, false);
    assert_int_equal(w.count - w.first_op, 3 + ARRAY_LEN(entries));
    assert_true(slice_is(batch_words_key(&w, batch_words_number(w.words[w.first_op + 2])), "results"));
    batch_words_clear(&w);
    batch_free(batch);
}

static void test_batch_seal_makes_one_entry_of_the_journal(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);

    UNUSED(state);
    sink->ops->begin(sink->ctx, &signal_cause);
    sink->ops->journal_received(sink->ctx, s("s1"), (struct stream_id){11, 2}, s("buy"), s(""));
    sink->ops->begin(sink->ctx, &signal_cause);
    sink->ops->journal_accepted(sink->ctx, s("s1"), 12);
    sink->ops->journal_ended(sink->ctx, s("s1"), OUTCOME_DROPPED);
    sink->ops->journal_early(sink->ctx, s("s2"), s("executed"), (struct stream_id){13, 0});
    assert_false(batch_is_empty(batch));
    batch_seal(batch);
    batch_text_assert(
        batch, "XADD mt5stated:journal * lines R 11-2 buy - s1\nA 12 s1\nE D s1\nY 13-0 executed s2\n\n");
    batch_free(batch);
}

/* A start reads an entry by itself: no line may begin in one and end in the next. */
static void test_batch_seal_cuts_the_journal_between_lines(void **state)
{
    enum { LINES = 2000, ENTRY_MAX = 16 << 10 };
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct batch_words w;
    struct buf expected = BUF_INIT, read = BUF_INIT;
    size_t entries = 0;

    UNUSED(state);
    sink->ops->begin(sink->ctx, &signal_cause);
    for (int i = 0; i < LINES; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "signal-%d", i);
        sink->ops->journal_ended(sink->ctx, s(id), OUTCOME_LOST);
        buf_add_format(&expected, "E L %s\n", id);
    }
    batch_seal(batch);
    batch_words_init(&w, batch, false);
    for (size_t i = w.first_op; i + 1 < w.count; i++) {
        struct slice lines = w.words[i + 1];

        if (!slice_is(w.words[i], "lines"))
            continue;
        entries++;
        assert_in_range(lines.len, 1, ENTRY_MAX);
        assert_int_equal(lines.data[0], 'E');
        assert_int_equal(lines.data[lines.len - 1], '\n');
        buf_add_slice(&read, lines);
    }
    assert_int_equal(entries, (expected.len + ENTRY_MAX - 1) / ENTRY_MAX);
    assert_true(slice_equal(buf_slice(&read), buf_slice(&expected)));
    buf_clear(&read);
    buf_clear(&expected);
    batch_words_clear(&w);
    batch_free(batch);
}

static void test_batch_seal_trims_the_journal_with_its_entry(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);

    UNUSED(state);
    sink->ops->journal_trim(sink->ctx, 17);
    assert_true(batch_is_empty(batch)); /* no reason to send anything */
    sink->ops->journal_ended(sink->ctx, s("s1"), OUTCOME_FAILED);
    sink->ops->journal_trim(sink->ctx, 18);
    batch_seal(batch);
    batch_text_assert(batch, "XADD mt5stated:journal MINID ~ 18 * lines E F s1\n\n");
    batch_free(batch);
}

static void test_batch_seal_makes_one_command_of_the_totals(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);

    UNUSED(state);
    for (int kind = 0; kind < TOTAL_KINDS; kind++)
        sink->ops->total_set(sink->ctx, (enum total_kind)kind, s(kind == TOTAL_RESULT ? "executed" : "buy"),
                             (uint64_t)kind + 1);
    sink->ops->total_set(sink->ctx, TOTAL_RECEIVED, s("a2345678901234567890123456789012"), UINT64_MAX);
    batch_seal(batch);
    batch_text_assert(batch, "HSET mt5stated:totals received:buy 1 processed:buy 2 failed:buy 3 dropped:buy 4"
                             " lost:buy 5 duplicate:buy 6 result:executed 7"
                             " received:a2345678901234567890123456789012 18446744073709551615\n");
    batch_free(batch);
}

/* Effects of entries come first; then what removes from streams, in the order in which it was told; journal
 * and totals last. */
static void test_batch_render_orders_its_parts(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct stream_id entry = {11, 2};

    UNUSED(state);
    sink->ops->total_set(sink->ctx, TOTAL_RECEIVED, s("buy"), 1);
    sink->ops->journal_ended(sink->ctx, s("s1"), OUTCOME_DROPPED);
    sink->ops->signals_delete(sink->ctx, &entry, 1);
    batch_set_position(batch, STREAM_SIGNALS, entry);
    sink->ops->begin(sink->ctx, &signal_cause);
    sink->ops->signal_drop(sink->ctx, entry, 5);
    batch_seal(batch);
    batch_text_assert(batch, "!drop signals_dropped signals 11-2 5\n"
                             "XDEL signals 11-2\n"
                             "!position signals readers 11-2\n"
                             "XADD mt5stated:journal * lines E D s1\n\n"
                             "HSET mt5stated:totals received:buy 1\n");
    batch_free(batch);
}

static void test_batch_names_each_key_once(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct batch_words w;

    UNUSED(state);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            char id[16];

            (void)snprintf(id, sizeof(id), "i%d", i);
            sink->ops->begin(sink->ctx, &report_cause);
            set_one(sink, RECORD_INSTANCE, id, "state", "running");
            sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, s(id), NULL, "running");
        }
    }
    batch_seal(batch);
    batch_words_init(&w, batch, false);
    assert_int_equal(w.keys, 2 + 101);
    assert_int_equal(batch_words_arg(&w, 4).len, 101);
    for (size_t a = 1; a <= w.keys; a++) {
        for (size_t b = a + 1; b <= w.keys; b++)
            assert_false(slice_equal(batch_words_key(&w, a), batch_words_key(&w, b)));
    }
    for (uint32_t i = 0; i < batch->key_count; i++)
        assert_int_equal(batch->keys[i].writes, batch->keys[i].is_record ? 3 : 0);
    batch_words_clear(&w);
    batch_free(batch);
}

static void test_batch_key_by_number_is_what_the_script_calls_it(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct slice key = SLICE("untouched");
    bool is_record = false;

    UNUSED(state);
    sink->ops->begin(sink->ctx, &report_cause);
    set_one(sink, RECORD_HEALTH, "i1", "last_error", "");
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, s("i1"), NULL, "running");
    batch_seal(batch);
    assert_false(batch_key_by_number(batch, 0, &key, &is_record));
    assert_false(batch_key_by_number(batch, 2, &key, &is_record));
    assert_false(batch_key_by_number(batch, 5, &key, &is_record));
    assert_false(batch_key_by_number(batch, UINT64_MAX, &key, &is_record));
    assert_true(slice_is(key, "untouched"));
    assert_true(batch_key_by_number(batch, 3, &key, &is_record));
    assert_true(slice_is(key, "instance_health:i1") && is_record);
    assert_true(batch_key_by_number(batch, 4, &key, &is_record));
    assert_true(slice_is(key, "instance:state:running") && !is_record);
    batch_free(batch);
}

static void test_batch_ignore_key_asks_for_no_type(void **state)
{
    struct batch *batch = batch_text_new();
    struct batch_words w;

    UNUSED(state);
    batch_set_position(batch, STREAM_REPORTS, (struct stream_id){1, 0});
    batch_set_position(batch, STREAM_TRADES, (struct stream_id){1, 0});
    batch_seal(batch);
    batch_ignore_key(batch, s("trades"));
    batch_ignore_key(batch, s("no key of this batch"));
    batch_words_init(&w, batch, false);
    assert_true(slice_is(batch_words_arg(&w, 4), "t-"));
    batch_words_clear(&w);
    batch_text_assert(batch, "!position reports readers 1-0\n!position trades readers 1-0\n");
    batch_free(batch);
}

static void fill_all_parts(struct batch *batch)
{
    struct sink *sink = batch_sink(batch);
    struct event event = {
        .kind = EVENT_INSTANCE_STARTED, .instance_id = s("i1"), .seq = 1, .cause = report_cause};

    sink->ops->begin(sink->ctx, &report_cause);
    set_one(sink, RECORD_INSTANCE, "i1", "state", "running");
    sink->ops->event(sink->ctx, &event);
    sink->ops->journal_ended(sink->ctx, s("s1"), OUTCOME_LOST);
    sink->ops->journal_trim(sink->ctx, 5);
    sink->ops->total_set(sink->ctx, TOTAL_LOST, s("buy"), 1);
    batch_set_position(batch, STREAM_REPORTS, (struct stream_id){10, 1});
    (void)batch_cut(batch, false, s("i1"), s("why"));
}

static void test_batch_reset_forgets_everything(void **state)
{
    struct batch *batch = batch_text_new();
    struct batch_words w;

    UNUSED(state);
    for (int round = 0; round < 2; round++) {
        fill_all_parts(batch);
        if (round == 1)
            batch_seal(batch);
        batch_reset(batch, 77);
        assert_true(batch_is_empty(batch));
        assert_int_equal(batch_bytes(batch), 0);
        assert_int_equal(batch->event_count, 0);
        assert_false(batch->sealed);
        batch_seal(batch);
        batch_words_init(&w, batch, false);
        assert_int_equal(w.keys, 2);
        assert_int_equal(w.count, 3 + 2 + 5);
        assert_true(slice_is(batch_words_arg(&w, 3), "77"));
        batch_words_clear(&w);
        batch_reset(batch, 1);
    }
    /* The journal's bound is forgotten as well. */
    batch_sink(batch)->ops->journal_ended(batch_sink(batch)->ctx, s("s2"), OUTCOME_LOST);
    batch_seal(batch);
    batch_text_assert(batch, "XADD mt5stated:journal * lines E L s2\n\n");
    batch_free(batch);
}

static void test_batch_reset_gives_big_memory_back(void **state)
{
    static char value[4096];
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct event event = {
        .kind = EVENT_INSTANCE_FAILED, .instance_id = s("i1"), .seq = 1, .cause = timer_cause};

    UNUSED(state);
    memset(value, 'v', sizeof(value) - 1);
    sink->ops->begin(sink->ctx, &timer_cause);
    for (int i = 0; i < 1000; i++) {
        set_one(sink, RECORD_INSTANCE, "i1", "last_error", value);
        sink->ops->event(sink->ctx, &event);
    }
    assert_true(batch_bytes(batch) > 4000000);
    assert_true(batch->field_cap > 4096);
    batch_reset(batch, 2);
    assert_true(batch->body.cap <= 1 << 18);
    assert_int_equal(batch->field_cap, 0);
    sink->ops->begin(sink->ctx, &timer_cause);
    sink->ops->event(sink->ctx, &event);
    assert_event(
        batch, 0, EVENT_INSTANCE_FAILED,
        "event=instance_failed instance_id=i1 seq=1 at=1970-01-01T00:00:00Z correlation_id=timer-14-0 ");
    batch_free(batch);
}

static void test_batch_give_back_takes_nothing_but_memory(void **state)
{
    struct batch *batch = batch_text_new();
    struct batch_words before, after;

    UNUSED(state);
    fill_all_parts(batch);
    batch_give_back(batch);
    batch_seal(batch);
    batch_words_init(&before, batch, false);
    batch_give_back(batch);
    batch_words_init(&after, batch, false);
    assert_true(slice_equal(buf_slice(&before.bytes), buf_slice(&after.bytes)));
    batch_words_clear(&before);
    batch_words_clear(&after);

    batch_reset(batch, 77);
    assert_true(batch->key_cap > 0);
    batch_give_back(batch);
    assert_int_equal(batch->key_cap, 0);
    assert_int_equal(batch->key_text.cap, 0);
    assert_int_equal(batch->number, 77);
    set_one(batch_sink(batch), RECORD_INSTANCE, "i1", "state", "running");
    batch_seal(batch);
    batch_text_assert(batch, "HSET instance:i1 state running\n");
    batch_free(batch);
}

/* What has begun and has had no effect yet may go on. */
static void test_batch_give_back_leaves_a_group_that_is_open(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);

    UNUSED(state);
    sink->ops->begin(sink->ctx, &report_cause);
    batch_give_back(batch);
    set_one(sink, RECORD_INSTANCE, "i1", "state", "running");
    assert_int_equal(batch->group_count, 1);
    batch_seal(batch);
    assert_int_equal(batch_cut(batch, false, s("i1"), s("no")), 1);
    batch_free(batch);
}

static void test_batch_is_empty_of_nothing_but_nothing(void **state)
{
    struct stream_id id = {1, 0};

    UNUSED(state);
    for (int part = 0; part < 6; part++) {
        struct batch *batch = batch_text_new();
        struct sink *sink = batch_sink(batch);

        sink->ops->begin(sink->ctx, &report_cause);
        assert_true(batch_is_empty(batch));
        if (part == 0)
            set_one(sink, RECORD_INSTANCE, "i1", "state", "running");
        else if (part == 1)
            sink->ops->results_trim(sink->ctx, id);
        else if (part == 2)
            sink->ops->total_set(sink->ctx, TOTAL_LOST, s("buy"), 0);
        else if (part == 3)
            sink->ops->journal_ended(sink->ctx, s("s1"), OUTCOME_LOST);
        else if (part == 4)
            batch_set_meta(batch, "schema", s("1"));
        else
            batch_set_position(batch, STREAM_REPORTS, id);
        assert_false(batch_is_empty(batch));
        batch_free(batch);
    }
}

static void test_batch_configure_takes_new_names(void **state)
{
    static const struct batch_options options = {
        .names = {.stream = {"r2", "s2", "x2", "t2"}, .events = "e2", .commands = "c2"},
        .group = "g2",
        .events_max_len = 0};
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct event event = {.kind = EVENT_LATE_EXECUTION, .signal_id = s("s1"), .cause = signal_cause};

    UNUSED(state);
    batch_configure(batch, &options);
    sink->ops->event(sink->ctx, &event);
    batch_set_position(batch, STREAM_RESULTS, (struct stream_id){1, 0});
    batch_seal(batch);
    batch_text_assert(
        batch, "XADD e2 MAXLEN ~ 0 * event late_execution at 1970-01-01T00:00:00Z signal_id s1"
               " correlation_id signal-11-2\n"
               "PUBLISH - instance:events {\"event\":\"late_execution\",\"at\":\"1970-01-01T00:00:00Z\","
               "\"signal_id\":\"s1\",\"correlation_id\":\"signal-11-2\"}\n"
               "!position x2 g2 1-0\n");
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_new_is_empty),
        cmocka_unit_test(test_batch_render_head),
        cmocka_unit_test(test_batch_render_is_the_same_each_time),
        cmocka_unit_test(test_sink_writes_records),
        cmocka_unit_test(test_sink_writes_indexes),
        cmocka_unit_test(test_sink_writes_events_to_stream_channel_and_seq),
        cmocka_unit_test(test_sink_keeps_events_to_be_told_later),
        cmocka_unit_test(test_sink_rejects_into_the_stream_of_the_cause),
        cmocka_unit_test(test_sink_drops_a_signal),
        cmocka_unit_test(test_sink_trims_what_is_below),
        cmocka_unit_test(test_sink_stores_what_was_left_in_meta),
        cmocka_unit_test(test_batch_set_position_moves_the_group_too),
        cmocka_unit_test(test_batch_note_position_moves_no_group),
        cmocka_unit_test(test_batch_keeps_events_until_they_are_forgotten),
        cmocka_unit_test(test_sink_deletes_in_commands_of_a_thousand),
        cmocka_unit_test(test_sink_deletes_exactly_a_thousand_in_one_command),
        cmocka_unit_test(test_batch_seal_makes_one_entry_of_the_journal),
        cmocka_unit_test(test_batch_seal_cuts_the_journal_between_lines),
        cmocka_unit_test(test_batch_seal_trims_the_journal_with_its_entry),
        cmocka_unit_test(test_batch_seal_makes_one_command_of_the_totals),
        cmocka_unit_test(test_batch_render_orders_its_parts),
        cmocka_unit_test(test_batch_names_each_key_once),
        cmocka_unit_test(test_batch_key_by_number_is_what_the_script_calls_it),
        cmocka_unit_test(test_batch_ignore_key_asks_for_no_type),
        cmocka_unit_test(test_batch_reset_forgets_everything),
        cmocka_unit_test(test_batch_reset_gives_big_memory_back),
        cmocka_unit_test(test_batch_give_back_takes_nothing_but_memory),
        cmocka_unit_test(test_batch_give_back_leaves_a_group_that_is_open),
        cmocka_unit_test(test_batch_is_empty_of_nothing_but_nothing),
        cmocka_unit_test(test_batch_configure_takes_new_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
