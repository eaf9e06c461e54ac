/* What the parts of the checks share. */
#pragma once

#include "checks.h"

/* The total that an outcome adds to. */
extern const enum total_kind check_ends[4];

/* checks.c: what the store holds. Of a missing key nothing is there. */
uint64_t total_of(const struct checks *c, enum total_kind kind, const char *label);
const struct store_key *stream_of(const struct checks *c, enum stream_kind k);
uint64_t added_to(const struct checks *c, const char *stream, const char *suffix);
/* The first entry that was added since the last look. */
uint32_t first_new(const struct store_key *key, struct seen *seen);

/* checks_signals.c: streams, signals, results (invariants 3, 4, 5). */
void look_at_positions(struct checks *c);
void count_handled(struct checks *c);
void look_for_unhandled(struct checks *c);
void look_for_removed(struct checks *c);
void look_at_rejected(struct checks *c);
void look_at_journal(struct checks *c);
void look_at_open(struct checks *c);
void look_at_totals(struct checks *c);
void look_at_kept(struct checks *c);

/* checks_instances.c: instances and trades (invariants 1, 2). */
const struct store_key *record_of(const struct checks *c, enum record_kind kind, const char *id);
void look_at_sets(struct checks *c, const char *id, enum instance_state *ret_state);
void look_at_events(struct checks *c);
void look_at_instances(struct checks *c);
void look_at_trades(struct checks *c);
