/* How many open trades name which instance, known to the fleet or not (SPEC §5.3).
 *
 * Counted by id, so that an instance that registers after its trades finds its number here. Invariants: an
 * entry is in the map exactly while its count is above 0; so there are never more of them than open trades.
 */
#pragma once

#include "core/ident.h"
#include "util/map.h"

struct trade_tally_entry {
    struct ident instance_id;
    uint32_t open;
    uint32_t next_free;
};

struct trade_tally {
    struct trade_tally_entry *slots;
    uint32_t slot_count, slot_cap, free_head;
    struct map map;
};

/* The tally must not be moved afterwards. */
void trade_tally_init(struct trade_tally *tally, struct hash_key key);
void trade_tally_clear(struct trade_tally *tally);
/* Forgets every count, keeps the memory. */
void trade_tally_reset(struct trade_tally *tally);

/* One open trade more, or less, for INSTANCE_ID. Returns the count that it has now. An id without open trades
 * is not to be taken from; the empty id is not counted and gives 0. */
uint32_t trade_tally_add(struct trade_tally *tally, struct slice instance_id);
uint32_t trade_tally_take(struct trade_tally *tally, struct slice instance_id);
/* 0 for an id that no open trade names. */
uint32_t trade_tally_get(const struct trade_tally *tally, struct slice instance_id);
