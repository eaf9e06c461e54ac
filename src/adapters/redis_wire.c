#include "redis_wire.h"

#include "util/alloc.h"
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <hiredis/sds.h>
#include <stdlib.h>

/* One read. */
#define INPUT_BYTES ((size_t)256 * 1024)
/* What the parser gets at a time: after each KiB of small replies it moves the rest to the front. */
#define FEED_BYTES ((size_t)32 * 1024)
/* What the parser and the output keep while they are empty. */
#define KEEP_BYTES      ((size_t)256 * 1024)
#define REPLY_MAX_BYTES ((size_t)256 * 1024 * 1024)
/* The least that an element of an array takes: `:0` and a line break. */
#define ELEMENT_MIN_BYTES 4
/* Sent bytes in front of unsent ones that are worth moving the latter for. */
#define SENT_MAX_BYTES ((size_t)256 * 1024)

void redis_wire_init(struct redis_wire *wire, struct event_base *base, redis_wire_ready_fn on_ready,
                     redis_wire_reply_fn on_reply, void *ctx)
{
    *wire = (struct redis_wire){
        .base = base,
        .on_ready = on_ready,
        .on_reply = on_reply,
        .ctx = ctx,
        .socket = REDIS_SOCKET_NONE,
        .reply_max_bytes = REPLY_MAX_BYTES,
    };
}

void redis_wire_clear(struct redis_wire *wire)
{
    redis_wire_close(wire);
    free(wire->input);
    wire->input = NULL;
}

static struct event *new_event(struct redis_wire *wire, short what)
{
    struct event *event = event_new(wire->base, wire->socket.fd, what, wire->on_ready, wire->ctx);

    if (!event)
        mem_fail();
    return event;
}

static struct redisReader *new_reader(struct redis_wire *wire)
{
    const redisReplyObjectFunctions *functions = wire->functions ? wire->functions : &redis_replies_functions;
    /* hiredis does not write to them, it only fails to say so. */
    redisReader *reader = redisReaderCreateWithFunctions((redisReplyObjectFunctions *)functions);

    if (!reader)
        mem_fail();
    reader->maxbuf = 0; /* its buffer is given back by give_back_reader */
    reader->privdata = wire->functions ? wire->privdata : &wire->replies;
    return reader;
}

void redis_wire_open(struct redis_wire *wire, const struct redis_socket *socket)
{
    wire->socket = *socket;
    wire->readable = new_event(wire, EV_READ | EV_PERSIST);
    wire->writable = new_event(wire, EV_WRITE);
    wire->functions = NULL;
    wire->privdata = NULL;
    wire->replies.max_elements = wire->reply_max_bytes / ELEMENT_MIN_BYTES;
    wire->reader = new_reader(wire);
    if (event_add(wire->readable, NULL) < 0)
        mem_fail();
}

void redis_wire_close(struct redis_wire *wire)
{
    if (wire->readable)
        event_free(wire->readable);
    if (wire->writable)
        event_free(wire->writable);
    if (wire->reader)
        redisReaderFree(wire->reader);
    redis_socket_close(&wire->socket);
    wire->readable = NULL;
    wire->writable = NULL;
    wire->reader = NULL;
    if (!wire->is_handing)
        redis_replies_clear(&wire->replies);
    wire->reply_bytes = 0;
    wire->clip.skip = 0;
    buf_clear(&wire->out);
    wire->out_sent = 0;
}

static bool break_wire(struct redis_wire *wire, const char *what, const char *why)
{
    errmsg_set(&wire->error, "%s%s", what, why);
    return false;
}

/* Makes the parser anew, with what it has not looked at yet. */
static void replace_reader(struct redis_wire *wire)
{
    redisReader *old = wire->reader;

    wire->reader = new_reader(wire);
    if (old->len > old->pos &&
        redisReaderFeed(wire->reader, old->buf + old->pos, old->len - old->pos) != REDIS_OK)
        mem_fail();
    redisReaderFree(old);
}

void redis_wire_set_functions(struct redis_wire *wire, const struct redisReplyObjectFunctions *functions,
                              void *privdata)
{
    wire->functions = functions;
    wire->privdata = privdata;
    replace_reader(wire);
}

static void give_back_reader(struct redis_wire *wire, size_t keep)
{
    const redisReader *reader = wire->reader;

    if (reader->ridx == -1 && reader->pos == reader->len && sdsalloc(reader->buf) > keep)
        replace_reader(wire);
}

void redis_wire_give_back(struct redis_wire *wire)
{
    free(wire->input);
    wire->input = NULL;
    if (wire->out.len == 0)
        buf_clear(&wire->out);
    if (wire->reader)
        give_back_reader(wire, 0);
}

