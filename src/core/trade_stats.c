#include "core/trade_stats.h"

#include "util/alloc.h"
#include <assert.h>
#include <stdlib.h>

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct trade_stats *stats = owner;

    return ident_slice(&stats->items[index].id);
}

void trade_stats_init(struct trade_stats *stats, uint32_t capacity, int64_t ttl_ms)
{
    *stats =
        (struct trade_stats){.capacity = capacity, .oldest = MAP_NONE, .newest = MAP_NONE, .ttl_ms = ttl_ms};
    if (capacity)
        stats->items = mem_new(capacity, sizeof *stats->items);
    /* Where the items lie is not known outside, which is all that is asked of this key. */
    map_init(&stats->map, (struct hash_key){(uintptr_t)stats->items, capacity}, key_of, stats);
}

void trade_stats_clear(struct trade_stats *stats)
{
    map_clear(&stats->map);
    free(stats->items);
    *stats = (struct trade_stats){.oldest = MAP_NONE, .newest = MAP_NONE};
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
    uint32_t index = stats->count ? map_find(&stats->map, id) : MAP_NONE;
    return index == MAP_NONE ? NULL : &stats->items[index];
}

bool trade_stat_is_young(const struct trade_stats *stats, const struct trade_stat *stat, int64_t now_ms)
{
    return now_ms - stat->touched_ms <= stats->ttl_ms;
}

static void list_remove(struct trade_stats *stats, const struct trade_stat *stat)
{
    if (stat->prev == MAP_NONE)
        stats->oldest = stat->next;
    else
        stats->items[stat->prev].next = stat->next;
    if (stat->next == MAP_NONE)
        stats->newest = stat->prev;
    else
        stats->items[stat->next].prev = stat->prev;
}

static void list_append(struct trade_stats *stats, struct trade_stat *stat)
{
    uint32_t index = (uint32_t)(stat - stats->items);
    stat->prev = stats->newest;
    stat->next = MAP_NONE;
    if (stats->newest == MAP_NONE)
        stats->oldest = index;
    else
        stats->items[stats->newest].next = index;
    stats->newest = index;
}

/* An item that is in neither list nor map. */
static struct trade_stat *make_room(struct trade_stats *stats, int64_t now_ms)
{
    assert(stats->items);
    if (stats->count < stats->capacity)
        return &stats->items[stats->count++];
    struct trade_stat *oldest = &stats->items[stats->oldest];
    if (trade_stat_is_young(stats, oldest, now_ms))
        stats->evicted++;
    (void)map_remove(&stats->map, stats->oldest); /* every item in use is in it */
    list_remove(stats, oldest);
    return oldest;
}

struct trade_stat *trade_stats_touch(struct trade_stats *stats, struct slice id, int64_t now_ms)
{
    if (!stats->capacity)
        return NULL;
    struct trade_stat *stat = trade_stats_find(stats, id);
    if (stat) {
        list_remove(stats, stat);
    } else {
        stat = make_room(stats, now_ms);
        *stat = (struct trade_stat){.latency_us = -1, .set_latency_us = -1, .retrieval_latency_us = -1};
        ident_set(&stat->id, id);
        map_insert(&stats->map, (uint32_t)(stat - stats->items));
    }
    list_append(stats, stat);
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
