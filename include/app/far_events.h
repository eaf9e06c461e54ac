/* Events of signals, where these are on another Redis than the instances and their events. The batch that
 * ends a signal keeps its event on the server of the signals, under a number that grows; once that is stored
 * the event goes into a batch of the instances, which stores its number too; once that is stored it is kept
 * no longer. So each is written once over any crash, and none of an end that a crash has undone. Bounded:
 * while the server of the instances is away for long the oldest are lost, and counted. */
#pragma once

#include "core/event.h"
#include "core/ident.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct buf;
struct daemon;

#define FAR_REASON_MAX 64

struct far_event {
    uint64_t number;
    uint64_t batch; /* of the signals, with which it is kept */
    enum event_kind kind;
    int64_t at_ms;
    struct cause cause;
    struct ident signal_id, instance_id; /* the second may be empty */
    unsigned char reason_len;
    char reason[FAR_REASON_MAX];
};

struct far_events {
    struct daemon *d; /* that of the signals */
    struct far_event *items;
    uint32_t first, count, cap;
    uint32_t handed; /* of the first: they are in batches of the instances */
    uint64_t last;   /* number */
    uint64_t lost;
};

/* What is known of them where the events are. */
struct far_told {
    uint64_t given, sent, stored; /* numbers: in the batch that is filled, in the one under way, in Redis */
};

/* Of the ledger of D from here on, where the instances are elsewhere. */
void far_events_init(struct far_events *far, struct daemon *d);
void far_events_clear(struct far_events *far);
/* What they are about has been forgotten. */
void far_events_reset(struct far_events *far);
/* A batch of either is stored, or one of the servers is back. */
void far_events_go_on(struct far_events *far);
/* Those that are held are kept again, after a loss. */
void far_events_write_back(struct far_events *far);

/* Loading: a field of KEY_FAR_EVENTS; false for one that is not ours. Then all of them are there. */
bool far_events_load(struct far_events *far, struct slice number, struct slice text);
void far_events_load_finish(struct far_events *far);
/* TEXT of an event, as it is kept. */
void far_event_format(const struct far_event *item, struct buf *out);
bool far_event_parse(struct slice number, struct slice text, struct far_event *ret_item);
