/* Which alerts the outside is told about. Decided in rounds, so that a maintenance window or a failure of the
 * whole group keeps an alert from being told; one that still fires afterwards is told then. */
#include "watch_private.h"

static bool is_suppressed(const struct change *change)
{
    if (watch_in_maintenance(change->fleet, change->instance, change->at_ms, NULL, NULL))
        return true;
    if (!breaker_covers(&change->fleet->watch->breaker, change->instance))
        return false;
    change->fleet->watch->tells_groups = true; /* for it there is the alert of its group */
    return true;
}

static struct notice *find_notice(const struct fleet *fleet, const struct instance *instance,
                                  const struct alert *alert)
{
    char key[NOTICE_KEY_MAX];
    size_t len = notice_key_format(key, ident_slice(&instance->id), false, ident_slice(&alert->name));

    return notices_find(&fleet->watch->notices, slice_of(key, len));
}

/* Stores NOTICE and has it told. */
static void tell(struct fleet *fleet, struct notice *notice, const struct event *event, struct sink *sink)
{
    notice->hook_is_due = fleet->watch->options.has_notify_hook;
    notices_touch(&fleet->watch->notices, notice);
    sink->ops->notice_set(sink->ctx, notice);
    sink->ops->notify(sink->ctx, notice, event);
}

static void begin(struct change *change, const struct alert *alert, const struct rule *rule)
{
    struct instance *instance = change->instance;
    struct watch *watch = change->fleet->watch;
    struct notice *notice = find_notice(change->fleet, instance, alert);
    struct errmsg reason;
    struct event event = alert_firing_event(change, alert, &reason);
    struct notice fresh = {.instance_id = instance->id,
                           .broker_id = instance->broker_id,
                           .host_id = instance->host_id,
                           .alert = alert->name,
                           .severity = rule->severity,
                           .starts_ms = alert->fired_ms,
                           .is_about_state = rule->metric == METRIC_STATE,
                           .has_value = true,
                           .has_threshold = true,
                           .value = event.value,
                           .threshold = event.threshold,
                           .cause = alert->cause};

    if (notice && notice->ends_ms == 0)
        return;
    if (notice)
        notices_remove(&watch->notices,
                       notice); /* its end was not delivered yet; the new beginning says more */
    event.instance_id = ident_slice(&instance->id);
    event.seq = alert->seq;
    event.at_ms = alert->fired_ms;
    fresh.key_len = (unsigned char)notice_key_format(fresh.key, ident_slice(&instance->id), false,
                                                     ident_slice(&alert->name));
    notice = notices_add(&watch->notices, &fresh);
    watch->stats.notified++;
    tell(change->fleet, notice, &event, change->sink);
}

void notices_decide(struct change *change)
{
    struct watched *watched = change->instance->watched;
    bool asked = false, suppressed = false;

    for (uint32_t i = 0; watched && i < watched->alert_count; i++) {
        const struct alert *alert = &watched->alerts[i];
        const struct rule *rule = alert_rule(change->fleet->watch, alert);

        if (alert->status != ALERT_FIRING || !rule || !(rule->actions & ACTION_BIT(ACTION_NOTIFY)))
            continue;
        if (!asked)
            suppressed = is_suppressed(change);
        asked = true;
        if (!suppressed)
            begin(change, alert, rule);
    }
}

void notice_end(struct change *change, const struct alert *alert, const struct event *event)
{
    struct notice *notice = find_notice(change->fleet, change->instance, alert);
    struct event told = *event;

    if (!notice || notice->ends_ms != 0)
        return;
    told.instance_id = ident_slice(&change->instance->id);
    told.seq = change->instance->seq;
    told.at_ms = change->at_ms;
    notice->ends_ms = change->at_ms;
    notice->value = alert->value;
    change->fleet->watch->stats.resolved++;
    tell(change->fleet, notice, &told, change->sink);
}

/* ---- groups of the breaker ---- */

static struct event group_event(const struct breaker_group *group, const struct cause *cause, int64_t now_ms,
                                enum event_kind kind)
{
    return (struct event){.kind = kind,
                          .at_ms = now_ms,
                          .alert = slice_text(NOTICE_FLEET_FAILURE),
                          .has_value = true,
                          .has_threshold = true,
                          .value = group->crashed,
                          .threshold = group->of,
                          .gravity = severity_gravity(SEVERITY_CRITICAL),
                          .severity = severity_name(SEVERITY_CRITICAL),
                          .cause = *cause};
}

static void begin_group(struct fleet *fleet, struct breaker_group *group, const struct cause *cause,
                        int64_t now_ms, struct sink *sink)
{
    struct event event = group_event(group, cause, now_ms, EVENT_ALERT_FIRING);
    struct notice fresh = {.severity = SEVERITY_CRITICAL,
                           .starts_ms = now_ms,
                           .has_value = true,
                           .has_threshold = true,
                           .value = group->crashed,
                           .threshold = group->of,
                           .cause = *cause};
    struct notice *notice;
    struct errmsg reason;

    ident_set(&fresh.alert, slice_text(NOTICE_FLEET_FAILURE));
    memcpy(fresh.group, group->key, group->key_len);
    fresh.key_len = (unsigned char)notice_key_format(fresh.key, breaker_group_key(group), true,
                                                     ident_slice(&fresh.alert));
    notice = notices_find(&fleet->watch->notices, notice_key(&fresh));
    if (notice && notice->ends_ms == 0)
        return;
    if (notice)
        notices_remove(&fleet->watch->notices, notice);
    errmsg_set(&reason, "%.*s: %u of %u running instances have crashed", group->key_len, group->key,
               group->crashed, group->of);
    event.reason = slice_text(reason.text);
    sink->ops->event(sink->ctx, &event);
    fleet->watch->stats.notified++;
    tell(fleet, notices_add(&fleet->watch->notices, &fresh), &event, sink);
}

