/* What holds a recovery back (SPEC §6.4, §8.2): launch mode, max_concurrent, observe_only, maintenance, other
 * commands. */
#include "util/macros.h"
#include "watch_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HOUR_MS 3600000

static int setup(void **state)
{
    static struct watch_fixture w;

    watch_fixture_init(&w);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    watch_fixture_clear(*state);
    return 0;
}

static void set_maintenance(struct watch_fixture *w, int64_t at_ms, const char *id, int64_t until_ms)
{
    struct cause cause = {CAUSE_OPERATOR, {(uint64_t)at_ms, 0}};

    watch_run(w, at_ms);
    watch_set_maintenance(&w->f.fleet, watch_find(w, id), until_ms, slice_text("work"), &cause, at_ms,
                          w->f.sink);
    watch_tick(w, at_ms);
}

static void test_launch_modes_say_which_are_recovered(void **state)
{
    static const struct {
        const char *mode;
        uint32_t modes;
        const char *story;
    } rows[] = {
        {"launch_mode=auto", 1U << LAUNCH_AUTO, "a.recover.1"},
        {"launch_mode=manual", 1U << LAUNCH_AUTO, ""},
        {"launch_mode=auto", 1U << LAUNCH_MANUAL, ""},
        {"launch_mode=manual", 1U << LAUNCH_MANUAL, "a.recover.1"},
        {"launch_mode=auto", 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        w.options.recovery.launch_modes = rows[i].modes;
        watch_fixture_configure(&w);
        (void)watch_add(&w, 1000, "a", rows[i].mode);
        watch_say(&w, 2000, "a", "state=crashed");
        watch_run(&w, 30000);
        assert_int_equal(count_why(&w, "a", "no recover", "launch_mode"), rows[i].story[0] ? 0 : 1);
        assert_int_equal(watch_find(&w, "a")->recovery_attempts > 0, rows[i].story[0] != '\0');
        assert_int_equal(recording_sink_count(&w.f.recorder, "notify a:InstanceCrash"), 1);
        assert_story(&w, STORY_ACTS, rows[i].story);
        watch_fixture_clear(&w);
    }
}

static void test_launch_mode_that_changes_lets_it_go(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "launch_mode=manual");
    watch_say(w, 2000, "a", "state=crashed");
    watch_say(w, 3000, "a", "launch_mode=auto");
    assert_story(w, STORY_ACTS, "a.recover.1");
}

static void test_observe_only_announces_and_commands_nothing(void **state)
{
    struct watch_fixture *w = *state;

    w->options.observe_only = true;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "queue_length=500 socket_connections=0 cpu_usage=90 load_average=5");
    watch_run(w, 20000);
    watch_say(w, 21000, "a", "state=crashed");
    watch_run(w, HOUR_MS);
    assert_int_equal(count_why(w, "a", "no throttle", "observe_only"), 1);
    assert_int_equal(count_why(w, "a", "no reconnect", "observe_only"), 1);
    assert_int_equal(count_why(w, "a", "no redistribute", "observe_only"), 1);
    assert_int_equal(count_why(w, "a", "no recover", "observe_only"), 2); /* for cpu, for the crash */
    assert_int_equal(recording_sink_count(&w->f.recorder, "notify "), 9);
    assert_story(w, STORY_ACTS, "");
    w->options.observe_only = false;
    watch_fixture_configure(w);
    watch_tick(w, HOUR_MS);
    assert_story(w, STORY_ACTS, "a.recover.1");
}

