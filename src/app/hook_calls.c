#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "codec/event_json.h"
#include "hook_calls_private.h"
#include "util/alloc.h"
#include "util/time_text.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static_assert((int)COMMAND_KINDS == (int)CONFIG_HOOK_NOTIFY && (int)COMMAND_STOP == (int)CONFIG_HOOK_STOP &&
                  (int)COMMAND_CANCEL == (int)CONFIG_HOOK_CANCEL,
              "hooks are in the order of the commands");

static_assert(NOTICE_KEY_MAX <= IDENT_COMMAND_MAX, "either key fits");
static_assert(HOOK_FIELDS_MAX >= EVENT_FIELDS_MAX, "an event fits");

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
    TAILQ_INIT(&calls->live);
    calls->hooks = hooks_new(d->loop, d->log, &options);
}

void hook_calls_configure(struct hook_calls *calls)
{
    struct hooks_options options = options_of(calls->d->config);
    hooks_configure(calls->hooks, &options);
}

/* ---- calls ---- */

struct hook_call *hook_call_new(enum config_hook_kind kind, struct slice key)
{
    struct hook_call *call = mem_new(1, sizeof *call);
    call->kind = kind;
    (void)snprintf(call->key, sizeof call->key, "%.*s", (int)key.len, key.data ? key.data : "");
    return call;
}

static void call_free(struct hook_call *call)
{
    if (!call)
        return;
    call_free(call->next);
    buf_clear(&call->text);
    free(call);
}

void hook_call_add(struct hook_call *call, const char *name, struct slice value)
{
    if (value.len == 0 || call->field_count == HOOK_FIELDS_MAX)
        return;
    call->fields[call->field_count++] = (struct hook_field){name, call->text.len, value.len};
    buf_add_slice(&call->text, value);
}

static void take_fields(struct hook_call *call, const struct batch *batch, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slice name, value;
        batch_get_field(batch, first + i, &name, &value);
        hook_call_add(call, name.data, value);
    }
}

static struct slice find_field(const struct batch *batch, const struct batch_command *command,
                               const char *wanted)
{
    for (uint32_t i = 0; i < command->fields; i++) {
        struct slice name, value;
        batch_get_field(batch, command->first_field + i, &name, &value);
        if (slice_is(name, wanted))
            return value;
    }
    return slice_of(NULL, 0);
}

bool hook_calls_has(const struct hook_calls *calls, enum config_hook_kind kind)
{
    return calls->d->config->hooks[kind].argv != NULL;
}

/* Nobody waits for CALL any more. */
static void leave(struct hook_call *call)
{
    TAILQ_REMOVE(&call->calls->live, call, link);
    call->calls = NULL;
}

/* ---- what may run now ---- */

static bool leads_now(const struct daemon *d)
{
    return lead_is_active(&d->lead) && redis_link_is_up(d->link) && loop_now_ms() < d->lead.lease_until_ms;
}

/* False where it has ended by now: what it asks for must not be done any more. */
static bool is_under_way(const struct daemon *d, struct slice instance_id, struct slice command_id)
{
    const struct instance *instance = fleet_find(&d->fleet, instance_id);
    char open[IDENT_COMMAND_MAX + 1];
    return instance && slice_equal(watch_command_id(instance, open), command_id);
}

/* What would hold an automatic command back now. */
static bool is_held_back(const struct daemon *d, const struct instance *instance)
{
    const struct watch *watch = d->fleet.watch;
    return watch->options.observe_only || breaker_covers(&watch->breaker, instance) ||
           watch_in_maintenance(&d->fleet, instance, daemon_now_ms(d), NULL, NULL);
}

/* Asked of a call that core waits for, by a daemon that leads and may judge. */
static enum hook_permission judge(const struct daemon *d, const struct hook_call *call)
{
    struct slice instance_id = ident_slice(&call->instance_id);
    const struct instance *instance;
    const struct command *command;
    if (call->kind == CONFIG_HOOK_CANCEL)
        return daemon_now_ms(d) < call->expires_ms ? HOOK_MAY_START : HOOK_MUST_END;
    if (!is_under_way(d, instance_id, slice_text(call->key)))
        return HOOK_MUST_END;
    instance = fleet_find(&d->fleet, instance_id);
    command = &instance->watched->record.command;
    if (daemon_now_ms(d) >= command->expires_ms)
        return HOOK_MUST_END;
    return !command->by_operator && is_held_back(d, instance) ? HOOK_MUST_WAIT : HOOK_MAY_START;
}

