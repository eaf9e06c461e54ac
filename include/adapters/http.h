/* The HTTP server: libmicrohttpd on the event loop (SPEC §8).
 *
 * It owns the listening socket, every connection with its deadlines, and the bounds of SPEC §8.4; it knows no
 * route. For each complete request it calls the one handler, from the loop. The handler either answers at
 * once (http_request_answer) or says that it will (http_request_suspend) and answers later, from any callback
 * of the loop. A request is valid until it was answered and, if it was answered inside the handler, until
 * that returns; or until its cancel callback is called.
 *
 * Refused before the handler sees them, as problem+json: what is no request (codec/http_head.h: 400, 417,
 * 431, 505), bodies above 64 KiB (413), what could be read as two requests (400), a target with a broken
 * escape (400). A request behind another that was not waited for, and what is wrong far inside a chunked
 * body, the library may refuse in its own words. Requests that come together are handled over several turns
 * of the loop. A connection is closed when a request is not complete request_ms after its first byte, when
 * nothing has come for idle_ms, and when an answer is not taken within send_ms.
 *
 * An answer is there as a whole, or is made in parts while it is sent: of a large one only what the client
 * takes next is held.
 *
 * A stream is an answer without an end: what is handed over is sent when the client takes it. While
 * everything has been taken its connection may stay for ever; while something waits, some of it must be taken
 * every send_ms. Streams are fewer than connections, so that some are left for others. */
#pragma once

#include "codec/http_head.h"
#include "codec/http_target.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include "util/slice.h"
#include <stdint.h>

#define HTTP_BODY_MAX_BYTES 65536
#define HTTP_REQUEST_MS     10000
#define HTTP_IDLE_MS        60000
#define HTTP_SEND_MS        60000

struct log;
struct loop;
struct http_server;
struct http_request;
struct http_parts;
struct http_stream;

/* Bits, so that a route can name all that it takes. */
enum http_method {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PUT = 8,
    HTTP_DELETE = 16,
    HTTP_OTHER = 32,
};

typedef void (*http_handler_fn)(void *ctx, struct http_request *request);
/* The client went away, or the server is being freed: REQUEST must not be used after this call, nor answered
 * in it. */
typedef void (*http_cancel_fn)(void *ctx, struct http_request *request);

struct http_options {
    struct log *log;  /* may be NULL */
    const char *host; /* name or address to listen on, or the path of a unix socket */
    uint16_t port;    /* 0: the system picks one */
    bool is_unix;
    size_t max_connections;
    http_handler_fn handler;
    void *ctx;
    int64_t request_ms, idle_ms, send_ms; /* 0: the defaults above */
};

/* Binds and listens. 0, or -errno with WHY filled: the address is in use, may not be had, does not exist. A
 * unix socket that nobody listens on any more is replaced; it is made with mode 0660. The texts of OPTIONS
 * are not kept. */
int http_server_new(struct loop *loop, const struct http_options *options, struct http_server **ret_server,
                    struct errmsg *why);
/* Cancels every suspended request, closes every connection. Not to be called from the handler. NULL is fine.
 */
void http_server_free(struct http_server *server);

/* The port that is listened on; 0 for a unix socket. */
uint16_t http_server_port(const struct http_server *server);
/* True where only this machine can connect: a unix socket or a loopback address. */
bool http_server_is_loopback(const struct http_server *server);

/* Counted since http_server_new, but for what is open or held now. */
struct http_stats {
    uint64_t connections, accepted, requests;
    uint64_t refused;      /* requests refused before the handler saw them */
    uint64_t evicted;      /* connections of no use closed to make room for new ones, or for new answers */
    uint64_t expired;      /* connections closed at a deadline */
    uint64_t cancelled;    /* requests whose client went away before the answer */
    uint64_t out_of_files; /* connections closed at once because no file descriptor was left */
    size_t answer_bytes;   /* held now for answers, until their clients have taken all of it */
    uint64_t streams;      /* open now */
    uint64_t streams_slow; /* closed because the client did not take what was sent */
};
struct http_stats http_server_stats(const struct http_server *server);

enum http_method http_request_method(const struct http_request *request);
/* Percent-decoded, without the query. */
struct slice http_request_path(const struct http_request *request);
/* The first query argument of that name, decoded; false where there is none. */
bool http_request_arg(const struct http_request *request, const char *name, struct slice *ret_value);
size_t http_request_arg_count(const struct http_request *request);
/* Whom the request is for: the host of a target in the proxy's form, else the header Host; empty where
 * neither is there. */
