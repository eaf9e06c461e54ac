/* Episodes of recovery (SPEC §6.4): each edge between none, waiting and under way, giving up and arming. */
#include "core/recovery.h"
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

static enum recovery_phase phase_of(const struct watch_fixture *w, const char *id)
{
    return watch_find(w, id)->watched->record.recovery.phase;
}

static uint64_t outcomes(const struct watch_fixture *w, enum recovery_outcome outcome)
{
    return w->f.fleet.watch->stats.recoveries[outcome];
}

/* Instance a runs since 1000; at 2000 its agent says that it has crashed. */
static struct instance *crash(struct watch_fixture *w)
{
    struct instance *a = watch_add(w, 1000, "a", "");

    watch_say(w, 2000, "a", "state=crashed");
    return a;
}

static void test_crash_is_recovered_once_it_runs_whatever_the_agent_says(void **state)
{
    static const struct {
        const char *first, *second, *story;
    } rows[] = {
        {"state=running", "cpu_usage=1", "a.recover.1=ok"},
        {"command_id=a.recover.1 command_status=ok", "state=running", "a.recover.1=ok"},
        {"command_id=a.recover.1 command_status=ok state=running", "cpu_usage=1", "a.recover.1=ok"},
        {"command_id=a.recover.1 command_status=accepted state=restarting", "state=running",
         "a.recover.1=ok"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watch_fixture w;
        const struct instance *a;

        watch_fixture_init(&w);
        a = crash(&w);
        assert_story(&w, STORY_ACTS, "a.recover.1");
        assert_int_equal(a->recovery_attempts, 1);
        assert_int_equal(phase_of(&w, "a"), RECOVERY_UNDER_WAY);
        watch_say(&w, 3000, "a", rows[i].first);
        watch_say(&w, 4000, "a", rows[i].second);
        assert_story(&w, STORY_ACTS, rows[i].story);
        assert_int_equal(phase_of(&w, "a"), RECOVERY_NONE);
        assert_int_equal(outcomes(&w, RECOVERY_SUCCEEDED), 1);
        assert_int_equal(a->recovery_attempts, 1);
        watch_fixture_clear(&w);
    }
}

static void test_answer_alone_does_not_recover_a_crash(void **state)
{
    struct watch_fixture *w = *state;

    (void)crash(w);
    watch_say(w, 3000, "a", "command_id=a.recover.1 command_status=ok");
    assert_int_equal(phase_of(w, "a"), RECOVERY_UNDER_WAY);
    watch_run(w, 31999);
    assert_story(w, STORY_ACTS, "a.recover.1 a.recover.1=ok");
    watch_run(w, 32005);
    assert_story(w, STORY_ACTS, "a.recover.2");
    assert_int_equal(outcomes(w, RECOVERY_TIMEOUT), 1);
}

static void test_crash_is_recovered_once_its_alert_has_cleared(void **state)
{
    struct watch_fixture *w = *state;

    watch_fixture_rule(w, "InstanceCrash")->keep_firing_ms = 5000;
    watch_fixture_configure(w);
    (void)crash(w);
    watch_say(w, 3000, "a", "state=running command_id=a.recover.1 command_status=ok");
    watch_run(w, 7999);
    assert_int_equal(phase_of(w, "a"), RECOVERY_UNDER_WAY);
    watch_run(w, 8000);
    assert_int_equal(phase_of(w, "a"), RECOVERY_NONE);
    assert_int_equal(outcomes(w, RECOVERY_SUCCEEDED), 1);
}

static void test_threshold_episode_needs_the_answer(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "cpu_usage=90");
    watch_run(w, 11001);
    assert_story(w, STORY_ACTS, "a.recover.1");
    watch_say(w, 12000, "a", "state=restarting");
    watch_say(w, 13000, "a", "state=running cpu_usage=90");
    assert_int_equal(phase_of(w, "a"), RECOVERY_UNDER_WAY);
    watch_say(w, 14000, "a", "cpu_usage=5");
    assert_int_equal(phase_of(w, "a"), RECOVERY_UNDER_WAY);
    assert_story(w, STORY_ACTS, "");
    watch_say(w, 15000, "a", "command_id=a.recover.1 command_status=ok");
    assert_story(w, STORY_ACTS, "a.recover.1=ok");
    assert_int_equal(outcomes(w, RECOVERY_SUCCEEDED), 1);
}

static void test_threshold_episode_that_crashes_needs_it_to_run(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "cpu_usage=90");
    watch_run(w, 11001);
    watch_say(w, 12000, "a", "state=crashed");
    watch_say(w, 13000, "a", "state=running");
    assert_story(w, STORY_ACTS, "a.recover.1 a.recover.1=ok");
}

