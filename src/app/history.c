/* A ring of samples. Each holds what came about since the one before, so that a restart of the counting shows
 * as a sample without counts and not as a peak. */
#include "app/history.h"

#include "adapters/loop.h"
#include "app/daemon.h"

const struct history_sample *history_get(const struct history *history, uint32_t place)
{
    return &history->samples[(history->first + place) % HISTORY_SAMPLES];
}

static struct history_sample *next_slot(struct history *history)
{
    if (history->count == HISTORY_SAMPLES)
        history->first = (history->first + 1) % HISTORY_SAMPLES;
    else
        history->count++;
    return &history->samples[(history->first + history->count - 1) % HISTORY_SAMPLES];
}

static uint64_t grown(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

/* Below which share Q of the COUNT observations in COUNTS lie, in milliseconds: as if they lay evenly within
 * their bucket. Beyond the last bound nothing is known but that bound. */
static float quantile_ms(const struct histogram *h, const uint64_t *counts, uint64_t count, double q)
{
    double rank = q * (double)count, below = 0, low = 0;

    for (size_t b = 0; b < h->bound_count; b++) {
        if (counts[b] > 0 && below + (double)counts[b] >= rank)
            return (float)(1000 * (low + (h->bounds[b] - low) * (rank - below) / (double)counts[b]));
        below += (double)counts[b];
        low = h->bounds[b];
    }
    return (float)(1000 * low);
}

static void take_latency(struct history *history, const struct histogram *h, struct history_sample *sample)
{
    uint64_t counts[HISTOGRAM_BUCKETS_MAX + 1], count = 0;

    for (size_t b = 0; b <= h->bound_count; b++) {
        counts[b] = grown(h->counts[b], history->last_latency[b]);
        count += counts[b];
    }
    if (!sample->over_ms || count == 0)
        return;
    sample->p50_ms = quantile_ms(h, counts, count, .5);
    sample->p99_ms = quantile_ms(h, counts, count, .99);
}

static void remember(struct history *history, const struct history_totals *totals, int64_t at_ms)
{
    history->has_last = true;
    history->last_ms = at_ms;
    history->generation = totals->generation;
    memcpy(history->last, totals->counts, sizeof history->last);
    memcpy(history->last_latency, totals->latency->counts, sizeof history->last_latency);
}

void history_add(struct history *history, const struct history_totals *totals, int64_t at_ms)
{
    bool goes_on = history->has_last && history->generation == totals->generation;
    struct history_sample sample = {.at_ms = at_ms,
                                    .over_ms = goes_on ? at_ms - history->last_ms : 0,
                                    .open = totals->open,
                                    .oldest_ms = totals->oldest_ms,
                                    .p50_ms = -1,
                                    .p99_ms = -1};

    if (history->has_last && at_ms <= history->last_ms) {
        remember(history, totals, at_ms);
        return;
    }
    for (size_t c = 0; goes_on && c < HISTORY_COUNTS; c++) {
        uint64_t count = grown(totals->counts[c], history->last[c]);

        sample.counts[c] = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
    }
    take_latency(history, totals->latency, &sample);
    *next_slot(history) = sample;
    remember(history, totals, at_ms);
}

static void add_up(const struct ledger_view *view, uint64_t counts[HISTORY_COUNTS])
{
    static const enum total_kind kinds[HISTORY_COUNTS] = {
        [HISTORY_RECEIVED] = TOTAL_RECEIVED, [HISTORY_PROCESSED] = TOTAL_PROCESSED,
        [HISTORY_FAILED] = TOTAL_FAILED,     [HISTORY_DROPPED] = TOTAL_DROPPED,
        [HISTORY_LOST] = TOTAL_LOST,
    };

    for (size_t c = 0; c < HISTORY_COUNTS; c++) {
        for (uint32_t a = 0; a <= LABELS_OTHER; a++)
            counts[c] += view->counts[a].total[kinds[c]] - view->counts[a].base[kinds[c]];
    }
}

void history_tick(struct history *history, const struct daemon *d)
{
    const struct daemon *signals = daemon_of(d, LAYER_RTSS);
    int64_t now_ms = loop_now_ms(), at_ms = daemon_now_ms(signals);
    struct ledger_view view;

    if (now_ms < history->due_ms)
        return;
    /* In step, unless the loop stood still for long. */
    history->due_ms += HISTORY_INTERVAL_MS;
    if (history->due_ms <= now_ms)
        history->due_ms = now_ms + HISTORY_INTERVAL_MS;
    daemon_view_ledger(d, &view);
    struct history_totals totals = {
        /* While nothing is loaded nothing is counted, and what is loaded is not what has come. */
        .generation = signals->lead.has_state ? signals->state_number + 1 : 0,
        .open = view.open,
        .oldest_ms = view.oldest_open_ms && (uint64_t)at_ms > view.oldest_open_ms
                         ? at_ms - (int64_t)view.oldest_open_ms
                         : 0,
        .latency = view.latency_seconds,
    };
    add_up(&view, totals.counts);
    history_add(history, &totals, at_ms);
}
