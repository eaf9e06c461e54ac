/* The table of configuration keys. Rows are in the order of SPEC §2; sections must stay together, because
 * printing nests by the order of the rows. */
#include "config/schema.h"

#include "config/nearest.h"
#include "util/macros.h"
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define TEN_YEARS_S  315360000.0
#define TEN_YEARS_MS (TEN_YEARS_S * 1000)

#define FROZEN false
#define RELOAD true

#define TEXT(kind, key, member, reload, value, about)                                                        \
    {                                                                                                        \
        .name = key, .type = CONFIG_TYPE_##kind, .reloadable = reload,                                       \
        .offset = offsetof(struct config, member), .text_default = value, .meaning = about                   \
    }
#define INTEGER(key, member, reload, value, least, most, about)                                              \
    {                                                                                                        \
        .name = key, .type = CONFIG_TYPE_INTEGER, .reloadable = reload,                                      \
        .offset = offsetof(struct config, member), .number_default = value, .min = least, .max = most,       \
        .meaning = about                                                                                     \
    }
#define NUMBER(key, member, reload, value, least, most, about)                                               \
    {                                                                                                        \
        .name = key, .type = CONFIG_TYPE_NUMBER, .reloadable = reload,                                       \
        .offset = offsetof(struct config, member), .number_default = value, .min = least, .max = most,       \
        .meaning = about                                                                                     \
    }
/* What has a place of its own in struct config, which the type knows. */
#define OTHER(kind, key, about)                                                                              \
    {                                                                                                        \
        .name = key, .type = CONFIG_TYPE_##kind, .reloadable = RELOAD, .meaning = about                      \
    }
#define BOOL(key, member, reload, value, about)                                                              \
    {                                                                                                        \
        .name = key, .type = CONFIG_TYPE_BOOL, .reloadable = reload,                                         \
        .offset = offsetof(struct config, member), .number_default = value, .meaning = about                 \
    }
#define ENUM(key, member, reload, names, value, about)                                                       \
    {                                                                                                        \
        .name = key, .type = CONFIG_TYPE_ENUM, .reloadable = reload,                                         \
        .offset = offsetof(struct config, member), .text_default = value, .choices = names, .meaning = about \
    }

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"auto", "logfmt", "json", "journal", NULL};
const char *const config_role_names[] = {"read", "report", "admin", NULL};

