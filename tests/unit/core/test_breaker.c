/* The breaker (SPEC §6.6): when many crash together, nothing is commanded in their group. */
#include "util/macros.h"
#include "watch_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct watch_fixture w;

    watch_fixture_init(&w);
    w.f.fleet.options.heartbeat_timeout_ms = 0;
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    watch_fixture_clear(*state);
    return 0;
}

/* Running instances i0, i1, …; those below MINE have broker b1 and host h1, the others b2 and h2. */
static void add_fleet(struct watch_fixture *w, int count, int mine)
{
    for (int i = 0; i < count; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "i%d", i);
        (void)watch_add(w, 1000, id, i < mine ? "broker_id=b1 host_id=h1" : "broker_id=b2 host_id=h2");
    }
}

/* Those from FIRST up to END say TEXT at AT_MS, with no round in between. */
static void say_each(struct watch_fixture *w, int64_t at_ms, int first, int end, const char *text)
{
    for (int i = first; i < end; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "i%d", i);
        assert_true(fixture_report(&w->f, at_ms, id, text));
    }
}

static size_t commands(const struct watch_fixture *w)
{
    return recording_sink_count(&w->f.recorder, "command ");
}

static void test_more_than_a_share_of_at_least_four(void **state)
{
    static const struct {
        int running, crash;
        double percent;
        bool trips;
    } rows[] = {
        {3, 3, 50, false},  {4, 2, 50, false},  {4, 3, 50, true},     {4, 4, 50, true},  {5, 2, 50, false},
        {5, 3, 50, true},   {8, 4, 50, false},  {8, 5, 50, true},     {8, 2, 25, false}, {8, 3, 25, true},
        {10, 9, 90, false}, {10, 10, 90, true}, {10, 10, 100, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        w.options.breaker_percent = rows[i].percent;
        watch_fixture_configure(&w);
        add_fleet(&w, rows[i].running, 0);
        say_each(&w, 2000, 0, rows[i].crash, "state=crashed");
        watch_tick(&w, 2000);
        assert_int_equal(recording_sink_count(&w.f.recorder, "breaker all opened=2000"), rows[i].trips);
        assert_int_equal(commands(&w) > 0, !rows[i].trips);
        watch_fixture_clear(&w);
    }
}

/* Of 20, the five of b1 and h1 crash. */
static void test_group_of_its_own_for_broker_and_host(void **state)
{
    struct watch_fixture *w = *state;
    const struct instance *other;

    add_fleet(w, 20, 5);
    say_each(w, 2000, 0, 5, "state=crashed");
    assert_true(fixture_report(&w->f, 2000, "i10", "state=crashed"));
    watch_tick(w, 2000);
    other = watch_find(w, "i10");
    assert_int_equal(recording_sink_count(&w->f.recorder, "breaker broker:b1 opened=2000 crashed=5 of=5"), 1);
    assert_int_equal(recording_sink_count(&w->f.recorder, "breaker host:h1 opened=2000 crashed=5 of=5"), 1);
    assert_int_equal(recording_sink_count(&w->f.recorder, "breaker "), 2);
    assert_false(breaker_covers(&w->f.fleet.watch->breaker, other));
    assert_true(breaker_covers(&w->f.fleet.watch->breaker, watch_find(w, "i0")));
    assert_story(w, STORY_COMMANDS | STORY_NOTICES,
                 "tell(@broker:b1:FleetFailure) tell(@host:h1:FleetFailure) i10.recover.1 "
                 "tell(i10:InstanceCrash)");
    assert_int_equal(count_why(w, "i0", "no recover", "breaker"), 1);
}

static void test_host_alone_and_no_host(void **state)
{
    struct watch_fixture *w = *state;

    add_fleet(w, 12, 0);
    for (int i = 0; i < 4; i++)
        say_each(w, 1500, i, i + 1, "host_id=h7");
    for (int i = 0; i < 4; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "n%d", i);
        (void)watch_add(w, 1000, id, "");
    }
    recording_sink_reset(&w->f.recorder);
    say_each(w, 2000, 0, 4, "state=crashed");
    watch_tick(w, 2000);
    assert_story(w, STORY_GROUPS | STORY_COMMANDS, "open(host:h7)");
}

