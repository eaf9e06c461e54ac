/* What a batch changes, told to daemons that stand by (docs/decisions/0016-warm-standby.md).
 *
 * While somebody stands by, each batch appends an entry to mt5stated:changes in the same script call. Its ID
 * is the number of the batch, so whoever finds a number missing knows that he has missed something. Its one
 * field is text: one change a line, words parted by one space.
 *
 *   i <instance_id>                          something of it: its hashes, its state, its seq, its watch
 *   a <instance_id> <rule>                   likewise, its alert of this rule
 *   f <instance_id> <kind> <name> <value>... fields of one of its hashes (a number of enum record_kind)
 *   n <key>                                  a notice
 *   t <trade_id>                             a trade
 *   r <ms-seq> <result_id>                   a result was taken in
 *   d <ms-seq> <signal_id>                   a signal was, while its id was open
 *
 * All else that is stored is either read as a whole by whoever takes over (totals, positions, the breaker) or
 * told by the journal of signals, which is a list of what happened itself. A line names more than has changed
 * where the change was cut out of the batch: that does no harm, since it only says what is to be read again.
 */
#pragma once

#include "core/ident.h"
#include "core/sink.h"
#include "util/buf.h"

struct batch;

struct changes {
    struct sink sink; /* in front of that of a batch */
    struct sink *to;
    bool is_wanted; /* somebody stands by */
    bool is_noting; /* the batch that is being filled is noted, from its first operation on */
    bool is_stale;  /* the stream has numbers of before, or nobody wants it any more: it is removed */
    struct buf text;
    struct ident told; /* the instance of the last line, where that was `i` */
    size_t bytes;      /* of the entries since `mark` */
    uint64_t mark,
        older; /* numbers of batches: CHANGES_BYTES lie between them, and what lies before `older` goes */
};

/* The stream holds this much of text, and up to twice as much. */
#define CHANGES_BYTES ((size_t)8 << 20)

void changes_init(struct changes *changes);
void changes_clear(struct changes *changes);
/* Whether somebody stands by. They begin with the next batch where the one that is being filled is not EMPTY.
 */
void changes_want(struct changes *changes, bool is_wanted, bool is_empty);
/* The next batch removes the stream: what it holds is of another time. */
void changes_begin_anew(struct changes *changes);

/* Where effects go that are bound for SINK: that itself, or one that notes and passes them on. Valid until
 * the batch is sealed. */
struct sink *changes_sink(struct changes *changes, struct sink *sink);
/* What no sink is told. */
void changes_note_result(struct changes *changes, struct stream_id entry, struct slice result_id);
void changes_note_duplicate(struct changes *changes, struct stream_id entry, struct slice signal_id);
/* BATCH is about to be sealed as NUMBER: the entry goes into it. Begins the notes of the next one. */
void changes_seal(struct changes *changes, struct batch *batch, uint64_t number);
/* The batch that was being filled is given up. */
void changes_reset(struct changes *changes);

/* Who is told of the lines; slices are borrowed. */
struct changes_reader {
    void (*instance)(void *ctx, struct slice id);
    void (*alert)(void *ctx, struct slice id, struct slice rule);
    /* FIELDS: the words behind the kind; changes_next_field takes them apart. */
    void (*fields)(void *ctx, struct slice id, enum record_kind kind, struct slice fields);
    void (*notice)(void *ctx, struct slice key);
    void (*trade)(void *ctx, struct slice id);
    void (*result)(void *ctx, struct stream_id entry, struct slice result_id);
    void (*duplicate)(void *ctx, struct stream_id entry, struct slice signal_id);
    void *ctx;
};

/* Tells READER each line of TEXT, in order, up to the first that is not as above; false where there was one.
 */
bool changes_read(struct slice text, const struct changes_reader *reader);
/* Takes a name and its value from the front of FIELDS; false where there is none. */
bool changes_next_field(struct slice *fields, struct slice *ret_name, struct slice *ret_value);
