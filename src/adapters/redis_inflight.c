#include "redis_inflight.h"

#include "util/alloc.h"
#include <stdlib.h>

#define FIRST_CAP 64
/* A ring that a burst made larger than this is given back when it has run empty. */
#define KEEP_CAP 4096

void redis_inflight_clear(struct redis_inflight *q)
{
    free(q->slots);
    *q = (struct redis_inflight){0};
}

static struct redis_waiter *slot_at(const struct redis_inflight *q, size_t index)
{
    return &q->slots[(q->head + index) & (q->cap - 1)];
}

static void grow_ring(struct redis_inflight *q)
{
    size_t cap = q->cap ? q->cap * 2 : FIRST_CAP;
    struct redis_waiter *slots = mem_new(cap, sizeof(*slots));

    for (size_t i = 0; i < q->len; i++)
        slots[i] = *slot_at(q, i);
    free(q->slots);
    q->slots = slots;
    q->cap = cap;
    q->head = 0;
}

void redis_inflight_add(struct redis_inflight *q, redis_reply_fn fn, void *ctx, size_t commands,
                        int64_t deadline_ms)
{
    if (q->len > 0 && slot_at(q, q->len - 1)->deadline_ms > deadline_ms)
        deadline_ms = slot_at(q, q->len - 1)->deadline_ms;
    if (q->len == q->cap)
        grow_ring(q);
    *slot_at(q, q->len) = (struct redis_waiter){fn, ctx, deadline_ms, commands};
    q->len++;
    q->commands += commands;
}

int64_t redis_inflight_deadline(const struct redis_inflight *q)
{
    return q->len > 0 ? slot_at(q, 0)->deadline_ms : INT64_MAX;
}

bool redis_inflight_take(struct redis_inflight *q, redis_reply_fn *ret_fn, void **ret_ctx)
{
    if (q->len == 0)
        return false;

    struct redis_waiter *oldest = slot_at(q, 0);

    *ret_fn = oldest->fn;
    *ret_ctx = oldest->ctx;
    q->commands--;
    if (--oldest->commands > 0)
        return true;
    q->head = (q->head + 1) & (q->cap - 1);
    q->len--;
    if (q->len == 0 && q->cap > KEEP_CAP)
        redis_inflight_clear(q);
    return true;
}
