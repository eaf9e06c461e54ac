/* What time alone does: silence, restarts that hang, instances to be forgotten. */
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

static void test_running_instance_crashes_when_silent_for_longer(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "running");

    assert_int_equal(fleet_next_deadline(&f->fleet), 31001);
    fleet_on_timer(&f->fleet, 31000, 31000, f->sink);
    assert_recorded(&f->recorder, "");
    f->fleet.batch = 5;
    fleet_on_timer(&f->fleet, 31001, 31001, f->sink);
    assert_recorded(
        &f->recorder,
        "begin timer-31001-0\n"
        "move instance mt5-1 running crashed\n"
        "event instance_failed instance_id=mt5-1 seq=3 at=1970-01-01T00:00:31Z from=running to=crashed "
        "reason=heartbeat lost for 30 s correlation_id=timer-31001-0\n"
        "watch mt5-1 silent\n"
        "event instance_degraded instance_id=mt5-1 seq=4 at=1970-01-01T00:00:31Z from=healthy "
        "to=critical reason=it has crashed correlation_id=timer-31001-0\n"
        "unload mt5-1\n"
        "set instance mt5-1 state=crashed previous_state=running state_changed_at=1970-01-01T00:00:31Z "
        "last_updated_at=1970-01-01T00:00:31Z\n"
        "set health mt5-1 health_status=critical last_updated_at=1970-01-01T00:00:31Z\n"
        "begin timer-31001-1\n"   /* the breaker is judged, */
        "begin timer-31001-2\n"); /* and the instance looked at */
    assert_int_equal(instance->batch, 5);
    assert_int_equal(instance->seen_ms, 1000);
    assert_int_equal(f->fleet.stats.heartbeats_lost, 1);
    assert_true(fleet_next_deadline(&f->fleet) == INT64_MAX);
}

static void test_silence_is_judged_no_further_than_the_horizon(void **state)
{
    struct fleet_fixture *f = *state;

    (void)fixture_register(f, 1000, "mt5-1", "running");
    fleet_on_timer(&f->fleet, 99000, 31000, f->sink);
    assert_recorded(&f->recorder, "");
    fleet_on_timer(&f->fleet, 99000, 31001, f->sink);
    assert_int_equal(recording_sink_count(&f->recorder, "begin timer-99000-0"), 1);
}

static void test_only_the_silent_ones_crash_each_in_its_group(void **state)
{
    struct fleet_fixture *f = *state;

    (void)fixture_register(f, 1000, "a", "running");
    (void)fixture_register(f, 2000, "b", "running");
    (void)fixture_register(f, 3000, "c", "running");
    (void)fixture_register(f, 500, "d", "stopped");
    (void)fixture_register(f, 500, "e", "crashed");
    assert_true(fixture_report(f, 10000, "a", ""));
    recording_sink_reset(&f->recorder);
    fleet_on_timer(&f->fleet, 34000, 34000, f->sink);
    assert_int_equal(fleet_next_deadline(&f->fleet), 40001);
    assert_int_equal(recording_sink_count(&f->recorder, "move instance b running crashed"), 1);
    assert_int_equal(recording_sink_count(&f->recorder, "move instance c running crashed"), 1);
    assert_int_equal(recording_sink_count(&f->recorder, "move"), 2);
    assert_int_equal(recording_sink_count(&f->recorder, "event instance_failed"), 2);
    assert_non_null(strstr(recording_sink_find(&f->recorder, "event instance_failed instance_id=b"),
                           "correlation_id=timer-34000-0"));
    assert_non_null(strstr(recording_sink_find(&f->recorder, "event instance_failed instance_id=c"),
                           "correlation_id=timer-34000-1"));
}

static void test_restart_that_takes_too_long_has_crashed(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "restarting");

    fleet_on_heartbeat(&f->fleet, slice_text("mt5-1"), 100000);
    assert_int_equal(fleet_next_deadline(&f->fleet), 121001);
    fleet_on_timer(&f->fleet, 121000, 121000, f->sink);
    assert_recorded(&f->recorder, "");
    fleet_on_timer(&f->fleet, 121001, 121001, f->sink);
    assert_recorded_only(
        &f->recorder, "event instance_failed",
        "event instance_failed instance_id=mt5-1 seq=3 at=1970-01-01T00:02:01Z from=restarting "
        "to=crashed reason=restarting for longer than 120 s correlation_id=timer-121001-0\n");
    assert_int_equal(instance->failed_restarts, 1);
    assert_int_equal(f->fleet.stats.heartbeats_lost, 0);
}

