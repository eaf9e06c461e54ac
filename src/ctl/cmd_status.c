/* status: the daemon and its fleet in a few lines. What is well takes no line of its own; what the daemon
 * does not know is shown as `-`. Members that an older daemon does not have are passed over. */
#include "ctl/duration.h"
#include "ctl/readiness.h"
#include "ctl/show.h"
#include "ctl/text.h"

/* Shows TEXT, which may hold any bytes. */
static void show_plain(struct ctl *ctl, const char *name, enum paint paint, const struct buf *text)
{
    struct buf shown = BUF_INIT;

    text_add_shown(&shown, buf_slice(text));
    show_line(ctl, name, paint, buf_slice(&shown));
    buf_clear(&shown);
}

/* ---- the daemon ---- */

static bool is_standby(const cJSON *status)
{
    return slice_is(json_text(status, "unready"), "standby");
}

static const char *role_of(const cJSON *status)
{
    if (json_is_true(status, "leader"))
        return "active";
    return is_standby(status) || json_is_true(status, "ready") ? "standby" : "unknown";
}

static void show_redis(struct ctl *ctl, const cJSON *status)
{
    struct slice error = json_text(json_get(status, "redis"), "error");
    bool is_up = json_is_true(status, "redis_up"), is_refusal = readiness_is_refusal(error);
    struct buf text = BUF_INIT;

    buf_add_text(&text, is_refusal ? "refuses" : is_up ? "connected" : "away");
    if (error.len > 0) {
        buf_add_text(&text, ": ");
        buf_add_slice(&text, error);
    }
    show_plain(ctl, "redis", is_up && !is_refusal ? PAINT_GOOD : PAINT_BAD, &text);
    buf_clear(&text);
}

/* Since when it is not ready, and what that means. */
static void show_unready(struct ctl *ctl, const cJSON *status)
{
    struct slice word = json_text(status, "unready"), layers = json_text(status, "unready_layers"), meaning;
    int64_t now_ms = client_now_ms(&ctl->client);
    struct buf text = BUF_INIT;
    double since_ms;

    buf_add_slice(&text, word);
    if (layers.len > 0)
        buf_add_format(&text, " (%.*s)", (int)layers.len, layers.data);
    show_plain(ctl, "not ready", is_standby(status) ? PAINT_WARN : PAINT_BAD, &text);
    if (json_number(status, "readiness_since_ms", &since_ms) && since_ms > 0 && since_ms < 1e15) {
        buf_reset(&text, SIZE_MAX);
        time_add_clock(&text, (int64_t)since_ms, now_ms, false);
        buf_add_text(&text, " UTC (");
        duration_add_relative(&text, (int64_t)since_ms, now_ms);
        buf_add_char(&text, ')');
        show_line(ctl, "since", PAINT_NONE, buf_slice(&text));
    }
    buf_clear(&text);
    meaning = readiness_meaning(word, readiness_is_refusal(json_text(json_get(status, "redis"), "error")));
    if (meaning.len > 0)
        show_line(ctl, "which means", PAINT_NONE, meaning);
}

static void show_daemon(struct ctl *ctl, const cJSON *status)
{
    struct buf text = BUF_INIT;

    buf_add_text(&text, "version ");
    text_add_shown(&text, json_text(status, "version"));
    buf_add_text(&text, ", up ");
    duration_add(&text, (int64_t)(json_number_or_0(status, "uptime_seconds") * 1000));
    show_line(ctl, "mt5stated", PAINT_NONE, buf_slice(&text));
    buf_clear(&text);
    if (json_is_true(status, "ready"))
        show_line(ctl, "state", PAINT_GOOD, slice_text("ready"));
    else
        show_unready(ctl, status);
    show_redis(ctl, status);
    show_line(ctl, "role", PAINT_NONE, slice_text(role_of(status)));
}

/* ---- what is not as it should be ---- */

/* The texts of LIST. */
static void show_names(struct ctl *ctl, const char *name, const cJSON *list)
{
    const cJSON *item;
    struct buf text = BUF_INIT;

    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item))
            continue;
        if (text.len > 0)
            buf_add_text(&text, ", ");
        buf_add_text(&text, item->valuestring);
    }
    if (text.len > 0)
        show_plain(ctl, name, PAINT_BAD, &text);
    buf_clear(&text);
}

/* What keeps the daemon from commanding anything. */
static void show_restraint(struct ctl *ctl, const cJSON *status)
{
    if (json_is_true(status, "observe_only"))
        show_line(ctl, "observe_only", PAINT_WARN, slice_text("nothing is commanded"));
    if (json_is_true(status, "guard_active"))
        show_line(ctl, "guard", PAINT_WARN, slice_text("time was missed: nothing is judged for a while"));
    show_names(ctl, "breaker open", json_get(status, "breaker_open"));
}

