/* Following what the daemon sends as server-sent events, over lost connections and its restarts, until
 * Ctrl-C. Each new connection goes on behind the last event that came. */
#pragma once

#include "ctl/command.h"
#include "ctl/sse.h"

struct follow {
    const char *path;
    struct sse sse; /* callback and, where it goes on from somewhere, last_id are set by the caller */
};

/* Returns when the user ends it (CTL_DONE), a callback has said false (CTL_REFUSED), the daemon refuses
 * (CTL_REFUSED) or cannot be reached for the first time (CTL_AWAY). Clears each sse. */
int follow_run(struct ctl *ctl, struct follow *follows, size_t count);

/* Adds the JSON object that EVENT carries as one line, without its end: with its id in front, and in front of
 * that the members FIRST (`"type":"report",`; may be empty). False where it carries none. */
bool follow_add_line(struct buf *out, const struct sse_event *event, const char *first);
