/* codec/watch_record.h: what is written is read again, and nothing else. */
#include "codec/watch_record.h"
#include "core/watch.h"
#include "util/macros.h"
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define T(ms) (1742638530000 + (ms))

static struct slice s(const char *text)
{
    return slice_text(text);
}

static struct ident id_of(const char *text)
{
    struct ident id = {0};

    ident_set(&id, s(text));
    return id;
}

static const struct slice mt5 = SLICE("mt5-1");

static bool read_watch(const char *text, struct watch_record *ret_record)
{
    static struct watch_record_scratch scratch;

    return watch_record_parse(mt5, s(text), &scratch, ret_record);
}

static bool read_alert(const char *text, struct alert *ret_alert)
{
    struct slice id;

    return alert_record_parse(s("mt5-1:HighCpuUsage"), s(text), &id, ret_alert);
}

/* ---- every field ---- */

static struct watch_record full_watch(void)
{
    static char reason[] = "broker upgrade, ask Ann (=100%)\tsecond";

    return (struct watch_record){
        .commands = UINT64_MAX,
        .command = {.is_open = true,
                    .kind = COMMAND_RECOVER,
                    .number = 7,
                    .by_operator = true,
                    .is_accepted = true,
                    .has_succeeded = true,
                    .hook_is_due = true,
                    .attempt = UINT32_MAX,
                    .issued_ms = T(123),
                    .expires_ms = T(60123),
                    .alert = id_of("InstanceCrash"),
                    .target = id_of("mt5-2"),
                    .cause = {CAUSE_TIMER, {T(0), 3}}},
        .cancel_number = 6,
        .cancel_hook = {.is_due = true, .kind = COMMAND_RESTART, .number = 5, .issued_ms = T(0)},
        .recovery = {.phase = RECOVERY_UNDER_WAY,
                     .is_disarmed = true,
                     .next_ms = T(5000),
                     .cooldown_until_ms = T(6000),
                     .alert = id_of("HighCpuUsage"),
                     .cause = {CAUSE_REPORT, {T(1), 2}}},
        .is_silent = true,
        .is_throttled = true,
        .owes_unthrottle = true,
        .victim_of = 1U << GROUP_ALL | 1U << GROUP_HOST,
        .maintenance_until_ms = INT64_MAX,
        .maintenance_reason = reason,
    };
}

static const char full_watch_text[] =
    "commands=18446744073709551615 command=recover number=7 by_operator=1 accepted=1 succeeded=1 hook_due=1 "
    "attempt=4294967295 issued=2025-03-22T10:15:30.123Z expires=2025-03-22T10:16:30.123Z "
    "alert=InstanceCrash target=mt5-2 cause=timer-1742638530000-3 cancel=6 cancels=restart cancels_number=5 "
    "cancel_issued=2025-03-22T10:15:30.000Z recovery=under_way disarmed=1 "
    "next=2025-03-22T10:15:35.000Z cooldown_until=2025-03-22T10:15:36.000Z recovery_alert=HighCpuUsage "
    "recovery_cause=report-1742638530001-2 silent=1 throttled=1 owes_unthrottle=1 victim_of=all,host "
    "maintenance_until=never maintenance_reason=broker upgrade, ask Ann (=100%25)%09second";

static void assert_cause(struct cause got, struct cause expected)
{
    assert_int_equal(got.kind, expected.kind);
    assert_int_equal(stream_id_compare(got.id, expected.id), 0);
}

static void assert_ident(const struct ident *got, const struct ident *expected)
{
    assert_true(slice_equal(ident_slice(got), ident_slice(expected)));
}

static void assert_command(const struct command *got, const struct command *expected)
{
    assert_int_equal(got->is_open, expected->is_open);
    assert_int_equal(got->kind, expected->kind);
    assert_int_equal(got->number, expected->number);
    assert_int_equal(got->by_operator, expected->by_operator);
    assert_int_equal(got->is_accepted, expected->is_accepted);
    assert_int_equal(got->has_succeeded, expected->has_succeeded);
    assert_int_equal(got->hook_is_due, expected->hook_is_due);
    assert_int_equal(got->attempt, expected->attempt);
    assert_int_equal(got->issued_ms, expected->issued_ms);
    assert_int_equal(got->expires_ms, expected->expires_ms);
    assert_ident(&got->alert, &expected->alert);
    assert_ident(&got->target, &expected->target);
    assert_cause(got->cause, expected->cause);
}

