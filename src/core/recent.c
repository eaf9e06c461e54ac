/* A slab of items of fixed size in one list by age; what is put is found through a map. */
#include "core/recent.h"

#include "util/alloc.h"
#include <stdlib.h>

#define NONE UINT32_MAX

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct recent *r = owner;

    return ident_slice(&r->items[index].id);
}

void recent_init(struct recent *r, uint32_t capacity, int64_t ttl_ms)
{
    *r = (struct recent){.capacity = capacity, .oldest = NONE, .newest = NONE, .ttl_ms = ttl_ms};
    if (capacity > 0)
        r->items = mem_new(capacity, sizeof(*r->items));
    /* Where the items lie is not known outside, which is all that is asked of this key. */
    map_init(&r->map, (struct hash_key){(uintptr_t)r->items, capacity}, key_of, r);
}

void recent_clear(struct recent *r)
{
    map_clear(&r->map);
    free(r->items);
    r->items = NULL;
    r->capacity = r->count = 0;
    r->oldest = r->newest = NONE;
}

static void unlink_item(struct recent *r, uint32_t index)
{
    const struct recent_item *item = &r->items[index];

    if (item->prev != NONE)
        r->items[item->prev].next = item->next;
    else
        r->oldest = item->next;
    if (item->next != NONE)
        r->items[item->next].prev = item->prev;
    else
        r->newest = item->prev;
}

static void append_item(struct recent *r, uint32_t index)
{
    struct recent_item *item = &r->items[index];

    item->next = NONE;
    item->prev = r->newest;
    if (r->newest != NONE)
        r->items[r->newest].next = index;
    else
        r->oldest = index;
    r->newest = index;
}

static bool is_young(const struct recent *r, const struct recent_item *item, int64_t now_ms)
{
    return now_ms - item->at_ms <= r->ttl_ms;
}

/* A fresh item, or the oldest one, out of the list and the map. There is one: capacity is above 0. */
static uint32_t take_item(struct recent *r, int64_t now_ms)
{
    uint32_t index = r->oldest;

    if (r->count < r->capacity)
        return r->count++;
    if (is_young(r, &r->items[index], now_ms))
        r->evicted++;
    unlink_item(r, index);
    if (r->items[index].was_put)
        (void)map_remove(&r->map, index);
    return index;
}

static void fill_item(struct recent *r, uint32_t index, struct slice id, uint16_t label, double value,
                      int64_t now_ms)
{
    struct recent_item *item = &r->items[index];

    ident_set(&item->id, id);
    item->label = label;
    item->was_put = false;
    item->value = value;
    item->at_ms = now_ms;
    append_item(r, index);
}

void recent_add(struct recent *r, struct slice id, uint16_t label, double value, int64_t now_ms)
{
    if (r->capacity > 0)
        fill_item(r, take_item(r, now_ms), id, label, value, now_ms);
}

void recent_put(struct recent *r, struct slice id, uint16_t label, double value, int64_t now_ms)
{
    uint64_t hash;
    uint32_t index;

    if (r->capacity == 0)
        return;
    hash = map_hash(&r->map, id);
    index = map_find_hashed(&r->map, id, hash);
    if (index != MAP_NONE) {
        unlink_item(r, index);
        fill_item(r, index, id, label, value, now_ms);
    } else {
        index = take_item(r, now_ms);
        fill_item(r, index, id, label, value, now_ms);
        map_insert_hashed(&r->map, index, hash);
    }
    r->items[index].was_put = true;
}

void recent_resize(struct recent *r, uint32_t capacity, int64_t ttl_ms)
{
    struct recent old = *r;
    uint32_t skip = old.count > capacity ? old.count - capacity : 0;

    if (capacity == old.capacity) {
        r->ttl_ms = ttl_ms;
        return;
    }
    recent_init(r, capacity, ttl_ms);
    r->evicted = old.evicted;
    for (uint32_t i = old.oldest; i != NONE; i = old.items[i].next) {
        const struct recent_item *item = &old.items[i];

        if (skip > 0) {
            skip--;
            continue;
        }
        (item->was_put ? recent_put : recent_add)(r, ident_slice(&item->id), item->label, item->value,
                                                  item->at_ms);
    }
    recent_clear(&old);
}

/* Which items have been shown: a table of their indexes, at most half full. */
struct shown {
    uint32_t *slots;
    uint32_t mask;
};

static bool is_same(const struct recent_item *a, const struct recent_item *b)
{
    return a->label == b->label && slice_equal(ident_slice(&a->id), ident_slice(&b->id));
}

/* False where the same id and label has been shown already. */
static bool mark_shown(struct shown *shown, const struct recent *r, uint32_t index)
{
    uint64_t hash = map_hash(&r->map, ident_slice(&r->items[index].id)) + r->items[index].label;
    uint32_t slot = (uint32_t)hash & shown->mask;

    for (; shown->slots[slot] != NONE; slot = (slot + 1) & shown->mask) {
        if (is_same(&r->items[shown->slots[slot]], &r->items[index]))
            return false;
    }
    shown->slots[slot] = index;
    return true;
}

static struct shown shown_of(const struct recent *r)
{
    struct shown shown = {.mask = 1};

    while (shown.mask < r->count * 2)
        shown.mask = shown.mask * 2 + 1;
    shown.slots = mem_new((size_t)shown.mask + 1, sizeof(*shown.slots));
    memset(shown.slots, 0xff, ((size_t)shown.mask + 1) * sizeof(*shown.slots));
    return shown;
}

void recent_each(const struct recent *r, int64_t now_ms,
                 void (*fn)(void *ctx, const struct recent_item *item), void *ctx)
{
    struct shown shown = shown_of(r);

    for (uint32_t i = r->newest; i != NONE; i = r->items[i].prev) {
        if (is_young(r, &r->items[i], now_ms) && mark_shown(&shown, r, i))
            fn(ctx, &r->items[i]);
    }
    free(shown.slots);
}
