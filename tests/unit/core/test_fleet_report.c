/* What a report does to its instance and tells the sink. */
#include "fleet_fixture.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

static void test_first_report_stores_everything_that_has_a_value(void **state)
{
    struct fleet_fixture *f = *state;

    assert_true(fixture_report(f, 1000, "mt5-1", "broker_id=b1 state=running"));
    assert_recorded(&f->recorder,
                    "event instance_registered instance_id=mt5-1 seq=1 at=1970-01-01T00:00:01Z "
                    "correlation_id=report-1000-0\n"
                    "move instance mt5-1 - running\n"
                    "event instance_started instance_id=mt5-1 seq=2 at=1970-01-01T00:00:01Z to=running "
                    "correlation_id=report-1000-0\n"
                    "move instance mt5-1 stopped -\n"
                    "move instance mt5-1 crashed -\n"
                    "move instance mt5-1 restarting -\n"
                    "load mt5-1 0\n"
                    "set instance mt5-1 active_connections=0 broker_id=b1 state=running launch_mode=auto "
                    "state_changed_at=1970-01-01T00:00:01Z last_updated_at=1970-01-01T00:00:01Z\n"
                    "set health mt5-1 uptime_seconds=0 restart_count=0 health_status=healthy last_error= "
                    "failed_restarts=0 "
                    "recovery_attempts=0 last_updated_at=1970-01-01T00:00:01Z\n");
    assert_int_equal(f->fleet.count, 1);
    assert_int_equal(f->fleet.stats.registered, 1);
}

static void test_first_report_stores_what_it_brings_as_it_was_written(void **state)
{
    struct fleet_fixture *f = *state;

    assert_true(
        fixture_report(f, 1500, "mt5-1",
                       "broker_id=b1 state=FAILED host_id=h1 launch_mode=Manual cpu_usage=12.50 "
                       "active_connections=1e1 uptime_seconds=7 restart_count=3 health_status=WARNING "
                       "last_error=lost"));
    assert_recorded(
        &f->recorder,
        "event instance_registered instance_id=mt5-1 seq=1 at=1970-01-01T00:00:01Z "
        "correlation_id=report-1500-0\n"
        "move instance mt5-1 - crashed\n"
        "event instance_failed instance_id=mt5-1 seq=2 at=1970-01-01T00:00:01Z to=crashed "
        "reason=lost correlation_id=report-1500-0\n"
        "move instance mt5-1 running -\n"
        "move instance mt5-1 stopped -\n"
        "move instance mt5-1 restarting -\n"
        "event instance_degraded instance_id=mt5-1 seq=3 at=1970-01-01T00:00:01Z from=healthy to=critical "
        "reason=it has crashed correlation_id=report-1500-0\n"
        "set instance mt5-1 active_connections=1e1 broker_id=b1 host_id=h1 state=crashed launch_mode=manual "
        "state_changed_at=1970-01-01T00:00:01Z last_updated_at=1970-01-01T00:00:01Z\n"
        "set metrics mt5-1 cpu_usage=12.50 last_updated_at=1970-01-01T00:00:01Z\n"
        "set health mt5-1 uptime_seconds=7 restart_count=3 health_status=critical last_error=lost "
        "reported_health=warning failed_restarts=0 recovery_attempts=0 "
        "last_updated_at=1970-01-01T00:00:01Z\n");
}

static const struct {
    const char *text, *reason;
} refused_first_reports[] = {
    {"state=running", "reject report-5-0 broker_id: required in the first report\n"},
    {"broker_id=b1", "reject report-5-0 state: required in the first report\n"},
    {"cpu_usage=5", "reject report-5-0 broker_id: required in the first report\n"},
};

static void test_first_report_needs_broker_and_state(void **state)
{
    struct fleet_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(refused_first_reports); i++) {
        assert_false(fixture_report(f, 5, "mt5-1", refused_first_reports[i].text));
        assert_recorded(&f->recorder, refused_first_reports[i].reason);
        assert_null(fleet_find(&f->fleet, slice_text("mt5-1")));
    }
}

static void test_first_report_beyond_the_limit_is_rejected(void **state)
{
    struct fleet_fixture *f = *state;

    f->fleet.options.max = 1;
    (void)fixture_register(f, 1, "mt5-1", "running");
    assert_false(fixture_report(f, 5, "mt5-2", "broker_id=b1 state=running"));
    assert_recorded(&f->recorder, "reject report-5-0 instance_id: instances.max is reached\n");
    assert_true(fixture_report(f, 6, "mt5-1", "broker_id=b1"));
    fleet_remove(&f->fleet, fleet_find(&f->fleet, slice_text("mt5-1")), slice_text(""),
                 &(struct cause){CAUSE_OPERATOR, {7, 0}}, 7, f->sink);
    assert_true(fixture_report(f, 8, "mt5-2", "broker_id=b1 state=running"));
}

