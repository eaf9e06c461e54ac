/* The half of the stream reader that makes entries of an answer's bytes, without a link: for redis_stream.c
 * and its tests. */
#pragma once

#include "adapters/redis_stream.h"
#include "util/buf.h"
#include <hiredis/read.h>

/* The answer of XREAD is [[stream, [[id, [name, value, …]], …]], …]: what stands at each depth. The reader
 * hands each piece over with its parent; ours are marked by their depth, which is all the memory there is. */
enum depth {
    DEPTH_ANSWER,
    DEPTH_STREAM,
    DEPTH_STREAM_PART,
    DEPTH_ENTRY,
    DEPTH_ENTRY_PART,
    DEPTH_FIELD,
    DEPTHS
};

/* The entries of a reply until all of it has come. They are handed over as they come from the one on that
 * would take up more than this. */
#define STREAM_KEPT_MAX_BYTES ((size_t)1 << 20)

struct stream_decoder {
    const struct redis_stream_names *names; /* STREAM_KINDS of them */
    void (*on_begin)(void *ctx, const struct redis_read_result *result);
    void (*on_entry)(void *ctx, const struct entry *entry);
    void *ctx;
    size_t kept_max;
    char depth_marks[DEPTHS + 1]; /* their addresses are the objects */

    /* The reply that is being decoded. */
    const struct redis_stream_names *current; /* the stream that its entries belong to; NULL: none of ours */
    struct entry entry;
    bool entry_valid;
    uint32_t field;      /* of the name read last, beyond all others for an unknown one */
    uint32_t next_field; /* the one expected next: writers repeat an order */
    struct redis_read_result result;
    bool overflows; /* begun, and handed over as it comes */
    char error[256];
    char values[ENTRY_FIELDS_MAX][ENTRY_VALUE_MAX];

    struct buf kept; /* stays until it is handed over, or forgotten */
};

/* For a redisReader whose privdata is the decoder. */
extern redisReplyObjectFunctions stream_decoder_functions;

void stream_decoder_init(struct stream_decoder *d, const struct redis_stream_names *names,
                         const struct redis_stream_events *events, void *ctx);
void stream_decoder_clear(struct stream_decoder *d);
/* The next bytes begin the reply to READ, of which the result holds nothing yet. */
void stream_decoder_start(struct stream_decoder *d, const struct redis_read *read);
/* Hands over what is kept, and keeps it no longer. */
void stream_decoder_hand_over(struct stream_decoder *d);
/* What is kept is of no use any more. */
void stream_decoder_forget(struct stream_decoder *d);