struct slice http_request_host(const struct http_request *request);
/* The name of the argument at INDEX, for handlers that refuse unknown ones. */
struct slice http_request_arg_name(const struct http_request *request, size_t index);
/* The first header of that name, any case; data is NULL where there is none. */
struct slice http_request_header(const struct http_request *request, const char *name);
struct slice http_request_body(const struct http_request *request);
/* True where the client is on this machine: over a unix socket, from a loopback address or from the address
 * it connected to. */
bool http_request_is_local(const struct http_request *request);

/* How much the value of an Accept or Accept-Encoding header wants NAME (`text/plain`, `gzip`): its q in
 * thousandths, 0 for not at all. A wildcard counts where NAME is not listed. Parameters other than q are
 * ignored. An empty header wants nothing. */
int http_accept_weight(struct slice header, const char *name);

/* True where an Accept header asks for NAME by its name, not by a wildcard, and wants it at least as much as
 * OTHER. */
bool http_accept_prefers(struct slice header, const char *name, const char *other);

struct http_header {
    const char *name, *value;
};

struct http_answer {
    int status;
    const char *content_type; /* NULL where there is no body */
    struct buf *body;         /* its content is taken, the buffer left empty; or NULL */
    const struct http_header *headers;
    size_t header_count;
};

/* Answers, once. HEAD gets the headers of the same answer. Everything but the body is copied. */
void http_request_answer(struct http_request *request, const struct http_answer *answer);
/* Answers with problem+json; the title is that of the status. DETAIL may be NULL. */
void http_request_answer_problem(struct http_request *request, int status, const char *detail);
/* 405 with Allow: METHODS are bits of enum http_method; HEAD is added to GET. */
void http_request_answer_not_allowed(struct http_request *request, unsigned methods);
/* The reason phrase of a status, as titles of problems use it. */
const char *http_status_title(int status);

/* Keeps the request beyond the handler, for an answer later. CANCEL is called if the client closes its
 * connection (or its half of it) before. */
void http_request_suspend(struct http_request *request, http_cancel_fn cancel, void *ctx);

/* Called from the loop; inside, http_parts_send and http_parts_end may be called. */
struct http_parts_events {
    /* The client has taken what there was, and wants more. Called for the first time before anything was
     * sent, unless something was. */
    void (*wanted)(void *ctx, struct http_parts *parts);
    /* Called once: all has been taken, or the client is gone, or the server is being freed. PARTS must not be
     * used any more. */
    void (*closed)(void *ctx, struct http_parts *parts);
};

/* Answers REQUEST with 200 and a body that is made while it is sent, from now on within send_ms; inside the
 * handler or later. HEAD gets the headers and is `closed`. HEADERS are copied. Never NULL. */
struct http_parts *http_parts_new(struct http_request *request, const char *content_type,
                                  const struct http_header *headers, size_t header_count,
                                  const struct http_parts_events *events, void *ctx);
/* Sends the content of PART, above 0 bytes, and leaves there an empty buffer with the memory of the part
 * before. Only at the beginning, and once for each `wanted`. */
void http_parts_send(struct http_parts *parts, struct buf *part);
/* Ends the body once what was sent is taken. */
void http_parts_end(struct http_parts *parts);
/* For how long something has been there that the client does not take; 0 where nothing is. */
int64_t http_parts_waiting_ms(const struct http_parts *parts);
/* Gives the answer up: the client sees that it is not whole. `closed` is called later. */
void http_parts_cut(struct http_parts *parts);

/* Called from the loop; inside, http_stream_send and http_stream_close may be called. */
struct http_stream_events {
    /* Everything was taken: more may be sent. Also called once at the beginning. */
    void (*drained)(void *ctx, struct http_stream *stream);
    /* The client is gone or takes nothing, or the server is being freed: STREAM must not be used any more. */
    void (*closed)(void *ctx, struct http_stream *stream);
};

/* Answers REQUEST with 200 and a body that stays open; only inside the handler. Not more than MAX_BYTES wait
 * for the client. NULL where there are too many streams: then it is still to be answered. HEAD gets the
 * headers and is `closed` at once. HEADERS are copied. */
struct http_stream *http_stream_new(struct http_request *request, const char *content_type,
                                    const struct http_header *headers, size_t header_count, size_t max_bytes,
                                    const struct http_stream_events *events, void *ctx);
/* Sends BYTES (copied). False where that would be more than may wait: the stream is then given up, without a
 * call of `closed`, and must not be used any more. */
bool http_stream_send(struct http_stream *stream, struct slice bytes);
/* True where nothing waits for the client. */
bool http_stream_is_drained(const struct http_stream *stream);
/* Ends the body once what was sent is taken. STREAM must not be used any more; `closed` is not called. */
void http_stream_close(struct http_stream *stream);
