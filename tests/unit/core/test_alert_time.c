/* Alerts and time: backlogs, numbers that grow by themselves, reloads, the guard, the horizon (SPEC §6.2,
 * §6.5). */
#include "util/macros.h"
#include "watch_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

/* ---- a backlog that is read at once ---- */

static const struct {
    int64_t at_ms;
    const char *text;
} history[] = {
    {2000, "cpu_usage=90 network_latency=900 memory_usage=95 memory_limit=100"},
    {9000, "cpu_usage=91"},
    {30000, "network_latency=10"}, /* all three have begun to fire in between */
    {31000, "cpu_usage=10 memory_usage=95"},
    {32000, "cpu_usage=90 queue_length=500"},
    {41000, "cpu_usage=90 queue_length=1"},
    {42000, "cpu_usage=10"},
    {43000, "socket_connections=0 load_average=3"},
    {44000, "cpu_usage=99"},
    {70000, "socket_connections=2"},
    {100000, "load_average=1"},
};

/* What the alerts did, with their times: the lines that tell of it. */
static void play(struct watch_fixture *w, bool live)
{
    w->options.observe_only = true; /* what is done about it depends on when it is decided */
    for (uint32_t i = 0; i < w->options.rules.count; i++)
        w->options.rules.rules[i].keep_firing_ms = i % 2 == 0 ? 0 : 4000;
    watch_fixture_configure(w);
    w->f.fleet.options.heartbeat_timeout_ms = 0;
    (void)watch_add(w, 1000, "a", "");
    for (size_t i = 0; i < ARRAY_LEN(history); i++) {
        if (live)
            watch_run(w, history[i].at_ms);
        assert_true(fixture_report(&w->f, history[i].at_ms, "a", history[i].text));
    }
    watch_run(w, 110000);
}

static void test_backlog_is_judged_as_it_happened(void **state)
{
    struct watch_fixture live, late;
    size_t alerts = 0;

    (void)state;
    watch_fixture_init(&live);
    watch_fixture_init(&late);
    play(&live, true);
    play(&late, false);
    for (size_t i = 0, k = 0; i < live.f.recorder.count; i++) {
        const char *line = live.f.recorder.lines[i];

        if (strncmp(line, "event alert_", 12) != 0)
            continue;
        while (k < late.f.recorder.count && strncmp(late.f.recorder.lines[k], "event alert_", 12) != 0)
            k++;
        assert_true(k < late.f.recorder.count);
        assert_string_equal(line, late.f.recorder.lines[k++]);
        alerts++;
    }
    assert_int_equal(recording_sink_count(&live.f.recorder, "event alert_"),
                     recording_sink_count(&late.f.recorder, "event alert_"));
    assert_int_equal(alerts, 12);
    watch_fixture_clear(&live);
    watch_fixture_clear(&late);
}

static void test_backlog_passes_any_number_of_deadlines(void **state)
{
    struct watch_fixture *w = *state;
    struct rule first = *watch_fixture_only_rule(w, "cpu_usage", ">", 80);

    for (uint32_t i = 0; i < 9; i++) {
        w->options.rules.rules[i] = first;
        w->options.rules.rules[i].name.text[3] = (char)('0' + i);
        w->options.rules.rules[i].for_ms = 1000 * (i + 1);
    }
    w->options.rules.count = 9;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "cpu_usage=90");
    assert_true(fixture_report(&w->f, 20000, "a", "cpu_usage=1"));
    assert_int_equal(recording_sink_count(&w->f.recorder, "event alert_firing"), 9);
    assert_int_equal(recording_sink_count(&w->f.recorder, "event alert_resolved"), 9);
}

