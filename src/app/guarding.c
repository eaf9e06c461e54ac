#include "app/guarding.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"

#define LOOK_LEAST_MS 5

static void on_timer(void *ctx);

static void on_look(void *ctx)
{
    struct guarding *g = ctx;
    int64_t ms = g->guard.options.stall_ms / 8;
    guarding_look(g);
    if (ms >= LOOP_GRAIN_MS)
        (void)loop_timer_set_aligned(g->look_timer, LOOP_GRAIN_MS, LOOP_GRAIN_MS);
    else
        loop_timer_set(g->look_timer, ms > LOOK_LEAST_MS ? ms : LOOK_LEAST_MS);
}

void guarding_init(struct guarding *g, struct daemon *d)
{
    *g = (struct guarding){.d = d};
    guarding_configure(g);
    g->timer = loop_timer_new(d->loop, on_timer, g);
    g->look_timer = loop_timer_new(d->loop, on_look, g);
    loop_timer_set(g->look_timer, 0);
}

void guarding_clear(struct guarding *g)
{
    loop_timer_free(g->timer);
    loop_timer_free(g->look_timer);
}

void guarding_configure(struct guarding *g)
{
    const struct config *config = g->d->config;
    if (g->look_timer) {
        guarding_look(g); /* what has passed so far is judged as it was */
        loop_timer_set(g->look_timer, 0);
    }
    g->guard.options =
        (struct guard_options){.stall_ms = config->guard.stall_ms, .hold_ms = config->guard.hold_ms};
}

bool guarding_is_active(const struct guarding *g)
{
    return guard_is_active(&g->guard, loop_now_ms());
}

int64_t guarding_ask_ms(const struct guarding *g)
{
    int64_t ms = g->guard.options.stall_ms / 4;
    return ms > 50 ? ms : 50;
}

/* Results that were missed say nothing about signals either. */
static void hold_signals(struct daemon *d, int64_t ms)
{
    const struct daemon *signals = daemon_of(d, LAYER_RTSS);
    if (signals == d || daemon_serves(d, LAYER_RTRS))
        ledger_hold(signals->ledger, daemon_now_ms(signals) + ms);
}

/* The guard has tripped, now or again. GRACE_MS: how long signals are let live, at the least. */
static void take_hold(struct guarding *g, int64_t grace_ms)
{
    struct daemon *d = g->d;
    int64_t now_ms = daemon_now_ms(d), left_ms = g->guard.until_ms - loop_now_ms();
    if (!guarding_is_active(g)) {
        fleet_excuse_silence(&d->fleet, now_ms);
        return;
    }
    watch_hold(&d->fleet, now_ms);
    hold_signals(d, left_ms > grace_ms ? left_ms : grace_ms);
    loop_timer_set(g->timer, left_ms);
    if (!g->is_told)
        LOG(d->log, WARN, "guard: nothing is judged for a while",
            log_text("cause", guard_cause_name(g->guard.cause)), log_int("ms", left_ms), log_layers(d));
    g->is_told = true;
}

static void trip(struct guarding *g, enum guard_cause cause, int64_t grace_ms)
{
    guard_trip(&g->guard, cause, loop_now_ms());
    take_hold(g, grace_ms);
}

static void on_timer(void *ctx)
{
    struct guarding *g = ctx;
    struct daemon *d = g->d;
    if (!redis_link_is_up(d->link)) /* it is away still */
        trip(g, GUARD_REDIS_AWAY, 0);
    if (guarding_is_active(g)) {
        loop_timer_set(g->timer, g->guard.until_ms - loop_now_ms());
        return;
    }
    g->is_told = false;
    watch_release(&d->fleet, daemon_now_ms(d));
    LOG(d->log, INFO, "guard: judging again", log_text("cause", guard_cause_name(g->guard.cause)),
        log_layers(d));
    ingest_wake(&d->ingest);
}

/* Asked each quarter of stall_ms, so one that is away for that long shows in three quarters of it. */
static bool is_overdue(const struct guarding *g, int64_t roundtrip_ms)
{
    return 4 * roundtrip_ms >= 3 * g->guard.options.stall_ms && roundtrip_ms > guarding_ask_ms(g);
}

void guarding_look(struct guarding *g)
{
    int64_t now_ms = loop_now_ms(), waiting_ms = lead_waiting_ms(&g->d->lead);
    if (guard_look(&g->guard, now_ms, loop_wall_ms()))
        take_hold(g, 0);
    /* Where Redis comes back, another link may be answered first, and all that is silent would be judged. */
    if (is_overdue(g, waiting_ms) && now_ms - g->overdue_ms >= guarding_ask_ms(g)) {
        g->overdue_ms = now_ms;
        trip(g, GUARD_REDIS_AWAY, 0);
    }
}

void guarding_look_at(struct guarding *g, int64_t mono_ms)
{
    if (mono_ms != g->guard.tick_ms)
        guarding_look(g);
}

void guarding_redis_was_away(struct guarding *g)
{
    trip(g, GUARD_REDIS_AWAY, 0);
}

void guarding_note_roundtrip(struct guarding *g, int64_t roundtrip_ms)
{
    if (is_overdue(g, roundtrip_ms))
        trip(g, GUARD_REDIS_AWAY, 0);
}

void guarding_note_jump(struct guarding *g, int64_t delta_ms)
{
    struct daemon *d = g->d;
    if (delta_ms < g->guard.options.stall_ms && -delta_ms < g->guard.options.stall_ms)
        return;
    LOG(d->log, WARN, "the clock of redis has jumped", log_int("ms", delta_ms), log_layers(d));
    fleet_shift_times(&d->fleet, delta_ms);
    trip(g, GUARD_CLOCK_JUMP, d->config->signals.ttl_ms);
}
