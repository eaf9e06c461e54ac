#include "store.h"

#include "util/alloc.h"
#include <stdlib.h>

/* Entries in a node of a stream, of which the lazy trims remove whole ones only. */
#define NODE_ENTRIES 8

static struct slice name_of(const void *owner, uint32_t index)
{
    const struct store *store = owner;

    return slice_of(store->keys[index].name, store->keys[index].name_len);
}

void store_init(struct store *store)
{
    *store = (struct store){0};
    map_init(&store->map, (struct hash_key){1, 2}, name_of, store);
}

static void key_empty(struct store_key *key)
{
    for (uint32_t i = 0; i < key->pair_count; i++)
        free(key->pairs[i].bytes);
    for (uint32_t i = 0; i < key->entry_count; i++)
        entry_drop(key->entries[i]);
    key->pair_count = key->entry_count = 0;
    key->last_id = key->group_id = (struct stream_id){0, 0};
    key->has_group = false;
    key->added = 0;
    key->expires_ms = 0;
    key->type = STORE_NONE;
}

void key_clear(struct store_key *key)
{
    key_empty(key);
    free(key->pairs);
    free(key->entries);
    free(key->name);
    *key = (struct store_key){.type = STORE_NONE};
}

void store_clear(struct store *store)
{
    for (uint32_t i = 0; i < store->count; i++)
        key_clear(&store->keys[i]);
    free(store->keys);
    map_clear(&store->map);
    *store = (struct store){0};
}

void store_wipe(struct store *store)
{
    for (uint32_t i = 0; i < store->count; i++)
        key_empty(&store->keys[i]);
}

static struct store_key *slot_of(struct store *store, struct slice name)
{
    uint32_t index = map_find(&store->map, name);

    if (index != MAP_NONE)
        return &store->keys[index];
    if (store->count == store->cap) {
        store->cap = store->cap ? store->cap * 2 : 64;
        store->keys = mem_resize(store->keys, store->cap, sizeof(*store->keys));
    }
    store->keys[store->count] = (struct store_key){
        .name = mem_copy_text(name.data, name.len), .name_len = name.len, .type = STORE_NONE};
    map_insert(&store->map, store->count);
    return &store->keys[store->count++];
}

static bool is_there(const struct store *store, const struct store_key *key)
{
    return key->type != STORE_NONE && (!key->expires_ms || key->expires_ms > store->now_ms);
}

void store_expire(struct store *store)
{
    for (uint32_t i = 0; i < store->count; i++)
        if (store->keys[i].type != STORE_NONE && !is_there(store, &store->keys[i]))
            key_empty(&store->keys[i]);
}

struct store_key *store_find(const struct store *store, struct slice name)
{
    uint32_t index = map_find(&store->map, name);

    return index != MAP_NONE && is_there(store, &store->keys[index]) ? &store->keys[index] : NULL;
}

struct store_key *store_find_text(const struct store *store, const char *name)
{
    return store_find(store, slice_text(name));
}

struct store_key *store_make(struct store *store, struct slice name, enum store_type type)
{
    struct store_key *key = slot_of(store, name);

    if (!is_there(store, key)) {
        key_empty(key);
        key->type = type;
        key->born = ++store->births;
    }
    return key->type == type ? key : NULL;
}

void store_remove(struct store *store, struct slice name)
{
    struct store_key *key = store_find(store, name);

    if (key)
        key_empty(key);
}

bool store_rename(struct store *store, struct slice from, struct slice to)
{
    struct store_key *target, *source;
    struct store_key moved;

    if (!store_find(store, from))
        return false;
    target = slot_of(store, to);
    key_empty(target);
    source = store_find(store, from); /* the slots may have moved */
    moved = *source;
    *source = (struct store_key){.name = moved.name, .name_len = moved.name_len, .type = STORE_NONE};
    moved.name = target->name;
    moved.name_len = target->name_len;
    free(target->pairs);
    free(target->entries);
    *target = moved;
    return true;
}

const char *store_type_name(const struct store_key *key)
{
    if (!key)
        return "none";
    switch (key->type) {
    case STORE_STRING:
        return "string";
    case STORE_HASH:
        return "hash";
    case STORE_SET:
        return "set";
    case STORE_SORTED:
        return "zset";
    case STORE_STREAM:
        return "stream";
    case STORE_NONE:
        break;
    }
    return "none";
}

static struct store_pair make_pair(struct slice name, struct slice value)
{
    struct store_pair pair = {mem_new(name.len + value.len + 1, 1), name.len, value.len};

    if (name.len)
        memcpy(pair.bytes, name.data, name.len);
    if (value.len)
        memcpy(pair.bytes + name.len, value.data, value.len);
    return pair;
}

static void add_pair(struct store_key *key, struct store_pair pair)
{
    if (key->pair_count == key->pair_cap) {
        key->pair_cap = key->pair_cap ? key->pair_cap * 2 : 8;
        key->pairs = mem_resize(key->pairs, key->pair_cap, sizeof(*key->pairs));
    }
    key->pairs[key->pair_count++] = pair;
}

const struct store_pair *key_find_pair(const struct store_key *key, struct slice name)
{
    for (uint32_t i = 0; key && i < key->pair_count; i++) {
        if (slice_equal(pair_name(&key->pairs[i]), name))
            return &key->pairs[i];
    }
    return NULL;
}

struct slice key_get(const struct store_key *key, const char *name)
{
    const struct store_pair *pair = key_find_pair(key, slice_text(name));

    return pair ? pair_value(pair) : slice_of("", 0);
}

