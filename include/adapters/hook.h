/* Hooks (SPEC §7.3): programs that the daemon executes on the event loop, without ever waiting for one.
 *
 * A hook is tried until it has done its work or is given up:
 *   exit 0                         done
 *   exit 1, or killed by a signal  tried again, at most `tries` times in all, after pauses that double
 *   over its time limit            the same, however it ended then
 *   no process could be made for want of memory, descriptors or processes   the same
 *   exit 2 or more                 given up
 *   the file cannot be executed    given up, as an outcome of its own
 *
 * A hook runs in a process group of its own. Over its time limit, or cancelled, the group gets SIGTERM, then
 * SIGKILL `kill_after_ms` later, and so does all else that it has started, in whatever group or session that
 * is by then: it is found by a mark that it inherits, the soft limit RLIMIT_LOCKS, which nothing else uses.
 * Its result counts as soon as the program itself has exited; what it leaves behind in its group is then
 * ended in the same way and keeps the place in `max_running` until it is gone. A hook that starts something
 * which is to stay has to detach it (setsid, systemd-run), give it another output, as ours is closed when the
 * program has exited, and exit itself within its time.
 *
 * It gets the arguments of the configuration and nothing else; values travel in its environment and on its
 * standard input. The environment is PATH, LANG=C.UTF-8, HOME where we have one, and `MT5STATED_NAME=value`
 * for each variable. Standard input is a pipe with one line; whether it is read does not matter. What it
 * prints is read to the end and its first 4 KiB are logged when it exits. It inherits no other descriptor,
 * no ignored signal and no blocked one, but our working directory.
 *
 * Of requests with the same lane one runs at a time: the next is started when nothing is left of the group of
 * the one before.
 *
 * At most `max_queued` wait, those that wait for their next try or for permission included. Beyond that the
 * oldest request is dropped; what has failed before is always older than what was never tried, so it goes
 * first. A retry that has become due is started after all others that wait.
 *
 * The descriptors 0 to 2 of our process must be open. Processes are watched through pidfds (Linux 5.3): no
 * signal handler, and nobody else's child is ever waited for. */
#pragma once

#include "util/slice.h"
#include <stdint.h>

struct hooks;
struct log;
struct loop;

struct hooks_options {
    int64_t timeout_ms;     /* of one try, above 0; for those started from now on */
    size_t max_running;     /* at once, above 0 */
    size_t max_queued;      /* 0: what cannot be started at once is dropped */
    int64_t kill_after_ms;  /* from SIGTERM to SIGKILL; 0: 5000 */
    int64_t retry_first_ms; /* the pause before the second try; 0: 1000 */
    int64_t retry_max_ms;   /* it doubles up to this, at least the first; 0: 64000 */
    unsigned tries;         /* in all; 0: 10 */
};

enum hook_outcome {
    HOOK_DONE,
    HOOK_FAILED,         /* given up: exit 2 or more, or the last try failed */
    HOOK_NOT_EXECUTABLE, /* missing, no permission, no interpreter, not a program, too long an environment */
    HOOK_DROPPED,        /* the queue was full */
    HOOK_CANCELLED,      /* by hooks_cancel_key, hooks_forget_key, hooks_free, or HOOK_MUST_END */
};

/* Whether a try may be started now. */
enum hook_permission {
    HOOK_MAY_START,
    HOOK_MUST_WAIT, /* not now: it is asked again in a quarter of a second, and has lost no try */
    HOOK_MUST_END,  /* never again: HOOK_CANCELLED */
};

struct hook_result {
    enum hook_outcome outcome;
    const char *label, *key; /* of the request; valid during the call */
    unsigned tries;          /* made so far; 0 where it was never started */
    int exit_code;           /* of the last try; -1 where there is none */
    int signal;              /* that killed the last try, or 0 */
    int error;               /* why the last try could not be started (an errno, positive), or 0 */
    bool timed_out;          /* the last try was over its time limit */
};

typedef void (*hook_done_fn)(void *ctx, const struct hook_result *result);
/* Must not call anything here. */
typedef enum hook_permission (*hook_may_start_fn)(void *ctx);

struct hook_variable {
    const char *name;   /* letters, digits and underscores; MT5STATED_ and the name in capitals */
    struct slice value; /* any bytes; ends at the first NUL */
};

/* All of it is copied. */
struct hook_request {
    const char *label; /* what it is for: `recover`, `notify` */
    const char *key;   /* idempotency key: a command_id, or what is notified */
    /* From the configuration alone: nothing from outside may be put here. The first is the path of the file,
     * not looked up in PATH; a NULL ends them. */
    const char *const *argv;
    const struct hook_variable *variables;
    size_t variable_count;
    struct slice input;                   /* one line, without the line feed */
    const char *lane;                     /* or NULL: runs beside all others */
    struct slice instance_id, command_id; /* for the log; empty: none */
    /* Asked right before each try, the first included, also from inside hooks_run; NULL: it always may. */
    hook_may_start_fn may_start;
    hook_done_fn done; /* or NULL */
    void *ctx;
};

struct hooks_stats {
    size_t running;   /* hooks that run now */
    size_t lingering; /* have exited, but left processes behind that are being ended */
    size_t queued;    /* wait for their first try, or for one that is due, or for permission */
    size_t retrying;  /* wait out the pause before their next try */
    uint64_t done, failed, not_executable, dropped, cancelled; /* requests, by outcome */
    uint64_t retried;                                          /* tries that failed and were not the last */
    uint64_t timed_out;                                        /* tries over their time limit */
};

/* LOG may be NULL. Never NULL. Where SIGCHLD is ignored (inherited from whoever started us), that is ended:
 * no exit status could be read. */
struct hooks *hooks_new(struct loop *loop, struct log *log, const struct hooks_options *options);
/* Ends what runs: SIGTERM, and SIGKILL after kill_after_ms or a second, whichever is less; returns as soon as
 * nothing is left, and at the latest half a second after the SIGKILL. All requests that have not ended are
 * HOOK_CANCELLED, from inside this call, in which hooks_run does nothing; nothing is called after it. Not to
 * be called from inside DONE. NULL is fine. */
void hooks_free(struct hooks *hooks);
/* What runs keeps its time limit, and what is above a new max_running runs on. What is above a new max_queued
 * is dropped. */
void hooks_configure(struct hooks *hooks, const struct hooks_options *options);

/* Executes, or queues. DONE is called exactly once for every request: from the loop, never from inside this
 * call; it may call anything here but hooks_free. */
void hooks_run(struct hooks *hooks, const struct hook_request *request);

/* Ends the requests with KEY: those that wait at once; those that run, with all that they have started, get
 * SIGTERM, then SIGKILL kill_after_ms later. HOOK_CANCELLED once the program has exited, however it did. */
void hooks_cancel_key(struct hooks *hooks, const char *key);
/* Forgets the requests with KEY that wait: HOOK_CANCELLED. Those that run go on, but are not tried again. */
void hooks_forget_key(struct hooks *hooks, const char *key);

struct hooks_stats hooks_stats(const struct hooks *hooks);
