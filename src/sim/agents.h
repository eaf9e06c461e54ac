/* The agents: one beside each instance, reporting its state and numbers, and obeying commands (SPEC §5.1,
 * §7.2). Here: the fleet as a whole, and what happens to it whatever it is told: silences, the doomed, the
 * outage of a broker. */
#pragma once

#include "spoiler.h"

struct agent;
struct late_task;

struct agents {
    struct sim *sim;
    struct spoiler *spoiler;
    struct agent *all;
    uint32_t count;
    struct late_task *late; /* a list: obedience.c's */
    uint32_t late_count;
};

void agents_init(struct agents *agents, struct sim *sim, struct spoiler *spoiler);
void agents_clear(struct agents *agents);
void agents_start(struct agents *agents);
