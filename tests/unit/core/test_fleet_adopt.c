/* What others have written to a known instance: followed or put back. */
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

static struct cause cause = {CAUSE_ADOPTED, {5000, 1}};

/* An instance that runs since 1000 with a cpu_usage, and what Redis holds of it. */
static struct instance_record known_record(struct fleet_fixture *f)
{
    struct instance *instance;

    (void)fixture_register(f, 1000, "mt5-1", "running");
    (void)fixture_report(f, 1000, "mt5-1", "cpu_usage=40 host_id=h1 health_status=healthy last_error=x");
    recording_sink_reset(&f->recorder);
    instance = fleet_find(&f->fleet, slice_text("mt5-1"));
    return record_of(instance);
}

static enum adopt_result adopt(struct fleet_fixture *f, const struct instance_record *record, bool follow)
{
    return fleet_adopt(&f->fleet, slice_text("mt5-1"), record, follow, &cause, 5000, f->sink);
}

static struct instance *known(struct fleet_fixture *f)
{
    return fleet_find(&f->fleet, slice_text("mt5-1"));
}

static void test_adopt_of_no_difference_does_nothing(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = known_record(f);

    f->fleet.batch = 9;
    assert_int_equal(adopt(f, &record, true), ADOPT_NOTHING);
    assert_int_equal(adopt(f, &record, false), ADOPT_NOTHING);
    assert_recorded(&f->recorder, "");
    assert_int_equal(known(f)->seen_ms, 1000);
    assert_int_equal(known(f)->batch, 0);
}

/* What an instance is, as a record, makes the same one where it is loaded. */
static void test_record_of_an_instance_is_all_of_it(void **state)
{
    struct fleet_fixture *f = *state, other;
    struct instance_record record;
    const struct instance *loaded;

    (void)known_record(f);
    instance_record_of(known(f), &record);
    fleet_fixture_init(&other);
    assert_true(fleet_load(&other.fleet, slice_text("mt5-1"), &record, STATE_NONE, 3, 5000));
    loaded = known(&other);
    assert_int_equal(loaded->state, STATE_RUNNING);
    assert_true(slice_is(ident_slice(&loaded->host_id), "h1"));
    assert_string_equal(loaded->last_error, "x");
    assert_true(loaded->number[REPORT_CPU_USAGE] == 40);
    fleet_fixture_clear(&other);
}

/* A HSET of one field: nothing is written but what follows from it, and with FOLLOW false it is put back. */
static const struct {
    const char *text, *followed, *put_back;
} writes[] = {
    {"cpu_usage=50", "load mt5-1 0.5\n", "set metrics mt5-1 cpu_usage=40\n"},
    {"queue_length=3", "", "unset metrics mt5-1 queue_length\n"},
    {"active_connections=3", "", "set instance mt5-1 active_connections=0\n"},
    {"broker_id=b2", "", "set instance mt5-1 broker_id=b1\n"},
    {"host_id=h2", "", "set instance mt5-1 host_id=h1\n"},
    {"launch_mode=manual", "", "set instance mt5-1 launch_mode=auto\n"},
    {"last_error=bad", "", "set health mt5-1 last_error=x\n"},
    {"restart_count=5", "", "set health mt5-1 restart_count=0\n"},
    {"uptime_seconds=77", "", "set health mt5-1 uptime_seconds=0\n"},
    {"health_status=warning",
     "event instance_degraded instance_id=mt5-1 seq=3 at=1970-01-01T00:00:05Z from=healthy to=warning "
     "reason=written by others correlation_id=adopted-5000-1\n"
     "set health mt5-1 reported_health=warning last_updated_at=1970-01-01T00:00:05Z\n",
     "set health mt5-1 health_status=healthy\n"},
    {"state=stopped",
     "move instance mt5-1 running stopped\n"
     "event instance_stopped instance_id=mt5-1 seq=3 at=1970-01-01T00:00:05Z from=running to=stopped "
     "reason=written "
     "by others correlation_id=adopted-5000-1\n"
     "unload mt5-1\n"
     "set instance mt5-1 previous_state=running state_changed_at=1970-01-01T00:00:05Z "
     "last_updated_at=1970-01-01T00:00:05Z\n",
     "set instance mt5-1 state=running\n"},
};

