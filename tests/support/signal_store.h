/* A sink that keeps what Redis would hold about signals: both streams, the journal, the totals; and the way
 * back into a ledger. To be told anything about instances or trades fails the test, events and groups aside.
 *
 * It checks as it goes: single entries are deleted in ascending order, and never one that is to stay. */
#pragma once

#include "core/ledger.h"

struct stored_entry {
    struct stream_id id;
    bool is_valid;
    struct ident signal_id, result_id, instance_id;
    char action[IDENT_ACTION_MAX + 1];
    enum result_status status;
};

struct stored_stream {
    struct stored_entry *entries; /* ascending */
    size_t count, cap;
};

enum journal_kind { JOURNAL_RECEIVED, JOURNAL_ACCEPTED, JOURNAL_ENDED, JOURNAL_EARLY };

struct stored_line {
    enum journal_kind kind;
    int64_t at_ms; /* when its batch was stored */
    struct ident signal_id, action, instance_id;
    struct stream_id entry;
    uint64_t accepted_ms;
    enum signal_outcome outcome;
    enum result_status status;
};

struct stored_total {
    enum total_kind kind;
    struct ident label;
    uint64_t value;
};

struct signal_store {
    struct sink sink; /* to be handed to what is tested; the struct must stay where it is */
    int64_t now_ms;   /* set by the test: the time of what is written */
    struct stored_stream signals, results;
    struct stored_line *lines;
    size_t line_count, line_cap;
    struct stored_total *totals;
    size_t total_count, total_cap;
    uint64_t drops, late_events, drop_events;
    struct stream_id left; /* up to which signals that have ended may be there */
    uint64_t removals;     /* calls that removed anything from a stream */
};

void signal_store_init(struct signal_store *store);
void signal_store_clear(struct signal_store *store);

/* Appends an entry to one of the streams; its ID is above those that are there. */
void stored_stream_add(struct stored_stream *stream, const struct stored_entry *entry);
/* The entry with ID, or NULL. */
const struct stored_entry *stored_stream_find(const struct stored_stream *stream, struct stream_id id);
/* The number of the first entry behind ID. */
size_t stored_stream_behind(const struct stored_stream *stream, struct stream_id id);
/* As others do. */
void stored_stream_remove(struct stored_stream *stream, struct stream_id id);

uint64_t signal_store_total(const struct signal_store *store, enum total_kind kind, const char *label);

/* Takes an entry in as the daemon does. */
void signal_store_feed_signal(struct signal_store *store, struct ledger *ledger,
                              const struct stored_entry *entry);
void signal_store_feed_result(struct signal_store *store, struct ledger *ledger,
                              const struct stored_entry *entry);

/* Loads a fresh LEDGER from what is stored up to the positions; returns what ledger_load_finish does. */
uint64_t signal_store_load(const struct signal_store *store, struct ledger *ledger,
                           struct stream_id signals_position, struct stream_id results_position,
                           int64_t now_ms);
