/* How an instance changes: its state by instance_move and by nothing else, and whatever depends on the state
 * when a change is settled. Each transition is told to the sink whole: index, event, hash fields, health and
 * load score belong to one group. */
#include "watch_private.h"

#include <math.h>

#define MS_PER_S 1000

static const struct slice none = {NULL, 0};

struct change change_of(struct fleet *fleet, struct instance *instance, const struct cause *cause,
                        int64_t at_ms, struct sink *sink)
{
    return (struct change){.fleet = fleet,
                           .instance = instance,
                           .cause = cause,
                           .at_ms = at_ms,
                           .entered_ms = at_ms,
                           .sink = sink};
}

void change_mark(struct change *change, uint32_t field)
{
    change->dirty |= FIELD_BIT(field);
    change->stamped |= 1U << stored_record(field);
}

void fleet_emit(struct instance *instance, enum event_kind kind, struct slice from, struct slice to,
                struct slice reason, struct slice signal_id, const struct cause *cause, int64_t at_ms,
                struct sink *sink)
{
    struct event event = {.kind = kind,
                          .instance_id = ident_slice(&instance->id),
                          .seq = ++instance->seq,
                          .at_ms = at_ms,
                          .from = from,
                          .to = to,
                          .reason = reason,
                          .signal_id = signal_id,
                          .cause = *cause};

    sink->ops->event(sink->ctx, &event);
}

/* Counts what the agent does not report itself. Uptime is 0 at the begin of every state. */
static void count_transition(struct change *change, enum instance_state from, enum instance_state to)
{
    struct instance *instance = change->instance;

    if (from == STATE_RESTARTING && to == STATE_CRASHED) {
        instance->failed_restarts++;
        change_mark(change, STORED_FAILED_RESTARTS);
    }
    if (from == STATE_RESTARTING && to == STATE_RUNNING && !instance->restarts_reported) {
        instance->number[REPORT_RESTART_COUNT]++;
        change_mark(change, REPORT_RESTART_COUNT);
    }
    if (!instance->uptime_reported) {
        if (instance->number[REPORT_UPTIME_SECONDS] != 0)
            change_mark(change, REPORT_UPTIME_SECONDS);
        instance->number[REPORT_UPTIME_SECONDS] = 0;
        instance->sampled_ms[REPORT_UPTIME_SECONDS] = change->at_ms;
    }
}

void instance_move(struct change *change, enum instance_state to, enum event_kind event, struct slice reason)
{
    struct instance *instance = change->instance;
    enum instance_state from = instance->state;
    const char *from_name = instance_state_name(from);
    const char *to_name = instance_state_name(to);
    bool had_stopped;

    if (from != STATE_NONE) {
        instance->previous_state = from;
        change_mark(change, STORED_PREVIOUS_STATE);
    }
    had_stopped = from == STATE_STOPPED || (from == STATE_RESTARTING && instance->was_stopped);
    instance->was_crashed = from == STATE_CRASHED && to == STATE_RESTARTING;
    instance->was_stopped = from == STATE_STOPPED && to == STATE_RESTARTING;
    count_transition(change, from, to);
    fleet_place(change->fleet, instance, to, change->entered_ms);
    change_mark(change, REPORT_STATE);
    change_mark(change, STORED_STATE_CHANGED_AT);
    change->sink->ops->index_move(change->sink->ctx, INDEX_INSTANCE_STATE, ident_slice(&instance->id),
                                  from_name, to_name);
    change->has_moved = true;
    if (event != EVENT_NONE)
        fleet_emit(instance, event, slice_text(from_name), slice_text(to_name), reason, none, change->cause,
                   change->at_ms, change->sink);
    watch_on_move(change, from, had_stopped);
}

enum health instance_judge_health(const struct fleet *fleet, const struct instance *instance)
{
    enum health worst = instance->state == STATE_CRASHED ? HEALTH_CRITICAL : alerts_health(fleet, instance);

    return worst > instance->reported_health ? worst : instance->reported_health;
}

