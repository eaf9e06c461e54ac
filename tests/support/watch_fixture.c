#include "watch_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ROUNDS_MAX 100 /* of one tick; more is a round that never comes to rest */

static void on_unevaluable(void *ctx, const struct instance *instance, const struct rule *rule)
{
    struct watch_fixture *w = ctx;

    (void)instance;
    (void)rule;
    w->warned++;
}

void watch_fixture_init(struct watch_fixture *w)
{
    static const struct recovery_options recovery = {.max_attempts = 3,
                                                     .timeout_ms = 30000,
                                                     .backoff_ms = {0, 5, 9},
                                                     .backoff_count = 3,
                                                     .cooldown_ms = 300000,
                                                     .stable_ms = 300000,
                                                     .launch_modes = 1U << LAUNCH_AUTO,
                                                     .max_concurrent = 10};

    *w = (struct watch_fixture){.options = {.recovery = recovery, .breaker_percent = 50}};
    fleet_fixture_init(&w->f);
    rule_set_init(&w->options.rules);
    w->f.fleet.watch->on_unevaluable = on_unevaluable;
    w->f.fleet.watch->ctx = w;
    watch_fixture_configure(w);
}

void watch_fixture_clear(struct watch_fixture *w)
{
    fleet_fixture_clear(&w->f);
}

void watch_fixture_configure(struct watch_fixture *w)
{
    watch_configure(&w->f.fleet, &w->options, w->now_ms);
}

struct rule *watch_fixture_rule(struct watch_fixture *w, const char *name)
{
    struct rule *rule = rule_set_find(&w->options.rules, slice_text(name));

    assert_non_null(rule);
    return rule;
}

struct rule *watch_fixture_only_rule(struct watch_fixture *w, const char *metric, const char *op,
                                     double threshold)
{
    struct rule *rule = &w->options.rules.rules[0];

    w->options.rules.count = 1;
    *rule = (struct rule){.threshold = threshold,
                          .severity = SEVERITY_WARNING,
                          .actions = ACTION_BIT(ACTION_NOTIFY),
                          .event = EVENT_NONE,
                          .enabled = true};
    ident_set(&rule->name, slice_text("Rule"));
    assert_true(rule_metric_parse(slice_text(metric), &rule->metric));
    assert_true(rule_op_parse(slice_text(op), &rule->op));
    return rule;
}

struct instance *watch_find(const struct watch_fixture *w, const char *id)
{
    struct instance *instance = fleet_find(&w->f.fleet, slice_text(id));

    assert_non_null(instance);
    return instance;
}

struct instance *watch_add(struct watch_fixture *w, int64_t at_ms, const char *id, const char *text)
{
    assert_true(fixture_report(&w->f, at_ms, id, "broker_id=b1 state=running"));
    if (*text)
        assert_true(fixture_report(&w->f, at_ms, id, text));
    recording_sink_reset(&w->f.recorder);
    w->now_ms = at_ms > w->now_ms ? at_ms : w->now_ms;
    return watch_find(w, id);
}

void watch_tick(struct watch_fixture *w, int64_t at_ms)
{
    int rounds = 0;

    w->now_ms = at_ms;
    do {
        fleet_on_timer(&w->f.fleet, at_ms, at_ms, w->f.sink);
        assert_in_range(rounds++, 0, ROUNDS_MAX);
    } while (fleet_next_deadline(&w->f.fleet) <= at_ms);
}

void watch_run(struct watch_fixture *w, int64_t at_ms)
{
    int64_t next_ms;

    while ((next_ms = fleet_next_deadline(&w->f.fleet)) < at_ms)
        watch_tick(w, next_ms > w->now_ms ? next_ms : w->now_ms);
    watch_tick(w, at_ms);
}

void watch_say(struct watch_fixture *w, int64_t at_ms, const char *id, const char *text)
{
    watch_run(w, at_ms);
    assert_true(fixture_report(&w->f, at_ms, id, text));
    watch_tick(w, at_ms);
}

bool watch_order(struct watch_fixture *w, int64_t at_ms, const char *id, enum command_kind kind)
{
    struct watch_order order = {.kind = kind};
    struct cause cause = {CAUSE_OPERATOR, {(uint64_t)at_ms, 0}};
    char command_id[IDENT_COMMAND_MAX + 1];
    bool is_given =
        watch_command(&w->f.fleet, watch_find(w, id), &order, &cause, at_ms, w->f.sink, command_id);

    assert_int_equal(command_id[0], id[0]);
    return is_given;
}

