/* The life of alerts: each rule on each instance, brought up to date whenever the instance changes and when
 * time alone may have changed something. What a rule sees is told by alert_sample.c: nothing ends pending and
 * leaves firing as it is. */
#include "util/alloc.h"
#include "watch_private.h"
#include <stdlib.h>

static const struct slice none = {NULL, 0};

const char *alert_status_name(enum alert_status status)
{
    static const char *const names[ALERT_STATUSES] = {
        [ALERT_PENDING] = "pending",
        [ALERT_FIRING] = "firing",
    };

    return names[status];
}

const struct rule *alert_rule(const struct watch *watch, const struct alert *alert)
{
    return alert->rule == ALERT_NO_RULE ? NULL : &watch->options.rules.rules[alert->rule];
}

/* ---- the list ---- */

static struct alert *alert_find(const struct instance *instance, uint32_t rule)
{
    const struct watched *watched = instance->watched;

    for (uint32_t i = 0; watched && i < watched->alert_count; i++) {
        if (watched->alerts[i].rule == rule)
            return &watched->alerts[i];
    }
    return NULL;
}

static struct alert *alert_add(struct fleet *fleet, struct instance *instance)
{
    struct watched *watched = watched_get(fleet, instance);

    if (watched->alert_count == watched->alert_cap) {
        watched->alert_cap = watched->alert_cap ? watched->alert_cap * 2 : 1;
        watched->alerts = mem_resize(watched->alerts, watched->alert_cap, sizeof(*watched->alerts));
    }
    return &watched->alerts[watched->alert_count++];
}

static void alert_remove(struct watched *watched, struct alert *alert)
{
    *alert = watched->alerts[--watched->alert_count];
}

void alert_store(const struct change *change, const struct alert *alert)
{
    change->sink->ops->alert_set(change->sink->ctx, ident_slice(&change->instance->id), alert);
}

static void alert_forget(struct change *change, struct alert *alert)
{
    change->sink->ops->alert_unset(change->sink->ctx, ident_slice(&change->instance->id),
                                   ident_slice(&alert->name));
    alert_remove(change->instance->watched, alert);
}

/* ---- steps of its life ---- */

static struct slice state_text(const struct rule *rule, double value)
{
    return rule && rule->metric == METRIC_STATE
               ? slice_text(instance_state_name((enum instance_state)(int)value))
               : none;
}

/* Of a rule about states the state; NULL for others, whose step has the number. */
static const char *told_state(const struct rule *rule, double value)
{
    return rule->metric == METRIC_STATE ? instance_state_name((enum instance_state)(int)value) : NULL;
}

static void step(const struct change *change, const struct alert *alert, enum why_kind kind,
                 const char *status, const char *reason)
{
    const struct rule *rule = alert_rule(change->fleet->watch, alert);
    struct why_step why = {.kind = kind,
                           .at_ms = change->at_ms,
                           .status = status,
                           .has_value = !rule || rule->metric != METRIC_STATE,
                           .has_threshold = rule && rule->metric != METRIC_STATE,
                           .value = alert->value,
                           .threshold = rule ? rule_limit(change->fleet->watch, rule) : 0,
                           .cause = alert->cause,
                           .alert = ident_slice(&alert->name),
                           .reason = slice_text(reason)};

    watch_step(change, &why);
}

static struct event alert_event(const struct change *change, const struct alert *alert, enum event_kind kind)
{
    const struct rule *rule = alert_rule(change->fleet->watch, alert);

    return (struct event){.kind = kind,
                          .severity = rule ? severity_name(rule->severity) : NULL,
                          .alert = ident_slice(&alert->name),
                          .has_value = true,
                          .has_threshold = rule != NULL,
                          .value = alert->value,
                          .threshold = rule ? rule_limit(change->fleet->watch, rule) : 0,
                          .value_text = state_text(rule, alert->value),
                          .threshold_text = state_text(rule, rule ? rule->threshold : 0),
                          .cause = alert->cause};
}

static void explain(const struct rule *rule, const struct watch *watch, struct errmsg *out)
{
    const char *metric = rule_metric_name(rule->metric), *op = rule_op_name(rule->op);

    if (rule->metric == METRIC_STATE)
        errmsg_set(out, "%s %s %s", metric, op,
                   instance_state_name((enum instance_state)(int)rule->threshold));
    else if (rule->for_ms > 0)
        errmsg_set(out, "%s %s %g for %lld ms", metric, op, rule_limit(watch, rule), (long long)rule->for_ms);
    else
        errmsg_set(out, "%s %s %g", metric, op, rule_limit(watch, rule));
}

