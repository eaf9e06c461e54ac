/* The ledger of signals (SPEC §5.5, §5.6): every signal is received once and ends once.
 *
 * Holds the open signals, the ids that ended within the dedup window, the results that came before their signal, the ring of results that
 * are kept, and the totals. At every moment, for each action: received = processed + failed + dropped + lost + open.
 *
 * Nothing is allocated per signal: slabs grow by doubling. All times are those of the Redis server. */
#pragma once

#include "core/fleet.h"
#include "core/histogram.h"
#include "core/labels.h"
#include "core/recent.h"
#include "core/signal.h"
#include "core/sink.h"
#include "util/map.h"

struct ledger_options {
    int64_t ttl_ms, execution_ttl_ms, dedup_ms;
    uint32_t max_tracked; /* open signals; results waiting for their signal; ended ids remembered are at most four times this */
    uint32_t results_max_len;
    uint32_t per_id_max;  /* ids per family of §9.1; 0: off */
    int64_t per_id_ttl_ms;
};

enum unmatched_reason { UNMATCHED_EARLY, UNMATCHED_FOLLOWUP, UNMATCHED_LATE, UNMATCHED_UNKNOWN, UNMATCHED_DUPLICATE };
#define UNMATCHED_REASONS 5
const char *unmatched_reason_name(enum unmatched_reason reason);

/* Per action: the stored totals, and what they were when this ledger was loaded less what was open then, so that
 * total - base counts from the daemon's start with signals found open as received (SPEC §9.2). */
struct action_counts {
    uint64_t total[TOTAL_DUPLICATE + 1]; /* by enum total_kind */
    uint64_t base[TOTAL_DUPLICATE + 1];
    uint64_t stored[TOTAL_DUPLICATE + 1]; /* what the sink was last told */
    uint64_t open;
};

struct ledger; /* private; what metrics need is read through ledger_view */

struct ledger *ledger_new(const struct ledger_options *options, struct fleet *fleet, struct hash_key key);
void ledger_free(struct ledger *ledger);
/* New options from a reload. */
void ledger_configure(struct ledger *ledger, const struct ledger_options *options);
/* Forgets everything loaded and counted. */
void ledger_reset(struct ledger *ledger);

/* Taking in. NOW_MS as everywhere; what is told to SINK belongs to the group that the caller has begun. */
void ledger_on_signal(struct ledger *ledger, const struct signal_entry *entry, struct sink *sink);
void ledger_on_result(struct ledger *ledger, const struct result_entry *entry, int64_t now_ms, struct sink *sink);
/* An invalid entry of the stream of signals or results: its removal goes with the next flush. */
void ledger_on_rejected(struct ledger *ledger, enum stream_kind stream, struct stream_id entry);

/* More open signals, or duplicates waiting with them, than max_tracked: read no further signals. */
bool ledger_is_full(const struct ledger *ledger);

/* The next moment at which ledger_expire or ledger_collect_late has something to do; INT64_MAX for never. */
int64_t ledger_next_deadline(const struct ledger *ledger);
/* Results that waited too long for their signal count as unknown; ids leave the dedup window. SIGNALS_HORIZON_MS: the signals are known to have been
 * read to their end up to here. */
void ledger_expire(struct ledger *ledger, int64_t now_ms, int64_t signals_horizon_ms);

/* Writes to ENTRIES up to MAX entry IDs of open signals whose deadline is not later than RESULTS_HORIZON_MS, the oldest deadline first; the caller finds
 * out which are still in the stream and hands the same list to ledger_end_late. */
size_t ledger_collect_late(const struct ledger *ledger, int64_t results_horizon_ms, struct stream_id *entries, size_t max);
/* Ends those of ENTRIES that are still open and late: dropped where PRESENT, else lost. One group is begun for each. */
void ledger_end_late(struct ledger *ledger, const struct stream_id *entries, const bool *present, size_t count,
                     int64_t results_horizon_ms, int64_t now_ms, struct sink *sink);

/* Ends a batch: tells the sink the totals that changed, what to remove and how far to trim. SIGNALS_POSITION is the last entry taken in of the signals. */
void ledger_flush(struct ledger *ledger, struct stream_id signals_position, int64_t now_ms, struct sink *sink);

/* Loading at start, in this order; nothing is told to a sink before ledger_load_finish. */
void ledger_load_total(struct ledger *ledger, enum total_kind kind, struct slice label, uint64_t value);
/* One line of the journal (as written by codec/journal), from the journal entry of time AT_MS. */
void ledger_load_received(struct ledger *ledger, struct slice signal_id, struct stream_id entry, struct slice action,
                          struct slice instance_id);
void ledger_load_accepted(struct ledger *ledger, struct slice signal_id, uint64_t accepted_ms);
void ledger_load_ended(struct ledger *ledger, struct slice signal_id, enum signal_outcome outcome, uint64_t at_ms);
void ledger_load_early(struct ledger *ledger, struct slice signal_id, enum result_status status, struct stream_id result);
/* A valid entry of the signal stream at or before the position that had been handled: open, a duplicate that waits with its first, or
 * one that had ended and came back (its removal goes with the next flush). */
void ledger_load_entry(struct ledger *ledger, const struct signal_entry *entry);
/* A kept result, in ascending order; RESULT_ID may be empty where the entry is not valid. */
void ledger_load_result(struct ledger *ledger, struct stream_id entry, struct slice result_id);
/* Ends loading: sets the base of the counters. Where the totals and what was found open do not agree, the difference is booked as lost (or as received) and
 * returned, 0 as a rule. */
uint64_t ledger_load_finish(struct ledger *ledger, int64_t now_ms);

/* Tells the sink everything that is stored about signals, totals and journal, anew (after a wipe). */
void ledger_write_back(struct ledger *ledger, struct sink *sink);

/* For metrics. */
struct ledger_view {
    const struct labels *actions;
    const struct action_counts *counts; /* by label number, LABELS_MAX + 1 of them */
    const uint64_t *results;            /* by enum result_status, since the daemon's start */
    const uint64_t *unmatched;          /* by enum unmatched_reason */
    uint64_t open, oldest_open_ms;      /* oldest: 0 for none */
    uint64_t ended_remembered, early_waiting, ended_evicted;
    const struct histogram *latency_seconds, *slippage, *execution_seconds;
    /* Labelled by action: received, processed, failed; by status: result. The others are shown by id alone, so that their
     * label is 0. */
    const struct recent *received, *processed, *failed, *dropped, *latency, *result, *result_slippage, *result_execution;
};
void ledger_view(const struct ledger *ledger, struct ledger_view *ret_view);

/* True where SIGNAL_ID is open. For tests and the API. */
bool ledger_is_open(const struct ledger *ledger, struct slice signal_id);
