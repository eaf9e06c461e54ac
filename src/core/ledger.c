/* The ledger as a whole: its parts, its options, and what metrics see of it. */
#include "ledger_private.h"

#include "util/alloc.h"
#include <stdlib.h>

static const double latency_bounds[LATENCY_BUCKETS] = {.001, .0025, .005, .01, .025, .05, .1, .25,
                                                       .5,   1,     2.5,  5,   10,   30,  60};
static const double slippage_bounds[SLIPPAGE_BUCKETS] = {-10, -5, -2, -1, -.5, -.1, 0, .1, .5, 1, 2, 5, 10};
static const double execution_bounds[EXECUTION_BUCKETS] = {.001, .0025, .005, .01, .025, .05, .1,
                                                           .25,  .5,    1,    2.5, 5,    10,  30};

const char *unmatched_reason_name(enum unmatched_reason reason)
{
    static const char *const names[UNMATCHED_REASONS] = {
        [UNMATCHED_EARLY] = "early",     [UNMATCHED_FOLLOWUP] = "followup",   [UNMATCHED_LATE] = "late",
        [UNMATCHED_UNKNOWN] = "unknown", [UNMATCHED_DUPLICATE] = "duplicate",
    };

    return names[reason];
}

#define RECENTS 8

static void list_recents(struct ledger *l, struct recent *out[RECENTS])
{
    struct recent *all[RECENTS] = {&l->received, &l->processed, &l->failed,          &l->dropped,
                                   &l->latency,  &l->result,    &l->result_slippage, &l->result_execution};

    memcpy(out, all, sizeof(all));
}

static void init_metrics(struct ledger *l)
{
    struct recent *recents[RECENTS];

    histogram_init(&l->latency_seconds, latency_bounds, LATENCY_BUCKETS);
    l->latency_seconds.exemplars = l->exemplars;
    histogram_init(&l->slippage, slippage_bounds, SLIPPAGE_BUCKETS);
    histogram_init(&l->execution_seconds, execution_bounds, EXECUTION_BUCKETS);
    list_recents(l, recents);
    for (size_t i = 0; i < RECENTS; i++)
        recent_init(recents[i], l->options.per_id_max, l->options.per_id_ttl_ms);
}

static void init_parts(struct ledger *l, const struct ledger_options *options, struct fleet *fleet,
                       struct hash_key key)
{
    *l = (struct ledger){.options = *options,
                         .fleet = fleet,
                         .key = key,
                         .hold_ms = INT64_MIN,
                         .results_needed = {UINT64_MAX, UINT64_MAX}};
    open_init(&l->open, key);
    addressee_names_init(&l->addressees, key);
    early_init(&l->early, key);
    ended_init(l);
    kept_init(l);
    init_metrics(l);
}

static void clear_parts(struct ledger *l)
{
    struct recent *recents[RECENTS];

    open_clear(&l->open);
    addressee_names_clear(&l->addressees);
    early_clear(&l->early);
    id_log_clear(&l->ended);
    id_log_clear(&l->results);
    removed_clear(&l->removed_signals);
    removed_clear(&l->removed_results);
    list_recents(l, recents);
    for (size_t i = 0; i < RECENTS; i++)
        recent_clear(recents[i]);
}

struct ledger *ledger_new(const struct ledger_options *options, struct fleet *fleet, struct hash_key key)
{
    struct ledger *l = mem_new(1, sizeof(*l));

    init_parts(l, options, fleet, key);
    return l;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    clear_parts(l);
    free(l);
}

void ledger_reset(struct ledger *l)
{
    struct ledger_options options = l->options;
    struct fleet *fleet = l->fleet;
    struct hash_key key = l->key;
    ledger_event_fn on_event = l->on_event;
    void *event_ctx = l->event_ctx;

    clear_parts(l);
    init_parts(l, &options, fleet, key);
    ledger_send_events(l, on_event, event_ctx);
}

void ledger_configure(struct ledger *l, const struct ledger_options *options)
{
    struct recent *recents[RECENTS];

    l->options = *options;
    list_recents(l, recents);
    for (size_t i = 0; i < RECENTS; i++)
        recent_resize(recents[i], options->per_id_max, options->per_id_ttl_ms);
}

void ledger_send_events(struct ledger *l, ledger_event_fn fn, void *ctx)
{
    l->on_event = fn;
    l->event_ctx = ctx;
}

void ledger_hold(struct ledger *l, int64_t until_ms)
{
    if (until_ms > l->hold_ms)
        l->hold_ms = until_ms;
}

static uint64_t count_held(const struct ledger *l)
{
    return (uint64_t)l->open.count + l->open.duplicate_count;
}

bool ledger_is_full(const struct ledger *l)
{
    uint64_t held = count_held(l);

    /* A result that waits is for a signal that has not been read: that one must be, or it would be given up.
     */
    return held >= l->options.max_tracked &&
           (l->early.count == 0 || held >= 2 * (uint64_t)l->options.max_tracked);
}

bool ledger_has_room(const struct ledger *l, uint32_t count)
{
    return count_held(l) + count < l->options.max_tracked;
}

bool ledger_is_open(const struct ledger *l, struct slice signal_id)
{
    return map_find(&l->open.map, signal_id) != MAP_NONE;
}

void ledger_view(const struct ledger *l, struct ledger_view *ret_view)
{
    static const struct action_counts nothing[LABELS_MAX + 1];
    const struct open_signal *oldest = l->is_loading ? NULL : open_first(&l->open, LIST_ALL);

    *ret_view = (struct ledger_view){
        .actions = &l->actions,
        .counts = l->is_loading ? nothing : l->counts,
        .results = l->results_counted,
        .open = l->is_loading ? 0 : l->open.count,
        .oldest_open_ms = oldest ? oldest->entry.ms : 0,
        .ended_remembered = l->ended.count,
        .early_waiting = l->early.count,
        .ended_evicted = l->ended_evicted,
        .latency_seconds = &l->latency_seconds,
        .slippage = &l->slippage,
        .execution_seconds = &l->execution_seconds,
        .received = &l->received,
        .processed = &l->processed,
        .failed = &l->failed,
        .dropped = &l->dropped,
        .latency = &l->latency,
        .result = &l->result,
        .result_slippage = &l->result_slippage,
        .result_execution = &l->result_execution,
    };
    memcpy(ret_view->unmatched, l->unmatched, sizeof(ret_view->unmatched));
}

void ledger_view_results(const struct ledger *l, struct ledger_view *view)
{
    struct ledger_view results;

    ledger_view(l, &results);
    view->results = results.results;
    view->slippage = results.slippage;
    view->execution_seconds = results.execution_seconds;
    view->result = results.result;
    view->result_slippage = results.result_slippage;
    view->result_execution = results.result_execution;
    for (size_t reason = 0; reason < UNMATCHED_REASONS; reason++)
        view->unmatched[reason] += results.unmatched[reason];
}
