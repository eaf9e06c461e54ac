/* What watches over instances, for those who look: chains of causes, alerts, notices. */
#include "codec/watch_json.h"

#include "codec/json_text.h"
#include "core/fleet.h"
#include "json_members.h"
#include "util/number.h"
#include "watch_json_private.h"

/* ---- why ---- */

static void add_cause(struct buf *out, const struct cause *cause)
{
    char text[CAUSE_TEXT_MAX];

    json_add_text_member(out, "correlation_id", slice_of(text, cause_format(text, cause)));
}

static void add_step(struct buf *out, const struct why_step *step)
{
    json_add_comma(out);
    buf_add_char(out, '{');
    json_add_time_ms_member(out, "at", step->at_ms);
    json_add_integer_member(out, "at_ms", step->at_ms);
    json_add_text_member(out, "step", slice_text(why_kind_name(step->kind)));
    json_add_text_member_if(out, "status", slice_text(step->status));
    json_add_text_member_if(out, "alert", step->alert);
    if (step->has_value)
        json_add_number_member(out, "value", step->value);
    if (step->has_threshold)
        json_add_number_member(out, "threshold", step->threshold);
    json_add_text_member_if(out, "command_id", step->command_id);
    json_add_text_member_if(out, "reason", step->reason);
    add_cause(out, &step->cause);
    buf_add_char(out, '}');
}

void why_json_add(struct buf *out, struct slice instance_id, const struct why *why)
{
    struct why_place place = {0};
    struct why_step step;

    buf_add_char(out, '{');
    json_add_text_member(out, "instance_id", instance_id);
    json_add_name(out, "why");
    buf_add_char(out, '[');
    while (why && why_next(why, &place, &step))
        add_step(out, &step);
    buf_add_text(out, "]}");
}

/* ---- commands ---- */

void watch_json_add_command(struct buf *out, const struct instance *instance)
{
    const struct command *command = instance->watched ? &instance->watched->record.command : NULL;
    char id[IDENT_COMMAND_MAX + 1];

    if (!command || !command->is_open) {
        json_add_text_member_or_null(out, "command", slice_text(NULL));
        return;
    }
    json_add_name(out, "command");
    buf_add_char(out, '{');
    json_add_text_member(out, "command_id", watch_command_id(instance, id));
    json_add_text_member(out, "command", slice_text(command_kind_name(command->kind)));
    json_add_text_member(
        out, "status",
        slice_text(command_status_name(command->is_accepted ? COMMAND_ACCEPTED : COMMAND_ISSUED)));
    if (command->attempt > 0)
        json_add_integer_member(out, "attempt", command->attempt);
    json_add_time_member(out, "issued_at", command->issued_ms);
    json_add_time_ms_member(out, "expires_at", command->expires_ms);
    json_add_text_member_if(out, "alert", ident_slice(&command->alert));
    json_add_text_member_if(out, "target_instance_id", ident_slice(&command->target));
    add_cause(out, &command->cause);
    buf_add_char(out, '}');
}

/* ---- alerts ---- */

static const struct rule *rule_of(const struct fleet *fleet, const struct alert *alert)
{
    const struct rule_set *set = &fleet->watch->options.rules;

    return alert->rule < set->count ? &set->rules[alert->rule] : NULL;
}

/* A number, or the name of a state where the rule is about states. */
static void add_sample(struct buf *out, const char *name, const struct rule *rule, double value)
{
    if (rule && rule->metric == METRIC_STATE && value >= 0 && value < INSTANCE_STATES)
        json_add_text_member(out, name, slice_text(instance_state_name((enum instance_state)(int)value)));
    else
        json_add_number_member(out, name, value);
}

static void add_values(struct buf *out, const struct fleet *fleet, const struct alert *alert)
{
    const struct rule *rule = rule_of(fleet, alert);

    add_sample(out, "value", rule, alert->value);
    if (rule)
        add_sample(out, "threshold", rule,
                   rule->by_max_attempts ? fleet->watch->options.recovery.max_attempts : rule->threshold);
}

static void add_severity(struct buf *out, const struct rule *rule)
{
    if (rule)
        json_add_text_member(out, "severity", slice_text(severity_name(rule->severity)));
}

void watch_json_add_alert(struct buf *out, const struct fleet *fleet, const struct alert *alert)
{
    json_add_comma(out);
    buf_add_char(out, '{');
    json_add_text_member(out, "alert", ident_slice(&alert->name));
    add_severity(out, rule_of(fleet, alert));
    json_add_text_member(out, "status", slice_text(alert_status_name(alert->status)));
    json_add_time_member(out, "since", alert->since_ms);
    add_values(out, fleet, alert);
    buf_add_char(out, '}');
}

