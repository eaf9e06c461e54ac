/* A connection to Redis on the event loop: pipelined commands with answers, deadlines, reconnects.
 *
 * Owns one socket at a time and its whole life: name look-up, connect (with deadline), TLS, AUTH, SELECT,
 * CLIENT SETNAME, then `up`. Made again with backoff and jitter whenever it ends. All deadlines are
 * monotonic.
 *
 * Answers come in the order of the commands. An answer of NULL means that the link died before it came: the
 * outcome is unknown, not "failed". Callbacks run from the loop; inside them any function of this header may
 * be called, redis_link_free included.
 *
 * What callbacks send is written together once they are done, or at redis_link_flush.
 *
 * Bounds: at most max_inflight commands and max_bytes unsent bytes; beyond, a command is refused with
 * -ENOBUFS. A reply of more than reply_max_bytes ends the link: what it
 * becomes in memory may be fifty times as much. */
#pragma once

#include "util/buf.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct redisReply;
struct redisReplyObjectFunctions;
struct redis_link;

enum redis_scheme { REDIS_TCP, REDIS_UNIX, REDIS_TLS };

/* Where and how to connect. Text is borrowed for the life of the link. */
struct redis_endpoint {
    enum redis_scheme scheme;
    const char *host; /* name or address; the path of a unix socket */
    uint16_t port;
    int db;
    const char *username;      /* "" for none */
    const char *password;      /* "" for none; from the URL */
    const char *password_file; /* "" for none; read again at each connect, wins over password; a last newline
                                  is no part of it */
    const char *tls_ca_file, *tls_cert_file,
        *tls_key_file; /* "" for the system's CAs, no client certificate */
};

/* Longest name or address of a host, with its NUL. */
#define REDIS_HOST_MAX 256

/* Who knows where a server that moves is now (Sentinel). It is asked before each try, and told what came of
 * it. Its functions must not free a link; redis_link_move and redis_link_look_again may be called inside. */
struct redis_locator {
    void *ctx;
    /* LINK is made / freed: between the two it may be moved. */
    void (*join)(void *ctx, struct redis_link *link);
    void (*leave)(void *ctx, struct redis_link *link);
    /* Where LINK is to connect now; the text is copied. False: that is not known yet, or others are to try
     * first. The link then waits until redis_link_look_again, and asks by itself after reconnect_min_ms. */
    bool (*find)(void *ctx, const struct redis_link *link, const char **ret_host, uint16_t *ret_port);
    /* LINK is up, and what it has reached says that it is a master. */
    void (*reached)(void *ctx, const struct redis_link *link);
    /* LINK, or its try, has ended. NO_MASTER: what is there says that it is something else. */
    void (*ended)(void *ctx, const struct redis_link *link, bool no_master);
};

struct redis_link_options {
    struct redis_endpoint endpoint;
    /* NULL: the server is where `endpoint` says. Else host and port of that are not used, and a connection
     * comes up only where ROLE says master. Borrowed for the life of the link. */
    const struct redis_locator *locator;
    const char *client_name; /* for CLIENT SETNAME */
    int connect_timeout_ms;
    int command_timeout_ms;
    int reconnect_min_ms, reconnect_max_ms;
    size_t max_inflight;
    size_t max_bytes;
    size_t reply_max_bytes; /* 0: 256 MiB */
    /* Replaces hiredis' reply objects for answers (not for those of the handshake): what they return is
     * handed to redis_reply_fn as it is and freed by their freeObject (which may be NULL). They must not call
     * the link. NULL: struct redisReply. */
    const struct redisReplyObjectFunctions *reply_functions;
    void *reply_privdata;
};

/* REPLY is a struct redisReply (or what reply_functions made), valid during the call; NULL:
 * outcome unknown. */
typedef void (*redis_reply_fn)(void *ctx, void *reply);

struct redis_link_events {
    /* Ready for commands: connected, authenticated, database selected. */
    void (*up)(void *ctx);
    /* The link ended; all pending answers have been given as NULL before. REASON is a short text for the log,
     * and says what Redis answered where AUTH or SELECT was refused, never a password. Also called for a
     * connect that failed. */
    void (*down)(void *ctx, const char *reason, bool was_up);
    /* A message that belongs to no command, once the link has subscribed (redis_link_subscribe); not freed by
     * the callee. */
    void (*push)(void *ctx, const struct redisReply *message);
};

/* Copies OPTIONS but not what they point to. Does not connect yet. Never NULL. */
struct redis_link *redis_link_new(struct loop *loop, const struct redis_link_options *options,
                                  const struct redis_link_events *events, void *ctx);
