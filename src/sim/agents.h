/* The agents: one beside each instance, reporting its state and numbers, and obeying commands (SPEC §5.1,
 * §7.2). */
#pragma once

#include "spoiler.h"

struct agent;

struct agents {
    struct sim *sim;
    struct spoiler *spoiler;
    struct agent *all;
    uint32_t count;
};

/* A command as it is read; borrowed. */
struct agent_command {
    struct slice command_id, command, cancels;
    bool is_expired;
};

void agents_init(struct agents *agents, struct sim *sim, struct spoiler *spoiler);
void agents_clear(struct agents *agents);
void agents_start(struct agents *agents);
/* Command for agent NUMBER (from 1). A silent agent does not see it; one that has been done or has expired is
 * ignored. */
void agents_obey(struct agents *agents, uint32_t number, const struct agent_command *command);