static void assert_cancel_hook(const struct cancel_hook *got, const struct cancel_hook *expected)
{
    assert_int_equal(got->is_due, expected->is_due);
    assert_int_equal(got->kind, expected->kind);
    assert_int_equal(got->number, expected->number);
    assert_int_equal(got->issued_ms, expected->issued_ms);
}

static void assert_recovery(const struct recovery *got, const struct recovery *expected)
{
    assert_int_equal(got->phase, expected->phase);
    assert_int_equal(got->is_disarmed, expected->is_disarmed);
    assert_int_equal(got->next_ms, expected->next_ms);
    assert_int_equal(got->cooldown_until_ms, expected->cooldown_until_ms);
    assert_ident(&got->alert, &expected->alert);
    assert_cause(got->cause, expected->cause);
}

static void assert_watch(const struct watch_record *got, const struct watch_record *expected)
{
    assert_int_equal(got->commands, expected->commands);
    assert_command(&got->command, &expected->command);
    assert_int_equal(got->cancel_number, expected->cancel_number);
    assert_cancel_hook(&got->cancel_hook, &expected->cancel_hook);
    assert_recovery(&got->recovery, &expected->recovery);
    assert_int_equal(got->is_silent, expected->is_silent);
    assert_int_equal(got->is_throttled, expected->is_throttled);
    assert_int_equal(got->owes_unthrottle, expected->owes_unthrottle);
    assert_int_equal(got->victim_of, expected->victim_of);
    assert_int_equal(got->maintenance_until_ms, expected->maintenance_until_ms);
    if (expected->maintenance_reason)
        assert_string_equal(got->maintenance_reason, expected->maintenance_reason);
    else
        assert_null(got->maintenance_reason);
}

static void test_watch_record_keeps_every_field(void **state)
{
    struct watch_record record = full_watch(), again;
    struct buf text = BUF_INIT;

    (void)state;
    watch_record_format(&text, &record);
    assert_string_equal(buf_text(&text), full_watch_text);
    assert_true(read_watch(full_watch_text, &again));
    assert_watch(&again, &record);
    buf_clear(&text);
}

static void test_watch_record_leaves_out_what_is_zero(void **state)
{
    struct watch_record record = {0}, again = full_watch();
    struct buf text = BUF_INIT;

    (void)state;
    watch_record_format(&text, &record);
    assert_string_equal(buf_text(&text), "recovery=none");
    assert_true(read_watch(buf_text(&text), &again));
    assert_watch(&again, &record);
    buf_clear(&text);
}

/* The command that has index 0 is told from none. */
static void test_watch_record_of_a_stop_and_of_a_command_that_has_ended(void **state)
{
    struct watch_record record = {.command = {.is_open = true, .kind = COMMAND_STOP}}, again;
    struct buf text = BUF_INIT;

    (void)state;
    watch_record_format(&text, &record);
    assert_string_equal(buf_text(&text), "command=stop recovery=none");
    assert_true(read_watch(buf_text(&text), &again));
    assert_watch(&again, &record);
    buf_reset(&text, SIZE_MAX);
    record = full_watch();
    record.command.is_open = false;
    record.maintenance_reason = NULL;
    watch_record_format(&text, &record);
    assert_memory_equal(buf_text(&text), "commands=18446744073709551615 cancel=6 cancels=r", 48);
    buf_clear(&text);
}