/* By the newest alert of that weight; without one by its crash, or by what its agent says of itself. */
static void tell_degraded(const struct change *change, enum health before, enum health after)
{
    const struct instance *instance = change->instance;
    const struct alert *alert = alerts_of_health(change->fleet, instance, after);
    struct event event = {.cause = *change->cause};
    struct errmsg reason;

    if (alert)
        event = alert_firing_event(change, alert, &reason);
    else if (instance->state == STATE_CRASHED)
        event.reason = slice_text("it has crashed");
    else
        event.reason =
            slice_text(change->cause->kind == CAUSE_REPORT ? "reported by the agent" : "written by others");
    if (instance->state == STATE_CRASHED)
        event.cause = *change->cause;
    event.kind = EVENT_INSTANCE_DEGRADED;
    event.gravity = GRAVITY_INFO; /* the alert says it */
    event.from = slice_text(health_name(before));
    event.to = slice_text(health_name(after));
    watch_emit(change, event);
}

static void settle_health(struct change *change)
{
    struct instance *instance = change->instance;
    enum health before = instance->health;
    enum health after = instance_judge_health(change->fleet, instance);

    if (after == before)
        return;
    instance->health = after;
    change_mark(change, REPORT_HEALTH_STATUS);
    if (after < before)
        return;
    tell_degraded(change, before, after);
}

static void settle_load(struct change *change)
{
    struct instance *instance = change->instance;
    struct sink *sink = change->sink;
    double before = instance->load_score;
    double after = instance_load_score(change->fleet, instance);

    instance->load_score = after;
    if (isnan(after) && !isnan(before))
        sink->ops->load_remove(sink->ctx, ident_slice(&instance->id));
    else if (!isnan(after) && after != before)
        sink->ops->load_set(sink->ctx, ident_slice(&instance->id), after);
}

/* A hash with fields has a last_updated_at, whether anything else of it changed or not. */
static void settle_updated(struct change *change)
{
    struct instance *instance = change->instance;
    int64_t now_s = change->at_ms / MS_PER_S;

    for (uint32_t rest = stored_known(instance), field; field_take(&rest, &field);) {
        enum record_kind kind = stored_record(field);

        if (instance->record_updated_s[kind] < 0)
            change->stamped |= 1U << kind;
    }
    for (uint32_t rest = change->stamped, kind; field_take(&rest, &kind);) {
        if (instance->record_updated_s[kind] != now_s) {
            instance->record_updated_s[kind] = now_s;
            change->dirty |= FIELD_BIT(STORED_UPDATED + kind);
        }
    }
}

void change_settle(struct change *change)
{
    watch_settle(change);
    settle_health(change);
    settle_load(change);
    settle_updated(change);
}

void change_finish(struct change *change)
{
    change_settle(change);
    stored_write(change->instance, change->dirty, change->report, change->sink);
}

void fleet_leave_other_sets(const struct instance *instance, struct sink *sink)
{
    for (int other = 0; other < INSTANCE_STATES; other++) {
        if (other != (int)instance->state)
            sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, ident_slice(&instance->id),
                                  instance_state_name((enum instance_state)other), NULL);
    }
}

void fleet_write_back(struct fleet *fleet, struct instance *instance, struct sink *sink)
{
    struct slice id = ident_slice(&instance->id);

    instance->batch = fleet->batch;
    stored_write(instance, stored_known(instance), NULL, sink);
    fleet_leave_other_sets(instance, sink);
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, id, NULL, instance_state_name(instance->state));
    if (instance->seq > 0)
        sink->ops->seq_set(sink->ctx, id, instance->seq);
    instance->load_score = instance_load_score(fleet, instance);
    if (isnan(instance->load_score))
        sink->ops->load_remove(sink->ctx, id); /* it ran in what came back */
    else
        sink->ops->load_set(sink->ctx, id, instance->load_score);
    watch_write_back(fleet, instance, sink);
}

void fleet_remove(struct fleet *fleet, struct instance *instance, struct slice reason,
                  const struct cause *cause, int64_t now_ms, struct sink *sink)
{
    struct slice id = ident_slice(&instance->id);
    const char *state = instance_state_name(instance->state);
    struct change change = change_of(fleet, instance, cause, now_ms, sink);

    watch_on_remove(&change);
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, id, state, NULL);
    if (!isnan(instance->load_score))
        sink->ops->load_remove(sink->ctx, id);
    for (unsigned i = 0; i < INSTANCE_RECORDS; i++)
        sink->ops->record_remove(sink->ctx, (enum record_kind)i, id);
    fleet_emit(instance, EVENT_INSTANCE_REMOVED, slice_text(state), none, reason, none, cause, now_ms, sink);
    sink->ops->seq_forget(sink->ctx, id);
    fleet->stats.removed++;
    fleet->removed_batch = fleet->batch;
    fleet_forget(fleet, instance);
}
