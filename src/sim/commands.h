/* Reads the stream of commands on a link of its own, from the end that it has when the simulator starts, and
 * hands each to its agent. */
#pragma once

#include "obedience.h"

struct loop;
struct redis_link_options;
struct commands;

/* ON_PROGRESS is called behind each read. */
struct commands *commands_new(struct sim *sim, struct agents *agents, struct loop *loop,
                              const struct redis_link_options *link, void (*on_progress)(void *ctx),
                              void *ctx);
/* The end of the stream has been found: whatever is commanded from now on is read. */
bool commands_are_placed(const struct commands *commands);
void commands_free(struct commands *commands);
