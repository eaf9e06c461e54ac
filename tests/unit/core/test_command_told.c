/* Commands beyond the command itself (SPEC §7.2): who is told of what is not given or not asked for,
 * the hook of a cancel, and what is taken back or is not. */
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

/* ---- who is told ---- */

static struct {
    size_t count;
    enum command_kind command;
    enum hold hold;
    char alert[IDENT_MAX + 1], command_id[IDENT_COMMAND_MAX + 1];
    uint32_t tries;
    bool is_late;
} told;

static void copy_text(char *out, struct slice text)
{
    memcpy(out, text.len ? text.data : "", text.len);
    out[text.len] = '\0';
}

static void on_held(void *ctx, const struct instance *instance, enum command_kind command, enum hold hold,
                    const struct alert *alert)
{
    assert_true(watch_find(ctx, "a") == instance);
    told.count++;
    told.command = command;
    told.hold = hold;
    copy_text(told.alert, alert ? ident_slice(&alert->name) : slice_text(NULL));
}

static void on_given_up(void *ctx, const struct instance *instance, enum command_kind command,
                        const struct alert *alert, uint32_t tries)
{
    assert_true(watch_find(ctx, "a") == instance);
    told.count++;
    told.command = command;
    told.tries = tries;
    copy_text(told.alert, ident_slice(&alert->name));
}

static void on_stray_answer(void *ctx, const struct instance *instance, const struct report *report,
                            bool is_late)
{
    assert_true(watch_find(ctx, "a") == instance);
    told.count++;
    told.is_late = is_late;
    copy_text(told.command_id, report->command_id);
}

static void test_who_is_held_back_is_told_once_for_each_reason(void **state)
{
    struct watch_fixture *w = *state;

    w->f.fleet.watch->on_held = on_held;
    told.count = 0;
    (void)watch_add(w, 1000, "a", "launch_mode=manual");
    watch_say(w, 2000, "a", "state=crashed");
    watch_say(w, 3000, "a", "host_id=h9"); /* looked at again */
    assert_int_equal(told.count, 1);
    assert_int_equal(told.command, COMMAND_RECOVER);
    assert_int_equal(told.hold, HOLD_LAUNCH_MODE);
    assert_string_equal(told.alert, "InstanceCrash");
    w->options.observe_only = true;
    watch_fixture_configure(w);
    watch_run(w, 4000);
    assert_int_equal(told.count, 2);
    assert_int_equal(told.hold, HOLD_OBSERVE_ONLY);
}

static void test_who_is_given_up_is_told_with_its_tries(void **state)
{
    struct watch_fixture *w = *state;

    w->options.recovery.max_attempts = 1;
    watch_fixture_configure(w);
    w->f.fleet.watch->on_given_up = on_given_up;
    told.count = 0;
    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "socket_connections=0");
    assert_int_equal(told.count, 0);
    watch_say(w, 3000, "a", "command_id=a.reconnect.1 command_status=failed");
    assert_int_equal(told.count, 1);
    assert_int_equal(told.command, COMMAND_RECONNECT);
    assert_int_equal(told.tries, 1);
    assert_string_equal(told.alert, "SocketFailure");
    watch_say(w, 4000, "a", "state=crashed");
    watch_say(w, 5000, "a", "command_id=a.recover.2 command_status=failed");
    assert_int_equal(told.count, 2);
    assert_int_equal(told.command, COMMAND_RECOVER);
    assert_int_equal(told.tries, 1);
    assert_string_equal(told.alert, "InstanceCrash");
}

static void test_answer_to_nothing_is_told_with_what_it_says(void **state)
{
    struct watch_fixture *w = *state;

    w->f.fleet.watch->on_stray_answer = on_stray_answer;
    told.count = 0;
    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "command_id=a.stop.1 command_status=ok");
    assert_int_equal(told.count, 1);
    assert_false(told.is_late);
    assert_string_equal(told.command_id, "a.stop.1");
    assert_true(watch_order(w, 3000, "a", COMMAND_RESTART));
    watch_say(w, 4000, "a", "command_id=a.restart.1 command_status=ok");
    assert_int_equal(told.count, 1);
    watch_say(w, 5000, "a", "command_id=a.restart.1 command_status=ok");
    assert_int_equal(told.count, 2);
    assert_true(told.is_late);
    assert_string_equal(told.command_id, "a.restart.1");
}

/* ---- the hook of a cancel ---- */

