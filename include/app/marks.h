/* Finding where the reports and trade updates that are kept may be trimmed (struct id_marks), among those
 * that were handled before this daemon was active. Nothing waits for it, so it is read once the daemon is
 * active. */
#pragma once

#include "core/stream.h"
#include <stdbool.h>
#include <stdint.h>

struct daemon;

struct mark_search {
    bool is_on, is_asking;
    struct stream_id to; /* where the next page begins; newest first */
    uint64_t taken;      /* entries so far */
    uint64_t page;       /* entries asked for */
};

struct marks {
    struct daemon *d;
    uint64_t generation; /* answers to what was asked before a reset are ignored */
    struct mark_search searches[STREAM_KINDS];
};

void marks_init(struct marks *m, struct daemon *d);
/* What is under way is of no use any more. */
void marks_reset(struct marks *m);
/* The state has been loaded: what was handled so far is looked through. */
void marks_start(struct marks *m);
/* The link is up again. */
void marks_go_on(struct marks *m);
