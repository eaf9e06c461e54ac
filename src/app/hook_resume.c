/* Hooks that had not come to their end when the daemon did, run again from what is stored: under the same
 * command_id, and with the same fields but for a reason in fewer words. */
#include "hook_calls_private.h"

#include "app/daemon.h"
#include "util/number.h"
#include "util/time_text.h"

static void add_number(struct hook_call *call, const char *name, bool applies, double number)
{
    char text[NUMBER_TEXT_MAX];
    if (applies)
        hook_call_add(call, name, slice_of(text, number_format_double(text, number)));
}

/* A number, or the name of a state where the rule was about states. */
static void add_sample(struct hook_call *call, const char *name, const struct notice *notice, bool applies,
                       double value)
{
    if (applies && notice->is_about_state && value >= 0 && value < INSTANCE_STATES)
        hook_call_add(call, name, slice_text(instance_state_name((enum instance_state)(int)value)));
    else
        add_number(call, name, applies, value);
}

static void add_time(struct hook_call *call, const char *name, int64_t time_ms)
{
    char text[TIME_TEXT_LEN + 1];
    time_text_format(text, time_ms);
    hook_call_add(call, name, slice_of(text, TIME_TEXT_LEN));
}

static struct hook_call *resumed_call_new(const struct instance *instance, enum command_kind kind,
                                          uint64_t number, struct slice reason)
{
    char text[IDENT_COMMAND_MAX + 1];
    struct slice id = slice_of(text, command_id_format(text, ident_slice(&instance->id), kind, number));
    struct hook_call *call = hook_call_new((enum config_hook_kind)kind, id);
    call->instance_id = instance->id;
    hook_call_add(call, "command_id", id);
    hook_call_add(call, "instance_id", ident_slice(&instance->id));
    hook_call_add(call, "command", slice_text(command_kind_name(kind)));
    hook_call_add(call, "reason", reason);
    return call;
}

/* An agent may act up to the second that it is told: it is rounded up. */
static void add_times(struct hook_call *call, int64_t issued_ms, int64_t expires_ms)
{
    add_time(call, "issued_at", issued_ms);
    add_time(call, "expires_at", expires_ms + 999);
}

static int64_t cancel_expires_ms(const struct hook_calls *calls, const struct watch_record *record)
{
    return record->cancel_hook.issued_ms + calls->d->config->recovery.timeout_ms;
}

static void resume_cancel(struct hook_calls *calls, const struct instance *instance)
{
    const struct watch_record *record = &instance->watched->record;
    const struct cancel_hook *hook = &record->cancel_hook;
    struct hook_call *call =
        resumed_call_new(instance, COMMAND_CANCEL, record->cancel_number, slice_text("cancelled"));
    char text[IDENT_COMMAND_MAX + 1];
    call->expires_ms = cancel_expires_ms(calls, record);
    add_times(call, hook->issued_ms, call->expires_ms);
    add_number(call, "open_trades", true, instance->open_trades);
    hook_call_add(
        call, "cancels",
        slice_of(text, command_id_format(text, ident_slice(&instance->id), hook->kind, hook->number)));
    hook_call_begin(calls, call);
}

static void resume_command(struct hook_calls *calls, const struct instance *instance)
{
    const struct command *command = &instance->watched->record.command;
    struct hook_call *call = resumed_call_new(instance, command->kind, command->number,
                                              command->by_operator ? slice_text("asked for by an operator")
                                                                   : ident_slice(&command->alert));
    add_number(call, "attempt", command->attempt > 0, command->attempt);
    add_times(call, command->issued_ms, command->expires_ms);
    add_number(call, "open_trades", true, instance->open_trades);
    hook_call_add(call, "target_instance_id", ident_slice(&command->target));
    hook_call_begin(calls, call);
}

static void resume_notice(struct hook_calls *calls, const struct notice *notice)
{
    struct hook_call *call = hook_call_new(CONFIG_HOOK_NOTIFY, notice_key(notice));
    char text[CAUSE_TEXT_MAX];
    call->change = notice->change;
    hook_call_add(call, "event",
                  slice_text(event_name(notice->ends_ms ? EVENT_ALERT_RESOLVED : EVENT_ALERT_FIRING)));
    hook_call_add(call, "instance_id", ident_slice(&notice->instance_id));
    add_time(call, "at", notice->ends_ms ? notice->ends_ms : notice->starts_ms);
    hook_call_add(call, "reason", slice_text(notice->group));
    hook_call_add(call, "alert", ident_slice(&notice->alert));
    add_sample(call, "value", notice, notice->has_value, notice->value);
    add_sample(call, "threshold", notice, notice->has_threshold, notice->threshold);
    hook_call_add(call, "correlation_id", slice_of(text, cause_format(text, &notice->cause)));
    hook_call_begin(calls, call);
}

/* What has expired meanwhile must not be done any more. */
void hook_calls_resume(struct hook_calls *calls)
{
    struct fleet *fleet = &calls->d->fleet;
    struct instance *instance;
    struct notice *notice;
    int64_t now_ms = daemon_now_ms(calls->d);
    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        const struct watch_record *record = instance->watched ? &instance->watched->record : NULL;
        if (!record)
            continue;
        if (record->cancel_hook.is_due && hook_calls_has(calls, CONFIG_HOOK_CANCEL) &&
            now_ms < cancel_expires_ms(calls, record))
            resume_cancel(calls, instance);
        if (record->command.is_open && record->command.hook_is_due && now_ms < record->command.expires_ms &&
            hook_calls_has(calls, (enum config_hook_kind)record->command.kind))
            resume_command(calls, instance);
    }
    for (uint32_t i = 0; (notice = notices_next(&fleet->watch->notices, i));
         i = notices_place_of(&fleet->watch->notices, notice) + 1) {
        if (notice->hook_is_due && hook_calls_has(calls, CONFIG_HOOK_NOTIFY))
            resume_notice(calls, notice);
    }
}
