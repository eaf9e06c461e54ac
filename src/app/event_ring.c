#include "app/event_ring.h"
#include "util/alloc.h"
#include <stdlib.h>

/* What is kept behind an item counts as well. */
#define OVERHEAD_BYTES (sizeof(struct ring_item) + 2 * sizeof(void *))

struct ring_item {
    struct stream_id id;
    uint32_t name_len, instance_len, json_len;
    char text[];
};

void event_ring_init(struct event_ring *ring)
{
    *ring = (struct event_ring){.items = mem_new(EVENT_RING_MAX, sizeof(struct ring_item *))};
}

static struct ring_item **place(const struct event_ring *ring, uint32_t index)
{
    return &ring->items[(ring->first + index) % EVENT_RING_MAX];
}

static size_t bytes_of(size_t text_len)
{
    return OVERHEAD_BYTES + text_len;
}

static size_t text_len_of(const struct ring_item *item)
{
    return (size_t)item->name_len + item->instance_len + item->json_len;
}

static void drop_oldest(struct event_ring *ring)
{
    struct ring_item *item = *place(ring, 0);
    ring->floor = item->id;
    ring->bytes -= bytes_of(text_len_of(item));
    ring->first = (ring->first + 1) % EVENT_RING_MAX;
    ring->count--;
    free(item);
}

void event_ring_clear(struct event_ring *ring)
{
    while (ring->count)
        drop_oldest(ring);
    free(ring->items);
    *ring = (struct event_ring){0};
}

static struct ring_item *item_new(const struct ring_event *event)
{
    const struct slice parts[] = {event->name, event->instance_id, event->json};
    struct ring_item *item =
        mem_new(1, sizeof *item + event->name.len + event->instance_id.len + event->json.len);
    char *at = item->text;
    item->id = event->id;
    item->name_len = (uint32_t)event->name.len;
    item->instance_len = (uint32_t)event->instance_id.len;
    item->json_len = (uint32_t)event->json.len;
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len)
            memcpy(at, parts[i].data, parts[i].len);
        at += parts[i].len;
    }
    return item;
}

static bool has_room(const struct event_ring *ring, const struct ring_event *event)
{
    size_t bytes = bytes_of(event->name.len + event->instance_id.len + event->json.len);
    return ring->count < EVENT_RING_MAX && ring->bytes + bytes <= EVENT_RING_BYTES;
}

static void put(struct event_ring *ring, uint32_t index, const struct ring_event *event)
{
    struct ring_item *item = item_new(event);
    *place(ring, index) = item;
    ring->bytes += bytes_of(text_len_of(item));
    ring->count++;
}

void event_ring_add(struct event_ring *ring, const struct ring_event *event)
{
    if (ring->count && stream_id_compare(event->id, event_ring_newest(ring)) <= 0)
        return;
    if (!ring->count)
        ring->floor = stream_id_prev(event->id);
    while (ring->count && !has_room(ring, event)) {
        drop_oldest(ring);
        ring->left++;
    }
    put(ring, ring->count, event);
}

bool event_ring_add_older(struct event_ring *ring, const struct ring_event *event)
{
    if (!has_room(ring, event))
        return false;
    ring->first = (ring->first + EVENT_RING_MAX - 1) % EVENT_RING_MAX;
    put(ring, 0, event);
    ring->floor = stream_id_prev(event->id);
    return true;
}

struct ring_event event_ring_at(const struct event_ring *ring, uint32_t index)
{
    const struct ring_item *item = *place(ring, index);
    return (struct ring_event){
        .id = item->id,
        .name = slice_of(item->text, item->name_len),
        .instance_id = slice_of(item->text + item->name_len, item->instance_len),
        .json = slice_of(item->text + item->name_len + item->instance_len, item->json_len),
    };
}

struct stream_id event_ring_newest(const struct event_ring *ring)
{
    return ring->count ? (*place(ring, ring->count - 1))->id : (struct stream_id){0, 0};
}

uint32_t event_ring_find(const struct event_ring *ring, struct stream_id after)
{
    uint32_t low = 0, high = ring->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (stream_id_compare((*place(ring, middle))->id, after) > 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool event_ring_knows(const struct event_ring *ring, struct stream_id after)
{
    if (after.ms == 0 && after.seq == 0)
        return true;
    return ring->count && stream_id_compare(after, ring->floor) >= 0 &&
           stream_id_compare(after, event_ring_newest(ring)) <= 0;
}
