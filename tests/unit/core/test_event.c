#include "core/event.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const names[EVENT_KINDS] = {
    "instance_started",    "instance_failed",   "instance_recovered", "instance_stopped",
    "instance_degraded",   "network_issue",     "socket_failure",     "instance_restarting",
    "instance_registered", "instance_removed",  "alert_firing",       "alert_resolved",
    "command_issued",      "command_completed", "signal_dropped",     "late_execution",
    "maintenance_changed",
};

static void test_event_name_of_each_kind(void **state)
{
    (void)state;
    for (int i = 0; i < EVENT_KINDS; i++)
        assert_string_equal(event_name((enum event_kind)i), names[i]);
    assert_null(event_name(EVENT_NONE));
}

static void assert_fields(const struct event *event, const char *const expected[][2], size_t expected_count)
{
    struct slice field_names[EVENT_FIELDS_MAX] = {{0}}, values[EVENT_FIELDS_MAX] = {{0}};
    char scratch[EVENT_SCRATCH_SIZE];
    size_t count = event_fields(event, field_names, values, scratch);

    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < expected_count; i++) {
        assert_true(slice_is(field_names[i], expected[i][0]));
        assert_true(slice_is(values[i], expected[i][1]));
    }
}

static void test_event_fields_of_a_transition_in_order(void **state)
{
    static const char *const expected[][2] = {
        {"event", "instance_failed"},
        {"instance_id", "mt5-1"},
        {"seq", "18446744073709551615"},
        {"at", "2025-03-22T10:15:30Z"},
        {"from", "running"},
        {"to", "crashed"},
        {"reason", "heartbeat lost for 30 s"},
        {"signal_id", "s1"},
        {"correlation_id", "timer-1742638530123-18446744073709551615"},
    };
    struct event event = {.kind = EVENT_INSTANCE_FAILED,
                          .instance_id = slice_text("mt5-1"),
                          .seq = UINT64_MAX,
                          .at_ms = 1742638530123,
                          .from = slice_text("running"),
                          .to = slice_text("crashed"),
                          .reason = slice_text("heartbeat lost for 30 s"),
                          .signal_id = slice_text("s1"),
                          .cause = {CAUSE_TIMER, {1742638530123, UINT64_MAX}}};

    (void)state;
    assert_fields(&event, expected, ARRAY_LEN(expected));
}

static void test_event_fields_leaves_out_what_does_not_apply(void **state)
{
    static const char *const expected[][2] = {
        {"event", "signal_dropped"},
        {"at", "1970-01-01T00:00:00Z"},
        {"signal_id", "s1"},
        {"correlation_id", "signal-5-0"},
    };
    struct event event = {
        .kind = EVENT_SIGNAL_DROPPED, .signal_id = slice_text("s1"), .cause = {CAUSE_SIGNAL, {5, 0}}};

    (void)state;
    assert_fields(&event, expected, ARRAY_LEN(expected));
}

/* All that can be there at once, and as long as it can be. */
static void test_event_fields_of_an_alert_with_numbers_in_order(void **state)
{
    static const char *const expected[][2] = {
        {"event", "alert_firing"},
        {"instance_id", "mt5-1"},
        {"seq", "18446744073709551615"},
        {"at", "2025-03-22T10:15:30Z"},
        {"from", "running"},
        {"to", "running"},
        {"reason", "held for 10 s"},
        {"alert", "HighCpuUsage"},
        {"value", "-1.7976931348623157e+308"},
        {"threshold", "-0.000001234567890123457"},
        {"command_id", "mt5-1.recover.7"},
        {"signal_id", "s1"},
        {"correlation_id", "reconcile-18446744073709551615-18446744073709551615"},
    };
    struct event event = {.kind = EVENT_ALERT_FIRING,
                          .instance_id = slice_text("mt5-1"),
                          .seq = UINT64_MAX,
                          .at_ms = 1742638530123,
                          .from = slice_text("running"),
                          .to = slice_text("running"),
                          .reason = slice_text("held for 10 s"),
                          .alert = slice_text("HighCpuUsage"),
                          .has_value = true,
                          .has_threshold = true,
                          .value = -1.7976931348623157e308,
                          .threshold = -1.234567890123457e-6,
                          .command_id = slice_text("mt5-1.recover.7"),
                          .signal_id = slice_text("s1"),
                          .cause = {CAUSE_RECONCILE, {UINT64_MAX, UINT64_MAX}}};

    (void)state;
    assert_int_equal(ARRAY_LEN(expected), EVENT_FIELDS_MAX);
    assert_fields(&event, expected, ARRAY_LEN(expected));
}

static const struct {
    bool has;
    double number;
    const char *text;
    const char *expected; /* NULL: no such field */
} limits[] = {
    {false, 0, "", NULL},
    {false, 80, "", NULL},
    {true, 0, "", "0"},
    {true, 80, "", "80"},
    {true, 2.5, "", "2.5"},
    {true, 2, "crashed", "crashed"},
    {false, 0, "crashed", "crashed"},
};

static void test_event_fields_of_value_and_threshold_as_number_or_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        const char *const expected[][2] = {
            {"event", "alert_resolved"},
            {"at", "1970-01-01T00:00:00Z"},
            {"threshold", limits[i].expected},
            {"correlation_id", "timer-5-0"},
        };
        const char *const as_value[][2] = {
            {expected[0][0], expected[0][1]},
            {expected[1][0], expected[1][1]},
            {"value", limits[i].expected},
            {expected[3][0], expected[3][1]},
        };
        const char *const neither[][2] = {
            {expected[0][0], expected[0][1]},
            {expected[1][0], expected[1][1]},
            {expected[3][0], expected[3][1]},
        };
        struct event threshold = {.kind = EVENT_ALERT_RESOLVED,
                                  .has_threshold = limits[i].has,
                                  .threshold = limits[i].number,
                                  .threshold_text = slice_text(limits[i].text),
                                  .cause = {CAUSE_TIMER, {5, 0}}};
        struct event value = {.kind = EVENT_ALERT_RESOLVED,
                              .has_value = limits[i].has,
                              .value = limits[i].number,
                              .value_text = slice_text(limits[i].text),
                              .cause = {CAUSE_TIMER, {5, 0}}};

        assert_fields(&threshold, limits[i].expected ? expected : neither, limits[i].expected ? 4 : 3);
        assert_fields(&value, limits[i].expected ? as_value : neither, limits[i].expected ? 4 : 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_name_of_each_kind),
        cmocka_unit_test(test_event_fields_of_a_transition_in_order),
        cmocka_unit_test(test_event_fields_leaves_out_what_does_not_apply),
        cmocka_unit_test(test_event_fields_of_an_alert_with_numbers_in_order),
        cmocka_unit_test(test_event_fields_of_value_and_threshold_as_number_or_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