/* What holds its actions back is noted anew: the reason may be old, the alert is not. */
static void forget_holds(struct watched *watched, const struct rule *rule)
{
    static const enum command_kind commands[RULE_ACTIONS] = {
        [ACTION_NOTIFY] = COMMAND_CANCEL, /* which nothing ever holds back */
        [ACTION_RECOVER] = COMMAND_RECOVER,   [ACTION_RECONNECT] = COMMAND_RECONNECT,
        [ACTION_THROTTLE] = COMMAND_THROTTLE, [ACTION_REDISTRIBUTE] = COMMAND_REDISTRIBUTE,
        [ACTION_STOP] = COMMAND_STOP,
    };

    for (int action = 0; action < RULE_ACTIONS; action++) {
        if (rule->actions & ACTION_BIT(action))
            watched->held[commands[action]] = HOLD_NONE;
    }
}

struct event alert_firing_event(const struct change *change, const struct alert *alert,
                                struct errmsg *ret_reason)
{
    const struct rule *rule = alert_rule(change->fleet->watch, alert);
    struct event event = alert_event(change, alert, EVENT_ALERT_FIRING);

    explain(rule, change->fleet->watch, ret_reason);
    event.gravity = severity_gravity(rule->severity);
    event.reason = slice_text(ret_reason->text);
    return event;
}

static void fire(struct change *change, struct alert *alert, const struct rule *rule)
{
    struct event event;
    struct errmsg reason;

    alert->status = ALERT_FIRING;
    alert->fired_ms = change->at_ms;
    alert->cleared_ms = 0;
    alert->is_guarded = false;
    alert->done = 0;
    alert->tries = 0;
    alert->next_ms = change->at_ms;
    change->instance->watched->wants_round = true;
    forget_holds(change->instance->watched, rule);
    event = alert_firing_event(change, alert, &reason);
    if (rule->event != EVENT_NONE) {
        struct event own = event;

        own.kind = rule->event;
        own.gravity = GRAVITY_INFO; /* the alert says it */
        watch_emit(change, own);
    }
    watch_emit(change, event);
    alert->seq = change->instance->seq;
    step(change, alert, WHY_ALERT, "firing", reason.text);
    alert_store(change, alert);
}

static void resolve(struct change *change, struct alert *alert, const char *reason)
{
    struct event event = alert_event(change, alert, EVENT_ALERT_RESOLVED);

    event.reason = slice_text(reason);
    watch_emit(change, event);
    step(change, alert, WHY_ALERT, "resolved", reason);
    notice_end(change, alert, &event);
    alert_forget(change, alert);
    change->instance->watched->wants_round = true;
    throttle_clear(change);
}

/* Holds for longer than for_ms: then it fires, unless the guard lets nothing. */
static void try_fire(struct change *change, struct alert *alert, const struct rule *rule)
{
    if (rule->for_ms > 0 && change->at_ms - alert->since_ms <= rule->for_ms)
        return;
    if (!change->fleet->watch->is_held) {
        fire(change, alert, rule);
        return;
    }
    if (!alert->is_guarded) {
        struct why_step why = {.kind = WHY_DECISION,
                               .at_ms = change->at_ms,
                               .status = "not_firing",
                               .cause = alert->cause,
                               .alert = ident_slice(&alert->name),
                               .reason = slice_text(hold_name(HOLD_GUARD))};

        alert->is_guarded = true;
        change->fleet->watch->stats.held[HOLD_GUARD]++;
        watch_step(change, &why);
    }
}

static void begin(struct change *change, uint32_t index, const struct sample *sample)
{
    const struct rule *rule = &change->fleet->watch->options.rules.rules[index];
    struct alert *alert = alert_add(change->fleet, change->instance);

    *alert = (struct alert){.name = rule->name,
                            .rule = (uint16_t)index,
                            .status = ALERT_PENDING,
                            .since_ms = sample->at_ms,
                            .value = sample->value,
                            .cause = *change->cause};
    if (rule->by_max_attempts) /* what began with the first attempt ends here */
        alert->cause = change->instance->watched->record.recovery.cause;
    step(change, alert, WHY_SAMPLE, rule->for_ms > 0 ? "pending" : "true", told_state(rule, alert->value));
    try_fire(change, alert, rule);
    if (alert->status == ALERT_PENDING)
        alert_store(change, alert);
}

static void go_on_pending(struct change *change, struct alert *alert, const struct sample *sample)
{
    const struct rule *rule = alert_rule(change->fleet->watch, alert);

    if (sample->verdict == VERDICT_FROZEN)
        return;
    if (sample->verdict == VERDICT_TRUE) {
        alert->value = sample->value;
        try_fire(change, alert, rule);
        return;
    }
    step(change, alert, WHY_ALERT, "inactive", sample->verdict == VERDICT_MISSING ? "no sample" : NULL);
    alert_forget(change, alert);
}

