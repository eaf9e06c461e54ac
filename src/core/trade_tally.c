/* The tally's entries lie in a slab; free ones are chained through next_free. */
#include "core/trade_tally.h"

#include "util/alloc.h"
#include <assert.h>
#include <stdlib.h>

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct trade_tally *tally = owner;

    return ident_slice(&tally->slots[index].instance_id);
}

void trade_tally_init(struct trade_tally *tally, struct hash_key key)
{
    *tally = (struct trade_tally){.free_head = MAP_NONE};
    map_init(&tally->map, key, key_of, tally);
}

void trade_tally_clear(struct trade_tally *tally)
{
    map_clear(&tally->map);
    free(tally->slots);
    *tally = (struct trade_tally){.free_head = MAP_NONE};
}

void trade_tally_reset(struct trade_tally *tally)
{
    map_reset(&tally->map);
    tally->slot_count = 0;
    tally->free_head = MAP_NONE;
}

static uint32_t take_slot(struct trade_tally *tally)
{
    uint32_t index = tally->free_head;

    if (index != MAP_NONE) {
        tally->free_head = tally->slots[index].next_free;
        return index;
    }
    if (tally->slot_count == tally->slot_cap) {
        tally->slot_cap = tally->slot_cap ? tally->slot_cap * 2 : 16;
        tally->slots = mem_resize(tally->slots, tally->slot_cap, sizeof(*tally->slots));
    }
    return tally->slot_count++;
}

uint32_t trade_tally_add(struct trade_tally *tally, struct slice instance_id)
{
    uint32_t index;

    if (instance_id.len == 0)
        return 0;
    index = map_find(&tally->map, instance_id);
    if (index == MAP_NONE) {
        index = take_slot(tally);
        tally->slots[index] = (struct trade_tally_entry){.next_free = MAP_NONE};
        ident_set(&tally->slots[index].instance_id, instance_id);
        map_insert(&tally->map, index);
    }
    return ++tally->slots[index].open;
}

uint32_t trade_tally_take(struct trade_tally *tally, struct slice instance_id)
{
    uint32_t index;

    if (instance_id.len == 0)
        return 0;
    index = map_find(&tally->map, instance_id);
    assert(index != MAP_NONE);
    if (--tally->slots[index].open > 0)
        return tally->slots[index].open;
    (void)map_remove(&tally->map, index); /* it was found just now */
    tally->slots[index].next_free = tally->free_head;
    tally->free_head = index;
    return 0;
}

uint32_t trade_tally_get(const struct trade_tally *tally, struct slice instance_id)
{
    uint32_t index = map_find(&tally->map, instance_id);

    return index == MAP_NONE ? 0 : tally->slots[index].open;
}
