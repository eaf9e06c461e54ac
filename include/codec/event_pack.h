/* An event packed into few bytes, to be kept by the thousand: names and words that every event has are small
 * numbers, times and IDs lie near the ID of the event's entry. What comes out is what went in, byte for byte,
 * whoever wrote it. */
#pragma once

#include "core/stream.h"
#include "util/buf.h"

/* What is kept of an entry that others have written: more than any of ours has. */
#define EVENT_PACK_FIELDS_MAX 16

/* The fields of an event. The slices lie in what was packed, in static tables and in scratch. */
struct event_unpacked {
    struct slice names[EVENT_PACK_FIELDS_MAX], values[EVENT_PACK_FIELDS_MAX];
    size_t count;
    char scratch[EVENT_PACK_FIELDS_MAX][CAUSE_TEXT_MAX];
};

/* Appends COUNT fields, EVENT_PACK_FIELDS_MAX at most, of the entry ID to OUT. */
void event_pack(struct buf *out, struct stream_id id, const struct slice *names, const struct slice *values,
                size_t count);
/* The fields again. PACKED was made by event_pack for the same ID, and stays until they are not needed. */
void event_unpack(struct slice packed, struct stream_id id, struct event_unpacked *ret_event);
/* The value of the last field NAME of COUNT that is an identifier (core/ident.h); empty where there is none.
 */
struct slice event_find_ident(const struct slice *names, const struct slice *values, size_t count,
                              const char *name);
