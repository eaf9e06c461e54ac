/* Events of signals, where these are on another Redis than the instances and their events: they are on their
 * way until the batch that ended the signal is stored, and the server of the events takes them. So nobody is
 * told of an end that a crash has undone. Bounded: while that server is away for long the oldest are lost,
 * and counted. */
#pragma once

#include "core/event.h"
#include "core/ident.h"
#include <stdint.h>

struct daemon;

struct far_event {
    struct event event; /* without its texts, but for static ones */
    struct ident signal_id, instance_id;
    uint64_t batch; /* of the signals */
};

struct far_events {
    struct daemon *d; /* that of the signals */
    struct far_event *items;
    uint32_t first, count, cap;
    uint64_t lost;
};

/* Of the ledger of D from here on, where the instances are elsewhere. */
void far_events_init(struct far_events *far, struct daemon *d);
void far_events_clear(struct far_events *far);
/* What they are about has been forgotten. */
void far_events_reset(struct far_events *far);
/* A batch is stored, or the server of the events is back. */
void far_events_go_on(struct far_events *far);
