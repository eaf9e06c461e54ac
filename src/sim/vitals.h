/* The numbers that an agent reports of its instance: each walks at random around a mean of its own, far from
 * what the default rules of the daemon would fire at. */
#pragma once

#include "rng.h"

enum vital { VITAL_CPU, VITAL_MEMORY, VITAL_NETWORK, VITAL_LATENCY, VITAL_QUEUE, VITAL_LOAD, VITAL_SOCKETS };
#define VITALS 7

struct writer;

struct walk {
    double value, mean, step, min, max;
    bool is_held; /* between low and high, whatever the mean */
    double low, high;
};

struct vitals {
    struct rng rng;
    struct walk walk[VITALS];
    double disk_mb, memory_limit_mb;
};

void vitals_init(struct vitals *vitals, uint64_t seed, uint32_t number);
/* One step of each. Of an agent that is THROTTLED the queue falls. */
void vitals_walk(struct vitals *vitals, bool throttled);

/* From LOW to HIGH, at first AT (0 to 1) of the way. */
void vitals_hold(struct vitals *vitals, enum vital vital, double low, double high, double at);
/* It walks again, from where it is. */
void vitals_release(struct vitals *vitals, enum vital vital);
/* To its mean at once, unless it is held. */
void vitals_calm(struct vitals *vitals, enum vital vital);
void vitals_calm_all(struct vitals *vitals);

/* As fields of a report. */
void vitals_write(const struct vitals *vitals, struct writer *writer);
