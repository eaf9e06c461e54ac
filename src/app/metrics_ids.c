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
    const struct trade_stats *stats = &s->d->trade_io.stats;

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

    return recent ? recent->evicted : s->d->trade_io.stats.evicted;
}
