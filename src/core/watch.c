/* The order in which things follow from a change: answers, alerts, the end of an attempt; and in a round also
 * what is decided. */
#include "core/watch.h"

#include "util/alloc.h"
#include "watch_private.h"
#include <stdlib.h>

#define ROUND_TURNS 4 /* in which decisions of one instance settle */

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- what follows from a change ---- */

void watch_on_move(struct change *change, enum instance_state from, bool had_stopped)
{
    struct instance *instance = change->instance;
    struct breaker *breaker = &change->fleet->watch->breaker;
    struct recovery *recovery;

    if (from == STATE_NONE)
        breaker_join(breaker, instance);
    else
        breaker_on_move(breaker, change->fleet, instance, from == STATE_RUNNING,
                        from == STATE_RUNNING && instance->state == STATE_CRASHED, change->at_ms);
    if (!instance->watched)
        return;
    recovery = &instance->watched->record.recovery;
    instance->watched->wants_round = true;
    if (recovery->is_disarmed && instance->state == STATE_STOPPED && !recovery->has_stopped) {
        recovery->has_stopped = true;
        instance->watched->is_dirty = true;
    }
    if ((had_stopped || recovery->has_stopped) && instance->state == STATE_RUNNING &&
        (recovery->is_disarmed || instance->desired_state == STATE_STOPPED)) {
        recovery_arm(change, false);
        desired_state_set(change, STATE_RUNNING);
    }
}

/* The state that a command was to bring about is there, whether or not its agent says so. */
static bool has_arrived(const struct command *command, const struct instance *instance)
{
    switch (command->kind) {
    case COMMAND_STOP:
        return instance->state == STATE_STOPPED;
    case COMMAND_START:
    case COMMAND_RESTART:
        return instance->state == STATE_RUNNING;
    case COMMAND_RECOVER:
        return command->by_operator && instance->state == STATE_RUNNING;
    default:
        return false;
    }
}

/* It was given up, runs all the same, and is wanted again: the stop must not be carried out any more. */
static bool is_stop_outdated(const struct command *command, const struct instance *instance)
{
    return command->kind == COMMAND_STOP && !command->by_operator && instance->state == STATE_RUNNING &&
           instance->desired_state == STATE_RUNNING;
}

void watch_on_report(struct change *change, const struct report *report)
{
    struct instance *instance = change->instance;
    struct watched *watched = instance->watched;
    bool was_silent;

    command_take_answer(change, report);
    if (!watched)
        return;
    was_silent = watched->record.is_silent;
    if (was_silent) {
        watched->record.is_silent = false;
        watched->is_dirty = true;
    }
    if (!watched->record.command.is_open || watched->record.command.has_succeeded)
        return;
    /* Back from silence, and nothing says that it was the command: it must not be carried out any more. */
    if (was_silent && !watched->record.command.is_accepted &&
        (instance->state == STATE_RUNNING || instance->state == STATE_STOPPED))
        command_withdraw(change, "the instance reports again");
    else if (change->has_moved && is_stop_outdated(&watched->record.command, instance))
        command_withdraw(change, "the instance runs again");
    else if (change->has_moved && has_arrived(&watched->record.command, instance))
        command_end(change, COMMAND_OK, instance_state_name(instance->state));
}

/* Decisions change what other decisions rest on, so they are taken until nothing follows any more. */
static void decide(struct change *change)
{
    struct watched *watched = change->instance->watched;

    maintenance_end(change);
    command_cancel_owed(change);
    for (int turn = 0; turn < ROUND_TURNS; turn++) {
        watched->wants_round = false;
        watched->held_now = 0;
        command_expire(change);
        alerts_judge(change); /* those that the command kept frozen ask for nothing any more */
        recovery_decide(change);
        alerts_judge(change);
        actions_decide(change);
        recovery_lay_down(change);
        alerts_judge(change);
        recovery_settle(change);
        notices_decide(change);
        if (!watched->wants_round)
            break;
    }
    for (int k = 0; k < COMMAND_KINDS; k++) {
        if (!(watched->held_now & FIELD_BIT(k)))
            watched->held[k] = HOLD_NONE;
    }
}

