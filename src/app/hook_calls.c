#include "app/hook_calls.h"
#include "adapters/hook.h"
#include "app/daemon.h"
#include "codec/event_json.h"
#include "util/alloc.h"
#include "util/number.h"
#include "util/time_text.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELDS_MAX 16

static_assert((int)COMMAND_KINDS == (int)CONFIG_HOOK_NOTIFY && (int)COMMAND_STOP == (int)CONFIG_HOOK_STOP &&
                  (int)COMMAND_CANCEL == (int)CONFIG_HOOK_CANCEL,
              "hooks are in the order of the commands");

/* What a hook is about, until it has ended. */
struct call {
    struct hook_calls *calls;
    enum config_hook_kind kind;
    uint64_t epoch; /* of the state it belongs to */
    uint64_t change;
    struct ident instance_id;
    size_t key_len;
    char key[IDENT_COMMAND_MAX + 1]; /* command_id, or the key of a notice */
};

static_assert(NOTICE_KEY_MAX <= IDENT_COMMAND_MAX, "either key fits");

static struct hooks_options options_of(const struct config *config)
{
    return (struct hooks_options){.timeout_ms = config->hooks_timeout_ms,
                                  .max_running = (size_t)config->hooks_max_running,
                                  .max_queued = (size_t)config->hooks_max_queued};
}

void hook_calls_init(struct hook_calls *calls, struct daemon *d)
{
    struct hooks_options options = options_of(d->config);
    *calls = (struct hook_calls){.d = d};
    calls->hooks = hooks_new(d->loop, d->log, &options);
}

void hook_calls_clear(struct hook_calls *calls)
{
    hooks_free(calls->hooks);
    calls->hooks = NULL;
}

void hook_calls_configure(struct hook_calls *calls)
{
    struct hooks_options options = options_of(calls->d->config);
    hooks_configure(calls->hooks, &options);
}

static struct cause own_cause(struct daemon *d)
{
    return (struct cause){CAUSE_TIMER, {(uint64_t)daemon_now_ms(d), d->fleet.timers++}};
}

static void on_command_done(struct call *call, const struct hook_result *result)
{
    struct daemon *d = call->calls->d;
    struct cause cause = own_cause(d);
    watch_on_hook_done(&d->fleet, ident_slice(&call->instance_id), slice_of(call->key, call->key_len),
                       result->outcome == HOOK_DONE, &cause, daemon_now_ms(d), commit_sink(&d->commit));
}

static void on_notice_done(struct call *call, const struct hook_result *result)
{
    struct daemon *d = call->calls->d;
    struct notice *notice = notices_find(&d->fleet.watch->notices, slice_of(call->key, call->key_len));
    struct cause cause = own_cause(d);
    if (result->outcome == HOOK_DONE)
        call->calls->notified++;
    else if (result->outcome == HOOK_DROPPED)
        call->calls->dropped++;
    else
        call->calls->not_notified++;
    if (notice)
        watch_on_notified(&d->fleet, notice, call->change, &cause, commit_sink(&d->commit));
    webhooks_poke(&d->webhooks);
}

static void on_done(void *ctx, const struct hook_result *result)
{
    struct call *call = ctx;
    struct daemon *d = call->calls->d;
    /* Of another life of this daemon: what it was about was given up, or is run again. */
    bool is_ours = lead_is_active(&d->lead) && call->epoch == d->state_number && result->outcome != HOOK_CANCELLED;
    if (is_ours) {
        if (call->kind == CONFIG_HOOK_NOTIFY)
            on_notice_done(call, result);
        else
            on_command_done(call, result);
        ingest_wake(&d->ingest);
    }
    free(call);
}

static bool has_hook(const struct hook_calls *calls, enum config_hook_kind kind)
{
    return calls->d->config->hooks[kind].argv != NULL;
}

struct fields {
    struct slice names[FIELDS_MAX], values[FIELDS_MAX];
    size_t count;
};

static void add(struct fields *fields, const char *name, struct slice value)
{
    if (value.len > 0 && fields->count < FIELDS_MAX) {
        fields->names[fields->count] = slice_text(name);
        fields->values[fields->count++] = value;
    }
}

static void run(struct hook_calls *calls, struct call *call, const struct fields *fields)
{
    struct hook_variable variables[FIELDS_MAX];
    struct buf json = BUF_INIT;
    event_json_add(&json, fields->names, fields->values, fields->count);
    for (size_t i = 0; i < fields->count; i++)
        variables[i] = (struct hook_variable){fields->names[i].data, fields->values[i]};
    hooks_run(calls->hooks, &(struct hook_request){
                                .label = config_hook_names[call->kind],
                                .key = call->key,
                                .argv = (const char *const *)calls->d->config->hooks[call->kind].argv,
                                .variables = variables,
                                .variable_count = fields->count,
                                .input = buf_slice(&json),
                                .done = on_done,
                                .ctx = call,
                            });
    buf_clear(&json);
}

static struct call *call_new(struct hook_calls *calls, enum config_hook_kind kind, struct slice key)
{
    struct call *call = mem_new(1, sizeof *call);
    call->calls = calls;
    call->kind = kind;
    call->epoch = calls->d->state_number;
    call->key_len = key.len < sizeof call->key ? key.len : sizeof call->key - 1;
    memcpy(call->key, key.data, call->key_len);
    return call;
}