/* Ends the connection without `down`. Pending answers are given as NULL, from inside this call; nothing is
 * called after it. */
void redis_link_free(struct redis_link *link);

/* Starts connecting, and keeps at it: the delay between tries doubles from min to max with jitter, and begins
 * again at min once a link has been up for max. */
void redis_link_start(struct redis_link *link);
/* Ends the connection; `down` follows from the loop, with REASON, and a new try after the backoff (RECONNECT)
 * or never (until redis_link_start). While waiting for the next try there is nothing to end: no `down`;
 * without RECONNECT the waiting ends. */
void redis_link_drop(struct redis_link *link, const char *reason, bool reconnect);

/* The server is there, as another link to it has seen: where this one waits because it could not connect, it
 * tries now. A link that was up before it ended keeps its distance. */
void redis_link_hurry(struct redis_link *link);

/* The server is elsewhere now: the connection ends (`down` follows from the loop, with REASON) and the next
 * try begins at once. */
void redis_link_move(struct redis_link *link, const char *reason);
/* The locator may know more: a link that waits for it, and for nothing else, asks now. */
void redis_link_look_again(struct redis_link *link);

bool redis_link_is_up(const struct redis_link *link);
/* Where it is connected to, or tries to; the host is "" where no locator has said so yet. */
const struct redis_endpoint *redis_link_endpoint(const struct redis_link *link);
/* Changes what may change while running (reload). */
void redis_link_set_backoff(struct redis_link *link, int min_ms, int max_ms);

/* Sends a command. 0; -ENOTCONN while not up; -ENOBUFS at a bound; -EBUSY once subscribed. FN (may be NULL)
 * is called exactly once for each 0. EXTRA_MS is added to the command's deadline (for BLOCK); no answer is
 * due before those ahead of it are. */
int redis_link_command(struct redis_link *link, const struct slice *argv, size_t argc, int64_t extra_ms,
                       redis_reply_fn fn, void *ctx);
/* The same for COUNT (above 0) commands that are already in RESP; FN is called for each of their answers. */
int redis_link_send(struct redis_link *link, struct slice resp, size_t count, int64_t extra_ms,
                    redis_reply_fn fn, void *ctx);
/* Writes what was sent so far, for a callback that has more to do: Redis works on it meanwhile. What goes
 * wrong with it shows as ever, from the loop. */
void redis_link_flush(struct redis_link *link);
/* Sends a (P)SUBSCRIBE: until the link ends it takes no other commands, and every message, the confirmations
 * and a refusal (REDIS_REPLY_ERROR) among them, goes to `push`. -EINVAL on a link with reply_functions; else
 * as redis_link_command. */
int redis_link_subscribe(struct redis_link *link, const struct slice *argv, size_t argc);

/* Gives back the buffers that hold nothing; they are taken again as they are needed. Not from a callback. */
void redis_link_give_back(struct redis_link *link);

/* Counters since redis_link_new. */
struct redis_link_stats {
    uint64_t connects;         /* times the link came up */
    uint64_t connect_failures; /* tries that ended before */
    uint64_t losses;           /* times it ended after it was up */
    uint64_t timeouts;         /* of these, for an overdue answer */
    uint64_t refused;          /* commands refused at a bound */
    uint64_t bytes_in, bytes_out;
};
void redis_link_get_stats(const struct redis_link *link, struct redis_link_stats *ret_stats);
size_t redis_link_inflight(const struct redis_link *link);

/* What a Redis error text means for the one who got it. */
enum redis_error {
    REDIS_ERROR_OTHER,
    REDIS_ERROR_NOAUTH,    /* NOAUTH, WRONGPASS: credentials are missing or wrong */
    REDIS_ERROR_NOPERM,    /* the ACL user may not do this */
    REDIS_ERROR_LOADING,   /* LOADING, MASTERDOWN: wait */
    REDIS_ERROR_MISCONF,   /* cannot persist, so it takes no writes; also NOREPLICAS */
    REDIS_ERROR_OOM,       /* no memory for writes */
    REDIS_ERROR_READONLY,  /* a replica */
    REDIS_ERROR_WRONGTYPE, /* the key holds something else */
    REDIS_ERROR_NOSCRIPT,  /* send EVAL */
    REDIS_ERROR_NOGROUP,   /* the consumer group is gone */
    REDIS_ERROR_BUSY,      /* a script runs too long: wait */
};
enum redis_error redis_error_classify(struct slice text);
/* One lower-case word, for logs and labels. */
const char *redis_error_name(enum redis_error error);
