/* Ids in the order in which they came, oldest first, each with a tag and a few bytes of the user's, findable
 * by id: the ended signals, and the results that are kept.
 *
 * Records lie packed in blocks of 64 KiB, so a typical id costs 24 to 48 bytes and 11 to 21 in the map, and
 * memory goes back as the log drains. Invariants: an id is in the map at most once, with its newest record; a
 * record whose index the map does not hold is forgotten, and stays until it is the oldest. */
#pragma once

#include "core/ident.h"
#include "util/map.h"

struct id_block;

struct id_log {
    struct id_block **blocks; /* a ring: block number N is at N modulo block_cap */
    struct id_block *spare;
    uint32_t block_cap;
    uint32_t block_max; /* as many as an index can tell apart, 16 GiB: beyond that the oldest records leave */
    uint32_t first_block, block_count;
    uint32_t oldest_at; /* where the oldest record begins in the first block */
    uint32_t count;     /* records, the forgotten ones too */
    uint32_t payload_len;
    struct map map;
};

struct id_record {
    uint32_t index;
    unsigned char tag;
    const void *payload; /* payload_len bytes, not aligned */
    struct slice id;
};

/* The log must not be moved afterwards. */
void id_log_init(struct id_log *log, struct hash_key key, uint32_t payload_len);
void id_log_clear(struct id_log *log);

/* HASH is map_hash of any map with the same key. MAP_NONE where ID is unknown or forgotten. */
uint32_t id_log_find(const struct id_log *log, struct slice id, uint64_t hash);
/* The record at an index, borrowed until the log changes. */
struct id_record id_log_get(const struct id_log *log, uint32_t index);

/* Appends ID (at most IDENT_MAX bytes, copied); where REPLACED is not MAP_NONE it is the record of the same
 * id that was found before, which is forgotten. The empty id is kept but never found. */
void id_log_push(struct id_log *log, struct slice id, uint64_t hash, unsigned char tag, const void *payload,
                 uint32_t replaced);
/* ID is no longer found. */
void id_log_forget(struct id_log *log, uint32_t index);

/* The oldest record; false where there is none. */
bool id_log_oldest(const struct id_log *log, struct id_record *ret_record);
/* Removes the oldest record; there is one. */
void id_log_pop(struct id_log *log);

/* How far a walk has come; is_on is false where there is none, or no more. */
struct id_log_place {
    bool is_on;
    uint32_t block, at;
};

/* Where a walk begins: with the oldest record. */
struct id_log_place id_log_first(const struct id_log *log);
/* Or with one of the newest, ahead of which there are older ones only: about BYTES of records follow, and up
 * to 128 KiB more. */
struct id_log_place id_log_newest(const struct id_log *log, uint32_t bytes);
/* Calls FN for the next MOST records from *PLACE on that are not forgotten, oldest first, and returns for how
 * many. FN must not change the log; between two calls it may change. */
uint32_t id_log_each(const struct id_log *log, struct id_log_place *place, uint32_t most,
                     void (*fn)(void *ctx, const struct id_record *record), void *ctx);