static void test_adopt_follows_a_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        struct fleet_fixture f;
        struct instance_record record;

        fleet_fixture_init(&f);
        record = known_record(&f);
        record_write(&record, writes[i].text);
        f.fleet.batch = 9;
        assert_int_equal(adopt(&f, &record, true), ADOPT_FOLLOWED);
        assert_recorded(&f.recorder, writes[i].followed);
        assert_int_equal(known(&f)->seen_ms, 5000);
        assert_int_equal(known(&f)->batch, 9);
        record = record_of(known(&f));
        assert_int_equal(adopt(&f, &record, true), ADOPT_NOTHING);
        fleet_fixture_clear(&f);
    }
}

static void test_adopt_puts_a_write_back_where_it_is_not_followed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        struct fleet_fixture f;
        struct instance_record record;

        fleet_fixture_init(&f);
        record = known_record(&f);
        record_write(&record, writes[i].text);
        assert_int_equal(adopt(&f, &record, false), ADOPT_REPAIRED);
        assert_recorded(&f.recorder, writes[i].put_back);
        assert_int_equal(known(&f)->seen_ms, 1000);
        fleet_fixture_clear(&f);
    }
}

static void test_adopt_follows_where_a_report_would_be_refused(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = record_of(fixture_register(f, 1000, "mt5-1", "stopped"));

    record_write(&record, "state=crashed");
    assert_int_equal(adopt(f, &record, true), ADOPT_FOLLOWED);
    assert_recorded(
        &f->recorder,
        "move instance mt5-1 stopped crashed\n"
        "event instance_failed instance_id=mt5-1 seq=2 at=1970-01-01T00:00:05Z from=stopped to=crashed "
        "reason=written by others correlation_id=adopted-5000-1\n"
        "event instance_degraded instance_id=mt5-1 seq=3 at=1970-01-01T00:00:05Z from=healthy "
        "to=critical reason=it has crashed correlation_id=adopted-5000-1\n"
        "set instance mt5-1 previous_state=stopped state_changed_at=1970-01-01T00:00:05Z "
        "last_updated_at=1970-01-01T00:00:05Z\n"
        "set health mt5-1 health_status=critical last_updated_at=1970-01-01T00:00:05Z\n");
    assert_int_equal(f->refused_count, 0);
    assert_int_equal(f->fleet.stats.refused[STATE_STOPPED][STATE_CRASHED], 0);
}

