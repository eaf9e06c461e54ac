/* Instances made known by what Redis holds: loaded at start, or registered because others have written them.
 */
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

static struct instance_record record_with(const char *text)
{
    struct instance_record record = record_empty();

    record_write(&record, text);
    return record;
}

static bool load(struct fleet_fixture *f, const char *id, const struct instance_record *record,
                 enum instance_state indexed)
{
    return fleet_load(&f->fleet, slice_text(id), record, indexed, 7, 50000);
}

static void test_fleet_load_takes_everything_and_tells_nobody(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = record_with(
        "broker_id=b1 host_id=h1 state=restarting launch_mode=manual cpu_usage=40 uptime_seconds=9 "
        "restart_count=4 active_connections=2 last_error=x health_status=warning");
    struct instance *instance;

    record.has_previous_state = record.has_desired_state = record.has_state_changed = true;
    record.previous_state = STATE_CRASHED;
    record.desired_state = STATE_STOPPED;
    record.state_changed_ms = 30000;
    record.has_reported_health = record.has_failed_restarts = record.has_recovery_attempts = true;
    record.reported_health = HEALTH_WARNING;
    record.failed_restarts = 3;
    record.recovery_attempts = 2;
    record.updated_s[RECORD_INSTANCE] = 40;
    record.updated_s[RECORD_METRICS] = 41;
    record.updated_s[RECORD_HEALTH] = 42;
    assert_true(load(f, "mt5-1", &record, STATE_RESTARTING));
    assert_recorded(&f->recorder, "");

    instance = fleet_find(&f->fleet, slice_text("mt5-1"));
    assert_true(slice_is(ident_slice(&instance->broker_id), "b1"));
    assert_true(slice_is(ident_slice(&instance->host_id), "h1"));
    assert_int_equal(instance->state, STATE_RESTARTING);
    assert_int_equal(instance->previous_state, STATE_CRASHED);
    assert_int_equal(instance->desired_state, STATE_STOPPED);
    assert_int_equal(instance->launch_mode, LAUNCH_MANUAL);
    assert_int_equal(instance->health, HEALTH_WARNING);
    assert_int_equal(instance->reported_health, HEALTH_WARNING);
    assert_true(instance->was_crashed);
    assert_true(instance->number[REPORT_CPU_USAGE] == 40);
    assert_int_equal(instance->sampled_ms[REPORT_CPU_USAGE], 41000);
    assert_true(instance->number[REPORT_RESTART_COUNT] == 4);
    assert_int_equal(instance->state_changed_ms, 30000);
    assert_int_equal(instance->seen_ms, 50000);
    assert_int_equal(instance->seq, 7);
    assert_int_equal(instance->failed_restarts, 3);
    assert_int_equal(instance->recovery_attempts, 2);
    assert_string_equal(instance->last_error, "x");
    assert_int_equal(f->fleet.by_state[STATE_RESTARTING], 1);
    assert_int_equal(f->fleet.stats.registered, 0);
    assert_int_equal(fleet_adopt(&f->fleet, slice_text("mt5-1"), &record, true,
                                 &(struct cause){CAUSE_ADOPTED, {50000, 0}}, 50000, f->sink),
                     ADOPT_NOTHING);
    assert_recorded(&f->recorder, "");
}

static const struct {
    const char *id, *text;
    enum instance_state indexed;
    int state; /* -2: not loaded */
} rows[] = {
    {"a", "broker_id=b1 state=running", STATE_NONE, STATE_RUNNING},
    {"a", "broker_id=b1 state=running", STATE_CRASHED, STATE_CRASHED},
    {"a", "broker_id=b1", STATE_STOPPED, STATE_STOPPED},
    {"a", "broker_id=b1", STATE_NONE, -2},
    {"a", "state=running", STATE_RUNNING, -2},
    {"-a", "broker_id=b1 state=running", STATE_RUNNING, -2},
};

static void test_fleet_load_of_what_is_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fleet_fixture f;
        struct instance_record record = record_with(rows[i].text);

        fleet_fixture_init(&f);
        assert_int_equal(load(&f, rows[i].id, &record, rows[i].indexed), rows[i].state != -2);
        if (rows[i].state != -2)
            assert_int_equal(fleet_find(&f.fleet, slice_text(rows[i].id))->state, rows[i].state);
        else
            assert_int_equal(f.fleet.count, 0);
        fleet_fixture_clear(&f);
    }
}

static void test_fleet_load_of_a_known_one_changes_nothing(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = record_with("broker_id=b2 state=crashed");

    (void)fixture_register(f, 1000, "a", "running");
    assert_true(load(f, "a", &record, STATE_CRASHED));
    assert_int_equal(f->fleet.count, 1);
    assert_int_equal(fleet_find(&f->fleet, slice_text("a"))->state, STATE_RUNNING);
}

