/* why: the causal chains of an instance, told as a story. Steps of one cause stand together, each kind
 * further to the right: sample, alert, decision, command, answer. */
#include "ctl/duration.h"
#include "ctl/readiness.h"
#include "ctl/show.h"
#include "ctl/text.h"
#include "util/alloc.h"
#include "util/number.h"
#include <stdlib.h>

#define NARROW 72 /* below it the relative times are left out */

struct story {
    struct ctl *ctl;
    const cJSON *instance; /* may be NULL */
    const cJSON **steps;
    size_t count;
    bool *is_told;
    size_t time_width, age_width, indent; /* columns of a line's beginning, and of each kind's depth */
    int64_t now_ms;
};

struct phrase {
    const char *word, *phrase;
};

static struct slice translate(const struct phrase *phrases, size_t count, struct slice word)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is(word, phrases[i].word))
            return slice_text(phrases[i].phrase);
    }
    return word;
}

/* ---- words ---- */

static const struct phrase holds[] = {
    {"maintenance", "maintenance"},
    {"guard", "the guard holds, since time was missed"},
    {"breaker", "the breaker is open: a whole group has failed"},
    {"cooldown", "too soon after the last recovery"},
    {"max_concurrent", "as many recoveries as may be are under way"},
    {"launch_mode", "instances of its launch mode are not recovered automatically"},
    {"observe_only", "observe_only is set"},
    {"disarmed", "recovery was given up, or an operator has stopped it: it rests until it is started"},
    {"no_target", "no other instance can take its work"},
    {"under_way", "another command is under way"},
};

static const struct phrase decisions[] = {
    {"no recover", "not recovered"},           {"no reconnect", "not reconnected"},
    {"no throttle", "not throttled"},          {"no unthrottle", "not unthrottled"},
    {"no redistribute", "not redistributed"},  {"no stop", "not stopped"},
    {"no restart", "not restarted"},           {"no start", "not started"},
    {"not_firing", "the alert does not fire"}, {"armed", "recovery is armed again"},
    {"give up", "recovery is given up"},
};

static const struct phrase alerts[] = {
    {"firing", "fires"},
    {"resolved", "is resolved"},
    {"inactive", "is over before it fired"},
};

static const struct phrase samples[] = {
    {"pending", "the alert fires if this lasts"},
    {"true", ""},
};

static const struct phrase causes[] = {
    {"report", "a report"},
    {"signal", "a signal"},
    {"result", "a result"},
    {"trade", "a trade update"},
    {"timer", "a timer"},
    {"adopted", "a write by others"},
    {"reconcile", "a comparison with Redis"},
    {"operator", "an operator"},
};

/* An operator has not ended maintenance since the step AT. */
static bool is_maintenance_of_now(const struct story *story, size_t at)
{
    for (size_t i = at + 1; i < story->count; i++) {
        if (slice_is(json_text(story->steps[i], "status"), "maintenance off"))
            return false;
    }
    return json_get(story->instance, "maintenance") != NULL;
}

static void add_values(struct buf *out, const cJSON *step)
{
    double number;

    if (json_number(step, "value", &number)) {
        buf_add_text(out, " at ");
        buf_add_double(out, number);
    }
    if (json_number(step, "threshold", &number)) {
        buf_add_text(out, ", limit ");
        buf_add_double(out, number);
    }
}

/* `attempt 1 of 3 in 5000 ms`, as people say it. */
static void add_attempt(struct buf *out, struct slice reason)
{
    static const char in[] = " in ", unit[] = " ms";
    size_t end = reason.len > sizeof(unit) ? reason.len - (sizeof(unit) - 1) : 0, at = end;
    uint64_t ms;

    while (at > 0 && reason.data[at - 1] >= '0' && reason.data[at - 1] <= '9')
        at--;
    if (at < sizeof(in) || memcmp(reason.data + at - (sizeof(in) - 1), in, sizeof(in) - 1) != 0 ||
        memcmp(reason.data + end, unit, sizeof(unit) - 1) != 0 ||
        !number_parse_u64(slice_of(reason.data + at, end - at), INT32_MAX, &ms)) {
        buf_add_slice(out, reason);
        return;
    }
    buf_add(out, reason.data, at - (sizeof(in) - 1));
    buf_add_text(out, ms ? in : " now");
    if (ms)
        duration_add(out, (int64_t)ms);
}

static void add_reason(struct buf *out, struct slice reason)
{
    if (reason.len > 0)
        buf_add_text(out, ": ");
    buf_add_slice(out, reason);
}

