/* The life of alerts (SPEC §6.1, §6.2): when they begin, fire and are resolved. */
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
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    watch_fixture_clear(*state);
    return 0;
}

/* The seven rules that a report can meet: one that meets it, one that just does not. */
static const struct row {
    const char *rule, *meets, *misses;
    int64_t for_ms;
    const char *own_event;
    enum health health;
} rows[] = {
    {"HighCpuUsage", "cpu_usage=80.1", "cpu_usage=80", 10000, NULL, HEALTH_WARNING},
    {"HighMemoryUsage", "memory_limit=1000 memory_usage=801", "memory_limit=1000 memory_usage=800", 10000,
     NULL, HEALTH_WARNING},
    {"NetworkFailure", "network_latency=500.5", "network_latency=500", 5000, "a:network_issue",
     HEALTH_CRITICAL},
    {"InstanceCrash", "state=crashed", "state=running", 0, NULL, HEALTH_CRITICAL},
    {"HighQueueLength", "queue_length=101", "queue_length=100", 0, NULL, HEALTH_WARNING},
    {"HighLoadAverage", "load_average=2.01", "load_average=2", 0, NULL, HEALTH_WARNING},
    {"SocketFailure", "socket_connections=0", "socket_connections=1", 0, "a:socket_failure", HEALTH_CRITICAL},
};

static void with_sign(char out[64], const char *sign, const char *rule)
{
    (void)snprintf(out, 64, "a%s%s", sign, rule);
}

static void judge_row_by_timer(const struct row *row)
{
    struct watch_fixture w;
    const struct instance *a;
    char fires[64], ends[64];

    watch_fixture_init(&w);
    with_sign(fires, "+", row->rule);
    with_sign(ends, "-", row->rule);
    a = watch_add(&w, 1000, "a", "");
    watch_say(&w, 2000, "a", row->misses);
    assert_story(&w, STORY_ALERTS, "");
    assert_true(fixture_report(&w.f, 3000, "a", row->meets));
    if (row->for_ms > 0) {
        assert_int_equal(watch_alert(&w, "a", row->rule)->status, ALERT_PENDING);
        watch_run(&w, 3000 + row->for_ms);
        assert_story(&w, STORY_ALERTS, "");
        assert_int_equal(a->health, HEALTH_HEALTHY);
        watch_run(&w, 3000 + row->for_ms + 1);
    }
    assert_story(&w, STORY_ALERTS, fires);
    assert_int_equal(a->health, row->health);
    assert_int_equal(watch_alert(&w, "a", row->rule)->fired_ms, 3000 + row->for_ms + (row->for_ms > 0));
    watch_say(&w, 20000, "a", row->misses);
    assert_story(&w, STORY_ALERTS, ends);
    assert_int_equal(a->health, HEALTH_HEALTHY);
    assert_null(watch_alert(&w, "a", row->rule));
    watch_fixture_clear(&w);
}

static void test_each_default_fires_by_timer_when_held_for_longer(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        judge_row_by_timer(&rows[i]);
}

/* Reports alone, no timer in between: the last one comes when the rule has been met for exactly HELD_MS. */
static void assert_fires_by_samples(const struct row *row, int64_t held_ms, const char *expected)
{
    struct watch_fixture w;

    watch_fixture_init(&w);
    (void)watch_add(&w, 1000, "a", "");
    assert_true(fixture_report(&w.f, 2000, "a", row->meets));
    assert_true(fixture_report(&w.f, 2000 + held_ms / 2, "a", row->meets));
    assert_true(fixture_report(&w.f, 2000 + held_ms, "a", row->meets));
    assert_story(&w, STORY_ALERTS, expected);
    watch_fixture_clear(&w);
}

static void test_each_default_fires_by_samples_when_held_for_longer(void **state)
{
    char fires[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        with_sign(fires, "+", rows[i].rule);
        if (rows[i].for_ms > 0)
            assert_fires_by_samples(&rows[i], rows[i].for_ms, "");
        assert_fires_by_samples(&rows[i], rows[i].for_ms + 1, fires);
    }
}

static void test_own_event_comes_first_and_all_share_the_cause(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watch_fixture w;
        char expected[256];
        const char *own = rows[i].own_event;

        watch_fixture_init(&w);
        (void)watch_add(&w, 1000, "a", "");
        assert_true(fixture_report(&w.f, 2000, "a", rows[i].meets));
        watch_run(&w, 2000 + rows[i].for_ms + 1);
        assert_int_equal(recording_sink_count(&w.f.recorder, "event alert_firing"), 1);
        assert_non_null(strstr(recording_sink_find(&w.f.recorder, "event alert_firing"),
                               " correlation_id=report-2000-0"));
        /* For want of another instance nothing is redistributed. */
        if (strcmp(rows[i].rule, "HighLoadAverage") != 0)
            assert_non_null(strstr(recording_sink_find(&w.f.recorder, "event command_issued"),
                                   " correlation_id=report-2000-0"));
        (void)snprintf(expected, sizeof(expected), "%s%s%sa+%s a:instance_degraded",
                       strcmp(rows[i].rule, "InstanceCrash") == 0 ? "a:instance_failed " : "", own ? own : "",
                       own ? " " : "", rows[i].rule);
        assert_story(&w, STORY_ALERTS | STORY_STATES, expected);
        watch_fixture_clear(&w);
    }
}

