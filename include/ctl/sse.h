/* Server-sent events, taken apart as they come, in pieces of any size. An event counts when its empty line
 * has come: what a lost connection cut off is not there, and comes again after Last-Event-ID. */
#pragma once

#include "util/buf.h"
#include <stdbool.h>

#define SSE_EVENT_MAX_BYTES (1u << 20)

struct sse_event {
    struct slice name; /* `message` where none was sent */
    struct slice data; /* lines parted by a line feed */
    struct slice id;   /* the last one that was sent, with this event or an earlier one */
};

/* Zeroed but for the callback it is ready. False from the callback ends the reading. */
struct sse {
    bool (*on_event)(void *ctx, const struct sse_event *event);
    void *ctx;
    struct buf last_id; /* of the last event that counted */
    struct buf line, name, data, next_id;
    bool has_data, is_behind_cr, is_begun;
};

void sse_clear(struct sse *sse);
/* A new connection: forgets what was not complete. */
void sse_restart(struct sse *sse);
/* False where the callback said so, or an event is too long. */
bool sse_feed(struct sse *sse, struct slice bytes);
