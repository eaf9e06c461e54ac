/* The instances that are watched, when they are to be looked at, and the order in which things follow from a
 * change: answers, alerts, the end of an attempt; in a round also what is decided. */
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

/* ---- the watched ---- */

static int64_t due_of(const void *owner, uint32_t index)
{
    const struct fleet *fleet = owner;

    return fleet->slots[index].watched->due_ms;
}

static uint32_t *place_of(const void *owner, uint32_t index)
{
    const struct fleet *fleet = owner;

    return &fleet->slots[index].watched->due_place;
}

struct watch *watch_new(struct fleet *fleet, struct hash_key key)
{
    struct watch *watch = mem_new(1, sizeof(*watch));

    watch->options.recovery.backoff_count = 1;
    watch->wait_head = watch->wait_tail = MAP_NONE;
    watch->held_ms = INT64_MIN;
    watch->random = key.k0 | 1;
    breaker_init(&watch->breaker, key);
    notices_init(&watch->notices, key);
    heap_init(&watch->due, due_of, place_of, fleet);
    return watch;
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    breaker_clear(&watch->breaker);
    notices_clear(&watch->notices);
    heap_clear(&watch->due);
    free(watch);
}

void watch_reset(struct watch *watch)
{
    breaker_reset(&watch->breaker);
    notices_reset(&watch->notices);
    watch->used_numbers = 0;
    watch->under_way = 0;
    watch->wait_head = watch->wait_tail = MAP_NONE;
}

struct watched *watched_get(struct fleet *fleet, struct instance *instance)
{
    struct watched *watched = instance->watched;

    if (watched)
        return watched;
    watched = mem_new(1, sizeof(*watched));
    watched->due_ms = INT64_MAX;
    watched->due_place = HEAP_NONE;
    watched->named_ms = watched->maintenance_over_ms = INT64_MIN;
    watched->record.recovery.cooldown_until_ms = 0;
    watched->record.commands = fleet->watch->used_numbers;
    instance->watched = watched;
    return watched;
}

struct watched *watch_detach(struct fleet *fleet, struct instance *instance)
{
    struct watched *watched = instance->watched;

    if (!watched)
        return NULL;
    if (watched->record.recovery.phase == RECOVERY_UNDER_WAY)
        fleet->watch->under_way--;
    recovery_leave_queue(fleet, instance);
    recovery_wake_queue(fleet); /* it may have been its turn */
    heap_remove(&fleet->watch->due, fleet_index_of(fleet, instance));
    fleet->watch->steps -= watched->why.count;
    instance->watched = NULL;
    return watched;
}

void watch_attach(struct fleet *fleet, struct instance *instance, struct watched *watched, int64_t now_ms)
{
    if (!watched)
        return;
    watched_discard(watch_detach(fleet, instance));
    instance->watched = watched;
    watched->due_ms = INT64_MAX;
    watched->is_dirty = watched->wants_round = true;
    if (watched->record.recovery.phase == RECOVERY_UNDER_WAY)
        fleet->watch->under_way++;
    fleet->watch->steps += watched->why.count;
    breaker_add_victim(&fleet->watch->breaker, instance, watched->record.victim_of);
    instance->health = instance_judge_health(fleet, instance);
    watch_schedule(fleet, instance, now_ms);
}

void watched_discard(struct watched *watched)
{
    if (!watched)
        return;
    why_clear(&watched->why);
    free(watched->alerts);
    free(watched->record.maintenance_reason);
    free(watched);
}

void watched_free(struct fleet *fleet, struct instance *instance)
{
    watched_discard(watch_detach(fleet, instance));
}

static void shift(int64_t *time_ms, int64_t delta_ms)
{
    if (*time_ms > 0 && *time_ms < INT64_MAX)
        *time_ms += delta_ms;
}