/* A report of the very moment at which an alert would fire has the last word. */
static void test_backlog_is_judged_up_to_what_is_read(void **state)
{
    static const struct {
        int64_t at_ms;
        const char *story;
    } rows[] = {{11001, ""}, {11002, "a+HighCpuUsage a-HighCpuUsage"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        (void)watch_add(&w, 1000, "a", "cpu_usage=90");
        assert_true(fixture_report(&w.f, rows[i].at_ms, "a", "cpu_usage=1"));
        assert_story(&w, STORY_ALERTS, rows[i].story);
        watch_fixture_clear(&w);
    }
}

static void test_backlog_has_ages_of_heartbeats(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_fixture_only_rule(w, "heartbeat_age_ms", ">", 5000);
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    assert_true(fixture_report(&w->f, 6000, "a", ""));
    assert_story(w, STORY_ALERTS, "");
    assert_true(fixture_report(&w->f, 20000, "a", ""));
    assert_recorded_only(&w->f.recorder, "alert ",
                         "alert a Rule firing since=11001 fired=11001 value=5001 next=11001\n");
}

/* ---- numbers of the daemon's own ---- */

static void test_age_of_the_heartbeat(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_fixture_only_rule(w, "heartbeat_age_ms", ">", 5000);
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    watch_run(w, 6000);
    assert_story(w, STORY_ALERTS, "");
    watch_run(w, 6001);
    assert_story(w, STORY_ALERTS, "a+Rule");
    watch_say(w, 7000, "a", "");
    assert_story(w, STORY_ALERTS, "a-Rule");
    watch_run(w, 20000);
    assert_story(w, STORY_ALERTS, "a+Rule");
    fleet_on_heartbeat(&w->f.fleet, slice_text("a"), 21000);
    watch_tick(w, 21000);
    assert_story(w, STORY_ALERTS, "a-Rule");
}

static void test_age_held_for_some_time(void **state)
{
    struct watch_fixture *w = *state;

    watch_fixture_only_rule(w, "heartbeat_age_ms", ">=", 5000)->for_ms = 1000;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    watch_run(w, 7000);
    assert_story(w, STORY_ALERTS, "");
    watch_run(w, 7001);
    assert_story(w, STORY_ALERTS, "a+Rule");
}

static void test_open_trades(void **state)
{
    struct watch_fixture *w = *state;
    struct instance *a;

    (void)watch_fixture_only_rule(w, "open_trades", ">", 2);
    watch_fixture_configure(w);
    a = watch_add(w, 1000, "a", "");
    a->open_trades = 3;
    watch_touch(&w->f.fleet, a, 1500);
    watch_tick(w, 2000);
    a->open_trades = 2;
    watch_touch(&w->f.fleet, a, 2500);
    watch_tick(w, 3000);
    assert_story(w, STORY_ALERTS, "a+Rule a-Rule");
}

static void test_recovery_attempts_and_restarts_and_uptime(void **state)
{
    static const struct {
        const char *metric, *op;
        double threshold;
        const char *story;
    } rows[] = {
        {"recovery_attempts", ">=", 1, "a+Rule"},
        {"recovery_attempts", ">", 1, ""},
        {"restart_count", ">=", 1, "a+Rule"},
        {"restart_count", ">", 1, ""},
        {"uptime_seconds", "<", 60, "a+Rule a-Rule a+Rule"},
        {"uptime_seconds", ">", 100, ""},
        {"active_connections", "==", 0, "a+Rule a-Rule a+Rule"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        w.options.rules.rules[1] = *watch_fixture_rule(&w, "InstanceCrash");
        (void)watch_fixture_only_rule(&w, rows[i].metric, rows[i].op, rows[i].threshold);
        w.options.rules.count = 2;
        watch_fixture_configure(&w);
        (void)fixture_register(&w.f, 1000, "a", "running");
        watch_tick(&w, 1000);
        if (strchr(rows[i].story, '-') && strcmp(rows[i].metric, "uptime_seconds") == 0)
            assert_non_null(watch_alert(&w, "a", "Rule"));
        watch_say(&w, 2000, "a", "active_connections=0");
        watch_say(&w, 3000, "a", "state=restarting");
        watch_say(&w, 4000, "a", "state=crashed");
        watch_say(&w, 5000, "a", "state=restarting");
        watch_say(&w, 6000, "a", "state=running active_connections=0");
        assert_int_equal(watch_alert(&w, "a", "Rule") != NULL, rows[i].story[0] != '\0');
        watch_fixture_clear(&w);
    }
}

/* ---- reload ---- */

static void test_rule_that_is_taken_away_or_disabled_ends_its_alerts(void **state)
{
    (void)state;
    for (int is_disabled = 0; is_disabled < 2; is_disabled++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        (void)watch_add(&w, 1000, "a", "queue_length=500 cpu_usage=90");
        watch_run(&w, 2000);
        recording_sink_reset(&w.f.recorder);
        if (is_disabled) {
            watch_fixture_rule(&w, "HighQueueLength")->enabled = false;
            watch_fixture_rule(&w, "HighCpuUsage")->enabled = false;
        } else {
            w.options.rules.rules[0] = *watch_fixture_rule(&w, "InstanceCrash");
            w.options.rules.count = 1;
        }
        watch_fixture_configure(&w);
        watch_tick(&w, 2000);
        assert_int_equal(recording_sink_count(&w.f.recorder, "unset_alert"), 2);
        assert_story(&w, STORY_ALERTS | STORY_NOTICES, "a-HighQueueLength over(a:HighQueueLength)");
        assert_int_equal(watch_find(&w, "a")->watched->alert_count, 0);
        assert_int_equal(watch_find(&w, "a")->health, HEALTH_HEALTHY);
        watch_fixture_clear(&w);
    }
}

static void test_rule_that_changes_is_judged_anew(void **state)
{
    struct watch_fixture *w = *state;
    struct rule kept;

    (void)watch_add(w, 1000, "a", "queue_length=500 cpu_usage=90");
    watch_run(w, 2000);
    recording_sink_reset(&w->f.recorder);
    watch_fixture_rule(w, "HighCpuUsage")->for_ms = 3000;
    watch_fixture_rule(w, "HighQueueLength")->severity = SEVERITY_CRITICAL;
    watch_fixture_configure(w);
    watch_run(w, 4000);
    assert_story(w, STORY_ALERTS, "");
    assert_int_equal(watch_find(w, "a")->health, HEALTH_CRITICAL);
    watch_run(w, 4001);
    assert_story(w, STORY_ALERTS, "a+HighCpuUsage");
    /* At another place of the list it is still the same alert. */
    kept = *watch_fixture_rule(w, "HighQueueLength");
    w->options.rules.rules[0] = kept;
    w->options.rules.rules[0].threshold = 400;
    w->options.rules.count = 1;
    watch_fixture_configure(w);
    watch_tick(w, 5000);
    assert_story(w, STORY_ALERTS, "a-HighCpuUsage");
    w->options.rules.rules[0].threshold = 600;
    watch_fixture_configure(w);
    watch_tick(w, 6000);
    assert_story(w, STORY_ALERTS, "a-HighQueueLength");
}

static void test_rule_that_comes_is_judged_on_who_reports_no_more(void **state)
{
    struct watch_fixture *w = *state;
    struct rule_set all = w->options.rules;

    w->options.rules.count = 0;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    assert_true(fixture_report(&w->f, 2000, "a", "state=crashed"));
    watch_tick(w, 2000);
    w->options.rules = all;
    watch_fixture_configure(w);
    watch_tick(w, 3000);
    assert_story(w, STORY_ALERTS | STORY_COMMANDS, "a+InstanceCrash a.recover.1");
}

/* ---- the guard ---- */

static void test_nothing_fires_while_the_guard_holds(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    watch_hold(&w->f.fleet, 5000);
    assert_true(fixture_report(&w->f, 6000, "a", "queue_length=500"));
    assert_true(fixture_report(&w->f, 6000, "a", "queue_length=510"));
    watch_tick(w, 7000);
    assert_true(fleet_next_deadline(&w->f.fleet) == INT64_MAX);
    assert_story(w, STORY_ALERTS | STORY_COMMANDS, "");
    assert_int_equal(count_why(w, "a", "not_firing", "guard"), 1);
    assert_int_equal(w->f.fleet.watch->stats.held[HOLD_GUARD], 1);
    watch_release(&w->f.fleet, 10000);
    watch_tick(w, 10000);
    assert_story(w, STORY_ALERTS | STORY_COMMANDS, "a+HighQueueLength a.throttle.1 throttled(a)");
}

static void test_samples_from_before_the_hold_count_for_nothing(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "cpu_usage=90");
    watch_hold(&w->f.fleet, 5000);
    watch_release(&w->f.fleet, 10000);
    watch_run(w, 30000);
    assert_story(w, STORY_ALERTS, "");
    assert_null(watch_alert(w, "a", "HighCpuUsage"));
    watch_say(w, 31000, "a", "cpu_usage=90");
    watch_run(w, 41000);
    assert_story(w, STORY_ALERTS, "");
    watch_run(w, 41001);
    assert_story(w, STORY_ALERTS, "a+HighCpuUsage");
}

static void test_pending_of_samples_in_the_hold_goes_on_behind_it(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    watch_hold(&w->f.fleet, 5000);
    assert_true(fixture_report(&w->f, 6000, "a", "cpu_usage=90"));
    watch_release(&w->f.fleet, 10000);
    watch_run(w, 16000);
    assert_story(w, STORY_ALERTS, "");
    watch_run(w, 16001);
    assert_story(w, STORY_ALERTS, "a+HighCpuUsage");
}

static void test_what_fires_goes_on_and_ends_in_the_hold(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "queue_length=500 load_average=9");
    watch_tick(w, 1000);
    recording_sink_reset(&w->f.recorder);
    watch_hold(&w->f.fleet, 5000);
    assert_true(fixture_report(&w->f, 6000, "a", "queue_length=1"));
    assert_story(w, STORY_ALERTS | STORY_NOTICES | STORY_ACTS,
                 "a-HighQueueLength over(a:HighQueueLength) unthrottled(a)");
    watch_release(&w->f.fleet, 10000);
    watch_tick(w, 10000);
    assert_story(w, STORY_ALERTS | STORY_COMMANDS, "a.cancel.2>a.throttle.1 a.unthrottle.3");
    assert_non_null(watch_alert(w, "a", "HighLoadAverage"));
}

