/* A record is a byte of length, a byte of tag, the payload and the id, padded to UNIT bytes. Its index is the
 * number of its block, modulo BLOCKS_MAX, and the unit within the block. */
#include "id_log.h"

#include "util/alloc.h"
#include <assert.h>
#include <stdlib.h>

#define UNIT        4U
#define UNIT_BITS   14
#define BLOCK_UNITS (1U << UNIT_BITS)
#define BLOCK_BYTES (BLOCK_UNITS * UNIT)
#define BLOCKS_MAX  (1U << (32 - UNIT_BITS))
#define HEAD_BYTES  2U
#define RECORD_MAX  128U

struct id_block {
    uint32_t used; /* bytes */
    unsigned char bytes[BLOCK_BYTES];
};

static struct id_block *block_at(const struct id_log *log, uint32_t number)
{
    return log->blocks[number & (log->block_cap - 1)];
}

static const unsigned char *record_at(const struct id_log *log, uint32_t index)
{
    return block_at(log, index >> UNIT_BITS)->bytes + (size_t)(index & (BLOCK_UNITS - 1)) * UNIT;
}

static struct slice id_of(const struct id_log *log, uint32_t index)
{
    const unsigned char *at = record_at(log, index);

    return slice_of((const char *)at + HEAD_BYTES + log->payload_len, at[0]);
}

static struct slice key_of(const void *owner, uint32_t index)
{
    return id_of(owner, index);
}

static uint32_t record_bytes(const struct id_log *log, size_t id_len)
{
    return (HEAD_BYTES + log->payload_len + (uint32_t)id_len + UNIT - 1) / UNIT * UNIT;
}

static uint32_t make_index(uint32_t block, uint32_t at)
{
    return (block & (BLOCKS_MAX - 1)) << UNIT_BITS | at / UNIT;
}

void id_log_init(struct id_log *log, struct hash_key key, uint32_t payload_len)
{
    *log = (struct id_log){.payload_len = payload_len, .block_max = BLOCKS_MAX - 1};
    assert(HEAD_BYTES + payload_len + IDENT_MAX + UNIT <= RECORD_MAX);
    map_init(&log->map, key, key_of, log);
}

void id_log_clear(struct id_log *log)
{
    for (uint32_t i = 0; i < log->block_count; i++)
        free(block_at(log, log->first_block + i));
    free(log->blocks);
    free(log->spare);
    log->blocks = NULL;
    log->spare = NULL;
    log->block_cap = log->block_count = log->first_block = log->oldest_at = log->count = 0;
    map_clear(&log->map);
}

uint32_t id_log_find(const struct id_log *log, struct slice id, uint64_t hash)
{
    return map_find_hashed(&log->map, id, hash);
}

struct id_record id_log_get(const struct id_log *log, uint32_t index)
{
    const unsigned char *at = record_at(log, index);

    return (struct id_record){
        .index = index, .tag = at[1], .payload = at + HEAD_BYTES, .id = id_of(log, index)};
}

static void grow_ring(struct id_log *log)
{
    uint32_t cap = log->block_cap ? log->block_cap * 2 : 8;
    struct id_block **blocks = mem_new(cap, sizeof(struct id_block *));

    for (uint32_t i = 0; i < log->block_count; i++) {
        uint32_t number = log->first_block + i;
        blocks[number & (cap - 1)] = block_at(log, number);
    }
    free(log->blocks);
    log->blocks = blocks;
    log->block_cap = cap;
}

static struct id_block *add_block(struct id_log *log)
{
    struct id_block *block;

    if (log->block_count == log->block_max) {
        uint32_t first = log->first_block;
        while (log->first_block == first)
            id_log_pop(log);
    }
    if (log->block_count == log->block_cap)
        grow_ring(log);
    block = log->spare ? log->spare : mem_resize(NULL, 1, sizeof(*block));
    log->spare = NULL;
    block->used = 0;
    log->blocks[(log->first_block + log->block_count) & (log->block_cap - 1)] = block;
    log->block_count++;
    return block;
}

static struct id_block *block_with_room(struct id_log *log, uint32_t bytes)
{
    struct id_block *last;

