/* What changes of state do, and what is derived from them. */
#include "fleet_fixture.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct fleet_fixture f;

    fleet_fixture_init(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fleet_fixture_clear(*state);
    return 0;
}

/* Every pair of the table that is allowed, through reports. */
static const struct {
    const char *from, *to, *event;
} transitions[] = {
    {"running", "stopped", "instance_stopped"},       {"running", "crashed", "instance_failed"},
    {"running", "restarting", "instance_restarting"}, {"stopped", "running", "instance_started"},
    {"stopped", "restarting", "instance_restarting"}, {"crashed", "running", "instance_recovered"},
    {"crashed", "stopped", "instance_stopped"},       {"crashed", "restarting", "instance_restarting"},
    {"restarting", "running", "instance_started"},    {"restarting", "stopped", "instance_stopped"},
    {"restarting", "crashed", "instance_failed"},
};

/* Reports STATE at 5000 and checks the one move and the events: that of the state, and instance_degraded
 * where it crashed. */
static void assert_transition(struct fleet_fixture *f, const char *from, const char *to, const char *event)
{
    struct instance *instance = fleet_find(&f->fleet, slice_text("mt5-1"));
    unsigned seq = (unsigned)instance->seq + 1;
    char text[16 + 10], move[64], events[512];
    int len;

    (void)snprintf(text, sizeof(text), "state=%s", to);
    assert_true(fixture_report(f, 5000, "mt5-1", text));
    assert_string_equal(instance_state_name(instance->state), to);
    assert_string_equal(instance_state_name(instance->previous_state), from);
    assert_int_equal(instance->state_changed_ms, 5000);

    (void)snprintf(move, sizeof(move), "move instance mt5-1 %s %s", from, to);
    assert_int_equal(recording_sink_count(&f->recorder, "move"), 1);
    assert_int_equal(recording_sink_count(&f->recorder, "set instance"), 1);
    assert_string_equal(recording_sink_find(&f->recorder, "move"), move);
    len = snprintf(events, sizeof(events),
                   "event %s instance_id=mt5-1 seq=%u at=1970-01-01T00:00:05Z from=%s to=%s "
                   "%scorrelation_id=report-5000-0\n",
                   event, seq, from, to,
                   strcmp(event, "instance_failed") == 0 ? "reason=reported by the agent " : "");
    if (strcmp(to, "crashed") == 0)
        (void)snprintf(
            events + len, sizeof(events) - (size_t)len,
            "event instance_degraded instance_id=mt5-1 seq=%u at=1970-01-01T00:00:05Z from=healthy "
            "to=critical reason=it has crashed correlation_id=report-5000-0\n",
            seq + 1);
    assert_recorded_only(&f->recorder, "event", events);
}

static void test_report_makes_each_transition(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(transitions); i++) {
        struct fleet_fixture f;

        fleet_fixture_init(&f);
        (void)fixture_register(&f, 1000, "mt5-1", transitions[i].from);
        assert_transition(&f, transitions[i].from, transitions[i].to, transitions[i].event);
        fleet_fixture_clear(&f);
    }
}

static void test_transition_writes_the_fields_that_follow_from_it(void **state)
{
    struct fleet_fixture *f = *state;

    (void)fixture_register(f, 1000, "mt5-1", "running");
    assert_true(fixture_report(f, 2000, "mt5-1", "state=crashed"));
    assert_recorded(
        &f->recorder,
        "move instance mt5-1 running crashed\n"
        "event instance_failed instance_id=mt5-1 seq=3 at=1970-01-01T00:00:02Z from=running to=crashed "
        "reason=reported by the agent correlation_id=report-2000-0\n"
        "event instance_degraded instance_id=mt5-1 seq=4 at=1970-01-01T00:00:02Z from=healthy "
        "to=critical reason=it has crashed correlation_id=report-2000-0\n"
        "unload mt5-1\n"
        "set instance mt5-1 state=crashed previous_state=running state_changed_at=1970-01-01T00:00:02Z "
        "last_updated_at=1970-01-01T00:00:02Z\n"
        "set health mt5-1 health_status=critical last_updated_at=1970-01-01T00:00:02Z\n");
}