static void test_no_more_than_max_concurrent_in_the_order_of_waiting(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    struct watch_fixture *w = *state;

    w->options.recovery.max_concurrent = 2;
    w->options.breaker_percent = 100;
    watch_fixture_configure(w);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        (void)watch_add(w, 1000, ids[i], "");
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        watch_say(w, 2000 + (int64_t)i, ids[i], "state=crashed");
    assert_story(w, STORY_ACTS, "a.recover.1 b.recover.1");
    assert_int_equal(w->f.fleet.watch->under_way, 2);
    assert_int_equal(count_why(w, "c", "no recover", "max_concurrent"), 1);
    /* To be looked at meanwhile costs no one its turn. */
    watch_say(w, 2500, "c", "host_id=h9");
    watch_say(w, 3000, "a", "command_id=a.recover.1 command_status=failed");
    assert_story(w, STORY_ACTS, "a.recover.1=failed c.recover.1");
    watch_say(w, 4000, "b", "state=running");
    assert_story(w, STORY_ACTS, "b.recover.1=ok d.recover.1");
    watch_say(w, 5000, "c", "state=running");
    watch_say(w, 6000, "d", "state=running");
    assert_story(w, STORY_ACTS, "c.recover.1=ok e.recover.1 d.recover.1=ok a.recover.2");
    assert_int_equal(w->f.fleet.watch->under_way, 2);
}

static void test_place_is_passed_on_by_who_does_not_need_it(void **state)
{
    static const char *const ids[] = {"a", "b", "c"};
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_OPERATOR, {5000, 0}};

    w->options.recovery.max_concurrent = 1;
    watch_fixture_configure(w);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        (void)watch_add(w, 1000, ids[i], "");
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        watch_say(w, 2000 + (int64_t)i, ids[i], "state=crashed");
    recording_sink_reset(&w->f.recorder);
    /* b's turn comes, and b is removed before it is looked at. */
    assert_true(fixture_report(&w->f, 5000, "a", "state=running"));
    fleet_remove(&w->f.fleet, watch_find(w, "b"), slice_text("gone"), &cause, 5000, w->f.sink);
    watch_tick(w, 5000);
    assert_story(w, STORY_COMMANDS, "c.recover.1");
    assert_int_equal(w->f.fleet.watch->under_way, 1);
    fleet_remove(&w->f.fleet, watch_find(w, "c"), slice_text("gone"), &cause, 6000, w->f.sink);
    assert_int_equal(w->f.fleet.watch->under_way, 0);
    assert_story(w, STORY_ACTS, "c.cancel.2>c.recover.1 c.recover.1=cancelled");
}

static void test_places_that_come_free_together_are_all_taken(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    struct watch_fixture *w = *state;

    w->options.recovery.max_concurrent = 2;
    w->options.breaker_percent = 100;
    watch_fixture_configure(w);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        (void)watch_add(w, 1000, ids[i], "");
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        watch_say(w, 2000 + (int64_t)i, ids[i], "state=crashed");
    assert_true(fixture_report(&w->f, 3000, "a", "state=running"));
    assert_true(fixture_report(&w->f, 3000, "b", "state=running"));
    recording_sink_reset(&w->f.recorder);
    watch_tick(w, 3000);
    assert_story(w, STORY_COMMANDS, "c.recover.1 d.recover.1");
}

static void test_maintenance_by_an_operator_holds_everything(void **state)
{
    struct watch_fixture *w = *state;
    struct slice reason;
    int64_t until_ms;

    (void)watch_add(w, 1000, "a", "");
    set_maintenance(w, 1500, "a", 100000);
    assert_recorded_only(
        &w->f.recorder, "event",
        "event maintenance_changed instance_id=a seq=3 at=1970-01-01T00:00:01Z from=off to=on "
        "reason=work correlation_id=operator-1500-0\n");
    assert_true(watch_in_maintenance(&w->f.fleet, watch_find(w, "a"), 99999, &reason, &until_ms));
    assert_true(slice_is(reason, "work"));
    assert_int_equal(until_ms, 100000);
    watch_say(w, 2000, "a", "state=crashed queue_length=500");
    watch_run(w, 99999);
    assert_story(w, STORY_ALERTS | STORY_COMMANDS | STORY_NOTICES, "a+InstanceCrash");
    assert_int_equal(count_why(w, "a", "no recover", "maintenance"), 1);
    watch_run(w, 100000);
    assert_story(w, STORY_COMMANDS | STORY_NOTICES | STORY_STATES,
                 "a:maintenance_changed a.recover.1 tell(a:InstanceCrash)");
    assert_false(watch_in_maintenance(&w->f.fleet, watch_find(w, "a"), 100000, NULL, NULL));
}

