/* The container: slots, look-up, lists by state, and what leaves it. */
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

/* Every list holds exactly the instances in its state, linked both ways and in order. */
static void assert_lists_sound(const struct fleet *fleet)
{
    uint32_t total = 0;

    for (int s = 0; s < INSTANCE_STATES; s++) {
        uint32_t before = MAP_NONE, count = 0;

        for (uint32_t i = fleet->head[s]; i != MAP_NONE; before = i, i = fleet->slots[i].next, count++) {
            const struct instance *instance = &fleet->slots[i];

            assert_true(instance->used);
            assert_int_equal(instance->state, s);
            assert_int_equal(instance->prev, before);
            if (before != MAP_NONE && (s == STATE_RUNNING || s == STATE_STOPPED))
                assert_true(fleet->slots[before].seen_ms <= instance->seen_ms);
            if (before != MAP_NONE && s == STATE_RESTARTING)
                assert_true(fleet->slots[before].state_changed_ms <= instance->state_changed_ms);
        }
        assert_int_equal(fleet->tail[s], before);
        assert_int_equal(fleet->by_state[s], count);
        total += count;
    }
    assert_int_equal(fleet->count, total);
}

static void test_fleet_find_among_many(void **state)
{
    struct fleet_fixture *f = *state;
    char id[16];

    f->fleet.options.max = 1000;
    for (int i = 0; i < 500; i++) {
        (void)snprintf(id, sizeof(id), "mt5-%d", i);
        (void)fixture_register(f, 1000 + i, id, "running");
    }
    for (int i = 0; i < 500; i++) {
        struct instance *instance;

        (void)snprintf(id, sizeof(id), "mt5-%d", i);
        instance = fleet_find(&f->fleet, slice_text(id));
        assert_non_null(instance);
        assert_true(slice_is(ident_slice(&instance->id), id));
        assert_ptr_equal(&f->fleet.slots[fleet_index_of(&f->fleet, instance)], instance);
    }
    assert_null(fleet_find(&f->fleet, slice_text("mt5-500")));
    assert_lists_sound(&f->fleet);
}

static void assert_running_by_silence(const struct fleet *fleet)
{
    for (uint32_t i = fleet->head[STATE_RUNNING]; i != MAP_NONE; i = fleet->slots[i].next) {
        uint32_t next = fleet->slots[i].next;

        assert_true(next == MAP_NONE || fleet->slots[i].silent_from_ms <= fleet->slots[next].silent_from_ms);
    }
}

/* Each comes before those whose silence was excused, and goes or comes again in between. */
static void test_fleet_lists_are_in_order_with_a_backlog_behind_the_excused(void **state)
{
    static const int at_ms[] = {6000, 6001, 6001, 5000, 6500, 12000, 6400, 5500, 10000, 6002, 9999, 4000};
    struct fleet_fixture *f = *state;
    char id[16];

    for (int i = 0; i < 20; i++) {
        (void)snprintf(id, sizeof(id), "old-%d", i);
        (void)fixture_register(f, 1000 + i, id, "running");
    }
    fleet_excuse_silence(&f->fleet, 10000);
    for (size_t i = 0; i < ARRAY_LEN(at_ms); i++) {
        (void)snprintf(id, sizeof(id), "new-%zu", i);
        (void)fixture_register(f, at_ms[i], id, "running");
        assert_running_by_silence(&f->fleet);
        if (i % 4 == 3) /* the one that was placed last, and one of the others */
            fleet_forget(&f->fleet, fleet_find(&f->fleet, slice_text(id)));
        if (i == 2 || i == 6)
            fleet_forget(&f->fleet, fleet_find(&f->fleet, slice_text(i == 2 ? "new-0" : "new-5")));
        assert_running_by_silence(&f->fleet);
    }
    assert_int_equal(f->fleet.by_state[STATE_RUNNING], 20 + 12 - 3 - 2);
}

static void test_fleet_next_steps_over_what_is_gone(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance;
    size_t count = 0;

    (void)fixture_register(f, 1, "a", "running");
    (void)fixture_register(f, 2, "b", "stopped");
    (void)fixture_register(f, 3, "c", "crashed");
    fleet_forget(&f->fleet, fleet_find(&f->fleet, slice_text("b")));
    assert_lists_sound(&f->fleet);
    for (uint32_t i = 0; (instance = fleet_next(&f->fleet, i)); i = fleet_index_of(&f->fleet, instance) + 1)
        assert_true(slice_is(ident_slice(&instance->id), count++ ? "c" : "a"));
    assert_int_equal(count, 2);
}

