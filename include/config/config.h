/* The configuration: every key of SPEC §2 that this build knows, as one struct that is const once made.
 *
 * config/schema.h holds the one table that says name, type, default, range and whether a reload may change
 * it; this file only says where the values end up. Text is NUL-terminated and owned by the struct. */
#pragma once

#include "core/maintenance.h"
#include "core/rule.h"
#include "core/stream.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum config_redis_scheme { CONFIG_REDIS_TCP, CONFIG_REDIS_UNIX, CONFIG_REDIS_TLS };
enum config_listen_kind { CONFIG_LISTEN_TCP, CONFIG_LISTEN_UNIX };
enum config_role { CONFIG_ROLE_READ, CONFIG_ROLE_REPORT, CONFIG_ROLE_ADMIN };
enum config_log_level { CONFIG_LOG_DEBUG, CONFIG_LOG_INFO, CONFIG_LOG_WARN, CONFIG_LOG_ERROR };
enum config_log_format { CONFIG_LOG_AUTO, CONFIG_LOG_LOGFMT, CONFIG_LOG_JSON, CONFIG_LOG_JOURNAL };

struct config_sentinel {
    char *text; /* as it was written */
    enum config_redis_scheme scheme;
    bool has_scheme; /* written in front of it; else as that of redis.url */
    char *host;
    uint16_t port;
};

struct config_token {
    char *name;
    enum config_role role;
    char *file;
    char *secret; /* read from the file when the configuration was made */
};

struct config_webhook {
    char *url; /* http:// or https://, may hold credentials */
    int64_t timeout_ms;
};

/* What may be executed: one per command, in the order of enum command_kind, and one for notifications. */
enum config_hook_kind {
    CONFIG_HOOK_STOP,
    CONFIG_HOOK_RECOVER,
    CONFIG_HOOK_RESTART,
    CONFIG_HOOK_START,
    CONFIG_HOOK_RECONNECT,
    CONFIG_HOOK_REDISTRIBUTE,
    CONFIG_HOOK_THROTTLE,
    CONFIG_HOOK_UNTHROTTLE,
    CONFIG_HOOK_CANCEL,
    CONFIG_HOOK_NOTIFY,
};
#define CONFIG_HOOKS (CONFIG_HOOK_NOTIFY + 1)
/* By enum config_hook_kind, NULL behind the last. */
extern const char *const config_hook_names[];

struct config_hook {
    char **argv; /* NULL-terminated, the first an absolute path; NULL: none */
};

#define CONFIG_BACKOFFS_MAX 16

struct config {
    struct {
        char *url;
        char *username;
        char *password_file;
        char *tls_ca_file, *tls_cert_file, *tls_key_file;
        struct config_sentinel *sentinels;
        size_t sentinel_count;
        char *master_name;
        char *sentinel_username, *sentinel_password_file;
        char *instance_id;
        int64_t connect_timeout_ms, command_timeout_ms;
        int64_t reconnect_min_ms, reconnect_max_ms;
        int64_t info_interval_ms;
        /* Taken from url. */
        enum config_redis_scheme scheme;
        char *host; /* or the path of the socket */
        uint16_t port;
        int db;
        char *url_username, *url_password; /* percent-decoded, "" for none; username and password_file win */
        struct config *layers[LAYERS];     /* NULL: as the whole; config_of_layer */
    } redis;
    struct {
        char *reports, *signals, *results, *trades, *events, *commands;
        int64_t events_max_len, commands_max_len, reports_max_len, trades_max_len;
        char *group, *consumer;
        int64_t batch;
    } streams;
    struct {
        int64_t ttl_ms, execution_ttl_ms, dedup_ms, max_tracked;
    } signals;
    struct {
        int64_t max_len;
    } results;
    struct {
        int64_t heartbeat_timeout_ms, metric_max_age_ms, restarting_timeout_ms;
        double memory_limit_mb;
        int64_t max, forget_after_s, reconcile_interval_ms;
        bool adopt_external_writes;
    } instances;
    struct {
        int64_t closed_ttl_s, probe_per_sec;
    } trades;
    struct rule_set rules;
    struct {
        int64_t max_attempts, timeout_ms;
        int64_t backoff_ms[CONFIG_BACKOFFS_MAX]; /* before attempt 1, 2, 3…; the last repeats */
        uint32_t backoff_count;                  /* 1 at least */
        int64_t cooldown_ms, stable_ms;
        uint32_t launch_modes; /* bits 1 << enum launch_mode */
        int64_t max_concurrent;
        double fleet_breaker_percent;
    } recovery;
    bool observe_only;
    struct maintenance_window *maintenance_windows;
    size_t maintenance_window_count;
    struct {
        struct config_webhook *webhooks;
        size_t webhook_count;
    } notify;
    struct config_hook hooks[CONFIG_HOOKS];
    int64_t hooks_timeout_ms, hooks_max_running, hooks_max_queued;
    struct {
        char *listen;
        struct config_token *tokens;
        size_t token_count;
        int64_t max_connections;
        /* Taken from listen. */
        enum config_listen_kind kind;
        char *host; /* or the path of the socket */
        uint16_t port;
    } http;
    struct {
        bool per_id;
        int64_t max_ids_per_family, id_ttl_s;
    } metrics;
    struct {
        int level;  /* enum config_log_level */
        int format; /* enum config_log_format */
    } log;
    struct {
        int64_t lease_ms;
    } ha;
    struct {
        int64_t stall_ms, hold_ms;
    } guard;
};

#define CONFIG_DEFAULT_FILE "/etc/mt5stated/mt5stated.json"

/* What the command line says about the configuration. */
struct config_source {
    const char *file;        /* NULL: CONFIG_DEFAULT_FILE if it exists, else the built-in defaults */
    const char *const *sets; /* KEY=VALUE, applied in order after the file */
    size_t set_count;
};

/* Called once per problem; WHERE is the file (or `--set`), KEY the dotted key or `line N`, both never NULL.
 */
typedef void (*config_problem_fn)(void *ctx, const char *where, const char *key, const char *what);

/* Reads, validates and completes a configuration. NULL where there was any problem (each was told to
 * ON_PROBLEM). The caller frees it with config_free. */
struct config *config_load(const struct config_source *source, config_problem_fn on_problem, void *ctx);
void config_free(struct config *config);

/* The configuration of a layer, whose `redis` is the one that LAYER is on: CONFIG, where it is on the one of
 * the whole. All else in it is that of CONFIG, to which it belongs. */
const struct config *config_of_layer(const struct config *config, enum layer layer);
/* Two layers are on the same Redis, and database. */
bool config_share_redis(const struct config *config, enum layer a, enum layer b);

/* The effective configuration as JSON with two spaces of indent; secrets and the credentials part of URLs as
 * `<redacted>`. */
void config_print(const struct config *config, struct buf *out);

/* Appends the names of the keys whose values differ, in the order of the table, with commas between them; of
 * secrets it is seen that they differ, and no more. */
struct buf;
void config_list_changes(const struct config *old_config, const struct config *new_config, struct buf *out);
/* The first key that differs between the two and cannot be changed by a reload; NULL where a reload may go
 * ahead. */
const char *config_find_frozen_change(const struct config *old_config, const struct config *new_config);