static void end_hook(struct watch_fixture *w, int64_t at_ms, const char *id, const char *command_id)
{
    struct cause cause = {CAUSE_TIMER, {(uint64_t)at_ms, 0}};

    recording_sink_reset(&w->f.recorder);
    watch_on_hook_done(&w->f.fleet, slice_text(id), slice_text(command_id), true, &cause, at_ms, w->f.sink);
}

/* It is stored as due until it has run, or the agent has answered. */
static void test_hook_of_a_cancel_is_due_until_it_is_done(void **state)
{
    struct watch_fixture *w = *state;
    const struct cancel_hook *hook;

    w->options.has_hook[COMMAND_CANCEL] = true;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "state=crashed");
    hook = &watch_find(w, "a")->watched->record.cancel_hook;
    assert_false(hook->is_due);
    assert_true(watch_order(w, 3000, "a", COMMAND_STOP));
    assert_true(hook->is_due && hook->kind == COMMAND_RECOVER && hook->number == 1);
    assert_int_equal(hook->issued_ms, 3000);
    end_hook(w, 3500, "a", "a.cancel.1");
    end_hook(w, 3500, "b", "a.cancel.2");
    end_hook(w, 3500, "a", "a.recover.1");
    assert_true(hook->is_due);
    assert_int_equal(w->f.recorder.count, 0);
    end_hook(w, 3500, "a", "a.cancel.2");
    assert_false(hook->is_due);
    assert_int_equal(recording_sink_count(&w->f.recorder, "watch a "), 1);
    assert_true(watch_find(w, "a")->watched->record.command.is_open); /* the stop */
    end_hook(w, 3600, "a", "a.cancel.2");
    assert_int_equal(w->f.recorder.count, 0);
}

static void test_answer_to_a_cancel_ends_its_hook(void **state)
{
    struct watch_fixture *w = *state;
    const struct cancel_hook *hook;

    w->options.has_hook[COMMAND_CANCEL] = true;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "state=crashed");
    hook = &watch_find(w, "a")->watched->record.cancel_hook;
    assert_true(watch_order(w, 3000, "a", COMMAND_STOP));
    watch_say(w, 4000, "a", "command_id=a.cancel.2 command_status=accepted");
    assert_true(hook->is_due);
    watch_say(w, 5000, "a", "command_id=a.cancel.2 command_status=ok");
    assert_false(hook->is_due);
}

/* ---- what is taken back ---- */

/* Its agent has been silent, and a recover is out. */
static void fall_silent(struct watch_fixture *w)
{
    (void)watch_add(w, 1000, "a", "");
    watch_run(w, 31001);
    assert_story(w, STORY_COMMANDS, "a.recover.1");
}

static void test_nothing_is_taken_back_by_who_only_looks_on(void **state)
{
    struct watch_fixture *w = *state;

    fall_silent(w);
    w->options.observe_only = true;
    watch_fixture_configure(w);
    assert_true(fixture_report(&w->f, 32000, "a", "state=running"));
    assert_story(w, STORY_ACTS, "a.recover.1=cancelled");
    /* Not by the next round either. */
    w->options.observe_only = false;
    watch_fixture_configure(w);
    watch_run(w, 33000);
    assert_story(w, STORY_ACTS, "");
}

/* Owed by the guard, which let go when the command had expired by itself, or when nothing was to be commanded
 * any more. */
static void test_cancel_that_is_owed_is_forgotten_where_it_says_nothing_any_more(void **state)
{
    (void)state;
    for (int observes = 0; observes < 2; observes++) {
        struct watch_fixture w;
        int64_t release_ms = observes ? 36000 : 61001;

        watch_fixture_init(&w);
        fall_silent(&w);
        watch_hold(&w.f.fleet, 31500);
        assert_true(fixture_report(&w.f, 32000, "a", "state=running"));
        assert_true(watch_find(&w, "a")->watched->record.owed.is_due);
        w.options.observe_only = observes;
        watch_fixture_configure(&w);
        watch_release(&w.f.fleet, release_ms);
        watch_tick(&w, release_ms);
        assert_false(watch_find(&w, "a")->watched->record.owed.is_due);
        assert_story(&w, STORY_COMMANDS, "");
        watch_fixture_clear(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_is_held_back_is_told_once_for_each_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_is_given_up_is_told_with_its_tries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer_to_nothing_is_told_with_what_it_says, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hook_of_a_cancel_is_due_until_it_is_done, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer_to_a_cancel_ends_its_hook, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_taken_back_by_who_only_looks_on, setup, teardown),
        cmocka_unit_test(test_cancel_that_is_owed_is_forgotten_where_it_says_nothing_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
