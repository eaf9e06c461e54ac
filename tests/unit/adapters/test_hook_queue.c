/* Many hooks at a time: places, order, what is dropped, retried and cancelled. */
#include "hook_support.h"

#include "util/macros.h"

/* Runs until the file `go` is there. */
#define HOLD "while [ ! -e go ]; do sleep 0.01; done; "

static const struct hooks_options narrow = {.timeout_ms = HOOK_GIVE_UP_MS,
                                            .max_running = 1,
                                            .max_queued = 2,
                                            .kill_after_ms = 100,
                                            .retry_first_ms = 600000,
                                            .retry_max_ms = 600000};

static void test_full_queue_drops_the_oldest_that_waits(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, narrow);
    run_script(&f, "a", HOLD);
    for (const char *key = "b\0c\0d\0e\0"; *key; key += 2)
        run_script(&f, key, "echo ${0#./} >> order");
    assert_int_equal(f.told_count, 0); /* never from inside the call */
    assert_int_equal(hooks_stats(f.hooks).running, 1);
    assert_int_equal(hooks_stats(f.hooks).queued, 2);
    assert_int_equal(hooks_stats(f.hooks).dropped, 2);
    UNTIL(&f, f.told_count == 2);
    assert_string_equal(buf_text(&f.told), "b=dropped/0 c=dropped/0 ");
    assert_true(file_has("log", "hook dropped"));
    write_file("go", "", 0600);
    UNTIL(&f, f.told_count == 5);
    assert_string_equal(buf_text(&f.told), "b=dropped/0 c=dropped/0 a=done/1 d=done/1 e=done/1 ");
    assert_file("order", "d\ne\n");
    assert_int_equal(hooks_stats(f.hooks).queued, 0);
    fixture_clear(&f);
}

static void test_no_queue_drops_what_cannot_be_started(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, narrow);
    f.options.max_queued = 0;
    hooks_configure(f.hooks, &f.options);
    run_script(&f, "a", HOLD);
    run_script(&f, "b", "");
    write_file("go", "", 0600);
    UNTIL(&f, f.told_count == 2);
    assert_string_equal(buf_text(&f.told), "b=dropped/0 a=done/1 ");
    fixture_clear(&f);
}

static void test_retries_count_in_the_queue_and_go_first(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, narrow);
    run_script(&f, "a", "exit 1");
    UNTIL(&f, hooks_stats(f.hooks).retrying == 1);
    run_script(&f, "b", HOLD "exit 1");
    run_script(&f, "c", HOLD);
    run_script(&f, "d", HOLD);
    UNTIL(&f, f.told_count == 1);
    assert_string_equal(buf_text(&f.told), "a=dropped/1 ");
    write_file("go", "", 0600); /* b waits again, before c and d; there is room once c runs */
    UNTIL(&f, f.told_count == 3);
    assert_string_equal(buf_text(&f.told), "a=dropped/1 c=done/1 d=done/1 ");
    assert_int_equal(hooks_stats(f.hooks).retrying, 1);
    fixture_clear(&f);
}

static void test_retry_that_is_due_waits_behind_the_others(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, narrow);
    f.options.max_queued = 8;
    f.options.retry_first_ms = 1;
    hooks_configure(f.hooks, &f.options);
    run_script(&f, "a", "echo a >> order; [ -e go ] || exit 1");
    UNTIL(&f, hooks_stats(f.hooks).retried == 1);
    run_script(&f, "b", HOLD "echo b >> order");
    run_script(&f, "c", "echo c >> order");
    UNTIL(&f, hooks_stats(f.hooks).retrying == 0 && hooks_stats(f.hooks).queued == 2);
    write_file("go", "", 0600);
    UNTIL(&f, f.told_count == 3);
    assert_string_equal(buf_text(&f.told), "b=done/1 c=done/1 a=done/2 ");
    assert_file("order", "a\nb\nc\na\n");
    fixture_clear(&f);
}

static void test_pauses_double_up_to_the_longest(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, narrow);
    f.options.retry_first_ms = 8;
    f.options.retry_max_ms = 64;
    hooks_configure(f.hooks, &f.options);
    f.ticks = 0;

    int64_t begin_ms = loop_now_ms();

    assert_script(&f, "a", "exit 1", "a=failed/10 "); /* 10 where nothing is said */
    assert_true(loop_now_ms() - begin_ms >= 8 + 16 + 32 + 64 * 6);
    assert_int_equal(hooks_stats(f.hooks).retried, 9);
    assert_int_equal(hooks_stats(f.hooks).failed, 1);
    fixture_clear(&f);
}

