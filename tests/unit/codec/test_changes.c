/* codec/changes.h: what a batch does to the store is passed on as it is, and noted for those who stand by. */
#include "batch_text.h"
#include "codec/changes.h"
#include "codec/keys.h"
#include "core/alert.h"
#include "core/breaker.h"
#include "core/command.h"
#include "core/notice.h"
#include "core/watch.h"
#include "util/macros.h"

#include <string.h>

static const struct cause report_cause = {CAUSE_REPORT, {10, 1}};

static void set_field(struct sink *sink, enum record_kind kind, const char *id, const char *name,
                      const char *value)
{
    struct record_field field = {s(name), s(value)};

    sink->ops->record_set(sink->ctx, kind, s(id), &field, 1);
}

static struct notice some_notice(void)
{
    struct notice notice = {.severity = SEVERITY_WARNING, .starts_ms = 1000};

    ident_set(&notice.instance_id, s("i1"));
    ident_set(&notice.alert, s("High"));
    notice.key_len = (unsigned char)notice_key_format(notice.key, s("i1"), false, s("High"));
    return notice;
}

static struct alert some_alert(void)
{
    struct alert alert = {.status = ALERT_FIRING, .since_ms = 1000, .fired_ms = 2000};

    ident_set(&alert.name, s("High"));
    return alert;
}

/* Everything that a sink can be told. */
static void say_everything(struct sink *sink)
{
    const struct sink_ops *ops = sink->ops;
    void *ctx = sink->ctx;
    struct slice host = s("host_id");
    struct stream_id entries[] = {{20, 0}, {21, 0}};
    struct event event = {.kind = EVENT_INSTANCE_STARTED, .instance_id = s("i2"), .seq = 4, .at_ms = 3000};
    struct watch_record record = {.commands = 3};
    struct alert alert = some_alert();
    struct notice notice = some_notice();
    struct breaker_group group = {.key_len = 3, .key = "all", .opened_ms = 1000, .crashed = 3, .of = 4};
    struct command_order order = {.command_id = s("i1.stop.1"),
                                  .instance_id = s("i1"),
                                  .kind = COMMAND_STOP,
                                  .issued_ms = 1000,
                                  .expires_ms = 2000};

    ops->begin(ctx, &report_cause);
    set_field(sink, RECORD_METRICS, "i1", "cpu_usage", "12.5");
    set_field(sink, RECORD_TRADE, "t1", "state", "closed");
    ops->record_expire(ctx, RECORD_TRADE, s("t1"), 60);
    ops->record_unset(ctx, RECORD_INSTANCE, s("i1"), &host, 1);
    ops->record_remove(ctx, RECORD_TRADE, s("t2"));
    ops->index_move(ctx, INDEX_INSTANCE_STATE, s("i3"), "running", "crashed");
    ops->index_move(ctx, INDEX_TRADE_STATE, s("t3"), NULL, "closed");
    ops->load_set(ctx, s("i4"), 0.5);
    ops->load_remove(ctx, s("i4"));
    ops->event(ctx, &event);
    ops->seq_set(ctx, s("i5"), 7);
    ops->seq_forget(ctx, s("i6"));
    ops->reject(ctx, &report_cause, s("state: unknown"));
    ops->watch_set(ctx, s("i7"), &record);
    ops->watch_unset(ctx, s("i8"));
    ops->alert_set(ctx, s("i9"), &alert);
    ops->alert_unset(ctx, s("i9"), s("Low"));
    ops->notice_set(ctx, &notice);
    ops->notice_unset(ctx, &notice);
    ops->breaker_set(ctx, &group);
    ops->breaker_unset(ctx, &group);
    ops->throttled_set(ctx, s("i10"), true);
    ops->command(ctx, &order);
    ops->notify(ctx, &notice, &event);
    ops->journal_received(ctx, s("s1"), entries[0], s("buy"), s("i1"));
    ops->journal_accepted(ctx, s("s1"), 15);
    ops->journal_ended(ctx, s("s1"), OUTCOME_PROCESSED);
    ops->journal_early(ctx, s("s2"), s("executed"), entries[0]);
    ops->journal_trim(ctx, 9);
    ops->signal_drop(ctx, entries[0], 40);
    ops->signals_delete(ctx, entries, 2);
    ops->signals_trim(ctx, entries[1]);
    ops->signals_left(ctx, entries[0]);
    ops->results_delete(ctx, entries, 2);
    ops->results_trim(ctx, entries[1]);
    ops->total_set(ctx, TOTAL_RECEIVED, s("buy"), 5);
}

