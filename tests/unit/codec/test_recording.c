/* Lines of a recording: what is written of an instance is read back, entries are what the stream's decoder
 * would have made of them, and what is no line says why. */
#include "fleet_fixture.h"

#include "codec/recording.h"
#include "core/signal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool read_line(struct recording_reader *reader, const char *text, struct recorded_line *line)
{
    struct errmsg why = {""};
    bool is_read = recording_read(reader, slice_text(text), line, &why);

    assert_int_equal(is_read, why.text[0] == '\0');
    return is_read;
}

static void test_recording_read_entries(void **state)
{
    struct recording_reader reader = {0};
    struct recorded_line line;

    UNUSED(state);
    assert_true(
        read_line(&reader,
                  "{\"stream\":\"reports\",\"id\":\"12-3\",\"fields\":{\"state\":\"running\",\"more\":[1],"
                  "\"instance_id\":\"mt5-1\",\"cpu_usage\":12.5}}",
                  &line));
    assert_int_equal(line.kind, RECORDED_ENTRY);
    assert_int_equal(line.entry.stream, STREAM_REPORTS);
    assert_int_equal(line.id.ms, 12);
    assert_int_equal(line.entry.id.seq, 3);
    assert_int_equal(line.entry.present,
                     1U << REPORT_STATE | 1U << REPORT_INSTANCE_ID | 1U << REPORT_CPU_USAGE);
    assert_true(slice_is(line.entry.value[REPORT_CPU_USAGE], "12.5"));
    assert_true(slice_is(line.entry.value[REPORT_INSTANCE_ID], "mt5-1"));
    assert_true(read_line(
        &reader, "{\"stream\":\"signals\",\"id\":\"12\",\"fields\":{\"signal_id\":\"s\"},\"x\":{}}", &line));
    assert_int_equal(line.entry.stream, STREAM_SIGNALS);
    assert_int_equal(line.entry.present, 1U << SIGNAL_SIGNAL_ID);
    assert_true(read_line(&reader, "{\"stream\":\"results\",\"id\":\"12\",\"fields\":{}}", &line));
    assert_int_equal(line.entry.stream, STREAM_RESULTS);
    recording_reader_clear(&reader);
}

static void test_recording_read_others(void **state)
{
    struct recording_reader reader = {0};
    struct recorded_line line;

    UNUSED(state);
    assert_true(read_line(&reader, "{\"stream\":\"reports\",\"gap\":true}", &line));
    assert_true(line.kind == RECORDED_GAP && line.is_of_reports && !line.is_of_signals);
    assert_true(read_line(&reader, "{\"stream\":\"results\",\"gap\":true}", &line));
    assert_true(line.kind == RECORDED_GAP && !line.is_of_reports && line.is_of_signals);
    assert_true(read_line(&reader, "{\"stream\":\"events\",\"gap\":true}", &line));
    assert_true(line.kind == RECORDED_GAP && !line.is_of_reports && !line.is_of_signals);
    assert_true(read_line(
        &reader, "{\"stream\":\"events\",\"id\":\"1-1\",\"fields\":{\"event\":\"x\",\"seq\":4}}", &line));
    assert_int_equal(line.kind, RECORDED_EVENT);
    assert_true(slice_is(recorded_text(&line, "event"), "x"));
    assert_int_equal(recorded_text(&line, "seq").len, 0);
    assert_true(read_line(&reader, "{\"stream\":\"weather\",\"id\":\"1-1\",\"fields\":{}}", &line));
    assert_int_equal(line.kind, RECORDED_UNKNOWN);
    recording_reader_clear(&reader);
}

static void test_recording_read_refuses(void **state)
{
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"stream\":1}",
        "{\"stream\":\"reports\"}",
        "{\"stream\":\"reports\",\"gap\":false}",
        "{\"stream\":\"reports\",\"id\":\"1-1\"}",
        "{\"stream\":\"reports\",\"id\":1,\"fields\":{}}",
        "{\"stream\":\"reports\",\"id\":\"x\",\"fields\":{}}",
        "{\"stream\":\"reports\",\"id\":\"253402300800000-0\",\"fields\":{}}",
        "{\"stream\":\"reports\",\"id\":\"1-1\",\"fields\":[]}",
        "{\"stream\":\"reports\",\"id\":\"1-1\",\"fields\":\"\"}",
        "{\"stream\":\"reports\",\"id\":\"1-1\",\"fields\":{\"state\":true}}",
        "{\"stream\":\"reports\",\"id\":\"1-1\",\"fields\":{\"a\":1,\"a\":2}}",
        "{\"stream\":\"reports\",\"id\":\"1-1\",\"fields\":{}} x",
    };
    struct recording_reader reader = {0};
    struct recorded_line line;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_false(read_line(&reader, rows[i], &line));
    recording_reader_clear(&reader);
}