static void test_alert_record_keeps_every_field(void **state)
{
    struct alert alert = {.name = id_of("High.Cpu-1"),
                          .rule = 3,
                          .status = ALERT_FIRING,
                          .is_guarded = true,
                          .since_ms = T(1),
                          .fired_ms = T(10001),
                          .cleared_ms = T(10002),
                          .value = 0.1 + 0.2,
                          .done = ACTION_BIT(ACTION_NOTIFY) | ACTION_BIT(ACTION_STOP),
                          .tries = 2,
                          .next_ms = T(10003),
                          .cause = {CAUSE_ADOPTED, {T(1), 0}}};
    struct alert again;
    struct slice id;
    char field[ALERT_FIELD_MAX];
    size_t len = alert_field_format(field, mt5, ident_slice(&alert.name));
    struct buf text = BUF_INIT;

    (void)state;
    alert_record_format(&text, &alert);
    assert_string_equal(buf_text(&text),
                        "status=firing guarded=1 since=2025-03-22T10:15:30.001Z "
                        "fired=2025-03-22T10:15:40.001Z cleared=2025-03-22T10:15:40.002Z "
                        "value=0.30000000000000004 done=notify,stop tries=2 next=2025-03-22T10:15:40.003Z "
                        "cause=adopted-1742638530001-0");
    assert_true(slice_is(slice_of(field, len), "mt5-1:High.Cpu-1"));
    assert_true(alert_record_parse(slice_of(field, len), buf_slice(&text), &id, &again));
    assert_true(slice_equal(id, mt5));
    assert_ident(&again.name, &alert.name);
    assert_int_equal(again.rule, ALERT_NO_RULE);
    assert_int_equal(again.status, alert.status);
    assert_int_equal(again.is_guarded, true);
    assert_int_equal(again.since_ms, alert.since_ms);
    assert_int_equal(again.fired_ms, alert.fired_ms);
    assert_int_equal(again.cleared_ms, alert.cleared_ms);
    assert_true(again.value == alert.value);
    assert_int_equal(again.done, alert.done);
    assert_int_equal(again.tries, alert.tries);
    assert_int_equal(again.next_ms, alert.next_ms);
    assert_cause(again.cause, alert.cause);
    buf_clear(&text);
}

static void assert_notice(const char *field, const struct notice *notice, const char *expected)
{
    struct notice again;
    struct buf text = BUF_INIT;

    notice_record_format(&text, notice);
    assert_string_equal(buf_text(&text), expected);
    assert_true(notice_record_parse(s(field), buf_slice(&text), &again));
    assert_true(slice_is(notice_key(&again), field));
    assert_ident(&again.instance_id, &notice->instance_id);
    assert_ident(&again.broker_id, &notice->broker_id);
    assert_ident(&again.host_id, &notice->host_id);
    assert_ident(&again.alert, &notice->alert);
    assert_string_equal(again.group, notice->group);
    assert_int_equal(again.severity, notice->severity);
    assert_int_equal(again.starts_ms, notice->starts_ms);
    assert_int_equal(again.ends_ms, notice->ends_ms);
    assert_int_equal(again.hook_is_due, notice->hook_is_due);
    assert_int_equal(again.is_about_state, notice->is_about_state);
    assert_int_equal(again.has_value, notice->has_value);
    assert_int_equal(again.has_threshold, notice->has_threshold);
    assert_true(again.value == notice->value && again.threshold == notice->threshold);
    assert_cause(again.cause, notice->cause);
    assert_false(again.used);
    buf_clear(&text);
}

static void test_notice_record_keeps_every_field(void **state)
{
    struct notice notice = {.instance_id = id_of("mt5-1"),
                            .broker_id = id_of("b1"),
                            .host_id = id_of("h1"),
                            .alert = id_of("SocketFailure"),
                            .severity = SEVERITY_CRITICAL,
                            .starts_ms = T(0),
                            .ends_ms = T(1000),
                            .hook_is_due = true,
                            .is_about_state = true,
                            .has_value = true,
                            .value = 0,
                            .cause = {CAUSE_OPERATOR, {5, 7}},
                            .change = 77};
    struct notice group = {.alert = id_of("FleetFailure"),
                           .group = "broker:b-1",
                           .has_value = true,
                           .has_threshold = true,
                           .value = 5,
                           .threshold = 8};

    (void)state;
    assert_notice("mt5-1:SocketFailure", &notice,
                  "severity=critical broker_id=b1 host_id=h1 starts=2025-03-22T10:15:30.000Z "
                  "ends=2025-03-22T10:15:31.000Z hook_due=1 about_state=1 value=0 cause=operator-5-7");
    assert_notice("@broker:b-1:FleetFailure", &group, "severity=info value=5 threshold=8");
}