static void test_silence_is_excused_for_a_whole_timeout(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    watch_hold(&w->f.fleet, 30000);
    watch_tick(w, 34000);
    watch_release(&w->f.fleet, 35000);
    watch_run(w, 65000);
    assert_story(w, STORY_STATES, "");
    watch_run(w, 65001);
    assert_story(w, STORY_STATES, "a:instance_failed a:instance_degraded");
}

static void test_no_cancel_goes_out_in_the_hold(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    watch_run(w, 31001);
    watch_hold(&w->f.fleet, 31500);
    assert_true(fixture_report(&w->f, 32000, "a", "state=running"));
    assert_story(w, STORY_COMMANDS, "a.recover.1");
    watch_release(&w->f.fleet, 36500);
    watch_tick(w, 36500);
    assert_story(w, STORY_COMMANDS, "a.cancel.2>a.recover.1");
    assert_int_equal(w->f.fleet.watch->stats.recoveries[RECOVERY_UNNEEDED], 1);
}

/* Regression: what begins to fire at the first look after a start was told as a write by others. */
static void test_an_alert_that_fires_at_a_look_is_nobodys_write(void **state)
{
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_ADOPTED, {6000, 1}};
    struct instance_record record;

    (void)watch_add(w, 1000, "a", "");
    watch_hold(&w->f.fleet, 5000);
    assert_true(fixture_report(&w->f, 5000, "a", "queue_length=500"));
    record = record_of(watch_find(w, "a"));
    recording_sink_reset(&w->f.recorder);
    watch_release(&w->f.fleet, 6000);
    assert_int_equal(fleet_adopt(&w->f.fleet, slice_text("a"), &record, true, &cause, 6000, w->f.sink),
                     ADOPT_NOTHING);
    assert_non_null(recording_sink_find(&w->f.recorder, "set health a health_status=warning"));
    assert_story(w, STORY_ALERTS, "a+HighQueueLength");
}