static void test_report_of_a_first_state_has_its_event(void **state)
{
    static const struct {
        const char *text, *event;
    } rows[] = {{"broker_id=b1 state=running", "event instance_started"},
                {"broker_id=b1 state=crashed", "event instance_failed"},
                {"broker_id=b1 state=restarting", "event instance_restarting"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fleet_fixture f;

        fleet_fixture_init(&f);
        assert_true(fixture_report(&f, 1000, "mt5-1", rows[i].text));
        assert_int_equal(recording_sink_count(&f.recorder, rows[i].event), 1);
        fleet_fixture_clear(&f);
    }
}

static void test_first_report_stopped_has_no_event_of_its_state(void **state)
{
    struct fleet_fixture *f = *state;

    assert_true(fixture_report(f, 1000, "mt5-1", "broker_id=b1 state=stopped"));
    assert_recorded_only(&f->recorder, "event",
                         "event instance_registered instance_id=mt5-1 seq=1 at=1970-01-01T00:00:01Z "
                         "correlation_id=report-1000-0\n");
}

static void test_refused_transition_changes_all_but_the_state(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "stopped");

    assert_true(fixture_report(f, 2000, "mt5-1", "state=crashed cpu_usage=7"));
    assert_recorded(&f->recorder, "set instance mt5-1 last_updated_at=1970-01-01T00:00:02Z\n"
                                  "set metrics mt5-1 cpu_usage=7 last_updated_at=1970-01-01T00:00:02Z\n");
    assert_int_equal(instance->state, STATE_STOPPED);
    assert_int_equal(instance->previous_state, STATE_NONE);
    assert_int_equal(f->fleet.stats.refused[STATE_STOPPED][STATE_CRASHED], 1);
    assert_int_equal(f->refused_count, 1);
    assert_int_equal(f->refused_to, STATE_CRASHED);
}

static void test_same_state_again_is_no_transition(void **state)
{
    static const char *const states[] = {"running", "stopped", "crashed", "restarting"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        struct fleet_fixture f;
        char text[32];

        fleet_fixture_init(&f);
        (void)fixture_register(&f, 1000, "mt5-1", states[i]);
        (void)snprintf(text, sizeof(text), "state=%s", states[i]);
        assert_true(fixture_report(&f, 1001, "mt5-1", text));
        assert_recorded(&f.recorder, "");
        assert_int_equal(f.refused_count, 0);
        fleet_fixture_clear(&f);
    }
}

static void test_restart_after_a_crash_is_a_recovery(void **state)
{
    struct fleet_fixture *f = *state;

    (void)fixture_register(f, 1000, "mt5-1", "crashed");
    assert_true(fixture_report(f, 2000, "mt5-1", "state=restarting"));
    recording_sink_reset(&f->recorder);
    assert_transition(f, "restarting", "running", "instance_recovered");
    assert_true(fixture_report(f, 5000, "mt5-1", "state=restarting"));
    recording_sink_reset(&f->recorder);
    assert_transition(f, "restarting", "running", "instance_started");
}

static void test_restart_after_a_failed_restart_is_a_recovery(void **state)
{
    struct fleet_fixture *f = *state;

    (void)fixture_register(f, 1000, "mt5-1", "running");
    assert_true(fixture_report(f, 2000, "mt5-1", "state=restarting"));
    assert_true(fixture_report(f, 2000, "mt5-1", "state=crashed"));
    assert_true(fixture_report(f, 2000, "mt5-1", "state=restarting"));
    recording_sink_reset(&f->recorder);
    assert_transition(f, "restarting", "running", "instance_recovered");
}

static void test_restart_count_is_derived_until_it_is_reported(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "restarting");

    assert_true(fixture_report(f, 2000, "mt5-1", "state=running"));
    assert_non_null(recording_sink_find(&f->recorder, "set health mt5-1 restart_count=1 last_updated_at"));
    assert_true(fixture_report(f, 3000, "mt5-1", "state=restarting"));
    assert_true(fixture_report(f, 4000, "mt5-1", "state=running restart_count=9"));
    assert_true(instance->number[REPORT_RESTART_COUNT] == 9);
    assert_true(fixture_report(f, 5000, "mt5-1", "state=restarting"));
    assert_true(fixture_report(f, 6000, "mt5-1", "state=running"));
    assert_true(instance->number[REPORT_RESTART_COUNT] == 9);
}

static void test_failed_restarts_are_counted(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "restarting");

    assert_true(fixture_report(f, 2000, "mt5-1", "state=crashed"));
    assert_int_equal(instance->failed_restarts, 1);
    assert_non_null(
        recording_sink_find(&f->recorder, "set health mt5-1 health_status=critical failed_restarts=1"));
    assert_true(fixture_report(f, 3000, "mt5-1", "state=running"));
    assert_true(fixture_report(f, 4000, "mt5-1", "state=crashed"));
    assert_int_equal(instance->failed_restarts, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_report_makes_each_transition, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transition_writes_the_fields_that_follow_from_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_report_of_a_first_state_has_its_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_report_stopped_has_no_event_of_its_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_transition_changes_all_but_the_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_state_again_is_no_transition, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart_after_a_crash_is_a_recovery, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart_after_a_failed_restart_is_a_recovery, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart_count_is_derived_until_it_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_restarts_are_counted, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
