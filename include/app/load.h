/* Reading the state that Redis holds, at start and at each taking over. What does not need each other is read
 * side by side, in pages: a busy Redis takes a while for each answer, and they would add up. Then comes the
 * next step. */
#pragma once

#include "app/left_epochs.h"
#include "core/stream.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct load_lane;

/* What is read, for who wants to know how long each took. */
enum load_part {
    LOAD_SHARED,    /* meta, totals, what is watched, the groups */
    LOAD_INSTANCES, /* sets, keys, hashes */
    LOAD_JOURNAL,
    LOAD_SIGNALS, /* that are open */
    LOAD_RESULTS, /* that are kept */
    LOAD_TRADES,
    LOAD_EVENTS,
};
#define LOAD_PARTS 7
const char *load_part_name(enum load_part part);

/* How far a part has come: of the load under way, or else of the last one. */
struct load_progress {
    int64_t ms;            /* from the beginning of the load to the last answer */
    uint32_t answers;      /* how many that took */
    struct stream_id next; /* where the next page begins */
    uint64_t page;         /* entries asked for */
};

struct load {
    struct daemon *d;
    const struct load_lane *lanes; /* of all steps; ends with one that begins nothing */
    enum load_part part;           /* at work */
    struct load_progress parts[LOAD_PARTS];
    bool rescanning;
    int step;
    uint32_t pending;     /* answers that this step still waits for */
    uint64_t generation;  /* answers of an abandoned load are ignored */
    struct load_ids *ids; /* instances and trades found */
    uint32_t positions;   /* bits of the streams whose position meta has */
    struct stream_id
        delivered[STREAM_KINDS];            /* as far as our groups stood before; 0-0 where there was none */
    uint32_t groups_behind, streams_behind; /* what was known of them, in a second look */
    uint64_t open_before, open_found;       /* of the signals, in a second look */
    uint64_t results_kept, results_found;   /* behind where our group stood */
    char cursor[32];
    unsigned scans;     /* pages of keys that were looked at */
    unsigned halvings;  /* of the pages, since links were lost over them */
    uint64_t halved_in; /* the generation in which that was last */
    int64_t started_ms, ms;
    uint64_t journal_lines, journal_bad;
    struct stream_id journal;  /* its last entry that was read */
    uint64_t applied;          /* the number of the last batch, as meta had it */
    char epoch[EPOCH_LEN + 1]; /* likewise */
};

void load_init(struct load *load, struct daemon *d);
void load_clear(struct load *load);
/* All of it, anew. One that stands by reads without putting anything right. */
void load_start(struct load *load);
/* A second look, after Redis has lost writes: takes what had ended, and is in the stream of signals again,
 * out of it, takes in what nobody has read though it lies below a position, and counts what is gone
 * (app/loss.h). All of it is asked for in one write, so nothing that had ended stays for longer than two
 * answers take. */
void load_rescan(struct load *load);
/* The link is back and the data is what we left: a stream that has lost entries which were read, and not yet
 * stored, goes on behind them. */
void load_keep_ids(struct load *load);
void load_abandon(struct load *load);