static void test_max_running_is_kept_and_may_be_raised(void **state)
{
    static const char script[] = "echo x >> started; " HOLD;
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, narrow);
    f.options.max_running = 2;
    f.options.max_queued = 8;
    hooks_configure(f.hooks, &f.options);
    for (const char *key = "a\0b\0c\0d\0e\0"; *key; key += 2)
        run_script(&f, key, script);
    assert_int_equal(hooks_stats(f.hooks).running, 2);
    UNTIL(&f, file_has("started", "x\nx\n"));
    assert_file("started", "x\nx\n");
    f.options.max_running = 4;
    hooks_configure(f.hooks, &f.options);
    assert_int_equal(hooks_stats(f.hooks).running, 4);
    assert_int_equal(hooks_stats(f.hooks).queued, 1);
    f.options.max_running = 1;
    f.options.max_queued = 0;
    hooks_configure(f.hooks, &f.options);
    assert_int_equal(hooks_stats(f.hooks).running, 4);
    assert_int_equal(hooks_stats(f.hooks).dropped, 1);
    write_file("go", "", 0600);
    UNTIL(&f, f.told_count == 5);
    assert_int_equal(hooks_stats(f.hooks).done, 4);
    fixture_clear(&f);
}

static void test_forget_cancels_what_waits_and_tries_nothing_again(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, narrow);
    f.options.max_queued = 8;
    hooks_configure(f.hooks, &f.options);
    run_script(&f, "retries", "exit 1");
    UNTIL(&f, hooks_stats(f.hooks).retrying == 1);
    run_script(&f, "runs", HOLD "exit 1");
    run_script(&f, "waits", "");
    run_script(&f, "stays", "");
    hooks_forget_key(f.hooks, "retries");
    hooks_forget_key(f.hooks, "runs");
    hooks_forget_key(f.hooks, "waits");
    hooks_forget_key(f.hooks, "stay");
    assert_int_equal(f.told_count, 0);
    assert_int_equal(hooks_stats(f.hooks).running, 1);
    assert_int_equal(hooks_stats(f.hooks).retrying, 0);
    UNTIL(&f, f.told_count == 2);
    write_file("go", "", 0600);
    UNTIL(&f, f.told_count == 4);
    assert_string_equal(buf_text(&f.told),
                        "retries=cancelled/1 waits=cancelled/0 runs=cancelled/1 stays=done/1 ");
    assert_int_equal(hooks_stats(f.hooks).cancelled, 3);
    fixture_clear(&f);
}

static void test_forgotten_while_it_runs_may_still_be_done(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, narrow);
    run_script(&f, "runs", HOLD);
    hooks_forget_key(f.hooks, "runs");
    write_file("go", "", 0600);
    UNTIL(&f, f.told_count == 1);
    assert_string_equal(buf_text(&f.told), "runs=done/1 ");
    fixture_clear(&f);
}

static void test_cancel_ends_the_group_of_what_runs(void **state)
{
    /* The program ends by SIGTERM, and what it has started by nothing but SIGKILL. */
    static const char script[] =
        "(trap '' TERM; sh -c 'echo $PPID > pid; while :; do sleep 0.05; done') &\n" HOLD;
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, narrow);
    run_script(&f, "runs", script);
    run_script(&f, "waits", "");
    UNTIL(&f, read_pid("pid"));
    hooks_cancel_key(f.hooks, "run");
    assert_int_equal(hooks_stats(f.hooks).running, 1);
    hooks_cancel_key(f.hooks, "waits");
    hooks_cancel_key(f.hooks, "runs");
    hooks_cancel_key(f.hooks, "runs");
    assert_int_equal(f.told_count, 0);
    UNTIL(&f, f.told_count == 2);
    assert_string_equal(buf_text(&f.told), "waits=cancelled/0 runs=cancelled/1 ");
    assert_int_equal(f.last.signal, SIGTERM);
    assert_false(f.last.timed_out);
    UNTIL(&f, is_dead(read_pid("pid")));
    UNTIL(&f, hooks_stats(f.hooks).lingering == 0);
    assert_int_equal(hooks_stats(f.hooks).timed_out, 0);
    assert_true(file_has("log", "hook ended, was cancelled"));
    fixture_clear(&f);
}

static void test_cancel_counts_whatever_the_exit(void **state)
{
    static const struct {
        const char *script;
        int exit_code, signo;
    } rows[] = {
        {"trap 'exit 0' TERM; echo $$ > pid; while :; do sleep 0.05; done", 0, 0},
        {"trap 'exit 1' TERM; echo $$ > pid; while :; do sleep 0.05; done", 1, 0},
        {"trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done", -1, SIGKILL},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct hook_fixture f;

        fixture_init(&f, narrow);
        run_script(&f, "s", rows[i].script);
        UNTIL(&f, read_pid("pid"));
        hooks_cancel_key(f.hooks, "s");
        UNTIL(&f, f.told_count == 1);
        assert_string_equal(buf_text(&f.told), "s=cancelled/1 ");
        assert_int_equal(f.last.exit_code, rows[i].exit_code);
        assert_int_equal(f.last.signal, rows[i].signo);
        fixture_clear(&f);
    }
}

