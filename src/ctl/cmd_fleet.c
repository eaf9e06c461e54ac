/* status, instances, alerts, signals. */
#include "ctl/duration.h"
#include "ctl/show.h"
#include "ctl/text.h"

/* ---- status ---- */

static void add_count(struct buf *out, const char *separator, const cJSON *counts, const char *name)
{
    buf_add_format(out, "%s%.0f %s", separator, json_number_or_0(counts, name), name);
}

static void show_counts(struct ctl *ctl, const cJSON *status)
{
    const cJSON *instances = json_get(status, "instances"), *alerts = json_get(status, "alerts");
    double firing = json_number_or_0(alerts, "firing");
    struct buf text = BUF_INIT;

    buf_add_format(&text, "%.0f", json_number_or_0(instances, "total"));
    add_count(&text, ": ", instances, "running");
    add_count(&text, ", ", instances, "stopped");
    add_count(&text, ", ", instances, "restarting");
    add_count(&text, ", ", instances, "crashed");
    show_line(ctl, "instances", json_number_or_0(instances, "crashed") > 0 ? PAINT_BAD : PAINT_NONE,
              buf_slice(&text));
    buf_reset(&text, SIZE_MAX);
    buf_add_format(&text, "%.0f firing, %.0f pending", firing, json_number_or_0(alerts, "pending"));
    show_line(ctl, "alerts", firing > 0 ? PAINT_BAD : PAINT_NONE, buf_slice(&text));
    buf_reset(&text, SIZE_MAX);
    buf_add_format(&text, "%.0f open", json_number_or_0(status, "signals_open"));
    show_line(ctl, "signals", PAINT_NONE, buf_slice(&text));
    buf_reset(&text, SIZE_MAX);
    buf_add_format(&text, "%.0f open", json_number_or_0(status, "trades_open"));
    show_line(ctl, "trades", PAINT_NONE, buf_slice(&text));
    buf_clear(&text);
}

static void show_daemon(struct ctl *ctl, const cJSON *status)
{
    bool is_ready = json_is_true(status, "ready");
    struct buf text = BUF_INIT;

    buf_add_text(&text, "version ");
    text_add_shown(&text, json_text(status, "version"));
    buf_add_text(&text, ", up ");
    duration_add(&text, (int64_t)(json_number_or_0(status, "uptime_seconds") * 1000));
    show_line(ctl, "mt5stated", PAINT_NONE, buf_slice(&text));
    buf_reset(&text, SIZE_MAX);
    text_add_shown(&text, is_ready ? slice_text("ready") : json_text(status, "unready"));
    show_line(ctl, is_ready ? "state" : "not ready", is_ready ? PAINT_GOOD : PAINT_BAD, buf_slice(&text));
    show_line(ctl, "redis", json_is_true(status, "redis_up") ? PAINT_GOOD : PAINT_BAD,
              slice_text(json_is_true(status, "redis_up") ? "connected" : "away"));
    show_line(ctl, "role", PAINT_NONE, slice_text(json_is_true(status, "leader") ? "active" : "standby"));
    buf_clear(&text);
}

/* What keeps the daemon from commanding anything. */
static void show_restraint(struct ctl *ctl, const cJSON *status)
{
    const cJSON *group;
    struct buf text = BUF_INIT;

    if (json_is_true(status, "observe_only"))
        show_line(ctl, "observe_only", PAINT_WARN, slice_text("nothing is commanded"));
    if (json_is_true(status, "guard_active"))
        show_line(ctl, "guard", PAINT_WARN, slice_text("time was missed: nothing is judged for a while"));
    cJSON_ArrayForEach(group, json_get(status, "breaker_open"))
    {
        if (text.len > 0)
            buf_add_text(&text, ", ");
        if (cJSON_IsString(group))
            text_add_shown(&text, slice_text(group->valuestring));
    }
    if (text.len > 0)
        show_line(ctl, "breaker open", PAINT_BAD, buf_slice(&text));
    buf_clear(&text);
}

int cmd_status(struct ctl *ctl)
{
    cJSON *status;
    int code = ctl_get(ctl, "/api/v1/status", &status);

    if (code == CTL_DONE && status) {
        show_daemon(ctl, status);
        show_restraint(ctl, status);
        show_counts(ctl, status);
        cJSON_Delete(status);
    }
    return code;
}

/* ---- instances ---- */

/* The alerts that fire, and what holds for it besides. */
static void add_notes(const struct ctl *ctl, struct table *table, const cJSON *instance)
{
    const cJSON *alert, *maintenance = json_get(instance, "maintenance");
    struct buf text = BUF_INIT;

    cJSON_ArrayForEach(alert, json_get(instance, "alerts"))
    {
        if (!slice_is(json_text(alert, "status"), "firing"))
            continue;
        if (text.len > 0)
            buf_add_text(&text, ", ");
        buf_add_slice(&text, json_text(alert, "alert"));
    }
    if (maintenance) {
        buf_add_text(&text, text.len > 0 ? "; maintenance " : "maintenance ");
        show_maintenance(ctl, &text, maintenance);
    }
    if (json_is_true(instance, "throttled"))
        buf_add_text(&text, text.len > 0 ? "; throttled" : "throttled");
    table_add(table, PAINT_NONE, buf_slice(&text));
    buf_clear(&text);
}

