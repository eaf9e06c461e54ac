/* Which address the Sentinels name, together. Each has said at some time what it holds for true; they need
 * not agree.
 *
 * The highest config-epoch counts, as it does among Sentinels: a failover gives the configuration a new one,
 * which only a majority of them can grant, and those that have not heard of it yet go on naming the old
 * address for up to two seconds. Where several addresses come with it, the one that most of them name, then
 * the one that is in use, then the one that is named first in the list. An epoch that is lower than what was
 * taken before counts once nobody has repeated that for SENTINEL_MEMORY_MS (Sentinels that were set up
 * anew). */
#pragma once

#include "redis_sentinel_answer.h"

#define SENTINEL_VOTE_LIFE_MS 5000
#define SENTINEL_MEMORY_MS    10000

struct sentinel_vote {
    struct sentinel_address master; /* "" for none: it does not know any, or has not said so yet */
    uint64_t epoch;
    int64_t said_ms; /* monotonic */
};

/* What was taken before. */
struct sentinel_choice {
    struct sentinel_address master; /* "" for none */
    uint64_t epoch;
    int64_t said_ms; /* when a Sentinel has last said so */
};

struct sentinel_result {
    size_t index; /* of the vote that is taken */
    size_t other; /* of one that names another address; INDEX where all agree */
};

/* False where there is nothing to be taken. */
bool sentinel_choose(const struct sentinel_vote *const *votes, size_t count,
                     const struct sentinel_choice *before, int64_t now_ms,
                     struct sentinel_result *ret_result);
