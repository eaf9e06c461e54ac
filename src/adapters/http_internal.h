/* What the files of the HTTP server share. A connection is in exactly one state, and in the list of that
 * state; it moves only through http_connection_enter. */
#pragma once

#include "adapters/http.h"
#include <microhttpd.h>
#include <sys/queue.h>
#include <sys/socket.h>

/* Of a body that is refused, this much is read and thrown away so that the client sees why. */
#define HTTP_DRAIN_MAX_BYTES HTTP_CHUNK_MAX_BYTES

struct event;
struct loop_timer;
struct http_connection;

enum http_state {
    HTTP_WAITING,        /* for the first byte of a request */
    HTTP_READING,        /* from that byte until the request is whole */
    HTTP_HANDLING,       /* the application has it */
    HTTP_SENDING,        /* until the answer has gone */
    HTTP_STREAMING,      /* a stream of which everything was taken; suspended */
    HTTP_STREAM_SENDING, /* one with something to take, since some was taken last */
    HTTP_REFUSED_HEAD,   /* answered by ourselves; what still comes is thrown away */
    HTTP_CLOSING,        /* shut down; libmicrohttpd will notice */
    HTTP_STATES
};

/* In the order in which they entered the state, so that the first is the first to be due. */
TAILQ_HEAD(http_connection_list, http_connection);

struct http_connection {
    TAILQ_ENTRY(http_connection) link;
    struct http_server *server;
    struct MHD_Connection *mhd;                  /* NULL until its first request has a whole head */
    TAILQ_ENTRY(http_connection) completed_link; /* while has_completed */
    struct http_request *request;                /* NULL between requests */
    struct sockaddr_storage peer;
    socklen_t peer_len;
    struct event *readable; /* edge: bytes or an end came */
    int fd;
    enum http_state state;
    int64_t entered_ms;
    bool is_local;
    bool is_held;       /* the library does not read it: it has none, or the connection is suspended */
    bool is_piped;      /* the library may have bytes of the next request: it is held no more */
    bool has_completed; /* a request, in this run of the library */
    bool has_more;      /* bytes came behind the request that is being answered */
    bool closes_after;  /* the answer to the next request is the last: what is behind it is refused */
};

struct http_server {
    struct loop *loop;
    struct log *log;
    struct MHD_Daemon *daemon;
    http_handler_fn handler;
    void *ctx;

    int listen_fd, reserve_fd;
    uint16_t port;
    bool is_loopback;
    char *unix_path;             /* to be removed at the end */
    uint64_t unix_dev, unix_ino; /* what we made there */
    struct event *acceptable;
    struct loop_timer *accept_pause;
    size_t max_connections, max_streams;

    struct event *mhd_ready;     /* libmicrohttpd's epoll descriptor */
    struct event *run;           /* activated to run it in this turn, behind what else is ready */
    struct loop_timer *run_soon; /* to run it in the next */

    struct http_connection_list lists[HTTP_STATES];
    int64_t limits_ms[HTTP_STATES]; /* 0: none */
    struct loop_timer *deadline;
    int64_t deadline_ms; /* when that is due */

    /* Requests that are whole and wait for a turn of the loop with time left, first come first. */
    TAILQ_HEAD(, http_request) postponed;
    struct http_connection_list completed;
    int64_t run_began_us;
    uint64_t requests_at_run; /* stats.requests when it began */

    struct http_connection *adding; /* handed to MHD_add_connection, not yet told back */
    struct http_stats stats;
};

struct http_request {
    TAILQ_ENTRY(http_request) postponed; /* while is_postponed */
    bool is_postponed;
    struct http_connection *connection;
    enum http_method method;
    struct http_target target;
    const char *target_fault; /* NULL: none */

    struct buf body;
    size_t body_seen; /* bytes, those thrown away included */
    int refusal;      /* status; 0: none */
    const char *refusal_detail;

    bool was_handled, close_after;
    bool is_suspended; /* by the handler, and neither answered nor cancelled since */
    bool is_answered;
    http_cancel_fn cancel;
    void *cancel_ctx;
    struct MHD_Response *response; /* NULL with is_answered: there was no memory for it */
    size_t own_bytes;              /* held for the answer, as counted */
    unsigned status;
    struct http_stream *stream; /* NULL where the answer is none */
    struct http_parts *parts;   /* the same */
};