static void test_waiting_attempt_goes_on_for_another_alert_and_needs_its_answer(void **state)
{
    struct watch_fixture *w = *state;

    w->options.recovery.backoff_ms[0] = 9;
    watch_fixture_rule(w, "HighCpuUsage")->for_ms = 0;
    watch_fixture_configure(w);
    (void)crash(w);
    assert_int_equal(phase_of(w, "a"), RECOVERY_WAITING);
    watch_say(w, 2005, "a", "state=running cpu_usage=99");
    watch_run(w, 2009);
    assert_story(w, STORY_ACTS, "a.recover.1");
    watch_say(w, 3000, "a", "cpu_usage=98");
    assert_int_equal(phase_of(w, "a"), RECOVERY_UNDER_WAY);
}

static void test_waiting_ends_when_nothing_asks_for_it_any_more(void **state)
{
    struct watch_fixture *w = *state;

    w->options.recovery.backoff_ms[0] = 9;
    watch_fixture_configure(w);
    (void)crash(w);
    watch_say(w, 2008, "a", "state=running");
    watch_run(w, 5000);
    assert_story(w, STORY_ACTS, "");
    assert_int_equal(outcomes(w, RECOVERY_UNNEEDED), 1);
    assert_int_equal(watch_find(w, "a")->recovery_attempts, 0);
}

static void test_backoff_before_each_attempt_then_it_is_given_up(void **state)
{
    struct watch_fixture *w = *state;
    const struct instance *a = crash(w);

    assert_story(w, STORY_ACTS, "a.recover.1");
    watch_say(w, 3000, "a", "command_id=a.recover.1 command_status=failed command_error=no");
    assert_int_equal(a->recovery_attempts, 2);
    assert_int_equal(recording_sink_count(&w->f.recorder, "set health a "), 1);
    watch_run(w, 3004);
    assert_story(w, STORY_ACTS, "a.recover.1=failed");
    watch_run(w, 33004);
    assert_story(w, STORY_ACTS, "a.recover.2");
    watch_run(w, 33005); /* 3005 + 30000 */
    assert_story(w, STORY_ACTS, "a.recover.2=expired");
    assert_int_equal(a->recovery_attempts, 3);
    watch_run(w, 33013);
    assert_story(w, STORY_ACTS, "");
    watch_run(w, 33014);
    assert_story(w, STORY_ACTS, "a.recover.3");
    assert_int_equal(a->state, STATE_CRASHED);
    watch_say(w, 40000, "a", "command_id=a.recover.3 command_status=failed");
    assert_story(w, STORY_ACTS | STORY_ALERTS | STORY_STATES,
                 "a.recover.3=failed a+RecoveryFailure a.stop.4 a:instance_stopped a-InstanceCrash");
    assert_int_equal(a->recovery_attempts, 4);
    assert_int_equal(a->state, STATE_STOPPED);
    assert_int_equal(a->desired_state, STATE_STOPPED);
    assert_int_equal(outcomes(w, RECOVERY_FAILED), 2);
    assert_int_equal(outcomes(w, RECOVERY_TIMEOUT), 1);
    assert_int_equal(outcomes(w, RECOVERY_GIVEN_UP), 1);
    watch_run(w, 900000);
    assert_story(w, STORY_ACTS | STORY_ALERTS, "a.stop.4=expired");
}

static void test_jitter_is_at_most_a_tenth(void **state)
{
    struct watch_fixture *w = *state;
    int64_t least_ms = INT64_MAX, most_ms = 0;

    w->options.recovery = (struct recovery_options){.max_attempts = 200,
                                                    .timeout_ms = 1000,
                                                    .backoff_ms = {5000},
                                                    .backoff_count = 1,
                                                    .launch_modes = 1U << LAUNCH_AUTO,
                                                    .max_concurrent = 1};
    watch_fixture_configure(w);
    (void)crash(w);
    for (int i = 0; i < 100; i++) {
        int64_t ms = watch_find(w, "a")->watched->record.recovery.next_ms - w->now_ms;

        least_ms = ms < least_ms ? ms : least_ms;
        most_ms = ms > most_ms ? ms : most_ms;
        watch_run(w, w->now_ms + ms);
        watch_run(w, w->now_ms + 1000); /* nobody answers */
    }
    assert_in_range(least_ms, 5000, 5100);
    assert_in_range(most_ms, 5400, 5500);
}

