/* What the core says of the watch, written down; and handed to the checks. */
#include "model_private.h"
#include "run.h"
#include "util/alloc.h"

static uint32_t rule_of(struct run *run, struct slice name)
{
    uint32_t rule = rule_place(name);

    if (rule < RULES_RUN)
        return rule;
    run_fail(run, "%.*s is no rule", (int)name.len, name.data);
    return 0;
}

void model_on_watch_set(void *ctx, struct slice id, const struct watch_record *record)
{
    struct model *model = ctx;
    struct kept_watch *watch;
    size_t len = record->maintenance_reason ? strlen(record->maintenance_reason) : 0;
    uint32_t agent;

    model->has_batch = true;
    if (slice_is(id, WATCH_REMOVED)) {
        model->used_numbers = record->commands;
        return;
    }
    agent = model_agent_of(model->run, id);
    watch = &model_touch(model, agent, PART_WATCH)->watch;
    watch->exists = true;
    watch->record = *record;
    watch->record.maintenance_reason = NULL;
    watch->has_reason = record->maintenance_reason != NULL;
    len = len < REASON_MAX ? len : REASON_MAX;
    if (len > 0)
        memcpy(watch->reason, record->maintenance_reason, len);
    watch->reason[len] = '\0';
    model_mark(model, agent);
}

void model_on_watch_unset(void *ctx, struct slice id)
{
    struct model *model = ctx;

    model_touch(model, model_agent_of(model->run, id), PART_WATCH)->watch.exists = false;
}

void model_on_alert_set(void *ctx, struct slice id, const struct alert *alert)
{
    struct model *model = ctx;
    uint32_t agent = model_agent_of(model->run, id), rule = rule_of(model->run, ident_slice(&alert->name));
    struct kept_alerts *alerts = &model_touch(model, agent, PART_ALERTS)->alerts;

    alerts->present |= 1U << rule;
    alerts->alerts[rule] = *alert;
    model_mark(model, agent);
}

void model_on_alert_unset(void *ctx, struct slice id, struct slice rule)
{
    struct model *model = ctx;
    uint32_t agent = model_agent_of(model->run, id);

    model_touch(model, agent, PART_ALERTS)->alerts.present &= ~(1U << rule_of(model->run, rule));
    model_mark(model, agent);
}

static void set_notice(struct model *model, const struct notice *notice, bool exists)
{
    struct run *run = model->run;

    if (notice->group[0]) {
        uint32_t group = group_parse(run, slice_text(notice->group));

        if (group == GROUP_NONE) {
            run_fail(run, "a notice of %s", notice->group);
            return;
        }
        model->groups_differ = model->has_batch = true;
        model->groups[group].has_notice = exists;
        model->groups[group].notice = *notice;
    } else {
        uint32_t agent = model_agent_of(run, ident_slice(&notice->instance_id));
        uint32_t rule = rule_of(run, ident_slice(&notice->alert));
        struct kept_notices *notices = &model_touch(model, agent, PART_NOTICES)->notices;

        notices->present &= ~(1U << rule);
        notices->present |= (exists ? 1U : 0U) << rule;
        notices->notices[rule] = *notice;
    }
}

void model_on_notice_set(void *ctx, const struct notice *notice)
{
    set_notice(ctx, notice, true);
}

void model_on_notice_unset(void *ctx, const struct notice *notice)
{
    struct model *model = ctx;

    if (notice->ends_ms == 0)
        run_fail(model->run, "%.*s: a notice that has not ended is forgotten", notice->key_len, notice->key);
    set_notice(model, notice, false);
}

static void set_group(struct model *model, const struct breaker_group *group, bool is_open)
{
    struct run *run = model->run;
    uint32_t place = group_parse(run, breaker_group_key(group));

    if (place == GROUP_NONE) {
        run_fail(run, "a breaker of %.*s", group->key_len, group->key);
        return;
    }
    run_note(run, "breaker %.*s %s: %u of %u", group->key_len, group->key, is_open ? "opens" : "ends",
             group->crashed, group->of);
    model->groups_differ = model->has_batch = true;
    model->groups[place].opened_ms = group->opened_ms;
    model->groups[place].crashed = group->crashed;
    model->groups[place].of = group->of;
    run->daemon.quiet_ms = run->now_ms;
    if (is_open)
        check_group_open(run, place);
    else
        check_group_end(run, place);
    model->groups[place].is_open = is_open;
}

void model_on_breaker_set(void *ctx, const struct breaker_group *group)
{
    set_group(ctx, group, true);
}

void model_on_breaker_unset(void *ctx, const struct breaker_group *group)
{
    set_group(ctx, group, false);
}

void model_on_throttled_set(void *ctx, struct slice id, bool throttled)
{
    struct model *model = ctx;
    uint32_t agent = model_agent_of(model->run, id);

    run_note(model->run, "t%u %s", agent, throttled ? "throttled" : "not throttled");
    model_account(model, agent)->is_throttled = throttled;
    model_mark(model, agent);
}

static struct effect *effect_add(struct model *model)
{
    if (model->effect_count == model->effect_cap) {
        model->effect_cap = model->effect_cap ? model->effect_cap * 2 : 16;
        model->effects = mem_resize(model->effects, model->effect_cap, sizeof(*model->effects));
    }
    return &model->effects[model->effect_count++];
}

void model_on_command(void *ctx, const struct command_order *order)
{
    struct model *model = ctx;
    struct run *run = model->run;
    uint32_t agent = model_agent_of(run, order->instance_id);
    struct account *account = model_account(model, agent);
    uint64_t victim = account->command_number;

    run_note(run, "t%u command %.*s attempt=%u expires=+%lld cancels=%.*s target=%.*s: %.*s", agent,
             (int)order->command_id.len, order->command_id.data, order->attempt,
             (long long)(order->expires_ms - order->issued_ms), (int)order->cancels.len, order->cancels.data,
             (int)order->target_instance_id.len, order->target_instance_id.data, (int)order->reason.len,
             order->reason.data);
    check_command(run, agent, order);
    model->sums.commands[order->kind]++;
    *effect_add(model) = (struct effect){.kind = EFFECT_COMMAND,
                                         .agent = agent,
                                         .group = GROUP_NONE,
                                         .command = order->kind,
                                         .number = account->number,
                                         .victim = victim,
                                         .expires_ms = order->expires_ms};
    model_mark(model, agent);
}

void model_on_notify(void *ctx, const struct notice *notice, const struct event *event)
{
    struct model *model = ctx;
    struct run *run = model->run;
    bool is_group = notice->group[0] != '\0';
    struct effect effect = {.kind = EFFECT_NOTIFY, .group = GROUP_NONE, .number = notice->change};

    run_note(run, "notify %.*s %s", notice->key_len, notice->key, event_name(event->kind));
    if (is_group) {
        effect.group = group_parse(run, slice_text(notice->group));
        if (effect.group == GROUP_NONE)
            return; /* its notice has failed already */
    } else {
        effect.agent = model_agent_of(run, ident_slice(&notice->instance_id));
        effect.rule = rule_of(run, ident_slice(&notice->alert));
        check_notify(run, effect.agent, notice, event);
        model_mark(model, effect.agent);
    }
    *effect_add(model) = effect;
}
