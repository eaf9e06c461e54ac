/* What a Redis holds: keys with strings, hashes, sets, sorted sets and streams. Knows nothing of the daemon.
 *
 * Invariants: names of a collection are unique; the entries of a stream ascend and are not above its last_id;
 * an entry never changes once it is added, so that copies of the store share it. */
#pragma once

#include "util/map.h"
#include "util/slice.h"
#include "util/stream_id.h"
#include <stdbool.h>
#include <stdint.h>

enum store_type {
    STORE_NONE = '-',
    STORE_STRING = 'k',
    STORE_HASH = 'h',
    STORE_SET = 's',
    STORE_SORTED = 'z',
    STORE_STREAM = 't'
};

/* A field of a hash, a member of a set, a member with its score as text, or the value of a string. */
struct store_pair {
    char *bytes; /* the name, then the value */
    size_t name_len, value_len;
};

struct store_entry {
    struct stream_id id;
    uint32_t refs;
    uint32_t word_count; /* names and values, in turn */
    struct slice words[];
};

struct store_key {
    char *name;
    size_t name_len;
    enum store_type type;
    int64_t expires_ms; /* 0: never */
    struct store_pair *pairs;
    uint32_t pair_count, pair_cap;
    struct store_entry **entries;
    uint32_t entry_count, entry_cap;
    struct stream_id last_id, group_id;
    bool has_group;
    uint64_t added; /* entries, ever */
    uint64_t born;  /* differs between two keys of the same name */
};

struct store {
    struct store_key *keys; /* those of type STORE_NONE do not exist */
    uint32_t count, cap;
    struct map map;
    int64_t now_ms; /* the server's clock */
    uint64_t births;
};

/* STORE must stay where it is. */
void store_init(struct store *store);
void store_clear(struct store *store);
/* Forgets every key, keeps the clock. */
void store_wipe(struct store *store);
/* Removes what has expired. */
void store_expire(struct store *store);
/* TO becomes what FROM is, its clock aside. */
void store_copy(struct store *to, const struct store *from);

/* The key, or NULL where there is none or it has expired. Valid until the next key is made. */
struct store_key *store_find(const struct store *store, struct slice name);
struct store_key *store_find_text(const struct store *store, const char *name);
/* The same, made where there is none; NULL where it is of another type. */
struct store_key *store_make(struct store *store, struct slice name, enum store_type type);
void store_remove(struct store *store, struct slice name);
/* False where FROM does not exist. */
bool store_rename(struct store *store, struct slice from, struct slice to);
const char *store_type_name(const struct store_key *key);

static inline struct slice pair_name(const struct store_pair *pair)
{
    return slice_of(pair->bytes, pair->name_len);
}

static inline struct slice pair_value(const struct store_pair *pair)
{
    return slice_of(pair->bytes + pair->name_len, pair->value_len);
}

/* KEY may be NULL: then there is nothing. */
const struct store_pair *key_find_pair(const struct store_key *key, struct slice name);
/* The value of NAME, empty where it is not there. */
struct slice key_get(const struct store_key *key, const char *name);
void key_put(struct store_key *key, struct slice name, struct slice value);
bool key_take(struct store_key *key, struct slice name);
/* A copy of the type and the pairs of FROM (NULL: of nothing), to be cleared by key_clear. */
struct store_key key_copy(const struct store_key *from);
void key_clear(struct store_key *key);

/* Adds an entry of COUNT words at the store's time and returns its ID. */
struct stream_id stream_add(struct store *store, struct store_key *key, const struct slice *words,
                            size_t count);
bool stream_remove(struct store_key *key, struct stream_id id);
/* Removes all below MIN. */
void stream_trim(struct store_key *key, struct stream_id min);
/* The lazy forms of Redis, which take whole nodes only. */
void stream_trim_length_about(struct store_key *key, uint64_t max_len);
void stream_trim_about(struct store_key *key, struct stream_id min);
/* The number of the first entry behind ID; entry_count where there is none. KEY may be NULL. */
uint32_t stream_behind(const struct store_key *key, struct stream_id id);
const struct store_entry *stream_find(const struct store_key *key, struct stream_id id);

struct slice entry_value(const struct store_entry *entry, const char *name);
struct store_entry *entry_share(struct store_entry *entry);
void entry_drop(struct store_entry *entry);
