/* The newest ids of a metric family that is labelled by id, with a value each (SPEC §9.1, §9.3): bounded in
 * number and in age.
 *
 * Invariants: the items in use are in one list, oldest first; every item that was put, and none that was
 * added, is in the map. Adding is a copy; the items are allocated by recent_init and recent_resize alone. */
#pragma once

#include "core/ident.h"
#include "util/map.h"
#include <stddef.h>
#include <stdint.h>

struct recent_item {
    struct ident id;
    uint16_t label; /* a number of the user's: the action or the status */
    bool was_put;
    uint32_t prev, next;
    int64_t at_ms;
    double value;
};

struct recent {
    struct recent_item *items;
    uint32_t capacity, count;
    uint32_t oldest, newest;
    struct map map;
    int64_t ttl_ms;
    uint64_t evicted; /* ids that left for the bound on number while still young */
};

/* Room for CAPACITY ids (0: nothing is ever kept), shown for TTL_MS each. R must not be moved afterwards. */
void recent_init(struct recent *r, uint32_t capacity, int64_t ttl_ms);
void recent_clear(struct recent *r);
/* Another bound: keeps the newest that fit, and the number of the evicted. */
void recent_resize(struct recent *r, uint32_t capacity, int64_t ttl_ms);

/* Adds ID (at most IDENT_MAX bytes, copied) as the newest, without looking whether it is there already: for
 * ids that come once. recent_each shows the newest of the same id. */
void recent_add(struct recent *r, struct slice id, uint16_t label, double value, int64_t now_ms);
/* Finds what was put for ID, replaces its label, value and time and makes it the newest, or adds it: for ids
 * that come again and again. */
void recent_put(struct recent *r, struct slice id, uint16_t label, double value, int64_t now_ms);

/* Calls FN for each id (with its label) that is not older than ttl_ms, each pair of id and label once, newest
 * first. ITEM is borrowed. FN must not change R. */
void recent_each(const struct recent *r, int64_t now_ms,
                 void (*fn)(void *ctx, const struct recent_item *item), void *ctx);
