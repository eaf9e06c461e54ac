/* The event base, clocks and signals.
 *
 * libevent's own timers are for its resolver alone. Its cache of the time is off: with it, they are late by
 * what the callbacks of a turn took. */
#include "loop_internal.h"

#include "util/alloc.h"
#include "util/macros.h"
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* Turns that loop_free gives the resolver to let go of what was cancelled; it needs two. */
#define ORPHAN_TURNS 16

struct loop_signal {
    struct event *event;
    loop_fn fn;
    void *ctx;
};

/* What matters is told by return values too; an error that libevent ends the process for has no other way. */
static void on_libevent_message(int severity, const char *text)
{
    if (severity == EVENT_LOG_ERR)
        (void)dprintf(STDERR_FILENO, "libevent: %s\n", text);
}

/* What it then does by itself is an exit with 1. */
static void on_libevent_fatal(int error)
{
    UNUSED(error);
    _exit(EX_SOFTWARE);
}

struct loop *loop_new(void)
{
    event_set_log_callback(on_libevent_message);
    event_set_fatal_callback(on_libevent_fatal);

    struct event_config *config = event_config_new();

    if (!config) {
        errno = ENOMEM;
        return NULL;
    }
    (void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
                                            EVENT_BASE_FLAG_NO_CACHE_TIME);

    struct event_base *base = event_base_new_with_config(config);

    event_config_free(config);
    if (!base) {
        errno = errno ? errno : ENOMEM;
        return NULL;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* fails for invalid signal numbers only */

    struct loop *loop = mem_new(1, sizeof(*loop));

    loop->base = base;
    if (loop_timers_init(loop))
        return loop;

    int error = errno;

    loop_free(loop);
    errno = error;
    return NULL;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    for (int turn = 0; loop->orphans > 0 && turn < ORPHAN_TURNS; turn++)
        (void)event_base_loop(loop->base, EVLOOP_NONBLOCK);
    loop_timers_clear(loop);
    event_base_free(loop->base);
    free(loop);
}

int loop_run(struct loop *loop)
{
    int r = 0;

    errno = 0;
    if (!loop->stop && event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
        r = errno ? -errno : -EIO;
    loop->stop = false;
    return r;
}

void loop_stop(struct loop *loop)
{
    loop->stop = true;
    (void)event_base_loopbreak(loop->base); /* fails for a NULL base only */
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}

static int64_t read_clock_us(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) < 0) /* neither clock can be missing */
        abort();
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t loop_now_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

int64_t loop_now_ms(void)
{
    return loop_now_us() / 1000;
}

int64_t loop_wall_ms(void)
{
    return read_clock_us(CLOCK_REALTIME) / 1000;
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    struct loop_signal *handler = arg;

    UNUSED(fd);
    UNUSED(what);
    handler->fn(handler->ctx);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_fn fn, void *ctx)
{
    struct loop_signal *handler = mem_new(1, sizeof(*handler));

    handler->fn = fn;
    handler->ctx = ctx;
    errno = 0;
    handler->event = evsignal_new(loop->base, signo, on_signal, handler);
    if (handler->event && event_add(handler->event, NULL) == 0)
        return handler;

    int error = errno ? errno : EINVAL;

    loop_signal_free(handler);
    errno = error;
    return NULL;
}

void loop_signal_free(struct loop_signal *handler)
{
    if (!handler)
        return;
    if (handler->event)
        event_free(handler->event);
    free(handler);
}
