/* A hash map from text to the index of an object that its user keeps in an array of his own. The key text
 * stays in the object: the map asks for it through key_of. Open addressing with linear probing, removal by
 * shifting back (no tombstones), at most 3/4 full, 8 bytes a slot, doubled as it grows: then the entries move
 * to the new slots a few at a time, so no call takes long. Nothing is allocated per entry. */
#pragma once

#include "util/hash.h"
#include "util/slice.h"
#include <stdint.h>

#define MAP_NONE UINT32_MAX

struct map_slot;

struct map {
    struct map_slot *slots;
    uint32_t mask; /* slots - 1; 0 while nothing is allocated */
    uint32_t count;
    struct map_slot *old;     /* those that entries move out of; NULL at nearly all times */
    uint32_t old_mask, moved; /* slots - 1; how many of them are empty for good */
    struct hash_key key;
    struct slice (*key_of)(const void *owner, uint32_t index);
    const void *owner;
};

/* KEY_OF gives the key of the object at an index; OWNER is handed to it. */
void map_init(struct map *m, struct hash_key key, struct slice (*key_of)(const void *owner, uint32_t index),
              const void *owner);
void map_clear(struct map *m);
/* Forgets every entry, keeps the memory. */
void map_reset(struct map *m);

/* Gives memory back, bit by bit as entries come and go, where next to none of it is used any more. For
 * whoever removes many. */
void map_shrink(struct map *m);

/* What its slots need. */
size_t map_bytes(const struct map *m);

/* The hash of a key in this map, to be computed once for several calls below. */
uint64_t map_hash(const struct map *m, struct slice key);

/* The index stored for KEY, or MAP_NONE. */
uint32_t map_find(const struct map *m, struct slice key);
uint32_t map_find_hashed(const struct map *m, struct slice key, uint64_t hash);

/* Adds INDEX; its key must be readable through key_of and must not be in the map. */
void map_insert(struct map *m, uint32_t index);
void map_insert_hashed(struct map *m, uint32_t index, uint64_t hash);

/* Removes the entry whose value is INDEX, whose key must still be readable; false where it is not there. */
bool map_remove(struct map *m, uint32_t index);