static enum redis_wire_result take_replies(struct redis_wire *wire)
{
    for (;;) {
        void *reply = NULL;

        if (redisReaderGetReply(wire->reader, &reply) != REDIS_OK) {
            (void)break_wire(wire, "protocol error: ",
                             wire->replies.is_refused ? "reply too large" : wire->reader->errstr);
            return REDIS_WIRE_BROKEN;
        }
        if (!reply)
            return REDIS_WIRE_FINE;
        wire->reply_bytes = wire->reader->len - wire->reader->pos;
        wire->is_handing = true;

        bool goes_on = wire->on_reply(wire->ctx, reply);

        wire->is_handing = false;
        if (!goes_on) {
            redis_replies_clear(&wire->replies);
            return REDIS_WIRE_STOPPED;
        }
        redis_replies_reset(&wire->replies);
    }
}

static enum redis_wire_result feed_part(struct redis_wire *wire, const char *data, size_t len)
{
    enum redis_wire_result result;

    wire->reply_bytes += len;
    if (wire->reply_bytes > wire->reply_max_bytes) {
        (void)break_wire(wire, "protocol error: ", "reply too large");
        return REDIS_WIRE_BROKEN;
    }
    if (redisReaderFeed(wire->reader, data, len) != REDIS_OK) {
        (void)break_wire(wire, "protocol error: ", wire->reader->errstr);
        return REDIS_WIRE_BROKEN;
    }
    result = take_replies(wire);
    if (result != REDIS_WIRE_FINE)
        return result;
    redis_clip_look(&wire->clip, wire->reader);
    if (wire->functions) /* they keep nothing: what counts is what waits */
        wire->reply_bytes = wire->reader->len - wire->reader->pos;
    return REDIS_WIRE_FINE;
}

static enum redis_wire_result feed_input(struct redis_wire *wire, const char *data, size_t len)
{
    while (len > 0) {
        bool has_ended;
        size_t skipped = redis_clip_skip(&wire->clip, len, &has_ended);
        size_t part = len < FEED_BYTES ? len : FEED_BYTES;
        enum redis_wire_result result = REDIS_WIRE_FINE;

        if (has_ended)
            result = feed_part(wire, "\r\n", 2);
        else if (!skipped)
            result = feed_part(wire, data, part);
        if (result != REDIS_WIRE_FINE)
            return result;
        data += skipped ? skipped : part;
        len -= skipped ? skipped : part;
    }
    give_back_reader(wire, KEEP_BYTES);
    return REDIS_WIRE_FINE;
}

enum redis_wire_result redis_wire_receive(struct redis_wire *wire)
{
    if (!wire->input)
        wire->input = mem_resize(NULL, INPUT_BYTES, 1);
    for (;;) {
        ssize_t n = redis_socket_receive(&wire->socket, wire->input, INPUT_BYTES);

        if (n < 0) {
            (void)break_wire(wire, "", redis_socket_error(&wire->socket, n));
            return REDIS_WIRE_BROKEN;
        }
        if (n == 0)
            return REDIS_WIRE_FINE;
        wire->bytes_in += (uint64_t)n;

        enum redis_wire_result result = feed_input(wire, wire->input, (size_t)n);

        if (result != REDIS_WIRE_FINE || !wire->socket.ended)
            return result;
    }
}

static void forget_sent(struct redis_wire *wire)
{
    if (wire->out_sent == wire->out.len) {
        buf_reset(&wire->out, KEEP_BYTES);
        wire->out_sent = 0;
    } else if (wire->out_sent > SENT_MAX_BYTES && wire->out_sent > wire->out.len / 2) {
        wire->out.len -= wire->out_sent;
        memmove(wire->out.data, wire->out.data + wire->out_sent, wire->out.len);
        wire->out_sent = 0;
    }
}

bool redis_wire_flush(struct redis_wire *wire)
{
    while (wire->out_sent < wire->out.len) {
        ssize_t n =
            redis_socket_send(&wire->socket, wire->out.data + wire->out_sent, wire->out.len - wire->out_sent);

        if (n < 0)
            return break_wire(wire, "", redis_socket_error(&wire->socket, n));
        if (n == 0) {
            if (event_add(wire->writable, NULL) < 0)
                mem_fail();
            break;
        }
        wire->out_sent += (size_t)n;
        wire->bytes_out += (uint64_t)n;
    }
    forget_sent(wire);
    return true;
}

size_t redis_wire_unsent(const struct redis_wire *wire)
{
    return wire->out.len - wire->out_sent;
}
