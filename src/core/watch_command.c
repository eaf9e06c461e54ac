/* Commands of an instance: what holds them back, giving them, and how they end. */
#include "watch_private.h"

static const struct slice none = {NULL, 0};

/* How a decision against a command is called. */
static const char *const refusals[COMMAND_KINDS] = {
    [COMMAND_STOP] = "no stop",           [COMMAND_RECOVER] = "no recover",
    [COMMAND_RESTART] = "no restart",     [COMMAND_START] = "no start",
    [COMMAND_RECONNECT] = "no reconnect", [COMMAND_REDISTRIBUTE] = "no redistribute",
    [COMMAND_THROTTLE] = "no throttle",   [COMMAND_UNTHROTTLE] = "no unthrottle",
    [COMMAND_CANCEL] = "no cancel",
};

static struct command *command_of(const struct change *change)
{
    return &change->instance->watched->record.command;
}

static struct slice id_of(const struct change *change, enum command_kind kind, uint64_t number,
                          char text[IDENT_COMMAND_MAX + 1])
{
    return slice_of(text, command_id_format(text, ident_slice(&change->instance->id), kind, number));
}

struct slice watch_command_id(const struct instance *instance, char scratch[IDENT_COMMAND_MAX + 1])
{
    const struct watched *watched = instance->watched;

    scratch[0] = '\0';
    if (!watched || !watched->record.command.is_open)
        return none;
    return slice_of(scratch, command_id_format(scratch, ident_slice(&instance->id),
                                               watched->record.command.kind, watched->record.command.number));
}

/* ---- holding back ---- */

enum hold watch_find_hold(const struct change *change)
{
    const struct fleet *fleet = change->fleet;
    const struct instance *instance = change->instance;

    if (fleet->watch->options.observe_only)
        return HOLD_OBSERVE_ONLY;
    if (watch_in_maintenance(fleet, instance, change->at_ms, NULL, NULL))
        return HOLD_MAINTENANCE;
    if (breaker_covers(&fleet->watch->breaker, instance))
        return HOLD_BREAKER;
    if (!(fleet->watch->options.recovery.launch_modes & FIELD_BIT(instance->launch_mode)))
        return HOLD_LAUNCH_MODE;
    return HOLD_NONE;
}

void watch_note_hold(const struct change *change, enum hold hold, enum command_kind command,
                     const struct alert *alert)
{
    struct watched *watched = change->instance->watched;
    struct why_step step = {.kind = WHY_DECISION,
                            .at_ms = change->at_ms,
                            .status = refusals[command],
                            .cause = alert ? alert->cause : *change->cause,
                            .alert = alert ? ident_slice(&alert->name) : none,
                            .reason = slice_text(hold_name(hold))};

    watched->held_now |= FIELD_BIT(command);
    if (watched->held[command] == hold)
        return;
    watched->held[command] = (uint8_t)hold;
    change->fleet->watch->stats.held[hold]++;
    watch_step(change, &step);
    if (change->fleet->watch->on_held)
        change->fleet->watch->on_held(change->fleet->watch->ctx, change->instance, command, hold, alert);
}

bool command_must_wait(const struct change *change, enum command_kind kind)
{
    const struct command *open = command_of(change);

    if (!open->is_open)
        return false;
    if (kind == COMMAND_UNTHROTTLE && open->kind == COMMAND_THROTTLE)
        return false;
    return open->by_operator || open->kind <= kind;
}

/* ---- giving ---- */

static void count(const struct change *change, enum command_kind kind, enum command_status status)
{
    change->fleet->watch->stats.commands[kind][status]++;
}

static enum event_gravity gravity_of(enum command_status status)
{
    return status == COMMAND_FAILED || status == COMMAND_EXPIRED ? GRAVITY_WARNING : GRAVITY_INFO;
}

