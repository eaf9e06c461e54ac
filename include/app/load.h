/* Reading the state that Redis holds, at start and at each taking over. One thing after the other; the
 * commands of one step go out together. */
#pragma once

#include "core/stream.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct daemon;

struct load {
    struct daemon *d;
    void (*const *steps)(struct load *load); /* ends with NULL */
    bool rescanning;
    int step;
    uint32_t pending;     /* answers that this step still waits for */
    uint64_t generation;  /* answers of an abandoned load are ignored */
    struct load_ids *ids; /* instances and trades found */
    uint32_t positions;   /* bits of the streams whose position meta has */
    char cursor[32];
    struct stream_id next; /* where the next page of a stream begins */
    uint64_t page;         /* entries asked for */
    unsigned halvings;     /* of the pages, since links were lost over them */
    int64_t started_ms;
    size_t journal_bad;
};

void load_init(struct load *load, struct daemon *d);
void load_clear(struct load *load);
void load_start(struct load *load);
/* After Redis has lost writes: takes what had ended, and is in the stream of signals again, out of it. */
void load_rescan(struct load *load);
void load_abandon(struct load *load);
