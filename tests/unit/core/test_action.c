/* What firing alerts ask for besides a recovery: reconnect, throttle, redistribute, stop (SPEC §7.2). */
#include "util/macros.h"
#include "watch_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static int setup(void **state)
{
    static struct watch_fixture w;

    watch_fixture_init(&w);
    w.f.fleet.options.heartbeat_timeout_ms = 0;
    w.f.fleet.options.metric_max_age_ms = INT64_MAX / 4;
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    watch_fixture_clear(*state);
    return 0;
}

static void test_reconnect_is_repeated_with_the_backoff(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "socket_connections=0");
    watch_tick(w, 1000);
    assert_story(w, STORY_ACTS, "a.reconnect.1");
    watch_say(w, 2000, "a", "command_id=a.reconnect.1 command_status=ok");
    watch_run(w, 2004);
    assert_story(w, STORY_ACTS, "a.reconnect.1=ok");
    watch_run(w, 2005);
    assert_story(w, STORY_ACTS, "a.reconnect.2");
    watch_run(w, 32005); /* nobody answers */
    watch_run(w, 32013);
    assert_story(w, STORY_ACTS, "a.reconnect.2=expired");
    watch_run(w, 32014);
    assert_story(w, STORY_ACTS, "a.reconnect.3");
    watch_say(w, 33000, "a", "command_id=a.reconnect.3 command_status=failed");
    watch_run(w, 900000);
    assert_story(w, STORY_ACTS, "a.reconnect.3=failed");
    /* The next firing has tries of its own. */
    watch_say(w, 900001, "a", "socket_connections=1");
    watch_say(w, 900002, "a", "socket_connections=0");
    assert_story(w, STORY_ACTS | STORY_ALERTS, "a-SocketFailure a+SocketFailure a.reconnect.4");
    assert_int_equal(watch_find(w, "a")->recovery_attempts, 0);
}

static void test_reconnect_ends_with_its_alert(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "socket_connections=0");
    watch_tick(w, 1000);
    watch_say(w, 2000, "a", "command_id=a.reconnect.1 command_status=ok");
    watch_say(w, 2001, "a", "socket_connections=1");
    watch_run(w, 900000);
    assert_story(w, STORY_ACTS, "a.reconnect.1 a.reconnect.1=ok");
}

static void test_two_alerts_that_reconnect_have_one_command_at_a_time(void **state)
{
    struct watch_fixture *w = *state;

    watch_fixture_rule(w, "NetworkFailure")->for_ms = 0;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "socket_connections=0 network_latency=900");
    watch_tick(w, 1000);
    assert_story(w, STORY_ACTS, "a.reconnect.1");
    watch_say(w, 2000, "a", "command_id=a.reconnect.1 command_status=ok");
    assert_story(w, STORY_ACTS, "a.reconnect.1=ok a.reconnect.2");
}

static void test_throttle_is_set_and_taken_back(void **state)
{
    struct watch_fixture *w = *state;
    const struct instance *a = watch_add(w, 1000, "a", "queue_length=500");

    watch_tick(w, 1000);
    assert_story(w, STORY_ACTS, "a.throttle.1 throttled(a)");
    assert_true(a->watched->record.is_throttled);
    watch_say(w, 2000, "a", "command_id=a.throttle.1 command_status=ok");
    watch_run(w, 50000);
    watch_say(w, 51000, "a", "queue_length=5");
    assert_story(w, STORY_ACTS, "a.throttle.1=ok unthrottled(a) a.unthrottle.2");
    assert_false(a->watched->record.is_throttled);
    assert_false(a->watched->record.owes_unthrottle);
    watch_run(w, 900000);
    assert_story(w, STORY_ACTS, "a.unthrottle.2=expired");
}

static void test_one_that_is_removed_is_not_throttled_any_more(void **state)
{
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_OPERATOR, {1000, 0}};

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    watch_say(w, 2000, "a", "command_id=a.throttle.1 command_status=ok");
    recording_sink_reset(&w->f.recorder);
    fleet_remove(&w->f.fleet, watch_find(w, "a"), slice_text("gone"), &cause, 3000, w->f.sink);
    assert_story(w, STORY_ACTS, "unthrottled(a)");
}

