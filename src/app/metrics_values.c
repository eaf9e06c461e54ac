/* Families without labels, and those that describe the process. */
#include "metrics_private.h"

#include "adapters/http.h"
#include "adapters/log.h"
#include "adapters/redis_link.h"
#include "adapters/redis_sentinel.h"

static const struct slice no_labels = {NULL, 0};

static double age_seconds(const struct scrape *s, uint64_t then_ms)
{
    uint64_t now_ms = (uint64_t)daemon_now_ms(daemon_of(s->d, LAYER_RTSS));

    return then_ms && now_ms > then_ms ? (double)(now_ms - then_ms) / 1000 : 0;
}

/* Times the link came up, but for the first. */
static double count_reconnects(const struct scrape *s)
{
    struct redis_link_stats stats;
    uint64_t count = 0;

    for (size_t i = 0; i < s->d->store_count; i++) {
        redis_link_get_stats(s->d->stores[i]->link, &stats);
        count += stats.connects ? stats.connects - 1 : 0;
    }
    return (double)count;
}

static bool all_are_up(const struct daemon *d)
{
    for (size_t i = 0; i < d->store_count; i++)
        if (!redis_link_is_up(d->stores[i]->link))
            return false;
    return true;
}

static bool is_ready(const struct daemon *d)
{
    struct readiness readiness;

    readiness_look(d, &readiness);
    return readiness.is_ready;
}

static bool any_is_guarded(const struct daemon *d)
{
    for (size_t i = 0; i < d->store_count; i++)
        if (guarding_is_active(&d->stores[i]->guarding))
            return true;
    return false;
}

static uint64_t count_batches(const struct daemon *d)
{
    uint64_t count = 0;

    for (size_t i = 0; i < d->store_count; i++)
        count += d->stores[i]->commit.batches;
    return count;
}

static uint64_t count_failed_operations(const struct daemon *d)
{
    uint64_t count = 0;

    for (size_t i = 0; i < d->store_count; i++)
        count += d->stores[i]->commit.failed_operations;
    return count;
}

static struct redis_sentinel_stats sentinel_stats(const struct daemon *d)
{
    struct redis_sentinel_stats stats = {0};

    if (d->sentinel)
        redis_sentinel_get_stats(d->sentinel, &stats);
    return stats;
}

/* While it reads the state it holds the lease as well. */
static bool holds_lease(const struct lead *lead)
{
    return lead->phase != PHASE_CONNECTING && lead->phase != PHASE_STANDBY;
}

