/* What a hook has started and what has left its process group: it goes where the hook was ended, and stays
 * where it ended by itself. */
#include "hook_support.h"

#include "util/macros.h"
#include <sys/resource.h>
#include <sys/syscall.h>

static bool refuse_limits;

/* In place of libc's, to be refused where a test says so. */
int setrlimit(__rlimit_resource_t resource, const struct rlimit *rlimits)
{
    if (refuse_limits) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_prlimit64, 0, resource, rlimits, NULL);
}

static const struct hooks_options quick = {.timeout_ms = HOOK_GIVE_UP_MS,
                                           .max_running = 4,
                                           .max_queued = 16,
                                           .kill_after_ms = 100,
                                           .retry_first_ms = 1,
                                           .retry_max_ms = 4,
                                           .tries = 1};

#define AWAIT   "\nwhile [ ! -s pid ]; do :; done\n"
#define HANG    "exec sleep 600"
#define DETACH  "setsid sh -c 'echo $$ > pid; exec sleep 600' > /dev/null 2>&1 &" AWAIT
#define RESISTS "setsid sh -c 'trap \"\" TERM; echo $$ > pid; exec sleep 600' > /dev/null 2>&1 &" AWAIT
/* No environment, no descriptor, no parent, a session of its own, and not the first of that. */
#define HIDES                                                                                                \
    "(env -i /usr/bin/setsid /bin/sh -c '(sh -c \"echo \\$\\$ > pid; exec sleep 600\" &) ; exit 0' "         \
    "< /dev/null > /dev/null 2>&1 &)" AWAIT
/* As many as it can, each of them in a group of its own. */
#define BREEDS                                                                                               \
    "for i in 1 2 3 4 5 6 7 8; do setsid sh -c 'trap \"\" TERM; while :; do setsid sleep 600 & sleep 0.02; " \
    "done' "                                                                                                 \
    "> /dev/null 2>&1 & done; " RESISTS

static const char *const detached[] = {DETACH, RESISTS, HIDES, BREEDS};

/* Starts a hook that detaches a process and then does THEN; returns when that is there. */
static pid_t start(struct hook_fixture *f, const char *detach, const char *then)
{
    struct buf script = BUF_INIT;

    buf_add_format(&script, "%s%s", detach, then);
    run_script(f, "s", buf_text(&script));
    buf_clear(&script);
    UNTIL(f, read_pid("pid"));
    return read_pid("pid");
}

/* Whoever works in the folder of the test, but the test itself. */
static size_t count_left(const struct hook_fixture *f)
{
    char command[160];
    FILE *out;
    size_t count = 0;

    (void)snprintf(command, sizeof(command), "cd / && ls -l /proc/[0-9]*/cwd 2> /dev/null | grep -c ' %s$'",
                   f->dir);
    out = popen(command, "r");
    assert_non_null(out);
    assert_int_equal(fscanf(out, "%zu", &count), 1);
    (void)pclose(out); /* grep says 1 where nobody is left */
    return count - 1;
}

static void test_what_is_cancelled_goes_with_all_that_it_detached(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(detached); i++) {
        struct hook_fixture f;
        pid_t pid;

        fixture_init(&f, quick);
        pid = start(&f, detached[i], HANG);
        hooks_cancel_key(f.hooks, "s");
        UNTIL(&f, f.told_count == 1);
        UNTIL(&f, hooks_stats(f.hooks).lingering == 0);
        assert_true(is_dead(pid));
        assert_int_equal(count_left(&f), 0);
        fixture_clear(&f);
    }
}

static void test_what_is_over_its_time_limit_goes_with_all_that_it_detached(void **state)
{
    UNUSED(state);
    for (int64_t timeout_ms = 200;; timeout_ms *= 2) {
        struct hook_fixture f;
        pid_t pid;

        fixture_init(&f, quick);
        f.options.timeout_ms = timeout_ms;
        hooks_configure(f.hooks, &f.options);
        assert_script(&f, "s", RESISTS HANG, "s=failed/1 ");
        assert_true(f.last.timed_out);
        UNTIL(&f, hooks_stats(f.hooks).lingering == 0);
        pid = read_pid("pid"); /* 0 where it was over before that was there */
        assert_true(!pid || is_dead(pid));
        assert_true(!pid || file_has("log", "left=\"processes, now ended\""));
        assert_int_equal(count_left(&f), 0);
        fixture_clear(&f);
        if (pid)
            return;
    }
}

