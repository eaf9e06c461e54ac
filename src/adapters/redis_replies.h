/* Replies as hiredis makes them (struct redisReply), in memory that is used again for the next one: there is
 * one reply at a time, and it lives until its callback is done. A small one costs no allocation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct redisReplyObjectFunctions;
struct redis_replies_part;

/* Zeroed is empty. A reply may announce so many elements, of all its arrays together: the parser makes room
 * for all of an array as soon as it has read its length, so a dozen bytes of somebody who is no Redis would
 * cost gigabytes, and a bound on the bytes of a reply would never see them. */
struct redis_replies {
    struct redis_replies_part *newest; /* each has the one before it */
    size_t max_elements;               /* 0: no bound */
    size_t elements;                   /* that were announced */
    bool is_refused;                   /* for too many, and not for want of memory as the parser says */
};

/* For a reader whose privdata is a struct redis_replies. What they make is not freed one by one. */
extern const struct redisReplyObjectFunctions redis_replies_functions;

/* Forgets what was made, and keeps memory for a small reply. */
void redis_replies_reset(struct redis_replies *replies);
/* Forgets what was made, and keeps nothing. */
void redis_replies_clear(struct redis_replies *replies);