static void begin_noting(struct changes *changes, struct batch *batch)
{
    changes_init(changes);
    changes_want(changes, true, true);
    changes_seal(changes, batch, 0);
    batch_reset(batch, 1);
}

static void test_changes_sink_is_the_batch_s_where_nobody_stands_by(void **state)
{
    struct batch *batch = batch_text_new();
    struct changes changes;

    UNUSED(state);
    changes_init(&changes);
    assert_ptr_equal(changes_sink(&changes, batch_sink(batch)), batch_sink(batch));
    changes_note_result(&changes, (struct stream_id){1, 0}, s("r1"));
    changes_note_duplicate(&changes, (struct stream_id){1, 0}, s("s1"));
    changes_seal(&changes, batch, 1);
    batch_seal(batch);
    batch_text_assert(batch, "");
    changes_clear(&changes);
    batch_free(batch);
}

typedef void (*any_function)(void);

/* One that was forgotten would be called all the same. */
static void test_changes_sink_has_every_function(void **state)
{
    any_function functions[sizeof(struct sink_ops) / sizeof(any_function)];
    struct batch *batch = batch_text_new();
    struct changes changes;

    UNUSED(state);
    begin_noting(&changes, batch);
    memcpy(functions, changes_sink(&changes, batch_sink(batch))->ops, sizeof(functions));
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        assert_true(functions[i] != NULL);
    changes_clear(&changes);
    batch_free(batch);
}

static void test_changes_sink_passes_everything_on(void **state)
{
    struct batch *direct = batch_text_new(), *noted = batch_text_new();
    struct changes changes;
    struct buf one = BUF_INIT, other = BUF_INIT;

    UNUSED(state);
    begin_noting(&changes, noted);
    say_everything(batch_sink(direct));
    say_everything(changes_sink(&changes, batch_sink(noted)));
    assert_string_equal(buf_text(&changes.text), "f i1 1 cpu_usage 12.5\n"
                                                 "t t1\n"
                                                 "i i1\n"
                                                 "t t2\n"
                                                 "i i3\n"
                                                 "t t3\n"
                                                 "i i2\n"
                                                 "i i5\n"
                                                 "i i6\n"
                                                 "i i7\n"
                                                 "i i8\n"
                                                 "a i9 High\n"
                                                 "a i9 Low\n"
                                                 "n i1:High\n"
                                                 "n i1:High\n"
                                                 "i i10\n");
    batch_seal(direct);
    batch_seal(noted);
    batch_render(direct, s("token"), s("epoch"), false, &one);
    batch_render(noted, s("token"), s("epoch"), false, &other);
    assert_string_equal(buf_text(&one), buf_text(&other));
    buf_clear(&one);
    buf_clear(&other);
    changes_clear(&changes);
    batch_free(direct);
    batch_free(noted);
}

static void test_changes_of_one_instance_are_told_once(void **state)
{
    struct batch *batch = batch_text_new();
    struct changes changes;
    struct sink *sink;

    UNUSED(state);
    begin_noting(&changes, batch);
    sink = changes_sink(&changes, batch_sink(batch));
    set_field(sink, RECORD_INSTANCE, "i1", "last_error", "two words"); /* no word: read again as a whole */
    set_field(sink, RECORD_HEALTH, "i1", "uptime_seconds", "5");
    sink->ops->seq_set(sink->ctx, s("i1"), 7);
    /* Nobody has such ids: they are taken out of sets that others have written to. */
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, s("x\ni y"), "running", NULL);
    sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, s("x\nt y"), "closed", NULL);
    sink->ops->alert_unset(sink->ctx, s("x\ny"), s("High"));
    sink->ops->alert_unset(sink->ctx, s("x"), s("High\nLow"));
    sink->ops->watch_unset(sink->ctx, s("@removed"));
    set_field(sink, RECORD_HEALTH, "i2", "uptime_seconds", "6");
    set_field(sink, RECORD_HEALTH, "i2", "last_error", "");
    set_field(sink, RECORD_HEALTH, "i3", "last_error",
              "0123456789012345678901234567890123456789012345678901234567890123456789");
    assert_string_equal(buf_text(&changes.text), "i i1\nf i2 2 uptime_seconds 6\ni i2\ni i3\n");
    changes_clear(&changes);
    batch_free(batch);
}