/* The guard is asked first: this may be the first thing that is done after a stall. */
static enum hook_permission may_start(void *ctx)
{
    struct hook_call *call = ctx;
    struct daemon *d;
    enum hook_permission permission;
    if (!call->calls)
        return HOOK_MUST_END;
    d = call->calls->d;
    if (!leads_now(d))
        return HOOK_MUST_WAIT;
    if (call->kind == CONFIG_HOOK_NOTIFY)
        return HOOK_MAY_START;
    guarding_look(&d->guarding);
    if (guarding_is_active(&d->guarding))
        return HOOK_MUST_WAIT;
    permission = judge(d, call);
    call->is_over = permission == HOOK_MUST_END;
    return permission;
}

/* ---- runs ---- */

static void on_done(void *ctx, const struct hook_result *result);

void hook_call_begin(struct hook_calls *calls, struct hook_call *call)
{
    struct slice names[HOOK_FIELDS_MAX], values[HOOK_FIELDS_MAX];
    struct hook_variable variables[HOOK_FIELDS_MAX];
    struct buf json = BUF_INIT;
    struct slice instance_id = slice_of("", 0), command_id = slice_of("", 0);
    char lane[IDENT_MAX + 1];
    (void)snprintf(lane, sizeof lane, "%.*s", (int)call->instance_id.len, call->instance_id.text);
    for (size_t i = 0; i < call->field_count; i++) {
        const struct hook_field *field = &call->fields[i];
        names[i] = slice_text(field->name);
        values[i] = slice_of(call->text.data + field->offset, field->len);
        variables[i] = (struct hook_variable){field->name, values[i]};
        if (strcmp(field->name, "instance_id") == 0)
            instance_id = values[i];
        else if (strcmp(field->name, "command_id") == 0)
            command_id = values[i];
    }
    event_json_add(&json, names, values, call->field_count);
    call->calls = calls;
    TAILQ_INSERT_TAIL(&calls->live, call, link);
    hooks_run(calls->hooks, &(struct hook_request){
                                .label = config_hook_names[call->kind],
                                .key = call->key,
                                .argv = (const char *const *)calls->d->config->hooks[call->kind].argv,
                                .variables = variables,
                                .variable_count = call->field_count,
                                .input = buf_slice(&json),
                                .lane = call->kind == CONFIG_HOOK_NOTIFY ? NULL : lane,
                                .instance_id = instance_id,
                                .command_id = command_id,
                                .may_start = may_start,
                                .done = on_done,
                                .ctx = call,
                            });
    buf_clear(&json);
    buf_clear(&call->text); /* the hooks have a copy */
}

/* ---- ends ---- */

static struct cause own_cause(struct daemon *d)
{
    return (struct cause){CAUSE_TIMER, {(uint64_t)daemon_now_ms(d), d->fleet.timers++}};
}

static void end_command(struct hook_calls *calls, const struct hook_call *call)
{
    struct daemon *d = calls->d;
    struct cause cause = own_cause(d);
    watch_on_hook_done(&d->fleet, ident_slice(&call->instance_id), slice_text(call->key),
                       call->outcome == HOOK_DONE, &cause, daemon_now_ms(d), commit_sink(&d->commit));
}

static void end_notice(struct hook_calls *calls, struct hook_call *call)
{
    struct daemon *d = calls->d;
    struct notice *notice = notices_find(&d->fleet.watch->notices, slice_text(call->key));
    struct cause cause = own_cause(d);
    struct hook_call *next = call->next;
    if (call->outcome == HOOK_DONE)
        calls->notified++;
    else if (call->outcome == HOOK_DROPPED)
        calls->dropped++;
    else
        calls->not_notified++;
    if (notice)
        watch_on_notified(&d->fleet, notice, call->change, &cause, commit_sink(&d->commit));
    call->next = NULL;
    if (next && hook_calls_has(calls, CONFIG_HOOK_NOTIFY))
        hook_call_begin(calls, next);
    else
        call_free(next);
    webhooks_poke(&d->webhooks);
}

static void end(struct hook_calls *calls, struct hook_call *call)
{
    leave(call);
    if (call->kind == CONFIG_HOOK_NOTIFY)
        end_notice(calls, call);
    else
        end_command(calls, call);
    call_free(call);
    ingest_wake(&calls->d->ingest);
}

