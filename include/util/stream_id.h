/* A Redis stream entry ID: milliseconds and sequence. Compared as a pair. */
#pragma once

#include "util/slice.h"
#include <stdint.h>

struct stream_id {
    uint64_t ms, seq;
};

#define STREAM_ID_TEXT_MAX 44

static inline int stream_id_compare(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

/* The ID right behind / right before, saturating at both ends. */
struct stream_id stream_id_next(struct stream_id id);
struct stream_id stream_id_prev(struct stream_id id);

/* `ms-seq`, or `ms` alone (seq 0), each in digits and below 2^64; false, and *ret_id untouched, for all else.
 */
bool stream_id_parse(struct slice text, struct stream_id *ret_id);
/* Writes `ms-seq` and a NUL, returns the length. */
size_t stream_id_format(char out[STREAM_ID_TEXT_MAX], struct stream_id id);
