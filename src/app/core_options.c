#include "app/core_options.h"
#include <assert.h>

/* Where less is remembered than that, it costs little to read a journal of that length. */
#define RETELL_MS 10000

struct ledger_options core_ledger_options(const struct config *config)
{
    return (struct ledger_options){
        .ttl_ms = config->signals.ttl_ms,
        .execution_ttl_ms = config->signals.execution_ttl_ms,
        .dedup_ms = config->signals.dedup_ms,
        .retell_ms = RETELL_MS,
        .max_tracked = (uint32_t)config->signals.max_tracked,
        .read_max = (uint32_t)config->streams.batch,
        .results_max_len = (uint32_t)config->results.max_len,
        .removes_nothing = config->observe_only,
        .per_id_max = config->metrics.per_id ? (uint32_t)config->metrics.max_ids_per_family : 0,
        .per_id_ttl_ms = config->metrics.id_ttl_s * 1000,
    };
}

struct fleet_options core_fleet_options(const struct config *config)
{
    return (struct fleet_options){
        .heartbeat_timeout_ms = config->instances.heartbeat_timeout_ms,
        .restarting_timeout_ms = config->instances.restarting_timeout_ms,
        .metric_max_age_ms = config->instances.metric_max_age_ms,
        .forget_after_s = config->instances.forget_after_s,
        .max = (uint32_t)config->instances.max,
    };
}

struct watch_options core_watch_options(const struct config *config)
{
    struct watch_options options = {
        .rules = config->rules,
        .recovery = {.max_attempts = (uint32_t)config->recovery.max_attempts,
                     .timeout_ms = config->recovery.timeout_ms,
                     .backoff_count = config->recovery.backoff_count,
                     .cooldown_ms = config->recovery.cooldown_ms,
                     .stable_ms = config->recovery.stable_ms,
                     .launch_modes = config->recovery.launch_modes,
                     .max_concurrent = (uint32_t)config->recovery.max_concurrent},
        .breaker_percent = config->recovery.fleet_breaker_percent,
        .memory_limit_mb = config->instances.memory_limit_mb,
        .observe_only = config->observe_only,
        .has_notify_hook = config->hooks[CONFIG_HOOK_NOTIFY].argv != NULL,
        .windows = config->maintenance_windows,
        .window_count = config->maintenance_window_count,
    };
    static_assert(BACKOFFS_MAX == CONFIG_BACKOFFS_MAX, "as many as may be configured");
    memcpy(options.recovery.backoff_ms, config->recovery.backoff_ms, sizeof options.recovery.backoff_ms);
    for (int k = 0; k < COMMAND_KINDS; k++)
        options.has_hook[k] = config->hooks[k].argv != NULL;
    return options;
}