static void tell(const struct change *change, enum command_status status, struct slice command_id,
                 struct slice alert, struct slice reason, const struct cause *cause)
{
    watch_emit(change, (struct event){.kind = status == COMMAND_ISSUED ? EVENT_COMMAND_ISSUED
                                                                       : EVENT_COMMAND_COMPLETED,
                                      .command_id = command_id,
                                      .alert = alert,
                                      .reason = reason,
                                      .cause = *cause,
                                      .gravity = gravity_of(status)});
}

static void note(const struct change *change, enum why_kind kind, const char *status, struct slice command_id,
                 struct slice alert, struct slice reason, const struct cause *cause)
{
    struct why_step step = {.kind = kind,
                            .at_ms = change->at_ms,
                            .status = status,
                            .cause = *cause,
                            .alert = alert,
                            .command_id = command_id,
                            .reason = reason};

    watch_step(change, &step);
}

/* Writes the entry, the event and the step of a command that is given now. */
static void send(const struct change *change, const struct command_order *order, struct slice alert)
{
    change->sink->ops->command(change->sink->ctx, order);
    count(change, order->kind, COMMAND_ISSUED);
    tell(change, COMMAND_ISSUED, order->command_id, alert, order->reason, &order->cause);
    note(change, WHY_COMMAND, "issued", order->command_id, alert, order->reason, &order->cause);
}

void command_issue(struct change *change, const struct command_draft *draft)
{
    struct watched *watched = watched_get(change->fleet, change->instance);
    struct watch_record *record = &watched->record;
    char id[IDENT_COMMAND_MAX + 1];
    struct command_order order;
    struct errmsg why;

    if (record->command.is_open) {
        errmsg_set(&why, "replaced by %s", command_kind_name(draft->kind));
        command_cancel(change, why.text);
    }
    record->command = (struct command){.is_open = true,
                                       .kind = draft->kind,
                                       .number = ++record->commands,
                                       .by_operator = draft->by_operator,
                                       .hook_is_due = change->fleet->watch->options.has_hook[draft->kind],
                                       .attempt = draft->attempt,
                                       .issued_ms = change->at_ms,
                                       .expires_ms = change->at_ms + draft->timeout_ms,
                                       .cause = draft->cause};
    if (draft->alert)
        record->command.alert = draft->alert->name;
    ident_set(&record->command.target, draft->target);
    watched->is_dirty = true;
    order = (struct command_order){.command_id = id_of(change, draft->kind, record->commands, id),
                                   .instance_id = ident_slice(&change->instance->id),
                                   .kind = draft->kind,
                                   .reason = draft->reason,
                                   .attempt = draft->attempt,
                                   .issued_ms = change->at_ms,
                                   .expires_ms = record->command.expires_ms,
                                   .open_trades = change->instance->open_trades,
                                   .target_instance_id = draft->target,
                                   .cause = draft->cause};
    send(change, &order, ident_slice(&record->command.alert));
}

/* Tells the agent of VICTIM, which has ended or is about to. */
static void send_cancel(struct change *change, const struct command *victim, const char *reason)
{
    struct watched *watched = change->instance->watched;
    struct watch_record *record = &watched->record;
    char id[IDENT_COMMAND_MAX + 1], victim_id[IDENT_COMMAND_MAX + 1];
    struct command_order order = {.instance_id = ident_slice(&change->instance->id),
                                  .kind = COMMAND_CANCEL,
                                  .reason = slice_text(reason),
                                  .issued_ms = change->at_ms,
                                  .expires_ms =
                                      change->at_ms + change->fleet->watch->options.recovery.timeout_ms,
                                  .open_trades = change->instance->open_trades,
                                  .cause = victim->cause};

    order.cancels = id_of(change, victim->kind, victim->number, victim_id);
    record->cancel_number = ++record->commands;
    record->cancel_hook = (struct cancel_hook){0};
    if (change->fleet->watch->options.has_hook[COMMAND_CANCEL])
        record->cancel_hook = (struct cancel_hook){true, victim->kind, victim->number, change->at_ms};
    order.command_id = id_of(change, COMMAND_CANCEL, record->commands, id);
    watched->is_dirty = true;
    send(change, &order, none);
}

