/* One table of families; what a row of it means for one instance is worked out when the instance is copied,
 * so that writing is nothing but numbers becoming text. */
#include "app/metrics_instances.h"

#include "util/alloc.h"
#include "util/macros.h"
#include <math.h>
#include <stdlib.h>

#define MEGABYTE 1048576.0
#define KILOBYTE 1024.0
#define PER_MS   0.001

enum instance_value {
    VALUE_UP,
    VALUE_STATE,  /* one series per state */
    VALUE_HEALTH, /* one series per health */
    VALUE_INFO,
    VALUE_REPORTED, /* a number of the reports, scaled */
    VALUE_MEMORY_LIMIT,
    VALUE_UPTIME,
    VALUE_RECOVERY_ATTEMPTS,
    VALUE_HEARTBEAT_AGE,
    VALUE_OPEN_TRADES,
    VALUE_FIRING,      /* one series per alert */
    VALUE_UNEVALUABLE, /* one series per rule */
};

/* All are gauges. LABELS: others than the instance's alone. */
#define FAMILY_OF(labels, name, help, absent, value, field, scale)                                           \
    {                                                                                                        \
        {name, PROM_GAUGE, labels, help, absent}, value, field, scale                                        \
    }
#define FAMILY(...) FAMILY_OF("instance_id", __VA_ARGS__)

static const struct instance_family {
    struct metric_info info;
    enum instance_value value;
    enum report_field field;
    double scale;
} families[INSTANCE_FAMILIES] = {
    FAMILY("mt5_instance_up", "1 while the instance is running, else 0", "", VALUE_UP, 0, 0),
    FAMILY_OF("instance_id, state", "mt5_instance_state",
              "1 for the state that it is in (running, stopped, crashed, restarting), 0 for the others", "",
              VALUE_STATE, 0, 0),
    FAMILY_OF("instance_id, health_status", "mt5_instance_health",
              "1 for its health (healthy, warning, critical), 0 for the others", "", VALUE_HEALTH, 0, 0),
    FAMILY_OF("instance_id, broker_id, host_id, launch_mode", "mt5_instance_info",
              "Always 1: to join the others with", "the label host_id is missing where the host is unknown",
              VALUE_INFO, 0, 0),
    FAMILY("mt5_instance_cpu_usage_percent", "CPU usage of the terminal: cpu_usage",
           "not reported, or too old", VALUE_REPORTED, REPORT_CPU_USAGE, 1),
    FAMILY("mt5_instance_memory_usage_bytes", "Memory that the terminal uses: memory_usage",
           "not reported, or too old", VALUE_REPORTED, REPORT_MEMORY_USAGE, MEGABYTE),
    FAMILY("mt5_instance_memory_limit_bytes",
           "Memory that the terminal may use: memory_limit, else instances.memory_limit_mb",
           "neither is known", VALUE_MEMORY_LIMIT, REPORT_MEMORY_LIMIT, MEGABYTE),
    FAMILY("mt5_instance_network_usage_bytes_per_second", "Network traffic of the terminal: network_usage",
           "not reported, or too old", VALUE_REPORTED, REPORT_NETWORK_USAGE, KILOBYTE),
    FAMILY("mt5_instance_disk_usage_bytes", "Disk space that the terminal uses: disk_usage",
           "not reported, or too old", VALUE_REPORTED, REPORT_DISK_USAGE, MEGABYTE),
    FAMILY("mt5_instance_network_latency_seconds",
           "Latency between the terminal and its broker: network_latency", "not reported, or too old",
           VALUE_REPORTED, REPORT_NETWORK_LATENCY, PER_MS),
    FAMILY("mt5_instance_queue_length", "Trades that wait in the terminal: queue_length",
           "not reported, or too old", VALUE_REPORTED, REPORT_QUEUE_LENGTH, 1),
    FAMILY("mt5_instance_load_average", "Load average of the terminal: load_average",
           "not reported, or too old", VALUE_REPORTED, REPORT_LOAD_AVERAGE, 1),
    FAMILY("mt5_instance_socket_connections", "Open sockets of the terminal: socket_connections",
           "not reported, or too old", VALUE_REPORTED, REPORT_SOCKET_CONNECTIONS, 1),
    FAMILY("mt5_instance_active_connections",
           "Active connections of the terminal: active_connections, 0 from registration on", "too old",
           VALUE_REPORTED, REPORT_ACTIVE_CONNECTIONS, 1),
    FAMILY("mt5_instance_uptime_seconds",
           "Time since the terminal began to run: uptime_seconds, else derived from when it began",
           "reported, but too old", VALUE_UPTIME, REPORT_UPTIME_SECONDS, 1),
    FAMILY("mt5_instance_restarts",
           "Restarts of the terminal: restart_count, else derived from restarting to running",
           "reported, but too old", VALUE_REPORTED, REPORT_RESTART_COUNT, 1),
    FAMILY("mt5_instance_recovery_attempts", "Attempts to recover it since they were last set back", "",
           VALUE_RECOVERY_ATTEMPTS, 0, 0),
    FAMILY("mt5_instance_heartbeat_age_seconds", "Time since its last sign of life", "", VALUE_HEARTBEAT_AGE,
           0, 0),
    FAMILY("mt5_instance_open_trades", "Open trades that name it", "", VALUE_OPEN_TRADES, 0, 0),
    FAMILY_OF("instance_id, alert", "mt5stated_alert_firing", "1 for each alert that fires",
              "the alert does not fire", VALUE_FIRING, 0, 0),
    FAMILY_OF("instance_id, alert", "mt5stated_rule_unevaluable",
              "1 for each rule that cannot be evaluated: the instance reports memory_usage, and nothing says "
              "how much there is",
              "the rule can be evaluated", VALUE_UNEVALUABLE, 0, 0),
};