static void test_told_once_and_theirs_are_not(void **state)
{
    struct watch_fixture *w = *state;

    add_fleet(w, 8, 8);
    say_each(w, 2000, 0, 5, "state=crashed");
    watch_tick(w, 2000);
    assert_story(w, STORY_NOTICES | STORY_COMMANDS, "tell(@all:FleetFailure)");
    say_each(w, 2500, 5, 6, "state=crashed");
    watch_run(w, 900000);
    assert_story(w, STORY_NOTICES | STORY_COMMANDS, "");
    assert_int_equal(w->f.fleet.watch->notices.count, 1);
    assert_int_equal(w->f.fleet.watch->breaker.trips, 3); /* all, broker:b1, host:h1: one says it for all */
}

static void test_group_is_told_with_its_count(void **state)
{
    struct watch_fixture *w = *state;
    const struct notice *notice;

    add_fleet(w, 8, 0);
    say_each(w, 2000, 0, 5, "state=crashed");
    watch_tick(w, 2000);
    assert_non_null(strstr(recording_sink_find(&w->f.recorder, "event alert_firing at="),
                           "reason=all: 5 of 8 running instances have crashed alert=FleetFailure"));
    notice = notices_find(&w->f.fleet.watch->notices, slice_text("@all:FleetFailure"));
    assert_non_null(notice);
    assert_string_equal(notice->group, "all");
    assert_int_equal(notice->severity, SEVERITY_CRITICAL);
    assert_true(notice->value == 5 && notice->threshold == 8);
    assert_int_equal(recording_sink_count(&w->f.recorder, "notify "), 1);
    assert_int_equal(w->f.fleet.watch->stats.notified, 1);
}

