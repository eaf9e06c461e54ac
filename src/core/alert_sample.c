/* What a rule sees of an instance, and when time alone will change that.
 *
 * A number counts as missing where it is too old, where it was sampled before the instance began to run, or
 * before the guard took hold: what it says is about another time. */
#include "watch_private.h"
#include <math.h>

#define PERCENT 100.0

double rule_limit(const struct watch *watch, const struct rule *rule)
{
    return rule->by_max_attempts ? watch->options.recovery.max_attempts : rule->threshold;
}

static int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* From when on a sample says something about the present. */
static int64_t samples_from(const struct fleet *fleet, const struct instance *instance)
{
    return max_i64(instance->state_changed_ms, fleet->watch->held_ms);
}

static bool is_derived(const struct instance *instance, enum report_field field)
{
    return (field == REPORT_UPTIME_SECONDS && !instance->uptime_reported) ||
           (field == REPORT_RESTART_COUNT && !instance->restarts_reported);
}

static bool read_number(const struct fleet *fleet, const struct instance *instance, enum report_field field,
                        int64_t at_ms, struct sample *ret_sample)
{
    if (is_derived(instance, field)) {
        ret_sample->value = field == REPORT_UPTIME_SECONDS ? instance_uptime_seconds(instance, at_ms)
                                                           : instance->number[field];
        ret_sample->at_ms = at_ms;
        return true;
    }
    if (!instance_number_is_fresh(fleet, instance, field, at_ms) ||
        instance->sampled_ms[field] < samples_from(fleet, instance))
        return false;
    ret_sample->value = instance->number[field];
    ret_sample->at_ms = instance->sampled_ms[field];
    return true;
}

/* In MB; 0 where nothing says how much there is. */
static double memory_limit(const struct watch *watch, const struct instance *instance)
{
    if (instance->known & FIELD_BIT(REPORT_MEMORY_LIMIT) && instance->number[REPORT_MEMORY_LIMIT] > 0)
        return instance->number[REPORT_MEMORY_LIMIT];
    return watch->options.memory_limit_mb;
}

bool watch_is_unevaluable(const struct fleet *fleet, const struct instance *instance, const struct rule *rule)
{
    return rule->enabled && rule->metric == METRIC_MEMORY_USAGE_PERCENT &&
           (instance->known & FIELD_BIT(REPORT_MEMORY_USAGE)) && memory_limit(fleet->watch, instance) <= 0;
}

static bool read_memory_percent(struct fleet *fleet, struct instance *instance, const struct rule *rule,
                                int64_t at_ms, struct sample *ret_sample)
{
    double limit = memory_limit(fleet->watch, instance);

    if (watch_is_unevaluable(fleet, instance, rule)) {
        struct watched *watched = watched_get(fleet, instance);

        if (!watched->has_warned && fleet->watch->on_unevaluable)
            fleet->watch->on_unevaluable(fleet->watch->ctx, instance, rule);
        watched->has_warned = true;
        return false;
    }
    if (!read_number(fleet, instance, REPORT_MEMORY_USAGE, at_ms, ret_sample))
        return false;
    ret_sample->value *= PERCENT / limit;
    return true;
}

static bool read_metric(struct fleet *fleet, struct instance *instance, const struct rule *rule,
                        int64_t at_ms, struct sample *ret_sample)
{
    ret_sample->at_ms = at_ms;
    switch (rule->metric) {
    case METRIC_MEMORY_USAGE_PERCENT:
        return read_memory_percent(fleet, instance, rule, at_ms, ret_sample);
    case METRIC_RECOVERY_ATTEMPTS:
        ret_sample->value = (double)instance->recovery_attempts;
        return true;
    case METRIC_HEARTBEAT_AGE_MS:
        ret_sample->value = (double)max_i64(at_ms - instance->silent_from_ms, 0);
        return true;
    case METRIC_OPEN_TRADES:
        ret_sample->value = instance->open_trades;
        return true;
    case METRIC_STATE:
        ret_sample->value = (double)instance->state;
        return true;
    }
    return read_number(fleet, instance, (enum report_field)rule->metric, at_ms, ret_sample);
}

static bool command_is_open(const struct instance *instance)
{
    return instance->watched && instance->watched->record.command.is_open;
}

static bool is_disarmed(const struct instance *instance)
{
    return instance->watched && instance->watched->record.recovery.is_disarmed;
}

