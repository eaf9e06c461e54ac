/* SplitMix64: a counter through a mixing function, so any seed is a good one. */
#include "rng.h"

#include <math.h>

#define GOLDEN    0x9e3779b97f4a7c15u
#define LOG_SIGMA 0.6

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void rng_init(struct rng *rng, uint64_t seed, uint64_t purpose)
{
    rng->state = mix(mix(seed + GOLDEN) ^ (purpose * GOLDEN));
}

uint64_t rng_next(struct rng *rng)
{
    rng->state += GOLDEN;
    return mix(rng->state);
}

uint32_t rng_below(struct rng *rng, uint32_t count)
{
    return (uint32_t)(((rng_next(rng) >> 32) * count) >> 32);
}

double rng_unit(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

bool rng_chance(struct rng *rng, double share)
{
    return rng_unit(rng) < share;
}

double rng_normal(struct rng *rng)
{
    double radius = sqrt(-2 * log(1 - rng_unit(rng)));

    return radius * cos(2 * M_PI * rng_unit(rng));
}

double rng_exponential(struct rng *rng, double mean)
{
    return -mean * log(1 - rng_unit(rng));
}

double rng_lognormal(struct rng *rng, double mean)
{
    return mean * exp(LOG_SIGMA * rng_normal(rng) - LOG_SIGMA * LOG_SIGMA / 2);
}