void key_put(struct store_key *key, struct slice name, struct slice value)
{
    const struct store_pair *found = key_find_pair(key, name);
    struct store_pair pair;

    if (found && slice_equal(pair_value(found), value))
        return;
    pair = make_pair(name, value);
    if (!found) {
        add_pair(key, pair);
        return;
    }
    free(found->bytes);
    key->pairs[found - key->pairs] = pair;
}

bool key_take(struct store_key *key, struct slice name)
{
    const struct store_pair *found = key_find_pair(key, name);

    if (!found)
        return false;
    free(found->bytes);
    key->pairs[found - key->pairs] = key->pairs[--key->pair_count];
    return true;
}

struct store_key key_copy(const struct store_key *from)
{
    struct store_key key = {.type = from ? from->type : STORE_NONE};

    for (uint32_t i = 0; from && i < from->pair_count; i++)
        add_pair(&key, make_pair(pair_name(&from->pairs[i]), pair_value(&from->pairs[i])));
    return key;
}

static void add_entry(struct store_key *key, struct store_entry *entry)
{
    if (key->entry_count == key->entry_cap) {
        key->entry_cap = key->entry_cap ? key->entry_cap * 2 : 16;
        key->entries = mem_resize(key->entries, key->entry_cap, sizeof(*key->entries));
    }
    key->entries[key->entry_count++] = entry;
}

void store_copy(struct store *to, const struct store *from)
{
    store_wipe(to);
    for (uint32_t i = 0; i < from->count; i++) {
        const struct store_key *source = &from->keys[i];
        struct store_key *target;

        if (source->type == STORE_NONE)
            continue;
        target = slot_of(to, slice_of(source->name, source->name_len));
        target->type = source->type;
        target->expires_ms = source->expires_ms;
        for (uint32_t k = 0; k < source->pair_count; k++)
            add_pair(target, make_pair(pair_name(&source->pairs[k]), pair_value(&source->pairs[k])));
        for (uint32_t k = 0; k < source->entry_count; k++)
            add_entry(target, entry_share(source->entries[k]));
        target->last_id = source->last_id;
        target->group_id = source->group_id;
        target->has_group = source->has_group;
        target->added = source->added;
        target->born = source->born;
    }
}

static struct store_entry *make_entry(struct stream_id id, const struct slice *words, size_t count)
{
    size_t bytes = 0;
    struct store_entry *entry;
    char *at;

    for (size_t i = 0; i < count; i++)
        bytes += words[i].len;
    entry = mem_new(1, sizeof(*entry) + count * sizeof(struct slice) + bytes);
    entry->id = id;
    entry->refs = 1;
    entry->word_count = (uint32_t)count;
    at = (char *)&entry->words[count];
    for (size_t i = 0; i < count; i++) {
        if (words[i].len)
            memcpy(at, words[i].data, words[i].len);
        entry->words[i] = slice_of(at, words[i].len);
        at += words[i].len;
    }
    return entry;
}

struct stream_id stream_add(struct store *store, struct store_key *key, const struct slice *words,
                            size_t count)
{
    struct stream_id id = {(uint64_t)store->now_ms, 0};

    if (stream_id_compare(id, key->last_id) <= 0)
        id = stream_id_next(key->last_id);
    add_entry(key, make_entry(id, words, count));
    key->last_id = id;
    key->added++;
    return id;
}

uint32_t stream_behind(const struct store_key *key, struct stream_id id)
{
    uint32_t low = 0, high = key ? key->entry_count : 0;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (stream_id_compare(key->entries[middle]->id, id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct store_entry *stream_find(const struct store_key *key, struct stream_id id)
{
    uint32_t i = stream_behind(key, id);

    return i > 0 && stream_id_compare(key->entries[i - 1]->id, id) == 0 ? key->entries[i - 1] : NULL;
}

static void remove_entries(struct store_key *key, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        entry_drop(key->entries[first + i]);
    if (count)
        memmove(key->entries + first, key->entries + first + count,
                (key->entry_count - first - count) * sizeof(*key->entries));
    key->entry_count -= count;
}

bool stream_remove(struct store_key *key, struct stream_id id)
{
    uint32_t behind = stream_behind(key, id);

    if (behind == 0 || stream_id_compare(key->entries[behind - 1]->id, id) != 0)
        return false;
    remove_entries(key, behind - 1, 1);
    return true;
}

void stream_trim(struct store_key *key, struct stream_id min)
{
    if (stream_id_compare(min, (struct stream_id){0, 0}) > 0)
        remove_entries(key, 0, stream_behind(key, stream_id_prev(min)));
}

void stream_trim_length_about(struct store_key *key, uint64_t max_len)
{
    while (key->entry_count >= max_len + NODE_ENTRIES)
        remove_entries(key, 0, NODE_ENTRIES);
}

void stream_trim_about(struct store_key *key, struct stream_id min)
{
    uint32_t below = stream_behind(key, stream_id_prev(min));

    remove_entries(key, 0, below - below % NODE_ENTRIES);
}

struct slice entry_value(const struct store_entry *entry, const char *name)
{
    for (uint32_t i = 0; entry && i + 1 < entry->word_count; i += 2) {
        if (slice_is(entry->words[i], name))
            return entry->words[i + 1];
    }
    return slice_of("", 0);
}

struct store_entry *entry_share(struct store_entry *entry)
{
    entry->refs++;
    return entry;
}

void entry_drop(struct store_entry *entry)
{
    if (--entry->refs == 0)
        free(entry);
}