static void test_slot_of_a_forgotten_instance_is_used_again_and_told_apart(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1, "a", "running");
    uint32_t index = fleet_index_of(&f->fleet, instance);
    uint32_t generation = instance->generation;

    assert_true(fixture_report(f, 1, "a", "last_error=x host_id=h cpu_usage=5"));
    fleet_forget(&f->fleet, instance);
    assert_null(fleet_find(&f->fleet, slice_text("a")));
    instance = fixture_register(f, 2, "b", "stopped");
    assert_int_equal(fleet_index_of(&f->fleet, instance), index);
    assert_true(instance->generation != generation);
    assert_null(instance->last_error);
    assert_int_equal(instance->host_id.len, 0);
    assert_int_equal(instance->seq, 1);
    assert_lists_sound(&f->fleet);
}

static void test_fleet_reset_forgets_all_but_the_statistics(void **state)
{
    struct fleet_fixture *f = *state;

    (void)fixture_register(f, 1, "a", "running");
    (void)fixture_register(f, 2, "b", "crashed");
    fleet_reset(&f->fleet);
    assert_int_equal(f->fleet.count, 0);
    assert_null(fleet_next(&f->fleet, 0));
    assert_null(fleet_find(&f->fleet, slice_text("a")));
    assert_int_equal(f->fleet.stats.registered, 2);
    assert_lists_sound(&f->fleet);
    (void)fixture_register(f, 3, "a", "stopped");
    assert_lists_sound(&f->fleet);
}

static void test_heartbeat_moves_to_the_end_of_the_list(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *a = fixture_register(f, 1000, "a", "running");
    struct instance *b = fixture_register(f, 2000, "b", "running");

    assert_int_equal(f->fleet.head[STATE_RUNNING], fleet_index_of(&f->fleet, a));
    fleet_on_heartbeat(&f->fleet, slice_text("a"), 3000);
    assert_int_equal(a->seen_ms, 3000);
    assert_int_equal(f->fleet.head[STATE_RUNNING], fleet_index_of(&f->fleet, b));
    fleet_on_heartbeat(&f->fleet, slice_text("a"), 2500);
    assert_int_equal(a->seen_ms, 3000);
    fleet_on_heartbeat(&f->fleet, slice_text("unknown"), 3000);
    assert_recorded(&f->recorder, "");
    assert_lists_sound(&f->fleet);
}

static void test_what_comes_late_is_put_into_its_order(void **state)
{
    struct fleet_fixture *f = *state;

    (void)fixture_register(f, 3000, "c", "running");
    (void)fixture_register(f, 1000, "a", "running");
    (void)fixture_register(f, 2000, "b", "running");
    (void)fixture_register(f, 3000, "r", "restarting");
    (void)fixture_register(f, 1000, "p", "restarting");
    assert_lists_sound(&f->fleet);
    assert_true(slice_is(ident_slice(&f->fleet.slots[f->fleet.head[STATE_RUNNING]].id), "a"));
    assert_true(slice_is(ident_slice(&f->fleet.slots[f->fleet.head[STATE_RESTARTING]].id), "p"));
}

static void test_fleet_remove_takes_everything_out(void **state)
{
    struct fleet_fixture *f = *state;
    struct cause cause = {CAUSE_OPERATOR, {9000, 1}};
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "running");

    fleet_remove(&f->fleet, instance, slice_text("sold"), &cause, 9000, f->sink);
    assert_recorded(&f->recorder, "move instance mt5-1 running -\n"
                                  "unload mt5-1\n"
                                  "remove instance mt5-1\n"
                                  "remove metrics mt5-1\n"
                                  "remove health mt5-1\n"
                                  "event instance_removed instance_id=mt5-1 seq=3 at=1970-01-01T00:00:09Z "
                                  "from=running reason=sold correlation_id=operator-9000-1\n"
                                  "forget_seq mt5-1\n");
    assert_int_equal(f->fleet.count, 0);
    assert_int_equal(f->fleet.stats.removed, 1);
    assert_lists_sound(&f->fleet);
}

static void test_fleet_remove_of_a_stopped_one_leaves_the_load_index_alone(void **state)
{
    struct fleet_fixture *f = *state;
    struct cause cause = {CAUSE_OPERATOR, {9000, 1}};

    fleet_remove(&f->fleet, fixture_register(f, 1000, "mt5-1", "stopped"), slice_text(""), &cause, 9000,
                 f->sink);
    assert_int_equal(recording_sink_count(&f->recorder, "unload"), 0);
}