static void test_report_of_nothing_new_writes_nothing_within_the_second(void **state)
{
    struct fleet_fixture *f = *state;

    assert_true(fixture_report(f, 1000, "mt5-1", "broker_id=b1 state=running cpu_usage=5 last_error=x"));
    recording_sink_reset(&f->recorder);
    assert_true(fixture_report(f, 1999, "mt5-1", "broker_id=b1 state=running cpu_usage=5.0 last_error=x"));
    assert_recorded(&f->recorder, "");
}

static const struct {
    const char *text, *recorded;
} updates[] = {
    {"", "set instance mt5-1 last_updated_at=1970-01-01T00:00:02Z\n"},
    {"state=running", "set instance mt5-1 last_updated_at=1970-01-01T00:00:02Z\n"},
    {"broker_id=b2", "set instance mt5-1 broker_id=b2 last_updated_at=1970-01-01T00:00:02Z\n"},
    {"host_id=h2", "set instance mt5-1 host_id=h2 last_updated_at=1970-01-01T00:00:02Z\n"},
    {"launch_mode=manual", "set instance mt5-1 launch_mode=manual last_updated_at=1970-01-01T00:00:02Z\n"},
    {"active_connections=3",
     "set instance mt5-1 active_connections=3 last_updated_at=1970-01-01T00:00:02Z\n"},
    {"memory_usage=7", "set instance mt5-1 last_updated_at=1970-01-01T00:00:02Z\n"
                       "set metrics mt5-1 memory_usage=7 last_updated_at=1970-01-01T00:00:02Z\n"},
    {"disk_usage=4", "set instance mt5-1 last_updated_at=1970-01-01T00:00:02Z\n"
                     "set metrics mt5-1 last_updated_at=1970-01-01T00:00:02Z\n"},
    {"restart_count=2", "set instance mt5-1 last_updated_at=1970-01-01T00:00:02Z\n"
                        "set health mt5-1 restart_count=2 last_updated_at=1970-01-01T00:00:02Z\n"},
    {"last_error=bad", "set instance mt5-1 last_updated_at=1970-01-01T00:00:02Z\n"
                       "set health mt5-1 last_error=bad last_updated_at=1970-01-01T00:00:02Z\n"},
    {"last_error=", "set instance mt5-1 last_updated_at=1970-01-01T00:00:02Z\n"
                    "set health mt5-1 last_updated_at=1970-01-01T00:00:02Z\n"},
    {"health_status=healthy",
     "set instance mt5-1 last_updated_at=1970-01-01T00:00:02Z\n"
     "set health mt5-1 reported_health=healthy last_updated_at=1970-01-01T00:00:02Z\n"},
};

static void test_report_writes_only_what_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(updates); i++) {
        struct fleet_fixture f;

        fleet_fixture_init(&f);
        assert_true(fixture_report(&f, 1000, "mt5-1", "broker_id=b1 state=running disk_usage=4"));
        recording_sink_reset(&f.recorder);
        assert_true(fixture_report(&f, 2000, "mt5-1", updates[i].text));
        assert_recorded(&f.recorder, updates[i].recorded);
        fleet_fixture_clear(&f);
    }
}

static void test_last_error_is_replaced_and_cleared(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "running");

    assert_true(fixture_report(f, 1000, "mt5-1", "last_error=one"));
    assert_string_equal(instance->last_error, "one");
    assert_true(fixture_report(f, 1000, "mt5-1", "last_error=two"));
    assert_string_equal(instance->last_error, "two");
    assert_true(fixture_report(f, 1000, "mt5-1", "last_error="));
    assert_null(instance->last_error);
    assert_recorded(&f->recorder, "set health mt5-1 last_error=one\nset health mt5-1 last_error=two\n"
                                  "set health mt5-1 last_error=\n");
}

static void test_uptime_is_derived_and_stored_each_ten_seconds(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "running");

    assert_true(fixture_report(f, 10999, "mt5-1", ""));
    assert_int_equal(recording_sink_count(&f->recorder, "set health"), 0);
    assert_true(fixture_report(f, 11000, "mt5-1", ""));
    assert_non_null(recording_sink_find(&f->recorder, "set health mt5-1 uptime_seconds=10 last_updated_at"));
    recording_sink_reset(&f->recorder);
    assert_true(fixture_report(f, 20999, "mt5-1", ""));
    assert_int_equal(recording_sink_count(&f->recorder, "set health"), 0);
    assert_true(fixture_report(f, 22499, "mt5-1", ""));
    assert_non_null(recording_sink_find(&f->recorder, "set health mt5-1 uptime_seconds=21 last_updated_at"));
    recording_sink_reset(&f->recorder);
    assert_true(instance_uptime_seconds(instance, 22600) == 21);
    assert_true(fixture_report(f, 22600, "mt5-1", "state=stopped"));
    assert_non_null(recording_sink_find(&f->recorder, "set health mt5-1 uptime_seconds=0"));
    assert_true(instance_uptime_seconds(instance, 99999) == 0);
    recording_sink_reset(&f->recorder);
    assert_true(fixture_report(f, 30000, "mt5-1", "state=running"));
    assert_true(fixture_report(f, 39999, "mt5-1", ""));
    assert_int_equal(recording_sink_count(&f->recorder, "set health"), 0);
    assert_true(fixture_report(f, 40000, "mt5-1", ""));
    assert_non_null(recording_sink_find(&f->recorder, "set health mt5-1 uptime_seconds=10"));
}