static void test_running_instance_is_stopped_when_its_agent_says_so(void **state)
{
    struct watch_fixture *w = *state;
    const struct instance *a = watch_add(w, 1000, "a", "cpu_usage=90");

    w->options.recovery.max_attempts = 1;
    w->options.recovery.cooldown_ms = 1000;
    watch_fixture_configure(w);
    watch_run(w, 11001);
    watch_say(w, 12000, "a", "command_id=a.recover.1 command_status=ok cpu_usage=90");
    watch_run(w, 12999);
    assert_story(w, STORY_ACTS, "a.recover.1 a.recover.1=ok");
    assert_int_equal(count_why(w, "a", "no recover", "cooldown"), 1);
    watch_run(w, 13000);
    assert_story(w, STORY_ACTS | STORY_ALERTS, "a+RecoveryFailure a.stop.2");
    assert_int_equal(a->state, STATE_RUNNING);
    assert_int_equal(a->recovery_attempts, 2);
    assert_int_equal(a->desired_state, STATE_STOPPED);
    watch_say(w, 14000, "a", "state=stopped");
    assert_story(w, STORY_ACTS | STORY_ALERTS, "a.stop.2=ok a-HighCpuUsage");
    watch_run(w, 20000);
    assert_non_null(watch_alert(w, "a", "RecoveryFailure"));
}

static void test_crash_does_not_wait_for_the_cooldown(void **state)
{
    struct watch_fixture *w = *state;

    (void)crash(w);
    watch_say(w, 3000, "a", "state=running");
    watch_say(w, 4000, "a", "state=crashed");
    watch_run(w, 4005);
    assert_story(w, STORY_ACTS, "a.recover.1 a.recover.1=ok a.recover.2");
}

static void test_attempts_are_forgotten_after_a_stable_time(void **state)
{
    struct watch_fixture *w = *state;
    const struct instance *a = crash(w);

    w->f.fleet.options.heartbeat_timeout_ms = 0;
    watch_say(w, 3000, "a", "state=running queue_length=500");
    watch_say(w, 10000, "a", "queue_length=1");
    watch_run(w, 309999);
    assert_int_equal(a->recovery_attempts, 1);
    recording_sink_reset(&w->f.recorder);
    watch_run(w, 310000);
    assert_int_equal(a->recovery_attempts, 0);
    assert_non_null(strstr(recording_sink_find(&w->f.recorder, "set health a"), "recovery_attempts=0"));
}

/* Given up at 2000 after one attempt, and stopped. */
static void give_up(struct watch_fixture *w)
{
    w->options.recovery.max_attempts = 1;
    watch_fixture_configure(w);
    (void)crash(w);
    watch_say(w, 2500, "a", "command_id=a.recover.1 command_status=failed");
    watch_say(w, 2600, "a", "command_id=a.stop.2 command_status=ok");
    recording_sink_reset(&w->f.recorder);
    assert_true(watch_find(w, "a")->watched->record.recovery.is_disarmed);
}

