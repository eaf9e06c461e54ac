/* What firing alerts ask for besides a recovery: stop, reconnect, redistribute, throttle, and the end of a
 * throttle. One command at a time, the strongest first. */
#include "watch_private.h"
#include <math.h>

#define TARGET_PAUSE_MS 10000 /* a target is not named twice within it while there is another */
#define SCAN_MAX        50000 /* instances that one call may look at for targets, about */
#define SCAN_PAUSE_MS   20

static struct watched *watched_of(const struct change *change)
{
    return change->instance->watched;
}

static void decide(const struct change *change, const struct alert *alert, enum command_kind kind,
                   const char *reason)
{
    struct why_step step = {.kind = WHY_DECISION,
                            .at_ms = change->at_ms,
                            .status = command_kind_name(kind),
                            .cause = alert->cause,
                            .alert = ident_slice(&alert->name),
                            .reason = slice_text(reason)};

    watch_step(change, &step);
}

/* Nothing stands in the way of KIND; else that is noted. */
static bool may_command(const struct change *change, enum command_kind kind, const struct alert *alert)
{
    enum hold hold = watch_find_hold(change);

    if (hold == HOLD_LAUNCH_MODE && kind == COMMAND_UNTHROTTLE)
        hold = HOLD_NONE; /* what was commanded before is taken back */
    if (hold == HOLD_NONE && command_must_wait(change, kind))
        hold = HOLD_UNDER_WAY;
    if (hold != HOLD_NONE)
        watch_note_hold(change, hold, kind, alert);
    return hold == HOLD_NONE;
}

static void issue(struct change *change, const struct alert *alert, enum command_kind kind,
                  const char *reason, struct slice target)
{
    command_issue(change,
                  &(struct command_draft){.kind = kind,
                                          .reason = slice_text(reason),
                                          .target = target,
                                          .alert = alert,
                                          .cause = alert->cause,
                                          .timeout_ms = change->fleet->watch->options.recovery.timeout_ms});
}

static void mark_done(const struct change *change, struct alert *alert, enum rule_action action)
{
    alert->done |= ACTION_BIT(action);
    alert_store(change, alert);
}

static void lay_down(struct change *change, const struct cause *cause)
{
    const struct cause *own = change->cause;
    struct cause copy = *cause;

    change->cause = &copy;
    instance_move(change, STATE_STOPPED, EVENT_INSTANCE_STOPPED, slice_text("recovery given up"));
    change->cause = own;
}

/* A stopped terminal is what is wanted from now on; one that has crashed is that already. */
static void try_stop(struct change *change, struct alert *alert)
{
    struct errmsg reason;

    if (alert->done & ACTION_BIT(ACTION_STOP) || !may_command(change, COMMAND_STOP, alert))
        return;
    errmsg_set(&reason, "%.*s", (int)alert->name.len, alert->name.text);
    decide(change, alert, COMMAND_STOP, NULL);
    mark_done(change, alert, ACTION_STOP);
    recovery_abandon(change);
    issue(change, alert, COMMAND_STOP, reason.text, slice_of(NULL, 0));
    desired_state_set(change, STATE_STOPPED);
    if (change->instance->state == STATE_CRASHED)
        lay_down(change, &alert->cause);
}

void recovery_lay_down(struct change *change)
{
    const struct instance *instance = change->instance;
    struct recovery *recovery = instance->watched ? &instance->watched->record.recovery : NULL;

    if (recovery && recovery->is_disarmed && instance->desired_state == STATE_STOPPED &&
        instance->state == STATE_CRASHED)
        lay_down(change, &recovery->cause);
}

static bool has_tries_left(const struct fleet *fleet, const struct alert *alert)
{
    return alert->tries < fleet->watch->options.recovery.max_attempts;
}

