/* Where the core says what should happen. The core decides; a sink does: the daemon's writes it into the
 * outgoing batch, a test's records it. Nothing handed over outlives the call.
 *
 * Between two calls of `begin` everything belongs together: it becomes visible together, or not at all. */
#pragma once

#include "core/event.h"
#include "core/stream.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stdint.h>

/* The hashes of SPEC §4, by object. */
enum record_kind { RECORD_INSTANCE, RECORD_METRICS, RECORD_HEALTH, RECORD_TRADE };
#define RECORD_KINDS 4

/* The families of sets, one set per state. */
enum index_kind { INDEX_INSTANCE_STATE, INDEX_TRADE_STATE };

/* The fields of mt5stated:totals. */
enum total_kind {
    TOTAL_RECEIVED,
    TOTAL_PROCESSED,
    TOTAL_FAILED,
    TOTAL_DROPPED,
    TOTAL_LOST,
    TOTAL_DUPLICATE,
    TOTAL_RESULT
};
#define TOTAL_KINDS 7

/* How a signal ended. */
enum signal_outcome { OUTCOME_PROCESSED, OUTCOME_FAILED, OUTCOME_DROPPED, OUTCOME_LOST };

struct alert;
struct breaker_group;
struct command_order;
struct notice;
struct watch_record;

struct record_field {
    struct slice name, value;
};

struct sink_ops {
    /* Opens a group: the effects of one input. */
    void (*begin)(void *ctx, const struct cause *cause);

    /* HSET / HDEL / DEL / EXPIRE of the record of object ID. */
    void (*record_set)(void *ctx, enum record_kind kind, struct slice id, const struct record_field *fields,
                       size_t count);
    void (*record_unset)(void *ctx, enum record_kind kind, struct slice id, const struct slice *names,
                         size_t count);
    void (*record_remove)(void *ctx, enum record_kind kind, struct slice id);
    void (*record_expire)(void *ctx, enum record_kind kind, struct slice id, int64_t ttl_s);

    /* Moves ID from the set of state FROM to that of state TO; NULL: from, or to, no set. */
    void (*index_move)(void *ctx, enum index_kind kind, struct slice id, const char *from, const char *to);
    /* The score of ID in instance:index:load, and its removal. */
    void (*load_set)(void *ctx, struct slice id, double score);
    void (*load_remove)(void *ctx, struct slice id);

    /* Appends to the stream of events and publishes; a seq is stored with it. */
    void (*event)(void *ctx, const struct event *event);
    /* Stores the seq of an instance without an event; forgets that of a removed one. */
    void (*seq_set)(void *ctx, struct slice instance_id, uint64_t seq);
    void (*seq_forget)(void *ctx, struct slice instance_id);

    /* Puts the entry of CAUSE into `{stream}_rejected`; REASON is `field: what is wrong`. */
    void (*reject)(void *ctx, const struct cause *cause, struct slice reason);

    /* What watches over instances (core/watch.h), for the next start. RULE is the name of an alert's rule. */
    void (*watch_set)(void *ctx, struct slice id, const struct watch_record *record);
    void (*watch_unset)(void *ctx, struct slice id);
    void (*alert_set)(void *ctx, struct slice id, const struct alert *alert);
    void (*alert_unset)(void *ctx, struct slice id, struct slice rule);
    void (*notice_set)(void *ctx, const struct notice *notice);
    void (*notice_unset)(void *ctx, const struct notice *notice);
    void (*breaker_set)(void *ctx, const struct breaker_group *group);
    void (*breaker_unset)(void *ctx, const struct breaker_group *group);
    /* Puts ID into instance:index:throttled, or takes it out. */
    void (*throttled_set)(void *ctx, struct slice id, bool throttled);
    /* Appends to the stream of commands; its hook runs once that is stored. */
    void (*command)(void *ctx, const struct command_order *order);
    /* Whoever is notified is to be told of NOTICE, once what the batch says about it is stored. EVENT is
     * that of its beginning or end. */
    void (*notify)(void *ctx, const struct notice *notice, const struct event *event);

    /* The journal of signals, for the next start (docs/REDIS_SCHEMA.md). */
    void (*journal_received)(void *ctx, struct slice signal_id, struct stream_id entry, struct slice action,
                             struct slice instance_id);
    void (*journal_accepted)(void *ctx, struct slice signal_id, uint64_t accepted_ms);
    void (*journal_ended)(void *ctx, struct slice signal_id, enum signal_outcome outcome);
    void (*journal_early)(void *ctx, struct slice signal_id, struct slice status, struct stream_id result);
    /* Lines of the journal older than this are needed no more. */
    void (*journal_trim)(void *ctx, uint64_t min_ms);

    /* Copies the signal's entry to trade_signals_dropped; its removal is told apart. */
    void (*signal_drop)(void *ctx, struct stream_id entry, int64_t age_ms);
    /* Removes single entries of the signal stream, and all below MIN; told once per batch, behind everything
     * else. */
    void (*signals_delete)(void *ctx, const struct stream_id *entries, size_t count);
    void (*signals_trim)(void *ctx, struct stream_id min);
    /* Up to which entry of the signals some that have ended may have been left in the stream, for the next
     * start; 0-0: none. */
    void (*signals_left)(void *ctx, struct stream_id until);
    /* Removes single results (rejected ones), and all below MIN. */
    void (*results_delete)(void *ctx, const struct stream_id *entries, size_t count);
    void (*results_trim)(void *ctx, struct stream_id min);

    /* The absolute value of a total; LABEL is the action or the status. */
    void (*total_set)(void *ctx, enum total_kind kind, struct slice label, uint64_t value);
};

struct sink {
    const struct sink_ops *ops;
    void *ctx;
};

/* Takes everything and does nothing: a beginning for whoever cares about a few things only. */
extern const struct sink_ops sink_ops_silent;

const char *total_kind_name(enum total_kind kind);
const char *signal_outcome_name(enum signal_outcome outcome);
