/* What lies between a link and its socket: bytes that wait to be sent, bytes that are not a whole reply yet,
 * the parser, and the events that say when to go on. It decides nothing: its owner calls receive and flush,
 * and closes it where they fail. */
#pragma once

#include "redis_clip.h"
#include "redis_replies.h"
#include "redis_socket.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include <stdbool.h>
#include <stdint.h>

struct event;
struct event_base;
struct redisReader;
struct redisReplyObjectFunctions;

/* Is shown REPLY, which is valid during the call; what other functions made it takes over. False: stop, the
 * wire was closed or its owner is gone. */
typedef bool (*redis_wire_reply_fn)(void *ctx, void *reply);
/* The socket is ready; WHAT is EV_READ, EV_WRITE or both. */
typedef void (*redis_wire_ready_fn)(int fd, short what, void *ctx);

struct redis_wire {
    struct event_base *base;
    redis_wire_ready_fn on_ready;
    redis_wire_reply_fn on_reply;
    void *ctx;
    struct redis_socket socket;
    struct event *readable, *writable; /* NULL while closed, as is the reader */
    struct redisReader *reader;
    const struct redisReplyObjectFunctions *functions; /* NULL: redis_replies_functions */
    void *privdata;
    struct redis_replies replies;
    bool is_handing;    /* one of them over, so it has to stay */
    char *input;        /* what one read may bring; NULL: nothing has been read of late */
    size_t reply_bytes; /* kept of the reply that is not complete yet */
    size_t reply_max_bytes;
    struct redis_clip clip;
    struct buf out;
    size_t out_sent; /* of out, from its front */
    uint64_t bytes_in, bytes_out;
    struct errmsg error; /* what broke it */
};

/* Closed at first. A reply of more than reply_max_bytes breaks it: 256 MiB until that is set. */
void redis_wire_init(struct redis_wire *wire, struct event_base *base, redis_wire_ready_fn on_ready,
                     redis_wire_reply_fn on_reply, void *ctx);
/* Closes, and frees the rest. */
void redis_wire_clear(struct redis_wire *wire);

/* Takes SOCKET over and waits for input. Replies are those of redis_replies.h until the functions are
 * replaced. */
void redis_wire_open(struct redis_wire *wire, const struct redis_socket *socket);
/* Closes and forgets what waits. Fine while closed. */
void redis_wire_close(struct redis_wire *wire);
/* Replaces the functions that make the replies, between two replies. */
void redis_wire_set_functions(struct redis_wire *wire, const struct redisReplyObjectFunctions *functions,
                              void *privdata);

enum redis_wire_result {
    REDIS_WIRE_FINE, /* what arrived, if anything, was taken, and the replies that it completed handed over */
    REDIS_WIRE_STOPPED, /* on_reply said so */
    REDIS_WIRE_BROKEN,  /* closed by the server, or what came is not Redis; see error */
};

/* Reads once. */
enum redis_wire_result redis_wire_receive(struct redis_wire *wire);
/* Sends what it can, and waits to send the rest. False where the socket is broken; see error. */
bool redis_wire_flush(struct redis_wire *wire);
/* Gives back the buffers that hold nothing. Not from a callback. */
void redis_wire_give_back(struct redis_wire *wire);
size_t redis_wire_unsent(const struct redis_wire *wire);