static void try_reconnect(struct change *change, struct alert *alert)
{
    struct watch *watch = change->fleet->watch;
    struct errmsg reason;

    if (!has_tries_left(change->fleet, alert))
        return;
    if (alert->tries == 0 && alert->next_ms == alert->fired_ms &&
        !(alert->done & ACTION_BIT(ACTION_RECONNECT))) {
        alert->next_ms += recovery_backoff_ms(watch, 1);
        mark_done(change, alert, ACTION_RECONNECT);
    }
    if (change->at_ms < alert->next_ms)
        return;
    if (watched_of(change)->record.command.is_open &&
        watched_of(change)->record.command.kind == COMMAND_RECONNECT)
        return; /* the next one waits for the end of this one */
    if (!may_command(change, COMMAND_RECONNECT, alert))
        return;
    alert->tries++;
    alert_store(change, alert);
    errmsg_set(&reason, "%.*s: attempt %u of %u", (int)alert->name.len, alert->name.text, alert->tries,
               watch->options.recovery.max_attempts);
    decide(change, alert, COMMAND_RECONNECT, reason.text);
    issue(change, alert, COMMAND_RECONNECT, reason.text, slice_of(NULL, 0));
}

static bool fits_as_target(const struct change *change, const struct instance *candidate)
{
    const struct instance *from = change->instance;

    return candidate != from && candidate->state == STATE_RUNNING &&
           slice_equal(ident_slice(&candidate->broker_id), ident_slice(&from->broker_id)) &&
           !(from->host_id.len > 0 &&
             slice_equal(ident_slice(&candidate->host_id), ident_slice(&from->host_id))) &&
           !alerts_fire(candidate) && !(candidate->watched && candidate->watched->record.is_throttled) &&
           !watch_in_maintenance(change->fleet, candidate, change->at_ms, NULL, NULL);
}

static bool was_named_lately(const struct change *change, const struct instance *candidate)
{
    return candidate->watched && candidate->watched->named_ms > change->at_ms - TARGET_PAUSE_MS;
}

static bool is_less_loaded(const struct fleet *fleet, uint32_t a, uint32_t b)
{
    return fleet->slots[a].load_score < fleet->slots[b].load_score;
}

/* Keeps the list in order of load; the most loaded of 64 leaves. */
static void list_add(struct target_list *list, const struct fleet *fleet, uint32_t place)
{
    uint32_t at = list->count;

    if (at == TARGETS_MAX) {
        list->is_cut = true;
        if (!is_less_loaded(fleet, place, list->items[--at].place))
            return;
    } else {
        list->count++;
    }
    for (; at > 0 && is_less_loaded(fleet, place, list->items[at - 1].place); at--)
        list->items[at] = list->items[at - 1];
    list->items[at].place = place;
    list->items[at].generation = fleet->slots[place].generation;
}

/* All that run and belong to the broker are looked at; whether they fit is asked when one is taken. */
static void list_make(struct target_list *list, const struct change *change)
{
    const struct fleet *fleet = change->fleet;
    struct slice broker_id = ident_slice(&change->instance->broker_id);

    *list = (struct target_list){.broker_id = change->instance->broker_id, .made_ms = change->at_ms};
    for (uint32_t i = fleet->head[STATE_RUNNING]; i != MAP_NONE; i = fleet->slots[i].next) {
        fleet->watch->scanned++;
        if (slice_equal(ident_slice(&fleet->slots[i].broker_id), broker_id) && !alerts_fire(&fleet->slots[i]))
            list_add(list, fleet, i);
    }
}

/* The list of the instance's broker, made anew where it is old; NULL where this call has looked at enough. */
static const struct target_list *list_get(const struct change *change)
{
    struct watch *watch = change->fleet->watch;
    struct target_list *oldest = &watch->targets[0];

    for (size_t i = 0; i < TARGET_BROKERS; i++) {
        struct target_list *list = &watch->targets[i];

        if (list->made_ms < oldest->made_ms)
            oldest = list;
        if (list->made_ms > 0 &&
            slice_equal(ident_slice(&list->broker_id), ident_slice(&change->instance->broker_id))) {
            oldest = list;
            break;
        }
    }
    if (oldest->made_ms == change->at_ms &&
        slice_equal(ident_slice(&oldest->broker_id), ident_slice(&change->instance->broker_id)))
        return oldest;
    if (watch->scanned > SCAN_MAX)
        return NULL;
    list_make(oldest, change);
    return oldest;
}