static void on_done(void *ctx, const struct hook_result *result)
{
    struct hook_call *call = ctx;
    struct hook_calls *calls = call->calls;
    call->has_ended = true;
    call->outcome = result->outcome;
    if (calls && result->outcome == HOOK_CANCELLED && !call->is_over) {
        leave(call);
        calls = NULL;
    }
    if (!calls)
        call_free(call);
    else if (lead_is_active(&calls->d->lead))
        end(calls, call);
}

void hook_calls_go_on(struct hook_calls *calls)
{
    struct hook_call *call, *next;
    for (call = TAILQ_FIRST(&calls->live); call; call = next) {
        next = TAILQ_NEXT(call, link);
        if (call->has_ended)
            end(calls, call);
    }
}

void hook_calls_reset(struct hook_calls *calls)
{
    struct hook_call *call, *next;
    for (call = TAILQ_FIRST(&calls->live); call; call = next) {
        next = TAILQ_NEXT(call, link);
        leave(call);
        if (call->has_ended)
            call_free(call);
        else
            hooks_forget_key(calls->hooks, call->key);
    }
}

void hook_calls_clear(struct hook_calls *calls)
{
    if (!calls->hooks)
        return;
    hook_calls_reset(calls);
    hooks_free(calls->hooks);
    calls->hooks = NULL;
}

/* ---- what is stored ---- */

void hook_calls_forget(struct hook_calls *calls, struct slice command_id, bool is_done)
{
    char key[IDENT_COMMAND_MAX + 1];
    (void)snprintf(key, sizeof key, "%.*s", (int)command_id.len, command_id.data);
    if (is_done)
        hooks_forget_key(calls->hooks, key);
    else
        hooks_cancel_key(calls->hooks, key);
}

/* When a cancel that goes out now expires, from the text of its entry, in whole seconds rounded up. */
static int64_t expiry_of(const struct daemon *d, const struct batch *batch,
                         const struct batch_command *command)
{
    int64_t ms;
    if (!time_text_parse(find_field(batch, command, "expires_at"), &ms))
        ms = daemon_now_ms(d) + d->config->recovery.timeout_ms;
    return ms;
}

void hook_calls_command(struct hook_calls *calls, const struct batch *batch,
                        const struct batch_command *command)
{
    struct slice id = find_field(batch, command, "command_id");
    struct slice instance_id = find_field(batch, command, "instance_id");
    struct slice cancelled = find_field(batch, command, "cancels");
    struct hook_call *call;
    if (cancelled.len > 0) /* also one that is `ok`, and was waited for until its instance runs */
        hook_calls_forget(calls, cancelled, false);
    if (!hook_calls_has(calls, (enum config_hook_kind)command->kind) ||
        (command->kind != COMMAND_CANCEL && !is_under_way(calls->d, instance_id, id)))
        return;
    call = hook_call_new((enum config_hook_kind)command->kind, id);
    ident_set(&call->instance_id, instance_id);
    if (command->kind == COMMAND_CANCEL)
        call->expires_ms = expiry_of(calls->d, batch, command);
    take_fields(call, batch, command->first_field, command->fields);
    hook_call_begin(calls, call);
}

static struct hook_call *find_live(const struct hook_calls *calls, const char *key)
{
    struct hook_call *call;
    for (call = TAILQ_FIRST(&calls->live); call; call = TAILQ_NEXT(call, link))
        if (call->kind == CONFIG_HOOK_NOTIFY && strcmp(call->key, key) == 0)
            return call;
    return NULL;
}

/* Begins CALL, or has it wait for the one of the same alert that is under way. */
static void tell(struct hook_calls *calls, struct hook_call *call)
{
    struct hook_call *before = find_live(calls, call->key);
    if (!before) {
        hook_call_begin(calls, call);
        return;
    }
    call_free(before->next); /* over before anybody could be told of it */
    before->next = call;
}

void hook_calls_notice(struct hook_calls *calls, const struct batch *batch, const struct batch_notice *notice)
{
    struct hook_call *call;
    if (!hook_calls_has(calls, CONFIG_HOOK_NOTIFY))
        return;
    call = hook_call_new(CONFIG_HOOK_NOTIFY, batch_notice_key(batch, notice));
    call->change = notice->change;
    take_fields(call, batch, notice->first_field, notice->fields);
    tell(calls, call);
}
