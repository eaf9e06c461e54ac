/* The event loop, its clocks, timers, signals and name look-ups: a thin coat over libevent.
 *
 * One loop per process, one thread. Callbacks run from the loop only, never from inside a call. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct sockaddr;
struct loop;
struct loop_timer;
struct loop_signal;
struct loop_lookup;

typedef void (*loop_fn)(void *ctx);

/* NULL with errno set where the system refuses. Freed by loop_free once all that uses it is freed.
 * From then on, in the whole process, SIGPIPE is ignored (a peer that closed is told by EPIPE) and so are
 * libevent's own warnings, which would go to standard error past the log. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Runs until loop_stop. Returns 0, or -errno where the loop broke. */
int loop_run(struct loop *loop);
/* The loop returns once the callback that runs is done. Where it does not run, the next loop_run returns at
 * once. */
void loop_stop(struct loop *loop);

/* Monotonic milliseconds / microseconds (CLOCK_MONOTONIC), and wall-clock milliseconds (CLOCK_REALTIME). Read
 * afresh at each call. */
int64_t loop_now_ms(void);
int64_t loop_now_us(void);
int64_t loop_wall_ms(void);

/* For the adapters that speak libevent themselves. */
struct event_base *loop_event_base(struct loop *loop);

/* A timer, not running yet, in monotonic time. FN may free it. */
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *ctx);
void loop_timer_free(struct loop_timer *timer);
/* Fires once DELAY_MS from now, never earlier (0 or less: as soon as the loop goes on); replaces what was set
 * before. */
void loop_timer_set(struct loop_timer *timer, int64_t delay_ms);
/* Fires about DELAY_MS from now, where the monotonic clock shows a multiple of GRAIN_MS (above 0): up to
 * GRAIN_MS earlier, or, for a shorter delay, later than asked. Timers of one grain share their wake-ups.
 * Returns when, in us. */
#define LOOP_GRAIN_MS 250 /* of what looks around all the time */
int64_t loop_timer_set_aligned(struct loop_timer *timer, int64_t delay_ms, int64_t grain_ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);

/* Calls FN from the loop at each SIGNO. FN may free it. NULL with errno set where the system refuses. */
struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_fn fn, void *ctx);
void loop_signal_free(struct loop_signal *handler);

/* The addresses of a name, in the order of preference; valid during the call, until the look-up is freed. */
struct loop_address {
    const struct sockaddr *addr;
    unsigned addr_len;
};
/* COUNT is 0 where the name was not found; ERROR then says why, else it is NULL. */
typedef void (*loop_lookup_fn)(void *ctx, const struct loop_address *addresses, size_t count,
                               const char *error);

/* Looks up HOST (a name or an address) in /etc/hosts and DNS, both as configured at the time of the call,
 * without blocking. FN is called once, from the loop, within TIMEOUT_MS (above 0); it may free the look-up,
 * which the caller owns. */
struct loop_lookup *loop_lookup_new(struct loop *loop, const char *host, uint16_t port, int64_t timeout_ms,
                                    loop_lookup_fn fn, void *ctx);
/* FN is not called any more. NULL is fine. */
void loop_lookup_free(struct loop_lookup *lookup);
