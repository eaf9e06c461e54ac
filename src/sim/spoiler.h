/* Entries that have to be rejected, many kinds of them for each stream. */
#pragma once

#include "sim.h"

struct spoiler {
    struct sim *sim;
    struct rng rng;
    uint64_t count;
};

void spoiler_init(struct spoiler *spoiler, struct sim *sim);
/* With the share that was asked for: writes one bad entry to STREAM. */
void spoiler_maybe_add(struct spoiler *spoiler, enum stream_kind stream);
