/* What the simulator has to do at which time: a heap of calls. Calls due at the same time come in the order
 * in which they were added. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* DUE_MS is the time that was asked for, which has passed by now. */
typedef void (*agenda_fn)(void *ctx, uint64_t arg, int64_t due_ms);

struct agenda_item;

struct agenda {
    struct agenda_item *items;
    size_t count, cap;
    uint64_t added;
};

void agenda_clear(struct agenda *agenda);
void agenda_add(struct agenda *agenda, int64_t due_ms, agenda_fn fn, void *ctx, uint64_t arg);
/* Makes every call that is due at NOW_MS, those included that are added meanwhile, but no more than MAX. */
void agenda_run(struct agenda *agenda, int64_t now_ms, size_t max);
/* When the next call is due; INT64_MAX for never. */
int64_t agenda_next(const struct agenda *agenda);