/* ---- stories ---- */

/* The value of ` NAME=` in LINE, up to the next space, or up to END where that comes first; empty without. */
static struct slice value_in(const char *line, const char *name, char end)
{
    const char *at = strstr(line, name);
    size_t len = 0;

    if (!at)
        return slice_of(NULL, 0);
    at += strlen(name);
    while (at[len] && at[len] != ' ' && at[len] != end)
        len++;
    return slice_of(at, len);
}

static void add_word(struct buf *story, struct slice a, const char *between, struct slice b)
{
    if (story->len > 0)
        buf_add_char(story, ' ');
    buf_add_slice(story, a);
    buf_add_text(story, between);
    buf_add_slice(story, b);
}

static void tell_event(const char *line, unsigned kinds, struct buf *story)
{
    struct slice name = value_in(line, "event ", ' '), id = value_in(line, " instance_id=", ' ');
    struct slice alert = value_in(line, " alert=", ' ');

    if (slice_is(name, "command_issued"))
        return;
    if (slice_is(name, "alert_firing") || slice_is(name, "alert_resolved")) {
        if (kinds & STORY_ALERTS)
            add_word(story, id, slice_is(name, "alert_firing") ? "+" : "-", alert);
    } else if (slice_is(name, "command_completed")) {
        if (kinds & STORY_ANSWERS)
            add_word(story, value_in(line, " command_id=", ' '), "=", value_in(line, " reason=", ':'));
    } else if (kinds & STORY_STATES) {
        add_word(story, id, ":", name);
    }
}

static void tell_command(const char *line, struct buf *story)
{
    struct slice cancels = value_in(line, " cancels=", ' ');
    struct slice target = value_in(line, " target_instance_id=", ' ');

    add_word(story, value_in(line, " command_id=", ' '), cancels.len || target.len ? ">" : "",
             cancels.len ? cancels : target);
}

static void tell_call(const char *line, const char *prefix, const char *word, struct buf *story)
{
    if (strncmp(line, prefix, strlen(prefix)) != 0)
        return;
    add_word(story, slice_text(word), "(", value_in(line, prefix, ' '));
    buf_add_char(story, ')');
}

static void tell_line(const char *line, unsigned kinds, struct buf *story)
{
    if (strncmp(line, "event ", 6) == 0)
        tell_event(line, kinds, story);
    else if (strncmp(line, "command ", 8) == 0 && kinds & STORY_COMMANDS)
        tell_command(line, story);
    if (kinds & STORY_NOTICES && strncmp(line, "notify ", 7) == 0)
        tell_call(line, "notify ", strstr(line, "alert_firing") ? "tell" : "over", story);
    if (kinds & STORY_COMMANDS) {
        tell_call(line, "throttled ", "throttled", story);
        tell_call(line, "unthrottled ", "unthrottled", story);
    }
    if (kinds & STORY_GROUPS) {
        tell_call(line, "breaker ", "open", story);
        tell_call(line, "unset_breaker ", "shut", story);
    }
}

void watch_story(const struct watch_fixture *w, unsigned kinds, struct buf *out)
{
    for (size_t i = 0; i < w->f.recorder.count; i++)
        tell_line(w->f.recorder.lines[i], kinds, out);
}

void assert_story(struct watch_fixture *w, unsigned kinds, const char *expected)
{
    struct buf story = BUF_INIT;
    bool is_same;

    watch_story(w, kinds, &story);
    is_same = strcmp(buf_text(&story), expected) == 0;
    if (!is_same)
        print_error("story:    %s\nexpected: %s\n", buf_text(&story), expected);
    buf_clear(&story);
    recording_sink_reset(&w->f.recorder);
    assert_true(is_same);
}

size_t count_why(const struct watch_fixture *w, const char *id, const char *status, const char *reason)
{
    const struct watched *watched = watch_find(w, id)->watched;
    struct why_place place = {0};
    struct why_step step;
    size_t count = 0;

    while (watched && why_next(&watched->why, &place, &step))
        count += (!status || strcmp(step.status, status) == 0) && (!reason || slice_is(step.reason, reason));
    return count;
}

const struct alert *watch_alert(const struct watch_fixture *w, const char *id, const char *rule)
{
    const struct watched *watched = watch_find(w, id)->watched;

    for (uint32_t i = 0; watched && i < watched->alert_count; i++) {
        if (slice_is(ident_slice(&watched->alerts[i].name), rule))
            return &watched->alerts[i];
    }
    return NULL;
}
