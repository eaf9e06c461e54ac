/* The ledger of signals (SPEC §5.5, §5.6): every signal is received once and ends once.
 *
 * Holds the open signals, the ids that ended within the dedup window, the results that came before their
 * signal, the ids of the results that are kept, and the totals. At every moment, for each action:
 * received = processed + failed + dropped + lost + open.
 *
 * Nothing is allocated per signal: what grows does so by doubling, or in blocks. All times are milliseconds
 * of the Redis server's clock, and slices that are handed over are borrowed for the call. Ids, actions and
 * statuses are valid (codec/signal_entry.h, codec/journal.h); IDs of entries may be any. */
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
    int64_t retell_ms;    /* a signal open for longer, and for longer than dedup_ms, is told the journal anew:
                             all of that is read at a start */
    uint32_t max_tracked; /* open signals with the duplicates that wait with them; results that wait for their
                             signal; ended ids remembered are at most four times this. From 1 */
    uint32_t read_max;    /* entries that one read brings at most: so many results more may wait, until their
                             signals can be read */
    uint32_t results_max_len; /* results kept in their stream; from 1 */
    bool removes_nothing;     /* observe_only: nothing is removed from either stream, all else goes on */
    uint32_t per_id_max;      /* ids per family of §9.1; 0: off */
    int64_t per_id_ttl_ms;
};

/* Why a result had no open signal (SPEC §5.6, §13). */
enum unmatched_reason {
    UNMATCHED_EARLY,
    UNMATCHED_FOLLOWUP,
    UNMATCHED_LATE,
    UNMATCHED_UNKNOWN,
    UNMATCHED_DUPLICATE,
};
#define UNMATCHED_REASONS 5
const char *unmatched_reason_name(enum unmatched_reason reason);

/* Per action: the stored totals, and what they were when this ledger was loaded less what was open then, so
 * that total - base counts from the daemon's start with signals found open as received (SPEC §9.2). */
struct action_counts {
    uint64_t total[TOTAL_DUPLICATE + 1]; /* by enum total_kind */
    uint64_t base[TOTAL_DUPLICATE + 1];
    uint64_t stored[TOTAL_DUPLICATE + 1]; /* what the sink was last told */
    uint64_t open;
};

struct ledger; /* private; what metrics need is read through ledger_view */

/* FLEET is borrowed for the ledger's life: it knows the addressees, and numbers the causes of timers. */
struct ledger *ledger_new(const struct ledger_options *options, struct fleet *fleet, struct hash_key key);
/* NULL is allowed. */
void ledger_free(struct ledger *ledger);
/* New options from a reload; what they cut off leaves with the next call that adds, or with the next flush.
 */
void ledger_configure(struct ledger *ledger, const struct ledger_options *options);
/* Forgets everything loaded and counted, and a hold. */
void ledger_reset(struct ledger *ledger);
/* No signal is dropped or lost, and no waiting result is given up for its age, before UNTIL_MS, whatever is
 * due (SPEC §6.5). A later hold extends it, an earlier one changes nothing. */
void ledger_hold(struct ledger *ledger, int64_t until_ms);

/* Events go to FN from here on, and not to the sink: for whoever keeps signals and instances apart. INSTANCE
 * is the addressee, or NULL; EVENT has neither its id nor a seq. */
typedef void (*ledger_event_fn)(void *ctx, const struct instance *instance, const struct event *event);
void ledger_send_events(struct ledger *ledger, ledger_event_fn fn, void *ctx);

/* The time of the signals that are taken in from here on: one that ends at once, by a result that came before
 * it, is remembered from then. After a backlog, without this, from when something was last stored. */
void ledger_set_time(struct ledger *ledger, int64_t now_ms);

/* Taking in, each stream in the order of its entries. What is told to SINK belongs to the group that the
 * caller has begun: journal lines, and of a result also late_execution. An entry whose ID is that of its open
 * signal is the same entry again and is ignored. */
void ledger_on_signal(struct ledger *ledger, const struct signal_entry *entry, struct sink *sink);
void ledger_on_result(struct ledger *ledger, const struct result_entry *entry, int64_t now_ms,
                      struct sink *sink);
/* The two halves of ledger_on_result, for whoever keeps results and signals in a ledger each. The first
 * counts the result and keeps its id; false where that is one that is kept, which does nothing else. The
 * second is what it does to its signal. */
bool ledger_count_result(struct ledger *ledger, const struct result_entry *entry, int64_t now_ms);
void ledger_match_result(struct ledger *ledger, const struct result_entry *entry, int64_t now_ms,
                         struct sink *sink);
/* ENTRY has been counted, and was a duplicate: as far as the results that are kept tell. */
bool ledger_was_duplicate(const struct ledger *ledger, const struct result_entry *entry);
/* An invalid entry of the stream of signals or results (of another: nothing): its removal goes with the next
 * flush, unless nothing is removed. */
