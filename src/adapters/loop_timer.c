/* Timers: a heap of what is set, and one timerfd for the first of them.
 *
 * libevent would set its timer anew before each wait. Here it is set only where it has to come earlier than
 * it will, and when it has come; one that comes in vain, for what was stopped meanwhile, is rare. Timers fire
 * behind all else that a turn of the loop has brought: after a halt what was sent is read before it is judged
 * to be late. */
#include "loop_internal.h"

#include "util/alloc.h"
#include "util/macros.h"
#include <event2/event.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* A longer delay is only an odd configuration, and must not overflow. */
#define DELAY_MAX_MS (INT64_C(365) * 24 * 3600 * 1000)
#define FIRST_SLOTS  32

struct loop_timer {
    struct loop *loop;
    loop_fn fn;
    void *ctx;
    int64_t due_us;
    uint32_t slot, place; /* place: in the heap */
};

static int64_t due_of(const void *owner, uint32_t slot)
{
    const struct loop *loop = owner;

    return loop->timers[slot]->due_us;
}

static uint32_t *place_of(const void *owner, uint32_t slot)
{
    const struct loop *loop = owner;

    return &loop->timers[slot]->place;
}

static struct loop_timer *first_of(const struct loop *loop)
{
    uint32_t slot = heap_first(&loop->set);

    return slot == HEAP_NONE ? NULL : loop->timers[slot];
}

/* Lets the timerfd come in time for the first. */
static void wake_in_time(struct loop *loop)
{
    const struct loop_timer *first = first_of(loop);

    if (loop->is_firing || !first || first->due_us >= loop->wake_us)
        return;

    int64_t at_us = first->due_us > 0 ? first->due_us : 1; /* 0 would be never */
    struct itimerspec at = {.it_value = {at_us / 1000000, at_us % 1000000 * 1000}};

    if (timerfd_settime(loop->wake_fd, TFD_TIMER_ABSTIME, &at, NULL) <
        0) /* it is there, and the time is one */
        abort();
    loop->wake_us = first->due_us;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;

    UNUSED(fd);
    UNUSED(what);
    event_active(loop->fire, EV_TIMEOUT, 0);
}

/* What is set meanwhile waits for the next turn, even if it is due. */
static void on_fire(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    int64_t now_us = loop_now_us();
    uint32_t left = loop->set.count;
    struct loop_timer *timer;

    UNUSED(fd);
    UNUSED(what);
    loop->is_firing = true;
    while (left-- > 0 && !event_base_got_break(loop->base) && (timer = first_of(loop)) &&
           timer->due_us <= now_us) {
        heap_remove(&loop->set, timer->slot);
        timer->fn(timer->ctx);
    }
    loop->is_firing = false;
    loop->wake_us = INT64_MAX;
    wake_in_time(loop);
}

bool loop_timers_init(struct loop *loop)
{
    heap_init(&loop->set, due_of, place_of, loop);
    loop->wake_us = INT64_MAX;
    loop->wake_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->wake_fd < 0)
        return false;
    /* By its edge, so that it need not be read. */
    loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST | EV_ET, on_wake, loop);
    loop->fire = event_new(loop->base, -1, 0, on_fire, loop);
    if (!loop->fire || !loop->wake || event_add(loop->wake, NULL) < 0)
        mem_fail();
    return true;
}

void loop_timers_clear(struct loop *loop)
{
    if (loop->wake)
        event_free(loop->wake);
    if (loop->fire)
        event_free(loop->fire);
    if (loop->wake_fd >= 0)
        (void)close(loop->wake_fd); /* nothing is kept in it */
    heap_clear(&loop->set);
    free((void *)loop->timers);
}

static uint32_t take_slot(struct loop *loop)
{
    uint32_t slot = 0;

    while (slot < loop->timer_cap && loop->timers[slot])
        slot++;
    if (slot == loop->timer_cap) {
        loop->timer_cap = slot ? 2 * slot : FIRST_SLOTS;
        loop->timers = mem_resize((void *)loop->timers, loop->timer_cap, sizeof(struct loop_timer *));
        for (uint32_t i = slot; i < loop->timer_cap; i++)
            loop->timers[i] = NULL;
    }
    return slot;
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *ctx)
{
    struct loop_timer *timer = mem_new(1, sizeof(*timer));

    *timer = (struct loop_timer){loop, fn, ctx, .slot = take_slot(loop), .place = HEAP_NONE};
    loop->timers[timer->slot] = timer;
    return timer;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    heap_remove(&timer->loop->set, timer->slot);
    timer->loop->timers[timer->slot] = NULL;
    free(timer);
}

static void set_timer(struct loop_timer *timer, int64_t due_us)
{
    timer->due_us = due_us;
    heap_put(&timer->loop->set, timer->slot);
    wake_in_time(timer->loop);
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
    int64_t delay_us = delay_ms <= 0 ? 0 : (delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS) * 1000;

    set_timer(timer, loop_now_us() + delay_us);
}

int64_t loop_timer_set_aligned(struct loop_timer *timer, int64_t delay_ms, int64_t grain_ms)
{
    int64_t now_us = loop_now_us(), grain_us = grain_ms * 1000;
    int64_t due_us = (now_us + delay_ms * 1000) / grain_us * grain_us;

    set_timer(timer, due_us > now_us ? due_us : due_us + grain_us);
    return timer->due_us;
}

void loop_timer_stop(struct loop_timer *timer)
{
    heap_remove(&timer->loop->set, timer->slot);
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
    return timer->place != HEAP_NONE;
}