/* Who only looks on takes nothing back either, but what was under way has ended. */
static void test_one_that_is_removed_under_observe_only_is_sent_nothing(void **state)
{
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_OPERATOR, {1000, 0}};

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    recording_sink_reset(&w->f.recorder);
    w->options.observe_only = true;
    watch_fixture_configure(w);
    fleet_remove(&w->f.fleet, watch_find(w, "a"), slice_text("gone"), &cause, 3000, w->f.sink);
    assert_story(w, STORY_ACTS, "a.throttle.1=cancelled unthrottled(a)");
}

static void test_unthrottle_replaces_a_throttle_that_is_under_way(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    watch_say(w, 2000, "a", "queue_length=5");
    assert_story(w, STORY_ACTS,
                 "a.throttle.1 throttled(a) unthrottled(a) a.cancel.2>a.throttle.1 a.throttle.1=cancelled "
                 "a.unthrottle.3");
    watch_say(w, 3000, "a", "queue_length=500");
    assert_story(w, STORY_ACTS,
                 "a.cancel.4>a.unthrottle.3 a.unthrottle.3=cancelled a.throttle.5 throttled(a)");
}

static void test_unthrottle_waits_for_what_is_stronger(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    watch_say(w, 2000, "a", "state=crashed");
    assert_story(w, STORY_ACTS | STORY_ALERTS,
                 "a.throttle.1 throttled(a) a+InstanceCrash a.cancel.2>a.throttle.1 "
                 "a.throttle.1=cancelled a.recover.3");
    /* Its alert was frozen; the instance that runs again has no samples so far. */
    watch_say(w, 3000, "a", "state=running");
    assert_story(w, STORY_ACTS | STORY_ALERTS, "a-InstanceCrash a.recover.3=ok a.throttle.4");
    watch_say(w, 4000, "a", "queue_length=1 command_id=a.throttle.4 command_status=ok");
    assert_story(w, STORY_ACTS | STORY_ALERTS,
                 "a.throttle.4=ok a-HighQueueLength unthrottled(a) a.unthrottle.5");
}

static void test_two_alerts_that_throttle_are_one_throttle(void **state)
{
    struct watch_fixture *w = *state;

    watch_fixture_rule(w, "HighLoadAverage")->actions = ACTION_BIT(ACTION_THROTTLE);
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "queue_length=500 load_average=9");
    watch_tick(w, 1000);
    watch_say(w, 2000, "a", "command_id=a.throttle.1 command_status=ok queue_length=1");
    assert_true(watch_find(w, "a")->watched->record.is_throttled);
    recording_sink_reset(&w->f.recorder);
    watch_run(w, 40000);
    watch_say(w, 50000, "a", "load_average=1");
    assert_int_equal(recording_sink_count(&w->f.recorder, "unthrottled a"), 1);
    assert_int_equal(recording_sink_count(&w->f.recorder, "command unthrottle"), 1);
}

static void test_throttle_whose_action_is_taken_away_is_taken_back(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    watch_say(w, 2000, "a", "command_id=a.throttle.1 command_status=ok");
    recording_sink_reset(&w->f.recorder);
    watch_fixture_rule(w, "HighQueueLength")->actions = ACTION_BIT(ACTION_NOTIFY);
    watch_fixture_configure(w);
    watch_tick(w, 3000);
    assert_story(w, STORY_ACTS | STORY_ALERTS, "unthrottled(a) a.unthrottle.2");
}

