/* GET /api/v1/tap: reports, signals and results as they are read, for whoever records them (SPEC §11, §13).
 *
 * A message has the name of its stream (`reports signals results`) as its event and
 * `{"stream":…,"id":…,"fields":{…}}` as its data: the fields that are known by name, as text, those of
 * invalid entries too; longer ones than ENTRY_VALUE_MAX are cut.
 *
 * With `?state=1` a client is first of all told what there is, as events `state` (codec/recording.h): each
 * instance once, ahead of its first report, for without that a recording says nothing about reports that
 * bring only what has changed. They go out in pieces, as the client takes them.
 *
 * A client that does not keep up is given up: it must know that something is missing. While nobody listens an
 * entry costs one comparison. */
#pragma once

#include "app/sse.h"
#include "util/buf.h"

struct daemon;
struct entry;

struct tap {
    struct daemon *d;
    struct sse_list clients;
    struct buf message;
};

void tap_init(struct tap *tap, struct daemon *d);
/* Also on zeroed memory. */
void tap_clear(struct tap *tap);
/* Ends every stream. */
void tap_close(struct tap *tap);

static inline bool tap_is_open(const struct tap *tap)
{
    return tap->clients.count > 0;
}

/* Tells all who listen about an entry, before anything is made of it. */
void tap_on_entry(struct tap *tap, const struct entry *entry);