static void test_operator_arms_with_start_and_recover_only(void **state)
{
    static const struct {
        enum command_kind kind;
        bool arms;
    } rows[] = {
        {COMMAND_START, true}, {COMMAND_RECOVER, true}, {COMMAND_RESTART, false}, {COMMAND_STOP, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watch_fixture w;
        const struct instance *a;

        watch_fixture_init(&w);
        give_up(&w);
        a = watch_find(&w, "a");
        assert_true(watch_order(&w, 3000, "a", rows[i].kind));
        watch_tick(&w, 3000);
        assert_int_equal(a->recovery_attempts, rows[i].arms ? 0 : 2);
        assert_int_equal(!a->watched->record.recovery.is_disarmed, rows[i].arms);
        assert_story(&w, STORY_ALERTS, rows[i].arms ? "a-RecoveryFailure" : "");
        assert_int_equal(a->desired_state, rows[i].kind == COMMAND_STOP ? STATE_STOPPED : STATE_RUNNING);
        watch_fixture_clear(&w);
    }
}

static void test_one_that_runs_again_is_not_stopped_by_what_was_given_before(void **state)
{
    struct watch_fixture *w = *state;
    const struct instance *a;

    w->options.recovery.max_attempts = 1;
    watch_fixture_configure(w);
    a = crash(w);
    watch_say(w, 2500, "a", "command_id=a.recover.1 command_status=failed");
    assert_true(a->watched->record.command.is_open); /* the stop, which nobody has answered */
    recording_sink_reset(&w->f.recorder);
    watch_say(w, 3000, "a", "state=running");
    assert_false(a->watched->record.command.is_open);
    assert_int_equal(a->desired_state, STATE_RUNNING);
    assert_int_equal(recording_sink_count(&w->f.recorder, "command cancel"), 1);
    assert_null(watch_alert(w, "a", "RecoveryFailure"));
}

static void test_one_that_was_stopped_is_armed_by_its_second_start(void **state)
{
    static const char *const states[] = {"state=restarting", "state=crashed", "state=restarting",
                                         "state=running"};
    struct watch_fixture *w = *state;
    const struct instance *a;

    give_up(w);
    a = watch_find(w, "a");
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        watch_say(w, 50000 + 1000 * (int64_t)i, "a", states[i]);
    assert_false(a->watched->record.recovery.is_disarmed);
    assert_null(watch_alert(w, "a", "RecoveryFailure"));
}

static void test_one_given_up_that_crashes_later_is_stopped_then(void **state)
{
    struct watch_fixture *w = *state;
    struct instance *a;

    w->options.recovery.max_attempts = 1;
    watch_fixture_configure(w);
    a = crash(w);
    watch_run(w, 2000);
    watch_say(w, 3000, "a", "state=restarting");
    watch_run(w, 40000);
    assert_true(a->watched->record.recovery.is_disarmed);
    assert_int_equal(a->state, STATE_RESTARTING);
    watch_say(w, 90000, "a", "state=crashed");
    watch_run(w, 90001);
    assert_int_equal(a->state, STATE_STOPPED);
}

static void test_failure_goes_on_with_a_higher_limit(void **state)
{
    struct watch_fixture *w = *state;

    give_up(w);
    w->options.recovery.max_attempts = 9;
    watch_fixture_configure(w);
    watch_tick(w, 3000);
    assert_non_null(watch_alert(w, "a", "RecoveryFailure"));
}

static void test_running_after_stopped_arms_and_keeps_the_attempts(void **state)
{
    static const char *const ways[][2] = {{"state=running", "cpu_usage=1"},
                                          {"state=restarting", "state=running"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct watch_fixture w;
        const struct instance *a;

        watch_fixture_init(&w);
        give_up(&w);
        w.f.fleet.options.heartbeat_timeout_ms = 0;
        a = watch_find(&w, "a");
        watch_say(&w, 3000, "a", ways[i][0]);
        watch_say(&w, 4000, "a", ways[i][1]);
        assert_false(a->watched->record.recovery.is_disarmed);
        assert_int_equal(a->recovery_attempts, 2);
        assert_int_equal(a->desired_state, STATE_RUNNING);
        assert_story(&w, STORY_ALERTS | STORY_ACTS, "a-RecoveryFailure");
        watch_run(&w, 310000);
        assert_int_equal(a->recovery_attempts, 0);
        watch_fixture_clear(&w);
    }
}

static void test_running_without_having_been_stopped_arms_nothing(void **state)
{
    struct watch_fixture *w = *state;

    w->options.recovery.max_attempts = 0;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "cpu_usage=90");
    watch_run(w, 11001);
    watch_say(w, 12000, "a", "state=restarting command_id=a.stop.1 command_status=failed");
    watch_say(w, 13000, "a", "state=running");
    assert_true(watch_find(w, "a")->watched->record.recovery.is_disarmed);
    assert_story(w, STORY_ALERTS | STORY_ACTS,
                 "a+HighCpuUsage a+RecoveryFailure a.stop.1 a.stop.1=failed a-HighCpuUsage");
}

static void test_stopped_by_an_operator_is_not_recovered(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    assert_true(watch_order(w, 2000, "a", COMMAND_STOP));
    watch_say(w, 3000, "a", "command_id=a.stop.1 command_status=failed state=crashed");
    assert_story(w, STORY_ACTS, "a.stop.1 a.stop.1=failed");
    assert_int_equal(count_why(w, "a", "no recover", "disarmed"), 1);
}

static void test_silent_agent_that_comes_back_is_told_not_to(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    watch_run(w, 31001);
    assert_story(w, STORY_ACTS, "a.recover.1");
    watch_say(w, 32000, "a", "cpu_usage=1 state=running");
    assert_story(w, STORY_ACTS | STORY_ALERTS,
                 "a.cancel.2>a.recover.1 a.recover.1=cancelled a-InstanceCrash");
    assert_int_equal(outcomes(w, RECOVERY_UNNEEDED), 1);
    watch_run(w, 60000);
    assert_story(w, STORY_ACTS, "");
}

static void test_silent_agent_that_comes_back_at_work_is_left_to_it(void **state)
{
    static const char *const reports[] = {
        "state=running command_id=a.recover.1 command_status=accepted",
        "state=running command_id=a.recover.1 command_status=ok",
        "state=crashed",
        "state=restarting",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(reports); i++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        (void)watch_add(&w, 1000, "a", "");
        watch_run(&w, 31001);
        watch_say(&w, 32000, "a", reports[i]);
        watch_say(&w, 33000, "a", "state=running");
        assert_story(&w, STORY_ACTS, "a.recover.1 a.recover.1=ok");
        watch_fixture_clear(&w);
    }
}

static void test_hook_answers_for_a_silent_agent_only(void **state)
{
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_TIMER, {40000, 0}};

    w->options.has_hook[COMMAND_RECOVER] = true;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    watch_run(w, 31001);
    watch_on_hook_done(&w->f.fleet, slice_text("a"), slice_text("a.recover.9"), true, &cause, 31500,
                       w->f.sink);
    assert_story(w, STORY_ACTS, "a.recover.1");
    watch_on_hook_done(&w->f.fleet, slice_text("a"), slice_text("a.recover.1"), true, &cause, 31500,
                       w->f.sink);
    assert_story(w, STORY_ACTS, "a.recover.1=ok");
    watch_say(w, 32000, "a", "state=running");
    assert_story(w, STORY_ACTS, "");
    assert_int_equal(outcomes(w, RECOVERY_SUCCEEDED), 1);
    watch_say(w, 33000, "a", "state=crashed");
    watch_run(w, 33010);
    assert_true(watch_find(w, "a")->watched->record.command.hook_is_due);
    watch_on_hook_done(&w->f.fleet, slice_text("a"), slice_text("a.recover.2"), true, &cause, 33500,
                       w->f.sink);
    assert_false(watch_find(w, "a")->watched->record.command.hook_is_due);
    assert_story(w, STORY_ACTS, "a.recover.2");
}

