/* One hook at a time, against real processes: how it is started, how it ends, and what is left of it. */
#include "hook_support.h"

#include "util/macros.h"
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* In place of libc's, to be refused where a test says so. */
int pidfd_open(pid_t pid, unsigned flags);

static bool refuse_pidfds;

int pidfd_open(pid_t pid, unsigned flags)
{
    if (refuse_pidfds) {
        errno = ENOSYS;
        return -1;
    }
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

static const struct hooks_options quick = {.timeout_ms = HOOK_GIVE_UP_MS,
                                           .max_running = 4,
                                           .max_queued = 16,
                                           .kill_after_ms = 100,
                                           .retry_first_ms = 1,
                                           .retry_max_ms = 4,
                                           .tries = 4};

static void test_hook_done(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, quick);
    assert_script(&f, "a", "cat > input; echo some words; echo more >&2", "a=done/1 ");
    assert_int_equal(f.last.exit_code, 0);
    assert_int_equal(f.last.signal, 0);
    assert_false(f.last.timed_out);
    assert_int_equal(hooks_stats(f.hooks).done, 1);
    assert_int_equal(hooks_stats(f.hooks).running, 0);
    assert_file("input", "{}\n");
    assert_true(file_has("log", "msg=\"hook done\" hook=test key=a try=1 elapsed_ms="));
    assert_true(file_has("log", " output=\"some words\\nmore\"\n"));
    fixture_clear(&f);
}

static void test_hook_ends_as_its_exit_says(void **state)
{
    static const struct {
        const char *script, *expected, *reason;
        int exit_code, signo;
    } rows[] = {
        {"exit 0", "r=done/1 ", NULL, 0, 0},
        {"exit 1", "r=failed/4 ", "exit 1", 1, 0},
        {"exit 2", "r=failed/1 ", "exit 2", 2, 0},
        {"exit 127", "r=failed/1 ", "exit 127", 127, 0},
        {"exit 255", "r=failed/1 ", "exit 255", 255, 0},
        {"kill -9 $$", "r=failed/4 ", "killed by signal 9", -1, SIGKILL},
        {"kill -15 $$", "r=failed/4 ", "killed by signal 15", -1, SIGTERM},
        {"kill -13 $$", "r=failed/4 ", "killed by signal 13", -1, SIGPIPE},
        {"echo x >> n; [ $(wc -l < n) -ge 3 ]", "r=done/3 ", NULL, 0, 0},
        {"echo x >> m; [ $(wc -l < m) -ge 3 ] && exit 7; exit 1", "r=failed/3 ", "exit 7", 7, 0},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct hook_fixture f;

        fixture_init(&f, quick);
        assert_script(&f, "r", rows[i].script, rows[i].expected);
        assert_int_equal(f.last.exit_code, rows[i].exit_code);
        assert_int_equal(f.last.signal, rows[i].signo);
        assert_int_equal(f.last.error, 0);
        assert_int_equal(hooks_stats(f.hooks).retried, f.last.tries - 1);
        assert_int_equal(hooks_stats(f.hooks).failed, f.last.outcome == HOOK_FAILED);
        assert_true(!rows[i].reason || file_has("log", rows[i].reason));
        assert_int_equal(file_has("log", "hook given up"), f.last.outcome == HOOK_FAILED);
        fixture_clear(&f);
    }
}

static void test_hook_that_cannot_be_executed_is_told_apart(void **state)
{
    static const struct {
        const char *path;
        int error;
    } rows[] = {
        {"./missing", ENOENT}, {"./plain", EACCES},  {"./lost", ENOENT},
        {"./words", ENOEXEC},  {"./folder", EACCES}, {"./plain/below", ENOTDIR},
    };
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, quick);
    write_file("plain", "#!/bin/sh\n", 0600);
    write_file("lost", "#!/no/such/interpreter\n", 0700);
    write_file("words", "no program\n", 0700);
    assert_int_equal(mkdir("folder", 0700), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *argv[] = {rows[i].path, NULL};

        f.told_count = 0;
        buf_reset(&f.told, 0);
        run_request(&f, "x", argv);
        UNTIL(&f, f.told_count == 1);
        assert_string_equal(buf_text(&f.told), "x=not_executable/1 ");
        assert_int_equal(f.last.error, rows[i].error);
        assert_int_equal(f.last.exit_code, -1);
        assert_true(file_has("log", strerror(rows[i].error)));
    }
    assert_int_equal(hooks_stats(f.hooks).not_executable, ARRAY_LEN(rows));
    assert_int_equal(hooks_stats(f.hooks).failed, 0);
    fixture_clear(&f);
}