/* ---- the clock ---- */

static void test_jump_of_the_clock_moves_all_that_is_waited_for(void **state)
{
    static const int64_t jumps_ms[] = {3600000, -5000000, 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(jumps_ms); i++) {
        struct watch_fixture w;
        int64_t jump_ms = jumps_ms[i], base_ms = 10000000;

        watch_fixture_init(&w);
        (void)watch_add(&w, base_ms + 1000, "a", "cpu_usage=90");
        (void)watch_add(&w, base_ms + 1000, "b", "");
        watch_say(&w, base_ms + 2000, "b", "state=crashed");
        fleet_shift_times(&w.f.fleet, jump_ms);
        base_ms += jump_ms;
        w.now_ms += jump_ms;
        recording_sink_reset(&w.f.recorder);
        watch_run(&w, base_ms + 11000);
        assert_story(&w, STORY_ALERTS | STORY_ACTS | STORY_STATES, "");
        watch_run(&w, base_ms + 11001);
        assert_story(&w, STORY_ALERTS | STORY_ACTS, "a+HighCpuUsage a.recover.1");
        watch_run(&w, base_ms + 31000);
        assert_story(&w, STORY_STATES, "");
        watch_run(&w, base_ms + 31001);
        assert_story(&w, STORY_STATES, "a:instance_failed a:instance_degraded");
        watch_run(&w, base_ms + 32000);
        assert_story(&w, STORY_ANSWERS, "b.recover.1=expired");
        watch_fixture_clear(&w);
    }
}