const struct metric_info *instance_family_info(uint32_t family)
{
    return family < INSTANCE_FAMILIES ? &families[family].info : NULL;
}

static void make_label(struct buf *out, const char *name, const char *value)
{
    const struct prom_label label = {name, slice_text(value)};

    prom_labels_add(out, &label, 1);
}

void instance_rows_init(struct instance_rows *rows, const struct fleet *fleet, double memory_limit_mb,
                        int64_t now_ms)
{
    *rows = (struct instance_rows){.memory_limit_mb = memory_limit_mb, .now_ms = now_ms};
    alert_marks_init(&rows->marks, fleet->watch);
    for (int s = 0; s < INSTANCE_STATES; s++)
        make_label(&rows->state_labels[s], "state", instance_state_name((enum instance_state)s));
    for (int h = 0; h < HEALTHS; h++)
        make_label(&rows->health_labels[h], "health_status", health_name((enum health)h));
}

void instance_rows_clear(struct instance_rows *rows)
{
    free(rows->rows);
    buf_clear(&rows->labels);
    alert_marks_clear(&rows->marks);
    for (int s = 0; s < INSTANCE_STATES; s++)
        buf_clear(&rows->state_labels[s]);
    for (int h = 0; h < HEALTHS; h++)
        buf_clear(&rows->health_labels[h]);
    *rows = (struct instance_rows){0};
}

static double seconds_since(int64_t then_ms, int64_t now_ms)
{
    return now_ms > then_ms ? (double)(now_ms - then_ms) / 1000 : 0;
}

/* A reported number as the family wants it; NAN where there is none, or only an old one. */
static double reported_value(const struct instance_rows *rows, const struct fleet *fleet,
                             const struct instance *instance, const struct instance_family *family)
{
    if (!instance_number_is_fresh(fleet, instance, family->field, rows->now_ms))
        return NAN;
    return instance->number[family->field] * family->scale;
}

static double memory_limit(const struct instance_rows *rows, const struct fleet *fleet,
                           const struct instance *instance, const struct instance_family *family)
{
    double reported = reported_value(rows, fleet, instance, family);

    if (isnan(reported) && rows->memory_limit_mb > 0)
        return rows->memory_limit_mb * MEGABYTE;
    return reported;
}