void watched_shift(struct fleet *fleet, struct instance *instance, int64_t delta_ms)
{
    struct watched *watched = instance->watched;
    struct watch_record *record = &watched->record;
    int64_t *const times[] = {&record->command.issued_ms,
                              &record->command.expires_ms,
                              &record->cancel_hook.issued_ms,
                              &record->recovery.next_ms,
                              &record->recovery.cooldown_until_ms,
                              &record->maintenance_until_ms,
                              &watched->stable_from_ms,
                              &watched->named_ms,
                              &watched->owed.issued_ms,
                              &watched->owed.expires_ms,
                              &watched->judged_ms,
                              &watched->maintenance_over_ms,
                              &watched->due_ms};

    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        shift(times[i], delta_ms);
    for (uint32_t i = 0; i < watched->alert_count; i++) {
        shift(&watched->alerts[i].since_ms, delta_ms);
        shift(&watched->alerts[i].fired_ms, delta_ms);
        shift(&watched->alerts[i].cleared_ms, delta_ms);
        shift(&watched->alerts[i].next_ms, delta_ms);
    }
    if (watched->due_place != HEAP_NONE)
        heap_put(&fleet->watch->due, fleet_index_of(fleet, instance));
}

static void due_set(struct fleet *fleet, struct instance *instance, int64_t at_ms)
{
    uint32_t index = fleet_index_of(fleet, instance);

    instance->watched->due_ms = at_ms;
    if (at_ms == INT64_MAX)
        heap_remove(&fleet->watch->due, index);
    else
        heap_put(&fleet->watch->due, index);
}

void watch_schedule(struct fleet *fleet, struct instance *instance, int64_t at_ms)
{
    if (at_ms < watched_get(fleet, instance)->due_ms)
        due_set(fleet, instance, at_ms);
}

void watch_touch(struct fleet *fleet, struct instance *instance)
{
    if (fleet->watch->looks_at_trades && fleet->watch->options.rules.count > 0)
        watch_schedule(fleet, instance, 0);
}

/* What a restart must know to go on waiting for the victims of open groups. */
static void follow_victims(struct instance *instance)
{
    struct watched *watched = instance->watched;

    if (watched->record.victim_of == instance->member.victim_of)
        return;
    watched->record.victim_of = instance->member.victim_of;
    watched->is_dirty = true;
}

static void follow_crash(struct instance *instance)
{
    struct watch_record *record = &instance->watched->record;
    int64_t crashed_ms = instance->member.is_recent ? instance->member.crashed_ms : 0;

    if (record->crashed_ms == crashed_ms)
        return;
    record->crashed_ms = crashed_ms;
    instance->watched->is_dirty = true;
}

/* Everybody who has anything going on is looked at, once reports have been read up to AT_MS. */
void watch_wake_group(struct fleet *fleet, int64_t at_ms)
{
    struct instance *instance;

    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        struct watched *watched = instance->watched;

        if (!watched && !instance->member.victim_of)
            continue;
        (void)watched_get(fleet, instance);
        follow_victims(instance);
        watch_schedule(fleet, instance, at_ms);
    }
}

void watch_step(const struct change *change, const struct why_step *step)
{
    struct watched *watched = watched_get(change->fleet, change->instance);
    uint32_t before = watched->why.count;

    why_add(&watched->why, step);
    change->fleet->watch->steps += watched->why.count - before;
}

void watch_emit(const struct change *change, struct event event)
{
    event.instance_id = ident_slice(&change->instance->id);
    event.seq = ++change->instance->seq;
    event.at_ms = change->at_ms;
    change->sink->ops->event(change->sink->ctx, &event);
}

/* ---- what follows from a change ---- */