static void test_ages_are_judged_on_behind_a_jump(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_fixture_only_rule(w, "heartbeat_age_ms", ">", 5000);
    watch_fixture_configure(w);
    (void)watch_add(w, 9001000, "a", "");
    watch_say(w, 9002000, "a", "");
    fleet_shift_times(&w->f.fleet, -9000000);
    assert_true(fixture_report(&w->f, 20000, "a", ""));
    assert_story(w, STORY_ALERTS, "a+Rule a-Rule");
}

/* ---- the horizon ---- */

static void test_no_round_before_anything_was_read(void **state)
{
    struct watch_fixture *w = *state;
    struct instance *a;

    (void)watch_fixture_only_rule(w, "open_trades", ">", 2);
    watch_fixture_configure(w);
    a = watch_add(w, 1000, "a", "");
    a->open_trades = 3;
    watch_touch(&w->f.fleet, a, 1500);
    fleet_on_timer(&w->f.fleet, 2000, 0, w->f.sink);
    assert_story(w, STORY_ALERTS, "");
    fleet_on_timer(&w->f.fleet, 2000, 2000, w->f.sink);
    assert_story(w, STORY_ALERTS, "a+Rule");
}

static void test_round_judges_no_further_than_what_was_read(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "network_latency=900");
    assert_true(fixture_report(&w->f, 2000, "a", "cpu_usage=90"));
    fleet_on_timer(&w->f.fleet, 20000, 6000, w->f.sink);
    assert_story(w, STORY_ALERTS, "");
    fleet_on_timer(&w->f.fleet, 20000, 6001, w->f.sink);
    assert_story(w, STORY_ALERTS, "a+NetworkFailure");
    assert_int_equal(watch_alert(w, "a", "HighCpuUsage")->status, ALERT_PENDING);
    assert_true(fixture_report(&w->f, 12000, "a", "cpu_usage=1"));
    watch_tick(w, 20000);
    assert_story(w, STORY_ALERTS, "");
}

/* Regression: while the alert of a rule that was taken away had not ended yet, none fired in time. */
static void test_rule_that_is_taken_away_holds_up_no_other(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    assert_true(fixture_report(&w->f, 2000, "a", "cpu_usage=90"));
    watch_fixture_rule(w, "HighQueueLength")->enabled = false;
    watch_fixture_configure(w);
    recording_sink_reset(&w->f.recorder);
    /* Of a backlog, with no round before it. */
    assert_true(fixture_report(&w->f, 50000, "a", "cpu_usage=1"));
    assert_story(w, STORY_ALERTS, "a-HighQueueLength a+HighCpuUsage a-HighCpuUsage");
}