    if (log->block_count == 0)
        return add_block(log);
    last = block_at(log, log->first_block + log->block_count - 1);
    return last->used + bytes <= BLOCK_BYTES ? last : add_block(log);
}

void id_log_push(struct id_log *log, struct slice id, uint64_t hash, unsigned char tag, const void *payload,
                 uint32_t replaced)
{
    uint32_t bytes = record_bytes(log, id.len);
    struct id_block *block;
    unsigned char *at;
    uint32_t index;

    if (replaced != MAP_NONE)
        id_log_forget(log, replaced);
    block = block_with_room(log, bytes);
    at = block->bytes + block->used;
    index = make_index(log->first_block + log->block_count - 1, block->used);
    at[0] = (unsigned char)id.len;
    at[1] = tag;
    memcpy(at + HEAD_BYTES, payload, log->payload_len);
    if (id.len > 0)
        memcpy(at + HEAD_BYTES + log->payload_len, id.data, id.len);
    block->used += bytes;
    log->count++;
    if (id.len > 0)
        map_insert_hashed(&log->map, index, hash);
}

void id_log_forget(struct id_log *log, uint32_t index)
{
    (void)map_remove(&log->map, index);
}

static uint32_t oldest_index(const struct id_log *log)
{
    return make_index(log->first_block, log->oldest_at);
}

bool id_log_oldest(const struct id_log *log, struct id_record *ret_record)
{
    if (log->count == 0)
        return false;
    *ret_record = id_log_get(log, oldest_index(log));
    return true;
}

static void drop_first_block(struct id_log *log)
{
    free(log->spare);
    log->spare = block_at(log, log->first_block);
    log->first_block++;
    log->block_count--;
    log->oldest_at = 0;
    map_shrink(&log->map);
}

void id_log_pop(struct id_log *log)
{
    uint32_t index = oldest_index(log);

    (void)map_remove(&log->map, index);
    log->oldest_at += record_bytes(log, id_of(log, index).len);
    log->count--;
    if (log->oldest_at >= block_at(log, log->first_block)->used)
        drop_first_block(log);
}

struct id_log_place id_log_first(const struct id_log *log)
{
    return (struct id_log_place){log->count > 0, log->first_block, log->oldest_at};
}

struct id_log_place id_log_newest(const struct id_log *log, uint32_t bytes)
{
    struct id_log_place place = id_log_first(log);
    uint32_t blocks = bytes / BLOCK_BYTES + 2; /* the last one may have just been begun */

    if (log->block_count > blocks)
        place = (struct id_log_place){true, log->first_block + log->block_count - blocks, 0};
    return place;
}

/* True where the map holds the record at INDEX, which is not the case for one that is forgotten. */
static bool is_found(const struct id_log *log, uint32_t index)
{
    struct slice id = id_of(log, index);

    return map_find_hashed(&log->map, id, map_hash(&log->map, id)) == index;
}

/* What was to come next may have left since. */
static void catch_up(const struct id_log *log, struct id_log_place *place)
{
    int32_t ahead = (int32_t)(place->block - log->first_block);

    if (ahead < 0 || (ahead == 0 && place->at < log->oldest_at))
        *place = id_log_first(log);
}

/* Moves PLACE on to a record, or ends the walk. */
static bool find_record(const struct id_log *log, struct id_log_place *place)
{
    while (place->block - log->first_block < log->block_count) {
        if (place->at < block_at(log, place->block)->used)
            return true;
        place->block++;
        place->at = 0;
    }
    place->is_on = false;
    return false;
}

uint32_t id_log_each(const struct id_log *log, struct id_log_place *place, uint32_t most,
                     void (*fn)(void *ctx, const struct id_record *record), void *ctx)
{
    uint32_t count = 0;

    if (!place->is_on)
        return 0;
    catch_up(log, place);
    while (count < most && find_record(log, place)) {
        uint32_t index = make_index(place->block, place->at);
        struct id_record record = id_log_get(log, index);

        place->at += record_bytes(log, record.id.len);
        if (is_found(log, index)) {
            fn(ctx, &record);
            count++;
        }
    }
    return count;
}
