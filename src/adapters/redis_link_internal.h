/* What redis_link.c (the life of a connection) and redis_command.c (commands and answers while it is up)
 * share. */
#pragma once

#include "adapters/redis_link.h"

#include "redis_handshake.h"
#include "redis_inflight.h"
#include "redis_wire.h"
#include "util/errmsg.h"

struct event;
struct loop_timer;
struct redis_dial;

enum link_state {
    LINK_IDLE,    /* nothing is wanted */
    LINK_WAITING, /* for the next try */
    LINK_DIALING,
    LINK_GREETING, /* connected, handshake under way */
    LINK_UP,
};

struct redis_link {
    struct loop *loop;
    struct redis_link_options options;
    struct redis_link_events events;
    void *ctx;

    enum link_state state;
    struct loop_timer *timer; /* the next try, the connect deadline, or the oldest answer, as the state is */
    int64_t timer_due_ms;     /* of the timer, while up */
    struct event *tend;       /* made active by hand: there is something to send, or to drop */
    struct redis_dial *dial;  /* while dialing */
    struct redis_wire wire;   /* open from greeting on */
    struct redis_handshake handshake;
    struct redis_inflight inflight;
    bool is_subscribed;

    int64_t connect_deadline_ms;
    int64_t up_since_ms;
    bool is_in_vain;           /* the last try did not come up */
    bool is_unlocated;         /* while waiting: the locator has not said where to */
    bool is_moving;            /* the next try begins at once */
    char host[REDIS_HOST_MAX]; /* what the locator said */
    unsigned failures;         /* tries and short-lived links since the last that held */

    bool is_dropping;
    bool drop_reconnects;
    struct errmsg drop_reason;

    unsigned holds;
    bool is_freed;
    struct redis_link_stats stats;
};

/* True where the connection that the caller works on must not be touched any more: ask it after each call of
 * the owner. */
static inline bool is_gone(const struct redis_link *link)
{
    return link->is_freed || link->is_dropping;
}

/* Makes the loop send the output, or fulfil the owner's wish to drop, once the callback that runs now is
 * done. */
void redis_link_tend_soon(struct redis_link *link);
/* Ends the connection, answers what is in flight with NULL and tells the owner, who may free the link in
 * here. */
void redis_link_end(struct redis_link *link, const char *reason, bool reconnect);

/* Hands an answer to the command that it is for. False where the connection has ended, or is_gone. */
bool redis_command_take(struct redis_link *link, void *answer);
/* Gives NULL to all that is in flight. A receiver may free the link, which then answers the rest itself. */
void redis_command_answer_unknown(struct redis_link *link);
/* Ends the connection where the oldest answer is overdue; sets the timer for it otherwise. */
void redis_command_check_deadline(struct redis_link *link);