static void test_hook_is_tried_again_where_descriptors_are_short(void **state)
{
    struct hook_fixture f;
    struct rlimit before, none = {.rlim_cur = 3};

    UNUSED(state);
    fixture_init(&f, quick);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    write_file("s", "#!/bin/sh\n", 0700);

    const char *argv[] = {"./s", NULL};

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    run_request(&f, "s", argv);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(hooks_stats(f.hooks).retried, 1);
    UNTIL(&f, f.told_count == 1);
    assert_string_equal(buf_text(&f.told), "s=done/2 ");
    assert_int_equal(f.last.error, 0);
    fixture_clear(&f);
}

static void test_hook_gets_its_arguments_as_they_are(void **state)
{
    const char *argv[] = {"./s", "--now", "", "$(id) *", "-x", NULL};
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, quick);
    write_file("s", "#!/bin/sh\nprintf '%s|' \"$@\" > arguments\n", 0700);
    run_request(&f, "--key", argv);
    UNTIL(&f, f.told_count == 1);
    assert_file("arguments", "--now||$(id) *|-x|");
    fixture_clear(&f);
}

static void test_hook_gets_the_documented_environment_and_input(void **state)
{
    static const char json[] = "{\"command_id\":\"-rf.recover.1\"}";
    const char *argv[] = {"/bin/sh", "-c", "tr '\\0' '\\n' < /proc/$$/environ > env; cat > input", NULL};
    struct hook_variable variables[] = {
        {"command_id", slice_text("-rf.recover.1")},
        {"reason", slice_text("a \"b\" $(c)=d;é")},
        {"EMPTY_2", slice_text(NULL)},
    };
    struct hook_request request = {
        .label = "recover",
        .key = "-rf.recover.1",
        .argv = argv,
        .variables = variables,
        .variable_count = ARRAY_LEN(variables),
        .input = slice_text(json),
    };
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, quick);
    assert_int_equal(setenv("HOME", "/nowhere", 1), 0);
    assert_int_equal(setenv("SECRET", "x", 1), 0);
    request.done = fixture_on_done;
    request.ctx = &f;
    hooks_run(f.hooks, &request);
    argv[0] = NULL; /* all was copied */
    variables[0].name = NULL;
    UNTIL(&f, f.told_count == 1);
    assert_file("env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C.UTF-8\n"
                       "HOME=/nowhere\nMT5STATED_COMMAND_ID=-rf.recover.1\n"
                       "MT5STATED_REASON=a \"b\" $(c)=d;é\nMT5STATED_EMPTY_2=\n");
    assert_file("input", "{\"command_id\":\"-rf.recover.1\"}\n");

    argv[0] = "/bin/sh";
    request.variable_count = 0;
    assert_int_equal(unsetenv("HOME"), 0);
    hooks_run(f.hooks, &request);
    UNTIL(&f, f.told_count == 2);
    assert_file("env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C.UTF-8\n");
    fixture_clear(&f);
}

/* 32 and 33 are glibc's own; whatever posix_spawn is told, they are ignored. */
#define GLIBC_SIGNALS (UINT64_C(3) << 31)

static uint64_t read_mask(const char *name)
{
    char *text = read_file("status");
    const char *line;
    uint64_t mask;

    assert_non_null(text);
    line = strstr(text, name);
    assert_non_null(line);
    mask = strtoull(line + strlen(name), NULL, 16);
    free(text);
    return mask;
}