/* GROUP is NULL where nobody is left in it, or the state was read without it. */
static const char *end_of_group(const struct breaker_group *group)
{
    if (group && group->ended_by_operator)
        return "an operator has asked for a recovery";
    if (group && group->ended_running)
        return "half of those that crashed run again";
    return "none of those that crashed is waited for any more";
}

static void end_group(struct fleet *fleet, struct notice *notice, const struct breaker_group *group,
                      int64_t now_ms, struct sink *sink)
{
    struct event event = {.kind = EVENT_ALERT_RESOLVED,
                          .at_ms = now_ms,
                          .alert = slice_text(NOTICE_FLEET_FAILURE),
                          .has_value = true,
                          .has_threshold = true,
                          .value = notice->value,
                          .threshold = notice->threshold,
                          .severity = severity_name(notice->severity),
                          .cause = notice->cause};
    struct errmsg reason;

    errmsg_set(&reason, "%s: %s", notice->group, end_of_group(group));
    event.reason = slice_text(reason.text);
    sink->ops->event(sink->ctx, &event);
    notice->ends_ms = now_ms;
    fleet->watch->stats.resolved++;
    tell(fleet, notice, &event, sink);
}

/* It ended while nobody was there, or with data that was lost. */
static void end_orphan(struct fleet *fleet, struct notice *notice, int64_t now_ms, struct sink *sink)
{
    struct instance *instance = fleet_find(fleet, ident_slice(&notice->instance_id));
    struct event event = {.kind = EVENT_ALERT_RESOLVED,
                          .instance_id = ident_slice(&notice->instance_id),
                          .seq = instance ? ++instance->seq : 0,
                          .at_ms = now_ms,
                          .alert = ident_slice(&notice->alert),
                          .reason = slice_text("it was over when the state was read"),
                          .severity = severity_name(notice->severity),
                          .cause = notice->cause};

    if (instance)
        instance->batch = fleet->batch;
    notice->is_orphan = false;
    sink->ops->event(sink->ctx, &event);
    notice->ends_ms = now_ms;
    fleet->watch->stats.resolved++;
    tell(fleet, notice, &event, sink);
}

/* Somebody waits in GROUP whose crash is not the work of maintenance. */
static bool has_victim(const struct fleet *fleet, const struct breaker_group *group, int64_t now_ms)
{
    const struct breaker *breaker = &fleet->watch->breaker;
    const struct instance *instance;

    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        if (instance->member.victim_of & FIELD_BIT(group->kind) &&
            breaker_group_of(breaker, instance, group->kind) == group &&
            !watch_in_maintenance(fleet, instance, now_ms, NULL, NULL))
            return true;
    }
    return false;
}

/* What the widest open group says is not said again by the others. */
void notices_decide_groups(struct fleet *fleet, const struct cause *cause, int64_t now_ms, struct sink *sink)
{
    struct breaker *breaker = &fleet->watch->breaker;
    const struct breaker_group *all = breaker_find(breaker, slice_text("all"));
    struct notice *notice;

    for (uint32_t i = 0; breaker->open_count > 0 && i < breaker->group_count; i++) {
        struct breaker_group *group = &breaker->groups[i];

        if (group->used && group->is_open && (group == all || !all || !all->is_open) &&
            has_victim(fleet, group, now_ms))
            begin_group(fleet, group, cause, now_ms, sink);
    }
    for (uint32_t i = 0; (notice = notices_next(&fleet->watch->notices, i));
         i = notices_place_of(&fleet->watch->notices, notice) + 1) {
        const struct breaker_group *group =
            notice->group[0] ? breaker_find(breaker, slice_text(notice->group)) : NULL;

        if (notice->group[0] && notice->ends_ms == 0 && !(group && group->is_open))
            end_group(fleet, notice, group, now_ms, sink);
        else if (notice->is_orphan && notice->ends_ms == 0)
            end_orphan(fleet, notice, now_ms, sink);
    }
}

/* ---- delivered ---- */

void watch_on_notified(struct fleet *fleet, struct notice *notice, uint64_t change, const struct cause *cause,
                       struct sink *sink)
{
    (void)fleet;
    if (notice->change != change || !notice->hook_is_due)
        return;
    notice->hook_is_due = false;
    sink->ops->begin(sink->ctx, cause);
    sink->ops->notice_set(sink->ctx, notice);
}

void watch_forget_notice(struct fleet *fleet, struct notice *notice, const struct cause *cause,
                         struct sink *sink)
{
    sink->ops->begin(sink->ctx, cause);
    sink->ops->notice_unset(sink->ctx, notice);
    notices_remove(&fleet->watch->notices, notice);
}