static void test_changes_seal_adds_an_entry_with_the_number(void **state)
{
    struct batch *batch = batch_text_new();
    struct changes changes;

    UNUSED(state);
    changes_init(&changes);
    changes_want(&changes, true, false); /* something is in it that was not noted */
    changes_note_result(&changes, (struct stream_id){1, 0}, s("r1"));
    changes_seal(&changes, batch, 41);
    batch_seal(batch);
    batch_text_assert(batch, "DEL mt5stated:changes\n");

    batch_reset(batch, 42);
    changes_note_result(&changes, (struct stream_id){12, 3}, s("r1"));
    changes_note_result(&changes, (struct stream_id){12, 4}, s(""));
    changes_note_duplicate(&changes, (struct stream_id){13, 0}, s("s1"));
    changes_seal(&changes, batch, 42);
    batch_seal(batch);
    batch_text_assert(batch,
                      "XADD mt5stated:changes MINID ~ 0-0 42-0 lines r 12-3 r1\nr 12-4\nd 13-0 s1\n\n");

    batch_reset(batch, 43); /* nothing to tell is told too: the number counts */
    changes_seal(&changes, batch, 43);
    batch_seal(batch);
    batch_text_assert(batch, "XADD mt5stated:changes MINID ~ 0-0 43-0 lines \n");

    changes_want(&changes, false, true);
    batch_reset(batch, 44);
    changes_seal(&changes, batch, 44);
    batch_seal(batch);
    batch_text_assert(batch, "DEL mt5stated:changes\n");
    batch_reset(batch, 45);
    changes_seal(&changes, batch, 45);
    batch_seal(batch);
    batch_text_assert(batch, "");
    changes_clear(&changes);
    batch_free(batch);
}

static void test_changes_begin_anew_behind_what_is_left(void **state)
{
    struct batch *batch = batch_text_new();
    struct changes changes;

    UNUSED(state);
    begin_noting(&changes, batch);
    changes_begin_anew(&changes);
    changes_seal(&changes, batch, 7);
    batch_seal(batch);
    batch_text_assert(batch, "DEL mt5stated:changes\n");
    batch_reset(batch, 8);
    changes_seal(&changes, batch, 8);
    batch_seal(batch);
    batch_text_assert(batch, "XADD mt5stated:changes MINID ~ 0-0 8-0 lines \n");
    changes_clear(&changes);
    batch_free(batch);
}

/* Entries of ID of which there are so many bytes that the oldest go. */
static void test_changes_keep_to_a_size(void **state)
{
    struct batch *batch = batch_text_new();
    struct changes changes;
    struct buf text = BUF_INIT;
    uint64_t number = 1;

    UNUSED(state);
    begin_noting(&changes, batch);
    for (; changes.older == 0; number++) {
        assert_true(number < 1000);
        for (int i = 0; i < 10000; i++)
            changes_note_result(&changes, (struct stream_id){12, 3}, s("a-result-with-a-long-name"));
        batch_reset(batch, number);
        changes_seal(&changes, batch, number);
    }
    assert_true(number > 1);
    assert_true(changes.older < changes.mark && changes.mark < number);
    batch_reset(batch, number);
    changes_seal(&changes, batch, number);
    batch_seal(batch);
    batch_text_add(batch, &text);
    assert_non_null(strstr(buf_text(&text), "MINID ~ "));
    assert_null(strstr(buf_text(&text), "MINID ~ 0-0"));
    buf_clear(&text);
    changes_clear(&changes);
    batch_free(batch);
}

/* ---- reading ---- */

static void on_instance(void *ctx, struct slice id)
{
    buf_add_format(ctx, "[i %.*s]", (int)id.len, id.data);
}