static double value_of(const struct scrape *s, enum scalar scalar)
{
    const struct daemon *d = s->d;

    switch (scalar) {
    case SCALAR_SIGNALS_OPEN:
        return (double)s->view.open;
    case SCALAR_OLDEST_OPEN:
        return age_seconds(s, s->view.oldest_open_ms);
    case SCALAR_DEDUP_ENTRIES:
        return (double)s->view.ended_remembered;
    case SCALAR_DEDUP_EVICTED:
        return (double)s->view.ended_evicted;
    case SCALAR_EARLY_WAITING:
        return (double)s->view.early_waiting;
    case SCALAR_TRADE_UPDATES:
        return (double)daemon_of(d, LAYER_RTS)->trades.updates;
    case SCALAR_REDIS_UP:
        return all_are_up(d);
    case SCALAR_RECONNECTS:
        return count_reconnects(s);
    case SCALAR_SENTINELS:
        return (double)sentinel_stats(d).answering;
    case SCALAR_SWITCHES:
        return (double)sentinel_stats(d).switches;
    case SCALAR_READY:
        return is_ready(d);
    case SCALAR_LEADER:
        return holds_lease(&d->lead);
    case SCALAR_STANDBY_WARM:
        return standby_is_warm(&d->standby);
    case SCALAR_STANDBY_LAG_BATCHES:
        return (double)standby_lag_batches(&d->standby);
    case SCALAR_STANDBY_LAG:
        return standby_lag_seconds(&d->standby);
    case SCALAR_STANDBY_PASSES:
        return (double)d->standby.passes;
    case SCALAR_STANDBY_LOADS:
        return (double)d->standby.loads;
    case SCALAR_TAKEOVER:
        return d->standby.takeover_seconds;
    case SCALAR_RELOAD_OK:
        return d->reload_ok;
    case SCALAR_RELOAD_TIME:
        return (double)d->reload_at_s;
    case SCALAR_PASSES:
        return (double)d->reconcile.passes;
    case SCALAR_BATCHES:
        return (double)count_batches(d);
    case SCALAR_FAILED_OPERATIONS:
        return (double)count_failed_operations(d);
    case SCALAR_BLOCKED:
        return d->follow.blocked_count;
    case SCALAR_LOG_DROPPED:
        return (double)log_dropped_lines(d->log);
    case SCALAR_CONNECTIONS:
        return (double)http_server_stats(d->server.http).connections;
    case SCALAR_HTTP_REQUESTS:
        return (double)http_server_stats(d->server.http).requests;
    case SCALAR_HTTP_REFUSED:
        return (double)http_server_stats(d->server.http).refused;
    case SCALAR_HTTP_ANSWER_BYTES:
        return (double)http_server_stats(d->server.http).answer_bytes;
    case SCALAR_STREAMS:
        return (double)http_server_stats(d->server.http).streams;
    case SCALAR_STREAMS_SLOW:
        return (double)http_server_stats(d->server.http).streams_slow;
    case SCALAR_EVENTS_KEPT:
        return d->event_feed.ring.count;
    case SCALAR_EVENTS_EVICTED:
        return (double)(d->event_feed.left + d->event_feed.ring.left);
    case SCALAR_EVENTS_LOST:
        return (double)daemon_of(d, LAYER_RTSS)->far_events.lost;
    case SCALAR_SCRAPES:
        return (double)d->server.metrics.scrapes;
    case SCALAR_SCRAPES_REFUSED:
        return (double)d->server.metrics.refused;
    case SCALAR_SCRAPES_UNDER_WAY:
        return d->server.metrics.client_count;
    case SCALAR_START_TIME:
        return (double)d->started_wall_ms / 1000;
    case SCALAR_GUARD_ACTIVE:
        return any_is_guarded(d);
    case SCALAR_BREAKER_TRIPS:
        return (double)d->fleet.watch->breaker.trips;
    case SCALAR_RECOVERIES_UNDER_WAY:
        return d->fleet.watch->under_way;
    case SCALAR_NOTICES:
        return d->fleet.watch->notices.count;
    case SCALAR_WHY_STEPS:
        return d->fleet.watch->steps;
    }
    return 0;
}

void metrics_write_scalar(const struct scrape *s, int scalar)
{
    prom_sample(s->writer, no_labels, value_of(s, (enum scalar)scalar));
}

static const struct histogram *histogram_of(const struct scrape *s, enum histogram_family family)
{
    switch (family) {
    case HISTOGRAM_SIGNAL_LATENCY:
        return s->view.latency_seconds;
    case HISTOGRAM_SLIPPAGE:
        return s->view.slippage;
    case HISTOGRAM_EXECUTION:
        return s->view.execution_seconds;
    case HISTOGRAM_TRADE_WRITE:
        return &daemon_of(s->d, LAYER_RTS)->trade_io.write_seconds;
    case HISTOGRAM_TRADE_READ:
        return &daemon_of(s->d, LAYER_RTS)->trade_io.read_seconds;
    case HISTOGRAM_ROUNDTRIP:
        return &s->d->commit.roundtrip;
    case HISTOGRAM_LOOP_DELAY:
        break;
    }
    return &s->d->loop_delay;
}

void metrics_write_histogram(const struct scrape *s, int histogram)
{
    prom_histogram(s->writer, no_labels, histogram_of(s, (enum histogram_family)histogram), "signal_id");
}

void metrics_write_process(const struct scrape *s, int process)
{
    const struct process_stats *stats = &s->process;

    if (process == PROCESS_CPU)
        prom_sample(s->writer, no_labels, stats->cpu_seconds);
    else if (process == PROCESS_RESIDENT && stats->has_memory)
        prom_sample_u64(s->writer, no_labels, stats->resident_bytes);
    else if (process == PROCESS_VIRTUAL && stats->has_memory)
        prom_sample_u64(s->writer, no_labels, stats->virtual_bytes);
    else if (process == PROCESS_OPEN_FDS && stats->has_open_fds)
        prom_sample_u64(s->writer, no_labels, stats->open_fds);
    else if (process == PROCESS_MAX_FDS && stats->has_max_fds)
        prom_sample_u64(s->writer, no_labels, stats->max_fds);
}

void metrics_write_build(const struct scrape *s, int which)
{
    UNUSED(which);
    prom_sample(s->writer,
                scrape_labels(s, "version", slice_text(MT5_VERSION), "commit", slice_text(MT5_COMMIT)), 1);
}