static void take_fields(struct fields *fields, const struct batch *batch, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slice name, value;
        batch_get_field(batch, first + i, &name, &value);
        add(fields, name.data, value);
    }
}

static struct slice find(const struct fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (slice_is(fields->names[i], name))
            return fields->values[i];
    return slice_of(NULL, 0);
}

void hook_calls_forget(struct hook_calls *calls, struct slice command_id)
{
    char key[IDENT_COMMAND_MAX + 1];
    (void)snprintf(key, sizeof key, "%.*s", (int)command_id.len, command_id.data);
    hooks_cancel_key(calls->hooks, key);
}

void hook_calls_command(struct hook_calls *calls, const struct batch *batch,
                        const struct batch_command *command)
{
    struct fields fields = {.count = 0};
    struct call *call;
    take_fields(&fields, batch, command->first_field, command->fields);
    if (!has_hook(calls, (enum config_hook_kind)command->kind))
        return;
    call = call_new(calls, (enum config_hook_kind)command->kind, find(&fields, "command_id"));
    ident_set(&call->instance_id, find(&fields, "instance_id"));
    run(calls, call, &fields);
}

void hook_calls_notice(struct hook_calls *calls, const struct batch *batch, const struct batch_notice *notice)
{
    struct fields fields = {.count = 0};
    struct call *call;
    if (!has_hook(calls, CONFIG_HOOK_NOTIFY))
        return;
    take_fields(&fields, batch, notice->first_field, notice->fields);
    call = call_new(calls, CONFIG_HOOK_NOTIFY, batch_notice_key(batch, notice));
    call->change = notice->change;
    run(calls, call, &fields);
}

/* ---- after a restart ---- */

struct texts {
    char id[IDENT_COMMAND_MAX + 1], issued[TIME_TEXT_LEN + 1], expires[TIME_TEXT_LEN + 1];
    char attempt[NUMBER_TEXT_MAX], trades[NUMBER_TEXT_MAX], value[NUMBER_TEXT_MAX];
    char cause[CAUSE_TEXT_MAX];
};

static void resume_command(struct hook_calls *calls, struct instance *instance)
{
    const struct command *command = &instance->watched->record.command;
    struct fields fields = {.count = 0};
    struct texts t;
    struct slice id = watch_command_id(instance, t.id);
    struct call *call = call_new(calls, (enum config_hook_kind)command->kind, id);
    call->instance_id = instance->id;
    time_text_format(t.issued, command->issued_ms);
    time_text_format(t.expires, command->expires_ms + 999);
    add(&fields, "command_id", id);
    add(&fields, "instance_id", ident_slice(&instance->id));
    add(&fields, "command", slice_text(command_kind_name(command->kind)));
    add(&fields, "reason", ident_slice(&command->alert));
    if (command->attempt)
        add(&fields, "attempt", slice_of(t.attempt, number_format_u64(t.attempt, command->attempt)));
    add(&fields, "issued_at", slice_of(t.issued, TIME_TEXT_LEN));
    add(&fields, "expires_at", slice_of(t.expires, TIME_TEXT_LEN));
    add(&fields, "open_trades", slice_of(t.trades, number_format_u64(t.trades, instance->open_trades)));
    run(calls, call, &fields);
}

static void resume_notice(struct hook_calls *calls, struct notice *notice)
{
    struct fields fields = {.count = 0};
    struct texts t;
    struct call *call = call_new(calls, CONFIG_HOOK_NOTIFY, notice_key(notice));
    call->change = notice->change;
    time_text_format(t.issued, notice->ends_ms ? notice->ends_ms : notice->starts_ms);
    add(&fields, "event",
        slice_text(event_name(notice->ends_ms ? EVENT_ALERT_RESOLVED : EVENT_ALERT_FIRING)));
    add(&fields, "instance_id", ident_slice(&notice->instance_id));
    add(&fields, "at", slice_of(t.issued, TIME_TEXT_LEN));
    add(&fields, "reason", slice_text(notice->group));
    add(&fields, "alert", ident_slice(&notice->alert));
    if (notice->has_value)
        add(&fields, "value", slice_of(t.value, number_format_double(t.value, notice->value)));
    add(&fields, "correlation_id", slice_of(t.cause, cause_format(t.cause, &notice->cause)));
    run(calls, call, &fields);
}

void hook_calls_resume(struct hook_calls *calls)
{
    struct fleet *fleet = &calls->d->fleet;
    struct instance *instance;
    struct notice *notice;
    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        const struct command *command = instance->watched ? &instance->watched->record.command : NULL;
        if (command && command->is_open && command->hook_is_due &&
            has_hook(calls, (enum config_hook_kind)command->kind))
            resume_command(calls, instance);
    }
    for (uint32_t i = 0; (notice = notices_next(&fleet->watch->notices, i));
         i = notices_place_of(&fleet->watch->notices, notice) + 1) {
        if (notice->hook_is_due && has_hook(calls, CONFIG_HOOK_NOTIFY))
            resume_notice(calls, notice);
    }
}