static void test_recording_read_cuts_what_is_too_long(void **state)
{
    struct recording_reader reader = {0};
    struct recorded_line line;
    struct buf text = BUF_INIT;

    UNUSED(state);
    buf_add_text(&text, "{\"stream\":\"reports\",\"id\":\"1-1\",\"fields\":{\"last_error\":\"");
    for (int i = 0; i <= ENTRY_VALUE_MAX; i++)
        buf_add_char(&text, 'x');
    buf_add_text(&text, "\"}}");
    assert_true(read_line(&reader, buf_text(&text), &line));
    assert_int_equal(line.entry.value[REPORT_LAST_ERROR].len, ENTRY_VALUE_MAX);
    assert_int_equal(line.entry.oversize, 1U << REPORT_LAST_ERROR);
    buf_clear(&text);
    recording_reader_clear(&reader);
}

/* An instance with an alert and a command under way, all that a line can tell. */
static void test_recording_add_state_reads_back(void **state)
{
    struct fleet_fixture f;
    struct recording_reader reader = {0};
    struct recorded_line line;
    struct recorded_state_scratch scratch;
    struct recorded_state read;
    struct instance_record record;
    struct alert alert;
    struct watch_options options = {
        .recovery = {.max_attempts = 3, .timeout_ms = 30000, .launch_modes = 1U << LAUNCH_AUTO}};
    struct buf text = BUF_INIT;
    struct errmsg why = {""};

    UNUSED(state);
    fleet_fixture_init(&f);
    rule_set_init(&options.rules);
    watch_configure(&f.fleet, &options, 0);
    assert_true(fixture_report(&f, 1000, "mt5-1",
                               "broker_id=b1 host_id=h1 state=running cpu_usage=12.5 queue_length=500 "
                               "last_error=\"\\quoted\""));
    fleet_on_timer(&f.fleet, 1000, 1000, f.sink);
    struct instance *instance = fleet_find(&f.fleet, slice_text("mt5-1"));
    assert_non_null(instance);
    assert_true(instance->watched && instance->watched->record.command.is_open);
    instance->batch = 7;
    f.fleet.batch = 9;
    recording_add_state(&text, &f.fleet, instance, 1234);
    assert_int_equal(instance->batch, 7);

    assert_true(read_line(&reader, buf_text(&text), &line));
    assert_int_equal(line.kind, RECORDED_STATE);
    assert_int_equal(line.id.ms, 1234);
    assert_true(recorded_state_parse(&line, &scratch, &read, &why));
    assert_true(slice_is(read.instance_id, "mt5-1") && !read.is_group);
    assert_int_equal(read.seq, instance->seq);
    record = record_of(instance);
    assert_int_equal(read.record.values.present, record.values.present);
    assert_int_equal(read.record.invalid, 0);
    assert_true(slice_equal(read.record.values.last_error, record.values.last_error));
    assert_true(read.record.values.number[REPORT_QUEUE_LENGTH] == 500);
    assert_true(read.has_watch && read.watch.command.is_open);
    assert_int_equal(read.watch.command.kind, COMMAND_THROTTLE);
    assert_int_equal(read.watch.commands, 1);
    assert_true(recorded_state_next_alert(&read, &alert));
    assert_true(slice_is(ident_slice(&alert.name), "HighQueueLength"));
    assert_int_equal(alert.status, ALERT_FIRING);
    assert_false(recorded_state_next_alert(&read, &alert));
    buf_clear(&text);
    recording_reader_clear(&reader);
    fleet_fixture_clear(&f);
}