/* The least loaded, of those that were not named lately if there is one. */
static struct instance *find_target(const struct change *change, const struct target_list *list)
{
    struct instance *best = NULL;
    bool best_was_named = false;

    for (uint32_t i = 0; i < list->count; i++) {
        struct instance *candidate = &change->fleet->slots[list->items[i].place];
        bool was_named;

        if (!candidate->used || candidate->generation != list->items[i].generation ||
            !fits_as_target(change, candidate))
            continue;
        was_named = was_named_lately(change, candidate);
        if (!best || (best_was_named && !was_named)) {
            best = candidate;
            best_was_named = was_named;
        }
        if (!was_named)
            break;
    }
    return best;
}

/* All of the longest list are on its own host, or not fit: the others are asked as well. */
static struct instance *find_any_target(const struct change *change)
{
    const struct fleet *fleet = change->fleet;
    struct instance *best = NULL;

    for (uint32_t i = fleet->head[STATE_RUNNING]; i != MAP_NONE; i = fleet->slots[i].next) {
        fleet->watch->scanned++;
        if (fits_as_target(change, &fleet->slots[i]) &&
            (!best || fleet->slots[i].load_score < best->load_score))
            best = &fleet->slots[i];
    }
    return best;
}

static void try_redistribute(struct change *change, struct alert *alert)
{
    const struct target_list *list;
    struct instance *target;
    struct errmsg reason;

    if (alert->done & ACTION_BIT(ACTION_REDISTRIBUTE))
        return;
    if (change->at_ms < alert->next_ms) {
        if (watched_of(change)->held[COMMAND_REDISTRIBUTE] == HOLD_NO_TARGET)
            watch_note_hold(change, HOLD_NO_TARGET, COMMAND_REDISTRIBUTE, alert); /* as before */
        return;
    }
    if (!may_command(change, COMMAND_REDISTRIBUTE, alert))
        return;
    list = list_get(change);
    if (!list) {
        alert->next_ms = change->at_ms + SCAN_PAUSE_MS;
        return;
    }
    target = find_target(change, list);
    if (!target && list->is_cut && change->fleet->watch->scanned <= SCAN_MAX)
        target = find_any_target(change);
    if (!target) {
        watch_note_hold(change, HOLD_NO_TARGET, COMMAND_REDISTRIBUTE, alert);
        alert->next_ms = change->at_ms + TARGET_PAUSE_MS;
        return;
    }
    watched_get(change->fleet, target)->named_ms = change->at_ms;
    mark_done(change, alert, ACTION_REDISTRIBUTE);
    errmsg_set(&reason, "%.*s: to %.*s", (int)alert->name.len, alert->name.text, (int)target->id.len,
               target->id.text);
    decide(change, alert, COMMAND_REDISTRIBUTE, reason.text);
    issue(change, alert, COMMAND_REDISTRIBUTE, reason.text, ident_slice(&target->id));
}

static void throttled_set(struct change *change, bool throttled)
{
    watched_of(change)->record.is_throttled = throttled;
    watched_of(change)->is_dirty = true;
    change->sink->ops->throttled_set(change->sink->ctx, ident_slice(&change->instance->id), throttled);
}