static void tell_decision(const struct story *story, size_t at, struct buf *out)
{
    const cJSON *step = story->steps[at];
    struct slice status = json_text(step, "status"), reason = json_text(step, "reason");
    bool is_refusal =
        slice_is(status, "not_firing") || (status.len > 3 && memcmp(status.data, "no ", 3) == 0);

    buf_add_slice(out, translate(decisions, ARRAY_LEN(decisions), status));
    if (!is_refusal) {
        buf_add_text(out, reason.len > 0 ? ": " : "");
        add_attempt(out, reason);
        return;
    }
    add_reason(out, translate(holds, ARRAY_LEN(holds), reason));
    if (slice_is(reason, "maintenance") && is_maintenance_of_now(story, at)) {
        buf_add_char(out, ' ');
        show_maintenance(story->ctl, out, json_get(story->instance, "maintenance"));
    }
}

static void tell(const struct story *story, size_t at, struct slice kind, struct buf *out)
{
    const cJSON *step = story->steps[at];
    struct slice status = json_text(step, "status"), alert = json_text(step, "alert");

    if (slice_is(kind, "sample")) {
        buf_add_slice(out, alert);
        add_values(out, step);
        add_reason(out, translate(samples, ARRAY_LEN(samples), status));
        add_reason(out, json_text(step, "reason"));
    } else if (slice_is(kind, "alert")) {
        buf_add_slice(out, alert);
        buf_add_char(out, ' ');
        buf_add_slice(out, translate(alerts, ARRAY_LEN(alerts), status));
        add_values(out, step);
        add_reason(out, json_text(step, "reason"));
    } else if (slice_is(kind, "decision")) {
        tell_decision(story, at, out);
    } else {
        buf_add_slice(out, json_text(step, "command_id"));
        buf_add_char(out, ' ');
        buf_add_slice(out, status);
        add_reason(out, json_text(step, "reason"));
    }
}

/* ---- lines ---- */

static size_t depth_of(struct slice kind)
{
    static const char *const kinds[] = {"sample", "alert", "decision", "command", "answer"};
    size_t depth = 0;

    while (depth < ARRAY_LEN(kinds) - 1 && !slice_is(kind, kinds[depth]))
        depth++;
    return depth;
}

static bool step_time(const cJSON *step, int64_t *ret_ms)
{
    double ms;

    if (json_time(step, "at", ret_ms))
        return true;
    if (!json_number(step, "at_ms", &ms) || !(ms >= 0 && ms < 1e15))
        return false;
    *ret_ms = (int64_t)ms;
    return true;
}

static enum paint paint_of_step(const cJSON *step)
{
    struct slice status = json_text(step, "status");

    if (slice_is(status, "ok") || slice_is(status, "resolved"))
        return PAINT_GOOD;
    if (slice_is(status, "failed") || slice_is(status, "firing") || slice_is(status, "give up"))
        return PAINT_BAD;
    if ((status.len > 3 && memcmp(status.data, "no ", 3) == 0) || slice_is(status, "expired"))
        return PAINT_WARN;
    return PAINT_NONE;
}

static void pad(struct buf *out, size_t start, size_t width)
{
    size_t used = text_width(slice_of(out->data + start, out->len - start));

    text_add_spaces(out, width > used ? width - used : 0);
}

/* The beginning of a line: when it was. */
static void add_times(const struct story *story, const cJSON *step)
{
    struct buf *out = &story->ctl->out;
    size_t start = out->len;
    int64_t at_ms;
    bool is_known = step_time(step, &at_ms);

    if (is_known)
        time_add_clock(out, at_ms, story->now_ms, false);
    pad(out, start, story->time_width);
    start = out->len;
    if (is_known && story->age_width > 0)
        duration_add_relative(out, at_ms, story->now_ms);
    pad(out, start, story->age_width);
}

static void tell_step(const struct story *story, size_t at)
{
    const cJSON *step = story->steps[at];
    struct slice kind = json_text(step, "step");
    struct buf *out = &story->ctl->out;
    struct buf plain = BUF_INIT, shown = BUF_INIT, wrapped = BUF_INIT;
    size_t margin = story->time_width + story->age_width + story->indent * depth_of(kind);

    text_add_shown(&shown, kind);
    buf_add_char(&shown, ' ');
    tell(story, at, kind, &plain);
    text_add_shown(&shown, buf_slice(&plain));
    text_add_wrapped(&wrapped, buf_slice(&shown), margin, margin + 2, story->ctl->terminal.width);
    add_times(story, step);
    text_add_spaces(out, margin - story->time_width - story->age_width);
    terminal_add(&story->ctl->terminal, out, paint_of_step(step), buf_slice(&wrapped));
    buf_add_char(out, '\n');
    buf_clear(&plain);
    buf_clear(&shown);
    buf_clear(&wrapped);
}

