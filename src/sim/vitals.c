#include "vitals.h"

#include "sim.h"
#include <math.h>

#define BALANCE_SHARE 0.1 /* how fast the numbers go back to their mean, per step */
#define QUEUE_SHARE   0.3 /* how fast a throttled queue falls to a quarter of its mean */

static const struct {
    const char *field;
    int decimals;
} columns[VITALS] = {
    [VITAL_CPU] = {"cpu_usage", 2},
    [VITAL_MEMORY] = {"memory_usage", 2},
    [VITAL_NETWORK] = {"network_usage", 2},
    [VITAL_LATENCY] = {"network_latency", 2},
    [VITAL_QUEUE] = {"queue_length", 0},
    [VITAL_LOAD] = {"load_average", 2},
    [VITAL_SOCKETS] = {"socket_connections", 0},
};

void vitals_init(struct vitals *vitals, uint64_t seed, uint32_t number)
{
    struct walk *walk = vitals->walk;
    double busy;

    rng_init(&vitals->rng, seed, RNG_VITALS + number);
    busy = rng_unit(&vitals->rng);
    vitals->memory_limit_mb = 2048;
    vitals->disk_mb = 3000 + 4000 * rng_unit(&vitals->rng);
    walk[VITAL_CPU] = (struct walk){.mean = 10 + 35 * busy, .step = 3, .max = 100};
    walk[VITAL_MEMORY] = (struct walk){.mean = 400 + 700 * busy, .step = 30, .min = 50, .max = 2048};
    walk[VITAL_NETWORK] = (struct walk){.mean = 50 + 200 * busy, .step = 20, .max = 5000};
    walk[VITAL_LATENCY] =
        (struct walk){.mean = 20 + 60 * rng_unit(&vitals->rng), .step = 8, .min = 1, .max = 2000};
    walk[VITAL_QUEUE] = (struct walk){.mean = 5 + 20 * busy, .step = 4, .max = 1000};
    walk[VITAL_LOAD] = (struct walk){.mean = 0.3 + 0.7 * busy, .step = 0.06, .max = 16};
    walk[VITAL_SOCKETS] = (struct walk){.mean = 2 + number % 3, .max = 16};
    vitals_calm_all(vitals);
}

static double between(double value, double low, double high)
{
    return fmin(fmax(value, low), high);
}

void vitals_walk(struct vitals *vitals, bool throttled)
{
    for (int i = 0; i < VITALS; i++) {
        struct walk *walk = &vitals->walk[i];
        double noise = walk->step * rng_normal(&vitals->rng);

        if (walk->is_held)
            walk->value = between(walk->value + noise, walk->low, walk->high);
        else if (throttled && i == VITAL_QUEUE)
            walk->value -= QUEUE_SHARE * fmax(walk->value - walk->mean / 4, 0);
        else
            walk->value = between(walk->value + BALANCE_SHARE * (walk->mean - walk->value) + noise, walk->min,
                                  walk->max);
    }
    vitals->disk_mb += rng_unit(&vitals->rng) * 0.1;
}

void vitals_hold(struct vitals *vitals, enum vital vital, double low, double high, double at)
{
    struct walk *walk = &vitals->walk[vital];

    walk->is_held = true;
    walk->low = low;
    walk->high = high;
    walk->value = low + (high - low) * at;
}

void vitals_release(struct vitals *vitals, enum vital vital)
{
    vitals->walk[vital].is_held = false;
}

void vitals_calm(struct vitals *vitals, enum vital vital)
{
    struct walk *walk = &vitals->walk[vital];

    if (!walk->is_held)
        walk->value = walk->mean;
}

void vitals_calm_all(struct vitals *vitals)
{
    for (int i = 0; i < VITALS; i++)
        vitals_calm(vitals, (enum vital)i);
}

void vitals_write(const struct vitals *vitals, struct writer *writer)
{
    for (int i = 0; i < VITALS; i++)
        writer_add_number(writer, columns[i].field, vitals->walk[i].value, columns[i].decimals);
}