static void try_throttle(struct change *change, struct alert *alert)
{
    struct errmsg reason;

    if (alert->done & ACTION_BIT(ACTION_THROTTLE) || !may_command(change, COMMAND_THROTTLE, alert))
        return;
    mark_done(change, alert, ACTION_THROTTLE);
    errmsg_set(&reason, "%.*s", (int)alert->name.len, alert->name.text);
    decide(change, alert, COMMAND_THROTTLE, NULL);
    issue(change, alert, COMMAND_THROTTLE, reason.text, slice_of(NULL, 0));
    watched_of(change)->record.owes_unthrottle = true;
    if (!watched_of(change)->record.is_throttled)
        throttled_set(change, true);
}

static const struct alert *find_throttle(const struct change *change)
{
    const struct alert *alert = alerts_find_firing(change->fleet, change->instance, ACTION_THROTTLE, true);

    return alert ? alert : alerts_find_firing(change->fleet, change->instance, ACTION_THROTTLE, false);
}

void throttle_clear(struct change *change)
{
    if (!watched_of(change)->record.is_throttled || find_throttle(change))
        return;
    throttled_set(change, false);
    watched_of(change)->wants_round = true;
}

static void try_unthrottle(struct change *change)
{
    struct alert over = {.cause = *change->cause};

    if (!watched_of(change)->record.owes_unthrottle || find_throttle(change) ||
        !may_command(change, COMMAND_UNTHROTTLE, NULL))
        return;
    watched_of(change)->record.owes_unthrottle = false;
    issue(change, &over, COMMAND_UNTHROTTLE, "what asked for the throttle is over", slice_of(NULL, 0));
}

static const struct {
    enum rule_action action;
    void (*try)(struct change *change, struct alert *alert);
} actions[] = {
    {ACTION_STOP, try_stop},
    {ACTION_RECONNECT, try_reconnect},
    {ACTION_REDISTRIBUTE, try_redistribute},
    {ACTION_THROTTLE, try_throttle},
};

void actions_decide(struct change *change)
{
    struct watched *watched = watched_of(change);

    for (size_t k = 0; k < ARRAY_LEN(actions); k++) {
        for (uint32_t i = 0; i < watched->alert_count; i++) {
            struct alert *alert = &watched->alerts[i];
            const struct rule *rule = alert_rule(change->fleet->watch, alert);

            if (alert->status == ALERT_FIRING && rule && rule->actions & ACTION_BIT(actions[k].action))
                actions[k].try(change, alert);
        }
    }
    throttle_clear(change); /* a reload may have taken the action away from its rule */
    try_unthrottle(change);
}

int64_t actions_next_ms(const struct fleet *fleet, const struct instance *instance)
{
    const struct watched *watched = instance->watched;
    int64_t next_ms = INT64_MAX;

    for (uint32_t i = 0; i < watched->alert_count; i++) {
        const struct alert *alert = &watched->alerts[i];
        const struct rule *rule = alert_rule(fleet->watch, alert);
        uint32_t waiting = rule ? rule->actions : 0;

        if (alert->status != ALERT_FIRING || watched->record.command.is_open)
            continue;
        if (!has_tries_left(fleet, alert))
            waiting &= ~ACTION_BIT(ACTION_RECONNECT);
        if (alert->done & ACTION_BIT(ACTION_REDISTRIBUTE))
            waiting &= ~ACTION_BIT(ACTION_REDISTRIBUTE);
        /* What holds a command back wakes it, but for a target, which may come any time. */
        if (watched->held[COMMAND_RECONNECT] != HOLD_NONE)
            waiting &= ~ACTION_BIT(ACTION_RECONNECT);
        if (watched->held[COMMAND_REDISTRIBUTE] != HOLD_NONE &&
            watched->held[COMMAND_REDISTRIBUTE] != HOLD_NO_TARGET)
            waiting &= ~ACTION_BIT(ACTION_REDISTRIBUTE);
        if (waiting & (ACTION_BIT(ACTION_RECONNECT) | ACTION_BIT(ACTION_REDISTRIBUTE)) &&
            alert->next_ms < next_ms)
            next_ms = alert->next_ms;
    }
    return next_ms;
}
