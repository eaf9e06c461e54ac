/* Those who wait until a batch is stored, oldest first: a bounded list. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAITERS_MAX 1024

/* IS_STORED: what was waited for is in Redis; else it was given up, and whether Redis has it is unknown. */
typedef void (*waiter_fn)(void *ctx, bool is_stored);

struct waiter {
    uint64_t batch;
    waiter_fn fn;
    void *ctx;
};

/* Zeroed is empty. */
struct waiters {
    struct waiter *items;
    size_t count, cap;
};

void waiters_clear(struct waiters *waiters);
/* BATCH is not lower than that of anybody who waits. False at the bound: FN is not called. */
bool waiters_add(struct waiters *waiters, uint64_t batch, waiter_fn fn, void *ctx);
/* Batches up to BATCH are stored. A function that is called may add others. */
void waiters_tell_stored(struct waiters *waiters, uint64_t batch);
/* Everybody waits in vain. */
void waiters_tell_lost(struct waiters *waiters);