void watch_on_move(struct change *change, enum instance_state from, bool had_stopped)
{
    struct instance *instance = change->instance;
    struct breaker *breaker = &change->fleet->watch->breaker;

    if (from == STATE_NONE)
        breaker_join(breaker, instance);
    else
        breaker_on_move(breaker, change->fleet, instance, from == STATE_RUNNING,
                        from == STATE_RUNNING && instance->state == STATE_CRASHED, change->at_ms);
    if (!instance->watched)
        return;
    instance->watched->wants_round = true;
    if (had_stopped && instance->state == STATE_RUNNING &&
        (instance->watched->record.recovery.is_disarmed || instance->desired_state == STATE_STOPPED)) {
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
    else if (change->has_moved && has_arrived(&watched->record.command, instance))
        command_end(change, COMMAND_OK, instance_state_name(instance->state));
}

static void end_maintenance(struct change *change)
{
    struct watch_record *record = &change->instance->watched->record;
    struct event event = {.kind = EVENT_MAINTENANCE_CHANGED,
                          .from = slice_text("on"),
                          .to = slice_text("off"),
                          .reason = slice_text(record->maintenance_reason),
                          .cause = *change->cause};

    if (record->maintenance_until_ms == 0 || record->maintenance_until_ms > change->at_ms)
        return;
    watch_emit(change, event);
    change->instance->watched->maintenance_over_ms = record->maintenance_until_ms;
    record->maintenance_until_ms = 0;
    free(record->maintenance_reason);
    record->maintenance_reason = NULL;
    change->instance->watched->is_dirty = true;
}

/* Decisions change what other decisions rest on, so they are taken until nothing follows any more. */
static void decide(struct change *change)
{
    struct watched *watched = change->instance->watched;

    end_maintenance(change);
    command_cancel_owed(change);
    for (int turn = 0; turn < ROUND_TURNS; turn++) {
        watched->wants_round = false;
        watched->held_now = 0;
        command_expire(change);
        alerts_judge(change); /* those that the command kept frozen ask for nothing any more */
        recovery_decide(change);
        alerts_judge(change);
        actions_decide(change);
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

/* The first reason for which something is not commanded. */
static enum hold first_hold(const struct watched *watched)
{
    for (int k = 0; k < COMMAND_KINDS; k++) {
        if (watched->held[k] != HOLD_NONE)
            return (enum hold)watched->held[k];
    }
    return HOLD_NONE;
}

static int64_t maintenance_next_ms(const struct fleet *fleet, const struct instance *instance, int64_t now_ms)
{
    const struct watched *watched = instance->watched;
    int64_t until_ms = INT64_MAX;

    if (watched->record.maintenance_until_ms > 0)
        until_ms = watched->record.maintenance_until_ms;
    if ((first_hold(watched) == HOLD_MAINTENANCE || watched->alert_count > 0) &&
        fleet->watch->options.window_count > 0) {
        int64_t window_ms = INT64_MAX;

        if (watch_in_maintenance(fleet, instance, now_ms, NULL, &window_ms))
            until_ms = min_i64(until_ms, window_ms);
    }
    return until_ms;
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
    follow_victims(instance);
    due_set(change->fleet, instance, next_ms(change->fleet, instance, change->at_ms));
    follow_crash(instance);
    if (watched->is_dirty) {
        watched->is_dirty = false;
        change->sink->ops->watch_set(change->sink->ctx, ident_slice(&instance->id), &watched->record);
    }
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
    if (instance->watched->record.command.is_open)
        command_cancel(change, "the instance is removed");
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
    if (!changes.any && !watch->groups_changed)
        return;
    watch->groups_changed = false;
    notices_decide_groups(fleet, &cause, now_ms, sink);
    watch_wake_group(fleet, now_ms);
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
    if (watch->breaker.dirty_count > 0 || watch->groups_changed)
        judge_groups(fleet, now_ms, sink);
    for (int left = FLEET_TIMER_MAX; left > 0; left--) {
        uint32_t first = heap_first(&watch->due);

        if (first == HEAP_NONE || due_of(fleet, first) > until_ms)
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
    if (watch->breaker.dirty_count > 0 || watch->groups_changed)
        return 0;
    return first == HEAP_NONE ? INT64_MAX : due_of(fleet, first);
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

/* ---- maintenance ---- */

bool watch_in_maintenance(const struct fleet *fleet, const struct instance *instance, int64_t now_ms,
                          struct slice *ret_reason, int64_t *ret_until_ms)
{
    const struct watch_options *options = &fleet->watch->options;
    const struct watched *watched = instance->watched;

    if (watched && watched->record.maintenance_until_ms > now_ms) {
        if (ret_reason)
            *ret_reason = slice_text(watched->record.maintenance_reason);
        if (ret_until_ms)
            *ret_until_ms = watched->record.maintenance_until_ms;
        return true;
    }
    for (size_t i = 0; i < options->window_count; i++) {
        const struct maintenance_window *window = &options->windows[i];

        if (!window_covers(window, ident_slice(&instance->id), ident_slice(&instance->broker_id)) ||
            !window_is_open(window, now_ms))
            continue;
        if (ret_reason)
            *ret_reason = ident_slice(&window->name);
        if (ret_until_ms)
            *ret_until_ms = window_next_change(window, now_ms);
        return true;
    }
    return false;
}

int64_t watch_was_in_maintenance(const struct fleet *fleet, const struct instance *instance, int64_t from_ms,
                                 int64_t now_ms)
{
    const struct watch_options *options = &fleet->watch->options;
    int64_t last_ms = INT64_MIN;

    if (watch_in_maintenance(fleet, instance, now_ms, NULL, NULL))
        return now_ms;
    if (instance->watched)
        last_ms = instance->watched->maintenance_over_ms;
    for (size_t i = 0; i < options->window_count; i++) {
        const struct maintenance_window *window = &options->windows[i];

        if (!window_covers(window, ident_slice(&instance->id), ident_slice(&instance->broker_id)))
            continue;
        for (int64_t at_ms = from_ms, next_ms; at_ms <= now_ms; at_ms = next_ms) {
            next_ms = window_next_change(window, at_ms);
            if (window_is_open(window, at_ms) && next_ms <= now_ms && next_ms > last_ms)
                last_ms = next_ms;
        }
    }
    return last_ms;
}

void watch_set_maintenance(struct fleet *fleet, struct instance *instance, int64_t until_ms,
                           struct slice reason, const struct cause *cause, int64_t now_ms, struct sink *sink)
{
    struct watch_record *record = &watched_get(fleet, instance)->record;
    struct change change = change_of(fleet, instance, cause, now_ms, sink);
    struct event event = {.kind = EVENT_MAINTENANCE_CHANGED,
                          .from = slice_text(record->maintenance_until_ms > now_ms ? "on" : "off"),
                          .to = slice_text(until_ms > now_ms ? "on" : "off"),
                          .reason = reason,
                          .cause = *cause};
    struct why_step step = {.kind = WHY_DECISION,
                            .at_ms = now_ms,
                            .status = until_ms > now_ms ? "maintenance on" : "maintenance off",
                            .cause = *cause,
                            .reason = reason};

    sink->ops->begin(sink->ctx, cause);
    instance->batch = fleet->batch;
    watch_emit(&change, event);
    watch_step(&change, &step);
    free(record->maintenance_reason);
    record->maintenance_reason =
        until_ms > now_ms && reason.len > 0 ? mem_copy_text(reason.data, reason.len) : NULL;
    if (until_ms <= now_ms && record->maintenance_until_ms > 0)
        instance->watched->maintenance_over_ms = now_ms;
    record->maintenance_until_ms = until_ms > now_ms ? until_ms : 0;
    instance->watched->is_dirty = instance->watched->wants_round = true;
    change_finish(&change);
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
            watch_schedule(fleet, instance, now_ms);
    }
}

/* ---- for those who show it ---- */

void watch_describe(const struct fleet *fleet, const struct instance *instance, struct errmsg *out)
{
    const struct watched *watched = instance->watched;
    const struct recovery *recovery = watched ? &watched->record.recovery : NULL;

    if (!watched)
        errmsg_set(out, "nothing");
    else if (recovery->phase == RECOVERY_UNDER_WAY)
        errmsg_set(out, "recovery attempt %llu of %u is under way",
                   (unsigned long long)instance->recovery_attempts,
                   fleet->watch->options.recovery.max_attempts);
    else if (watched->record.command.is_open)
        errmsg_set(out, "%s is under way", command_kind_name(watched->record.command.kind));
    else if (recovery->is_disarmed)
        errmsg_set(out, "nothing: recovery was given up after %llu attempts, until it is armed again",
                   (unsigned long long)fleet->watch->options.recovery.max_attempts);
    else if (first_hold(watched) != HOLD_NONE)
        errmsg_set(out, "nothing: %s", hold_name(first_hold(watched)));
    else if (recovery->phase == RECOVERY_WAITING)
        errmsg_set(out, "recovery attempt %llu of %u waits for its backoff",
                   (unsigned long long)instance->recovery_attempts,
                   fleet->watch->options.recovery.max_attempts);
    else
        errmsg_set(out, "nothing");
}

void watch_count_alerts(const struct fleet *fleet, uint32_t ret_counts[RULES_MAX][ALERT_STATUSES])
{
    const struct instance *instance;

    memset(ret_counts, 0, sizeof(ret_counts[0]) * RULES_MAX);
    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        const struct watched *watched = instance->watched;

        for (uint32_t k = 0; watched && k < watched->alert_count; k++) {
            if (watched->alerts[k].rule != ALERT_NO_RULE)
                ret_counts[watched->alerts[k].rule][watched->alerts[k].status]++;
        }
    }
}
