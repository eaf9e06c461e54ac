/* What the parts of the simulator share. Everything runs on one loop: calls from the agenda, and answers from
 * Redis. */
#pragma once

#include "account.h"
#include "agenda.h"
#include "options.h"
#include "rng.h"
#include "writer.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;

enum sim_phase {
    SIM_RUNNING,
    SIM_DRAINING, /* nothing new is produced; executors finish what is there */
    SIM_CLOSING,  /* nothing new is written; what waits goes out */
};

struct sim {
    const struct options *options;
    struct loop *loop;
    struct agenda agenda;
    struct writer *writer;
    struct account account;
    enum sim_phase phase;
    int64_t now_ms; /* monotonic, of this round */
    char run_id[25];
};

/* Purposes of random sequences; those that have many add a number to the last ones. */
#define RNG_PRODUCER 1
#define RNG_TRADER   2
#define RNG_SPOILER  3
#define RNG_SHUFFLE  4
#define RNG_COMMAND  5
#define RNG_AGENT    0x100000000u
#define RNG_SIGNAL   0x200000000u
#define RNG_FOREIGN  0x300000000u
#define RNG_VITALS   0x400000000u
#define RNG_TROUBLE  0x500000000u
#define RNG_OUTAGE   0x600000000u

/* In whole milliseconds, at least 1. */
static inline int64_t sim_ms(double ms)
{
    return ms < 1 ? 1 : (int64_t)(ms + 0.5);
}