const struct config_key config_keys[] = {
    {.name = "redis.url",
     .type = CONFIG_TYPE_URL,
     .reloadable = FROZEN,
     .secret = true,
     .offset = offsetof(struct config, redis.url),
     .text_default = "redis://127.0.0.1:6379/0",
     .meaning = "where Redis is: redis://host:port/db, rediss:// for TLS, or unix:///path/redis.sock?db=0"},
    TEXT(TEXT, "redis.username", redis.username, FROZEN, "", "ACL user"),
    TEXT(PATH, "redis.password_file", redis.password_file, FROZEN, "",
         "file with the password, read again at each connect; where empty, "
         "$CREDENTIALS_DIRECTORY/redis-password "
         "if it exists"),
    TEXT(PATH, "redis.tls_ca_file", redis.tls_ca_file, FROZEN, "",
         "CA certificates for TLS; the system's where empty"),
    TEXT(PATH, "redis.tls_cert_file", redis.tls_cert_file, FROZEN, "", "client certificate for TLS"),
    TEXT(PATH, "redis.tls_key_file", redis.tls_key_file, FROZEN, "", "key of the client certificate"),
    {.name = "redis.sentinels",
     .type = CONFIG_TYPE_SENTINELS,
     .reloadable = FROZEN,
     .meaning =
         "host:port of each Sentinel: the master is found through them, and redis.url gives database, "
         "TLS and credentials only; rediss:// or redis:// in front where one differs from redis.url in "
         "TLS"},
    TEXT(TEXT, "redis.master_name", redis.master_name, FROZEN, "",
         "name of the master, as the Sentinels know it"),
    TEXT(TEXT, "redis.sentinel_username", redis.sentinel_username, FROZEN, "", "ACL user of the Sentinels"),
    TEXT(PATH, "redis.sentinel_password_file", redis.sentinel_password_file, FROZEN, "",
         "file with the password of the Sentinels, read again at each connect; where empty, "
         "$CREDENTIALS_DIRECTORY/redis-sentinel-password if it exists"),
    TEXT(ID, "redis.instance_id", redis.instance_id, FROZEN, "redis-1",
         "value of the label instance_id on the Redis server's own metrics"),
    INTEGER("redis.connect_timeout_ms", redis.connect_timeout_ms, FROZEN, 2000, 1, TEN_YEARS_MS,
            "how long a connect may take"),
    INTEGER("redis.command_timeout_ms", redis.command_timeout_ms, FROZEN, 3000, 1, TEN_YEARS_MS,
            "a link with a reply overdue by this is dropped and made again"),
    INTEGER("redis.reconnect_min_ms", redis.reconnect_min_ms, RELOAD, 50, 1, TEN_YEARS_MS,
            "first delay before connecting again; doubles, with jitter"),
    INTEGER("redis.reconnect_max_ms", redis.reconnect_max_ms, RELOAD, 2000, 1, TEN_YEARS_MS,
            "longest delay before connecting again"),
    INTEGER("redis.info_interval_ms", redis.info_interval_ms, RELOAD, 1000, 1, TEN_YEARS_MS,
            "how often INFO is read"),
    {.name = "redis.layers",
     .type = CONFIG_TYPE_LAYERS,
     .reloadable = FROZEN,
     .meaning = "for layers that have a Redis of their own, ris, rts, rtss or rtrs: the keys of redis that "
                "are different there; instance state, trade state, signals, results"},

    TEXT(STREAM, "streams.reports", streams.reports, FROZEN, "instance_reports",
         "stream of instance reports"),
    TEXT(STREAM, "streams.signals", streams.signals, FROZEN, "trade_signals", "stream of trade signals"),
    TEXT(STREAM, "streams.results", streams.results, FROZEN, "trade_results", "stream of trade results"),
    TEXT(STREAM, "streams.trades", streams.trades, FROZEN, "trade_updates", "stream of trade updates"),
    TEXT(STREAM, "streams.events", streams.events, FROZEN, "instance_events",
         "stream that events are written to"),
    TEXT(STREAM, "streams.commands", streams.commands, FROZEN, "instance_commands",
         "stream that commands are written to"),
    INTEGER("streams.events_max_len", streams.events_max_len, RELOAD, 100000, 0, 100000000,
            "events kept, about"),
    INTEGER("streams.commands_max_len", streams.commands_max_len, RELOAD, 10000, 0, 100000000,
            "commands kept, about"),
    INTEGER("streams.reports_max_len", streams.reports_max_len, RELOAD, 10000, 0, 100000000,
            "reports kept after they were handled, about; 0 removes them at once"),
    INTEGER("streams.trades_max_len", streams.trades_max_len, RELOAD, 10000, 0, 100000000,
            "trade updates kept after they were handled, about; 0 removes them at once"),
    TEXT(ID, "streams.group", streams.group, FROZEN, "mt5stated",
         "consumer group; made at ID 0 where missing"),
    TEXT(ID, "streams.consumer", streams.consumer, FROZEN, "mt5stated", "name of this consumer in the group"),
    INTEGER("streams.batch", streams.batch, RELOAD, 1000, 1, 10000, "entries per read"),

    INTEGER("signals.ttl_ms", signals.ttl_ms, RELOAD, 30000, 1, TEN_YEARS_MS,
            "a signal with no result by then is dropped"),
    INTEGER("signals.execution_ttl_ms", signals.execution_ttl_ms, RELOAD, 30000, 1, TEN_YEARS_MS,
            "the same, counted anew from a result with status accepted"),
    INTEGER("signals.dedup_ms", signals.dedup_ms, RELOAD, 300000, 1, TEN_YEARS_MS,
            "how long the id of an ended signal is remembered"),
    INTEGER("signals.max_tracked", signals.max_tracked, RELOAD, 1000000, 1, 100000000,
            "beyond it no further signals are read until some end"),

    INTEGER("results.max_len", results.max_len, RELOAD, 10000, 1, 10000000,
            "exact: results kept in the stream"),

    INTEGER("instances.heartbeat_timeout_ms", instances.heartbeat_timeout_ms, RELOAD, 30000, 0, TEN_YEARS_MS,
            "a running instance silent for longer has crashed; 0 turns it off"),
    INTEGER("instances.metric_max_age_ms", instances.metric_max_age_ms, RELOAD, 60000, 1, TEN_YEARS_MS,
            "a field not reported for longer counts as missing"),
    INTEGER("instances.restarting_timeout_ms", instances.restarting_timeout_ms, RELOAD, 120000, 0,
            TEN_YEARS_MS, "restarting for longer is crashed; 0 turns it off"),
    NUMBER("instances.memory_limit_mb", instances.memory_limit_mb, RELOAD, 0, 0, 1e9,
           "for agents that report no memory_limit"),
    INTEGER("instances.max", instances.max, RELOAD, 100000, 1, 1000000,
            "registrations beyond it are rejected"),
    INTEGER("instances.forget_after_s", instances.forget_after_s, RELOAD, 0, 0, TEN_YEARS_S,
            "a stopped instance silent for longer is removed; 0 never"),
    INTEGER("instances.reconcile_interval_ms", instances.reconcile_interval_ms, RELOAD, 30000, 1,
            TEN_YEARS_MS, "how often indexes and hashes are checked against each other"),
    BOOL("instances.adopt_external_writes", instances.adopt_external_writes, RELOAD, true,
         "follow HSETs made by others"),

    INTEGER("trades.closed_ttl_s", trades.closed_ttl_s, RELOAD, 2592000, 1, TEN_YEARS_S,
            "TTL put on a trade that has closed or failed"),
    INTEGER("trades.probe_per_sec", trades.probe_per_sec, RELOAD, 10, 0, 100000,
            "read-backs for retrieval_latency_us; 0 turns them off"),

    OTHER(RULES, "rules",
          "alert rules by name, merged over the defaults field by field; null removes a rule"),

    INTEGER("recovery.max_attempts", recovery.max_attempts, RELOAD, 3, 0, 1000,
            "attempts before an instance is given up; 0 gives it up at once"),
    INTEGER("recovery.timeout_ms", recovery.timeout_ms, RELOAD, 30000, 1, TEN_YEARS_MS,
            "how long one attempt may take"),
    {.name = "recovery.backoff_ms",
     .type = CONFIG_TYPE_BACKOFF,
     .reloadable = RELOAD,
     .min = 0,
     .max = TEN_YEARS_MS,
     .meaning = "delay before attempt 1, 2, 3…; the last repeats; plus jitter up to 10 %"},
    INTEGER("recovery.cooldown_ms", recovery.cooldown_ms, RELOAD, 300000, 0, TEN_YEARS_MS,
            "between the end of a successful recovery and the next that a threshold rule asks for"),
    INTEGER("recovery.stable_ms", recovery.stable_ms, RELOAD, 300000, 0, TEN_YEARS_MS,
            "running this long with nothing firing sets the attempts back to 0"),
    OTHER(
        LAUNCH_MODES, "recovery.launch_modes",
        "which instances are recovered, of auto and manual; the others are announced only; [] recovers none"),
    INTEGER("recovery.max_concurrent", recovery.max_concurrent, RELOAD, 10, 1, 1000000,
            "recoveries under way at once; the rest wait"),
    {.name = "recovery.fleet_breaker_percent",
     .type = CONFIG_TYPE_NUMBER,
     .reloadable = RELOAD,
     .offset = offsetof(struct config, recovery.fleet_breaker_percent),
     .number_default = 50,
     .min = 0,
     .max = 100,
     .above_min = true,
     .meaning = "when more of a group crash at once, no automatic command goes to it"},

    BOOL("observe_only", observe_only, RELOAD, false,
         "count, evaluate and announce; command nothing, remove and trim nothing from streams of others"),
    OTHER(WINDOWS, "maintenance_windows",
          "{\"name\", \"instances\": glob, \"brokers\": glob, \"weekly\": such as \"Fri 22:00-Sun 22:05\"}, "
          "UTC"),
    OTHER(WEBHOOKS, "notify.webhooks",
          "{\"url\", \"timeout_ms\"}: where notifications are POSTed, as Alertmanager takes them"),
    OTHER(HOOKS, "hooks",
          "per command, or notify: what to execute, as a list of path and arguments; null for none"),
    INTEGER("hooks_timeout_ms", hooks_timeout_ms, RELOAD, 60000, 1, TEN_YEARS_MS, "how long a hook may run"),
    INTEGER("hooks_max_running", hooks_max_running, RELOAD, 16, 1, 1000, "hooks that run at once"),
    INTEGER("hooks_max_queued", hooks_max_queued, RELOAD, 256, 0, 100000,
            "hooks that wait; beyond it the oldest is dropped"),

    TEXT(LISTEN, "http.listen", http.listen, FROZEN, "127.0.0.1:10555",
         "host:port, [::1]:port or unix:/path"),
    OTHER(
        TOKENS, "http.tokens",
        "bearer tokens: {\"name\", \"role\": read, report or admin, \"file\"}; admin may do all, report only "
        "POST reports"),
    INTEGER("http.max_connections", http.max_connections, FROZEN, 256, 1, 10000, "connections at once"),

    BOOL("metrics.per_id", metrics.per_id, RELOAD, true,
         "expose the families labelled by signal, trade or result"),
    INTEGER("metrics.max_ids_per_family", metrics.max_ids_per_family, RELOAD, 200, 0, 10000,
            "newest ids kept in each of them"),
    INTEGER("metrics.id_ttl_s", metrics.id_ttl_s, RELOAD, 300, 1, TEN_YEARS_S, "and for how long"),

    ENUM("log.level", log.level, RELOAD, log_levels, "info", "the least severe level that is written"),
    ENUM("log.format", log.format, RELOAD, log_formats, "auto",
         "journal is logfmt behind a <N> priority; auto is journal where standard error is the journal, else "
         "logfmt"),

    INTEGER("ha.lease_ms", ha.lease_ms, FROZEN, 3000, 10, TEN_YEARS_MS,
            "how long the lease of the active daemon lasts; renewed each third of it"),

    INTEGER("guard.stall_ms", guard.stall_ms, RELOAD, 2000, 1, TEN_YEARS_MS,
            "nothing is judged after the daemon has not run for so long, or a clock has jumped by it"),
    INTEGER("guard.hold_ms", guard.hold_ms, RELOAD, 5000, 0, TEN_YEARS_MS, "and for how long"),
};
const size_t config_key_count = ARRAY_LEN(config_keys);

