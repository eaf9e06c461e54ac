#include "app/summary.h"

#include "adapters/log.h"
#include "app/daemon.h"

struct sums {
    uint64_t totals[TOTAL_DUPLICATE + 1], entries, rejected, events, repairs, batches;
    uint64_t alerts[ALERT_STATUSES];
};

static void add_up_store(const struct daemon *store, struct sums *sums)
{
    for (uint32_t i = 0; i < store->ingest.reason_count; i++)
        sums->rejected += store->ingest.reasons[i].count;
    for (int k = 0; k < REPAIR_KINDS; k++)
        sums->repairs += store->reconcile.repairs[k];
    sums->batches += store->commit.batches;
}

static void add_up(const struct daemon *d, const struct ledger_view *view, struct sums *sums)
{
    uint32_t alerts[RULES_MAX][ALERT_STATUSES] = {0};

    watch_count_alerts(&d->fleet, alerts);
    for (uint32_t r = 0; r < RULES_MAX; r++)
        for (int s = 0; s < ALERT_STATUSES; s++)
            sums->alerts[s] += alerts[r][s];
    for (uint32_t a = 0; a <= LABELS_MAX; a++)
        for (int k = 0; k <= TOTAL_DUPLICATE; k++)
            sums->totals[k] += view->counts[a].total[k] - view->counts[a].base[k];
    for (int k = 0; k < STREAM_KINDS; k++)
        sums->entries += daemon_of(d, (enum layer)k)->ingest.streams[k].entries;
    for (int e = 0; e < EVENT_KINDS; e++)
        sums->events += d->event_counts[e];
    for (size_t s = 0; s < d->store_count; s++)
        add_up_store(d->stores[s], sums);
}

void summary_tell(struct daemon *d)
{
    const struct fleet *fleet = &d->fleet;
    const struct watch *watch = fleet->watch;
    struct readiness readiness;
    struct ledger_view view;
    struct sums sums = {0};

    readiness_look(d, &readiness);
    daemon_view_ledger(d, &view);
    add_up(d, &view, &sums);
    LOG(d->log, INFO, "summary", log_text("ready", readiness.is_ready ? "yes" : readiness.text),
        log_int("instances", fleet->count), log_int("running", fleet->by_state[STATE_RUNNING]),
        log_int("stopped", fleet->by_state[STATE_STOPPED]),
        log_int("crashed", fleet->by_state[STATE_CRASHED]),
        log_int("restarting", fleet->by_state[STATE_RESTARTING]),
        log_int("alerts_firing", (int64_t)sums.alerts[ALERT_FIRING]),
        log_int("alerts_pending", (int64_t)sums.alerts[ALERT_PENDING]),
        log_int("alerts_notified", (int64_t)watch->stats.notified),
        log_int("alerts_resolved", (int64_t)watch->stats.resolved),
        log_int("recoveries_under_way", watch->under_way),
        log_int("breakers_open", watch->breaker.open_count),
        log_int("breaker_trips", (int64_t)watch->breaker.trips),
        log_text("guard", guarding_is_active(&d->guarding) ? "active" : "off"),
        log_int("received", (int64_t)sums.totals[TOTAL_RECEIVED]),
        log_int("processed", (int64_t)sums.totals[TOTAL_PROCESSED]),
        log_int("failed", (int64_t)sums.totals[TOTAL_FAILED]),
        log_int("dropped", (int64_t)sums.totals[TOTAL_DROPPED]),
        log_int("lost", (int64_t)sums.totals[TOTAL_LOST]),
        log_int("duplicate", (int64_t)sums.totals[TOTAL_DUPLICATE]), log_int("open", (int64_t)view.open),
        log_int("open_trades", daemon_of(d, LAYER_RTS)->trades.open_count),
        log_int("entries", (int64_t)sums.entries), log_int("rejected", (int64_t)sums.rejected),
        log_int("events", (int64_t)sums.events), log_int("batches", (int64_t)sums.batches),
        log_int("repairs", (int64_t)sums.repairs),
        log_int("log_dropped", (int64_t)log_dropped_lines(d->log)));
}