static void test_crashes_within_the_longer_of_ten_seconds_and_the_heartbeat(void **state)
{
    static const struct {
        int64_t heartbeat_ms, apart_ms;
        bool trips;
    } rows[] = {{0, 10000, true},     {0, 10001, false},    {5000, 10000, true},
                {5000, 10001, false}, {60000, 60000, true}, {60000, 60001, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        w.options.observe_only = true;
        w.f.fleet.options.heartbeat_timeout_ms = 0;
        watch_fixture_configure(&w);
        add_fleet(&w, 4, 0);
        say_each(&w, 2000, 0, 2, "state=crashed");
        watch_run(&w, 2000 + rows[i].apart_ms);
        say_each(&w, 2000 + rows[i].apart_ms, 2, 4, "cpu_usage=1");
        say_each(&w, 2000 + rows[i].apart_ms, 2, 3, "state=crashed");
        w.f.fleet.options.heartbeat_timeout_ms = rows[i].heartbeat_ms;
        watch_tick(&w, 2000 + rows[i].apart_ms);
        assert_int_equal(recording_sink_count(&w.f.recorder, "breaker all"), rows[i].trips);
        watch_fixture_clear(&w);
    }
}

/* However many there are, each leaves the window, and none before its time. */
static void test_many_crashes_all_leave_the_window(void **state)
{
    struct watch_fixture *w = *state;
    struct breaker *breaker = &w->f.fleet.watch->breaker;
    const struct breaker_group *all;

    add_fleet(w, 90, 0);
    all = breaker_find(breaker, slice_text("all"));
    for (int i = 0; i < 40; i++)
        say_each(w, 2000 + i, i, i + 1, "state=crashed");
    watch_tick(w, 2100);
    assert_int_equal(all->recent, 40);
    say_each(w, 12020, 40, 41, "state=crashed"); /* the first 20 are out */
    watch_tick(w, 12020);
    assert_int_equal(all->recent, 21);
    say_each(w, 30000, 41, 42, "state=crashed");
    watch_tick(w, 30000);
    assert_int_equal(all->recent, 1);
    assert_int_equal(all->recent_down, 1);
    assert_int_equal(breaker->trips, 0);
}

/* As where another daemon was active: all is loaded again, and it may be otherwise. */
static void test_reset_forgets_open_groups(void **state)
{
    struct watch_fixture *w = *state;
    struct breaker *breaker = &w->f.fleet.watch->breaker;

    add_fleet(w, 5, 0);
    say_each(w, 2000, 0, 5, "state=crashed");
    watch_tick(w, 2000);
    assert_int_equal(breaker->open_count, 3);
    fleet_reset(&w->f.fleet);
    assert_int_equal(breaker->open_count, 0);
    assert_int_equal(breaker->map.count, 0);
    recording_sink_reset(&w->f.recorder);
    add_fleet(w, 5, 5);
    assert_null(breaker_find(breaker, slice_text("host:h2")));
    assert_int_equal(breaker_find(breaker, slice_text("host:h1"))->members, 5);
    assert_false(breaker_covers(breaker, watch_find(w, "i0")));
    say_each(w, 3000, 0, 5, "state=crashed");
    watch_tick(w, 3000);
    assert_story(w, STORY_GROUPS, "open(all) open(broker:b1) open(host:h1)");
}

static void test_crashes_read_late_have_happened_together(void **state)
{
    struct watch_fixture *w = *state;

    add_fleet(w, 4, 0);
    say_each(w, 2000, 0, 3, "state=crashed");
    watch_tick(w, 90000);
    assert_story(w, STORY_GROUPS | STORY_COMMANDS, "open(all) open(broker:b2) open(host:h2)");
}

static void test_silence_of_many_is_seen_before_the_first_command(void **state)
{
    struct watch_fixture *w = *state;

    w->f.fleet.options.heartbeat_timeout_ms = 30000;
    add_fleet(w, 6, 0);
    watch_run(w, 31001);
    assert_int_equal(recording_sink_count(&w->f.recorder, "event instance_failed"), 6);
    assert_story(w, STORY_GROUPS | STORY_COMMANDS, "open(all) open(broker:b2) open(host:h2)");
}

static void test_ends_when_half_of_them_run_again(void **state)
{
    struct watch_fixture *w = *state;

    add_fleet(w, 8, 0);
    say_each(w, 2000, 0, 6, "state=crashed");
    watch_tick(w, 2000);
    say_each(w, 3000, 0, 2, "state=running");
    watch_run(w, 4000);
    assert_story(w, STORY_NOTICES | STORY_COMMANDS, "tell(@all:FleetFailure)");
    say_each(w, 5000, 2, 3, "state=running");
    watch_tick(w, 5000);
    /* Those that still crash are recovered, and spoken of. */
    assert_int_equal(recording_sink_count(&w->f.recorder, "command recover"), 3);
    assert_int_equal(recording_sink_count(&w->f.recorder, "notify i"), 3);
    assert_int_equal(recording_sink_count(&w->f.recorder, "notify @all:FleetFailure alert_resolved"), 1);
    assert_story(w, STORY_GROUPS, "shut(all) shut(broker:b2) shut(host:h2)");
    /* It does not trip again for what was. */
    watch_run(w, 6000);
    say_each(w, 6000, 0, 1, "state=crashed");
    watch_tick(w, 6000);
    assert_story(w, STORY_GROUPS | STORY_COMMANDS, "i0.recover.1");
}

/* A round judges groups before the reports are read up to it, and decides behind that. */
static void test_end_is_not_lost_on_who_changes_before_the_round(void **state)
{
    struct watch_fixture *w = *state;

    add_fleet(w, 4, 4);
    say_each(w, 2000, 0, 4, "state=crashed");
    watch_tick(w, 2000);
    say_each(w, 3000, 0, 2, "state=running");
    fleet_on_timer(&w->f.fleet, 3100, 3050, w->f.sink);
    assert_int_equal(commands(w), 0);
    say_each(w, 3060, 2, 4, "cpu_usage=7");
    watch_tick(w, 3100);
    assert_int_equal(recording_sink_count(&w->f.recorder, "command recover command_id=i2.recover."), 1);
    assert_int_equal(recording_sink_count(&w->f.recorder, "command recover command_id=i3.recover."), 1);
}

/* What a start finds: the group with whom it waits for, or neither. */
static void test_group_opens_together_with_its_victims(void **state)
{
    struct watch_fixture *w = *state;

    add_fleet(w, 4, 4);
    say_each(w, 2000, 0, 4, "state=crashed");
    recording_sink_reset(&w->f.recorder);
    fleet_on_timer(&w->f.fleet, 2100, 1999, w->f.sink);
    assert_true(recording_sink_count(&w->f.recorder, "breaker broker:b1 opened=") > 0);
    for (int i = 0; i < 4; i++) {
        char line[32];

        (void)snprintf(line, sizeof(line), "watch i%d", i);
        assert_int_equal(recording_sink_count(&w->f.recorder, line), 1);
    }
}

static void test_crash_while_it_is_open_waits_with_the_others(void **state)
{
    struct watch_fixture *w = *state;

    add_fleet(w, 8, 0);
    say_each(w, 2000, 0, 5, "state=crashed");
    watch_tick(w, 2000);
    say_each(w, 2500, 5, 8, "state=crashed");
    say_each(w, 3000, 0, 3, "state=running");
    watch_run(w, 4000);
    assert_int_equal(w->f.fleet.watch->breaker.open_count, 3);
    say_each(w, 5000, 3, 4, "state=running");
    watch_tick(w, 5000);
    assert_int_equal(w->f.fleet.watch->breaker.open_count, 0);
}

static void test_who_is_stopped_is_not_waited_for(void **state)
{
    struct watch_fixture *w = *state;

    add_fleet(w, 4, 0);
    say_each(w, 2000, 0, 4, "state=crashed");
    watch_tick(w, 2000);
    say_each(w, 3000, 0, 3, "state=stopped");
    watch_tick(w, 3000);
    assert_int_equal(w->f.fleet.watch->breaker.open_count, 3);
    say_each(w, 4000, 3, 4, "state=running");
    watch_tick(w, 4000);
    assert_int_equal(w->f.fleet.watch->breaker.open_count, 0);
}

static void test_ends_by_an_operators_recover_only(void **state)
{
    struct watch_fixture *w = *state;

    add_fleet(w, 5, 0);
    say_each(w, 2000, 0, 5, "state=crashed");
    watch_tick(w, 2000);
    recording_sink_reset(&w->f.recorder);
    assert_true(watch_order(w, 2500, "i1", COMMAND_START));
    watch_tick(w, 2500);
    assert_story(w, STORY_COMMANDS | STORY_GROUPS, "i1.start.1");
    assert_true(watch_order(w, 3000, "i0", COMMAND_RECOVER));
    watch_tick(w, 3000);
    assert_int_equal(recording_sink_count(&w->f.recorder, "command recover"), 4);
    assert_int_equal(recording_sink_count(&w->f.recorder, "notify i"), 5);
    assert_int_equal(recording_sink_count(&w->f.recorder, "notify @all:FleetFailure alert_resolved"), 1);
    assert_story(w, STORY_GROUPS, "shut(all) shut(broker:b2) shut(host:h2)");
}

static void test_no_command_of_any_kind_in_the_group(void **state)
{
    struct watch_fixture *w = *state;

    add_fleet(w, 8, 0);
    say_each(w, 2000, 0, 5, "state=crashed");
    say_each(w, 2000, 5, 8, "queue_length=500 socket_connections=0 load_average=9 cpu_usage=99");
    watch_run(w, 20000);
    assert_story(w, STORY_COMMANDS | STORY_NOTICES, "tell(@all:FleetFailure)");
    assert_int_equal(count_why(w, "i6", "no throttle", "breaker"), 1);
    assert_int_equal(count_why(w, "i6", "no reconnect", "breaker"), 1);
    assert_int_equal(count_why(w, "i6", "no redistribute", "breaker"), 1);
    assert_int_equal(count_why(w, "i6", "no recover", "breaker"), 1);
}

static void test_groups_come_and_go_with_their_members(void **state)
{
    struct watch_fixture *w = *state;
    struct breaker *breaker = &w->f.fleet.watch->breaker;
    struct cause cause = {CAUSE_OPERATOR, {3000, 0}};

    add_fleet(w, 5, 0);
    say_each(w, 2000, 0, 5, "state=crashed");
    watch_tick(w, 2000);
    say_each(w, 2500, 0, 1, "host_id=h5");
    assert_int_equal(breaker_find(breaker, slice_text("host:h2"))->members, 4);
    assert_int_equal(breaker_find(breaker, slice_text("host:h5"))->members, 1);
    for (const char *id = "01234"; *id; id++) {
        const char name[] = {'i', *id, '\0'};

        fleet_remove(&w->f.fleet, watch_find(w, name), slice_text("gone"), &cause, 3000, w->f.sink);
    }
    recording_sink_reset(&w->f.recorder);
    watch_tick(w, 3000);
    assert_int_equal(breaker->open_count, 0);
    assert_int_equal(breaker->map.count, 0);
    assert_story(w, STORY_NOTICES, "over(@all:FleetFailure)");
}

/* What is stored may be anything. */
static void test_load_takes_groups_that_there_can_be_once(void **state)
{
    static const char *const rows[] = {
        "", "al", "all:x", "broker:", "broker:a b", "host", "rack:r1", "everything"};
    struct watch_fixture *w = *state;
    struct breaker *breaker = &w->f.fleet.watch->breaker;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        breaker_load(breaker, slice_text(rows[i]), 500, 5, 8);
    assert_int_equal(breaker->open_count, 0);
    assert_int_equal(breaker->map.count, 0);
    breaker_load(breaker, slice_text("host:h1"), 500, 5, 8);
    breaker_load(breaker, slice_text("host:h1"), 700, 6, 9);
    assert_int_equal(breaker->open_count, 1);
    assert_int_equal(breaker_find(breaker, slice_text("host:h1"))->opened_ms, 500);
    assert_int_equal(breaker_find(breaker, slice_text("host:h1"))->crashed, 5);
    /* Nobody is waited for. */
    watch_tick(w, 1000);
    assert_int_equal(breaker->open_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_than_a_share_of_at_least_four),
        cmocka_unit_test_setup_teardown(test_group_of_its_own_for_broker_and_host, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host_alone_and_no_host, setup, teardown),
        cmocka_unit_test_setup_teardown(test_told_once_and_theirs_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_group_is_told_with_its_count, setup, teardown),
        cmocka_unit_test(test_crashes_within_the_longer_of_ten_seconds_and_the_heartbeat),
        cmocka_unit_test_setup_teardown(test_many_crashes_all_leave_the_window, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset_forgets_open_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crashes_read_late_have_happened_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence_of_many_is_seen_before_the_first_command, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ends_when_half_of_them_run_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end_is_not_lost_on_who_changes_before_the_round, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_group_opens_together_with_its_victims, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_while_it_is_open_waits_with_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_is_stopped_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends_by_an_operators_recover_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_command_of_any_kind_in_the_group, setup, teardown),
        cmocka_unit_test_setup_teardown(test_groups_come_and_go_with_their_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load_takes_groups_that_there_can_be_once, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
