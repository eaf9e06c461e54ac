#include "core/state.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define REFUSED (-2)

/* The table of SPEC §5.2, from the column new on; was_crashed makes a difference in one cell. */
static const struct {
    enum instance_state from, to;
    bool was_crashed;
    int event;
} transitions[] = {
    {STATE_NONE, STATE_RUNNING, false, EVENT_INSTANCE_STARTED},
    {STATE_NONE, STATE_STOPPED, false, EVENT_NONE},
    {STATE_NONE, STATE_CRASHED, false, EVENT_INSTANCE_FAILED},
    {STATE_NONE, STATE_RESTARTING, false, EVENT_INSTANCE_RESTARTING},
    {STATE_RUNNING, STATE_RUNNING, false, REFUSED},
    {STATE_RUNNING, STATE_STOPPED, false, EVENT_INSTANCE_STOPPED},
    {STATE_RUNNING, STATE_CRASHED, false, EVENT_INSTANCE_FAILED},
    {STATE_RUNNING, STATE_RESTARTING, false, EVENT_INSTANCE_RESTARTING},
    {STATE_STOPPED, STATE_RUNNING, false, EVENT_INSTANCE_STARTED},
    {STATE_STOPPED, STATE_STOPPED, false, REFUSED},
    {STATE_STOPPED, STATE_CRASHED, false, REFUSED},
    {STATE_STOPPED, STATE_RESTARTING, false, EVENT_INSTANCE_RESTARTING},
    {STATE_CRASHED, STATE_RUNNING, false, EVENT_INSTANCE_RECOVERED},
    {STATE_CRASHED, STATE_STOPPED, false, EVENT_INSTANCE_STOPPED},
    {STATE_CRASHED, STATE_CRASHED, false, REFUSED},
    {STATE_CRASHED, STATE_RESTARTING, false, EVENT_INSTANCE_RESTARTING},
    {STATE_RESTARTING, STATE_RUNNING, false, EVENT_INSTANCE_STARTED},
    {STATE_RESTARTING, STATE_RUNNING, true, EVENT_INSTANCE_RECOVERED},
    {STATE_RESTARTING, STATE_STOPPED, false, EVENT_INSTANCE_STOPPED},
    {STATE_RESTARTING, STATE_STOPPED, true, EVENT_INSTANCE_STOPPED},
    {STATE_RESTARTING, STATE_CRASHED, false, EVENT_INSTANCE_FAILED},
    {STATE_RESTARTING, STATE_CRASHED, true, EVENT_INSTANCE_FAILED},
    {STATE_RESTARTING, STATE_RESTARTING, false, REFUSED},
};

static void test_transition_find_of_every_pair(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(transitions); i++) {
        enum event_kind event = EVENT_LATE_EXECUTION;
        bool is_allowed =
            transition_find(transitions[i].from, transitions[i].to, transitions[i].was_crashed, &event);

        assert_int_equal(is_allowed, transitions[i].event != REFUSED);
        assert_int_equal(event, is_allowed ? transitions[i].event : EVENT_LATE_EXECUTION);
    }
}

static const struct {
    const char *text;
    int state;
} states[] = {
    {"running", STATE_RUNNING},
    {"stopped", STATE_STOPPED},
    {"crashed", STATE_CRASHED},
    {"restarting", STATE_RESTARTING},
    {"failed", STATE_CRASHED},
    {"FAILED", STATE_CRASHED},
    {"Running", STATE_RUNNING},
    {"rEsTaRtInG", STATE_RESTARTING},
    {"", -2},
    {"run", -2},
    {"running ", -2},
    {"runningx", -2},
    {"none", -2},
    {"0", -2},
};

static void test_instance_state_parse_in_any_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        enum instance_state parsed = (enum instance_state) - 2;

        assert_int_equal(instance_state_parse(slice_text(states[i].text), &parsed), states[i].state != -2);
        assert_int_equal(parsed, states[i].state);
    }
}

static void test_names_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < INSTANCE_STATES; i++) {
        enum instance_state parsed;

        assert_true(instance_state_parse(slice_text(instance_state_name((enum instance_state)i)), &parsed));
        assert_int_equal(parsed, i);
    }
    for (int i = 0; i < HEALTHS; i++) {
        enum health parsed;

        assert_true(health_parse(slice_text(health_name((enum health)i)), &parsed));
        assert_int_equal(parsed, i);
    }
    for (int i = LAUNCH_AUTO; i <= LAUNCH_MANUAL; i++) {
        enum launch_mode parsed;

        assert_true(launch_mode_parse(slice_text(launch_mode_name((enum launch_mode)i)), &parsed));
        assert_int_equal(parsed, i);
    }
    assert_null(instance_state_name(STATE_NONE));
}

static void test_health_and_launch_mode_parse_refuse_the_rest(void **state)
{
    enum health health = HEALTH_WARNING;
    enum launch_mode mode = LAUNCH_MANUAL;

    (void)state;
    assert_true(health_parse(slice_text("CRITICAL"), &health));
    assert_int_equal(health, HEALTH_CRITICAL);
    assert_false(health_parse(slice_text("sick"), &health));
    assert_false(health_parse(slice_text(""), &health));
    assert_int_equal(health, HEALTH_CRITICAL);
    assert_true(launch_mode_parse(slice_text("Auto"), &mode));
    assert_int_equal(mode, LAUNCH_AUTO);
    assert_false(launch_mode_parse(slice_text("semi"), &mode));
    assert_false(launch_mode_parse(slice_text(""), &mode));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transition_find_of_every_pair),
        cmocka_unit_test(test_instance_state_parse_in_any_case),
        cmocka_unit_test(test_names_read_back),
        cmocka_unit_test(test_health_and_launch_mode_parse_refuse_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
