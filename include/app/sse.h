/* Server-sent events: clients that stay and are told what happens.
 *
 * A list is of one kind of clients. Each gets a comment as a heartbeat while it is told nothing else, so that
 * both ends notice when the other is gone. One that does not take what it is told is given up; no client
 * holds up the loop or another client. */
#pragma once

#include "app/api.h"
#include <stdint.h>
#include <sys/queue.h>

#define SSE_HEARTBEAT_MS 15000
#define SSE_RETRY_MS     2000 /* after which a client should come back */
#define SSE_CONTENT_TYPE "text/event-stream"

struct http_stream;
struct loop;
struct loop_timer;

/* The first member of what a kind knows about a client. */
struct sse {
    TAILQ_ENTRY(sse) link;
    struct sse_list *list;
    struct http_stream *stream;
};

struct sse_list {
    TAILQ_HEAD(, sse) clients;
    uint32_t count, max;
    size_t max_bytes; /* that may wait for a client */
    /* The client has taken everything; may be NULL. It may be sent more, or closed. */
    void (*drained)(struct sse *sse);
    struct loop_timer *heartbeat;
};

/* MAX: clients at a time, beyond which 503 is answered; so it is where the HTTP server has no room. */
void sse_list_init(struct sse_list *list, struct loop *loop, uint32_t max, size_t max_bytes,
                   void (*drained)(struct sse *sse));
/* Closes every client. Also on zeroed memory. */
void sse_list_clear(struct sse_list *list);
/* Ends every stream; a client that may comes back by itself. */
void sse_list_close(struct sse_list *list);

/* Answers CALL with a stream and returns a new client of SIZE zeroed bytes, which begin with its struct sse.
 * NULL where there are too many, which has been answered, or where it was given up. The list frees it. */
struct sse *sse_open(struct sse_list *list, const struct api_call *call, size_t size);
/* Sends whole lines. False where the client was given up, and is gone. */
bool sse_send(struct sse *sse, struct slice text);
bool sse_is_drained(const struct sse *sse);