static void test_adopt_puts_an_invalid_value_back_to_the_last_good_one(void **state)
{
    static const struct {
        enum report_field field;
        const char *put_back;
    } rows[] = {
        {REPORT_CPU_USAGE, "set metrics mt5-1 cpu_usage=40\n"},
        {REPORT_QUEUE_LENGTH, "unset metrics mt5-1 queue_length\n"},
        {REPORT_STATE, "set instance mt5-1 state=running\n"},
        {REPORT_BROKER_ID, "set instance mt5-1 broker_id=b1\n"},
        {REPORT_HOST_ID, "set instance mt5-1 host_id=h1\n"},
        {REPORT_LAUNCH_MODE, "set instance mt5-1 launch_mode=auto\n"},
        {REPORT_HEALTH_STATUS, "set health mt5-1 health_status=healthy\n"},
        {REPORT_RESTART_COUNT, "set health mt5-1 restart_count=0\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fleet_fixture f;
        struct instance_record record;

        fleet_fixture_init(&f);
        record = known_record(&f);
        record_spoil(&record, rows[i].field);
        assert_int_equal(adopt(&f, &record, true), ADOPT_REPAIRED);
        assert_recorded(&f.recorder, rows[i].put_back);
        assert_int_equal(known(&f)->seen_ms, 1000);
        fleet_fixture_clear(&f);
    }
}

static void test_adopt_takes_a_value_in_another_spelling_and_writes_it_as_it_should_be(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = known_record(f);

    record_write(&record, "state=FAILED");
    record.invalid |= 1U << REPORT_STATE;
    assert_int_equal(adopt(f, &record, true), ADOPT_FOLLOWED);
    assert_int_equal(known(f)->state, STATE_CRASHED);
    assert_non_null(
        recording_sink_find(&f->recorder, "set instance mt5-1 state=crashed previous_state=running"));
}

static void test_adopt_follows_and_repairs_at_once(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = known_record(f);

    record_write(&record, "broker_id=b2");
    record_spoil(&record, REPORT_CPU_USAGE);
    assert_int_equal(adopt(f, &record, true), ADOPT_FOLLOWED);
    assert_recorded(&f->recorder, "set metrics mt5-1 cpu_usage=40\n");
    assert_true(slice_is(ident_slice(&known(f)->broker_id), "b2"));
}

static void test_adopt_writes_missing_fields_again(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = known_record(f);

    record_lose(&record, REPORT_LAUNCH_MODE);
    record_lose(&record, REPORT_CPU_USAGE);
    record.has_failed_restarts = false;
    record.has_reported_health = false;
    record.updated_s[RECORD_INSTANCE] = -1;
    assert_int_equal(adopt(f, &record, true), ADOPT_REPAIRED);
    assert_recorded(&f->recorder, "set instance mt5-1 launch_mode=auto last_updated_at=1970-01-01T00:00:01Z\n"
                                  "set metrics mt5-1 cpu_usage=40\n"
                                  "set health mt5-1 reported_health=healthy failed_restarts=0\n");
}

static void test_adopt_writes_a_record_that_is_gone_again(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = record_empty();

    (void)known_record(f);
    assert_int_equal(adopt(f, &record, true), ADOPT_REPAIRED);
    assert_recorded(
        &f->recorder,
        "set instance mt5-1 active_connections=0 broker_id=b1 host_id=h1 state=running launch_mode=auto "
        "state_changed_at=1970-01-01T00:00:01Z last_updated_at=1970-01-01T00:00:01Z\n"
        "set metrics mt5-1 cpu_usage=40 last_updated_at=1970-01-01T00:00:01Z\n"
        "set health mt5-1 uptime_seconds=0 restart_count=0 health_status=healthy last_error=x "
        "reported_health=healthy failed_restarts=0 recovery_attempts=0 "
        "last_updated_at=1970-01-01T00:00:01Z\n");
}

static void test_adopt_puts_the_own_fields_back(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = known_record(f);

    record.has_previous_state = true;
    record.previous_state = STATE_STOPPED;
    record.has_desired_state = true;
    record.desired_state = STATE_STOPPED;
    record.state_changed_ms = 99000;
    record.reported_health = HEALTH_CRITICAL;
    record.failed_restarts = 5;
    record.recovery_attempts = 6;
    assert_int_equal(adopt(f, &record, true), ADOPT_REPAIRED);
    assert_recorded(&f->recorder,
                    "set instance mt5-1 state_changed_at=1970-01-01T00:00:01Z\n"
                    "set health mt5-1 reported_health=healthy failed_restarts=0 recovery_attempts=0\n"
                    "unset instance mt5-1 previous_state desired_state\n");
}

/* Regression: each jump of Redis' clock was told as a write by others, once for every instance. */
static void test_adopt_writes_a_shifted_time_again_as_its_own(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = known_record(f);

    fleet_shift_times(&f->fleet, 7000);
    assert_int_equal(adopt(f, &record, true), ADOPT_NOTHING);
    assert_recorded(&f->recorder, "set instance mt5-1 state_changed_at=1970-01-01T00:00:08Z\n");
    recording_sink_reset(&f->recorder);
    assert_int_equal(adopt(f, &record, true), ADOPT_REPAIRED);
    assert_recorded(&f->recorder, "set instance mt5-1 state_changed_at=1970-01-01T00:00:08Z\n");
}

static void test_adopt_tells_what_others_spoilt_besides_a_shifted_time(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = known_record(f);

    fleet_shift_times(&f->fleet, 7000);
    record_lose(&record, REPORT_LAUNCH_MODE);
    assert_int_equal(adopt(f, &record, true), ADOPT_REPAIRED);
    assert_recorded(&f->recorder,
                    "set instance mt5-1 launch_mode=auto state_changed_at=1970-01-01T00:00:08Z\n");
}

static void test_adopt_accepts_last_updated_at_and_takes_it_for_a_sample(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = known_record(f);

    record.updated_s[RECORD_METRICS] = 4;
    assert_int_equal(adopt(f, &record, true), ADOPT_FOLLOWED);
    assert_recorded(&f->recorder, "");
    assert_int_equal(known(f)->record_updated_s[RECORD_METRICS], 4);
    assert_int_equal(known(f)->sampled_ms[REPORT_CPU_USAGE], 5000);
    assert_int_equal(known(f)->sampled_ms[REPORT_ACTIVE_CONNECTIONS], 1000);
    assert_int_equal(known(f)->seen_ms, 5000);
}

static void test_adopt_makes_a_first_metrics_hash_whole(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = record_of(fixture_register(f, 1000, "mt5-1", "running"));

    record_write(&record, "disk_usage=5");
    assert_int_equal(adopt(f, &record, true), ADOPT_FOLLOWED);
    assert_recorded(&f->recorder, "set metrics mt5-1 last_updated_at=1970-01-01T00:00:05Z\n");
}

static void test_adopt_keeps_a_crashed_instance_critical(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = record_of(fixture_register(f, 1000, "mt5-1", "crashed"));

    record_write(&record, "health_status=healthy");
    assert_int_equal(adopt(f, &record, true), ADOPT_FOLLOWED);
    assert_recorded(&f->recorder, "set health mt5-1 health_status=critical reported_health=healthy\n");
}

static void test_adopt_counts_a_restart_that_is_not_reported(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = record_of(fixture_register(f, 1000, "mt5-1", "restarting"));

    record_write(&record, "state=running");
    assert_int_equal(adopt(f, &record, true), ADOPT_FOLLOWED);
    assert_non_null(recording_sink_find(&f->recorder, "set health mt5-1 restart_count=1"));
    record = record_of(known(f));
    record_write(&record, "state=restarting restart_count=7");
    assert_int_equal(adopt(f, &record, true), ADOPT_FOLLOWED);
    record = record_of(known(f));
    record_write(&record, "state=running");
    assert_int_equal(adopt(f, &record, true), ADOPT_FOLLOWED);
    assert_true(known(f)->number[REPORT_RESTART_COUNT] == 7);
}

static void test_adopt_at_start_takes_over_what_changed_meanwhile(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = known_record(f);

    fleet_reset(&f->fleet);
    record_write(&record, "broker_id=b1 host_id=h1 last_error=x state=crashed");
    assert_true(fleet_load(&f->fleet, slice_text("mt5-1"), &record, STATE_RUNNING, 8, 5000));
    assert_int_equal(adopt(f, &record, true), ADOPT_FOLLOWED);
    assert_non_null(recording_sink_find(&f->recorder, "event instance_failed instance_id=mt5-1 seq=9"));
    assert_non_null(recording_sink_find(&f->recorder, "move instance mt5-1 running crashed"));
}

/* What was read before a removal is stored still holds the removed instance. */
static void test_adopt_does_not_register_what_the_same_batch_removes(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance_record record = known_record(f);
    struct cause timer = {CAUSE_TIMER, {6000, 0}};

    f->fleet.batch = 7;
    fleet_remove(&f->fleet, fleet_find(&f->fleet, slice_text("mt5-1")), slice_text("for good"), &timer, 6000,
                 f->sink);
    record_write(&record, "broker_id=b1 host_id=h1 last_error=x state=running");
    recording_sink_reset(&f->recorder);
    assert_int_equal(adopt(f, &record, true), ADOPT_REFUSED);
    assert_recorded(&f->recorder, "");
    f->fleet.batch = 8;
    assert_int_equal(adopt(f, &record, true), ADOPT_REGISTERED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_adopt_of_no_difference_does_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_record_of_an_instance_is_all_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_follows_a_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_puts_a_write_back_where_it_is_not_followed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_adopt_follows_where_a_report_would_be_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_puts_an_invalid_value_back_to_the_last_good_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_adopt_takes_a_value_in_another_spelling_and_writes_it_as_it_should_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_follows_and_repairs_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_writes_missing_fields_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_writes_a_record_that_is_gone_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_puts_the_own_fields_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_writes_a_shifted_time_again_as_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_tells_what_others_spoilt_besides_a_shifted_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_adopt_accepts_last_updated_at_and_takes_it_for_a_sample, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_adopt_makes_a_first_metrics_hash_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_keeps_a_crashed_instance_critical, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_counts_a_restart_that_is_not_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopt_at_start_takes_over_what_changed_meanwhile, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_adopt_does_not_register_what_the_same_batch_removes, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
