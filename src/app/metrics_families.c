/* The table of families: name, type, help and who writes it. A new family is a row here (by instance: in
 * metrics_instances.c; counts of alerts: metrics_alerts.c) and a line of docs/METRICS.md. */
#include "metrics_private.h"

#define SERVER "Redis server: "

const struct family total_families[] = {
    /* The Redis server, under the names of the source. */
    {"commands_processed_per_sec", PROM_GAUGE, SERVER "commands processed per second", metrics_write_info,
     INFO_OPS_PER_SEC},
    {"used_memory", PROM_GAUGE, SERVER "memory in use, in bytes", metrics_write_info, INFO_USED_MEMORY},
    {"maxmemory", PROM_GAUGE, SERVER "memory limit in bytes, 0 for none", metrics_write_info, INFO_MAXMEMORY},
    {"mem_fragmentation_ratio", PROM_GAUGE, SERVER "resident memory by memory in use", metrics_write_info,
     INFO_FRAGMENTATION},
    {"used_cpu_sys", PROM_GAUGE, SERVER "CPU seconds in system mode", metrics_write_info, INFO_CPU_SYS},
    {"used_cpu_user", PROM_GAUGE, SERVER "CPU seconds in user mode", metrics_write_info, INFO_CPU_USER},
    {"used_cpu_sys_children", PROM_GAUGE, SERVER "CPU seconds of its child processes in system mode",
     metrics_write_info, INFO_CPU_SYS_CHILDREN},
    {"used_cpu_user_children", PROM_GAUGE, SERVER "CPU seconds of its child processes in user mode",
     metrics_write_info, INFO_CPU_USER_CHILDREN},
    {"keyspace_hits", PROM_COUNTER, SERVER "look-ups that found their key", metrics_write_info, INFO_HITS},
    {"keyspace_misses", PROM_COUNTER, SERVER "look-ups that found no key", metrics_write_info, INFO_MISSES},
    {"hit_ratio", PROM_GAUGE, SERVER "share of look-ups that found their key", metrics_write_hit_ratio, 0},
    {"expired_keys", PROM_COUNTER, SERVER "keys that expired", metrics_write_info, INFO_EXPIRED},
    {"evicted_keys", PROM_COUNTER, SERVER "keys evicted for want of memory", metrics_write_info,
     INFO_EVICTED},

    /* The streams, under the names of the source. */
    {"redis_tss_stream_size", PROM_GAUGE, "Entries in a stream", metrics_write_stream_size, 0},
    {"redis_tss_pending_signals", PROM_GAUGE, "Signals received and not ended", metrics_write_pending, 0},
    {"redis_tss_connection_errors_total", PROM_COUNTER,
     "Connects to Redis that failed and links to it that were lost; of all links, so the same for each "
     "stream",
     metrics_write_connection_errors, 0},

    /* Instances. */
    {"mt5stated_instances", PROM_GAUGE, "Instances by state", metrics_write_instances, 0},
    {"mt5stated_events_total", PROM_COUNTER, "Events stored and published", metrics_write_events, 0},
    {"mt5stated_transitions_refused_total", PROM_COUNTER,
     "Reported changes of an instance's state that are not allowed", metrics_write_transitions, 0},
    {"mt5stated_blocked_instances", PROM_GAUGE,
     "Instances kept aside because something else than their hash is at one of their keys",
     metrics_write_scalar, SCALAR_BLOCKED},

    /* What is decided about them, and who is told. mt5stated_alerts is written with the instances. */
    {"mt5stated_commands_total", PROM_COUNTER, "Commands to agents, by what became of them",
     metrics_write_commands, 0},
    {"mt5stated_command_answers_ignored_total", PROM_COUNTER,
     "Answers of agents to commands that were never given, or had ended", metrics_write_answers_ignored, 0},
    {"mt5stated_recoveries_total", PROM_COUNTER, "Attempts to recover an instance, by how they ended",
     metrics_write_recoveries, 0},
    {"mt5stated_recoveries_under_way", PROM_GAUGE, "Recoveries whose command is out", metrics_write_scalar,
     SCALAR_RECOVERIES_UNDER_WAY},
    {"mt5stated_decisions_held_total", PROM_COUNTER, "Decisions not to act on an alert, by the reason",
     metrics_write_held, 0},
    {"mt5stated_guard_active", PROM_GAUGE, "1 while the guard lets nothing be judged", metrics_write_scalar,
     SCALAR_GUARD_ACTIVE},
    {"mt5stated_guard_trips_total", PROM_COUNTER, "Times the guard took hold, or went on holding",
     metrics_write_guard_trips, 0},
    {"mt5stated_breaker_open", PROM_GAUGE, "1 while nothing is commanded in the group", metrics_write_breaker,
     0},
    {"mt5stated_breaker_trips_total", PROM_COUNTER, "Times the breaker opened for a group",
     metrics_write_scalar, SCALAR_BREAKER_TRIPS},
    {"mt5stated_notices", PROM_GAUGE, "Alerts that fire and were notified, or whose end has yet to be told",
     metrics_write_scalar, SCALAR_NOTICES},
    {"mt5stated_notifications_total", PROM_COUNTER, "Notifications of alerts that began and ended",
     metrics_write_notifications, 0},
    {"mt5stated_hooks", PROM_GAUGE, "Hooks by what they are at", metrics_write_hooks, 0},
    {"mt5stated_hook_runs_total", PROM_COUNTER, "Hooks by how they ended, and tries that were not the last",
     metrics_write_hook_runs, 0},
    {"mt5stated_why_steps", PROM_GAUGE, "Steps that are kept to explain what was done", metrics_write_scalar,
     SCALAR_WHY_STEPS},

    /* Signals and results. */
    {"mt5stated_signals_received_total", PROM_COUNTER,
     "Signals received, those found open at the start included", metrics_write_actions, TOTAL_RECEIVED},
    {"mt5stated_signals_processed_total", PROM_COUNTER, "Signals that ended by a result that says executed",
     metrics_write_actions, TOTAL_PROCESSED},
    {"mt5stated_signals_failed_total", PROM_COUNTER, "Signals that ended by a result that says failed",
     metrics_write_actions, TOTAL_FAILED},
    {"mt5stated_signals_dropped_total", PROM_COUNTER, "Signals that ended because no result came in time",
     metrics_write_actions, TOTAL_DROPPED},
    {"mt5stated_signals_lost_total", PROM_COUNTER,
     "Signals that somebody else removed from the stream, and no result came in time", metrics_write_actions,
     TOTAL_LOST},
    {"mt5stated_signals_duplicate_total", PROM_COUNTER,
     "Entries with the id of a signal that is open or has just ended", metrics_write_actions,
     TOTAL_DUPLICATE},
    {"mt5stated_signals_open", PROM_GAUGE, "Signals received and not ended", metrics_write_scalar,
     SCALAR_SIGNALS_OPEN},
    {"mt5stated_oldest_open_signal_seconds", PROM_GAUGE,
     "Age of the oldest open signal, 0 where none is open", metrics_write_scalar, SCALAR_OLDEST_OPEN},
    {"mt5stated_signal_latency_seconds", PROM_HISTOGRAM,
     "Time from a signal's entry to that of the result that ended it", metrics_write_histogram,
     HISTOGRAM_SIGNAL_LATENCY},
    {"mt5stated_results_total", PROM_COUNTER, "Valid results, each result_id once", metrics_write_results, 0},
    {"mt5stated_results_unmatched_total", PROM_COUNTER, "Results that found no open signal, by why",
     metrics_write_unmatched, 0},
    {"mt5stated_slippage", PROM_HISTOGRAM, "Slippage as results report it", metrics_write_histogram,
     HISTOGRAM_SLIPPAGE},
    {"mt5stated_execution_seconds", PROM_HISTOGRAM, "Execution time as results report it",
     metrics_write_histogram, HISTOGRAM_EXECUTION},
    {"mt5stated_early_results_waiting", PROM_GAUGE, "Results that wait for their signal to be read",
     metrics_write_scalar, SCALAR_EARLY_WAITING},
    {"mt5stated_dedup_entries", PROM_GAUGE, "Ids of ended signals that are remembered", metrics_write_scalar,
     SCALAR_DEDUP_ENTRIES},
    {"mt5stated_dedup_evicted_total", PROM_COUNTER,
     "Ids of ended signals forgotten before their time, for want of room", metrics_write_scalar,
     SCALAR_DEDUP_EVICTED},

    /* Trades. */
    {"mt5stated_trades", PROM_GAUGE, "Trades by state, as many as are in the sets of Redis",
     metrics_write_trades, 0},
    {"mt5stated_trade_updates_total", PROM_COUNTER, "Valid trade updates", metrics_write_scalar,
     SCALAR_TRADE_UPDATES},
    {"mt5stated_trade_write_seconds", PROM_HISTOGRAM, "Round trip of the write of a trade update",
     metrics_write_histogram, HISTOGRAM_TRADE_WRITE},
    {"mt5stated_trade_read_seconds", PROM_HISTOGRAM, "Round trip of reading a trade back",
     metrics_write_histogram, HISTOGRAM_TRADE_READ},

    /* What is read. */
    {"mt5stated_entries_total", PROM_COUNTER, "Stream entries taken in", metrics_write_entries, 0},
    {"mt5stated_entries_rejected_total", PROM_COUNTER, "Stream entries rejected, by the field that is wrong",
     metrics_write_rejected, 0},
    {"mt5stated_stream_lag", PROM_GAUGE, "Entries in a stream that have not been taken in",
     metrics_write_stream_lag, 0},
    {"mt5stated_stream_length", PROM_GAUGE, "Entries in a stream", metrics_write_stream_length, 0},

    /* Redis, as the daemon sees it. */
    {"mt5stated_redis_up", PROM_GAUGE, "1 while the link for commands is up", metrics_write_scalar,
     SCALAR_REDIS_UP},
    {"mt5stated_redis_reconnects_total", PROM_COUNTER, "Times the link for commands came up again",
     metrics_write_scalar, SCALAR_RECONNECTS},
    {"mt5stated_redis_rollbacks_total", PROM_COUNTER,
     "Times Redis came back without all that had been stored", metrics_write_rollbacks, 0},
    {"mt5stated_redis_roundtrip_seconds", PROM_HISTOGRAM,
     "Time from sending a batch to the answer that it is stored", metrics_write_histogram,
     HISTOGRAM_ROUNDTRIP},
    {"mt5stated_batches_total", PROM_COUNTER, "Batches of effects stored", metrics_write_scalar,
     SCALAR_BATCHES},
    {"mt5stated_failed_operations_total", PROM_COUNTER, "Single operations of a batch that Redis refused",
     metrics_write_scalar, SCALAR_FAILED_OPERATIONS},
    {"mt5stated_reconcile_repairs_total", PROM_COUNTER,
     "Differences between Redis and what is known that were put right", metrics_write_repairs, 0},
    {"mt5stated_ready", PROM_GAUGE, "1 while the state can be relied on, as /-/ready says",
     metrics_write_scalar, SCALAR_READY},
    {"mt5stated_leader", PROM_GAUGE, "1 while this daemon holds the lease", metrics_write_scalar,
     SCALAR_LEADER},

    /* The daemon itself. */
    {"mt5stated_build_info", PROM_GAUGE, "What is running; always 1", metrics_write_build, 0},
    {"mt5stated_config_last_reload_successful", PROM_GAUGE,
     "1 where the last reload was taken, or there was none", metrics_write_scalar, SCALAR_RELOAD_OK},
    {"mt5stated_config_last_reload_success_timestamp_seconds", PROM_GAUGE,
     "When the configuration that applies was read", metrics_write_scalar, SCALAR_RELOAD_TIME},
    {"mt5stated_loop_delay_seconds", PROM_HISTOGRAM, "How late a timer of the event loop fires",
     metrics_write_histogram, HISTOGRAM_LOOP_DELAY},
    {"mt5stated_log_lines_dropped_total", PROM_COUNTER,
     "Log lines dropped because their reader did not keep up", metrics_write_scalar, SCALAR_LOG_DROPPED},
    {"mt5stated_http_connections", PROM_GAUGE, "Open HTTP connections", metrics_write_scalar,
     SCALAR_CONNECTIONS},
    {"mt5stated_http_requests_total", PROM_COUNTER, "HTTP requests that were whole and in order",
     metrics_write_scalar, SCALAR_HTTP_REQUESTS},
    {"mt5stated_http_refused_total", PROM_COUNTER,
     "HTTP requests refused for their form before anybody looked at what they want", metrics_write_scalar,
     SCALAR_HTTP_REFUSED},
    {"mt5stated_http_closed_total", PROM_COUNTER,
     "HTTP connections closed by the daemon: at a deadline, to make room for others, for want of file "
     "descriptors",
     metrics_write_http_closed, 0},
    {"mt5stated_http_answer_bytes", PROM_GAUGE,
     "Memory held for answers that clients have not taken yet, /metrics and streams not counted",
     metrics_write_scalar, SCALAR_HTTP_ANSWER_BYTES},
    {"mt5stated_http_streams", PROM_GAUGE, "Of these, the ones on which a client listens to what happens",
     metrics_write_scalar, SCALAR_STREAMS},
    {"mt5stated_http_streams_slow_total", PROM_COUNTER,
     "Streams that were closed because their client did not take what was sent", metrics_write_scalar,
     SCALAR_STREAMS_SLOW},
    {"mt5stated_events_kept", PROM_GAUGE, "Newest events that are kept to be shown over HTTP",
     metrics_write_scalar, SCALAR_EVENTS_KEPT},
    {"mt5stated_events_evicted_total", PROM_COUNTER, "Events that left these for newer ones",
     metrics_write_scalar, SCALAR_EVENTS_EVICTED},
    {"mt5stated_scrapes_total", PROM_COUNTER, "Requests for this page", metrics_write_scalar, SCALAR_SCRAPES},
    {"mt5stated_scrapes_refused_total", PROM_COUNTER,
     "Of these, refused because too many pages were on their way", metrics_write_scalar,
     SCALAR_SCRAPES_REFUSED},
    {"mt5stated_series_evicted_total", PROM_COUNTER,
     "Ids that left a family labelled by ids to make room for newer ones", metrics_write_evicted, 0},
    {"process_cpu_seconds_total", PROM_COUNTER, "CPU time spent, in user and in system mode",
     metrics_write_process, PROCESS_CPU},
    {"process_resident_memory_bytes", PROM_GAUGE, "Resident memory", metrics_write_process, PROCESS_RESIDENT},
    {"process_virtual_memory_bytes", PROM_GAUGE, "Virtual memory", metrics_write_process, PROCESS_VIRTUAL},
    {"process_open_fds", PROM_GAUGE, "Open file descriptors", metrics_write_process, PROCESS_OPEN_FDS},
    {"process_max_fds", PROM_GAUGE, "File descriptors that may be open", metrics_write_process,
     PROCESS_MAX_FDS},
    {"process_start_time_seconds", PROM_GAUGE, "When the process began", metrics_write_scalar,
     SCALAR_START_TIME},
};
const size_t total_family_count = ARRAY_LEN(total_families);