static double has_marks(const struct instance_rows *rows, const struct instance_row *row, enum mark_kind kind)
{
    return alert_marks_count(&rows->marks, row->marks, kind) > 0 ? 1 : NAN;
}

static double value_of(const struct instance_rows *rows, const struct instance_row *row,
                       const struct fleet *fleet, const struct instance *instance,
                       const struct instance_family *family)
{
    switch (family->value) {
    case VALUE_UP:
        return instance->state == STATE_RUNNING;
    case VALUE_REPORTED:
        return reported_value(rows, fleet, instance, family);
    case VALUE_MEMORY_LIMIT:
        return memory_limit(rows, fleet, instance, family);
    case VALUE_UPTIME:
        return instance_number_is_fresh(fleet, instance, family->field, rows->now_ms)
                   ? instance_uptime_seconds(instance, rows->now_ms)
                   : NAN;
    case VALUE_RECOVERY_ATTEMPTS:
        return (double)instance->recovery_attempts;
    case VALUE_HEARTBEAT_AGE:
        return seconds_since(instance->seen_ms, rows->now_ms);
    case VALUE_OPEN_TRADES:
        return instance->open_trades;
    case VALUE_FIRING:
        return has_marks(rows, row, MARK_FIRING);
    case VALUE_UNEVALUABLE:
        return has_marks(rows, row, MARK_UNEVALUABLE);
    case VALUE_STATE:
    case VALUE_HEALTH:
    case VALUE_INFO:
        return 1;
    }
    return NAN;
}

/* An id needs no escaping: that is what ids are checked for. */
static void add_id_label(struct buf *out, const char *prefix, struct slice id)
{
    buf_add_text(out, prefix);
    buf_add_slice(out, id);
    buf_add_char(out, '"');
}

static void add_labels(struct instance_rows *rows, struct instance_row *row, const struct instance *instance)
{
    struct buf *out = &rows->labels;
    size_t start = out->len;

    row->labels = (uint32_t)start;
    add_id_label(out, "instance_id=\"", ident_slice(&instance->id));
    row->id_len = (uint16_t)(out->len - start);
    add_id_label(out, ",broker_id=\"", ident_slice(&instance->broker_id));
    if (instance->host_id.len)
        add_id_label(out, ",host_id=\"", ident_slice(&instance->host_id));
    add_id_label(out, ",launch_mode=\"", slice_text(launch_mode_name(instance->launch_mode)));
    row->info_len = (uint16_t)(out->len - start);
}

static void add_row(struct instance_rows *rows, const struct fleet *fleet, const struct instance *instance)
{
    struct instance_row *row;

    if (rows->count == rows->cap) {
        /* Room for all at once: growing by steps would copy what is there again and again. */
        rows->cap = rows->cap < fleet->count ? fleet->count : rows->cap * 2;
        rows->rows = mem_resize(rows->rows, rows->cap, sizeof(*rows->rows));
    }
    row = &rows->rows[rows->count++];
    row->slot = fleet_index_of(fleet, instance);
    row->generation = instance->generation;
    row->state = (unsigned char)instance->state;
    row->health = (unsigned char)instance->health;
    row->marks = alert_marks_add(&rows->marks, fleet, instance);
    add_labels(rows, row, instance);
    for (uint32_t f = 0; f < INSTANCE_FAMILIES; f++)
        row->value[f] = value_of(rows, row, fleet, instance, &families[f]);
}

/* Takes out what has gone since it was copied: it may have come again in a slot that was copied later. All is
 * copied by now, so what goes from here on does no harm. Looks at MAX rows; true once there are no more. */