/* Where HighLoadAverage of a (broker b1, host h1) sends its work to. */
static void test_target_is_the_least_loaded_that_fits(void **state)
{
    static const struct {
        const char *b, *c, *story;
    } rows[] = {
        {"host_id=h2 load_average=1", "host_id=h3 load_average=0.5", "a.redistribute.1>c"},
        {"host_id=h2 load_average=0.4", "host_id=h3 load_average=0.5", "a.redistribute.1>b"},
        {"host_id=h2 cpu_usage=30", "host_id=h3 load_average=0.5", "a.redistribute.1>b"},
        {"load_average=1.5", "host_id=h1 load_average=0.5", "a.redistribute.1>b"},
        {"broker_id=b2 load_average=0.1", "host_id=h3 load_average=1", "a.redistribute.1>c"},
        {"state=stopped", "host_id=h3 load_average=1", "a.redistribute.1>c"},
        {"state=crashed", "host_id=h3 load_average=1", "a.redistribute.1>c"},
        {"load_average=0.1 socket_connections=0", "host_id=h3 load_average=1", "a.redistribute.1>c"},
        {"load_average=0.1 cpu_usage=99", "host_id=h3 load_average=1", "a.redistribute.1>b"}, /* pending */
        {"host_id=h1", "broker_id=b2", ""},
        {"host_id=h1", "load_average=2.1", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        w.options.breaker_percent = 100;
        watch_fixture_configure(&w);
        (void)watch_add(&w, 1000, "a", "host_id=h1");
        (void)watch_add(&w, 1000, "b", rows[i].b);
        (void)watch_add(&w, 1000, "c", rows[i].c);
        watch_tick(&w, 1000);
        watch_tick(&w, 1500);
        recording_sink_reset(&w.f.recorder);
        watch_say(&w, 2000, "a", "load_average=9");
        assert_story(&w, STORY_ACTS, rows[i].story);
        assert_int_equal(count_why(&w, "a", "no redistribute", "no_target"), rows[i].story[0] ? 0 : 1);
        watch_fixture_clear(&w);
    }
}

static void add_many(struct watch_fixture *w, unsigned count, const char *host_id)
{
    char id[16], text[64];

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(id, sizeof(id), "i%u", i);
        (void)snprintf(text, sizeof(text), "host_id=%s load_average=0.%02u", host_id, i + 1);
        (void)watch_add(w, 1000, id, text);
    }
}

/* Of a broker as many are remembered as targets as are likely to do; here none of them does. */
static void test_target_is_found_behind_many_that_do_not_fit(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "host_id=h1");
    (void)watch_add(w, 1000, "b", "host_id=h2 load_average=1.9");
    (void)watch_add(w, 1000, "c", "host_id=h3 load_average=1.8");
    add_many(w, 70, "h1");
    watch_say(w, 2000, "a", "load_average=9");
    assert_story(w, STORY_ACTS, "a.redistribute.1>c");
}

/* Whether they are met in this order or the other. */
static void test_target_is_the_least_loaded_of_many(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "least", "host_id=h2 load_average=0");
    (void)watch_add(w, 1000, "a", "host_id=h1");
    add_many(w, 70, "h2");
    (void)watch_add(w, 1000, "next", "host_id=h2 load_average=0.001");
    watch_say(w, 2000, "a", "load_average=9");
    assert_story(w, STORY_ACTS, "a.redistribute.1>least");
    watch_say(w, 2001, "a", "command_id=a.redistribute.1 command_status=ok load_average=1");
    recording_sink_reset(&w->f.recorder);
    watch_say(w, 2002, "a", "load_average=9");
    assert_story(w, STORY_ACTS, "a.redistribute.2>next");
}

static void test_target_that_is_throttled_or_in_maintenance_is_none(void **state)
{
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_OPERATOR, {1000, 0}};

    (void)watch_add(w, 1000, "a", "");
    (void)watch_add(w, 1000, "b", "");
    (void)watch_add(w, 1000, "c", "load_average=1.9");
    watch_set_maintenance(&w->f.fleet, watch_find(w, "b"), 5000, slice_text("x"), &cause, 1000, w->f.sink);
    watch_say(w, 2000, "a", "load_average=9");
    watch_run(w, 2500);
    recording_sink_reset(&w->f.recorder);
    watch_say(w, 3000, "c", "queue_length=500"); /* throttled */
    watch_say(w, 4000, "a", "load_average=1");
    watch_say(w, 4100, "a", "load_average=9");
    assert_int_equal(count_why(w, "a", "no redistribute", "no_target"), 0);
    watch_say(w, 4200, "a", "command_id=a.redistribute.1 command_status=ok");
    assert_int_equal(count_why(w, "a", "no redistribute", "no_target"), 1);
}