static void show_left_out(struct ctl *ctl, const cJSON *status)
{
    double set_aside = json_number_or_0(status, "instances_set_aside");
    const cJSON *stream;
    struct buf text = BUF_INIT;

    cJSON_ArrayForEach(stream, json_get(status, "streams"))
    {
        if (!json_is_true(stream, "left_out"))
            continue;
        buf_add_text(&text, text.len > 0 ? ", " : "");
        buf_add_slice(&text, json_text(stream, "stream"));
    }
    if (text.len > 0) {
        buf_add_text(&text, ": no stream in Redis, and not read until it is one");
        show_plain(ctl, "left out", PAINT_BAD, &text);
    }
    buf_reset(&text, SIZE_MAX);
    if (set_aside > 0) {
        buf_add_format(&text, "%.0f %s in Redis something else than a record, and not followed", set_aside,
                       set_aside > 1 ? "instances are" : "instance is");
        show_line(ctl, "set aside", PAINT_BAD, buf_slice(&text));
    }
    buf_clear(&text);
}

static void show_notifications(struct ctl *ctl, const cJSON *status)
{
    const cJSON *notifications = json_get(status, "notifications");
    double failing = json_number_or_0(notifications, "failing");
    struct slice error = json_text(notifications, "error");
    struct buf text = BUF_INIT;

    if (!(failing > 0))
        return;
    buf_add_format(&text, "%.0f %s no alerts", failing, failing > 1 ? "webhooks take" : "webhook takes");
    if (error.len > 0) {
        buf_add_text(&text, ": ");
        buf_add_slice(&text, error);
    }
    show_plain(ctl, "notifications", PAINT_BAD, &text);
    buf_clear(&text);
}

static void show_faults(struct ctl *ctl, const cJSON *status)
{
    show_left_out(ctl, status);
    show_notifications(ctl, status);
    if (cJSON_IsFalse(json_get(status, "config_reload_ok")))
        show_line(ctl, "configuration", PAINT_BAD,
                  slice_text("refused when it was read again: what was there before holds"));
}

/* ---- the fleet ---- */

static void add_count(struct buf *out, const char *separator, const cJSON *counts, const char *name)
{
    buf_add_format(out, "%s%.0f %s", separator, json_number_or_0(counts, name), name);
}

static void show_instances(struct ctl *ctl, const cJSON *status)
{
    const cJSON *instances = json_get(status, "instances");
    struct buf text = BUF_INIT;

    buf_add_format(&text, "%.0f", json_number_or_0(instances, "total"));
    add_count(&text, ": ", instances, "running");
    add_count(&text, ", ", instances, "stopped");
    add_count(&text, ", ", instances, "restarting");
    add_count(&text, ", ", instances, "crashed");
    show_line(ctl, "instances", json_number_or_0(instances, "crashed") > 0 ? PAINT_BAD : PAINT_NONE,
              buf_slice(&text));
    buf_clear(&text);
}

/* An open breaker is the alert FleetFailure of its group, and listed as such; here it is counted apart. */
static void show_alerts(struct ctl *ctl, const cJSON *status)
{
    const cJSON *alerts = json_get(status, "alerts");
    double firing = json_number_or_0(alerts, "firing") + cJSON_GetArraySize(json_get(status, "breaker_open"));
    struct buf text = BUF_INIT;

    buf_add_format(&text, "%.0f firing, %.0f pending", firing, json_number_or_0(alerts, "pending"));
    show_line(ctl, "alerts", firing > 0 ? PAINT_BAD : PAINT_NONE, buf_slice(&text));
    buf_clear(&text);
}

static void show_open(struct ctl *ctl, const char *name, double count)
{
    struct buf text = BUF_INIT;

    buf_add_format(&text, "%.0f open", count);
    show_line(ctl, name, PAINT_NONE, buf_slice(&text));
    buf_clear(&text);
}

static void show_fleet(struct ctl *ctl, const cJSON *status)
{
    static const char *const names[] = {"instances", "alerts", "signals", "trades"};

    if (json_is_true(status, "ready") || (!is_standby(status) && readiness_has_state(ctl))) {
        show_instances(ctl, status);
        show_alerts(ctl, status);
        show_open(ctl, "signals", json_number_or_0(status, "signals_open"));
        show_open(ctl, "trades", json_number_or_0(status, "trades_open"));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        show_line(ctl, names[i], PAINT_NONE, slice_text("-"));
}

int cmd_status(struct ctl *ctl)
{
    cJSON *status;
    int code = ctl_get(ctl, "/api/v1/status", &status);

    if (code == CTL_DONE && status) {
        show_daemon(ctl, status);
        show_restraint(ctl, status);
        show_faults(ctl, status);
        show_fleet(ctl, status);
        cJSON_Delete(status);
    }
    return code;
}
