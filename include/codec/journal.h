/* The journal of signals as text, one line a fact, so that a start knows what the last daemon knew
 * (docs/REDIS_SCHEMA.md):
 *
 *   R <ms-seq> <action> <instance_id or -> <signal_id>    received, with the entry's ID
 *   A <ms> <signal_id>                                    accepted, by a result of that time
 *   E <P|F|D|L> <signal_id>                               ended: processed, failed, dropped, lost
 *   Y <ms-seq> <status> <signal_id>                       a result that came before its signal
 *
 * Words are parted by one space, and every line ends in a newline. */
#pragma once

#include "core/signal.h"
#include "core/sink.h"
#include "util/buf.h"

/* Append a line to OUT. Ids and the action are valid; INSTANCE_ID may be empty. */
void journal_add_received(struct buf *out, struct slice signal_id, struct stream_id entry,
                          struct slice action, struct slice instance_id);
void journal_add_accepted(struct buf *out, struct slice signal_id, uint64_t accepted_ms);
void journal_add_ended(struct buf *out, struct slice signal_id, enum signal_outcome outcome);
/* STATUS is a name of core/signal.h. */
void journal_add_early(struct buf *out, struct slice signal_id, struct slice status, struct stream_id result);

/* Who is told of the lines; slices are borrowed and valid during the call. */
struct journal_reader {
    void (*received)(void *ctx, struct slice signal_id, struct stream_id entry, struct slice action,
                     struct slice instance_id);
    void (*accepted)(void *ctx, struct slice signal_id, uint64_t accepted_ms);
    void (*ended)(void *ctx, struct slice signal_id, enum signal_outcome outcome);
    void (*early)(void *ctx, struct slice signal_id, enum result_status status, struct stream_id result);
    void *ctx;
};

/* Tells READER each line of TEXT, in order; all values are valid. TEXT may hold any bytes: a line that is not
 * exactly as above is skipped. Returns how many were. */
size_t journal_read(struct slice text, const struct journal_reader *reader);