void command_cancel(struct change *change, const char *reason)
{
    send_cancel(change, command_of(change), reason);
    command_end(change, COMMAND_CANCELLED, reason);
}

static void owe_cancel(const struct change *change)
{
    struct watched *watched = change->instance->watched;
    const struct command *command = command_of(change);

    watched->record.owed = (struct owed_cancel){
        .is_due = true, .kind = command->kind, .number = command->number, .expires_ms = command->expires_ms};
    watched->is_dirty = true;
}

void command_withdraw(struct change *change, const char *reason)
{
    const struct watch *watch = change->fleet->watch;

    if (!watch->options.observe_only && !watch->is_held)
        send_cancel(change, command_of(change), reason);
    else if (!watch->options.observe_only)
        owe_cancel(change);
    command_end(change, COMMAND_CANCELLED, reason);
}

void command_cancel_owed(struct change *change)
{
    struct watched *watched = change->instance->watched;
    struct owed_cancel owed = watched->record.owed;
    struct command victim = {.kind = owed.kind, .number = owed.number, .cause = *change->cause};

    if (!owed.is_due)
        return;
    if (change->at_ms < owed.expires_ms && !change->fleet->watch->options.observe_only)
        send_cancel(change, &victim, "the instance reports again");
    watched->record.owed = (struct owed_cancel){0};
    watched->is_dirty = true;
}

/* ---- ending ---- */

/* What is told once of an end, also where the slot stays taken until the instance runs. */
static void tell_end(const struct change *change, enum command_status status, const char *reason)
{
    const struct command *command = command_of(change);
    char id[IDENT_COMMAND_MAX + 1];
    struct slice command_id = id_of(change, command->kind, command->number, id);
    struct errmsg text;

    errmsg_set(&text, reason ? "%s: %s" : "%s", command_status_name(status), reason);
    count(change, command->kind, status);
    tell(change, status, command_id, ident_slice(&command->alert), slice_text(text.text), &command->cause);
    note(change, WHY_ANSWER, command_status_name(status), command_id, ident_slice(&command->alert),
         slice_text(reason), &command->cause);
}

/* The next reconnect waits its backoff, from the end of this one. */
static void delay_reconnect(const struct change *change, const struct command *command)
{
    struct watched *watched = change->instance->watched;

    for (uint32_t i = 0; i < watched->alert_count; i++) {
        struct alert *alert = &watched->alerts[i];

        if (!slice_equal(ident_slice(&alert->name), ident_slice(&command->alert)))
            continue;
        alert->next_ms = change->at_ms + recovery_backoff_ms(change->fleet->watch, alert->tries + 1);
        alert_store(change, alert);
        if (alert->tries >= change->fleet->watch->options.recovery.max_attempts) {
            note(change, WHY_DECISION, "give up", none, ident_slice(&alert->name),
                 slice_text("no further reconnect while it fires"), &alert->cause);
            watch_tell_given_up(change, COMMAND_RECONNECT, alert, alert->tries);
        }
    }
}

/* It was replaced before it was done: what asked for it asks again. */
static void take_back(const struct change *change, const struct command *command)
{
    struct watched *watched = change->instance->watched;

    if (command->kind == COMMAND_UNTHROTTLE)
        watched->record.owes_unthrottle = true;
    for (uint32_t i = 0; i < watched->alert_count; i++) {
        struct alert *alert = &watched->alerts[i];

        if (!slice_equal(ident_slice(&alert->name), ident_slice(&command->alert)))
            continue;
        if (command->kind == COMMAND_THROTTLE)
            alert->done &= ~ACTION_BIT(ACTION_THROTTLE);
        else if (command->kind == COMMAND_REDISTRIBUTE)
            alert->done &= ~ACTION_BIT(ACTION_REDISTRIBUTE);
        alert_store(change, alert);
    }
}

