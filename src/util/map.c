/* The slots of the map. A slot keeps the 32 low bits of its key's hash, and its home is found from those
 * alone: so neither moving nor shifting back ever asks for a key. Invariant of a table: from the home of each
 * entry to the slot where it lies there is no empty slot.
 *
 * Where the table becomes too small, or far too large, a new one takes its place. The entries follow a few
 * at a time, with each entry that is added or removed, so that no call takes long: until then an entry lies
 * in either table. The slots of the old one below `moved` are empty. No entry of it has wrapped round any
 * more, and its run is sought from `moved` on where its home lies below that. */
#include "util/map.h"

#include "util/alloc.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MAP_FIRST_SLOTS 16U
#define MAP_MOVE_SLOTS  16U   /* of the old table, looked at with each change */
#define MAP_SMALL_SLOTS 4096U /* a table up to this size is moved at once, and never made smaller */

/* Made smaller where no more than one slot in so many is taken. A new table then becomes a quarter full, and
 * 3/8 where it grows: the old one is empty long before as many again have been added as it has room for. */
#define MAP_SHRINK_FULL 16U
#define MAP_SHRINK_BY   4U

/* Memory that is zero is a table of empty slots: a large one costs nothing until it is used. */
struct map_slot {
    uint32_t tag;
    uint32_t number; /* the complement of the index; 0 where the slot is empty */
};

static uint32_t index_in(const struct map_slot *slot)
{
    return ~slot->number;
}

static size_t slot_count(const struct map *m)
{
    return m->slots ? (size_t)m->mask + 1 : 0;
}

static void put(struct map *m, struct map_slot entry)
{
    uint32_t at = entry.tag & m->mask;

    while (m->slots[at].number != 0)
        at = (at + 1) & m->mask;
    m->slots[at] = entry;
}

/* Fills the HOLE with the next entry that may lie there, then the hole which that one left, and so on. */
static void close_hole(struct map_slot *slots, uint32_t mask, uint32_t hole)
{
    for (uint32_t at = (hole + 1) & mask; slots[at].number != 0; at = (at + 1) & mask) {
        uint32_t from_home = (at - slots[at].tag) & mask;
        uint32_t from_hole = (at - hole) & mask;

        if (from_home >= from_hole) {
            slots[hole] = slots[at];
            hole = at;
        }
    }
    slots[hole].number = 0;
}

static void drop_old(struct map *m)
{
    free(m->old);
    m->old = NULL;
    m->old_mask = m->moved = 0;
}

static void move_next(struct map *m)
{
    struct map_slot *slot = &m->old[m->moved];

    if (slot->number != 0)
        put(m, *slot);
    slot->number = 0;
    if (m->moved == m->old_mask)
        drop_old(m);
    else
        m->moved++;
}

static void move_some(struct map *m, size_t count)
{
    for (; m->old && count > 0; count--)
        move_next(m);
}

/* What has wrapped round is part of the first run. */
static void move_first_run(struct map *m)
{
    while (m->old && m->old[m->moved].number != 0)
        move_next(m);
}

static void move_all(struct map *m)
{
    move_some(m, SIZE_MAX);
}

static void begin_moving(struct map *m, size_t count)
{
    assert(count - 1 <= UINT32_MAX);
    move_all(m);
    m->old = m->slots;
    m->old_mask = m->mask;
    m->slots = mem_new(count, sizeof(*m->slots));
    m->mask = (uint32_t)(count - 1);
    if (m->old_mask < MAP_SMALL_SLOTS)
        move_all(m);
    else
        move_first_run(m);
}

void map_init(struct map *m, struct hash_key key, struct slice (*key_of)(const void *owner, uint32_t index),
              const void *owner)
{
    *m = (struct map){.key = key, .key_of = key_of, .owner = owner};
}

void map_clear(struct map *m)
{
    drop_old(m);
    free(m->slots);
    m->slots = NULL;
    m->mask = 0;
    m->count = 0;
}

size_t map_bytes(const struct map *m)
{
    return (slot_count(m) + (m->old ? (size_t)m->old_mask + 1 : 0)) * sizeof(*m->slots);
}

void map_reset(struct map *m)
{
    drop_old(m);
    if (m->count > 0)
        memset(m->slots, 0, slot_count(m) * sizeof(*m->slots));
    m->count = 0;
}

uint64_t map_hash(const struct map *m, struct slice key)
{
    return hash_bytes(m->key, key.data, key.len);
}

uint32_t map_find(const struct map *m, struct slice key)
{
    return m->count > 0 ? map_find_hashed(m, key, map_hash(m, key)) : MAP_NONE;
}

/* Where the run of a home begins in the old table. */
static uint32_t old_home(const struct map *m, uint32_t tag)
{
    uint32_t home = tag & m->old_mask;

    return home < m->moved ? m->moved : home;
}

static uint32_t find_in_old(const struct map *m, struct slice key, uint32_t tag)
{
    for (uint32_t at = old_home(m, tag); m->old[at].number != 0; at = (at + 1) & m->old_mask) {
        if (m->old[at].tag == tag && slice_equal(m->key_of(m->owner, index_in(&m->old[at])), key))
            return index_in(&m->old[at]);
    }
    return MAP_NONE;
}

uint32_t map_find_hashed(const struct map *m, struct slice key, uint64_t hash)
{
    uint32_t tag = (uint32_t)hash;

    if (m->count == 0)
        return MAP_NONE;
    for (uint32_t at = tag & m->mask; m->slots[at].number != 0; at = (at + 1) & m->mask) {
        const struct map_slot *slot = &m->slots[at];

        if (slot->tag == tag && slice_equal(m->key_of(m->owner, index_in(slot)), key))
            return index_in(slot);
    }
    return m->old ? find_in_old(m, key, tag) : MAP_NONE;
}

void map_insert(struct map *m, uint32_t index)
{
    map_insert_hashed(m, index, map_hash(m, m->key_of(m->owner, index)));
}

void map_insert_hashed(struct map *m, uint32_t index, uint64_t hash)
{
    assert(index != MAP_NONE);
    if ((uint64_t)m->count + 1 > slot_count(m) / 4 * 3)
        begin_moving(m, m->slots ? slot_count(m) * 2 : MAP_FIRST_SLOTS);
    put(m, (struct map_slot){(uint32_t)hash, ~index});
    m->count++;
    if (m->old)
        move_some(m, MAP_MOVE_SLOTS);
}

static bool remove_from(struct map_slot *slots, uint32_t mask, uint32_t at, uint32_t index)
{
    for (; slots[at].number != ~index; at = (at + 1) & mask) {
        if (slots[at].number == 0)
            return false;
    }
    close_hole(slots, mask, at);
    return true;
}

bool map_remove(struct map *m, uint32_t index)
{
    uint32_t tag;

    if (m->count == 0)
        return false;
    tag = (uint32_t)map_hash(m, m->key_of(m->owner, index));
    if (!remove_from(m->slots, m->mask, tag & m->mask, index) &&
        (!m->old || !remove_from(m->old, m->old_mask, old_home(m, tag), index)))
        return false;
    m->count--;
    if (m->old)
        move_some(m, MAP_MOVE_SLOTS);
    return true;
}

void map_shrink(struct map *m)
{
    if (!m->old && slot_count(m) > MAP_SMALL_SLOTS && m->count <= slot_count(m) / MAP_SHRINK_FULL)
        begin_moving(m, slot_count(m) / MAP_SHRINK_BY);
}