static void test_event_has_value_and_threshold(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    assert_true(fixture_report(&w->f, 2000, "a", "queue_length=150"));
    assert_recorded_only(&w->f.recorder, "event alert_firing",
                         "event alert_firing instance_id=a seq=3 at=1970-01-01T00:00:02Z "
                         "reason=queue_length > 100 alert=HighQueueLength value=150 threshold=100 "
                         "correlation_id=report-2000-0\n");
    assert_true(fixture_report(&w->f, 3000, "a", "queue_length=20"));
    assert_recorded_only(&w->f.recorder, "event alert_resolved",
                         "event alert_resolved instance_id=a seq=5 at=1970-01-01T00:00:03Z "
                         "reason=the condition does not hold any more alert=HighQueueLength value=20 "
                         "threshold=100 correlation_id=report-2000-0\n");
    assert_true(fixture_report(&w->f, 4000, "a", "state=crashed"));
    assert_recorded_only(&w->f.recorder, "event alert_firing",
                         "event alert_firing instance_id=a seq=7 at=1970-01-01T00:00:04Z "
                         "reason=state == crashed alert=InstanceCrash value=crashed threshold=crashed "
                         "correlation_id=report-4000-0\n");
}

static void test_one_false_sample_ends_pending(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "cpu_usage=90");
    watch_say(w, 5000, "a", "cpu_usage=79");
    assert_null(watch_alert(w, "a", "HighCpuUsage"));
    assert_int_equal(recording_sink_count(&w->f.recorder, "unset_alert a HighCpuUsage"), 1);
    watch_say(w, 6000, "a", "cpu_usage=90");
    watch_say(w, 16000, "a", "memory_usage=10");
    assert_story(w, STORY_ALERTS, "");
    watch_run(w, 16001);
    assert_story(w, STORY_ALERTS, "a+HighCpuUsage");
}

static void test_number_that_grows_too_old_ends_pending_and_leaves_firing(void **state)
{
    struct watch_fixture *w = *state;

    watch_fixture_rule(w, "HighCpuUsage")->for_ms = 90000;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "cpu_usage=90 queue_length=500");
    for (int64_t at = 20000; at < 61000; at += 20000)
        watch_say(w, at, "a", "active_connections=1");
    watch_run(w, 61000);
    assert_non_null(watch_alert(w, "a", "HighCpuUsage"));
    watch_run(w, 61001);
    assert_null(watch_alert(w, "a", "HighCpuUsage"));
    watch_say(w, 80000, "a", "");
    assert_story(w, STORY_ALERTS, "");
    assert_int_equal(watch_alert(w, "a", "HighQueueLength")->status, ALERT_FIRING);
}

static void test_number_never_reported_makes_no_alert(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    (void)watch_fixture_only_rule(w, "socket_connections", "==", 0);
    watch_fixture_configure(w);
    watch_say(w, 2000, "a", "cpu_usage=1");
    assert_story(w, STORY_ALERTS, "");
}

static void test_clear_is_where_it_ends(void **state)
{
    static const struct {
        const char *op;
        double threshold, clear;
        const char *meets, *between, *at_clear, *past;
    } table[] = {
        {">", 80, 60, "cpu_usage=81", "cpu_usage=70", "cpu_usage=60.1", "cpu_usage=60"},
        {">=", 80, 60, "cpu_usage=80", "cpu_usage=70", "cpu_usage=60", "cpu_usage=59.9"},
        {"<", 10, 20, "cpu_usage=9", "cpu_usage=15", "cpu_usage=19.9", "cpu_usage=20"},
        {"<=", 10, 20, "cpu_usage=10", "cpu_usage=15", "cpu_usage=20", "cpu_usage=20.1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct watch_fixture w;
        struct rule *rule;

        watch_fixture_init(&w);
        rule = watch_fixture_only_rule(&w, "cpu_usage", table[i].op, table[i].threshold);
        rule->has_clear = true;
        rule->clear = table[i].clear;
        watch_fixture_configure(&w);
        (void)watch_add(&w, 1000, "a", table[i].between);
        assert_null(watch_alert(&w, "a", "Rule"));
        watch_say(&w, 2000, "a", table[i].meets);
        watch_say(&w, 3000, "a", table[i].between);
        watch_say(&w, 4000, "a", table[i].at_clear);
        assert_story(&w, STORY_ALERTS, "a+Rule");
        watch_say(&w, 5000, "a", table[i].past);
        assert_story(&w, STORY_ALERTS, "a-Rule");
        watch_fixture_clear(&w);
    }
}

static void test_keep_firing_ends_it_by_timer(void **state)
{
    struct watch_fixture *w = *state;

    watch_fixture_rule(w, "HighQueueLength")->keep_firing_ms = 7000;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "queue_length=200");
    watch_say(w, 2000, "a", "queue_length=1");
    watch_say(w, 8000, "a", "queue_length=200");
    watch_say(w, 10000, "a", "queue_length=1");
    watch_run(w, 16999);
    assert_story(w, STORY_ALERTS, "");
    watch_run(w, 17000);
    assert_story(w, STORY_ALERTS, "a-HighQueueLength");
}