void command_end(struct change *change, enum command_status status, const char *reason)
{
    struct watched *watched = change->instance->watched;
    struct command *command = &watched->record.command;

    if (!command->has_succeeded)
        tell_end(change, status, reason);
    command->is_open = false;
    watched->is_dirty = watched->wants_round = true;
    if (command->kind == COMMAND_RECOVER && !command->by_operator)
        recovery_on_command_end(change, status);
    else if (command->kind == COMMAND_RECONNECT)
        delay_reconnect(change, command);
    else if (status == COMMAND_CANCELLED && !command->by_operator)
        take_back(change, command);
}

static void take_success(struct change *change)
{
    struct command *command = command_of(change);

    if (command->kind != COMMAND_RECOVER || command->by_operator) {
        command_end(change, COMMAND_OK, NULL);
        return;
    }
    if (command->has_succeeded)
        return;
    tell_end(change, COMMAND_OK, NULL);
    command->has_succeeded = true;
    change->instance->watched->is_dirty = true;
}

static void take_acceptance(struct change *change)
{
    struct command *command = command_of(change);
    char id[IDENT_COMMAND_MAX + 1];

    if (command->is_accepted)
        return;
    command->is_accepted = true;
    change->instance->watched->is_dirty = true;
    count(change, command->kind, COMMAND_ACCEPTED);
    note(change, WHY_ANSWER, "accepted", id_of(change, command->kind, command->number, id),
         ident_slice(&command->alert), none, &command->cause);
}

static void tell_stray(const struct change *change, const struct report *report, bool is_late)
{
    const struct watch *watch = change->fleet->watch;

    if (watch->on_stray_answer)
        watch->on_stray_answer(watch->ctx, change->instance, report, is_late);
}

/* An answer to something else than the open command. */
static void take_other_answer(const struct change *change, const struct report *report)
{
    struct watched *watched = change->instance->watched;
    struct watch_stats *stats = &change->fleet->watch->stats;
    enum command_kind kind;
    uint64_t number;

    if (!watched ||
        !command_id_parse(report->command_id, ident_slice(&change->instance->id), &kind, &number) ||
        number == 0 || number > watched->record.commands) {
        stats->answers_unknown++;
        tell_stray(change, report, false);
    } else if (kind == COMMAND_CANCEL && number == watched->record.cancel_number) {
        if (report->command_status == COMMAND_ACCEPTED)
            return;
        watched->record.cancel_number = 0;
        watched->record.cancel_hook = (struct cancel_hook){0};
        watched->is_dirty = true;
        count(change, COMMAND_CANCEL, report->command_status);
        tell(change, report->command_status, report->command_id, none,
             slice_text(command_status_name(report->command_status)), change->cause);
        note(change, WHY_ANSWER, command_status_name(report->command_status), report->command_id, none,
             report->command_error, change->cause);
    } else {
        stats->answers_late++;
        tell_stray(change, report, true);
    }
}

void command_take_answer(struct change *change, const struct report *report)
{
    char id[IDENT_COMMAND_MAX + 1];
    struct slice open = watch_command_id(change->instance, id);
    struct errmsg error;

    if (!report_has(report, REPORT_COMMAND_ID) || !report_has(report, REPORT_COMMAND_STATUS))
        return;
    if (open.len == 0 || !slice_equal(open, report->command_id)) {
        take_other_answer(change, report);
        return;
    }
    switch (report->command_status) {
    case COMMAND_ACCEPTED:
        take_acceptance(change);
        return;
    case COMMAND_OK:
        take_success(change);
        return;
    default:
        errmsg_set(&error, "%.*s", (int)report->command_error.len,
                   report->command_error.data ? report->command_error.data : "");
        command_end(change, COMMAND_FAILED, error.text[0] ? error.text : NULL);
        return;
    }
}