void ledger_on_rejected(struct ledger *ledger, enum stream_kind stream, struct stream_id entry);

/* As many open signals, with the duplicates that wait with them, as max_tracked: read no further signals.
 * While results wait for their signal it is twice as many. */
bool ledger_is_full(const struct ledger *ledger);
/* It will not be full when COUNT signals more have been taken in, whatever they are. */
bool ledger_has_room(const struct ledger *ledger, uint32_t count);

/* The next moment at which ledger_expire or ledger_collect_late has something to do, which may have passed
 * while a horizon lags, and is not before the end of a hold; INT64_MAX for never. */
int64_t ledger_next_deadline(const struct ledger *ledger);
/* Results that waited too long for their signal count as unknown; ids leave the dedup window, some thousand
 * in a call. HORIZON_MS: signals and results are known to have been read to their end up to here (the lesser
 * of both); nothing is judged any further. */
void ledger_expire(struct ledger *ledger, int64_t now_ms, int64_t horizon_ms);

/* Writes to ENTRIES up to MAX entry IDs of open signals whose deadline is not later than RESULTS_HORIZON_MS
 * (results are known to have been read to their end up to here; not above now), the oldest deadline first,
 * and returns how many; none where that is before the end of a hold. The caller finds out which are still in
 * the stream and hands the same list to ledger_end_late. */
size_t ledger_collect_late(const struct ledger *ledger, int64_t results_horizon_ms, struct stream_id *entries,
                           size_t max);
/* Ends those of ENTRIES that are still open, late and not held: dropped where PRESENT (copied to the stream
 * of the dropped ones, event signal_dropped), else lost. One group is begun for each. One that was overtaken
 * meanwhile may be left for the next time. */
void ledger_end_late(struct ledger *ledger, const struct stream_id *entries, const bool *present,
                     size_t count, int64_t results_horizon_ms, int64_t now_ms, struct sink *sink);

/* Ends a batch: tells the sink the totals that changed, which entries to remove and how far to trim both
 * streams, and, at most once a second, the journal. SIGNALS_POSITION is the last entry taken in of the
 * signals: no entry at or before it stays in the stream but the open ones and the duplicates that wait with
 * them. Costs in proportion to what the batch changed.
 *
 * With removes_nothing no removal is told; instead, up to which entry of the signals some that have ended may
 * be there. Once it is off again these are removed from the front, as far as nothing is open, and the results
 * are cut to those kept (docs/decisions/0006-observe-only.md). */
void ledger_flush(struct ledger *ledger, struct stream_id signals_position, int64_t now_ms,
                  struct sink *sink);

/* Results from FROM on are not trimmed by the flushes that follow: somebody has to read them still. */
void ledger_need_results(struct ledger *ledger, struct stream_id from);

/* Loading into a fresh (or reset) ledger at start, in this order, the fleet being loaded; nothing is told to
 * a sink before the first flush behind ledger_load_finish. */

/* Until ledger_load_finish the view shows nothing as counted or open: what is found comes piece by piece, and
 * would not add up. */
void ledger_load_begin(struct ledger *ledger);
/* A field of the totals; one whose label is none is ignored. */
void ledger_load_total(struct ledger *ledger, enum total_kind kind, struct slice label, uint64_t value);

/* One line of the journal each (codec/journal.h), in order; AT_MS is the time of the journal's entry. */
void ledger_load_received(struct ledger *ledger, struct slice signal_id, struct stream_id entry,
                          struct slice action, struct slice instance_id, uint64_t at_ms);
void ledger_load_accepted(struct ledger *ledger, struct slice signal_id, uint64_t accepted_ms);
void ledger_load_ended(struct ledger *ledger, struct slice signal_id, enum signal_outcome outcome,
                       uint64_t at_ms);
void ledger_load_early(struct ledger *ledger, struct slice signal_id, enum result_status status,
                       struct stream_id result);
/* Up to which entry of the signals some that had ended may have been left in the stream, as the sink was last
 * told; before the first entry. */
void ledger_load_left(struct ledger *ledger, struct stream_id until);
/* The entry of the signals before which, behind the journal, all are known to have ended and to be of no
 * further use: ledger_load_entry may begin there. 0-0 where none was left. Looks at each open signal. */
struct stream_id ledger_find_unsettled(const struct ledger *ledger);
/* A valid entry of the signal stream at or before the position that had been handled, in order: open, also
 * where the journal does not know it; a duplicate that waits with its first; one that had ended and was left;
 * or one that had ended and came back (its removal goes with the next flush). */
void ledger_load_entry(struct ledger *ledger, const struct signal_entry *entry);
/* An entry of the stream of results at or before its position, in order; RESULT_ID is empty where the entry
 * is not valid. */
void ledger_load_result(struct ledger *ledger, struct stream_id entry, struct slice result_id);
/* All has been loaded, and what another daemon does is going to follow: lines of the journal, results and
 * duplicates as he takes them in, in any number, before ledger_load_finish. May be called again now and then:
 * addressees that have become known since are found. */
