/* What a run is like. Times are short in most runs, so that much happens in few reports. */
#include "run.h"
#include <math.h>

#define HOUR_MS   INT64_C(3600000)
#define WEEK_MIN  10080
#define START_MIN (4 * 1440 + 20 * 60) /* START_MS as a minute of its week */

static void set_rule(struct rule *rule, const char *name, enum rule_metric metric, enum rule_op op,
                     double threshold)
{
    *rule = (struct rule){.metric = metric,
                          .op = op,
                          .threshold = threshold,
                          .severity = SEVERITY_WARNING,
                          .actions = ACTION_BIT(ACTION_NOTIFY),
                          .event = EVENT_NONE,
                          .enabled = true};
    ident_set(&rule->name, slice_text(name));
}

/* The eight of the defaults and four more. */
static void make_rules(struct rule_set *rules, int64_t heartbeat_ms)
{
    struct rule *rule;

    rule_set_init(rules);
    rule = &rules->rules[rules->count++];
    set_rule(rule, "Quiet", METRIC_HEARTBEAT_AGE_MS, RULE_GT, (double)heartbeat_ms * 0.8);
    rule->severity = SEVERITY_INFO;
    rule = &rules->rules[rules->count++];
    set_rule(rule, "SlowToClear", (enum rule_metric)REPORT_CPU_USAGE, RULE_GT, 80);
    rule->has_clear = true;
    rule->clear = 40;
    rule->keep_firing_ms = heartbeat_ms;
    rule = &rules->rules[rules->count++];
    set_rule(rule, "Overload", (enum rule_metric)REPORT_LOAD_AVERAGE, RULE_GT, 2);
    rule->actions |= ACTION_BIT(ACTION_THROTTLE);
    rule->severity = SEVERITY_CRITICAL;
    rule->keep_firing_ms = heartbeat_ms / 2;
    rule = &rules->rules[rules->count++];
    set_rule(rule, "Stopped", METRIC_STATE, RULE_EQ, STATE_STOPPED);
}

static void draw_windows(struct settings *s, struct rng *rng)
{
    s->watch.window_count = rng_below(rng, WINDOWS_RUN + 1);
    for (size_t i = 0; i < s->watch.window_count; i++) {
        struct maintenance_window *w = &s->windows[i];
        uint32_t from = START_MIN + rng_below(rng, 240);
        char text[ID_TEXT_MAX];

        *w = (struct maintenance_window){.instances = "*", .brokers = "*"};
        ident_set(&w->name, slice_text("weekend"));
        w->from_min = from % WEEK_MIN;
        w->until_min = (from + 1 + rng_below(rng, s->span_ms > 48 * HOUR_MS ? 3000 : 90)) % WEEK_MIN;
        if (rng_chance(rng, 30)) {
            struct slice id = world_format_id(text, rng_below(rng, s->instances));

            memcpy(w->instances, id.data, id.len + 1);
        } else {
            struct slice id = world_format_broker(text, rng_below(rng, s->brokers));

            memcpy(w->brokers, id.data, id.len + 1);
        }
    }
}

static void draw_watch(struct settings *s, struct rng *rng)
{
    struct watch_options *w = &s->watch;

    make_rules(&w->rules, s->fleet.heartbeat_timeout_ms);
    w->recovery = (struct recovery_options){
        .max_attempts = (uint32_t)rng_between(rng, 1, 4),
        .timeout_ms = rng_between(rng, 5000, 60000),
        .backoff_ms = {0, rng_between(rng, 0, 8000), rng_between(rng, 0, 20000)},
        .backoff_count = (uint32_t)rng_between(rng, 1, 3),
        .cooldown_ms = rng_between(rng, 1000, 300000),
        .stable_ms = rng_between(rng, 1000, 300000),
        .launch_modes = rng_chance(rng, 80) ? 1U << LAUNCH_AUTO : 1U << LAUNCH_AUTO | 1U << LAUNCH_MANUAL,
        .max_concurrent = (uint32_t)rng_between(rng, 1, 10)};
    w->breaker_percent = rng_chance(rng, 80) ? 50 : (double)rng_between(rng, 10, 100);
    for (int k = 0; k < COMMAND_KINDS; k++)
        w->has_hook[k] = k != COMMAND_CANCEL && rng_chance(rng, 30);
    w->has_notify_hook = rng_chance(rng, 50);
    draw_windows(s, rng);
}

