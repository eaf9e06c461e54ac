#include "core/event.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const names[EVENT_KINDS] = {
    "instance_started",  "instance_failed",     "instance_recovered",  "instance_stopped",
    "instance_degraded", "instance_restarting", "instance_registered", "instance_removed",
    "signal_dropped",    "late_execution",
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
    struct slice field_names[EVENT_FIELDS_MAX], values[EVENT_FIELDS_MAX];
    char scratch[EVENT_SCRATCH_SIZE];
    size_t count = event_fields(event, field_names, values, scratch);

    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_name_of_each_kind),
        cmocka_unit_test(test_event_fields_of_a_transition_in_order),
        cmocka_unit_test(test_event_fields_leaves_out_what_does_not_apply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
