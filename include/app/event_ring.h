/* The newest events, as they are told over HTTP (SPEC §8.1): each with its ID in the stream of events and its
 * fields, packed (codec/event_pack.h).
 *
 * Ascending by ID, and without a gap: between the oldest and the newest that are kept nothing is missing.
 * Bounded in number and in bytes; the oldest leave. Pure. */
#pragma once

#include "core/ident.h"
#include "util/stream_id.h"
#include <stdint.h>

#define EVENT_RING_MAX   10000
#define EVENT_RING_BYTES ((size_t)4 << 20)

struct ring_event {
    struct stream_id id;
    struct slice packed;
};

struct event_ring {
    struct ring_item **items; /* EVENT_RING_MAX places, in a circle; NULL until there is one */
    uint32_t first, count;
    size_t bytes;
    struct stream_id floor; /* nothing behind it has left; right before the oldest, or the last that left */
    uint64_t left;          /* for newer ones */
};

void event_ring_init(struct event_ring *ring);
void event_ring_clear(struct event_ring *ring);

/* Adds EVENT (copied) behind the newest; the oldest leave where there is no room. One that is not newer is
 * ignored: it is there already. */
void event_ring_add(struct event_ring *ring, const struct ring_event *event);
/* Adds EVENT in front of the oldest, while the ring is being filled from its end. False where there is no
 * room. */
bool event_ring_add_older(struct event_ring *ring, const struct ring_event *event);

/* The event at INDEX from the oldest; borrowed until the ring changes. */
struct ring_event event_ring_at(const struct event_ring *ring, uint32_t index);
/* The newest; 0-0 where there is none. */
struct stream_id event_ring_newest(const struct event_ring *ring);
/* The index of the first event behind AFTER; count where there is none. */
uint32_t event_ring_find(const struct event_ring *ring, struct stream_id after);
/* True where nothing is missing for somebody who has seen everything up to AFTER; 0-0 stands for somebody who
 * has seen nothing, and wants what there is. */
bool event_ring_knows(const struct event_ring *ring, struct stream_id after);