static void test_stopped_and_silent_is_removed(void **state)
{
    struct fleet_fixture *f = *state;

    f->fleet.options.forget_after_s = 60;
    (void)fixture_register(f, 1000, "mt5-1", "stopped");
    assert_int_equal(fleet_next_deadline(&f->fleet), 61001);
    fleet_on_timer(&f->fleet, 61000, 61000, f->sink);
    assert_recorded(&f->recorder, "");
    fleet_on_timer(&f->fleet, 61001, 61001, f->sink);
    assert_int_equal(f->fleet.count, 0);
    assert_int_equal(recording_sink_count(&f->recorder, "remove"), 3);
    assert_recorded_only(
        &f->recorder, "event",
        "event instance_removed instance_id=mt5-1 seq=2 at=1970-01-01T00:01:01Z from=stopped "
        "reason=stopped and silent for longer than 60 s correlation_id=timer-61001-0\n");
}

static void test_what_is_off_never_happens(void **state)
{
    struct fleet_fixture *f = *state;

    f->fleet.options.heartbeat_timeout_ms = 0;
    f->fleet.options.restarting_timeout_ms = 0;
    (void)fixture_register(f, 1000, "a", "running");
    (void)fixture_register(f, 1000, "b", "restarting");
    (void)fixture_register(f, 1000, "c", "stopped");
    (void)fixture_register(f, 1000, "d", "crashed");
    assert_true(fleet_next_deadline(&f->fleet) == INT64_MAX);
    fleet_on_timer(&f->fleet, INT64_MAX - 1, INT64_MAX, f->sink);
    assert_recorded(&f->recorder, "");
}

static void test_reason_names_the_timeout(void **state)
{
    static const struct {
        int64_t timeout_ms;
        const char *reason;
    } rows[] = {{250, "reason=heartbeat lost for 250 ms "},
                {999, "reason=heartbeat lost for 999 ms "},
                {1000, "reason=heartbeat lost for 1 s "},
                {1500, "reason=heartbeat lost for 1500 ms "},
                {86400000, "reason=heartbeat lost for 86400 s "}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fleet_fixture f;

        fleet_fixture_init(&f);
        f.fleet.options.heartbeat_timeout_ms = rows[i].timeout_ms;
        (void)fixture_register(&f, 1000, "mt5-1", "running");
        fleet_on_timer(&f.fleet, 1001 + rows[i].timeout_ms, INT64_MAX, f.sink);
        assert_non_null(strstr(recording_sink_find(&f.recorder, "event instance_failed"), rows[i].reason));
        fleet_fixture_clear(&f);
    }
}

static void test_excused_silence_gives_a_whole_timeout_anew(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *stopped;

    (void)fixture_register(f, 1000, "a", "running");
    (void)fixture_register(f, 1000, "b", "restarting");
    stopped = fixture_register(f, 1000, "c", "stopped");
    fleet_excuse_silence(&f->fleet, 500000);
    assert_int_equal(stopped->seen_ms, 1000);
    assert_int_equal(fleet_next_deadline(&f->fleet), 530001);
    fleet_on_timer(&f->fleet, 530000, 530000, f->sink);
    assert_recorded(&f->recorder, "");
    fleet_on_timer(&f->fleet, 620000, 620000, f->sink);
    assert_recorded_only(&f->recorder, "move", "move instance a running crashed\n");
    fleet_on_timer(&f->fleet, 620001, 620001, f->sink);
    assert_recorded_only(&f->recorder, "move", "move instance b restarting crashed\n");
}

static void test_one_call_judges_no_more_than_its_bound(void **state)
{
    struct fleet_fixture *f = *state;
    char id[16];

    f->fleet.options.max = FLEET_TIMER_MAX + 10;
    for (int i = 0; i < FLEET_TIMER_MAX + 10; i++) {
        (void)snprintf(id, sizeof(id), "mt5-%d", i);
        (void)fixture_register(f, 1000, id, "running");
    }
    fleet_on_timer(&f->fleet, 31001, 31001, f->sink);
    assert_int_equal(recording_sink_count(&f->recorder, "begin"), FLEET_TIMER_MAX);
    assert_in_range(fleet_next_deadline(&f->fleet), 0, 31001);
    recording_sink_reset(&f->recorder);
    fleet_on_timer(&f->fleet, 31001, 31001, f->sink);
    assert_int_equal(recording_sink_count(&f->recorder, "event instance_failed"), 10);
    /* The ten, the breaker, and a round of as many as there may be. */
    assert_int_equal(recording_sink_count(&f->recorder, "begin"), 10 + 1 + FLEET_TIMER_MAX);
    fleet_on_timer(&f->fleet, 31001, 31001, f->sink);
    assert_true(fleet_next_deadline(&f->fleet) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_running_instance_crashes_when_silent_for_longer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_silence_is_judged_no_further_than_the_horizon, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_the_silent_ones_crash_each_in_its_group, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart_that_takes_too_long_has_crashed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopped_and_silent_is_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_off_never_happens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reason_names_the_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_excused_silence_gives_a_whole_timeout_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_call_judges_no_more_than_its_bound, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
