/* Trades: each goes from pending over executing to executed and closed, or fails, with an update at every
 * step. */
#pragma once

#include "pacer.h"
#include "spoiler.h"

struct trader {
    struct sim *sim;
    struct spoiler *spoiler;
    struct rng rng;
    struct pacer pacer;
    uint64_t made;
};

void trader_init(struct trader *trader, struct sim *sim, struct spoiler *spoiler);
void trader_start(struct trader *trader);