static void test_maintenance_without_end_until_an_operator_ends_it(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "socket_connections=1");
    set_maintenance(w, 1500, "a", INT64_MAX);
    watch_say(w, 2000, "a", "socket_connections=0");
    assert_story(w, STORY_COMMANDS | STORY_NOTICES, "");
    set_maintenance(w, 9000, "a", 0);
    assert_story(w, STORY_COMMANDS | STORY_NOTICES, "a.reconnect.1 tell(a:SocketFailure)");
}

static void test_what_began_and_ended_in_maintenance_is_not_told(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    assert_story(w, STORY_NOTICES, "tell(a:HighQueueLength)");
    set_maintenance(w, 1500, "a", 60000);
    watch_say(w, 2000, "a", "socket_connections=0");
    watch_say(w, 3000, "a", "socket_connections=1");
    /* What was told before is told to be over. */
    watch_say(w, 4000, "a", "queue_length=1");
    watch_run(w, 5000);
    assert_story(w, STORY_NOTICES, "over(a:HighQueueLength)");
}

static void test_silence_in_maintenance_is_no_crash(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    set_maintenance(w, 1500, "a", 100000);
    watch_run(w, 100000);
    assert_story(w, STORY_ALERTS | STORY_STATES, "a:maintenance_changed a:maintenance_changed");
    watch_run(w, 130001);
    assert_story(w, STORY_STATES, "a:instance_failed a:instance_degraded");
}

static void test_weekly_window_holds_and_lets_go(void **state)
{
    static struct maintenance_window window = {.instances = "a*", .brokers = "*"};
    struct watch_fixture *w = *state;
    struct slice reason;
    int64_t until_ms;

    /* 1970-01-01 is a Thursday. */
    ident_set(&window.name, slice_text("weekly"));
    assert_true(window_parse_weekly(slice_text("Thu 00:00-00:10"), &window.from_min, &window.until_min));
    w->options.windows = &window;
    w->options.window_count = 1;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a1", "");
    (void)watch_add(w, 1000, "x1", "");
    assert_true(watch_in_maintenance(&w->f.fleet, watch_find(w, "a1"), 2000, &reason, &until_ms));
    assert_true(slice_is(reason, "weekly"));
    assert_int_equal(until_ms, 600000);
    assert_false(watch_in_maintenance(&w->f.fleet, watch_find(w, "x1"), 2000, NULL, NULL));
    watch_say(w, 2000, "x1", "state=crashed");
    watch_say(w, 2000, "a1", "state=crashed");
    assert_story(w, STORY_COMMANDS | STORY_NOTICES, "x1.recover.1 tell(x1:InstanceCrash)");
    watch_say(w, 3000, "x1", "state=running");
    recording_sink_reset(&w->f.recorder);
    w->f.fleet.options.heartbeat_timeout_ms = 0;
    watch_run(w, 599999);
    assert_story(w, STORY_COMMANDS | STORY_NOTICES, "");
    watch_run(w, 600000);
    assert_story(w, STORY_COMMANDS | STORY_NOTICES, "a1.recover.1 tell(a1:InstanceCrash)");
}

static void test_silent_in_a_window_crashes_a_whole_timeout_behind_it(void **state)
{
    static struct maintenance_window window = {.instances = "*", .brokers = "b1"};
    struct watch_fixture *w = *state;

    ident_set(&window.name, slice_text("weekly"));
    assert_true(window_parse_weekly(slice_text("Thu 00:00-00:10"), &window.from_min, &window.until_min));
    w->options.windows = &window;
    w->options.window_count = 1;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    watch_run(w, 600000);
    assert_story(w, STORY_STATES, "");
    watch_run(w, 631000);
    assert_story(w, STORY_STATES, "a:instance_failed a:instance_degraded");
}