void ledger_load_follow(struct ledger *ledger);
/* The entry of a signal that was open when it came: it waits with that one, where that is open still. */
void ledger_load_duplicate(struct ledger *ledger, struct slice signal_id, struct stream_id entry);
/* The journal begins at JOURNAL_MS by now: what had ended before is not remembered any more; and signals have
 * been taken in up to SIGNALS_POSITION: results whose signal had to come before wait no longer. */
void ledger_load_forget(struct ledger *ledger, uint64_t journal_ms, struct stream_id signals_position);
/* Ends loading: sets the base of the counters. Where the totals and what was found open do not agree, the
 * difference is booked as lost (or as received) and returned: 0 as a rule. */
uint64_t ledger_load_finish(struct ledger *ledger, int64_t now_ms);

/* Begins to tell the sink everything that is stored about signals anew (after a wipe): the totals at once,
 * the journal with the second, a line for each id. The window of an ended id counts anew for the next start.
 */
void ledger_write_back(struct ledger *ledger, struct sink *sink);
/* Tells the journal the newest ids that have ended, some 20,000, for the same batch: where Redis has gone
 * back its journal has some of them open, and what counts them as ended may not be stored without the ends.
 * They are told again with the others. */
void ledger_write_back_newest(struct ledger *ledger, struct sink *sink);
/* Goes on with at most MOST ids; false once all have been told. Anything may happen to signals between two
 * calls. Nothing to do where it has not begun. */
bool ledger_write_back_on(struct ledger *ledger, uint32_t most, struct sink *sink);

/* Whether the sink was last told VALUE for a total, and of how many totals it was told: to hold against what
 * the store has. */
bool ledger_is_stored(const struct ledger *ledger, enum total_kind kind, struct slice label, uint64_t value);
size_t ledger_count_stored(const struct ledger *ledger);

/* After Redis has gone back: whose an entry of the signals is that lies at or before what was taken in. */
enum ledger_found {
    FOUND_OPEN,    /* the entry of a signal that is open, or one more with its id */
    FOUND_ENDED,   /* its signal has ended, so it should not be there */
    FOUND_UNKNOWN, /* its signal never was here, or has ended longer ago than is remembered */
};
/* *RET_IS_FIRST: where it is open, whether this is the entry that opened it. */
enum ledger_found ledger_find_entry(const struct ledger *ledger, const struct signal_entry *entry,
                                    bool *ret_is_first);
/* How many of the kept results lie behind AFTER, and whether RESULT_ID is that of a kept one. */
uint64_t ledger_count_results(const struct ledger *ledger, struct stream_id after);
bool ledger_keeps_result(const struct ledger *ledger, struct slice result_id);
/* The entry before which results were handled that are not kept any more; 0-0 where all still are. */
struct stream_id ledger_kept_from(const struct ledger *ledger);

/* For metrics; borrowed, valid until the ledger changes. */
struct ledger_view {
    const struct labels *actions;
    const struct action_counts *counts;    /* by label number, LABELS_MAX + 1 of them */
    const uint64_t *results;               /* by enum result_status, since the daemon's start */
    uint64_t unmatched[UNMATCHED_REASONS]; /* by enum unmatched_reason, since the daemon's start */
    uint64_t open, oldest_open_ms;         /* oldest: the time of its entry, 0 for none */
    uint64_t ended_remembered, early_waiting;
    uint64_t ended_evicted; /* ids that left the dedup window for the bound on their number */
    const struct histogram *latency_seconds, *slippage, *execution_seconds;
    /* Labels: the action for signals, enum result_status for results. Values: 1 for what is counted;
     * milliseconds for latency and result_execution. */
    const struct recent *received, *processed, *failed, *dropped, *latency;
    const struct recent *result, *result_slippage, *result_execution;
};
void ledger_view(const struct ledger *ledger, struct ledger_view *ret_view);
/* Where the results are kept and counted by another LEDGER: adds what it knows of them to VIEW. */
void ledger_view_results(const struct ledger *ledger, struct ledger_view *view);

/* Where in the list of open signals: the entry, and whose it is, which only makes it quicker to find. */
struct ledger_place {
    struct stream_id entry;
    struct slice signal_id; /* may be empty */
};

struct ledger_signal {
    struct ledger_place place;
    struct slice action;
    struct slice instance_id; /* the addressee; empty where it is not known */
    bool is_accepted;
};

/* Writes up to MAX open signals behind AFTER to RET_SIGNALS, the oldest entry first, and returns how many.
 * Borrowed until the ledger changes. */
size_t ledger_list_open(const struct ledger *ledger, const struct ledger_place *after,
                        struct ledger_signal *ret_signals, size_t max);

/* True where SIGNAL_ID is open. */
bool ledger_is_open(const struct ledger *ledger, struct slice signal_id);