static void test_breaker_record_keeps_every_field(void **state)
{
    static const struct {
        const char *field;
        enum group_kind kind;
    } rows[] = {{"all", GROUP_ALL}, {"broker:b-1", GROUP_BROKER}, {"host:all", GROUP_HOST}};
    struct breaker_group group = {.opened_ms = T(0), .crashed = 5, .of = 8, .members = 9};
    struct buf text = BUF_INIT;

    (void)state;
    breaker_record_format(&text, &group);
    assert_string_equal(buf_text(&text), "opened=2025-03-22T10:15:30.000Z crashed=5 of=8");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct breaker_group again;

        assert_true(breaker_record_parse(s(rows[i].field), buf_slice(&text), &again));
        assert_true(slice_is(breaker_group_key(&again), rows[i].field));
        assert_int_equal(again.kind, rows[i].kind);
        assert_true(again.is_open);
        assert_int_equal(again.opened_ms, group.opened_ms);
        assert_int_equal(again.crashed, 5);
        assert_int_equal(again.of, 8);
        assert_int_equal(again.members, 0);
    }
    buf_clear(&text);
}

/* ---- values at their edges ---- */

static void test_times_of_every_size(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
        bool is_read; /* no time of ours is before 1970, or behind the year 9999 */
    } rows[] = {
        {1, "1970-01-01T00:00:00.001Z", true},
        {253402300799999, "9999-12-31T23:59:59.999Z", true},
        {253402300800000, "253402300800000", false},
        {-1, "-1", false},
        {INT64_MIN, "-9223372036854775808", false},
        {INT64_MAX - 1, "9223372036854775806", false},
        {INT64_MAX, "never", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct alert alert = {.since_ms = rows[i].ms}, again;
        struct buf text = BUF_INIT;
        char expected[100];

        alert_record_format(&text, &alert);
        (void)snprintf(expected, sizeof(expected), "status=pending since=%s value=0", rows[i].text);
        assert_string_equal(buf_text(&text), expected);
        assert_int_equal(read_alert(expected, &again), rows[i].is_read);
        if (rows[i].is_read)
            assert_int_equal(again.since_ms, rows[i].ms);
        buf_clear(&text);
    }
}

static void test_numbers_are_exact(void **state)
{
    static const double values[] = {
        0, -0.0, 92.5, 1.0 / 3, -5e-324, 1.7976931348623157e308, 1e21, 4503599627370497.5};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct alert alert = {.value = values[i]}, again;
        struct buf text = BUF_INIT;

        alert_record_format(&text, &alert);
        assert_true(read_alert(buf_text(&text), &again));
        assert_memory_equal(&again.value, &values[i], sizeof(double));
        buf_clear(&text);
    }
}

/* No number that is not finite can make a record unreadable. */
static void test_numbers_that_are_not_finite_are_left_out(void **state)
{
    struct alert alert = {.value = NAN};
    struct notice notice = {.has_value = true, .value = INFINITY};
    struct buf text = BUF_INIT;

    (void)state;
    alert_record_format(&text, &alert);
    buf_add_char(&text, '|');
    notice_record_format(&text, &notice);
    assert_string_equal(buf_text(&text), "status=pending|severity=info");
    buf_clear(&text);
}

/* ---- the free text ---- */

static void assert_reason(const char *reason, const char *kept)
{
    char copy[3 * REPORT_TEXT_MAX];
    struct watch_record record = {.maintenance_reason = copy}, again;
    struct buf text = BUF_INIT;

    (void)snprintf(copy, sizeof(copy), "%s", reason);
    watch_record_format(&text, &record);
    assert_null(memchr(text.data, '\n', text.len));
    assert_true(read_watch(buf_text(&text), &again));
    assert_string_equal(again.maintenance_reason, kept);
    assert_int_equal(again.commands, 0);
    assert_int_equal(again.recovery.phase, RECOVERY_NONE);
    buf_clear(&text);
}