/* http.c */
void http_server_run_now(struct http_server *server);
void http_server_run_soon(struct http_server *server);

/* http_accept.c: the listening side. */
int http_listen(struct http_server *server, const struct http_options *options, struct errmsg *why);
int http_accept_start(struct http_server *server);
void http_accept_stop(struct http_server *server);
/* A connection has ended: there may be room again. */
void http_accept_resume(struct http_server *server);

/* http_connection.c */
bool http_address_is_loopback(const struct sockaddr *address);
/* Takes FD in any case. */
void http_connection_add(struct http_server *server, int fd, const struct sockaddr_storage *peer,
                         socklen_t peer_len);
void http_connection_enter(struct http_connection *connection, enum http_state state);
/* Lets libmicrohttpd read a connection that is held. It may be gone after this call. */
void http_connection_hand_over(struct http_connection *connection);
/* Ends the connection. What happens next is libmicrohttpd's; where that does not have it, it is gone. */
void http_connection_shut(struct http_connection *connection);
/* Ends the answers that have been on their way for longest, until less than MAX_BYTES of memory is spent on
 * them. */
void http_answers_limit(struct http_server *server, size_t max_bytes);
/* Bytes wait to be read; the other side has sent its last. */
bool http_socket_has_bytes(int fd);
bool http_socket_has_ended(int fd);
void http_deadlines_check(struct http_server *server);
void http_notify_connection(void *ctx, struct MHD_Connection *mhd, void **context,
                            enum MHD_ConnectionNotificationCode code);

/* http_exchange.c: libmicrohttpd's callbacks for one request. */
void *http_on_target(void *ctx, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_on_request(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
                                const char *version, const char *data, size_t *size, void **context);
void http_on_completed(void *ctx, struct MHD_Connection *mhd, void **context,
                       enum MHD_RequestTerminationCode code);
/* Lets libmicrohttpd go on with the request that has been postponed for longest, if there is one. */
void http_postponed_resume(struct http_server *server);
/* Lets libmicrohttpd go on with a suspended request. */
void http_request_wake(struct http_request *request);
/* The client of a suspended request is gone. */
void http_request_cancel(struct http_request *request);

/* http_stream.c */
/* The client is gone: tells the application, unless that has let go itself, and ends the connection. */
void http_stream_cancel(struct http_stream *stream);
/* The request is over. NULL is fine. */
void http_stream_free(struct http_stream *stream);

/* http_parts.c */
/* Lets the library ask again, where it waits for the next part. */
void http_parts_wake(struct http_parts *parts);
/* The request is over. NULL is fine. */
void http_parts_free(struct http_parts *parts);

/* http_answer.c */
/* Of a length that nobody knows yet, read from READ. NULL: no memory. */
struct MHD_Response *http_response_read(const struct http_request *request, MHD_ContentReaderCallback read,
                                        void *ctx);
void http_response_add_header(struct MHD_Response *response, const char *name, const char *value);
/* Answers with RESPONSE, which it takes; NULL: there was no memory for it. The status is set already. */
void http_request_respond(struct http_request *request, struct MHD_Response *response,
                          const char *content_type, const struct http_header *headers, size_t header_count);
/* BYTES are held for its answer from now on. What clients do not take waits with us, and is bounded: the
 * slowest pay for it. */
void http_request_count_bytes(struct http_request *request, size_t bytes);

/* http_gate.c: what is judged before the library sees it, or before the application does. */
/* Looks at what has come on a connection that is held. It may be gone after this call. */
void http_gate_look(struct http_connection *connection);
/* A request was completed: holds the connection until the next one has a whole head. */
void http_gate_hold(struct http_connection *connection);
/* Bytes, or an end, came on a connection that was refused. */
void http_gate_drain(struct http_connection *connection);
/* Finds a reason to refuse the request by its headers alone; sets refusal and close_after. */
void http_headers_check(struct http_request *request);
