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

static void pad(struct buf *out, size_t start, size_t width)
{
    size_t used = text_width(slice_of(out->data + start, out->len - start));

    text_add_spaces(out, used < width ? width - used : 0);
}

/* On a terminal the time of the day is enough where the day is this one. */
static void add_time(const struct ctl *ctl, struct buf *out, const cJSON *event)
{
    int64_t at_ms;

    if (ctl->terminal.is_terminal && json_time(event, "at", &at_ms))
        time_add_clock(out, at_ms, client_now_ms(&ctl->client), false);
    else
        text_add_shown(out, json_text(event, "at"));
    buf_add_text(out, "  ");
}

/* Behind the name of the event: the instance, where that is short in a column of its own, and the details. */
static void add_rest(const struct ctl *ctl, struct buf *out, const cJSON *event, size_t margin,
                     bool is_narrow)
{
    struct buf rest = BUF_INIT, details = BUF_INIT;
    struct slice id = json_text(event, "instance_id");
    bool is_column = !is_narrow && id.len <= INSTANCE_WIDTH;

    text_add_shown(&rest, id.len ? id : slice_text("-"));
    pad(&rest, 0, is_narrow ? 0 : INSTANCE_WIDTH);
    buf_add_text(&rest, "  ");
    add_details(&details, event);
    text_add_shown(&rest, buf_slice(&details));
    while (rest.data[rest.len - 1] == ' ')
        rest.len--;
    text_add_wrapped(out, buf_slice(&rest), margin, margin + (is_column ? INSTANCE_WIDTH + 2 : 0),
                     ctl->terminal.width);
    buf_add_char(out, '\n');
    buf_clear(&details);
    buf_clear(&rest);
}

static void add_event(struct ctl *ctl, const cJSON *event)
{
    bool is_narrow = ctl->terminal.is_terminal && ctl->terminal.width < NARROW;
    struct buf time = BUF_INIT, name = BUF_INIT;
    size_t margin;

    add_time(ctl, &time, event);
    text_add_shown(&name, json_text(event, "event"));
    terminal_add(&ctl->terminal, &ctl->out, PAINT_FAINT, buf_slice(&time));
    terminal_add(&ctl->terminal, &ctl->out, paint_of_event(buf_slice(&name)), buf_slice(&name));
    margin = text_width(buf_slice(&time));
    if (is_narrow) {
        buf_add_char(&ctl->out, '\n');
        text_add_spaces(&ctl->out, margin);
    } else {
        size_t used = text_width(buf_slice(&name));

        text_add_spaces(&ctl->out, (used < EVENT_WIDTH ? EVENT_WIDTH - used : 0) + 2);
        margin += (used < EVENT_WIDTH ? EVENT_WIDTH : used) + 2;
    }
    add_rest(ctl, &ctl->out, event, margin, is_narrow);
    buf_clear(&time);
    buf_clear(&name);
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
    uint64_t left;  /* to be shown; 0: without end */
    bool has_begun; /* one was shown */
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
        if (watching->has_begun) /* else it only says that not all that was asked for is kept */
            ctl_complain("events are missing here: the daemon does not keep them any more");
        return true;
    }
    watching->has_begun = true;
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