static int64_t next_ms(const struct fleet *fleet, const struct instance *instance, int64_t now_ms)
{
    const struct watched *watched = instance->watched;
    int64_t next_ms = watched->wants_round ? now_ms : INT64_MAX;

    next_ms = min_i64(next_ms, alerts_next_ms(fleet, instance, now_ms));
    next_ms = min_i64(next_ms, recovery_next_ms(fleet, instance));
    next_ms = min_i64(next_ms, actions_next_ms(fleet, instance));
    next_ms = min_i64(next_ms, maintenance_next_ms(fleet, instance, now_ms));
    if (watched->record.command.is_open)
        next_ms = min_i64(next_ms, watched->record.command.expires_ms);
    return next_ms;
}

void watch_settle(struct change *change)
{
    struct instance *instance = change->instance;
    struct watched *watched;

    alerts_judge(change);
    recovery_settle(change);
    if (change->is_round)
        decide(change);
    if (change->fleet->watch->looks_at_age || instance->member.victim_of)
        (void)watched_get(change->fleet, instance);
    watched = instance->watched;
    if (!watched)
        return;
    watched_follow_victims(instance);
    watched_set_due(change->fleet, instance, next_ms(change->fleet, instance, change->at_ms));
    watched_follow_crash(instance);
    watched_write(instance, change->sink);
}

void watch_advance(struct fleet *fleet, struct instance *instance, int64_t at_ms, struct sink *sink)
{
    int64_t last_ms = 0;

    while (instance->watched && !fleet->watch->is_held) {
        int64_t from_ms = max_i64(instance->silent_from_ms, instance->watched->judged_ms);
        int64_t due_ms = alerts_next_ms(fleet, instance, from_ms);
        struct cause cause;
        struct change change;

        if (due_ms >= at_ms || due_ms <= last_ms)
            return;
        cause = (struct cause){CAUSE_TIMER, {(uint64_t)due_ms, fleet->timers++}};
        change = change_of(fleet, instance, &cause, due_ms, sink);
        change_finish(&change);
        last_ms = due_ms;
    }
}

void watch_on_remove(struct change *change)
{
    struct instance *instance = change->instance;

    if (!instance->watched)
        return;
    recovery_abandon(change);
    if (instance->watched->record.command.is_open && !change->fleet->watch->options.observe_only)
        command_cancel(change, "the instance is removed");
    else if (instance->watched->record.command.is_open)
        command_end(change, COMMAND_CANCELLED, "the instance is removed");
    alerts_end(change, "the instance is removed");
    if (instance->watched->record.is_throttled)
        change->sink->ops->throttled_set(change->sink->ctx, ident_slice(&instance->id), false);
    change->sink->ops->watch_unset(change->sink->ctx, ident_slice(&instance->id));
    if (instance->watched->record.commands > change->fleet->watch->used_numbers) {
        change->fleet->watch->used_numbers = instance->watched->record.commands;
        watch_write_used_numbers(change->fleet, change->sink);
    }
}

/* ---- rounds ---- */

struct group_change {
    struct fleet *fleet;
    struct sink *sink;
    bool any;
};

static void on_group_change(void *ctx, struct breaker_group *group)
{
    struct group_change *changes = ctx;
    struct sink *sink = changes->sink;

    changes->any = true;
    if (group->is_open)
        sink->ops->breaker_set(sink->ctx, group);
    else
        sink->ops->breaker_unset(sink->ctx, group);
}

static bool has_groups_to_judge(const struct watch *watch)
{
    return watch->breaker.dirty_count > 0 || watch->groups_changed || watch->tells_groups;
}

static void judge_groups(struct fleet *fleet, int64_t now_ms, struct sink *sink)
{
    struct watch *watch = fleet->watch;
    struct cause cause = {CAUSE_TIMER, {(uint64_t)now_ms, fleet->timers++}};
    struct group_change changes = {fleet, sink, false};
    struct breaker_rules rules = {watch->options.breaker_percent,
                                  fleet->options.heartbeat_timeout_ms > BREAKER_LEAST_MS
                                      ? fleet->options.heartbeat_timeout_ms
                                      : BREAKER_LEAST_MS};

    sink->ops->begin(sink->ctx, &cause);
    breaker_judge(&watch->breaker, fleet, &rules, now_ms, on_group_change, &changes);
    watch->tells_groups = false;
    notices_decide_groups(fleet, &cause, now_ms, sink);
    if (!changes.any && !watch->groups_changed)
        return;
    watch->groups_changed = false;
    watch_wake_group(fleet, now_ms);
    watch_write_group(fleet, sink); /* a group without its victims would end with the next start */
}