/* What is under way, what an operator asks for, and whether that is given. */
static void test_operator_may_replace_what_is_weaker(void **state)
{
    (void)state;
    for (int open = COMMAND_STOP; open <= COMMAND_START; open++) {
        for (int kind = COMMAND_STOP; kind <= COMMAND_START; kind++) {
            struct watch_fixture w;

            watch_fixture_init(&w);
            (void)watch_add(&w, 1000, "a", "");
            assert_true(watch_order(&w, 2000, "a", (enum command_kind)open));
            recording_sink_reset(&w.f.recorder);
            assert_int_equal(watch_order(&w, 3000, "a", (enum command_kind)kind), kind < open);
            assert_int_equal(recording_sink_count(&w.f.recorder, "command cancel"), kind < open);
            assert_int_equal(recording_sink_count(&w.f.recorder, "event command_issued"),
                             kind < open ? 2 : 0);
            assert_int_equal(watch_find(&w, "a")->watched->record.command.kind, kind < open ? kind : open);
            watch_fixture_clear(&w);
        }
    }
}

static void test_operator_is_told_what_is_under_way(void **state)
{
    struct watch_fixture *w = *state;
    struct watch_order order = {.kind = COMMAND_START, .reason = SLICE("now")};
    struct cause cause = {CAUSE_OPERATOR, {3000, 0}};
    char id[IDENT_COMMAND_MAX + 1];

    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "state=crashed");
    recording_sink_reset(&w->f.recorder);
    assert_false(watch_command(&w->f.fleet, watch_find(w, "a"), &order, &cause, 3000, w->f.sink, id));
    assert_string_equal(id, "a.recover.1");
    assert_recorded(&w->f.recorder, "");
    order.kind = COMMAND_STOP;
    assert_true(watch_command(&w->f.fleet, watch_find(w, "a"), &order, &cause, 3000, w->f.sink, id));
    assert_string_equal(id, "a.stop.3");
    assert_story(w, STORY_ACTS, "a.cancel.2>a.recover.1 a.recover.1=cancelled a.stop.3");
}

static void test_stronger_automatic_command_replaces_a_weaker(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    watch_say(w, 2000, "a", "socket_connections=0");
    watch_say(w, 3000, "a", "state=crashed");
    assert_story(w, STORY_ACTS,
                 "a.throttle.1 throttled(a) a.cancel.2>a.throttle.1 a.throttle.1=cancelled a.reconnect.3 "
                 "a.cancel.4>a.reconnect.3 a.reconnect.3=cancelled a.recover.5");
}

static void test_weaker_waits_and_is_dropped_when_its_alert_clears(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "socket_connections=0");
    watch_tick(w, 1000);
    watch_say(w, 2000, "a", "queue_length=500");
    assert_int_equal(count_why(w, "a", "no throttle", "under_way"), 1);
    watch_say(w, 3000, "a", "command_id=a.reconnect.1 command_status=ok socket_connections=1");
    assert_story(w, STORY_ACTS, "a.reconnect.1 a.reconnect.1=ok a.throttle.2 throttled(a)");
    watch_say(w, 4000, "a", "command_id=a.throttle.2 command_status=ok socket_connections=0");
    watch_say(w, 5000, "a", "load_average=9");
    watch_say(w, 6000, "a", "load_average=1");
    watch_say(w, 7000, "a", "command_id=a.reconnect.3 command_status=ok socket_connections=1");
    assert_story(w, STORY_ACTS, "a.throttle.2=ok a.reconnect.3 a.reconnect.3=ok");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launch_modes_say_which_are_recovered),
        cmocka_unit_test_setup_teardown(test_launch_mode_that_changes_lets_it_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_observe_only_announces_and_commands_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_more_than_max_concurrent_in_the_order_of_waiting, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_place_is_passed_on_by_who_does_not_need_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places_that_come_free_together_are_all_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_maintenance_by_an_operator_holds_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(test_maintenance_without_end_until_an_operator_ends_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_began_and_ended_in_maintenance_is_not_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_silence_in_maintenance_is_no_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_weekly_window_holds_and_lets_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silent_in_a_window_crashes_a_whole_timeout_behind_it, setup,
                                        teardown),
        cmocka_unit_test(test_operator_may_replace_what_is_weaker),
        cmocka_unit_test_setup_teardown(test_operator_is_told_what_is_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stronger_automatic_command_replaces_a_weaker, setup, teardown),
        cmocka_unit_test_setup_teardown(test_weaker_waits_and_is_dropped_when_its_alert_clears, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
