/* Calls at random times around a mean rate, until the simulation no longer runs. While the writer is full
 * calls are left out, and so is what could not be done in time for more than a second. */
#pragma once

#include "sim.h"

struct pacer {
    struct sim *sim;
    struct rng *rng;
    double per_sec;
    void (*fn)(void *ctx);
    void *ctx;
};

/* The first call is due at once. PACER and RNG stay the caller's. */
void pacer_start(struct pacer *pacer);
