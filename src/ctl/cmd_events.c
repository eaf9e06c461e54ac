/* events: those that are kept, and with -f those that come. */
#include "ctl/duration.h"
#include "ctl/follow.h"
#include "ctl/show.h"
#include "ctl/text.h"
#include "util/stream_id.h"
#include "util/time_text.h"

#define EVENT_WIDTH    20 /* of the longest name */
#define INSTANCE_WIDTH 12
#define NARROW         72

/* ---- one event as a line ---- */

/* `PREFIX` and the text NAME, where there is one. */
static void add_part(struct buf *out, const char *prefix, const cJSON *event, const char *name)
{
    const cJSON *item = json_get(event, name);

    if (!item)
        return;
    if (out->len > 0)
        buf_add_char(out, ' ');
    buf_add_text(out, prefix);
    json_add_plain(out, item);
}

static void add_details(struct buf *out, const cJSON *event)
{
    add_part(out, "", event, "from");
    add_part(out, json_get(event, "from") ? "→ " : "", event, "to");
    add_part(out, "", event, "alert");
    add_part(out, "at ", event, "value");
    add_part(out, "limit ", event, "threshold");
    add_part(out, "", event, "command_id");
    add_part(out, "signal ", event, "signal_id");
    if (json_get(event, "reason"))
        add_part(out, out->len > 0 ? "- " : "", event, "reason");
}

static enum paint paint_of_event(struct slice name)
{
    static const struct {
        const char *name;
        enum paint paint;
    } paints[] = {
        {"instance_failed", PAINT_BAD},      {"alert_firing", PAINT_BAD},
        {"signal_dropped", PAINT_BAD},       {"late_execution", PAINT_BAD},
        {"network_issue", PAINT_BAD},        {"socket_failure", PAINT_BAD},
        {"instance_degraded", PAINT_WARN},   {"instance_started", PAINT_GOOD},
        {"alert_resolved", PAINT_GOOD},      {"instance_recovered", PAINT_GOOD},
        {"command_issued", PAINT_BUSY},      {"command_completed", PAINT_BUSY},
        {"instance_restarting", PAINT_BUSY},
    };

    for (size_t i = 0; i < ARRAY_LEN(paints); i++) {
        if (slice_is(name, paints[i].name))
            return paints[i].paint;
    }
    return PAINT_NONE;
}

/* Adds TEXT and what it lacks of WIDTH, and two spaces. */
static void add_field(const struct ctl *ctl, struct buf *out, enum paint paint, struct slice text,
                      size_t width)
{
    struct buf shown = BUF_INIT;
    size_t used;

    text_add_shown(&shown, text.len ? text : slice_text("-"));
    used = text_width(buf_slice(&shown));
    terminal_add(&ctl->terminal, out, paint, buf_slice(&shown));
    text_add_spaces(out, (used < width ? width - used : 0) + 2);
    buf_clear(&shown);
}

/* On a terminal the time of the day is enough where the day is this one. */
static void add_time(const struct ctl *ctl, struct buf *out, const cJSON *event)
{
    struct buf text = BUF_INIT;
    int64_t at_ms;

    if (ctl->terminal.is_terminal && json_time(event, "at", &at_ms))
        time_add_clock(&text, at_ms, client_now_ms(&ctl->client), false);
    else
        buf_add_slice(&text, json_text(event, "at"));
    add_field(ctl, out, PAINT_FAINT, buf_slice(&text), 0);
    buf_clear(&text);
}

static void add_event(struct ctl *ctl, const cJSON *event)
{
    struct slice name = json_text(event, "event");
    bool is_narrow = ctl->terminal.is_terminal && ctl->terminal.width < NARROW;
    size_t margin = sizeof("10:15:30 ") + (is_narrow ? 0 : EVENT_WIDTH + 2 + INSTANCE_WIDTH + 2);
    struct buf plain = BUF_INIT, shown = BUF_INIT;

    add_time(ctl, &ctl->out, event);
    add_field(ctl, &ctl->out, paint_of_event(name), name, is_narrow ? 0 : EVENT_WIDTH);
    add_field(ctl, &ctl->out, PAINT_STRONG, json_text(event, "instance_id"), is_narrow ? 0 : INSTANCE_WIDTH);
    add_details(&plain, event);
    text_add_shown(&shown, buf_slice(&plain));
    if (is_narrow && shown.len > 0) {
        buf_add_char(&ctl->out, '\n');
        text_add_spaces(&ctl->out, margin);
    }
    text_add_wrapped(&ctl->out, buf_slice(&shown), margin, margin, ctl->terminal.width);
    while (ctl->out.data[ctl->out.len - 1] == ' ')
        ctl->out.len--;
    buf_add_char(&ctl->out, '\n');
    buf_clear(&plain);
    buf_clear(&shown);
}

