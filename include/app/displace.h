/* Moving a foreign value out of the way of a key of ours (docs/decisions/0005-foreign-types.md): fenced,
 * logged and counted in one place. */
#pragma once

#include "util/slice.h"
#include <stdbool.h>

struct daemon;

/* MOVED: the key is free, and what it should hold is on its way where it is of a kind that is written back.
 */
typedef void (*displace_fn)(void *ctx, bool moved);

/* Moves KEY, which holds a TYPE that does not belong there, aside. FN (may be NULL) is called once, unless
 * the link dies first. */
void displace(struct daemon *d, struct slice key, struct slice type, displace_fn fn, void *ctx);
