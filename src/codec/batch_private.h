/* What batch.c and batch_sink.c share: keys, operations, groups. */
#pragma once

#include "codec/batch.h"
#include "codec/resp.h"
#include "util/alloc.h"
#include <stdlib.h>

/* KEYS[1] and KEYS[2] of the script are the lease and meta. */
#define BATCH_FIRST_KEY 3
/* Memory kept by a buffer that is empty. */
#define BATCH_KEEP_BYTES ((size_t)1 << 18)
/* Likewise of the fields of events, in number: more come with hundreds of events only. */
#define BATCH_KEEP_FIELDS 4096
/* Words that one command takes at most: the script hands them over on Lua's stack. */
#define BATCH_WORDS_MAX 1000

/* The most of the journal that goes into one entry: a start reads them in pages of a number. */
#define JOURNAL_BYTES ((size_t)16 << 10)

#define GROW(array, count, cap)                                                                              \
    do {                                                                                                     \
        if ((count) == (cap)) {                                                                              \
            (cap) = (cap) ? (cap)*2 : 64;                                                                    \
            (array) = mem_resize((array), (cap), sizeof *(array));                                           \
        }                                                                                                    \
    } while (0)

/* Where the words of an operation go. */
struct batch_part {
    struct buf *words;
    size_t *args;
};

static inline struct batch_part batch_body(struct batch *b)
{
    return (struct batch_part){&b->body, &b->body_args};
}

static inline struct batch_part batch_tail(struct batch *b)
{
    return (struct batch_part){&b->tail, &b->tail_args};
}

extern const struct sink_ops batch_sink_ops;

/* The calls of the sink about the watch (batch_watch.c). */
void batch_on_watch_set(void *ctx, struct slice id, const struct watch_record *record);
void batch_on_watch_unset(void *ctx, struct slice id);
void batch_on_alert_set(void *ctx, struct slice id, const struct alert *alert);
void batch_on_alert_unset(void *ctx, struct slice id, struct slice rule);
void batch_on_notice_set(void *ctx, const struct notice *notice);
void batch_on_notice_unset(void *ctx, const struct notice *notice);
void batch_on_breaker_set(void *ctx, const struct breaker_group *group);
void batch_on_breaker_unset(void *ctx, const struct breaker_group *group);
void batch_on_throttled_set(void *ctx, struct slice id, bool throttled);
void batch_on_command(void *ctx, const struct command_order *order);
void batch_on_notify(void *ctx, const struct notice *notice, const struct event *event);

/* Takes the words of the groups that are cut out of body. */
void batch_remove_cut(struct batch *b);
/* The script's number of a key, which is added where it is new. */
uint64_t batch_add_key(struct batch *b, struct slice text, char type, bool is_record);
/* An operation of COUNT words behind its command and key; they follow. */
void batch_add_operation(struct batch_part part, const char *command, uint64_t key, size_t count);
void batch_add_id(struct batch_part part, struct stream_id id);
/* Copies the entry of CAUSE to its stream's rejected one. */
void batch_add_reject(struct batch *b, struct batch_part part, const struct cause *cause,
                      struct slice reason);
/* Appends an entry of COUNT fields to STREAM, which is trimmed at about MAX_LEN. */
void batch_add_entry(struct batch *b, const char *stream, int64_t max_len, const struct slice *names,
                     const struct slice *values, size_t count);
/* Keeps fields for what is done once the batch is stored; returns the place of the first. */
uint32_t batch_keep_fields(struct batch *b, const struct slice *names, const struct slice *values,
                           size_t count);
/* Ends the group that is open, if any. */
void batch_close_group(struct batch *b);