void command_expire(struct change *change)
{
    const struct watched *watched = change->instance->watched;
    /* Its answer may be in what is still to be read. */
    int64_t read_ms =
        change->is_round && change->horizon_ms < change->at_ms ? change->horizon_ms : change->at_ms;

    if (!watched || !watched->record.command.is_open || read_ms < watched->record.command.expires_ms)
        return;
    command_end(change, COMMAND_EXPIRED,
                watched->record.command.is_accepted ? "accepted, but not done in time" : "nobody answered");
}

static bool is_due_cancel(const struct instance *instance, struct slice command_id)
{
    const struct watch_record *record = &instance->watched->record;
    char id[IDENT_COMMAND_MAX + 1];
    size_t len = command_id_format(id, ident_slice(&instance->id), COMMAND_CANCEL, record->cancel_number);

    return record->cancel_hook.is_due && slice_equal(slice_of(id, len), command_id);
}

void watch_on_hook_done(struct fleet *fleet, struct slice instance_id, struct slice command_id, bool is_done,
                        const struct cause *cause, int64_t now_ms, struct sink *sink)
{
    struct instance *instance = fleet_find(fleet, instance_id);
    char id[IDENT_COMMAND_MAX + 1];
    struct change change;
    struct slice open = instance ? watch_command_id(instance, id) : none;
    bool is_open = open.len > 0 && slice_equal(open, command_id);

    if (!is_open && !(instance && instance->watched && is_due_cancel(instance, command_id)))
        return;
    sink->ops->begin(sink->ctx, cause);
    change = change_of(fleet, instance, cause, now_ms, sink);
    instance->batch = fleet->batch;
    if (is_open)
        command_of(&change)->hook_is_due = false;
    else
        instance->watched->record.cancel_hook = (struct cancel_hook){0};
    instance->watched->is_dirty = true;
    if (is_open && is_done && instance->watched->record.is_silent)
        take_success(&change);
    change_finish(&change);
}

/* ---- operators ---- */

/* Who asks for a recovery does not believe in the failure of the whole group. */
static void end_groups(struct change *change)
{
    struct breaker *breaker = &change->fleet->watch->breaker;

    for (int k = 0; k < GROUP_KINDS; k++) {
        struct breaker_group *group = breaker_group_of(breaker, change->instance, (enum group_kind)k);

        if (!group || !group->is_open)
            continue;
        breaker_end(breaker, change->fleet, group);
        group->ended_by_operator = true;
        change->sink->ops->breaker_unset(change->sink->ctx, group);
        change->fleet->watch->groups_changed = true;
    }
}

bool watch_command(struct fleet *fleet, struct instance *instance, const struct watch_order *order,
                   const struct cause *cause, int64_t now_ms, struct sink *sink,
                   char ret_id[IDENT_COMMAND_MAX + 1])
{
    struct watched *watched = watched_get(fleet, instance);
    struct slice reason = order->reason.len > 0 ? order->reason : slice_text("asked for by an operator");
    struct change change = change_of(fleet, instance, cause, now_ms, sink);
    struct slice open = watch_command_id(instance, ret_id);
    bool arms = order->kind == COMMAND_START || order->kind == COMMAND_RECOVER;

    if (open.len > 0 && watched->record.command.kind <= order->kind) {
        ret_id[open.len] = '\0';
        return false;
    }
    sink->ops->begin(sink->ctx, cause);
    instance->batch = fleet->batch;
    recovery_abandon(&change);
    if (arms)
        recovery_arm(&change, true);
    if (order->kind == COMMAND_RECOVER)
        end_groups(&change);
    desired_state_set(&change, order->kind == COMMAND_STOP ? STATE_STOPPED : STATE_RUNNING);
    command_issue(&change, &(struct command_draft){.kind = order->kind,
                                                   .reason = reason,
                                                   .by_operator = true,
                                                   .cause = *cause,
                                                   .timeout_ms = fleet->watch->options.recovery.timeout_ms});
    open = watch_command_id(instance, ret_id);
    ret_id[open.len] = '\0';
    change_finish(&change);
    return true;
}
