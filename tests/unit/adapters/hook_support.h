/* Hooks that are real programs: shell scripts in a folder of their own, which is the working directory while
 * the test runs. What is told is kept as text, in its order. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/hook.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/process_stats.h"
#include "util/buf.h"
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Only a test that would hang for ever gets there. */
#define HOOK_GIVE_UP_MS 60000

struct hook_fixture {
    char dir[64];
    struct loop *loop;
    struct log *log;
    struct hooks *hooks;
    struct hooks_options options;
    struct loop_timer *tick;
    unsigned ticks;
    uint64_t fds;
    struct hook_result last; /* label and key are not to be used */
    unsigned told_count;
    struct buf told; /* `KEY=OUTCOME/TRIES `, … */
};

static inline void fixture_on_done(void *ctx, const struct hook_result *result)
{
    static const char *const names[] = {"done", "failed", "not_executable", "dropped", "cancelled"};
    struct hook_fixture *f = ctx;

    f->last = *result;
    f->told_count++;
    buf_add_format(&f->told, "%s=%s/%u ", result->key, names[result->outcome], result->tries);
}

static inline void fixture_on_tick(void *ctx)
{
    ((struct hook_fixture *)ctx)->ticks++;
}

static inline uint64_t fixture_count_fds(void)
{
    struct process_stats stats;

    process_stats_read(&stats);
    assert_true(stats.has_open_fds);
    return stats.open_fds;
}

static inline void fixture_init(struct hook_fixture *f, struct hooks_options options)
{
    int fd;

    memset(f, 0, sizeof(*f));
    f->fds = fixture_count_fds();
    (void)strcpy(f->dir, "/tmp/test_hook.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(chdir(f->dir), 0);
    fd = open("log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    f->loop = loop_new();
    f->log = log_new(NULL, fd);
    (void)close(fd); /* the log has opened it anew */
    f->options = options;
    f->hooks = hooks_new(f->loop, f->log, &f->options);
    f->tick = loop_timer_new(f->loop, fixture_on_tick, f);
}

/* Nothing is left: no child, no descriptor. */
static inline void fixture_clear(struct hook_fixture *f)
{
    char command[96];

    hooks_free(f->hooks);
    loop_timer_free(f->tick);
    log_free(f->log);
    loop_free(f->loop);
    buf_clear(&f->told);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(fixture_count_fds(), f->fds);
    assert_int_equal(chdir("/"), 0);
    (void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
}

/* One turn of the loop. */
static inline void fixture_turn(struct hook_fixture *f)
{
    if (!loop_timer_is_set(f->tick))
        loop_timer_set(f->tick, 1);
    assert_true(event_base_loop(loop_event_base(f->loop), EVLOOP_ONCE) >= 0);
}

#define UNTIL(f, condition)                                                                                  \
    do {                                                                                                     \
        int64_t give_up_ms = loop_now_ms() + HOOK_GIVE_UP_MS;                                                \
        while (!(condition)) {                                                                               \
            assert_true(loop_now_ms() < give_up_ms);                                                         \
            fixture_turn(f);                                                                                 \
        }                                                                                                    \
    } while (0)

static inline void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

/* NULL where it is not there; else to be freed. */
static inline char *read_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct buf out = BUF_INIT;
    ssize_t n;

    if (fd < 0)
        return NULL;
    while ((n = read(fd, buf_reserve(&out, 4096), 4096)) > 0)
        out.len += (size_t)n;
    (void)close(fd);
    (void)buf_text(&out);
    return out.data;
}

static inline void assert_file(const char *path, const char *expected)
{
    char *text = read_file(path);

    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static inline bool file_has(const char *path, const char *expected)
{
    char *text = read_file(path);
    bool has = text && strstr(text, expected);

    free(text);
    return has;
}

/* The number in a file, 0 where its line is not complete. */
static inline pid_t read_pid(const char *path)
{
    char *text = read_file(path);
    pid_t pid = text && strchr(text, '\n') ? (pid_t)strtol(text, NULL, 10) : 0;

    free(text);
    return pid;
}

/* Gone, or waiting for its parent. */
static inline bool is_dead(pid_t pid)
{
    char path[64];
    const char *state;
    char *text;
    bool dead;

    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    text = read_file(path);
    state = text ? strrchr(text, ')') : NULL;
    dead = !state || state[2] == 'Z' || state[2] == 'X';
    free(text);
    return dead;
}

static inline void run_request(struct hook_fixture *f, const char *key, const char *const *argv)
{
    struct hook_request request = {.label = "test",
                                   .key = key,
                                   .argv = argv,
                                   .input = slice_text("{}"),
                                   .done = fixture_on_done,
                                   .ctx = f};

    hooks_run(f->hooks, &request);
}

/* Runs a shell script of this text, in the file KEY. */
static inline void run_script(struct hook_fixture *f, const char *key, const char *text)
{
    char path[64];
    const char *argv[] = {path, NULL};
    struct buf script = BUF_INIT;

    (void)snprintf(path, sizeof(path), "./%s", key);
    buf_add_format(&script, "#!/bin/sh\n%s\n", text);
    write_file(path, buf_text(&script), 0700);
    buf_clear(&script);
    run_request(f, key, argv);
}

/* Runs it to its end, which must be as EXPECTED. */
static inline void assert_script(struct hook_fixture *f, const char *key, const char *text,
                                 const char *expected)
{
    buf_reset(&f->told, 0);
    f->told_count = 0;
    run_script(f, key, text);
    assert_int_equal(f->told_count, 0); /* never from inside the call */
    UNTIL(f, f->told_count == 1);
    assert_string_equal(buf_text(&f->told), expected);
}