static void test_age_that_nobody_can_reach_is_not_waited_for(void **state)
{
    static const double limits[] = {-1, 3e9, 1e300};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        w.f.fleet.options.heartbeat_timeout_ms = 0;
        (void)watch_fixture_only_rule(&w, "heartbeat_age_ms", limits[i] < 0 ? "<" : ">", limits[i]);
        watch_fixture_configure(&w);
        (void)watch_add(&w, 1000, "a", "");
        watch_tick(&w, 1000);
        assert_true(fleet_next_deadline(&w.f.fleet) == INT64_MAX);
        watch_run(&w, 1000000000);
        assert_story(&w, STORY_ALERTS, "");
        watch_fixture_clear(&w);
    }
}

/* Whoever lets go of what was not held excuses nobody. */
static void test_release_without_a_hold_changes_nothing(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    watch_release(&w->f.fleet, 20000);
    watch_run(w, 31000);
    assert_story(w, STORY_STATES, "");
    watch_run(w, 31001);
    assert_story(w, STORY_STATES, "a:instance_failed a:instance_degraded");
}

static void test_jump_of_the_clock_leaves_what_has_no_end(void **state)
{
    static const int64_t jumps_ms[] = {3600000, -3600000};
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_OPERATOR, {10000000, 0}};
    int64_t until_ms;

    (void)watch_add(w, 10000000, "a", "");
    watch_set_maintenance(&w->f.fleet, watch_find(w, "a"), INT64_MAX, slice_text("x"), &cause, 10000000,
                          w->f.sink);
    for (size_t i = 0; i < ARRAY_LEN(jumps_ms); i++) {
        fleet_shift_times(&w->f.fleet, jumps_ms[i]);
        assert_true(watch_in_maintenance(&w->f.fleet, watch_find(w, "a"), 10000000, NULL, &until_ms));
        assert_true(until_ms == INT64_MAX);
    }
}

/* Two causes at once, the later of which was seen first. */
static void test_hold_that_is_told_late_moves_nothing_back(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    assert_true(fixture_report(&w->f, 4500, "a", "cpu_usage=90"));
    watch_hold(&w->f.fleet, 5000);
    watch_hold(&w->f.fleet, 4000);
    watch_release(&w->f.fleet, 6000);
    watch_run(w, 25000);
    assert_story(w, STORY_ALERTS, ""); /* the sample is from before the hold */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backlog_is_judged_as_it_happened),
        cmocka_unit_test_setup_teardown(test_backlog_passes_any_number_of_deadlines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backlog_has_ages_of_heartbeats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_age_of_the_heartbeat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_age_held_for_some_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_trades, setup, teardown),
        cmocka_unit_test(test_recovery_attempts_and_restarts_and_uptime),
        cmocka_unit_test(test_rule_that_is_taken_away_or_disabled_ends_its_alerts),
        cmocka_unit_test_setup_teardown(test_rule_that_changes_is_judged_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rule_that_comes_is_judged_on_who_reports_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_nothing_fires_while_the_guard_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_samples_from_before_the_hold_count_for_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pending_of_samples_in_the_hold_goes_on_behind_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_fires_goes_on_and_ends_in_the_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence_is_excused_for_a_whole_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_cancel_goes_out_in_the_hold, setup, teardown),
        cmocka_unit_test(test_jump_of_the_clock_moves_all_that_is_waited_for),
        cmocka_unit_test_setup_teardown(test_an_alert_that_fires_at_a_look_is_nobodys_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ages_are_judged_on_behind_a_jump, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_round_before_anything_was_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_round_judges_no_further_than_what_was_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rule_that_is_taken_away_holds_up_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_release_without_a_hold_changes_nothing, setup, teardown),
        cmocka_unit_test(test_age_that_nobody_can_reach_is_not_waited_for),
        cmocka_unit_test_setup_teardown(test_jump_of_the_clock_leaves_what_has_no_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hold_that_is_told_late_moves_nothing_back, setup, teardown),
        cmocka_unit_test(test_backlog_is_judged_up_to_what_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
