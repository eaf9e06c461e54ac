/* Everything that the simulator writes, each entry exactly once whatever becomes of the connection.
 *
 * Entries are gathered into batches; a batch is one script call, one is under way at a time. The script
 * stores the batch's number with its effects and does nothing for a number that it has seen: so a batch whose
 * answer never came is just sent again. What was written is known for certain, unless Redis itself loses
 * writes; that is noticed (writer_fault). */
#pragma once

#include "core/stream.h"
#include "util/slice.h"
#include "util/stream_id.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct redis_link_options;
struct writer;

struct written {
    bool ok;    /* false: Redis refused this entry, so it is not there */
    int64_t ms; /* of the entry's ID; where the answer was lost, the time now, which is later */
};
typedef void (*written_fn)(void *ctx, uint64_t arg, const struct written *written);

struct writer_options {
    const char *stream[STREAM_KINDS];
    const char *group; /* in which writer_ack acknowledges signals */
    const char *run_id;
    /* Called whenever a batch has been settled. */
    void (*on_progress)(void *ctx);
    /* The link came up or went down: a line for people, valid during the call. */
    void (*on_link)(void *ctx, bool up, const char *text);
    void *ctx;
};

/* LINK's reply functions are ignored. OPTIONS' texts are borrowed. */
struct writer *writer_new(struct loop *loop, const struct redis_link_options *link,
                          const struct writer_options *options);
void writer_free(struct writer *writer);

/* One entry: begin, at least one field, end. FN (may be NULL) is called once, when it is settled. */
void writer_begin(struct writer *writer, enum stream_kind stream);
void writer_add(struct writer *writer, const char *name, struct slice value);
void writer_add_text(struct writer *writer, const char *name, const char *value);
void writer_add_number(struct writer *writer, const char *name, double value, int decimals);
void writer_add_whole(struct writer *writer, const char *name, uint64_t value);
void writer_end(struct writer *writer, written_fn fn, void *ctx, uint64_t arg);
/* Acknowledges an entry of the signals in the group, together with what is added beside it. */
void writer_ack(struct writer *writer, struct stream_id entry);

/* Sends what has been gathered, unless a batch is under way. */
void writer_flush(struct writer *writer);
/* Removes the key that holds the numbers. Once idle; nothing can be added after it. */
void writer_finish(struct writer *writer);

bool writer_is_up(const struct writer *writer);
/* Nothing waits and nothing is under way. */
bool writer_is_idle(const struct writer *writer);
/* So much waits that whoever can do without should not add more. */
bool writer_is_full(const struct writer *writer);
/* Why what was written is not known for certain; NULL where it is. */
const char *writer_fault(const struct writer *writer);

struct writer_stats {
    uint64_t entries[STREAM_KINDS]; /* of every kind that were stored */
    uint64_t refused;               /* entries that Redis refused one by one */
    uint64_t batches, resent, connects;
};
const struct writer_stats *writer_stats(const struct writer *writer);
