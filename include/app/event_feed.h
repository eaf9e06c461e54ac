/* The events that are told over HTTP (SPEC §8.1): a copy of the newest part of the stream instance_events,
 * under the IDs that they have there (docs/decisions/0010-events-over-http.md).
 *
 * Read at start and at each loading; afterwards what has come is read behind each stored batch that holds
 * events. Where fewer are found than were stored (the stream was trimmed below them, deleted or made anew)
 * all of it is read again. So nothing is shown that is not in the stream, and nothing twice. */
#pragma once

#include "app/event_ring.h"
#include "app/sse.h"

struct daemon;
struct redisReply;

struct event_feed {
    struct daemon *d;
    struct event_ring ring;
    struct event_ring fresh;   /* becomes it once it has been read */
    struct stream_id fresh_to; /* where its next page ends */
    uint64_t generation;       /* answers to an earlier question are ignored */
    bool is_asking;
    bool is_reading;       /* all of it, into fresh: here or by whoever loads */
    bool is_behind;        /* something was stored since it was asked, or it could not be */
    uint64_t expected;     /* events that are stored and have not been found */
    uint64_t left;         /* events that left the ring for newer ones */
    struct stream_id told; /* the newest that there ever was */
    struct loop_timer *retry, *reread, *tell;
    int64_t reread_ms, told_ms; /* monotonic: the last time */
    struct sse_list clients;
    uint32_t untold; /* of these, in the present round */
};

void event_feed_init(struct event_feed *feed, struct daemon *d);
void event_feed_clear(struct event_feed *feed);
/* Forgets everything and ends every stream: another daemon may be active. */
void event_feed_reset(struct event_feed *feed);

/* A batch with COUNT events is stored. */
void event_feed_on_stored(struct event_feed *feed, uint64_t count);
/* The link is up again. */
/* Others may have added events. */
void event_feed_poke(struct event_feed *feed);
void event_feed_go_on(struct event_feed *feed);

/* The newest ID that anybody can have been told, also by an earlier ring; 0-0 where there was none. */
struct stream_id event_feed_told(const struct event_feed *feed);
/* How many of the events that are held lie behind LAST, where their stream ends. */
uint64_t event_feed_count_behind(const struct event_feed *feed, struct stream_id last);

/* Reading all of it, newest first: pages of EVENT_FEED_PAGE entries up to fresh_to (XREVRANGE) are handed to
 * take_page while that answers true. What was read then takes the place of what there was. */
#define EVENT_FEED_PAGE 1000
void event_feed_begin_reading(struct event_feed *feed);
bool event_feed_take_page(struct event_feed *feed, const struct redisReply *reply);
