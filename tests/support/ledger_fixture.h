/* A ledger with a fleet and a recording sink, fed in short lines. Instance `mt5-1` is known.
 *
 * Options: ttl 1000 ms, execution ttl 2000 ms, dedup 5000 ms, 100 tracked, 50 results, 10 ids per family. */
#pragma once

#include "core/ledger.h"
#include "recording_sink.h"

struct ledger_fixture {
    struct fleet fleet;
    struct ledger *ledger;
    struct recording_sink sink;
    struct ledger_view view; /* as of the last ledger_fixture_look */
};

struct ledger_options ledger_fixture_options(void);

/* For cmocka: *STATE is the fixture. */
int ledger_fixture_setup(void **state);
int ledger_fixture_teardown(void **state);
/* A ledger of other options in its place. */
void ledger_fixture_restart(struct ledger_fixture *f, const struct ledger_options *options);

/* `1000-0`, `s1`, `buy`, `mt5-1` or NULL. */
void feed_signal(struct ledger_fixture *f, const char *entry, const char *signal_id, const char *action,
                 const char *instance_id);
/* So many orders to buy: the entry MS-N is signal sN, from FIRST on. */
void feed_signals(struct ledger_fixture *f, unsigned ms, unsigned first, unsigned count);
/* Taken in at the time of its entry. */
void feed_result(struct ledger_fixture *f, const char *entry, const char *result_id, const char *signal_id,
                 const char *status);
void flush(struct ledger_fixture *f, const char *position, int64_t now_ms);
/* Collects what is late and ends it; how many were collected is returned. */
size_t end_late(struct ledger_fixture *f, int64_t horizon_ms, int64_t now_ms, bool present);
struct stream_id entry_id(const char *text);

/* Sets view and returns the counts of ACTION. */
const struct action_counts *look(struct ledger_fixture *f, const char *action);
/* Fails unless the totals of ACTION are these, and what is open makes them balance. */
void assert_totals(struct ledger_fixture *f, const char *action, uint64_t received, uint64_t processed,
                   uint64_t failed, uint64_t dropped, uint64_t lost, uint64_t duplicate);
/* Fails unless the results without an open signal were counted so. */
void assert_unmatched(struct ledger_fixture *f, uint64_t early, uint64_t followup, uint64_t late,
                      uint64_t unknown, uint64_t duplicate);
bool is_open(struct ledger_fixture *f, const char *signal_id);