static void test_one_that_ended_by_itself_leaves_what_it_detached(void **state)
{
    static const struct {
        const char *then, *expected;
    } rows[] = {{"exit 0", "s=done/1 "}, {"exit 1", "s=failed/1 "}, {"exit 2", "s=failed/1 "}};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct hook_fixture f;
        pid_t pid;

        fixture_init(&f, quick);
        pid = start(&f, DETACH, rows[i].then);
        UNTIL(&f, f.told_count == 1);
        assert_string_equal(buf_text(&f.told), rows[i].expected);
        /* Another one is ended meanwhile, with what is its own. */
        run_script(&f, "t", "setsid sleep 600 > /dev/null 2>&1 &\n: > t.there\n" HANG);
        UNTIL(&f, access("t.there", F_OK) == 0);
        hooks_cancel_key(f.hooks, "t");
        UNTIL(&f, f.told_count == 2);
        UNTIL(&f, hooks_stats(f.hooks).lingering == 0);
        assert_int_equal(count_left(&f), 1);
        hooks_free(f.hooks);
        f.hooks = NULL;
        assert_false(is_dead(pid));
        assert_int_equal(kill(pid, SIGKILL), 0);
        fixture_clear(&f);
    }
}

static void test_at_the_end_what_runs_goes_with_all_that_it_detached(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(detached); i++) {
        struct hook_fixture f;
        pid_t pid;

        fixture_init(&f, quick);
        pid = start(&f, detached[i], "trap '' TERM; " HANG);
        hooks_free(f.hooks);
        f.hooks = NULL;
        assert_true(is_dead(pid));
        assert_int_equal(count_left(&f), 0);
        fixture_clear(&f);
    }
}

static void test_several_are_sought_at_once(void **state)
{
    static const char *const keys[] = {"a", "b", "c", "d"};
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, quick);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        run_script(&f, keys[i], "setsid sh -c 'trap \"\" TERM; echo x >> there; exec sleep 600' &\n" HANG);
    UNTIL(&f, file_has("there", "x\nx\nx\nx\n"));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        hooks_cancel_key(f.hooks, keys[i]);
        fixture_turn(&f);
    }
    UNTIL(&f, f.told_count == ARRAY_LEN(keys));
    UNTIL(&f, hooks_stats(f.hooks).lingering == 0);
    assert_int_equal(count_left(&f), 0);
    fixture_clear(&f);
}

static void test_looking_waits_for_a_descriptor(void **state)
{
    struct rlimit before, none;
    struct hook_fixture f;
    pid_t pid;

    UNUSED(state);
    fixture_init(&f, quick);
    pid = start(&f, DETACH, HANG);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    hooks_cancel_key(f.hooks, "s");
    f.ticks = 0;
    UNTIL(&f, f.told_count == 1 && f.ticks >= 20);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    UNTIL(&f, hooks_stats(f.hooks).lingering == 0);
    assert_true(is_dead(pid));
    fixture_clear(&f);
}

/* Only its process group is known then. */
static void test_a_hook_without_a_mark(void **state)
{
    struct hook_fixture f;
    pid_t pid;

    UNUSED(state);
    fixture_init(&f, quick);
    refuse_limits = true;
    pid = start(&f, DETACH, HANG);
    hooks_cancel_key(f.hooks, "s");
    UNTIL(&f, f.told_count == 1);
    UNTIL(&f, hooks_stats(f.hooks).lingering == 0);
    refuse_limits = false;
    assert_int_equal(kill(pid, SIGKILL), 0);
    fixture_clear(&f);
}

static void test_the_mark_is_not_kept(void **state)
{
    struct rlimit before, after;
    struct hook_fixture f;

    UNUSED(state);
    assert_int_equal(getrlimit(RLIMIT_LOCKS, &before), 0);
    fixture_init(&f, quick);
    assert_script(&f, "s", "exit 0", "s=done/1 ");
    fixture_clear(&f);
    assert_int_equal(getrlimit(RLIMIT_LOCKS, &after), 0);
    assert_int_equal(after.rlim_cur, before.rlim_cur);
    assert_int_equal(after.rlim_max, before.rlim_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_cancelled_goes_with_all_that_it_detached),
        cmocka_unit_test(test_what_is_over_its_time_limit_goes_with_all_that_it_detached),
        cmocka_unit_test(test_one_that_ended_by_itself_leaves_what_it_detached),
        cmocka_unit_test(test_at_the_end_what_runs_goes_with_all_that_it_detached),
        cmocka_unit_test(test_several_are_sought_at_once),
        cmocka_unit_test(test_looking_waits_for_a_descriptor),
        cmocka_unit_test(test_a_hook_without_a_mark),
        cmocka_unit_test(test_the_mark_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