static void test_reasons_of_every_kind(void **state)
{
    static const char *const reasons[] = {
        "",
        " ",
        " = ",
        "%",
        "%41",
        "commands=9",
        "x commands=9 recovery=waiting",
        "x maintenance_reason=y",
        "a\nb\r\n\tc\x1b[31m\x7f",
        "\"}]\\",
        "f\xc3\xbcr heute Nacht \xf0\x9f\x98\x80",
    };
    char longest[2 * REPORT_TEXT_MAX], kept[REPORT_TEXT_MAX + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        assert_reason(reasons[i], reasons[i]);
    assert_reason("a\xff", "a\xef\xbf\xbd");
    memset(longest, '%', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    memset(kept, '%', REPORT_TEXT_MAX);
    kept[REPORT_TEXT_MAX] = '\0';
    assert_reason(longest, kept);
}

static void test_reasons_as_nobody_wrote_them_are_refused(void **state)
{
    static const char *const texts[] = {"%",   "%4",   "%41",  "%0g",   "%00", "%0a",
                                        "%G0", "a\nb", "\x7f", "a\xff", "%25%"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct watch_record record = {.commands = 5};
        char text[100];

        (void)snprintf(text, sizeof(text), "recovery=none maintenance_reason=%s", texts[i]);
        assert_false(read_watch(text, &record));
        assert_int_equal(record.commands, 5);
    }
}

static void test_reason_that_is_too_long_is_refused(void **state)
{
    static const char words[] = "recovery=none maintenance_reason=";
    char text[sizeof(words) + REPORT_TEXT_MAX + 1];
    struct watch_record record;

    (void)state;
    memcpy(text, words, sizeof(words) - 1);
    memset(text + sizeof(words) - 1, 'x', REPORT_TEXT_MAX + 1);
    text[sizeof(words) - 1 + REPORT_TEXT_MAX] = '\0';
    assert_true(read_watch(text, &record));
    assert_int_equal(strlen(record.maintenance_reason), REPORT_TEXT_MAX);
    text[sizeof(words) - 1 + REPORT_TEXT_MAX] = 'x';
    text[sizeof(words) + REPORT_TEXT_MAX] = '\0';
    assert_false(read_watch(text, &record));
}

/* ---- what is malformed, and what is newer ---- */

static void test_words_that_are_not_known_are_skipped(void **state)
{
    struct watch_record record;
    struct alert alert;

    (void)state;
    assert_true(read_watch("colour=blue commands=3 x= recovery=none y=a=b", &record));
    assert_int_equal(record.commands, 3);
    assert_true(read_alert("value=5 status=firing", &alert)); /* in any order */
    assert_int_equal(alert.status, ALERT_FIRING);
    assert_true(alert.value == 5);
}

static void test_malformed_lines_are_refused(void **state)
{
    static const char *const lines[] = {
        "",
        " ",
        "status",
        "=",
        "=5",
        "status=firing ",
        " status=firing",
        "status=firing  value=5",
        "status=firing status=firing",
        "status=Firing",
        "status=",
        "status=resolved",
        "guarded=0",
        "guarded=true",
        "since=",
        "since=yesterday",
        "since=1.5",
        "since=9223372036854775808",
        "since=-9223372036854775809",
        "since=--1",
        "value=nan",
        "value=",
        "value=0x1",
        "value=1e999",
        "done=",
        "done=notify,",
        "done=,notify",
        "done=all",
        "tries=-1",
        "tries=4294967296",
        "tries=1.0",
        "cause=report",
        "cause=report-1",
        "cause=Report-1-0",
        "cause=report-01-0",
        "status=firing\nvalue=5",
    };
    struct alert alert = {.tries = 77};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (read_alert(lines[i], &alert))
            fail_msg("taken: %s", lines[i]);
        assert_int_equal(alert.tries, 77);
    }
    assert_false(
        alert_record_parse(s("mt5-1:X"), slice_of("status=firing\0", 14), &(struct slice){0}, &alert));
    assert_false(alert_record_parse(s("mt5-1:X"), slice_of(NULL, 0), &(struct slice){0}, &alert));
}

static void test_idents_of_a_line_are_valid(void **state)
{
    struct notice notice;

    (void)state;
    assert_true(notice_record_parse(s("a:B"), s("broker_id=b.1"), &notice));
    assert_false(notice_record_parse(s("a:B"), s("broker_id="), &notice));
    assert_false(notice_record_parse(s("a:B"), s("broker_id=-b"), &notice));
    assert_false(notice_record_parse(s("a:B"), s("host_id=a/b"), &notice));
}

#define ID64 "x23456789012345678901234567890123456789012345678901234567890123x"

static void test_fields_of_alerts(void **state)
{
    static const char *const wrong[] = {"",      ":",     "a",    "a:",       ":b",
                                        "a:b:c", "a b:c", "-a:b", ID64 "x:b", "a:" ID64 "x"};
    struct slice id, rule;

    (void)state;
    assert_true(alert_field_parse(s(ID64 ":" ID64), &id, &rule));
    assert_true(slice_is(id, ID64) && slice_is(rule, ID64));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(alert_field_parse(s(wrong[i]), &id, &rule));
    assert_false(alert_field_parse(slice_of(NULL, 0), &id, &rule));
}

static void test_fields_of_notices(void **state)
{
    static const char *const wrong[] = {
        "",       "@",         "@:",         "a",       "a:",         ":b",
        "@a:b",   "@broker:b", "@broker::b", "a:b:c",   "@all:",      "@all:x:b",
        "@ALL:b", "@host:-:b", "all@:b",     "@@all:b", "@group:a:b", "@broker:" ID64 "x:b"};
    struct notice notice = {0};

    (void)state;
    assert_true(notice_field_parse(s("@broker:" ID64 ":" ID64), &notice));
    assert_string_equal(notice.group, "broker:" ID64);
    assert_int_equal(notice.instance_id.len, 0);
    assert_true(notice_field_parse(s("@all:FleetFailure"), &notice));
    assert_string_equal(notice.group, "all");
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (notice_field_parse(s(wrong[i]), &notice))
            fail_msg("taken: %s", wrong[i]);
    }
}