static void test_keep_firing_waits_while_the_instance_restarts(void **state)
{
    struct watch_fixture *w = *state;

    w->options.observe_only = true;
    watch_fixture_rule(w, "InstanceCrash")->keep_firing_ms = 5000;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "state=crashed");
    watch_say(w, 3000, "a", "state=running");
    watch_say(w, 4000, "a", "state=restarting");
    watch_run(w, 20000);
    assert_story(w, STORY_ALERTS, "a+InstanceCrash");
    watch_say(w, 21000, "a", "state=running");
    watch_run(w, 27000);
    assert_story(w, STORY_ALERTS, "a-InstanceCrash");
}

static void test_threshold_rules_look_at_running_instances_only(void **state)
{
    static const char *const states[] = {"state=stopped", "state=restarting", "state=crashed"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        w.options.observe_only = true; /* a command under way would freeze them */
        watch_fixture_configure(&w);
        (void)watch_add(&w, 1000, "a", "queue_length=500 cpu_usage=95");
        watch_say(&w, 2000, "a", states[i]);
        assert_null(watch_alert(&w, "a", "HighQueueLength"));
        assert_null(watch_alert(&w, "a", "HighCpuUsage"));
        watch_say(&w, 3000, "a", "queue_length=600");
        assert_null(watch_alert(&w, "a", "HighQueueLength"));
        /* What it reported before it ran again says nothing about it. */
        watch_say(&w, 4000, "a", "state=running");
        assert_null(watch_alert(&w, "a", "HighQueueLength"));
        watch_say(&w, 5000, "a", "queue_length=600");
        assert_non_null(watch_alert(&w, "a", "HighQueueLength"));
        watch_fixture_clear(&w);
    }
}

static void test_alerts_are_frozen_while_a_command_is_under_way(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "cpu_usage=90");
    watch_run(w, 11001);
    assert_story(w, STORY_ALERTS | STORY_COMMANDS, "a+HighCpuUsage a.recover.1");
    watch_say(w, 12000, "a", "state=restarting");
    watch_say(w, 13000, "a", "cpu_usage=1");
    assert_story(w, STORY_ALERTS, "");
    watch_say(w, 14000, "a", "command_id=a.recover.1 command_status=failed");
    assert_story(w, STORY_ALERTS | STORY_ACTS, "a.recover.1=failed a-HighCpuUsage");
}

static void test_crash_lasts_through_restarting(void **state)
{
    struct watch_fixture *w = *state;

    w->options.observe_only = true;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "state=crashed");
    watch_say(w, 3000, "a", "state=restarting");
    watch_say(w, 4000, "a", "state=crashed");
    watch_say(w, 5000, "a", "state=restarting");
    assert_story(w, STORY_ALERTS, "a+InstanceCrash");
    watch_say(w, 6000, "a", "state=stopped");
    assert_story(w, STORY_ALERTS, "a-InstanceCrash");
}

static void test_other_state_rules_end_when_the_state_is_left(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_fixture_only_rule(w, "state", "==", STATE_STOPPED);
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "state=stopped");
    watch_say(w, 3000, "a", "state=restarting");
    assert_story(w, STORY_ALERTS, "a+Rule a-Rule");
}