/* ---- which ---- */

static void add_arg(struct buf *path, const char *name, struct slice value)
{
    buf_add_char(path, path->len > 0 && memchr(path->data, '?', path->len) ? '&' : '?');
    buf_add_format(path, "%s=", name);
    client_add_escaped(path, value);
}

/* What --since says, as the id behind which the events begin. */
static void add_since(const struct ctl *ctl, struct buf *out)
{
    const char *since = ctl->options.since;
    struct stream_id id;
    int64_t ago_ms = 0;

    if (!since)
        return;
    if (stream_id_parse(slice_text(since), &id)) {
        buf_add_text(out, since);
        return;
    }
    (void)duration_parse(slice_text(since), 0, &ago_ms); /* options.c has checked it */
    buf_add_format(out, "%lld-0", (long long)(client_now_ms(&ctl->client) - ago_ms));
}

static void make_path(const struct ctl *ctl, struct buf *path, struct slice since)
{
    buf_add_text(path, "/api/v1/events");
    if (ctl->options.instance)
        add_arg(path, "instance", slice_text(ctl->options.instance));
    if (since.len > 0)
        add_arg(path, "since", since);
}

/* ---- those that are kept ---- */

static int show_kept(struct ctl *ctl)
{
    struct buf path = BUF_INIT, since = BUF_INIT;
    cJSON *items;
    const cJSON *event;
    int code;

    add_since(ctl, &since);
    make_path(ctl, &path, buf_slice(&since));
    code = ctl_get_list(ctl,
                        &(struct list_query){.path = buf_text(&path),
                                             .name = "events",
                                             .page_arg = "since",
                                             .max = (size_t)ctl->options.limit_count},
                        &items);
    cJSON_ArrayForEach(event, items)
    {
        add_event(ctl, event);
    }
    cJSON_Delete(items);
    buf_clear(&path);
    buf_clear(&since);
    return code;
}

/* ---- those that come ---- */

struct watching {
    struct ctl *ctl;
    uint64_t left; /* to be shown; 0: without end */
    bool is_done;
};

/* False where it holds nothing that we know. */
static bool add_new(struct ctl *ctl, const struct sse_event *event)
{
    struct buf line = BUF_INIT;
    struct errmsg why;
    cJSON *root = json_read(event->data, &why);
    bool is_known = cJSON_IsObject(root);

    if (is_known && ctl->options.json) {
        (void)follow_add_json(&line, event, true);
        buf_add_char(&line, '\n');
        ctl_add_json(ctl, buf_slice(&line));
    } else if (is_known) {
        add_event(ctl, root);
    }
    cJSON_Delete(root);
    buf_clear(&line);
    return is_known;
}

static bool on_event(void *ctx, const struct sse_event *event)
{
    struct watching *watching = ctx;

    if (slice_is(event->name, "gap")) {
        ctl_complain("events are missing here: the daemon does not keep them any more");
        return true;
    }
    if (add_new(watching->ctl, event))
        watching->is_done = watching->left > 0 && --watching->left == 0;
    return ctl_flush(watching->ctl) == CTL_DONE && !watching->is_done;
}

static int follow(struct ctl *ctl)
{
    struct watching watching = {.ctl = ctl, .left = ctl->options.limit_count};
    struct follow events = {.sse = {.on_event = on_event, .ctx = &watching}};
    struct buf path = BUF_INIT;
    int code;

    add_since(ctl, &events.sse.last_id);
    make_path(ctl, &path, slice_of("", 0));
    events.path = buf_text(&path);
    code = follow_run(ctl, &events, 1);
    buf_clear(&path);
    return watching.is_done ? CTL_DONE : code;
}

int cmd_events(struct ctl *ctl)
{
    return ctl->options.follow ? follow(ctl) : show_kept(ctl);
}