static void test_fields_of_groups_and_instances(void **state)
{
    static const char *const wrong[] = {"",        "all:",     "all:x",   "broker",
                                        "broker:", "Broker:b", "group:b", "host:a:b"};
    struct breaker_group group = {0};
    struct watch_record record;
    struct watch_record_scratch scratch;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(breaker_field_parse(s(wrong[i]), &group));
    assert_true(watch_record_parse(s(ID64), s("recovery=none"), &scratch, &record));
    assert_false(watch_record_parse(s("a:b"), s("recovery=none"), &scratch, &record));
    assert_false(watch_record_parse(s(""), s("recovery=none"), &scratch, &record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watch_record_keeps_every_field),
        cmocka_unit_test(test_watch_record_leaves_out_what_is_zero),
        cmocka_unit_test(test_watch_record_of_a_stop_and_of_a_command_that_has_ended),
        cmocka_unit_test(test_alert_record_keeps_every_field),
        cmocka_unit_test(test_notice_record_keeps_every_field),
        cmocka_unit_test(test_breaker_record_keeps_every_field),
        cmocka_unit_test(test_times_of_every_size),
        cmocka_unit_test(test_numbers_are_exact),
        cmocka_unit_test(test_numbers_that_are_not_finite_are_left_out),
        cmocka_unit_test(test_reasons_of_every_kind),
        cmocka_unit_test(test_reasons_as_nobody_wrote_them_are_refused),
        cmocka_unit_test(test_reason_that_is_too_long_is_refused),
        cmocka_unit_test(test_words_that_are_not_known_are_skipped),
        cmocka_unit_test(test_malformed_lines_are_refused),
        cmocka_unit_test(test_idents_of_a_line_are_valid),
        cmocka_unit_test(test_fields_of_alerts),
        cmocka_unit_test(test_fields_of_notices),
        cmocka_unit_test(test_fields_of_groups_and_instances),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