static void add_instance(const struct ctl *ctl, struct table *table, const cJSON *instance)
{
    const cJSON *metrics = json_get(instance, "metrics"), *health = json_get(instance, "health");

    show_cell(table, instance, "instance_id");
    show_cell(table, instance, "state");
    show_cell(table, health, "health_status");
    show_cell(table, instance, "broker_id");
    show_cell(table, instance, "host_id");
    show_ms_cell(table, instance, "heartbeat_age_ms");
    show_cell(table, metrics, "cpu_usage");
    show_cell(table, metrics, "memory_usage");
    show_cell(table, metrics, "queue_length");
    show_cell(table, instance, "open_trades");
    add_notes(ctl, table, instance);
}

static void add_query(struct buf *path, const char *name, const char *value)
{
    if (!value)
        return;
    buf_add_format(path, "%c%s=", path->len > 0 && memchr(path->data, '?', path->len) ? '&' : '?', name);
    client_add_escaped(path, slice_text(value));
}

/* Prints TABLE, or that there is NOTHING. */
static void print(struct ctl *ctl, struct table *table, const char *nothing)
{
    if (table->cell_count > 0 || !ctl->terminal.is_terminal)
        table_print(table, &ctl->terminal, &ctl->out);
    else
        buf_add_format(&ctl->out, "%s\n", nothing);
    table_clear(table);
}

int cmd_instances(struct ctl *ctl)
{
    static const struct table_column columns[] = {
        {"INSTANCE", false, 0, 12}, {"STATE", false, 0, 0},          {"HEALTH", false, 4, 0},
        {"BROKER", false, 6, 8},    {"HOST", false, 8, 8},           {"HEARTBEAT", true, 5, 0},
        {"CPU %", true, 7, 0},      {"MEMORY MB", true, 9, 0},       {"QUEUE", true, 10, 0},
        {"TRADES", true, 11, 0},    {"ALERTS, NOTES", false, 0, 20},
    };
    struct table table = {.columns = columns, .column_count = ARRAY_LEN(columns)};
    struct buf path = BUF_INIT;
    cJSON *items;
    const cJSON *instance;
    int code;

    buf_add_text(&path, "/api/v1/instances");
    add_query(&path, "state", ctl->options.state);
    add_query(&path, "health", ctl->options.health);
    add_query(&path, "broker", ctl->options.broker);
    code = ctl_get_list(
        ctl, &(struct list_query){.path = buf_text(&path), .name = "instances", .page_arg = "after"}, &items);
    buf_clear(&path);
    if (!items)
        return code;
    cJSON_ArrayForEach(instance, items)
    {
        add_instance(ctl, &table, instance);
    }
    print(ctl, &table, "no instances");
    cJSON_Delete(items);
    return code;
}

/* ---- alerts ---- */

static void add_alert(const struct ctl *ctl, struct table *table, const cJSON *alert)
{
    show_cell(table, alert, "alert");
    show_cell(table, alert, json_get(alert, "instance_id") ? "instance_id" : "group");
    show_cell(table, alert, "status");
    show_cell(table, alert, "severity");
    show_age_cell(ctl, table, alert, "since");
    show_number_cell(table, alert, "value");
    show_number_cell(table, alert, "threshold");
    show_cell(table, alert, "doing");
}

int cmd_alerts(struct ctl *ctl)
{
    static const struct table_column columns[] = {
        {"ALERT", false, 0, 16},   {"INSTANCE", false, 0, 10}, {"STATUS", false, 4, 0},
        {"SEVERITY", false, 5, 0}, {"SINCE", true, 3, 0},      {"VALUE", true, 7, 0},
        {"LIMIT", true, 8, 0},     {"DOING", false, 2, 28},
    };
    struct table table = {.columns = columns, .column_count = ARRAY_LEN(columns)};
    cJSON *items;
    const cJSON *alert;
    int code = ctl_get_list(
        ctl, &(struct list_query){.path = "/api/v1/alerts", .name = "alerts", .page_arg = "after"}, &items);

    if (!items)
        return code;
    cJSON_ArrayForEach(alert, items)
    {
        add_alert(ctl, &table, alert);
    }
    print(ctl, &table, "no alerts");
    cJSON_Delete(items);
    return code;
}

/* ---- signals ---- */

int cmd_signals(struct ctl *ctl)
{
    static const struct table_column columns[] = {
        {"SIGNAL", false, 0, 12},  {"ACTION", false, 0, 0}, {"INSTANCE", false, 3, 10},
        {"ACCEPTED", false, 2, 0}, {"AGE", true, 0, 0},     {"ENTRY", false, 4, 0},
    };
    struct table table = {.columns = columns, .column_count = ARRAY_LEN(columns)};
    cJSON *items;
    const cJSON *signal;
    int code = ctl_get_list(
        ctl, &(struct list_query){.path = "/api/v1/signals", .name = "signals", .page_arg = "after"}, &items);

    if (!items)
        return code;
    cJSON_ArrayForEach(signal, items)
    {
        show_cell(&table, signal, "signal_id");
        show_cell(&table, signal, "action");
        show_cell(&table, signal, "instance_id");
        show_cell(&table, signal, "accepted");
        show_ms_cell(&table, signal, "age_ms");
        show_cell(&table, signal, "entry_id");
    }
    print(ctl, &table, "no open signals");
    cJSON_Delete(items);
    return code;
}