const struct family id_families[] = {
    [ID_RECEIVED] = {"redis_tss_signals_received_total", PROM_COUNTER, "Signals received, the newest by id",
                     metrics_write_ids, ID_RECEIVED},
    [ID_PROCESSED] = {"redis_tss_signals_processed_total", PROM_COUNTER,
                      "Signals processed, the newest by id", metrics_write_ids, ID_PROCESSED},
    [ID_FAILED] = {"redis_tss_signals_failed_total", PROM_COUNTER, "Signals failed, the newest by id",
                   metrics_write_ids, ID_FAILED},
    [ID_LATENCY] =
        {"redis_tss_signal_processing_latency", PROM_GAUGE,
         "Milliseconds from a signal's entry to that of the result that ended it, the newest by id",
         metrics_write_ids, ID_LATENCY},
    [ID_DROPPED] = {"redis_tss_dropped_signals_total", PROM_COUNTER, "Signals dropped, the newest by id",
                    metrics_write_ids, ID_DROPPED},
    [ID_RESULT] = {"redis_trade_result", PROM_COUNTER, "Results, the newest by id", metrics_write_ids,
                   ID_RESULT},
    [ID_SLIPPAGE] = {"redis_trade_slippage", PROM_GAUGE,
                     "Slippage as the result reports it, the newest by id", metrics_write_ids, ID_SLIPPAGE},
    [ID_EXECUTION] = {"redis_execution_time", PROM_GAUGE,
                      "Execution time in milliseconds as the result reports it, the newest by id",
                      metrics_write_ids, ID_EXECUTION},
    [ID_TRADE_LATENCY] =
        {"latency_us", PROM_GAUGE,
         "Microseconds from reading a trade's last update to its confirmed write, the newest by id",
         metrics_write_ids, ID_TRADE_LATENCY},
    [ID_TRADE_READ] = {"retrieval_latency_us", PROM_GAUGE,
                       "Microseconds that the last reading back of a trade took, the newest by id",
                       metrics_write_ids, ID_TRADE_READ},
    [ID_TRADE_SET] = {"set_latency_us", PROM_GAUGE,
                      "Microseconds of the round trip of a trade's last write, the newest by id",
                      metrics_write_ids, ID_TRADE_SET},
    [ID_TRADE_RATE] = {"trade_state_updates_per_sec", PROM_GAUGE,
                       "Updates of a trade per second over the last 10 s, the newest by id",
                       metrics_write_ids, ID_TRADE_RATE},
};
const size_t id_family_count = ARRAY_LEN(id_families);

void family_write(const struct family *family, const struct scrape *s)
{
    struct buf *out = s->writer->out;
    size_t start = out->len, begun;

    prom_family_begin(s->writer, family->name, family->type, family->help);
    begun = out->len;
    family->write(s, family->which);
    if (out->len == begun)
        out->len = start;
}

struct slice scrape_label(const struct scrape *s, const char *name, struct slice value)
{
    const struct prom_label label = {name, value};

    s->labels->len = 0;
    prom_labels_add(s->labels, &label, 1);
    return buf_slice(s->labels);
}

struct slice scrape_labels(const struct scrape *s, const char *name, struct slice value, const char *name2,
                           struct slice value2)
{
    const struct prom_label labels[] = {{name, value}, {name2, value2}};

    s->labels->len = 0;
    prom_labels_add(s->labels, labels, ARRAY_LEN(labels));
    return buf_slice(s->labels);
}