static void on_alert(void *ctx, struct slice id, struct slice rule)
{
    buf_add_format(ctx, "[a %.*s %.*s]", (int)id.len, id.data, (int)rule.len, rule.data);
}

static void on_fields(void *ctx, struct slice id, enum record_kind kind, struct slice fields)
{
    struct slice name, value;

    buf_add_format(ctx, "[f %.*s %d", (int)id.len, id.data, (int)kind);
    while (changes_next_field(&fields, &name, &value))
        buf_add_format(ctx, " %.*s=%.*s", (int)name.len, name.data, (int)value.len, value.data);
    buf_add_text(ctx, "]");
}

static void on_notice(void *ctx, struct slice key)
{
    buf_add_format(ctx, "[n %.*s]", (int)key.len, key.data);
}

static void on_trade(void *ctx, struct slice id)
{
    buf_add_format(ctx, "[t %.*s]", (int)id.len, id.data);
}

static void add_entry(struct buf *out, char kind, struct stream_id entry, struct slice id)
{
    buf_add_format(out, "[%c %d-%d %.*s]", kind, (int)entry.ms, (int)entry.seq, (int)id.len, id.data);
}

static void on_result(void *ctx, struct stream_id entry, struct slice result_id)
{
    add_entry(ctx, 'r', entry, result_id);
}

static void on_duplicate(void *ctx, struct stream_id entry, struct slice signal_id)
{
    add_entry(ctx, 'd', entry, signal_id);
}

static bool read_text(const char *text, struct buf *out)
{
    struct changes_reader reader = {on_instance, on_alert,  on_fields,    on_notice,
                                    on_trade,    on_result, on_duplicate, out};

    return changes_read(s(text), &reader);
}

static void test_changes_read_tells_each_line(void **state)
{
    struct buf out = BUF_INIT;

    UNUSED(state);
    assert_true(
        read_text("i i1\ni @removed\na i1 High\nf i1 1 cpu_usage 12.5 queue_length 7\nn @all:FleetFailure\n"
                  "t t1\nr 12-3 r1\nr 12-4\nd 13-0 s1\n",
                  &out));
    assert_string_equal(buf_text(&out), "[i i1][i @removed][a i1 High][f i1 1 cpu_usage=12.5 queue_length=7]"
                                        "[n @all:FleetFailure][t t1][r 12-3 r1][r 12-4 ][d 13-0 s1]");
    buf_clear(&out);
    assert_true(read_text("", &out));
    buf_clear(&out);
}

static void test_changes_read_stops_at_what_is_none(void **state)
{
    static const char *const bad[] = {
        "i",       "i\n",           "i i1",         "i i1 i2\n",   " i1\n",
        "ii i1\n", "x i1\n",        "a i1\n",       "a - High\n",  "a i1 -\n",
        "f i1\n",  "f i1 x a b\n",  "f i1 3 a b\n", "f - 1 a b\n", "n a b\n",
        "t a b\n", "t -\n",         "r x\n",        "r 1-1 -\n",   "d 1-1 -\n",
        "\n",      "f i1 11 a b\n",
    };
    struct buf out = BUF_INIT, longest = BUF_INIT;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (read_text(bad[i], &out))
            fail_msg("taken: %s", bad[i]);
    buf_add_text(&longest, "n ");
    for (int i = 0; i <= NOTICE_KEY_MAX; i++)
        buf_add_char(&longest, 'k');
    buf_add_char(&longest, '\n');
    assert_false(read_text(buf_text(&longest), &out));
    buf_clear(&longest);
    buf_clear(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_sink_is_the_batch_s_where_nobody_stands_by),
        cmocka_unit_test(test_changes_sink_has_every_function),
        cmocka_unit_test(test_changes_sink_passes_everything_on),
        cmocka_unit_test(test_changes_of_one_instance_are_told_once),
        cmocka_unit_test(test_changes_seal_adds_an_entry_with_the_number),
        cmocka_unit_test(test_changes_begin_anew_behind_what_is_left),
        cmocka_unit_test(test_changes_keep_to_a_size),
        cmocka_unit_test(test_changes_read_tells_each_line),
        cmocka_unit_test(test_changes_read_stops_at_what_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