static void test_names_of_outcomes(void **state)
{
    static const char *const names[RECOVERY_OUTCOMES] = {"succeeded", "failed", "timeout", "unneeded",
                                                         "given_up"};

    (void)state;
    for (int i = 0; i < RECOVERY_OUTCOMES; i++)
        assert_string_equal(recovery_outcome_name((enum recovery_outcome)i), names[i]);
}

/* Loaded, with nothing else that would be watched. */
static void test_attempts_of_one_that_was_loaded_are_forgotten(void **state)
{
    struct watch_fixture *w = *state;
    struct instance_record record = record_empty();

    record.exists[RECORD_INSTANCE] = record.exists[RECORD_HEALTH] = true;
    record_write(&record, "broker_id=b1 state=running");
    record.has_recovery_attempts = true;
    record.recovery_attempts = 2;
    w->f.fleet.options.heartbeat_timeout_ms = 0;
    assert_true(fleet_load(&w->f.fleet, slice_text("a"), &record, STATE_RUNNING, 0, 1000));
    assert_null(watch_find(w, "a")->watched);
    watch_say(w, 2000, "a", "cpu_usage=1");
    watch_run(w, 301999);
    assert_int_equal(watch_find(w, "a")->recovery_attempts, 2);
    watch_run(w, 302000);
    assert_int_equal(watch_find(w, "a")->recovery_attempts, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_that_runs_again_is_not_stopped_by_what_was_given_before,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_was_stopped_is_armed_by_its_second_start, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_one_given_up_that_crashes_later_is_stopped_then, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_failure_goes_on_with_a_higher_limit, setup, teardown),
        cmocka_unit_test(test_crash_is_recovered_once_it_runs_whatever_the_agent_says),
        cmocka_unit_test_setup_teardown(test_answer_alone_does_not_recover_a_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_is_recovered_once_its_alert_has_cleared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threshold_episode_needs_the_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threshold_episode_that_crashes_needs_it_to_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting_attempt_goes_on_for_another_alert_and_needs_its_answer,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting_ends_when_nothing_asks_for_it_any_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backoff_before_each_attempt_then_it_is_given_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_jitter_is_at_most_a_tenth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_running_instance_is_stopped_when_its_agent_says_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_crash_does_not_wait_for_the_cooldown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attempts_are_forgotten_after_a_stable_time, setup, teardown),
        cmocka_unit_test(test_operator_arms_with_start_and_recover_only),
        cmocka_unit_test(test_running_after_stopped_arms_and_keeps_the_attempts),
        cmocka_unit_test_setup_teardown(test_running_without_having_been_stopped_arms_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_stopped_by_an_operator_is_not_recovered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silent_agent_that_comes_back_is_told_not_to, setup, teardown),
        cmocka_unit_test(test_silent_agent_that_comes_back_at_work_is_left_to_it),
        cmocka_unit_test_setup_teardown(test_hook_answers_for_a_silent_agent_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attempts_of_one_that_was_loaded_are_forgotten, setup, teardown),
        cmocka_unit_test(test_names_of_outcomes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
