/* The slots of the map. A slot keeps the 32 low bits of its key's hash, and its home is found from those
 * alone: so neither growing nor shifting back ever asks for a key. Invariant: from the home of each entry to
 * the slot where it lies there is no empty slot. */
#include "util/map.h"

#include "util/alloc.h"
#include <assert.h>
#include <stdlib.h>

#define MAP_FIRST_SLOTS 16

struct map_slot {
    uint32_t tag;
    uint32_t index; /* MAP_NONE where the slot is empty */
};

static size_t slot_count(const struct map *m)
{
    return m->slots ? (size_t)m->mask + 1 : 0;
}

static void empty_slots(struct map_slot *slots, size_t count)
{
    for (size_t i = 0; i < count; i++)
        slots[i] = (struct map_slot){0, MAP_NONE};
}

static void put(struct map *m, struct map_slot entry)
{
    uint32_t at = entry.tag & m->mask;

    while (m->slots[at].index != MAP_NONE)
        at = (at + 1) & m->mask;
    m->slots[at] = entry;
}

static void grow(struct map *m)
{
    struct map_slot *old = m->slots;
    size_t old_count = slot_count(m);
    size_t count = old ? old_count * 2 : MAP_FIRST_SLOTS;

    assert(count - 1 <= UINT32_MAX);
    m->slots = mem_resize(NULL, count, sizeof(*m->slots));
    m->mask = (uint32_t)(count - 1);
    empty_slots(m->slots, count);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].index != MAP_NONE)
            put(m, old[i]);
    }
    free(old);
}

void map_init(struct map *m, struct hash_key key, struct slice (*key_of)(const void *owner, uint32_t index),
              const void *owner)
{
    *m = (struct map){.key = key, .key_of = key_of, .owner = owner};
}

void map_clear(struct map *m)
{
    free(m->slots);
    m->slots = NULL;
    m->mask = 0;
    m->count = 0;
}

size_t map_bytes(const struct map *m)
{
    return m->slots ? ((size_t)m->mask + 1) * sizeof(*m->slots) : 0;
}

void map_reset(struct map *m)
{
    empty_slots(m->slots, slot_count(m));
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

uint32_t map_find_hashed(const struct map *m, struct slice key, uint64_t hash)
{
    uint32_t tag = (uint32_t)hash;

    if (m->count == 0)
        return MAP_NONE;
    for (uint32_t at = tag & m->mask; m->slots[at].index != MAP_NONE; at = (at + 1) & m->mask) {
        const struct map_slot *slot = &m->slots[at];

        if (slot->tag == tag && slice_equal(m->key_of(m->owner, slot->index), key))
            return slot->index;
    }
    return MAP_NONE;
}

void map_insert(struct map *m, uint32_t index)
{
    map_insert_hashed(m, index, map_hash(m, m->key_of(m->owner, index)));
}

void map_insert_hashed(struct map *m, uint32_t index, uint64_t hash)
{
    assert(index != MAP_NONE);
    if ((uint64_t)m->count + 1 > slot_count(m) / 4 * 3)
        grow(m);
    put(m, (struct map_slot){(uint32_t)hash, index});
    m->count++;
}

/* Fills the HOLE with the next entry that may lie there, then the hole which that one left, and so on. */
static void close_hole(struct map *m, uint32_t hole)
{
    for (uint32_t at = (hole + 1) & m->mask; m->slots[at].index != MAP_NONE; at = (at + 1) & m->mask) {
        uint32_t from_home = (at - m->slots[at].tag) & m->mask;
        uint32_t from_hole = (at - hole) & m->mask;

        if (from_home >= from_hole) {
            m->slots[hole] = m->slots[at];
            hole = at;
        }
    }
    m->slots[hole].index = MAP_NONE;
}

bool map_remove(struct map *m, uint32_t index)
{
    uint32_t at;

    if (m->count == 0)
        return false;
    at = (uint32_t)map_hash(m, m->key_of(m->owner, index)) & m->mask;
    while (m->slots[at].index != index) {
        if (m->slots[at].index == MAP_NONE)
            return false;
        at = (at + 1) & m->mask;
    }
    close_hole(m, at);
    m->count--;
    return true;
}