static void test_memory_percent_takes_the_limit_that_there_is(void **state)
{
    static const struct {
        const char *report;
        double configured;
        bool fires, warns;
    } table[] = {
        {"memory_usage=90 memory_limit=100", 0, true, false},
        {"memory_usage=90 memory_limit=100", 1000, true, false},
        {"memory_usage=90 memory_limit=1000", 100, false, false},
        {"memory_usage=90", 100, true, false},
        {"memory_usage=90 memory_limit=0", 100, true, false},
        {"memory_usage=90", 0, false, true},
        {"memory_limit=100", 0, false, false},
        {"cpu_usage=1", 0, false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        watch_fixture_rule(&w, "HighMemoryUsage")->for_ms = 0;
        w.options.memory_limit_mb = table[i].configured;
        watch_fixture_configure(&w);
        (void)watch_add(&w, 1000, "a", table[i].report);
        watch_say(&w, 2000, "a", table[i].report);
        assert_int_equal(watch_alert(&w, "a", "HighMemoryUsage") != NULL, table[i].fires);
        assert_int_equal(w.warned, table[i].warns);
        assert_int_equal(
            watch_is_unevaluable(&w.f.fleet, watch_find(&w, "a"), watch_fixture_rule(&w, "HighMemoryUsage")),
            table[i].warns);
        watch_fixture_clear(&w);
    }
}

static void test_health_is_the_worst_of_all(void **state)
{
    struct watch_fixture *w = *state;
    const struct instance *a = watch_add(w, 1000, "a", "");

    w->options.observe_only = true;
    watch_fixture_configure(w);
    watch_say(w, 2000, "a", "queue_length=500");
    assert_story(w, STORY_STATES, "a:instance_degraded");
    watch_say(w, 3000, "a", "load_average=5");
    assert_story(w, STORY_STATES, "");
    watch_say(w, 4000, "a", "socket_connections=0");
    assert_story(w, STORY_STATES, "a:socket_failure a:instance_degraded");
    assert_int_equal(a->health, HEALTH_CRITICAL);
    watch_say(w, 5000, "a", "socket_connections=2 queue_length=1 load_average=1");
    assert_story(w, STORY_STATES, "");
    assert_int_equal(a->health, HEALTH_HEALTHY);
    watch_say(w, 6000, "a", "health_status=warning queue_length=500");
    watch_say(w, 7000, "a", "queue_length=5");
    assert_int_equal(a->health, HEALTH_WARNING);
    assert_story(w, STORY_STATES, "a:instance_degraded");
}

static void test_one_that_is_removed_has_no_alert_left(void **state)
{
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_OPERATOR, {3000, 0}};

    (void)watch_add(w, 1000, "a", "cpu_usage=90 queue_length=500");
    watch_tick(w, 1000);
    assert_int_equal(watch_alert(w, "a", "HighCpuUsage")->status, ALERT_PENDING);
    recording_sink_reset(&w->f.recorder);
    fleet_remove(&w->f.fleet, watch_find(w, "a"), slice_text("gone"), &cause, 3000, w->f.sink);
    assert_int_equal(recording_sink_count(&w->f.recorder, "unset_alert a HighCpuUsage"), 1);
    assert_int_equal(recording_sink_count(&w->f.recorder, "unset_alert a HighQueueLength"), 1);
    assert_story(w, STORY_ALERTS, "a-HighQueueLength"); /* what never fired is not resolved */
}

/* What a degraded instance is said to suffer from is the newest alert of that weight, not another one. */
static void test_degraded_names_an_alert_of_its_weight_or_none(void **state)
{
    struct watch_fixture *w = *state;
    const char *event;

    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "queue_length=500 socket_connections=0 load_average=9");
    event = recording_sink_find(&w->f.recorder, "event instance_degraded");
    assert_non_null(strstr(event, "to=critical"));
    assert_non_null(strstr(event, "alert=SocketFailure"));
    watch_say(w, 3000, "a", "socket_connections=1");
    recording_sink_reset(&w->f.recorder);
    watch_say(w, 4000, "a", "health_status=critical"); /* the other alerts are warnings */
    event = recording_sink_find(&w->f.recorder, "event instance_degraded");
    assert_non_null(strstr(event, "to=critical reason=reported by the agent"));
    assert_null(strstr(event, "alert="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_default_fires_by_timer_when_held_for_longer),
        cmocka_unit_test(test_each_default_fires_by_samples_when_held_for_longer),
        cmocka_unit_test(test_own_event_comes_first_and_all_share_the_cause),
        cmocka_unit_test_setup_teardown(test_event_has_value_and_threshold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_false_sample_ends_pending, setup, teardown),
        cmocka_unit_test_setup_teardown(test_number_that_grows_too_old_ends_pending_and_leaves_firing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_number_never_reported_makes_no_alert, setup, teardown),
        cmocka_unit_test(test_clear_is_where_it_ends),
        cmocka_unit_test_setup_teardown(test_keep_firing_ends_it_by_timer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keep_firing_waits_while_the_instance_restarts, setup, teardown),
        cmocka_unit_test(test_threshold_rules_look_at_running_instances_only),
        cmocka_unit_test_setup_teardown(test_alerts_are_frozen_while_a_command_is_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_lasts_through_restarting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_state_rules_end_when_the_state_is_left, setup, teardown),
        cmocka_unit_test(test_memory_percent_takes_the_limit_that_there_is),
        cmocka_unit_test_setup_teardown(test_health_is_the_worst_of_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_is_removed_has_no_alert_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_degraded_names_an_alert_of_its_weight_or_none, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
