/* The last ten minutes in numbers, a sample each second, so that a plot has something to show at once: how
 * signals flowed, how many were open, how long they took. Kept in memory only; it begins with the daemon. */
#pragma once

#include "core/histogram.h"
#include <stdbool.h>
#include <stdint.h>

#define HISTORY_SAMPLES     600
#define HISTORY_INTERVAL_MS 1000

/* What is counted, by its place in a sample. */
enum history_count {
    HISTORY_RECEIVED,
    HISTORY_PROCESSED,
    HISTORY_FAILED,
    HISTORY_DROPPED,
    HISTORY_LOST,
};
#define HISTORY_COUNTS 5

/* Totals as they stand; they only grow, but for a new GENERATION. */
struct history_totals {
    uint64_t generation; /* with another one the totals began anew */
    uint64_t counts[HISTORY_COUNTS];
    uint64_t open;
    int64_t oldest_ms;               /* age of the oldest open one; 0 for none */
    const struct histogram *latency; /* in seconds; borrowed for the call */
};

struct history_sample {
    int64_t at_ms;   /* Redis time */
    int64_t over_ms; /* what it counts happened in this time up to at_ms; 0 where nothing is known */
    uint32_t counts[HISTORY_COUNTS];
    uint64_t open;
    int64_t oldest_ms;
    float p50_ms, p99_ms; /* latency of what ended; negative where nothing did */
};

/* Zeroed is empty. */
struct history {
    struct history_sample samples[HISTORY_SAMPLES]; /* a ring */
    uint32_t first, count;
    int64_t due_ms; /* monotonic */
    bool has_last;  /* the totals below are those of the sample before */
    int64_t last_ms;
    uint64_t generation;
    uint64_t last[HISTORY_COUNTS];
    uint64_t last_latency[HISTOGRAM_BUCKETS_MAX + 1];
};

struct daemon;
/* Takes a sample where one is due; called a few times a second. */
void history_tick(struct history *history, const struct daemon *d);

/* Adds a sample of what has happened since the one before; the oldest leaves. A clock that went back (at_ms
 * not above the one before) adds none. */
void history_add(struct history *history, const struct history_totals *totals, int64_t at_ms);
/* The sample at PLACE, 0 for the oldest; below history->count. */
const struct history_sample *history_get(const struct history *history, uint32_t place);
