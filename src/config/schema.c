/* The table of configuration keys. Rows are in the order of SPEC §2; sections must stay together, because
 * printing nests by the order of the rows. */
#include "config/schema.h"

#include "util/macros.h"
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define TEN_YEARS_S  315360000.0
#define TEN_YEARS_MS (TEN_YEARS_S * 1000)
#define NAME_MAX_LEN 64

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

    TEXT(STREAM, "streams.reports", streams.reports, FROZEN, "instance_reports",
         "stream of instance reports"),
    TEXT(STREAM, "streams.signals", streams.signals, FROZEN, "trade_signals", "stream of trade signals"),
    TEXT(STREAM, "streams.results", streams.results, FROZEN, "trade_results", "stream of trade results"),
    TEXT(STREAM, "streams.trades", streams.trades, FROZEN, "trade_updates", "stream of trade updates"),
    TEXT(STREAM, "streams.events", streams.events, FROZEN, "instance_events",
         "stream that events are written to"),
    INTEGER("streams.events_max_len", streams.events_max_len, RELOAD, 100000, 0, 100000000,
            "events kept, about"),
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

    TEXT(LISTEN, "http.listen", http.listen, FROZEN, "127.0.0.1:10555",
         "host:port, [::1]:port or unix:/path"),
    {.name = "http.tokens",
     .type = CONFIG_TYPE_TOKENS,
     .reloadable = RELOAD,
     .meaning = "bearer tokens: {\"name\", \"role\": read, report or admin, \"file\"}; admin may do all, "
                "report only "
                "POST reports"},
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
};
const size_t config_key_count = ARRAY_LEN(config_keys);

const char *config_type_name(enum config_type type)
{
    static const char *const names[] = {
        [CONFIG_TYPE_TEXT] = "text",
        [CONFIG_TYPE_PATH] = "path",
        [CONFIG_TYPE_URL] = "URL",
        [CONFIG_TYPE_LISTEN] = "address",
        [CONFIG_TYPE_STREAM] = "stream name",
        [CONFIG_TYPE_ID] = "identifier",
        [CONFIG_TYPE_INTEGER] = "integer",
        [CONFIG_TYPE_NUMBER] = "number",
        [CONFIG_TYPE_BOOL] = "true or false",
        [CONFIG_TYPE_ENUM] = "name",
        [CONFIG_TYPE_TOKENS] = "list",
    };

    return names[type];
}

const struct config_key *config_key_find(struct slice name)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (slice_is(name, config_keys[i].name))
            return &config_keys[i];
    }
    return NULL;
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

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein's distance, case aside. Both texts have at most NAME_MAX_LEN bytes. */
static size_t text_distance(struct slice a, struct slice b)
{
    size_t row[NAME_MAX_LEN + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j];
            size_t change = diagonal + (lower(a.data[i - 1]) != lower(b.data[j - 1]));

            row[j] = least_of(above + 1, row[j - 1] + 1, change);
            diagonal = above;
        }
    }
    return row[b.len];
}

const struct config_key *config_key_nearest(struct slice name)
{
    const struct config_key *nearest = NULL;
    size_t least = 1 + (name.len < 12 ? 2 : 4);

    if (name.len > NAME_MAX_LEN)
        return NULL;
    for (size_t i = 0; i < config_key_count; i++) {
        size_t distance = text_distance(name, slice_text(config_keys[i].name));

        if (distance < least) {
            least = distance;
            nearest = &config_keys[i];
        }
    }
    return nearest;
}