static void look_at(struct fleet *fleet, struct instance *instance, int64_t now_ms, int64_t horizon_ms,
                    struct sink *sink)
{
    struct cause cause = {CAUSE_TIMER, {(uint64_t)now_ms, fleet->timers++}};
    struct change change = change_of(fleet, instance, &cause, now_ms, sink);

    sink->ops->begin(sink->ctx, &cause);
    change.is_round = true;
    change.horizon_ms = horizon_ms;
    instance->batch = fleet->batch;
    change_finish(&change);
}

void watch_on_timer(struct fleet *fleet, int64_t now_ms, int64_t horizon_ms, struct sink *sink)
{
    struct watch *watch = fleet->watch;
    int64_t until_ms = min_i64(now_ms, horizon_ms);

    if (watch->is_held || until_ms <= 0)
        return;
    watch->scanned = 0;
    if (has_groups_to_judge(watch))
        judge_groups(fleet, now_ms, sink);
    for (int left = FLEET_TIMER_MAX; left > 0; left--) {
        uint32_t first = heap_first(&watch->due);

        if (first == HEAP_NONE || fleet->slots[first].watched->due_ms > until_ms)
            return;
        look_at(fleet, &fleet->slots[first], now_ms, horizon_ms, sink);
    }
}

int64_t watch_next_deadline(const struct fleet *fleet)
{
    const struct watch *watch = fleet->watch;
    uint32_t first = heap_first(&watch->due);

    if (watch->is_held)
        return INT64_MAX;
    if (has_groups_to_judge(watch))
        return 0;
    return first == HEAP_NONE ? INT64_MAX : fleet->slots[first].watched->due_ms;
}

void watch_hold(struct fleet *fleet, int64_t now_ms)
{
    fleet->watch->is_held = true;
    if (now_ms > fleet->watch->held_ms)
        fleet->watch->held_ms = now_ms;
    fleet_excuse_silence(fleet, now_ms);
}

void watch_release(struct fleet *fleet, int64_t now_ms)
{
    if (!fleet->watch->is_held)
        return;
    fleet->watch->is_held = false;
    fleet_excuse_silence(fleet, now_ms);
    watch_wake_group(fleet, now_ms);
}

/* ---- options ---- */

static uint16_t find_rule(struct rule_set *rules, const struct alert *alert)
{
    const struct rule *rule = rule_set_find(rules, ident_slice(&alert->name));

    return rule && rule->enabled ? (uint16_t)(rule - rules->rules) : ALERT_NO_RULE;
}

/* Who is in maintenance may not be any more by the new windows: its silence counts from now on. */
static void excuse_maintained(struct fleet *fleet, int64_t now_ms)
{
    struct instance *instance;

    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        if (instance->state == STATE_RUNNING && watch_in_maintenance(fleet, instance, now_ms, NULL, NULL))
            fleet_excuse(fleet, instance, now_ms);
    }
}

void watch_configure(struct fleet *fleet, const struct watch_options *options, int64_t now_ms)
{
    struct watch *watch = fleet->watch;
    struct instance *instance;

    excuse_maintained(fleet, now_ms);
    watch->options = *options;
    if (watch->options.recovery.backoff_count == 0)
        watch->options.recovery.backoff_count = 1;
    watch->looks_at_age = watch->looks_at_trades = false;
    for (uint32_t i = 0; i < options->rules.count; i++) {
        watch->looks_at_age |= options->rules.rules[i].metric == METRIC_HEARTBEAT_AGE_MS;
        watch->looks_at_trades |= options->rules.rules[i].metric == METRIC_OPEN_TRADES;
    }
    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        for (uint32_t k = 0; instance->watched && k < instance->watched->alert_count; k++)
            instance->watched->alerts[k].rule =
                find_rule(&watch->options.rules, &instance->watched->alerts[k]);
        /* Who does not run may never report again, and still meet a rule. */
        if (instance->watched || instance->state != STATE_RUNNING)
            watch_wake(fleet, instance, now_ms);
    }
}