static void test_hook_inherits_no_descriptor_and_no_signal(void **state)
{
    const char *argv[] = {"/bin/cp", "/proc/self/status", "status", NULL}; /* a shell unblocks by itself */
    struct hook_fixture f;
    sigset_t blocked, before;
    int leak;

    UNUSED(state);
    fixture_init(&f, quick);
    leak = fcntl(STDIN_FILENO, F_DUPFD, 57); /* as a library might that knows nothing of O_CLOEXEC */
    assert_true(leak >= 57);
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGUSR2);
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
    assert_script(&f, "s", "sh -c 'ls /proc/$$/fd; :' > fds", "s=done/1 ");
    run_request(&f, "t", argv);
    UNTIL(&f, f.told_count == 2);
    assert_file("fds", "0\n1\n2\n");
    assert_int_equal(read_mask("\nSigBlk:\t"), 0);
    assert_int_equal(read_mask("\nSigIgn:\t") & ~GLIBC_SIGNALS, 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    assert_int_equal(close(leak), 0);
    fixture_clear(&f);
}

static void test_hook_of_a_daemon_that_ignored_its_children(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    (void)signal(SIGCHLD, SIG_IGN);
    fixture_init(&f, quick);
    assert_script(&f, "s", "exit 3", "s=failed/1 ");
    assert_int_equal(f.last.exit_code, 3);
    fixture_clear(&f);
}

static void test_loop_goes_on_while_a_hook_runs(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, quick);
    run_script(&f, "s", "while [ ! -e go ]; do sleep 0.01; done");
    UNTIL(&f, f.ticks >= 50);
    assert_int_equal(f.told_count, 0);
    assert_int_equal(hooks_stats(f.hooks).running, 1);
    write_file("go", "", 0600);
    UNTIL(&f, f.told_count == 1);
    assert_string_equal(buf_text(&f.told), "s=done/1 ");
    fixture_clear(&f);
}

/* Runs it anew until the time limit has come late enough for all processes to have written their numbers. */
static void run_over_time(struct hook_fixture *f, const char *script, const char *pid_file)
{
    for (int64_t timeout_ms = 100;; timeout_ms *= 2) {
        f->options.timeout_ms = timeout_ms;
        f->options.tries = 1;
        hooks_configure(f->hooks, &f->options);
        assert_script(f, "s", script, "s=failed/1 ");
        assert_true(f->last.timed_out);
        if (read_pid(pid_file))
            return;
        assert_true(timeout_ms < HOOK_GIVE_UP_MS);
    }
}

static void test_time_limit_ends_the_whole_group(void **state)
{
    /* The program ends by SIGTERM; what it has started does not, and holds its output. */
    static const char script[] = "(trap '' TERM; sh -c 'echo $PPID > pid; while :; do sleep 0.05; done') &\n"
                                 "while :; do sleep 0.05; done";
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, quick);
    run_over_time(&f, script, "pid");
    assert_int_equal(f.last.signal, SIGTERM);
    assert_true(hooks_stats(f.hooks).timed_out >= 1);
    assert_true(file_has("log", "over its time limit"));
    UNTIL(&f, is_dead(read_pid("pid")));
    UNTIL(&f, hooks_stats(f.hooks).lingering == 0);
    fixture_clear(&f);
}

static void test_time_limit_kills_what_ignores_sigterm(void **state)
{
    static const char script[] = "trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done";
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, quick);
    run_over_time(&f, script, "pid");
    assert_int_equal(f.last.signal, SIGKILL);
    assert_true(is_dead(read_pid("pid")));
    fixture_clear(&f);
}

static void test_over_time_is_a_failed_try_whatever_the_exit(void **state)
{
    static const char script[] = "trap 'exit 0' TERM; echo $$ > pid; while :; do sleep 0.05; done";
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, quick);
    run_over_time(&f, script, "pid");
    assert_int_equal(f.last.exit_code, 0);
    f.options.tries = 3;
    hooks_configure(f.hooks, &f.options);
    assert_script(&f, "s", script, "s=failed/3 ");
    fixture_clear(&f);
}

static void test_output_without_end_is_cut_and_read_on(void **state)
{
    struct hook_fixture f;
    char *log;

    UNUSED(state);
    fixture_init(&f, quick);
    run_script(&f, "s", "printf 'begin '; yes | head -c 1000000; echo $? > pid; exec yes");
    UNTIL(&f, read_pid("pid") || file_has("pid", "0\n")); /* it does not hang in its write */
    assert_int_equal(f.told_count, 0);
    f.ticks = 0;
    UNTIL(&f, f.ticks >= 20);
    hooks_free(f.hooks);
    assert_string_equal(buf_text(&f.told), "s=cancelled/1 ");

    f.hooks = hooks_new(f.loop, f.log, &f.options);
    assert_script(&f, "t", "printf 'begin '; yes | head -c 1000000; printf end", "t=done/1 ");
    log = read_file("log");
    assert_non_null(strstr(log, "output=\"begin y\\ny\\n"));
    assert_non_null(strstr(log, "output_lost_bytes="));
    assert_null(strstr(log, "end\""));
    assert_true(strlen(log) < (size_t)2 * 4096 + 512); /* line feeds take two */
    free(log);
    fixture_clear(&f);
}