static void test_target_is_named_twice_only_where_there_is_no_other(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "load_average=1");
    (void)watch_add(w, 1000, "b", "load_average=1.2");
    (void)watch_add(w, 1000, "c", "load_average=1");
    (void)watch_add(w, 1000, "d", "load_average=1.5");
    watch_say(w, 2000, "a", "load_average=9");
    watch_say(w, 2001, "b", "load_average=9");
    assert_story(w, STORY_ACTS, "a.redistribute.1>c b.redistribute.1>d");
    watch_say(w, 2002, "a", "command_id=a.redistribute.1 command_status=ok load_average=1");
    watch_say(w, 2003, "b", "command_id=b.redistribute.1 command_status=ok");
    watch_say(w, 2004, "c", "load_average=1.8");
    /* Both that are left were named lately. */
    watch_say(w, 2005, "a", "state=stopped");
    watch_say(w, 2006, "b", "load_average=1");
    recording_sink_reset(&w->f.recorder);
    watch_say(w, 2007, "b", "load_average=9");
    assert_story(w, STORY_ACTS, "b.redistribute.2>d");
    watch_say(w, 2008, "b", "command_id=b.redistribute.2 command_status=ok load_average=1");
    recording_sink_reset(&w->f.recorder);
    /* c was named at 2000, d at 2007. */
    watch_say(w, 12004, "b", "load_average=9");
    assert_story(w, STORY_ACTS, "b.redistribute.3>c");
}

static void test_no_target_is_tried_again(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "host_id=h1");
    (void)watch_add(w, 1000, "b", "host_id=h1");
    watch_say(w, 2000, "a", "load_average=9");
    watch_say(w, 3000, "b", "host_id=h2");
    watch_run(w, 11999);
    assert_story(w, STORY_ACTS, "");
    watch_run(w, 12000);
    assert_story(w, STORY_ACTS, "a.redistribute.1>b");
    watch_say(w, 13000, "a", "command_id=a.redistribute.1 command_status=ok");
    watch_run(w, 900000);
    assert_story(w, STORY_ACTS, "a.redistribute.1=ok"); /* once for one firing */
}

static void test_lack_of_a_target_is_noted_once(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "load_average=9");
    for (int64_t at = 3000; at < 60000; at += 1000) {
        watch_fixture_configure(w); /* looks at everybody */
        watch_run(w, at);
    }
    assert_int_equal(count_why(w, "a", "no redistribute", NULL), 1);
}

static void test_rule_may_ask_for_a_stop(void **state)
{
    struct watch_fixture *w = *state;

    watch_fixture_only_rule(w, "open_trades", ">", 5)->actions = ACTION_BIT(ACTION_STOP);
    watch_fixture_configure(w);
    watch_add(w, 1000, "a", "")->open_trades = 6;
    watch_touch(&w->f.fleet, watch_find(w, "a"), 1500);
    watch_tick(w, 2000);
    assert_story(w, STORY_ACTS | STORY_ALERTS | STORY_NOTICES, "a+Rule a.stop.1");
    assert_int_equal(watch_find(w, "a")->desired_state, STATE_STOPPED);
    assert_int_equal(watch_find(w, "a")->state, STATE_RUNNING);
    watch_run(w, 900000);
    assert_story(w, STORY_ACTS, "a.stop.1=expired");
}

/* The launch mode holds back what is new; what was commanded before is taken back all the same. */
static void test_unthrottle_goes_out_whatever_the_launch_mode(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    watch_say(w, 2000, "a", "command_id=a.throttle.1 command_status=ok launch_mode=manual");
    recording_sink_reset(&w->f.recorder);
    watch_say(w, 3000, "a", "queue_length=5");
    assert_story(w, STORY_ACTS, "unthrottled(a) a.unthrottle.2");
    watch_say(w, 4000, "a", "command_id=a.unthrottle.2 command_status=ok queue_length=500");
    assert_story(w, STORY_ACTS, "a.unthrottle.2=ok");
    assert_int_equal(count_why(w, "a", "no throttle", "launch_mode"), 1);
}

/* Each broker has to be looked through by itself: one call does that for so many, and the next for the
 * others. */