const struct config_key *config_key_find(struct slice name)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (slice_is(name, config_keys[i].name))
            return &config_keys[i];
    }
    return NULL;
}

const struct config_key *config_key_above(struct slice name)
{
    const struct config_key *found = NULL;

    for (size_t len = name.len; len > 0 && !found; len--) {
        if (name.data[len - 1] == '.')
            found = config_key_find(slice_of(name.data, len - 1));
    }
    return found;
}

bool config_section_exists(struct slice name)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const char *key = config_keys[i].name;

        if (strlen(key) > name.len && key[name.len] == '.' && memcmp(key, name.data, name.len) == 0)
            return true;
    }
    return false;
}

/* The one key that NAME is the end of; NULL where there is none, or there are more. */
static const struct config_key *find_without_section(struct slice name)
{
    const struct config_key *found = NULL;

    for (size_t i = 0; i < config_key_count && name.len > 0; i++) {
        const char *dot = strchr(config_keys[i].name, '.');

        if (!dot || !slice_is(name, dot + 1))
            continue;
        if (found)
            return NULL;
        found = &config_keys[i];
    }
    return found;
}

const struct config_key *config_key_nearest(struct slice name)
{
    struct nearest nearest;

    nearest_init(&nearest, name);
    for (size_t i = 0; i < config_key_count; i++)
        nearest_offer(&nearest, config_keys[i].name);
    return nearest.found ? config_key_find(slice_text(nearest.found)) : find_without_section(name);
}
