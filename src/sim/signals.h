/* The signals that are under way in the simulator, and what is going to become of each: that is decided when
 * it is made, from the seed and its number alone, so that no accident of timing changes it. */
#pragma once

#include "sim.h"
#include "util/stream_id.h"

struct planned_signal {
    char *foreign_id;       /* of a signal that somebody else has written; NULL for ours */
    struct stream_id entry; /* 0-0 until known */
    int64_t waiting_since;  /* Redis time of the entry or of its accepted; 0: unknown */
    uint32_t instance;      /* the addressee's number; 0: none */
    uint32_t latency_ms;
    /* The plan. */
    uint8_t action, status; /* enum action, enum result_status */
    bool is_answered;       /* there is a final result */
    bool is_early, is_accepted, has_followup, is_written_twice, result_twice;
    /* What has happened so far. */
    bool written, refused, taken, answered, settled;
    uint8_t pending; /* calls and writes that will still come back to it */
};

struct signals {
    struct sim *sim;
    struct planned_signal *slots; /* a ring */
    size_t cap, head, count;
    uint64_t base; /* the number of the first one in the ring; all before it are done with */
};

void signals_init(struct signals *signals, struct sim *sim);
void signals_clear(struct signals *signals);

/* The next signal with its plan. Borrowed, valid until the next is made. FOREIGN_ID (may be NULL) is copied.
 */
struct planned_signal *signals_plan(struct signals *signals, const char *foreign_id, uint64_t *ret_number);
/* Borrowed; NULL for one that is done with or was never made. */
struct planned_signal *signals_find(struct signals *signals, uint64_t number);
/* The number in one of our own ids; false for ids of others. */
bool signals_parse_id(const struct signals *signals, struct slice id, uint64_t *ret_number);
#define SIGNAL_ID_MAX 72
/* Writes the id with a NUL and returns its length. */
size_t signals_format_id(const struct signals *signals, uint64_t number, char out[SIGNAL_ID_MAX]);

/* Counts the outcome once both the signal and its final result are known to be written. */
void signals_settle(struct signals *signals, struct planned_signal *signal);
/* Gives back those at the front that nothing will come back to. A signal that no executor has met long after
 * it was written counts as unanswered for good. */
void signals_release(struct signals *signals, int64_t wall_ms);
