/* The latencies and rates of the newest trades (SPEC §9.1): bounded in number, the one untouched longest
 * makes room.
 *
 * Invariant: the items in use are in the map and in one list, the one untouched longest first. */
#pragma once

#include "core/ident.h"
#include "util/map.h"
#include <stdint.h>

#define TRADE_RATE_SECONDS 10

struct trade_stat {
    struct ident id;
    int64_t touched_ms;
    double latency_us, set_latency_us, retrieval_latency_us; /* below 0: not measured */
    uint16_t updates[TRADE_RATE_SECONDS];                    /* by second modulo the window */
    int64_t newest_s;
    uint32_t prev, next;
};

struct trade_stats {
    struct trade_stat *items; /* the first count are in use */
    uint32_t capacity, count;
    uint32_t oldest, newest;
    struct map map;
    int64_t ttl_ms;
    uint64_t evicted;
};

/* STATS must not be moved afterwards. */
void trade_stats_init(struct trade_stats *stats, uint32_t capacity, int64_t ttl_ms);
void trade_stats_clear(struct trade_stats *stats);
/* Another bound; where it changes, what was held is forgotten. */
void trade_stats_resize(struct trade_stats *stats, uint32_t capacity, int64_t ttl_ms);

/* Borrowed until the next call; made where it is new. NULL where the capacity is 0. */
struct trade_stat *trade_stats_touch(struct trade_stats *stats, struct slice id, int64_t now_ms);
struct trade_stat *trade_stats_find(const struct trade_stats *stats, struct slice id);
void trade_stat_count(struct trade_stat *stat, int64_t now_ms);
/* Updates per second over the last ten seconds. */
double trade_stat_rate(const struct trade_stat *stat, int64_t now_ms);
/* Younger than the ttl. */
bool trade_stat_is_young(const struct trade_stats *stats, const struct trade_stat *stat, int64_t now_ms);