/* ---- following another daemon ---- */

static void test_fleet_load_again_takes_what_is_there_now(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = record_with("broker_id=b2 state=crashed cpu_usage=30");
    struct instance *instance;
    uint32_t place, generation;

    assert_true(fleet_load_again(&f->fleet, slice_text("a"), &record, STATE_CRASHED, 7, 50000)); /* new */
    (void)fixture_register(f, 1000, "b", "running");
    instance = fixture_register(f, 1000, "c", "running");
    place = fleet_index_of(&f->fleet, instance);
    generation = instance->generation;
    record = record_with("broker_id=b3 state=stopped queue_length=4");
    assert_true(fleet_load_again(&f->fleet, slice_text("c"), &record, STATE_STOPPED, 9, 50000));
    assert_recorded(&f->recorder, "");
    instance = fleet_find(&f->fleet, slice_text("c"));
    assert_int_equal(fleet_index_of(&f->fleet, instance), place);
    assert_int_equal(instance->generation, generation);
    assert_int_equal(instance->state, STATE_STOPPED);
    assert_int_equal(instance->seq, 9);
    assert_true(slice_is(ident_slice(&instance->broker_id), "b3"));
    assert_int_equal(f->fleet.by_state[STATE_RUNNING], 1);
    /* What names no instance is one that is gone. */
    record = record_empty();
    assert_false(fleet_load_again(&f->fleet, slice_text("c"), &record, STATE_NONE, 0, 50000));
    assert_null(fleet_find(&f->fleet, slice_text("c")));
    assert_false(fleet_load_again(&f->fleet, slice_text("c"), &record, STATE_NONE, 0, 50000));
    assert_int_equal(f->fleet.count, 2);
}

static void test_fleet_load_numbers_takes_numbers_alone(void **state)
{
    static const char *const others[] = {"broker_id=b9 cpu_usage=1", "state=crashed", "last_error=x",
                                         "health_status=warning"};
    struct fleet_fixture *f = *state;
    struct instance_record record = record_with("cpu_usage=40 active_connections=3");
    struct instance *instance = fixture_register(f, 1000, "a", "running");

    record.updated_s[RECORD_METRICS] = 41;
    assert_true(fleet_load_numbers(&f->fleet, slice_text("a"), &record));
    assert_true(instance->number[REPORT_CPU_USAGE] == 40);
    assert_int_equal(instance->sampled_ms[REPORT_CPU_USAGE], 41000);
    assert_int_equal(instance->record_updated_s[RECORD_METRICS], 41);
    assert_int_equal(instance->seen_ms, 41000);
    assert_true(instance->load_score == 0.4);
    assert_true(instance->number[REPORT_ACTIVE_CONNECTIONS] == 3);
    assert_int_equal(instance->sampled_ms[REPORT_ACTIVE_CONNECTIONS], 1000);
    assert_recorded(&f->recorder, "");
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        record = record_with(others[i]);
        assert_false(fleet_load_numbers(&f->fleet, slice_text("a"), &record));
    }
    record = record_empty();
    record.has_desired_state = true;
    assert_false(fleet_load_numbers(&f->fleet, slice_text("a"), &record));
    record = record_with("cpu_usage=50");
    assert_false(fleet_load_numbers(&f->fleet, slice_text("nobody"), &record));
    assert_true(instance->number[REPORT_CPU_USAGE] == 40);
    instance->record_updated_s[RECORD_METRICS] = -1; /* it never said when */
    assert_true(fleet_load_numbers(&f->fleet, slice_text("a"), &record));
    assert_int_equal(instance->sampled_ms[REPORT_CPU_USAGE], 0);
}

static void test_fleet_load_in_any_order_keeps_deadlines_in_order(void **state)
{
    struct fleet_fixture *f = *state;
    static const int64_t changed_ms[] = {30000, 10000, 20000};
    static const char *const ids[] = {"a", "b", "c"};

    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct instance_record record = record_with("broker_id=b1 state=restarting");

        record.has_state_changed = true;
        record.state_changed_ms = changed_ms[i];
        assert_true(load(f, ids[i], &record, STATE_NONE));
    }
    assert_int_equal(fleet_next_deadline(&f->fleet), 130001);
}

static void test_fleet_load_takes_no_time_to_come(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = record_with("broker_id=b1 state=restarting");

    record.has_state_changed = true;
    record.state_changed_ms = 253402300799000;
    assert_true(load(f, "a", &record, STATE_NONE));
    assert_int_equal(fleet_find(&f->fleet, slice_text("a"))->state_changed_ms, 50000);
}