/* Each alert is a line; one that cannot be read costs no other. */
static void test_recorded_state_next_alert_of_several(void **state)
{
    struct fleet_fixture f;
    struct recording_reader reader = {0};
    struct recorded_line line;
    struct recorded_state_scratch scratch;
    struct recorded_state read;
    struct alert alert;
    struct watch_options options = {0};
    struct buf text = BUF_INIT, spoiled = BUF_INIT;
    struct errmsg why = {""};

    UNUSED(state);
    fleet_fixture_init(&f);
    rule_set_init(&options.rules);
    watch_configure(&f.fleet, &options, 0);
    assert_true(fixture_report(&f, 1000, "a", "broker_id=b1 state=running cpu_usage=90 queue_length=500"));
    fleet_on_timer(&f.fleet, 1000, 1000, f.sink);
    recording_add_state(&text, &f.fleet, fleet_find(&f.fleet, slice_text("a")), 1234);
    assert_true(read_line(&reader, buf_text(&text), &line));
    assert_true(recorded_state_parse(&line, &scratch, &read, &why));
    buf_add_text(&spoiled, "\nHighCpuUsage\nnot/a/rule firing\nHighCpuUsage since=soon\n");
    buf_add_slice(&spoiled, read.alerts);
    read.alerts = buf_slice(&spoiled);
    assert_true(recorded_state_next_alert(&read, &alert));
    assert_true(slice_is(ident_slice(&alert.name), "HighCpuUsage") && alert.status == ALERT_PENDING);
    assert_true(recorded_state_next_alert(&read, &alert));
    assert_true(slice_is(ident_slice(&alert.name), "HighQueueLength") && alert.status == ALERT_FIRING);
    assert_false(recorded_state_next_alert(&read, &alert));
    buf_clear(&spoiled);
    buf_clear(&text);
    recording_reader_clear(&reader);
    fleet_fixture_clear(&f);
}

static void test_recording_add_group_reads_back(void **state)
{
    struct breaker_group group = {.key_len = 9, .key = "broker:b1", .opened_ms = 77, .crashed = 5, .of = 8};
    struct recording_reader reader = {0};
    struct recorded_line line;
    struct recorded_state_scratch scratch;
    struct recorded_state read;
    struct buf text = BUF_INIT;
    struct errmsg why;

    UNUSED(state);
    recording_add_group(&text, &group, 80);
    assert_true(read_line(&reader, buf_text(&text), &line));
    assert_true(recorded_state_parse(&line, &scratch, &read, &why));
    assert_true(read.is_group && slice_is(breaker_group_key(&read.group), "broker:b1"));
    assert_true(read.group.opened_ms == 77 && read.group.crashed == 5 && read.group.of == 8);
    buf_clear(&text);
    recording_reader_clear(&reader);
}

static void test_recorded_state_parse_refuses(void **state)
{
    static const char *const rows[] = {
        "{}",
        "{\"instance_id\":\"a b\"}",
        "{\"instance_id\":1}",
        "{\"instance_id\":\"a\",\"seq\":\"x\"}",
        "{\"instance_id\":\"a\",\"seq\":3}",
        "{\"instance_id\":\"a\",\"watch\":\"commands=x\"}",
        "{\"group\":\"\",\"breaker\":\"\"}",
        "{\"group\":\"elsewhere\",\"breaker\":\"opened=1\"}",
        "{\"group\":\"all\",\"breaker\":\"opened=soon\"}",
    };
    struct recording_reader reader = {0};
    struct recorded_line line;
    struct recorded_state_scratch scratch;
    struct recorded_state read;
    struct errmsg why;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf text = BUF_INIT;

        buf_add_format(&text, "{\"stream\":\"state\",\"id\":\"1-0\",\"fields\":%s}", rows[i]);
        assert_true(read_line(&reader, buf_text(&text), &line));
        why.text[0] = '\0';
        assert_false(recorded_state_parse(&line, &scratch, &read, &why));
        assert_true(why.text[0] != '\0');
        buf_clear(&text);
    }
    recording_reader_clear(&reader);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recording_read_entries),
        cmocka_unit_test(test_recording_read_others),
        cmocka_unit_test(test_recording_read_refuses),
        cmocka_unit_test(test_recording_read_cuts_what_is_too_long),
        cmocka_unit_test(test_recording_add_state_reads_back),
        cmocka_unit_test(test_recorded_state_next_alert_of_several),
        cmocka_unit_test(test_recording_add_group_reads_back),
        cmocka_unit_test(test_recorded_state_parse_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
