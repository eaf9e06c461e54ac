#include "core/trade_stats.h"
#include "util/alloc.h"
#include <stdlib.h>

void trade_stats_init(struct trade_stats *stats, uint32_t capacity, int64_t ttl_ms)
{
    *stats = (struct trade_stats){.capacity = capacity, .ttl_ms = ttl_ms};
    if (capacity)
        stats->items = mem_new(capacity, sizeof *stats->items);
}

void trade_stats_clear(struct trade_stats *stats)
{
    free(stats->items);
    *stats = (struct trade_stats){0};
}

void trade_stats_resize(struct trade_stats *stats, uint32_t capacity, int64_t ttl_ms)
{
    if (capacity != stats->capacity) {
        uint64_t evicted = stats->evicted;
        trade_stats_clear(stats);
        trade_stats_init(stats, capacity, ttl_ms);
        stats->evicted = evicted;
    }
    stats->ttl_ms = ttl_ms;
}

struct trade_stat *trade_stats_find(const struct trade_stats *stats, struct slice id)
{
    for (uint32_t i = 0; i < stats->count; i++)
        if (slice_equal(ident_slice(&stats->items[i].id), id))
            return &stats->items[i];
    return NULL;
}

bool trade_stat_is_young(const struct trade_stats *stats, const struct trade_stat *stat, int64_t now_ms)
{
    return now_ms - stat->touched_ms <= stats->ttl_ms;
}

static struct trade_stat *make_room(struct trade_stats *stats, int64_t now_ms)
{
    if (stats->count < stats->capacity)
        return &stats->items[stats->count++];
    struct trade_stat *oldest = &stats->items[0];
    for (uint32_t i = 1; i < stats->count; i++)
        if (stats->items[i].touched_ms < oldest->touched_ms)
            oldest = &stats->items[i];
    if (trade_stat_is_young(stats, oldest, now_ms))
        stats->evicted++;
    return oldest;
}

struct trade_stat *trade_stats_touch(struct trade_stats *stats, struct slice id, int64_t now_ms)
{
    if (!stats->capacity)
        return NULL;
    struct trade_stat *stat = trade_stats_find(stats, id);
    if (!stat) {
        stat = make_room(stats, now_ms);
        *stat = (struct trade_stat){.latency_us = -1, .set_latency_us = -1, .retrieval_latency_us = -1};
        ident_set(&stat->id, id);
    }
    stat->touched_ms = now_ms;
    return stat;
}

/* Clears the seconds that have passed without an update. */
static void advance(struct trade_stat *stat, int64_t now_s)
{
    int64_t from = now_s - stat->newest_s > TRADE_RATE_SECONDS ? now_s - TRADE_RATE_SECONDS : stat->newest_s;
    for (int64_t s = from + 1; s <= now_s; s++)
        stat->updates[s % TRADE_RATE_SECONDS] = 0;
    if (now_s > stat->newest_s)
        stat->newest_s = now_s;
}

void trade_stat_count(struct trade_stat *stat, int64_t now_ms)
{
    advance(stat, now_ms / 1000);
    uint16_t *slot = &stat->updates[stat->newest_s % TRADE_RATE_SECONDS];
    if (*slot < UINT16_MAX)
        ++*slot;
}

double trade_stat_rate(const struct trade_stat *stat, int64_t now_ms)
{
    struct trade_stat copy = *stat;
    advance(&copy, now_ms / 1000);
    uint32_t sum = 0;
    for (int i = 0; i < TRADE_RATE_SECONDS; i++)
        sum += copy.updates[i];
    return (double)sum / TRADE_RATE_SECONDS;
}