/* `because of a report (report-1690000000000-0)` */
static void tell_cause(const struct story *story, struct slice id)
{
    const char *dash = id.len > 0 ? memchr(id.data, '-', id.len) : NULL;
    struct slice name = slice_of(id.data, dash ? (size_t)(dash - id.data) : 0);
    struct buf plain = BUF_INIT, shown = BUF_INIT, wrapped = BUF_INIT;

    buf_add_text(&plain, "because of ");
    buf_add_slice(&plain, translate(causes, ARRAY_LEN(causes), name));
    buf_add_text(&plain, " (");
    buf_add_slice(&plain, id);
    buf_add_char(&plain, ')');
    text_add_shown(&shown, buf_slice(&plain));
    text_add_wrapped(&wrapped, buf_slice(&shown), 0, 2, story->ctl->terminal.width);
    buf_add_char(&story->ctl->out, '\n');
    terminal_add(&story->ctl->terminal, &story->ctl->out, PAINT_STRONG, buf_slice(&wrapped));
    buf_add_char(&story->ctl->out, '\n');
    buf_clear(&plain);
    buf_clear(&shown);
    buf_clear(&wrapped);
}

/* All steps of the cause of the step FIRST, which is the first of them. */
static void tell_chain(const struct story *story, size_t first)
{
    struct slice id = json_text(story->steps[first], "correlation_id");

    tell_cause(story, id);
    for (size_t i = first; i < story->count; i++) {
        if (story->is_told[i] || !slice_equal(json_text(story->steps[i], "correlation_id"), id))
            continue;
        story->is_told[i] = true;
        tell_step(story, i);
    }
}

/* ---- the whole ---- */

/* How it is now. */
static void tell_now(const struct story *story)
{
    const cJSON *alert, *maintenance = json_get(story->instance, "maintenance");
    struct buf plain = BUF_INIT, shown = BUF_INIT, *out = &story->ctl->out;

    buf_add_format(&plain, "%s is ", story->ctl->options.words[0]);
    buf_add_slice(&plain, json_text(story->instance, "state"));
    buf_add_text(&plain, " and ");
    buf_add_slice(&plain, json_text(json_get(story->instance, "health"), "health_status"));
    cJSON_ArrayForEach(alert, json_get(story->instance, "alerts"))
    {
        buf_add_text(&plain, ", ");
        buf_add_slice(&plain, json_text(alert, "alert"));
        buf_add_char(&plain, ' ');
        buf_add_slice(&plain, json_text(alert, "status"));
    }
    if (maintenance) {
        buf_add_text(&plain, ", in maintenance ");
        show_maintenance(story->ctl, &plain, maintenance);
    }
    text_add_shown(&shown, buf_slice(&plain));
    text_add_wrapped(out, buf_slice(&shown), 0, 2, story->ctl->terminal.width);
    buf_add_text(out, story->count > 0 ? "\nTimes are UTC.\n" : "\nNothing to tell: no alert, no command.\n");
    buf_clear(&plain);
    buf_clear(&shown);
}

static void arrange(struct story *story)
{
    struct buf text = BUF_INIT;
    int64_t at_ms;

    for (size_t i = 0; i < story->count; i++) {
        buf_reset(&text, SIZE_MAX);
        if (step_time(story->steps[i], &at_ms))
            time_add_clock(&text, at_ms, story->now_ms, false);
        if (story->time_width < text.len + 2)
            story->time_width = text.len + 2;
    }
    buf_clear(&text);
    story->indent = 2;
    story->age_width = sizeof("59 min ago ");
    if (story->ctl->terminal.width > 0 && story->ctl->terminal.width < NARROW) {
        story->indent = 1;
        story->age_width = 0;
    }
}

static void tell_story(struct ctl *ctl, const cJSON *instance, const cJSON *list)
{
    struct story story = {.ctl = ctl, .instance = instance, .now_ms = client_now_ms(&ctl->client)};
    size_t room = (size_t)cJSON_GetArraySize(list);
    const cJSON *step;

    story.steps = mem_new(room, sizeof(const cJSON *));
    story.is_told = mem_new(room, sizeof(bool));
    cJSON_ArrayForEach(step, list)
    {
        story.steps[story.count++] = step;
    }
    arrange(&story);
    tell_now(&story);
    for (size_t i = 0; i < story.count; i++) {
        if (!story.is_told[i])
            tell_chain(&story, i);
    }
    free(story.steps);
    free(story.is_told);
}

int cmd_why(struct ctl *ctl)
{
    struct buf path = BUF_INIT;
    cJSON *why = NULL, *instance = NULL;
    int code;

    ctl_instance_path(ctl, &path, "/why");
    code = ctl_get(ctl, buf_text(&path), &why);
    if (why) {
        buf_reset(&path, SIZE_MAX);
        ctl_instance_path(ctl, &path, "");
        code = ctl_get(ctl, buf_text(&path), &instance);
    }
    if (code == CTL_DONE)
        readiness_warn(ctl);
    if (instance)
        tell_story(ctl, instance, json_get(why, "why"));
    cJSON_Delete(why);
    cJSON_Delete(instance);
    buf_clear(&path);
    return code;
}
