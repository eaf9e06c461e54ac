/* What the files of the metrics page share: one table of families (metrics_families.c), and who writes which.
 */
#pragma once

#include "adapters/process_stats.h"
#include "app/daemon.h"
#include "app/metric_info.h"
#include "codec/prom_text.h"

/* What a page is written from. */
struct scrape {
    const struct daemon *d;
    struct prom_writer *writer;
    int64_t now_ms; /* of the Redis clock */
    struct ledger_view view;
    struct process_stats process;
    struct buf *labels; /* scratch */
};

/* A family: WRITE appends its samples, if there are any; WHICH tells families apart that have their function
 * in common. */
struct family {
    struct metric_info info;
    void (*write)(const struct scrape *s, int which);
    int which;
};

/* Families that are written together, at one moment. */
extern const struct family total_families[];
extern const size_t total_family_count;
/* Families labelled by the id of a signal, a trade or a result; each is written at a moment of its own. */
extern const struct family id_families[];
extern const size_t id_family_count;

/* Writes the family, nothing where it has no sample. */
void family_write(const struct family *family, const struct scrape *s);

/* `name="value"` and `name="value",name2="value2"` in the scratch buffer; valid until the next call. */
struct slice scrape_label(const struct scrape *s, const char *name, struct slice value);
struct slice scrape_labels(const struct scrape *s, const char *name, struct slice value, const char *name2,
                           struct slice value2);

/* metrics_values.c: families of one number. */
enum scalar {
    SCALAR_SIGNALS_OPEN,
    SCALAR_OLDEST_OPEN,
    SCALAR_DEDUP_ENTRIES,
    SCALAR_DEDUP_EVICTED,
    SCALAR_EARLY_WAITING,
    SCALAR_TRADE_UPDATES,
    SCALAR_REDIS_UP,
    SCALAR_RECONNECTS,
    SCALAR_SENTINELS,
    SCALAR_SWITCHES,
    SCALAR_READY,
    SCALAR_LEADER,
    SCALAR_STANDBY_WARM,
    SCALAR_STANDBY_LAG_BATCHES,
    SCALAR_STANDBY_LAG,
    SCALAR_STANDBY_PASSES,
    SCALAR_STANDBY_LOADS,
    SCALAR_TAKEOVER,
    SCALAR_RELOAD_OK,
    SCALAR_RELOAD_TIME,
    SCALAR_BATCHES,
    SCALAR_PASSES,
    SCALAR_FAILED_OPERATIONS,
    SCALAR_BLOCKED,
    SCALAR_LOG_DROPPED,
    SCALAR_CONNECTIONS,
    SCALAR_HTTP_REQUESTS,
    SCALAR_HTTP_REFUSED,
    SCALAR_HTTP_ANSWER_BYTES,
    SCALAR_STREAMS,
    SCALAR_STREAMS_SLOW,
    SCALAR_EVENTS_KEPT,
    SCALAR_EVENTS_EVICTED,
    SCALAR_EVENTS_LOST,
    SCALAR_SCRAPES,
    SCALAR_SCRAPES_REFUSED,
    SCALAR_SCRAPES_UNDER_WAY,
    SCALAR_START_TIME,
    SCALAR_GUARD_ACTIVE,
    SCALAR_BREAKER_TRIPS,
    SCALAR_RECOVERIES_UNDER_WAY,
    SCALAR_NOTICES,
    SCALAR_WHY_STEPS,
};
void metrics_write_scalar(const struct scrape *s, int scalar);

enum histogram_family {
    HISTOGRAM_SIGNAL_LATENCY,
    HISTOGRAM_SLIPPAGE,
    HISTOGRAM_EXECUTION,
    HISTOGRAM_TRADE_WRITE,
    HISTOGRAM_TRADE_READ,
    HISTOGRAM_ROUNDTRIP,
    HISTOGRAM_LOOP_DELAY,
};
void metrics_write_histogram(const struct scrape *s, int histogram);

enum process_family { PROCESS_CPU, PROCESS_RESIDENT, PROCESS_VIRTUAL, PROCESS_OPEN_FDS, PROCESS_MAX_FDS };
void metrics_write_process(const struct scrape *s, int process);
void metrics_write_build(const struct scrape *s, int which);

/* metrics_tables.c: families with a label of few values. WHICH is unused where it has no name. */
void metrics_write_instances(const struct scrape *s, int which);
void metrics_write_transitions(const struct scrape *s, int which);
void metrics_write_events(const struct scrape *s, int which);
void metrics_write_actions(const struct scrape *s, int total_kind);
void metrics_write_results(const struct scrape *s, int which);
void metrics_write_unmatched(const struct scrape *s, int which);
void metrics_write_trades(const struct scrape *s, int which);
void metrics_write_entries(const struct scrape *s, int which);
void metrics_write_rejected(const struct scrape *s, int which);
void metrics_write_load(const struct scrape *s, int which);
void metrics_write_repairs(const struct scrape *s, int which);
void metrics_write_rollbacks(const struct scrape *s, int which);
void metrics_write_losses(const struct scrape *s, int which);
void metrics_write_takeovers(const struct scrape *s, int which);
void metrics_write_histories(const struct scrape *s, int which);
void metrics_write_http_closed(const struct scrape *s, int which);
void metrics_write_evicted(const struct scrape *s, int which);

/* metrics_watch.c: what is decided about instances, and who is told. */
void metrics_write_commands(const struct scrape *s, int which);
void metrics_write_recoveries(const struct scrape *s, int which);
void metrics_write_held(const struct scrape *s, int which);
void metrics_write_answers_ignored(const struct scrape *s, int which);
void metrics_write_guard_trips(const struct scrape *s, int which);
void metrics_write_breaker(const struct scrape *s, int which);
void metrics_write_notifications(const struct scrape *s, int which);
void metrics_write_hooks(const struct scrape *s, int which);
void metrics_write_hook_runs(const struct scrape *s, int which);

/* metrics_redis.c: what is polled from the server. */
void metrics_write_info(const struct scrape *s, int info_field);
void metrics_write_hit_ratio(const struct scrape *s, int which);
void metrics_write_stream_size(const struct scrape *s, int which);
void metrics_write_pending(const struct scrape *s, int which);
void metrics_write_connection_errors(const struct scrape *s, int which);
void metrics_write_stream_length(const struct scrape *s, int which);
void metrics_write_stream_lag(const struct scrape *s, int which);
void metrics_write_stream_left_out(const struct scrape *s, int which);

/* metrics_ids.c */
enum id_family {
    ID_RECEIVED,
    ID_PROCESSED,
    ID_FAILED,
    ID_LATENCY,
    ID_DROPPED,
    ID_RESULT,
    ID_SLIPPAGE,
    ID_EXECUTION,
    ID_TRADE_LATENCY,
    ID_TRADE_READ,
    ID_TRADE_SET,
    ID_TRADE_RATE,
};
void metrics_write_ids(const struct scrape *s, int id_family);
/* How many ids left that family for its bound. */
uint64_t metrics_count_evicted(const struct scrape *s, int id_family);
