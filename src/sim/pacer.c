/* Several calls may fall into one millisecond: the microseconds are carried on from one to the next. */
#include "pacer.h"

#define CATCH_UP_MS 1000

static void on_due(void *ctx, uint64_t carried_us, int64_t due_ms)
{
    struct pacer *pacer = ctx;
    struct sim *sim = pacer->sim;
    double next_us;

    if (sim->phase != SIM_RUNNING)
        return;
    if (!writer_is_full(sim->writer))
        pacer->fn(pacer->ctx);
    if (due_ms < sim->now_ms - CATCH_UP_MS)
        due_ms = sim->now_ms;
    next_us = (double)carried_us + rng_exponential(pacer->rng, 1e6 / pacer->per_sec);
    agenda_add(&sim->agenda, due_ms + (int64_t)(next_us / 1000), on_due, pacer, (uint64_t)next_us % 1000);
}

void pacer_start(struct pacer *pacer)
{
    if (pacer->per_sec > 0)
        agenda_add(&pacer->sim->agenda, pacer->sim->now_ms, on_due, pacer, 0);
}
