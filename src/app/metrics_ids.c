/* Families labelled by the id of a signal, a trade or a result: the newest ids only, bounded in number and in
 * age, for looking up. Rates come from the totals. */
#include "metrics_private.h"

struct each {
    const struct scrape *s;
    enum id_family family;
};

static const char *id_label(enum id_family family)
{
    if (family >= ID_TRADE_LATENCY)
        return "trade_id";
    return family >= ID_RESULT ? "result_id" : "signal_id";
}

static struct slice labels_of(const struct each *each, const struct recent_item *item)
{
    struct slice id = ident_slice(&item->id);
    const char *label = id_label(each->family);

    switch (each->family) {
    case ID_RECEIVED:
    case ID_PROCESSED:
    case ID_FAILED:
        return scrape_labels(each->s, label, id, "action", labels_name(each->s->view.actions, item->label));
    case ID_RESULT:
        return scrape_labels(each->s, label, id, "status",
                             slice_text(result_status_name((enum result_status)item->label)));
    default:
        return scrape_label(each->s, label, id);
    }
}

static void on_item(void *ctx, const struct recent_item *item)
{
    const struct each *each = ctx;

    prom_sample(each->s->writer, labels_of(each, item), item->value);
}

/* NULL for the families of trades, which are kept elsewhere. */
static const struct recent *recent_of(const struct scrape *s, enum id_family family)
{
    switch (family) {
    case ID_RECEIVED:
        return s->view.received;
    case ID_PROCESSED:
        return s->view.processed;
    case ID_FAILED:
        return s->view.failed;
    case ID_LATENCY:
        return s->view.latency;
    case ID_DROPPED:
        return s->view.dropped;
    case ID_RESULT:
        return s->view.result;
    case ID_SLIPPAGE:
        return s->view.result_slippage;
    case ID_EXECUTION:
        return s->view.result_execution;
    default:
        return NULL;
    }
}

/* Below 0: not measured. */
static double trade_value(const struct scrape *s, const struct trade_stat *stat, enum id_family family)
{
    switch (family) {
    case ID_TRADE_LATENCY:
        return stat->latency_us;
    case ID_TRADE_READ:
        return stat->retrieval_latency_us;
    case ID_TRADE_SET:
        return stat->set_latency_us;
    default:
        return trade_stat_rate(stat, s->now_ms);
    }
}

static void write_trades(const struct scrape *s, enum id_family family)
{
    const struct trade_stats *stats = &daemon_of(s->d, LAYER_RTS)->trade_io.stats;

    for (uint32_t i = 0; i < stats->count; i++) {
        const struct trade_stat *stat = &stats->items[i];
        double value = trade_value(s, stat, family);

        if (value >= 0 && trade_stat_is_young(stats, stat, s->now_ms))
            prom_sample(s->writer, scrape_label(s, id_label(family), ident_slice(&stat->id)), value);
    }
}

void metrics_write_ids(const struct scrape *s, int id_family)
{
    struct each each = {s, (enum id_family)id_family};
    const struct recent *recent = recent_of(s, each.family);

    if (!s->d->config->metrics.per_id)
        return;
    if (recent)
        recent_each(recent, s->now_ms, on_item, &each);
    else
        write_trades(s, each.family);
}

uint64_t metrics_count_evicted(const struct scrape *s, int id_family)
{
    const struct recent *recent = recent_of(s, (enum id_family)id_family);

    return recent ? recent->evicted : daemon_of(s->d, LAYER_RTS)->trade_io.stats.evicted;
}

const struct family id_families[] = {
    [ID_RECEIVED] = {{"redis_tss_signals_received_total", PROM_COUNTER, "signal_id, action",
                      "1 for each signal received", "not among the newest"},
                     metrics_write_ids,
                     ID_RECEIVED},
    [ID_PROCESSED] = {{"redis_tss_signals_processed_total", PROM_COUNTER, "signal_id, action",
                       "1 for each signal processed", "not among the newest"},
                      metrics_write_ids,
                      ID_PROCESSED},
    [ID_FAILED] = {{"redis_tss_signals_failed_total", PROM_COUNTER, "signal_id, action",
                    "1 for each signal failed", "not among the newest"},
                   metrics_write_ids,
                   ID_FAILED},
    [ID_LATENCY] = {{"redis_tss_signal_processing_latency", PROM_GAUGE, "signal_id",
                     "Milliseconds from a signal's entry to that of the result that ended it",
                     "not among the newest"},
                    metrics_write_ids,
                    ID_LATENCY},
    [ID_DROPPED] = {{"redis_tss_dropped_signals_total", PROM_COUNTER, "signal_id",
                     "1 for each signal dropped", "not among the newest"},
                    metrics_write_ids,
                    ID_DROPPED},
    [ID_RESULT] = {{"redis_trade_result", PROM_COUNTER, "result_id, status", "1 for each result",
                    "not among the newest"},
                   metrics_write_ids,
                   ID_RESULT},
    [ID_SLIPPAGE] = {{"redis_trade_slippage", PROM_GAUGE, "result_id", "Slippage as the result reports it",
                      "not reported, or not among the newest"},
                     metrics_write_ids,
                     ID_SLIPPAGE},
    [ID_EXECUTION] = {{"redis_execution_time", PROM_GAUGE, "result_id",
                       "Execution time in milliseconds, as the result reports it",
                       "not reported, or not among the newest"},
                      metrics_write_ids,
                      ID_EXECUTION},
    [ID_TRADE_LATENCY] = {{"latency_us", PROM_GAUGE, "trade_id",
                           "Microseconds from reading a trade's last update to the confirmed write",
                           "not among the newest"},
                          metrics_write_ids,
                          ID_TRADE_LATENCY},
    [ID_TRADE_READ] = {{"retrieval_latency_us", PROM_GAUGE, "trade_id",
                        "Microseconds that reading a trade back took the last time",
                        "not read back yet, or not among the newest"},
                       metrics_write_ids,
                       ID_TRADE_READ},
    [ID_TRADE_SET] = {{"set_latency_us", PROM_GAUGE, "trade_id",
                       "Microseconds of the round trip of a trade's last write", "not among the newest"},
                      metrics_write_ids,
                      ID_TRADE_SET},
    [ID_TRADE_RATE] = {{"trade_state_updates_per_sec", PROM_GAUGE, "trade_id",
                        "Updates of a trade per second over the last 10 s", "not among the newest"},
                       metrics_write_ids,
                       ID_TRADE_RATE},
};
const size_t id_family_count = ARRAY_LEN(id_families);
