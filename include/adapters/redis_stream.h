/* Reading the streams: XREAD on a link of its own, decoded as the bytes come.
 *
 * No objects are built: of an entry are kept the values of the fields that are known by name (cut at
 * ENTRY_VALUE_MAX); whatever else it holds is skipped. A reply is handed over when all of it has come, and
 * the next read may be asked for just before: Redis works on it while this one is taken in. A reply whose
 * entries are too large to be kept is handed over as it comes.
 *
 * One read is under way at a time. Nothing of a reply that its link did not survive is handed over, but for
 * one of those. */
#pragma once

#include "adapters/redis_link.h"
#include "core/stream.h"

struct redis_stream;

struct redis_stream_names {
    const char *stream;         /* the key */
    const struct slice *fields; /* by field number; at most ENTRY_FIELDS_MAX */
    size_t field_count;
};

/* What is asked for. */
struct redis_read {
    uint32_t mask;                        /* streams, a bit each */
    struct stream_id after[STREAM_KINDS]; /* of those streams: entries behind this one */
    int64_t count;                        /* of each stream at most so many */
    int64_t block_ms; /* how long to wait for the first entry; 0: not at all; at most 1000 */
    int64_t asked_ms; /* the caller's own note */
};

enum redis_read_outcome {
    REDIS_READ_DONE,
    REDIS_READ_LOST,  /* the link died; entries handed over before stand */
    REDIS_READ_ERROR, /* Redis answered an error */
};

struct redis_read_result {
    enum redis_read_outcome outcome;
    struct redis_read read;              /* as it was asked for */
    bool is_whole;                       /* all of the reply is known */
    uint32_t entries[STREAM_KINDS];      /* of the reply, as far as it is known */
    struct stream_id last[STREAM_KINDS]; /* of these; where there is none, what it was to be behind */
    enum redis_error error;
    struct slice error_text; /* valid during the call */
};

/* Some stream had as many entries as were asked for: there may be more. */
static inline bool redis_read_is_full(const struct redis_read_result *result)
{
    for (int k = 0; k < STREAM_KINDS; k++)
        if (result->entries[k] >= (uint64_t)result->read.count)
            return true;
    return false;
}

struct redis_stream_events {
    void (*up)(void *ctx);
    void (*down)(void *ctx, const char *reason, bool was_up);
    /* The entries of a reply follow, maybe none. Where it is whole, the next read may be asked for from
     * inside, and is sent at once. */
    void (*begin)(void *ctx, const struct redis_read_result *result);
    void (*entry)(void *ctx, const struct entry *entry);
    /* The read has ended; the next may be asked for from inside, if that was not done before. Comes without a
     * begin where Redis answered an error, and where the link died before. */
    void (*done)(void *ctx, const struct redis_read_result *result);
};

/* LINK's options but for the reply functions, which are set here. NAMES (STREAM_KINDS of them) is borrowed
 * for its life. */
struct redis_stream *redis_stream_new(struct loop *loop, const struct redis_link_options *link,
                                      const struct redis_stream_names *names,
                                      const struct redis_stream_events *events, void *ctx);
/* Not from inside begin or entry. */
void redis_stream_free(struct redis_stream *stream);
struct redis_link *redis_stream_link(struct redis_stream *stream);

/* 0, or what redis_link_command returns; -EBUSY while a read is under way, or taken in. */
int redis_stream_read(struct redis_stream *stream, const struct redis_read *read);
/* From the asking to the end of the taking in. */
bool redis_stream_is_reading(const struct redis_stream *stream);
