/* The half of the stream reader that makes entries of an answer's bytes, without a link: for redis_stream.c
 * and its tests. */
#pragma once

#include "adapters/redis_stream.h"
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

struct stream_decoder {
    const struct redis_stream_names *names; /* STREAM_KINDS of them */
    void (*on_entry)(void *ctx, const struct entry *entry);
    void *ctx;
    char depth_marks[DEPTHS + 1]; /* their addresses are the objects */

    /* The answer that is being decoded. */
    const struct redis_stream_names *current; /* the stream that its entries belong to; NULL: none of ours */
    struct entry entry;
    bool entry_valid;
    uint32_t field;      /* of the name read last, beyond all others for an unknown one */
    uint32_t next_field; /* the one expected next: writers repeat an order */
    struct redis_read_result result;
    char error[256];
    char values[ENTRY_FIELDS_MAX][ENTRY_VALUE_MAX];
};

/* For a redisReader whose privdata is the decoder. */
extern redisReplyObjectFunctions stream_decoder_functions;

/* The next bytes begin an answer, of which the result holds nothing yet. */
void stream_decoder_start(struct stream_decoder *d);
