/* The event base, clocks, timers and signals.
 *
 * Whoever asks loop_now_ms in a timer finds the time to have passed. libevent is asked for its exact clock:
 * with the coarse one (4 ms) a timer comes early and has to wait for the rest, in sleeps of 1 ms that wake us
 * for nothing. Its cache of the time is off: with it, all timers are late by what the callbacks of a turn
 * took. */
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

/* Longest delay handed to libevent; a longer one is only an odd configuration, and must not overflow. */
#define DELAY_MAX_MS (INT64_C(365) * 24 * 3600 * 1000)
/* Turns that loop_free gives the resolver to let go of what was cancelled; it needs two. */
#define ORPHAN_TURNS 16

struct loop_timer {
    struct event *event;
    loop_fn fn;
    void *ctx;
    int64_t due_us;
};

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
                                            EVENT_BASE_FLAG_NO_CACHE_TIME | EVENT_BASE_FLAG_PRECISE_TIMER);

    struct event_base *base = event_base_new_with_config(config);

    event_config_free(config);
    if (!base) {
        errno = errno ? errno : ENOMEM;
        return NULL;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* fails for invalid signal numbers only */

    struct loop *loop = mem_new(1, sizeof(*loop));

    loop->base = base;
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    for (int turn = 0; loop->orphans > 0 && turn < ORPHAN_TURNS; turn++)
        (void)event_base_loop(loop->base, EVLOOP_NONBLOCK);
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

static void add_event_us(struct event *event, int64_t delay_us)
{
    struct timeval delay = {.tv_sec = delay_us / 1000000, .tv_usec = delay_us % 1000000};

    if (event_add(event, &delay) < 0)
        mem_fail();
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *timer = arg;
    int64_t left_us = timer->due_us - loop_now_us();

    UNUSED(fd);
    UNUSED(what);
    if (left_us > 0)
        add_event_us(timer->event, left_us);
    else
        timer->fn(timer->ctx);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *ctx)
{
    struct loop_timer *timer = mem_new(1, sizeof(*timer));

    timer->fn = fn;
    timer->ctx = ctx;
    timer->event = event_new(loop->base, -1, 0, on_timer, timer);
    if (!timer->event)
        mem_fail();
    return timer;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    event_free(timer->event);
    free(timer);
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
    int64_t delay_us = delay_ms <= 0 ? 0 : (delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS) * 1000;

    timer->due_us = loop_now_us() + delay_us;
    add_event_us(timer->event, delay_us);
}

int64_t loop_timer_set_aligned(struct loop_timer *timer, int64_t delay_ms, int64_t grain_ms)
{
    int64_t now_us = loop_now_us(), grain_us = grain_ms * 1000;
    int64_t due_us = (now_us + delay_ms * 1000) / grain_us * grain_us;

    timer->due_us = due_us > now_us ? due_us : due_us + grain_us;
    add_event_us(timer->event, timer->due_us - now_us);
    return timer->due_us;
}

void loop_timer_stop(struct loop_timer *timer)
{
    (void)event_del(timer->event); /* one that is not set is fine */
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
    return event_pending(timer->event, EV_TIMEOUT, NULL) != 0;
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