/* A restart decides nothing about a crash yet: it may end in either state. */
static bool awaits_restart(const struct instance *instance, const struct rule *rule, bool fires)
{
    return fires && rule->metric == METRIC_STATE && rule->op == RULE_EQ && rule->threshold == STATE_CRASHED &&
           instance->state == STATE_RESTARTING;
}

struct sample alert_sample(struct fleet *fleet, struct instance *instance, const struct rule *rule,
                           const struct alert *alert, int64_t at_ms)
{
    bool fires = alert && alert->status == ALERT_FIRING;
    struct sample sample = {.verdict = VERDICT_MISSING};
    double limit = fires && rule->has_clear ? rule->clear : rule_limit(fleet->watch, rule);

    if (rule_is_threshold(rule) && instance->state != STATE_RUNNING) {
        sample.verdict = command_is_open(instance) ? VERDICT_FROZEN : VERDICT_GONE;
        return sample;
    }
    if (!read_metric(fleet, instance, rule, at_ms, &sample))
        return sample;
    sample.verdict = rule_holds(rule, sample.value, limit) ? VERDICT_TRUE : VERDICT_FALSE;
    /* It ends when recovery is armed again, whatever the limit has become meanwhile. */
    if (rule->by_max_attempts)
        sample.verdict =
            is_disarmed(instance) && (fires || sample.verdict == VERDICT_TRUE) ? VERDICT_TRUE : VERDICT_FALSE;
    if (awaits_restart(instance, rule, fires))
        sample.verdict = VERDICT_FROZEN;
    return sample;
}

/* ---- time ---- */

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When the number that ALERT hangs on is too old, the first millisecond. */
static int64_t stale_ms(const struct fleet *fleet, const struct instance *instance, const struct rule *rule)
{
    enum report_field field =
        rule->metric == METRIC_MEMORY_USAGE_PERCENT ? REPORT_MEMORY_USAGE : (enum report_field)rule->metric;

    if (rule->metric > METRIC_MEMORY_USAGE_PERCENT || is_derived(instance, field))
        return INT64_MAX;
    return instance->sampled_ms[field] + fleet->options.metric_max_age_ms + 1;
}

static int64_t alert_next_ms(const struct fleet *fleet, const struct instance *instance,
                             const struct alert *alert)
{
    const struct rule *rule = alert_rule(fleet->watch, alert);

    if (!rule)
        return INT64_MAX; /* it ends with the next look, which whoever took the rule away has asked for */
    if ((rule_is_threshold(rule) && instance->state != STATE_RUNNING) ||
        awaits_restart(instance, rule, alert->status == ALERT_FIRING))
        return INT64_MAX; /* frozen */
    if (alert->status == ALERT_PENDING)
        return min_i64(alert->since_ms + rule->for_ms + (rule->for_ms > 0), stale_ms(fleet, instance, rule));
    return alert->cleared_ms > 0 ? alert->cleared_ms + rule->keep_firing_ms : INT64_MAX;
}

/* The age of a heartbeat crosses a threshold by itself: at it, and behind it. */
static int64_t age_next_ms(const struct fleet *fleet, const struct instance *instance, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;

    for (uint32_t i = 0; i < fleet->watch->options.rules.count; i++) {
        const struct rule *rule = &fleet->watch->options.rules.rules[i];
        double limits[] = {rule->threshold, rule->has_clear ? rule->clear : rule->threshold};

        if (rule->metric != METRIC_HEARTBEAT_AGE_MS || !rule->enabled)
            continue;
        for (size_t k = 0; k < 2; k++) {
            int64_t at_ms;

            if (!(limits[k] >= 0 && limits[k] < (double)INT32_MAX))
                continue;
            at_ms = instance->silent_from_ms + (int64_t)ceil(limits[k]);
            if (at_ms > now_ms)
                next_ms = min_i64(next_ms, at_ms);
            if (at_ms + 1 > now_ms)
                next_ms = min_i64(next_ms, at_ms + 1);
        }
    }
    return next_ms;
}

int64_t alerts_next_ms(const struct fleet *fleet, const struct instance *instance, int64_t now_ms)
{
    const struct watched *watched = instance->watched;
    int64_t next_ms = INT64_MAX;

    for (uint32_t i = 0; watched && i < watched->alert_count; i++)
        next_ms = min_i64(next_ms, alert_next_ms(fleet, instance, &watched->alerts[i]));
    if (fleet->watch->looks_at_age && instance->state == STATE_RUNNING)
        next_ms = min_i64(next_ms, age_next_ms(fleet, instance, now_ms));
    return next_ms;
}