/* A fixture whose requests are asked about. */
struct asking {
    struct hook_fixture f; /* ahead: fixture_on_done gets it */
    enum hook_permission answer;
    unsigned asked;
};

static enum hook_permission answer_as_told(void *ctx)
{
    struct asking *a = ctx;

    a->asked++;
    return a->answer;
}

static void run_asking(struct asking *a, const char *key, const char *lane, const char *text)
{
    char path[64];
    const char *argv[] = {path, NULL};
    struct hook_request request = {.label = "test",
                                   .key = key,
                                   .argv = argv,
                                   .input = slice_text("{}"),
                                   .lane = lane,
                                   .may_start = answer_as_told,
                                   .done = fixture_on_done,
                                   .ctx = a};
    char script[256];

    (void)snprintf(path, sizeof(path), "./%s", key);
    (void)snprintf(script, sizeof(script), "#!/bin/sh\n%s\n", text);
    write_file(path, script, 0700);
    hooks_run(a->f.hooks, &request);
}

static void test_each_try_is_asked_about(void **state)
{
    struct asking a = {.answer = HOOK_MAY_START};

    UNUSED(state);
    fixture_init(&a.f, narrow);
    a.f.options.retry_first_ms = 1;
    hooks_configure(a.f.hooks, &a.f.options);
    run_asking(&a, "s", NULL, "echo x >> n; [ $(wc -l < n) -ge 3 ]");
    UNTIL(&a.f, a.f.told_count == 1);
    assert_string_equal(buf_text(&a.f.told), "s=done/3 ");
    assert_int_equal(a.asked, 3);
    fixture_clear(&a.f);
}

static void test_what_must_end_is_not_run(void **state)
{
    struct asking a = {.answer = HOOK_MUST_END};

    UNUSED(state);
    fixture_init(&a.f, narrow);
    run_asking(&a, "first", NULL, "echo x > ran");
    assert_int_equal(a.f.told_count, 0);
    UNTIL(&a.f, a.f.told_count == 1);
    a.answer = HOOK_MAY_START;
    a.f.options.retry_first_ms = 200;
    hooks_configure(a.f.hooks, &a.f.options);
    run_asking(&a, "retry", NULL, "echo x >> tries; exit 1");
    UNTIL(&a.f, hooks_stats(a.f.hooks).retrying == 1);
    a.answer = HOOK_MUST_END;
    UNTIL(&a.f, a.f.told_count == 2);
    assert_string_equal(buf_text(&a.f.told), "first=cancelled/0 retry=cancelled/1 ");
    assert_false(file_has("ran", "x"));
    assert_file("tries", "x\n");
    assert_int_equal(hooks_stats(a.f.hooks).cancelled, 2);
    fixture_clear(&a.f);
}

static void test_what_must_wait_keeps_its_tries_and_its_order(void **state)
{
    struct asking a = {.answer = HOOK_MUST_WAIT};

    UNUSED(state);
    fixture_init(&a.f, narrow);
    run_asking(&a, "a", NULL, "echo a >> order");
    run_asking(&a, "b", NULL, "echo b >> order");
    UNTIL(&a.f, a.asked >= 6);
    assert_int_equal(a.f.told_count, 0);
    assert_int_equal(hooks_stats(a.f.hooks).queued, 2);
    run_script(&a.f, "free", "echo free >> order"); /* nobody stands in its way */
    UNTIL(&a.f, a.f.told_count == 1);
    a.answer = HOOK_MAY_START;
    UNTIL(&a.f, a.f.told_count == 3);
    assert_string_equal(buf_text(&a.f.told), "free=done/1 a=done/1 b=done/1 ");
    assert_file("order", "free\na\nb\n");
    fixture_clear(&a.f);
}

static void test_what_must_wait_counts_in_the_queue(void **state)
{
    struct asking a = {.answer = HOOK_MUST_WAIT};

    UNUSED(state);
    fixture_init(&a.f, narrow);
    for (const char *key = "a\0b\0c\0"; *key; key += 2)
        run_asking(&a, key, NULL, "");
    UNTIL(&a.f, a.f.told_count == 1);
    hooks_cancel_key(a.f.hooks, "b");
    UNTIL(&a.f, a.f.told_count == 2);
    assert_string_equal(buf_text(&a.f.told), "a=dropped/0 b=cancelled/0 ");
    assert_int_equal(hooks_stats(a.f.hooks).queued, 1);
    fixture_clear(&a.f); /* tells the third */
}