static void test_input_that_nobody_reads(void **state)
{
    static const char *const scripts[] = {
        "exec 0<&-",                                              /* closed */
        "exit 0",                                                 /* never looked at */
        "while [ ! -e go ]; do sleep 0.01; done",                 /* kept open */
        "head -c 10 > start",                                     /* a part of it */
        "cat > whole; [ $(wc -c < whole) -eq 200003 ]",           /* all, in pieces */
        "sleep 0.05; tail -c 3 > end; [ \"$(cat end)\" = ' }' ]", /* late */
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        struct hook_fixture f;
        const char *argv[] = {"/bin/sh", "-c", scripts[i], NULL};
        struct hook_request request = {.label = "test", .key = "k", .argv = argv, .done = fixture_on_done};
        struct buf input = BUF_INIT;

        fixture_init(&f, quick);
        buf_add_format(&input, "{%200000s}", " ");
        request.input = buf_slice(&input);
        request.ctx = &f;
        hooks_run(f.hooks, &request);
        buf_clear(&input);
        f.ticks = 0;
        UNTIL(&f, f.ticks >= 10);
        write_file("go", "", 0600);
        UNTIL(&f, f.told_count == 1);
        assert_string_equal(buf_text(&f.told), "k=done/1 ");
        fixture_clear(&f);
    }
}

static void test_what_a_hook_leaves_behind_is_ended(void **state)
{
    static const struct {
        const char *script;
        bool resists;
    } rows[] = {
        {"sh -c 'echo $$ > pid; exec sleep 600' &\nwhile [ ! -s pid ]; do sleep 0.01; done", false},
        {"sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.05; done' &\n"
         "while [ ! -s pid ]; do sleep 0.01; done",
         true},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct hook_fixture f;

        fixture_init(&f, quick);
        f.options.kill_after_ms = rows[i].resists ? 300 : HOOK_GIVE_UP_MS * 2;
        hooks_configure(f.hooks, &f.options);
        assert_script(&f, "s", rows[i].script, "s=done/1 "); /* its result is not held up */
        assert_int_equal(hooks_stats(f.hooks).running, 0);
        assert_true(file_has("log", "left="));
        UNTIL(&f, is_dead(read_pid("pid")));
        UNTIL(&f, hooks_stats(f.hooks).lingering == 0);
        fixture_clear(&f);
    }
}

/* As the first process of a container: orphans become its children, and fixture_clear finds none. */
static void test_what_a_hook_leaves_behind_is_reaped_where_it_becomes_our_child(void **state)
{
    static const char *const scripts[] = {
        "sh -c 'echo $$ > pid; exec sleep 600' &\nwhile [ ! -s pid ]; do sleep 0.01; done",
        "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.05; done' &\n"
        "while [ ! -s pid ]; do sleep 0.01; done",
    };

    UNUSED(state);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(scripts) * 2; i++) {
        struct hook_fixture f;

        fixture_init(&f, quick);
        assert_script(&f, "s", scripts[i / 2], "s=done/1 ");
        if (i % 2 == 0)
            UNTIL(&f, hooks_stats(f.hooks).lingering == 0);
        fixture_clear(&f);
    }
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void test_what_a_hook_leaves_behind_keeps_its_place(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, quick);
    f.options.max_running = 1;
    f.options.kill_after_ms = 200;
    hooks_configure(f.hooks, &f.options);
    run_script(&f, "s",
               "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.05; done' &\n"
               "while [ ! -s pid ]; do sleep 0.01; done");
    run_script(&f, "t", "grep -q '^State:.[RSD]' /proc/$(cat pid)/status && exit 9; exit 0");
    UNTIL(&f, f.told_count == 2);
    assert_string_equal(buf_text(&f.told), "s=done/1 t=done/1 ");
    fixture_clear(&f);
}

