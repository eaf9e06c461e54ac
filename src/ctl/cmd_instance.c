/* instance: all that is known of one. */
#include "ctl/duration.h"
#include "ctl/readiness.h"
#include "ctl/show.h"
#include "ctl/text.h"
#include "util/time_text.h"

/* ITEM as a line; a time with how long ago that was. */
static void show_item(struct ctl *ctl, const cJSON *item)
{
    struct buf plain = BUF_INIT, text = BUF_INIT;
    int64_t at_ms, now_ms = client_now_ms(&ctl->client);

    json_add_plain(&plain, item);
    text_add_shown(&text, buf_slice(&plain));
    if (cJSON_IsString(item) && time_text_parse(buf_slice(&plain), &at_ms)) {
        buf_add_text(&text, " (");
        duration_add_relative(&text, at_ms, now_ms);
        buf_add_char(&text, ')');
    }
    if (text.len > 0)
        show_line(ctl, item->string, paint_of(buf_slice(&plain)), buf_slice(&text));
    buf_clear(&plain);
    buf_clear(&text);
}

/* The names of the API are ours, but another server may answer. */
static bool is_name(const char *name)
{
    return name && name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == strlen(name);
}

static void show_items(struct ctl *ctl, const cJSON *object)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
    {
        if (is_name(item->string) && !cJSON_IsObject(item) && !cJSON_IsArray(item) &&
            strcmp(item->string, "heartbeat_age_ms") != 0)
            show_item(ctl, item);
    }
}

static void show_heartbeat(struct ctl *ctl, const cJSON *instance)
{
    struct buf text = BUF_INIT;
    double age_ms;

    if (json_number(instance, "heartbeat_age_ms", &age_ms) && age_ms < 1e15) {
        duration_add(&text, (int64_t)age_ms);
        buf_add_text(&text, " ago");
        show_line(ctl, "heartbeat", PAINT_NONE, buf_slice(&text));
    }
    buf_clear(&text);
}

static void show_maintenance_line(struct ctl *ctl, const cJSON *instance)
{
    const cJSON *maintenance = json_get(instance, "maintenance");
    struct buf plain = BUF_INIT, text = BUF_INIT;

    if (maintenance) {
        show_maintenance(ctl, &plain, maintenance);
        text_add_shown(&text, buf_slice(&plain));
        show_line(ctl, "maintenance", PAINT_WARN, buf_slice(&text));
    }
    buf_clear(&plain);
    buf_clear(&text);
}

static void show_alert(struct ctl *ctl, const cJSON *alert)
{
    struct buf plain = BUF_INIT, text = BUF_INIT;
    int64_t since_ms;

    buf_add_slice(&plain, json_text(alert, "alert"));
    buf_add_char(&plain, ' ');
    buf_add_slice(&plain, json_text(alert, "status"));
    if (json_time(alert, "since", &since_ms)) {
        buf_add_text(&plain, ", since ");
        duration_add_relative(&plain, since_ms, client_now_ms(&ctl->client));
    }
    buf_add_text(&plain, "; value ");
    json_add_plain(&plain, json_get(alert, "value"));
    buf_add_text(&plain, ", limit ");
    json_add_plain(&plain, json_get(alert, "threshold"));
    text_add_shown(&text, buf_slice(&plain));
    show_line(ctl, "alert", paint_of(json_text(alert, "severity")), buf_slice(&text));
    buf_clear(&plain);
    buf_clear(&text);
}

int cmd_instance(struct ctl *ctl)
{
    struct buf path = BUF_INIT;
    const cJSON *alert;
    cJSON *instance;
    int code;

    ctl_instance_path(ctl, &path, "");
    code = ctl_get(ctl, buf_text(&path), &instance);
    buf_clear(&path);
    if (code == CTL_DONE)
        readiness_warn(ctl);
    if (code != CTL_DONE || !instance)
        return code;
    show_items(ctl, instance);
    show_heartbeat(ctl, instance);
    show_maintenance_line(ctl, instance);
    cJSON_ArrayForEach(alert, json_get(instance, "alerts"))
    {
        show_alert(ctl, alert);
    }
    show_heading(ctl, "health");
    show_items(ctl, json_get(instance, "health"));
    show_heading(ctl, "metrics");
    show_items(ctl, json_get(instance, "metrics"));
    cJSON_Delete(instance);
    return code;
}