static void test_fleet_load_knows_what_is_in_the_load_index(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record running = record_with("broker_id=b1 state=running cpu_usage=30");

    assert_true(load(f, "a", &running, STATE_RUNNING));
    assert_true(fixture_report(f, 51000, "a", "cpu_usage=30"));
    assert_int_equal(recording_sink_count(&f->recorder, "load"), 0);
    assert_true(fixture_report(f, 51000, "a", "state=stopped"));
    assert_recorded_only(&f->recorder, "unload", "unload a\n");
}

static struct cause cause = {CAUSE_ADOPTED, {5000, 1}};

static enum adopt_result adopt(struct fleet_fixture *f, const struct instance_record *record, bool follow)
{
    return fleet_adopt(&f->fleet, slice_text("mt5-1"), record, follow, &cause, 5000, f->sink);
}

static struct instance *known(struct fleet_fixture *f)
{
    return fleet_find(&f->fleet, slice_text("mt5-1"));
}

static void test_adopt_registers_an_unknown_instance_and_writes_what_is_missing(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = record_empty();

    record_write(&record, "broker_id=b1 state=running active_connections=5 cpu_usage=30 restart_count=2");
    record.updated_s[RECORD_INSTANCE] = 4;
    assert_int_equal(adopt(f, &record, true), ADOPT_REGISTERED);
    assert_recorded(&f->recorder,
                    "event instance_registered instance_id=mt5-1 seq=1 at=1970-01-01T00:00:05Z "
                    "correlation_id=adopted-5000-1\n"
                    "move instance mt5-1 - running\n"
                    "event instance_started instance_id=mt5-1 seq=2 at=1970-01-01T00:00:05Z to=running "
                    "correlation_id=adopted-5000-1\n"
                    "load mt5-1 0.3\n"
                    "set instance mt5-1 launch_mode=auto state_changed_at=1970-01-01T00:00:05Z\n"
                    "set metrics mt5-1 last_updated_at=1970-01-01T00:00:05Z\n"
                    "set health mt5-1 uptime_seconds=0 health_status=healthy last_error= failed_restarts=0 "
                    "recovery_attempts=0 last_updated_at=1970-01-01T00:00:05Z\n");
    assert_true(known(f)->restarts_reported);
    assert_false(known(f)->uptime_reported);
    assert_int_equal(f->fleet.stats.registered, 1);
}

static void test_adopt_refuses_what_cannot_be_registered(void **state)
{
    static const char *const texts[] = {"state=running", "broker_id=b1", "cpu_usage=5"};
    struct fleet_fixture *f = *state;
    struct instance_record record;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        record = record_empty();
        record_write(&record, texts[i]);
        assert_int_equal(adopt(f, &record, true), ADOPT_REFUSED);
    }
    record = record_empty();
    record_write(&record, "broker_id=b1 state=running");
    assert_int_equal(adopt(f, &record, false), ADOPT_REFUSED);
    assert_int_equal(fleet_adopt(&f->fleet, slice_text("a:b"), &record, true, &cause, 5000, f->sink),
                     ADOPT_REFUSED);
    f->fleet.options.max = 0;
    assert_int_equal(adopt(f, &record, true), ADOPT_REFUSED);
    assert_recorded(&f->recorder, "");
    assert_int_equal(f->fleet.count, 0);
}

/* The health of a hash that the daemon itself has written is not what the agent reported. */
static void test_adopt_of_an_unknown_instance_takes_the_health_of_others_as_reported(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = record_empty();

    record_write(&record, "broker_id=b1 state=running health_status=critical");
    assert_int_equal(adopt(f, &record, true), ADOPT_REGISTERED);
    assert_int_equal(known(f)->reported_health, HEALTH_CRITICAL);
    assert_int_equal(known(f)->health, HEALTH_CRITICAL);
    fleet_reset(&f->fleet);
    record.has_failed_restarts = true;
    assert_int_equal(adopt(f, &record, true), ADOPT_REGISTERED);
    assert_int_equal(known(f)->health, HEALTH_HEALTHY);
    fleet_reset(&f->fleet);
    record.has_failed_restarts = false;
    record.has_reported_health = true;
    record.reported_health = HEALTH_WARNING;
    assert_int_equal(adopt(f, &record, true), ADOPT_REGISTERED);
    assert_int_equal(known(f)->health, HEALTH_WARNING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fleet_load_takes_everything_and_tells_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_load_of_what_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_load_of_a_known_one_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_load_again_takes_what_is_there_now, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_load_numbers_takes_numbers_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_load_in_any_order_keeps_deadlines_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_fleet_load_takes_no_time_to_come, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_load_knows_what_is_in_the_load_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_registers_an_unknown_instance_and_writes_what_is_missing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_refuses_what_cannot_be_registered, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_adopt_of_an_unknown_instance_takes_the_health_of_others_as_reported, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