static bool drop_gone(struct instance_rows *rows, const struct fleet *fleet, uint32_t max)
{
    for (; max > 0 && rows->next_row < rows->count; max--, rows->next_row++) {
        const struct instance_row *row = &rows->rows[rows->next_row];
        const struct instance *instance = &fleet->slots[row->slot];

        if (!instance->used || instance->generation != row->generation)
            alert_marks_drop(&rows->marks, row->marks);
        else if (rows->kept++ != rows->next_row)
            rows->rows[rows->kept - 1] = *row;
    }
    if (rows->next_row < rows->count)
        return false;
    rows->count = rows->kept;
    rows->next_row = 0;
    return true;
}

bool instance_rows_gather(struct instance_rows *rows, const struct fleet *fleet, uint32_t max)
{
    for (uint32_t left = max; left > 0 && !rows->is_copied; left--) {
        rows->is_copied = rows->next_slot >= fleet->slot_count;
        if (!rows->is_copied && fleet->slots[rows->next_slot].used)
            add_row(rows, fleet, &fleet->slots[rows->next_slot]);
        rows->next_slot++;
    }
    return rows->is_copied && alert_marks_count_groups(&rows->marks, fleet->watch, max) &&
           drop_gone(rows, fleet, max);
}

static struct slice id_labels(const struct instance_rows *rows, const struct instance_row *row)
{
    return slice_of(rows->labels.data + row->labels, row->id_len);
}

static void write_states(const struct instance_rows *rows, const struct instance_row *row,
                         struct prom_writer *writer)
{
    for (int s = 0; s < INSTANCE_STATES; s++)
        prom_sample_more(writer, id_labels(rows, row), buf_slice(&rows->state_labels[s]), row->state == s);
}

static void write_healths(const struct instance_rows *rows, const struct instance_row *row,
                          struct prom_writer *writer)
{
    for (int h = 0; h < HEALTHS; h++)
        prom_sample_more(writer, id_labels(rows, row), buf_slice(&rows->health_labels[h]), row->health == h);
}

/* Returns how many samples that were, where there are many. */
static uint32_t write_marks(const struct instance_rows *rows, const struct instance_row *row,
                            enum mark_kind kind, struct prom_writer *writer)
{
    alert_marks_write(&rows->marks, row->marks, kind, id_labels(rows, row), writer);
    return alert_marks_count(&rows->marks, row->marks, kind);
}

/* Returns how many rows' worth of work that was. */
static uint32_t write_row(const struct instance_rows *rows, const struct instance_row *row, uint32_t family,
                          struct prom_writer *writer)
{
    switch (families[family].value) {
    case VALUE_FIRING:
        return write_marks(rows, row, MARK_FIRING, writer);
    case VALUE_UNEVALUABLE:
        return write_marks(rows, row, MARK_UNEVALUABLE, writer);
    case VALUE_STATE:
        write_states(rows, row, writer);
        break;
    case VALUE_HEALTH:
        write_healths(rows, row, writer);
        break;
    case VALUE_INFO:
        prom_sample(writer, slice_of(rows->labels.data + row->labels, row->info_len), 1);
        break;
    default:
        prom_sample(writer, id_labels(rows, row), row->value[family]);
        break;
    }
    return 1;
}

void instance_rows_write_alerts(const struct instance_rows *rows, struct prom_writer *writer)
{
    alert_marks_write_counts(&rows->marks, writer);
}

bool instance_rows_write(const struct instance_rows *rows, struct instance_cursor *cursor,
                         struct prom_writer *writer, uint32_t max)
{
    for (; cursor->family < INSTANCE_FAMILIES;
         *cursor = (struct instance_cursor){.family = cursor->family + 1}) {
        const struct metric_info *info = &families[cursor->family].info;

        for (; cursor->next_row < rows->count; cursor->next_row++) {
            const struct instance_row *row = &rows->rows[cursor->next_row];
            uint32_t work = 1;

            if (max == 0)
                return false;
            if (!isnan(row->value[cursor->family])) {
                if (!cursor->has_begun)
                    prom_family_begin(writer, info->name, PROM_GAUGE, info->help);
                cursor->has_begun = true;
                work = write_row(rows, row, cursor->family, writer);
            }
            max -= work < max ? work : max;
        }
    }
    return true;
}