void alert_json_add(struct buf *out, const struct fleet *fleet, const struct instance *instance,
                    const struct alert *alert, struct slice doing)
{
    buf_add_char(out, '{');
    json_add_text_member(out, "alert", ident_slice(&alert->name));
    json_add_text_member(out, "instance_id", ident_slice(&instance->id));
    json_add_text_member_if(out, "broker_id", ident_slice(&instance->broker_id));
    json_add_text_member_if(out, "host_id", ident_slice(&instance->host_id));
    add_severity(out, rule_of(fleet, alert));
    json_add_text_member(out, "status", slice_text(alert_status_name(alert->status)));
    json_add_time_member(out, "since", alert->since_ms);
    if (alert->status == ALERT_FIRING)
        json_add_time_member(out, "fired_at", alert->fired_ms);
    else
        json_add_text_member_or_null(out, "fired_at", slice_text(NULL));
    add_values(out, fleet, alert);
    json_add_text_member_if(out, "doing", doing);
    buf_add_char(out, '}');
}

void group_alert_json_add(struct buf *out, const struct breaker_group *group, struct slice doing)
{
    buf_add_char(out, '{');
    json_add_text_member(out, "alert", slice_text(NOTICE_FLEET_FAILURE));
    json_add_text_member(out, "group", breaker_group_key(group));
    json_add_text_member(out, "severity", slice_text(severity_name(SEVERITY_CRITICAL)));
    json_add_text_member(out, "status", slice_text(alert_status_name(ALERT_FIRING)));
    json_add_time_member(out, "since", group->opened_ms);
    json_add_time_member(out, "fired_at", group->opened_ms);
    json_add_integer_member(out, "value", group->crashed);
    json_add_integer_member(out, "threshold", group->of);
    json_add_text_member_if(out, "doing", doing);
    buf_add_char(out, '}');
}

/* ---- Alertmanager: every label and annotation is text ---- */

static void add_number_text(struct buf *out, const char *name, bool has_value, double value)
{
    char text[NUMBER_TEXT_MAX];

    if (has_value)
        json_add_text_member(out, name, slice_of(text, number_format_double(text, value)));
}

/* What an alert was about: a number, or the name of a state. */
static void add_told_sample(struct buf *out, const char *name, const struct notice *notice, bool has_value,
                            double value)
{
    if (notice->is_about_state && value >= 0 && value < INSTANCE_STATES)
        json_add_text_member(out, name, slice_text(instance_state_name((enum instance_state)(int)value)));
    else
        add_number_text(out, name, has_value, value);
}

static void add_labels(struct buf *out, const struct notice *notice)
{
    bool is_group = notice->group[0] != '\0';

    json_add_name(out, "labels");
    buf_add_char(out, '{');
    json_add_text_member(out, "alertname", ident_slice(&notice->alert));
    json_add_text_member_if(out, "instance_id", ident_slice(&notice->instance_id));
    json_add_text_member_if(out, "broker_id", ident_slice(&notice->broker_id));
    json_add_text_member_if(out, "host_id", ident_slice(&notice->host_id));
    json_add_text_member_if(out, "group", slice_text(notice->group));
    if (is_group)
        add_number_text(out, "count", notice->has_value, notice->value);
    json_add_text_member(out, "severity", slice_text(severity_name(notice->severity)));
    buf_add_char(out, '}');
}

/* `HighCpuUsage on mt5-1`, `FleetFailure of broker:b1: 5 of 8 instances have crashed`. */
static void add_summary(struct buf *out, const struct notice *notice)
{
    struct slice alert = ident_slice(&notice->alert), id = ident_slice(&notice->instance_id);
    struct buf text = BUF_INIT;

    buf_add_slice(&text, alert);
    if (notice->group[0]) {
        buf_add_format(&text, " of %s", notice->group);
        if (notice->has_value && notice->has_threshold)
            buf_add_format(&text, ": %.0f of %.0f instances have crashed", notice->value, notice->threshold);
    } else if (id.len > 0) {
        buf_add_text(&text, " on ");
        buf_add_slice(&text, id);
    }
    json_add_text_member(out, "summary", buf_slice(&text));
    buf_clear(&text);
}

void alertmanager_json_add(struct buf *out, const struct notice *notice, struct slice doing)
{
    buf_add_char(out, '{');
    add_labels(out, notice);
    json_add_name(out, "annotations");
    buf_add_char(out, '{');
    add_summary(out, notice);
    add_told_sample(out, "value", notice, notice->has_value, notice->value);
    add_told_sample(out, "threshold", notice, notice->has_threshold, notice->threshold);
    json_add_text_member_if(out, "doing", doing);
    buf_add_char(out, '}');
    json_add_time_ms_member(out, "startsAt", notice->starts_ms);
    if (notice->ends_ms != 0)
        json_add_time_ms_member(out, "endsAt", notice->ends_ms);
    buf_add_char(out, '}');
}
