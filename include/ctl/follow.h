/* Following what the daemon sends as server-sent events, over lost connections and its restarts, until
 * Ctrl-C. Each new connection goes on behind the last event that came. */
#pragma once

#include "ctl/command.h"
#include "ctl/sse.h"

struct follow {
    const char *path;
    struct sse sse; /* callback and, where it goes on from somewhere, last_id are set by the caller */
    /* A lost connection is made again; false ends the following. May be NULL. */
    bool (*on_return)(void *ctx);
};

/* Returns when the user ends it (CTL_DONE), a callback has said false (CTL_REFUSED), the daemon refuses
 * (CTL_REFUSED) or cannot be reached for the first time (CTL_AWAY). Clears each sse. */
int follow_run(struct ctl *ctl, struct follow *follows, size_t count);

/* Adds the JSON object that EVENT carries, on one line without its end; false where it carries none. With
 * HAS_ID the event's id is its first member, as in the lists of the API. */
bool follow_add_json(struct buf *out, const struct sse_event *event, bool has_id);