void settings_draw(struct settings *s, struct rng *rng, const struct sizes *sizes)
{
    bool is_long = sizes->hours > 24;
    int64_t unit_ms = is_long ? 12 * HOUR_MS : 10 * 60000;

    *s = (struct settings){.instances =
                               sizes->instances ? (uint32_t)sizes->instances : 5 + rng_below(rng, 36)};
    s->span_ms =
        sizes->hours ? (int64_t)sizes->hours * HOUR_MS : rng_between(rng, HOUR_MS / 2, 3 * HOUR_MS / 2);
    s->brokers = 1 + rng_below(rng, 3 + s->instances / 100);
    s->hosts = 1 + rng_below(rng, 4 + s->instances / 20);
    s->period_least_ms = is_long ? 120000 : rng_between(rng, 2000, 5000);
    s->period_most_ms = is_long ? 180000 : s->period_least_ms + rng_between(rng, 0, 6000);
    s->fleet = (struct fleet_options){.heartbeat_timeout_ms =
                                          s->period_most_ms * 2 + 1000 + rng_between(rng, 1000, 20000),
                                      .restarting_timeout_ms = rng_between(rng, 20000, 120000),
                                      .metric_max_age_ms = s->period_most_ms * rng_between(rng, 2, 4) + 2000,
                                      .max = UINT32_MAX};
    s->hold_ms = rng_between(rng, 500, 10000);
    s->trouble_ms = unit_ms * rng_between(rng, 1, 4);
    s->outage_ms = rng_chance(rng, 70) ? unit_ms * rng_between(rng, 1, 4) : 0;
    s->order_ms = rng_chance(rng, 80) ? unit_ms / (1 + s->instances / 20) : 0;
    s->reload_ms = rng_chance(rng, 50) ? unit_ms * 2 : 0;
    s->pause_ms = rng_chance(rng, 60) ? unit_ms * 2 : 0;
    s->restart_ms = rng_chance(rng, 60) ? unit_ms * 2 : 0;
    s->death_odds = rng_chance(rng, 60) ? (is_long ? 200000 : 200 + rng_below(rng, 5000)) : 0;
    s->steady_percent = rng_below(rng, 40);
    s->stubborn_percent = rng_below(rng, 50);
    s->manual_percent = rng_chance(rng, 50) ? 20 : 0;
    s->commit_percent = (uint32_t)rng_between(rng, 10, 100);
    s->read_most = (uint32_t)rng_between(rng, 1, 200);
    draw_watch(s, rng);
}

int64_t run_draw_time(struct run *run, int64_t mean_ms)
{
    double u = (double)(rng_next(&run->rng) >> 11) / 9007199254740992.0;

    return mean_ms == 0 ? INT64_MAX : run->now_ms + 1 + (int64_t)(-log(1 - u) * (double)mean_ms);
}

static void change_rules(struct rule_set *rules, struct rng *rng)
{
    struct rule *rule = &rules->rules[rng_below(rng, rules->count)];

    switch (rng_below(rng, 5)) {
    case 0:
        rule->enabled = !rule->enabled;
        break;
    case 1:
        rule->for_ms = rng_chance(rng, 50) ? 0 : rng_between(rng, 1, 60000);
        break;
    case 2:
        rule->keep_firing_ms = rng_chance(rng, 50) ? 0 : rng_between(rng, 1, 60000);
        break;
    case 3:
        rule->severity = (enum severity)rng_below(rng, SEVERITIES);
        break;
    default: /* it is gone until the options are as they were */
        *rule = rules->rules[--rules->count];
        break;
    }
}

void options_change(struct run *run)
{
    struct watch_options *w = &run->options;
    struct rng *rng = &run->rng;

    if (rng_chance(rng, 30)) {
        *w = run->settings.watch;
        w->windows = run->settings.windows;
        return;
    }
    switch (rng_below(rng, 7)) {
    case 0:
        w->observe_only = !w->observe_only;
        break;
    case 1:
        w->recovery.launch_modes = 1 + rng_below(rng, 3);
        break;
    case 2:
        w->recovery.max_attempts = 1 + rng_below(rng, 5);
        break;
    case 3:
        w->recovery.max_concurrent = 1 + rng_below(rng, 5);
        break;
    case 4:
        w->window_count = rng_below(rng, (uint32_t)run->settings.watch.window_count + 1);
        break;
    default:
        change_rules(&w->rules, rng);
        break;
    }
}

void options_calm(struct run *run)
{
    run->options = run->settings.watch;
    run->options.windows = NULL;
    run->options.window_count = 0;
    run->options.observe_only = false;
    run->options.recovery.launch_modes = 1U << LAUNCH_AUTO | 1U << LAUNCH_MANUAL;
    run->options.recovery.max_concurrent = 1000;
}
