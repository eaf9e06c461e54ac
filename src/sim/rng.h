/* The simulator's own random numbers: the same seed gives the same fleet, signals and troubles. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

/* Different PURPOSEs under one SEED give sequences that have nothing to do with each other. */
void rng_init(struct rng *rng, uint64_t seed, uint64_t purpose);
uint64_t rng_next(struct rng *rng);
/* 0 to COUNT - 1; COUNT is above 0. */
uint32_t rng_below(struct rng *rng, uint32_t count);
/* From 0 to just below 1. */
double rng_unit(struct rng *rng);
bool rng_chance(struct rng *rng, double share);
double rng_normal(struct rng *rng);
/* Waiting times: above 0, with this mean. */
double rng_exponential(struct rng *rng, double mean);
/* Latencies: mostly around the mean, now and then several times that. */
double rng_lognormal(struct rng *rng, double mean);
