/* Producers of signals: at random times around the rate that was asked for, some twice, some after their
 * result. */
#pragma once

#include "answers.h"
#include "pacer.h"

struct producer {
    struct sim *sim;
    struct signals *signals;
    struct answers *answers;
    struct spoiler *spoiler;
    struct rng rng;
    struct pacer pacer;
    uint64_t made;
    size_t pending; /* signals and duplicates that were begun and are not confirmed yet */
};

void producer_init(struct producer *producer, struct sim *sim, struct signals *signals,
                   struct answers *answers, struct spoiler *spoiler);
void producer_start(struct producer *producer);
/* It has made as many as it was asked for. */
bool producer_is_done(const struct producer *producer);
