/* What agents make of commands (SPEC §7.2): they obey each once, unless they are told to misbehave. */
#pragma once

#include "agents.h"
#include "util/slice.h"

/* A command as it is read; borrowed. TARGET_NUMBER: 0 for an instance of others. */
struct agent_command {
    struct slice command_id, command, cancels, target;
    uint32_t target_number;
    bool is_expired;
};

/* Command for agent NUMBER (from 1). A silent agent does not see it; one that has been done or has expired is
 * ignored. */
void agents_obey(struct agents *agents, uint32_t number, const struct agent_command *command);
/* Forgets the commands that were put off. */
void obedience_clear(struct agents *agents);
