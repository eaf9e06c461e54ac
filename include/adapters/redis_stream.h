/* Reading the streams: XREAD on a link of its own, decoded as the bytes come.
 *
 * No objects are built: each entry is handed over as soon as its last field has come, with the values of the
 * fields that are known by name (cut at ENTRY_VALUE_MAX); whatever else it holds is skipped. One read at a
 * time. */
#pragma once

#include "adapters/redis_link.h"
#include "core/stream.h"

struct redis_stream;

struct redis_stream_names {
    const char *stream;         /* the key */
    const struct slice *fields; /* by field number; at most ENTRY_FIELDS_MAX */
    size_t field_count;
};

enum redis_read_outcome {
    REDIS_READ_DONE,
    REDIS_READ_LOST,  /* the link died; entries handed over before stand */
    REDIS_READ_ERROR, /* Redis answered an error */
};

struct redis_read_result {
    enum redis_read_outcome outcome;
    uint32_t entries[STREAM_KINDS];
    enum redis_error error;
    struct slice error_text; /* valid during the call */
};

struct redis_stream_events {
    void (*up)(void *ctx);
    void (*down)(void *ctx, const char *reason, bool was_up);
    void (*entry)(void *ctx, const struct entry *entry);
    /* The read has ended; the next may be asked for from inside. */
    void (*done)(void *ctx, const struct redis_read_result *result);
};

/* LINK's options but for the reply functions, which are set here. NAMES (STREAM_KINDS of them) is borrowed
 * for its life. */
struct redis_stream *redis_stream_new(struct loop *loop, const struct redis_link_options *link,
                                      const struct redis_stream_names *names,
                                      const struct redis_stream_events *events, void *ctx);
void redis_stream_free(struct redis_stream *stream);
struct redis_link *redis_stream_link(struct redis_stream *stream);

/* Reads up to COUNT entries behind AFTER[k] of each stream k whose bit is set in MASK, waiting up to BLOCK_MS
 * (0: not at all; at most 1000) for the first. 0, or what redis_link_command returns; -EBUSY while a read is
 * under way. */
int redis_stream_read(struct redis_stream *stream, uint32_t mask, const struct stream_id after[STREAM_KINDS],
                      int64_t count, int64_t block_ms);
bool redis_stream_is_reading(const struct redis_stream *stream);
