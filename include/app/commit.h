/* The one way out: fills a batch, sends it, keeps it until there is a definite answer (docs/ARCHITECTURE.md).
 *
 * One batch is under way at a time; the next is filled meanwhile. What is stored is then told: log, counters.
 */
#pragma once

#include "app/waiters.h"
#include "codec/batch.h"
#include "codec/changes.h"
#include "core/histogram.h"
#include "util/buf.h"
#include <stdbool.h>

struct daemon;
struct loop_timer;
struct redisReply;

/* A trade update in a batch, for the latencies of SPEC §9.1. */
struct trade_note {
    struct ident id;
    int64_t read_us;
};

struct trade_notes {
    struct trade_note *items;
    uint32_t count, cap;
};

struct commit {
    struct daemon *d;
    struct batch *filling, *sent;
    struct changes changes; /* of what is being filled, for those who stand by */
    struct trade_notes filling_notes, sent_notes;
    bool has_sent;       /* sent holds a batch without a definite answer */
    bool in_flight;      /* and it is on its way */
    uint32_t displacing; /* foreign values that are being moved out of its way */
    uint64_t attempt;    /* to send something; an answer to an earlier one says nothing */
    bool whole_script;
    bool no_transactions;          /* the user may not do any, on this connection */
    bool held;                     /* nothing new is sent: the reconciler is looking */
    uint64_t applied;              /* number of the last batch that is stored */
    struct stream_id sent_results; /* up to here the results have been taken in with sent */
    int64_t sent_us;
    struct buf rendered;
    struct loop_timer *retry;
    const char *refusal; /* why Redis takes no writes; NULL while it does */
    uint64_t failed_operations, cut_groups, batches;
    struct histogram roundtrip;
    struct waiters waiters;
};

void commit_init(struct commit *c, struct daemon *d);
void commit_clear(struct commit *c);
/* After a reload. */
void commit_configure(struct commit *c);
/* Gives back the memory of batches that are empty. */
void commit_give_back(struct commit *c);
/* Forgets both batches; the next one follows APPLIED. */
void commit_reset(struct commit *c, uint64_t applied);

/* Where effects go. */
struct sink *commit_sink(struct commit *c);
/* The number that the batch which is being filled is going to have. */
uint64_t commit_filling_number(const struct commit *c);
/* Sends what there is, if nothing is under way. */
void commit_kick(struct commit *c);
/* After the link came back with the data that we left: sends again what has no answer. */
void commit_resume(struct commit *c);
void commit_link_lost(struct commit *c);
/* Nothing filled and nothing under way. */
bool commit_is_idle(const struct commit *c);
/* Nothing under way: what Redis holds is what was told to the sink, but for the batch that is being filled.
 */
bool commit_is_settled(const struct commit *c);
/* The batch that is filled has grown to where reading should wait. */
bool commit_is_full(const struct commit *c);
/* Calls FN once everything that was told to the sink so far is stored, or was given up because the state was
 * reset; maybe before this returns. False at the bound of app/waiters.h: FN is not called. */
bool commit_on_stored(struct commit *c, waiter_fn fn, void *ctx);
/* Sends nothing new until released; for reads that must not race with a batch. */
void commit_hold(struct commit *c, bool hold);
void commit_note_trade(struct commit *c, struct slice trade_id, int64_t read_us);

/* For app/transaction.h. The batch is stored, REPLIES are EXEC's. */
void commit_on_transacted(struct commit *c, const struct redisReply *replies);
/* Stores it by the script, which says what is in the way. */
void commit_send_script(struct commit *c);
/* The text of a batch has been copied by the link. */
void commit_drop_rendered(struct commit *c);