static void test_what_a_hook_detaches_stays(void **state)
{
    struct hook_fixture f;
    pid_t pid;

    UNUSED(state);
    fixture_init(&f, quick);
    assert_script(&f, "s",
                  "setsid sh -c 'echo $$ > pid; exec sleep 600' > /dev/null 2>&1 &\n"
                  "while [ ! -s pid ]; do sleep 0.01; done",
                  "s=done/1 ");
    UNTIL(&f, hooks_stats(f.hooks).lingering == 0);
    pid = read_pid("pid");
    hooks_free(f.hooks);
    f.hooks = NULL;
    assert_false(is_dead(pid));
    assert_int_equal(kill(pid, SIGKILL), 0);
    fixture_clear(&f);
}

static void test_hook_without_pidfd(void **state)
{
    static const char script[] = "trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done";
    struct hook_fixture f;

    UNUSED(state);
    refuse_pidfds = true;
    fixture_init(&f, quick);
    assert_script(&f, "a", "exit 0", "a=done/1 ");
    assert_script(&f, "b", "exit 1", "b=failed/4 ");
    run_over_time(&f, script, "pid");
    assert_int_equal(f.last.signal, SIGKILL);
    assert_true(is_dead(read_pid("pid")));
    fixture_clear(&f);
    refuse_pidfds = false;
}

static void test_free_ends_what_runs(void **state)
{
    static const char *const scripts[] = {
        "echo $$ > pid; exec sleep 600",
        "trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done",
        "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.05; done' & wait",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        struct hook_fixture f;
        pid_t pid;

        fixture_init(&f, quick);
        run_script(&f, "s", scripts[i]);
        UNTIL(&f, read_pid("pid"));
        pid = read_pid("pid");
        assert_int_equal(f.told_count, 0);
        hooks_free(f.hooks);
        f.hooks = NULL;
        assert_string_equal(buf_text(&f.told), "s=cancelled/1 ");
        assert_true(is_dead(pid));
        fixture_clear(&f);
    }
}

static void test_free_asks_before_it_kills(void **state)
{
    struct hook_fixture f;

    UNUSED(state);
    fixture_init(&f, quick);
    f.options.kill_after_ms = HOOK_GIVE_UP_MS;
    hooks_configure(f.hooks, &f.options);
    run_script(&f, "s",
               "trap 'yes | head -c 200000; echo yes > asked; exit 0' TERM; echo $$ > pid; while :; do sleep "
               "0.05; done");
    UNTIL(&f, read_pid("pid"));
    hooks_free(f.hooks);
    f.hooks = NULL;
    assert_file("asked", "yes\n");
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hook_done),
        cmocka_unit_test(test_hook_ends_as_its_exit_says),
        cmocka_unit_test(test_hook_that_cannot_be_executed_is_told_apart),
        cmocka_unit_test(test_hook_is_tried_again_where_descriptors_are_short),
        cmocka_unit_test(test_hook_gets_its_arguments_as_they_are),
        cmocka_unit_test(test_hook_gets_the_documented_environment_and_input),
        cmocka_unit_test(test_hook_inherits_no_descriptor_and_no_signal),
        cmocka_unit_test(test_hook_of_a_daemon_that_ignored_its_children),
        cmocka_unit_test(test_loop_goes_on_while_a_hook_runs),
        cmocka_unit_test(test_time_limit_ends_the_whole_group),
        cmocka_unit_test(test_time_limit_kills_what_ignores_sigterm),
        cmocka_unit_test(test_over_time_is_a_failed_try_whatever_the_exit),
        cmocka_unit_test(test_output_without_end_is_cut_and_read_on),
        cmocka_unit_test(test_input_that_nobody_reads),
        cmocka_unit_test(test_what_a_hook_leaves_behind_is_ended),
        cmocka_unit_test(test_what_a_hook_leaves_behind_is_reaped_where_it_becomes_our_child),
        cmocka_unit_test(test_what_a_hook_leaves_behind_keeps_its_place),
        cmocka_unit_test(test_what_a_hook_detaches_stays),
        cmocka_unit_test(test_hook_without_pidfd),
        cmocka_unit_test(test_free_ends_what_runs),
        cmocka_unit_test(test_free_asks_before_it_kills),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
