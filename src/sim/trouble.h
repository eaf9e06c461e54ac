/* Trouble of a running instance: one of its numbers goes beyond what the default rules allow (SPEC §6.1) and
 * stays there until the command that helps, a restart, or the end of its time. */
#pragma once

#include "rng.h"

enum trouble { TROUBLE_CPU, TROUBLE_MEMORY, TROUBLE_LATENCY, TROUBLE_QUEUE, TROUBLE_LOAD, TROUBLE_SOCKET };
#define TROUBLES 6

struct agent;

/* Of one kind, in one agent. */
struct trouble_state {
    struct rng rng;
    uint32_t episode; /* so many have begun */
    bool is_on;
};

const char *trouble_name(enum trouble trouble);

void troubles_init(struct agent *agent);
/* From now on, at random times. */
void troubles_start(struct agent *agent);
/* Ends what COMMAND helps against. */
void troubles_cure(struct agent *agent, const char *command);
/* The instance has started anew. */
void troubles_cure_all(struct agent *agent);
