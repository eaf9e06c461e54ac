/* What loop.c, loop_timer.c and loop_lookup.c share. */
#pragma once

#include "adapters/loop.h"
#include "util/heap.h"

struct event;

struct loop {
    struct event_base *base;
    bool stop;        /* asked for and not yet obeyed */
    unsigned orphans; /* look-ups whose owner is gone and whose resolver has not answered yet */

    struct loop_timer **timers; /* by slot, NULL where it is free */
    uint32_t timer_cap;
    struct heap set; /* slots of those that are set, by when they are due */
    int wake_fd;     /* a timerfd */
    int64_t wake_us; /* when it comes; INT64_MAX: not at all */
    bool is_firing;
    struct event *wake, *fire;
};

/* False with errno set where the system refuses; loop_timers_clear is right in either case. */
bool loop_timers_init(struct loop *loop);
void loop_timers_clear(struct loop *loop);
