#include "core/notice.h"

#include "util/alloc.h"
#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#define SLOTS_FIRST 16

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct notices *notices = owner;

    return notice_key(&notices->slots[index]);
}

void notices_init(struct notices *notices, struct hash_key key)
{
    *notices = (struct notices){.free_head = MAP_NONE};
    map_init(&notices->map, key, key_of, notices);
}

void notices_clear(struct notices *notices)
{
    free(notices->slots);
    map_clear(&notices->map);
    notices->slots = NULL;
    notices->slot_count = notices->slot_cap = notices->count = 0;
    notices->free_head = MAP_NONE;
}

void notices_reset(struct notices *notices)
{
    map_reset(&notices->map);
    notices->slot_count = notices->count = 0;
    notices->free_head = MAP_NONE;
}

static_assert(NOTICE_KEY_MAX <= UCHAR_MAX, "the length of a key is one byte");

size_t notice_key_format(char out[NOTICE_KEY_MAX], struct slice owner, bool is_group, struct slice alert)
{
    char *at = out;

    if (is_group)
        *at++ = '@';
    memcpy(at, owner.data, owner.len);
    at += owner.len;
    *at++ = ':';
    memcpy(at, alert.data, alert.len);
    return (size_t)(at - out) + alert.len;
}

struct notice *notices_find(const struct notices *notices, struct slice key)
{
    uint32_t index = map_find(&notices->map, key);

    return index == MAP_NONE ? NULL : &notices->slots[index];
}

static uint32_t slot_take(struct notices *notices)
{
    uint32_t index = notices->free_head;

    if (index != MAP_NONE) {
        notices->free_head = notices->slots[index].next_free;
        return index;
    }
    if (notices->slot_count == notices->slot_cap) {
        notices->slot_cap = notices->slot_cap ? notices->slot_cap * 2 : SLOTS_FIRST;
        notices->slots = mem_resize(notices->slots, notices->slot_cap, sizeof(*notices->slots));
    }
    return notices->slot_count++;
}

struct notice *notices_add(struct notices *notices, const struct notice *notice)
{
    uint32_t index = slot_take(notices);

    notices->slots[index] = *notice;
    notices->slots[index].used = true;
    notices->slots[index].change = ++notices->changes;
    notices->count++;
    map_insert(&notices->map, index);
    return &notices->slots[index];
}

void notices_touch(struct notices *notices, struct notice *notice)
{
    notice->change = ++notices->changes;
}

void notices_remove(struct notices *notices, struct notice *notice)
{
    uint32_t index = notices_place_of(notices, notice);

    (void)map_remove(&notices->map, index); /* every used slot is in it */
    notice->used = false;
    notice->next_free = notices->free_head;
    notices->free_head = index;
    notices->count--;
}

struct notice *notices_next(const struct notices *notices, uint32_t place)
{
    for (; place < notices->slot_count; place++) {
        if (notices->slots[place].used)
            return &notices->slots[place];
    }
    return NULL;
}

uint32_t notices_place_of(const struct notices *notices, const struct notice *notice)
{
    return (uint32_t)(notice - notices->slots);
}