static void test_targets_of_many_brokers_are_found_in_several_calls(void **state)
{
    enum { BROKERS = 300 };
    struct watch_fixture *w = *state;
    struct watch *watch = w->f.fleet.watch;
    char id[16], text[64];
    size_t first, calls = 0;

    w->f.fleet.options.max = 2 * BROKERS;
    for (unsigned i = 0; i < BROKERS; i++) {
        for (unsigned k = 0; k < 2; k++) {
            (void)snprintf(id, sizeof(id), "%c%u", k ? 'b' : 'a', i);
            (void)snprintf(text, sizeof(text), "broker_id=own%u host_id=h%u load_average=1", i, k);
            (void)watch_add(w, 1000, id, text);
        }
    }
    watch_tick(w, 1000);
    recording_sink_reset(&w->f.recorder);
    for (unsigned i = 0; i < BROKERS; i++) {
        (void)snprintf(id, sizeof(id), "a%u", i);
        assert_true(fixture_report(&w->f, 2000, id, "load_average=9"));
    }
    fleet_on_timer(&w->f.fleet, 2000, 2000, w->f.sink);
    first = recording_sink_count(&w->f.recorder, "command redistribute");
    assert_in_range(first, 1, BROKERS - 1);
    /* What was not looked at has no target for lack of a look, which is not said. */
    assert_int_equal(watch->stats.held[HOLD_NO_TARGET], 0);
    for (int64_t at_ms = 2020; at_ms < 3000 && calls < BROKERS; at_ms += 20, calls++)
        watch_tick(w, at_ms);
    assert_int_equal(recording_sink_count(&w->f.recorder, "command redistribute"), BROKERS);
    assert_non_null(
        recording_sink_find(&w->f.recorder, "command redistribute command_id=a299.redistribute.1"));
    assert_int_equal(watch->stats.held[HOLD_NO_TARGET], 0);
}

/* Who may be named was found out a moment ago, for another. */
static void test_target_that_was_removed_meanwhile_is_none(void **state)
{
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_OPERATOR, {2000, 0}};

    (void)watch_add(w, 1000, "a", "load_average=1");
    (void)watch_add(w, 1000, "b", "load_average=0.1");
    (void)watch_add(w, 1000, "c", "load_average=0.5");
    (void)watch_add(w, 1000, "d", "load_average=1");
    watch_say(w, 2000, "a", "load_average=9");
    assert_story(w, STORY_ACTS, "a.redistribute.1>b");
    fleet_remove(&w->f.fleet, watch_find(w, "b"), slice_text("gone"), &cause, 2000, w->f.sink);
    fleet_remove(&w->f.fleet, watch_find(w, "c"), slice_text("gone"), &cause, 2000, w->f.sink);
    (void)watch_add(w, 2000, "e", "load_average=1"); /* where c was */
    recording_sink_reset(&w->f.recorder);
    watch_say(w, 2000, "d", "load_average=9");
    assert_int_equal(count_why(w, "d", "no redistribute", "no_target"), 1);
    assert_story(w, STORY_ACTS, "");
    watch_run(w, 12000);
    assert_story(w, STORY_ACTS, "d.redistribute.1>e");
}

static void test_stop_is_held_back_like_any_other(void **state)
{
    struct watch_fixture *w = *state;

    watch_fixture_only_rule(w, "queue_length", ">", 100)->actions = ACTION_BIT(ACTION_STOP);
    w->options.observe_only = true;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_run(w, 5000);
    assert_story(w, STORY_ACTS, "");
    assert_int_equal(watch_find(w, "a")->desired_state, STATE_NONE);
    assert_int_equal(count_why(w, "a", "no stop", "observe_only"), 1);
    w->options.observe_only = false;
    watch_fixture_configure(w);
    watch_run(w, 6000);
    assert_story(w, STORY_ACTS, "a.stop.1");
    assert_int_equal(watch_find(w, "a")->desired_state, STATE_STOPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reconnect_is_repeated_with_the_backoff, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reconnect_ends_with_its_alert, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_alerts_that_reconnect_have_one_command_at_a_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_throttle_is_set_and_taken_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_is_removed_is_not_throttled_any_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_is_removed_under_observe_only_is_sent_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_unthrottle_replaces_a_throttle_that_is_under_way, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_unthrottle_waits_for_what_is_stronger, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_alerts_that_throttle_are_one_throttle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_throttle_whose_action_is_taken_away_is_taken_back, setup,
                                        teardown),
        cmocka_unit_test(test_target_is_the_least_loaded_that_fits),
        cmocka_unit_test_setup_teardown(test_target_is_found_behind_many_that_do_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_target_is_the_least_loaded_of_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_target_that_is_throttled_or_in_maintenance_is_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_target_is_named_twice_only_where_there_is_no_other, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_no_target_is_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lack_of_a_target_is_noted_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rule_may_ask_for_a_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unthrottle_goes_out_whatever_the_launch_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(test_targets_of_many_brokers_are_found_in_several_calls, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_target_that_was_removed_meanwhile_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_is_held_back_like_any_other, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