static void test_uptime_that_is_reported_is_not_derived(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "running");

    assert_true(fixture_report(f, 2000, "mt5-1", "uptime_seconds=500.5"));
    assert_true(fixture_report(f, 60000, "mt5-1", "state=stopped"));
    assert_true(instance_uptime_seconds(instance, 70000) == 500.5);
    assert_int_equal(recording_sink_count(&f->recorder, "set health mt5-1 uptime_seconds"), 1);
}

static void test_health_is_the_worst_of_report_and_state(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "running");

    assert_true(fixture_report(f, 1000, "mt5-1", "health_status=warning"));
    assert_recorded(
        &f->recorder,
        "event instance_degraded instance_id=mt5-1 seq=3 at=1970-01-01T00:00:01Z from=healthy to=warning "
        "reason=reported by the agent correlation_id=report-1000-0\n"
        "set health mt5-1 health_status=warning reported_health=warning\n");
    assert_true(fixture_report(f, 1000, "mt5-1", "state=crashed"));
    assert_int_equal(instance->health, HEALTH_CRITICAL);
    assert_int_equal(recording_sink_count(&f->recorder, "event instance_degraded"), 1);
    assert_non_null(recording_sink_find(&f->recorder, "set health mt5-1 health_status=critical"));
    recording_sink_reset(&f->recorder);
    assert_true(fixture_report(f, 1000, "mt5-1", "health_status=healthy"));
    assert_recorded(&f->recorder, "set health mt5-1 reported_health=healthy\n");
    assert_true(fixture_report(f, 1000, "mt5-1", "state=running"));
    assert_int_equal(instance->health, HEALTH_HEALTHY);
    assert_non_null(recording_sink_find(&f->recorder, "set health mt5-1 health_status=healthy"));
    assert_int_equal(recording_sink_count(&f->recorder, "event instance_degraded"), 0);
}

static void test_load_score_follows_what_is_known(void **state)
{
    struct fleet_fixture *f = *state;

    (void)fixture_register(f, 1000, "mt5-1", "running");
    assert_true(fixture_report(f, 1000, "mt5-1", "cpu_usage=25"));
    assert_true(fixture_report(f, 1000, "mt5-1", "cpu_usage=25.0"));
    assert_true(fixture_report(f, 1000, "mt5-1", "load_average=1.5"));
    assert_true(fixture_report(f, 1000, "mt5-1", "cpu_usage=99"));
    assert_recorded_only(&f->recorder, "load", "load mt5-1 0.25\nload mt5-1 1.5\n");
    assert_true(fixture_report(f, 1000, "mt5-1", "state=stopped load_average=2"));
    assert_true(fixture_report(f, 1000, "mt5-1", "load_average=3"));
    assert_int_equal(recording_sink_count(&f->recorder, "load"), 0);
    assert_recorded_only(&f->recorder, "unload", "unload mt5-1\n");
    assert_true(fixture_report(f, 1000, "mt5-1", "state=running"));
    assert_recorded_only(&f->recorder, "load", "load mt5-1 3\n");
}

static void test_report_marks_the_batch(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance;

    f->fleet.batch = 7;
    instance = fixture_register(f, 1000, "mt5-1", "running");
    assert_int_equal(instance->batch, 7);
    f->fleet.batch = 8;
    assert_true(fixture_report(f, 1000, "mt5-1", ""));
    assert_int_equal(instance->batch, 8);
    f->fleet.batch = 9;
    fleet_on_heartbeat(&f->fleet, slice_text("mt5-1"), 1000);
    assert_int_equal(instance->batch, 8); /* a sign of life writes nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_report_stores_everything_that_has_a_value, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_first_report_stores_what_it_brings_as_it_was_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_first_report_needs_broker_and_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_report_beyond_the_limit_is_rejected, setup, teardown),
        cmocka_unit_test_setup_teardown(test_report_of_nothing_new_writes_nothing_within_the_second, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_report_writes_only_what_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last_error_is_replaced_and_cleared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uptime_is_derived_and_stored_each_ten_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uptime_that_is_reported_is_not_derived, setup, teardown),
        cmocka_unit_test_setup_teardown(test_health_is_the_worst_of_report_and_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load_score_follows_what_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_report_marks_the_batch, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