static void go_on_firing(struct change *change, struct alert *alert, const struct sample *sample)
{
    const struct rule *rule = alert_rule(change->fleet->watch, alert);
    int64_t was_cleared_ms = alert->cleared_ms;

    switch (sample->verdict) {
    case VERDICT_FROZEN:
        return;
    case VERDICT_GONE:
        resolve(change, alert,
                rule->enabled ? instance_state_name(change->instance->state) : "the rule is not enabled");
        return;
    case VERDICT_MISSING:
        alert->cleared_ms = 0;
        break;
    case VERDICT_TRUE:
        alert->cleared_ms = 0;
        alert->value = sample->value;
        break;
    case VERDICT_FALSE:
        alert->value = sample->value;
        if (alert->cleared_ms == 0)
            alert->cleared_ms = sample->at_ms > alert->fired_ms ? sample->at_ms : change->at_ms;
        if (change->at_ms - alert->cleared_ms >= rule->keep_firing_ms) {
            resolve(change, alert,
                    rule->metric == METRIC_STATE ? instance_state_name(change->instance->state)
                                                 : "the condition does not hold any more");
            return;
        }
        break;
    }
    if (alert->cleared_ms != was_cleared_ms)
        alert_store(change, alert);
}

static void judge_rule(struct change *change, uint32_t index)
{
    const struct rule *rule = &change->fleet->watch->options.rules.rules[index];
    struct alert *alert;
    struct sample sample;

    if (!rule->enabled)
        return; /* what it had are orphans */
    alert = alert_find(change->instance, index);
    sample = alert_sample(change->fleet, change->instance, rule, alert, change->at_ms);
    if (alert && alert->status == ALERT_FIRING)
        go_on_firing(change, alert, &sample);
    else if (alert)
        go_on_pending(change, alert, &sample);
    else if (sample.verdict == VERDICT_TRUE)
        begin(change, index, &sample);
}

/* Alerts whose rule a reload has taken away. */
static void end_orphans(struct change *change)
{
    struct watched *watched = change->instance->watched;

    for (uint32_t i = 0; watched && i < watched->alert_count;) {
        struct alert *alert = &watched->alerts[i];

        if (alert->rule != ALERT_NO_RULE)
            i++;
        else if (alert->status == ALERT_FIRING)
            resolve(change, alert, "the rule is gone");
        else
            alert_forget(change, alert);
    }
}

void alerts_judge(struct change *change)
{
    int64_t at_ms = change->at_ms;

    /* What is still to be read may speak about anything later. */
    if (change->is_round && change->horizon_ms < at_ms)
        change->at_ms = change->horizon_ms;
    end_orphans(change);
    for (uint32_t i = 0; i < change->fleet->watch->options.rules.count; i++)
        judge_rule(change, i);
    if (change->instance->watched)
        change->instance->watched->judged_ms = change->at_ms;
    change->at_ms = at_ms;
}

void alerts_end(struct change *change, const char *reason)
{
    struct watched *watched = change->instance->watched;

    while (watched && watched->alert_count > 0) {
        struct alert *alert = &watched->alerts[watched->alert_count - 1];

        if (alert->status == ALERT_FIRING)
            resolve(change, alert, reason);
        else
            alert_forget(change, alert);
    }
}

/* ---- questions ---- */

static enum health health_of(const struct rule *rule)
{
    if (!rule || rule->severity == SEVERITY_INFO)
        return HEALTH_HEALTHY;
    return rule->severity == SEVERITY_WARNING ? HEALTH_WARNING : HEALTH_CRITICAL;
}

enum health alerts_health(const struct fleet *fleet, const struct instance *instance)
{
    const struct watched *watched = instance->watched;
    enum health worst = HEALTH_HEALTHY;

    for (uint32_t i = 0; watched && i < watched->alert_count; i++) {
        enum health health = health_of(alert_rule(fleet->watch, &watched->alerts[i]));

        if (watched->alerts[i].status == ALERT_FIRING && health > worst)
            worst = health;
    }
    return worst;
}

const struct alert *alerts_of_health(const struct fleet *fleet, const struct instance *instance,
                                     enum health health)
{
    const struct watched *watched = instance->watched;
    const struct alert *newest = NULL;

    for (uint32_t i = 0; watched && i < watched->alert_count; i++) {
        const struct alert *alert = &watched->alerts[i];

        if (alert->status == ALERT_FIRING && health_of(alert_rule(fleet->watch, alert)) == health &&
            (!newest || alert->fired_ms > newest->fired_ms))
            newest = alert;
    }
    return newest;
}

struct alert *alerts_find_firing(const struct fleet *fleet, const struct instance *instance,
                                 enum rule_action action, bool threshold)
{
    const struct watched *watched = instance->watched;

    for (uint32_t i = 0; watched && i < watched->alert_count; i++) {
        const struct rule *rule = alert_rule(fleet->watch, &watched->alerts[i]);

        if (watched->alerts[i].status == ALERT_FIRING && rule && rule->actions & ACTION_BIT(action) &&
            rule_is_threshold(rule) == threshold)
            return &watched->alerts[i];
    }
    return NULL;
}

bool alerts_fire(const struct instance *instance)
{
    const struct watched *watched = instance->watched;

    for (uint32_t i = 0; watched && i < watched->alert_count; i++) {
        if (watched->alerts[i].status == ALERT_FIRING)
            return true;
    }
    return false;
}
