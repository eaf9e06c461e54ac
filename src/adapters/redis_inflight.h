/* The commands that wait for an answer, oldest first: a ring that grows.
 *
 * Invariants: an entry stands for one or more commands with the same receiver; deadlines do not fall from an
 * entry to the next, so the oldest is always the first to be overdue. */
#pragma once

#include "adapters/redis_link.h"

struct redis_waiter {
    redis_reply_fn fn;
    void *ctx;
    int64_t deadline_ms; /* monotonic */
    size_t commands;     /* still unanswered, above 0 */
};

struct redis_inflight {
    struct redis_waiter *slots;
    size_t cap; /* 0 or a power of two */
    size_t head;
    size_t len;
    size_t commands; /* of all entries */
};

void redis_inflight_clear(struct redis_inflight *q);
/* A deadline before the newest one's is raised to that: answers come in order, so it cannot be met earlier.
 */
void redis_inflight_add(struct redis_inflight *q, redis_reply_fn fn, void *ctx, size_t commands,
                        int64_t deadline_ms);
/* The deadline of the oldest, or INT64_MAX where nothing waits. */
int64_t redis_inflight_deadline(const struct redis_inflight *q);
/* Takes the receiver of the next answer; false where nothing waits. */
bool redis_inflight_take(struct redis_inflight *q, redis_reply_fn *ret_fn, void **ret_ctx);
