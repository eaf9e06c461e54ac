/* instances, alerts, signals. */
#include "ctl/readiness.h"
#include "ctl/show.h"

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

/* As ctl_get_list, and says where what it got is from before. */
static int get_list(struct ctl *ctl, const struct list_query *query, cJSON **ret_items)
{
    int code = ctl_get_list(ctl, query, ret_items);

    if (code == CTL_DONE)
        readiness_warn(ctl);
    return code;
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
    code = get_list(
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
    int code = get_list(
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
    int code = get_list(
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