/* What came back with an older state may have it among those that run. */
static void test_fleet_write_back_takes_one_that_does_not_run_out_of_the_load_index(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "stopped");

    recording_sink_reset(&f->recorder);
    fleet_write_back(&f->fleet, instance, f->sink);
    assert_int_equal(recording_sink_count(&f->recorder, "unload mt5-1"), 1);
    assert_int_equal(recording_sink_count(&f->recorder, "load mt5-1"), 0);
}

static void test_fleet_write_back_writes_all_that_is_known(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "restarting");

    assert_true(fixture_report(
        f, 2000, "mt5-1", "state=running host_id=h1 cpu_usage=12.50 load_average=.5 health_status=healthy"));
    recording_sink_reset(&f->recorder);
    f->fleet.batch = 7;
    fleet_write_back(&f->fleet, instance, f->sink);
    assert_int_equal(instance->batch, 7);
    assert_recorded(
        &f->recorder,
        "set instance mt5-1 active_connections=0 broker_id=b1 host_id=h1 state=running launch_mode=auto "
        "previous_state=restarting state_changed_at=1970-01-01T00:00:02Z "
        "last_updated_at=1970-01-01T00:00:02Z\n"
        "set metrics mt5-1 cpu_usage=12.5 load_average=0.5 last_updated_at=1970-01-01T00:00:02Z\n"
        "set health mt5-1 uptime_seconds=0 restart_count=1 health_status=healthy last_error= "
        "reported_health=healthy failed_restarts=0 recovery_attempts=0 "
        "last_updated_at=1970-01-01T00:00:02Z\n"
        "move instance mt5-1 stopped -\n"
        "move instance mt5-1 crashed -\n"
        "move instance mt5-1 restarting -\n"
        "move instance mt5-1 - running\n"
        "seq mt5-1 3\n"
        "load mt5-1 0.5\n"
        "unset_watch mt5-1\n"
        "unthrottled mt5-1\n");
}

static void test_fleet_emit_counts_its_seq(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "running");
    struct cause cause = {CAUSE_SIGNAL, {5, 0}};

    fleet_emit(instance, EVENT_SIGNAL_DROPPED, slice_text(""), slice_text(""), slice_text("late"),
               slice_text("s1"), &cause, 2000, f->sink);
    assert_recorded(&f->recorder,
                    "event signal_dropped instance_id=mt5-1 seq=3 at=1970-01-01T00:00:02Z reason=late "
                    "signal_id=s1 correlation_id=signal-5-0\n");
    assert_int_equal(instance->seq, 3);
}

static void test_instance_number_is_fresh_for_its_time(void **state)
{
    struct fleet_fixture *f = *state;
    struct instance *instance = fixture_register(f, 1000, "mt5-1", "running");

    assert_false(instance_number_is_fresh(&f->fleet, instance, REPORT_CPU_USAGE, 1000));
    assert_true(fixture_report(f, 2000, "mt5-1", "cpu_usage=5 uptime_seconds=3"));
    assert_true(instance_number_is_fresh(&f->fleet, instance, REPORT_CPU_USAGE, 62000));
    assert_false(instance_number_is_fresh(&f->fleet, instance, REPORT_CPU_USAGE, 62001));
    assert_false(instance_number_is_fresh(&f->fleet, instance, REPORT_UPTIME_SECONDS, 62001));
    assert_true(instance_number_is_fresh(&f->fleet, instance, REPORT_RESTART_COUNT, 62001));
    assert_true(fixture_report(f, 60000, "mt5-1", "cpu_usage=5"));
    assert_true(instance_number_is_fresh(&f->fleet, instance, REPORT_CPU_USAGE, 120000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fleet_find_among_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_lists_are_in_order_with_a_backlog_behind_the_excused,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_next_steps_over_what_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slot_of_a_forgotten_instance_is_used_again_and_told_apart, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_fleet_reset_forgets_all_but_the_statistics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heartbeat_moves_to_the_end_of_the_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_comes_late_is_put_into_its_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_remove_takes_everything_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_remove_of_a_stopped_one_leaves_the_load_index_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_fleet_write_back_takes_one_that_does_not_run_out_of_the_load_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_write_back_writes_all_that_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fleet_emit_counts_its_seq, setup, teardown),
        cmocka_unit_test_setup_teardown(test_instance_number_is_fresh_for_its_time, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