static void test_one_of_a_lane_runs_at_a_time(void **state)
{
    static const char stubborn[] =
        "(trap '' TERM; sh -c 'echo $PPID > pid; while :; do sleep 0.05; done') &\n"
        "while [ ! -e pid ]; do sleep 0.01; done";
    static const char second[] = "kill -0 $(cat pid) 2> /dev/null && echo both > both; true";
    struct asking a = {.answer = HOOK_MAY_START};

    UNUSED(state);
    fixture_init(&a.f, narrow);
    a.f.options.max_running = 4;
    a.f.options.max_queued = 8;
    hooks_configure(a.f.hooks, &a.f.options);
    run_asking(&a, "first", "x", stubborn);
    run_asking(&a, "second", "x", second);
    run_asking(&a, "other", "y", "");
    assert_int_equal(hooks_stats(a.f.hooks).running, 2);
    assert_int_equal(hooks_stats(a.f.hooks).queued, 1);
    UNTIL(&a.f, a.f.told_count == 3);
    assert_int_equal(hooks_stats(a.f.hooks).done, 3);
    assert_false(file_has("both", "both")); /* also not beside what the first has left */
    fixture_clear(&a.f);
}

static void run_next(void *ctx, const struct hook_result *result)
{
    struct hook_fixture *f = ctx;
    static const char *const argv[] = {"./missing", NULL};
    struct hook_request request = {
        .label = "next", .key = result->key, .argv = argv, .done = run_next, .ctx = f};

    fixture_on_done(ctx, result);
    if (f->told_count < 100) {
        hooks_run(f->hooks, &request);
        hooks_cancel_key(f->hooks, "other");
    }
}

static void test_done_may_ask_for_more(void **state)
{
    struct hook_fixture f;
    static const char *const argv[] = {"./missing", NULL};
    struct hook_request request = {.label = "next", .key = "k", .argv = argv, .done = run_next, .ctx = &f};

    UNUSED(state);
    fixture_init(&f, narrow);
    hooks_run(f.hooks, &request);
    fixture_turn(&f);
    assert_true(f.told_count < 100); /* not all in one turn */
    UNTIL(&f, f.told_count == 100);
    assert_int_equal(hooks_stats(f.hooks).not_executable, 100);
    fixture_clear(&f);
}

static void test_free_tells_all_that_have_not_ended(void **state)
{
    struct hook_fixture f;
    static const char *const missing[] = {"./missing", NULL};

    UNUSED(state);
    fixture_init(&f, narrow);
    f.options.max_queued = 8;
    hooks_configure(f.hooks, &f.options);
    run_script(&f, "retries", "exit 1");
    UNTIL(&f, hooks_stats(f.hooks).retrying == 1);
    run_request(&f, "missing", missing);
    run_script(&f, "runs", HOLD);
    run_script(&f, "waits", "");
    hooks_free(f.hooks);
    f.hooks = NULL;
    assert_string_equal(buf_text(&f.told),
                        "missing=not_executable/1 retries=cancelled/1 waits=cancelled/0 runs=cancelled/1 ");
    fixture_clear(&f);
}

static void test_many_hooks_leave_nothing_behind(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, narrow);
    f.options.max_running = 8;
    f.options.max_queued = 100;
    hooks_configure(f.hooks, &f.options);
    for (int i = 0; i < 100; i++)
        run_script(&f, "s", "echo $$");
    UNTIL(&f, f.told_count == 100);
    assert_int_equal(hooks_stats(f.hooks).done, 100);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_queue_drops_the_oldest_that_waits),
        cmocka_unit_test(test_no_queue_drops_what_cannot_be_started),
        cmocka_unit_test(test_retries_count_in_the_queue_and_go_first),
        cmocka_unit_test(test_retry_that_is_due_waits_behind_the_others),
        cmocka_unit_test(test_pauses_double_up_to_the_longest),
        cmocka_unit_test(test_max_running_is_kept_and_may_be_raised),
        cmocka_unit_test(test_forget_cancels_what_waits_and_tries_nothing_again),
        cmocka_unit_test(test_forgotten_while_it_runs_may_still_be_done),
        cmocka_unit_test(test_cancel_ends_the_group_of_what_runs),
        cmocka_unit_test(test_cancel_counts_whatever_the_exit),
        cmocka_unit_test(test_each_try_is_asked_about),
        cmocka_unit_test(test_what_must_end_is_not_run),
        cmocka_unit_test(test_what_must_wait_keeps_its_tries_and_its_order),
        cmocka_unit_test(test_what_must_wait_counts_in_the_queue),
        cmocka_unit_test(test_one_of_a_lane_runs_at_a_time),
        cmocka_unit_test(test_done_may_ask_for_more),
        cmocka_unit_test(test_free_tells_all_that_have_not_ended),
        cmocka_unit_test(test_many_hooks_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
