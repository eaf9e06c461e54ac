#include "app/waiters.h"
#include "util/alloc.h"
#include <stdlib.h>
#include <string.h>

void waiters_clear(struct waiters *waiters)
{
    free(waiters->items);
    *waiters = (struct waiters){0};
}

bool waiters_add(struct waiters *waiters, uint64_t batch, waiter_fn fn, void *ctx)
{
    if (waiters->count == WAITERS_MAX)
        return false;
    if (waiters->count == waiters->cap) {
        waiters->cap = waiters->cap ? waiters->cap * 2 : 16;
        waiters->items = mem_resize(waiters->items, waiters->cap, sizeof *waiters->items);
    }
    waiters->items[waiters->count++] = (struct waiter){batch, fn, ctx};
    return true;
}

/* Takes the first COUNT out before they are told, so that each is told once whatever it does. */
static void tell(struct waiters *waiters, size_t count, bool is_stored)
{
    if (count == 0)
        return;
    struct waiter *told = mem_new(count, sizeof *told);
    memcpy(told, waiters->items, count * sizeof *told);
    waiters->count -= count;
    memmove(waiters->items, waiters->items + count, waiters->count * sizeof *waiters->items);
    for (size_t i = 0; i < count; i++)
        told[i].fn(told[i].ctx, is_stored);
    free(told);
}

void waiters_tell_stored(struct waiters *waiters, uint64_t batch)
{
    size_t count = 0;
    while (count < waiters->count && waiters->items[count].batch <= batch)
        count++;
    tell(waiters, count, true);
}

void waiters_tell_lost(struct waiters *waiters)
{
    tell(waiters, waiters->count, false);
}
