#include "app/event_ring.h"
#include "util/alloc.h"
#include <stdlib.h>

/* What is kept behind an item counts as well. */
#define OVERHEAD_BYTES (sizeof(struct ring_item) + 2 * sizeof(void *))

struct ring_item {
    struct stream_id id;
    uint32_t len;
    char packed[];
};

void event_ring_init(struct event_ring *ring)
{
    *ring = (struct event_ring){0};
}

static struct ring_item **place(const struct event_ring *ring, uint32_t index)
{
    return &ring->items[(ring->first + index) % EVENT_RING_MAX];
}

static size_t bytes_of(size_t packed_len)
{
    return OVERHEAD_BYTES + packed_len;
}

static void drop_oldest(struct event_ring *ring)
{
    struct ring_item *item = *place(ring, 0);
    ring->floor = item->id;
    ring->bytes -= bytes_of(item->len);
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
    struct ring_item *item = mem_resize(NULL, sizeof *item + event->packed.len, 1);
    item->id = event->id;
    item->len = (uint32_t)event->packed.len;
    if (event->packed.len)
        memcpy(item->packed, event->packed.data, event->packed.len);
    return item;
}

static bool has_room(const struct event_ring *ring, const struct ring_event *event)
{
    return ring->count < EVENT_RING_MAX && ring->bytes + bytes_of(event->packed.len) <= EVENT_RING_BYTES;
}

static void put(struct event_ring *ring, uint32_t index, const struct ring_event *event)
{
    struct ring_item *item = item_new(event);
    if (!ring->items)
        ring->items = mem_new(EVENT_RING_MAX, sizeof(struct ring_item *));
    *place(ring, index) = item;
    ring->bytes += bytes_of(item->len);
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
    return (struct ring_event){item->id, slice_of(item->packed, item->len)};
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
