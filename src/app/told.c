#include "app/told.h"

#include "adapters/log.h"
#include "app/daemon.h"
#include "util/time_text.h"
#include <stdio.h>

/* A key for lines about INSTANCE that differ in what is behind it. */
struct told_key {
    char text[IDENT_MAX + IDENT_COMMAND_MAX + 64];
};

static struct slice key_of(struct told_key *key, const struct instance *instance, const char *a,
                           const char *b)
{
    (void)snprintf(key->text, sizeof key->text, "%.*s %s %s", instance->id.len, instance->id.text, a, b);
    return slice_text(key->text);
}

/* ---- events ---- */

/* What others have acted on though it was over has to be put right by hand. */
static enum log_level level_of(const struct batch_event *event)
{
    static const enum log_level levels[] = {
        [GRAVITY_INFO] = LOG_INFO_LEVEL,
        [GRAVITY_WARNING] = LOG_WARN_LEVEL,
        [GRAVITY_ERROR] = LOG_ERROR_LEVEL,
    };

    return event->kind == EVENT_LATE_EXECUTION ? LOG_ERROR_LEVEL : levels[event->gravity];
}

void told_event(struct log *log, const struct batch *batch, const struct batch_event *event)
{
    struct log_field fields[EVENT_FIELDS_MAX + 2];
    char until[TIME_TEXT_LEN + 1];
    size_t count = 0;

    for (uint32_t f = 0; f < event->fields; f++) {
        struct slice name, value;

        batch_get_field(batch, event->first_field + f, &name, &value);
        if (!slice_is(name, "event") && !slice_is(name, "at"))
            fields[count++] = log_slice(name.data, value);
    }
    if (event->severity)
        fields[count++] = log_text("severity", event->severity);
    if (event->until_ms == INT64_MAX) {
        fields[count++] = log_text("until", "unlimited");
    } else if (event->until_ms) {
        time_text_format(until, event->until_ms);
        fields[count++] = log_text("until", until);
    }
    log_event(log, level_of(event), event_name(event->kind), fields, count);
}

/* ---- what is no event ---- */

static void on_instance_refused(void *ctx, const struct instance *instance, enum instance_state to)
{
    struct daemon *d = ctx;
    struct slice id = ident_slice(&instance->id);

    LOG_LIMITED(d->log, WARN, id, "transition refused", log_slice("instance_id", id),
                log_text("from", instance_state_name(instance->state)),
                log_text("to", instance_state_name(to)));
}

static void on_trade_refused(void *ctx, const struct trade *trade, enum trade_state to)
{
    struct daemon *d = ctx;
    struct slice id = ident_slice(&trade->id);

    LOG_LIMITED(d->log, WARN, id, "transition refused", log_slice("trade_id", id),
                log_text("from", trade_state_name(trade->state)), log_text("to", trade_state_name(to)));
}

static void on_unevaluable(void *ctx, const struct instance *instance, const struct rule *rule)
{
    struct daemon *d = ctx;
    struct slice id = ident_slice(&instance->id);

    LOG_LIMITED(d->log, WARN, id, "a rule cannot be evaluated: nothing says how much memory there is",
                log_slice("instance_id", id), log_slice("alert", ident_slice(&rule->name)),
                log_text("set", "memory_limit in reports, or instances.memory_limit_mb"));
}

/* Whoever reads the log at night asks why nothing is done. */
static void on_held(void *ctx, const struct instance *instance, enum command_kind command, enum hold hold,
                    const struct alert *alert)
{
    UNUSED(alert);
    struct daemon *d = ctx;
    struct told_key key;

    LOG_LIMITED(d->log, INFO, key_of(&key, instance, command_kind_name(command), hold_name(hold)),
                "not commanded", log_slice("instance_id", ident_slice(&instance->id)),
                log_text("command", command_kind_name(command)), log_text("reason", hold_name(hold)));
}

/* From here on a person has to do it. */
static void on_given_up(void *ctx, const struct instance *instance, enum command_kind command,
                        const struct alert *alert, uint32_t tries)
{
    struct daemon *d = ctx;

    LOG(d->log, ERROR, "given up", log_slice("instance_id", ident_slice(&instance->id)),
        log_text("command", command_kind_name(command)), log_slice("alert", ident_slice(&alert->name)),
        log_int("tries", tries));
}

static void on_stray_answer(void *ctx, const struct instance *instance, const struct report *report,
                            bool is_late)
{
    struct daemon *d = ctx;
    struct slice id = ident_slice(&instance->id);
    const char *status = command_status_name(report->command_status);

    if (is_late)
        LOG_LIMITED(d->log, INFO, id, "an answer to a command that has ended", log_slice("instance_id", id),
                    log_slice("command_id", report->command_id), log_text("status", status));
    else
        LOG_LIMITED(d->log, WARN, id, "an answer to a command that was never given",
                    log_slice("instance_id", id), log_slice("command_id", report->command_id),
                    log_text("status", status));
}

void told_init(struct daemon *d)
{
    struct watch *watch = d->fleet.watch;

    d->fleet.on_refused = on_instance_refused;
    d->fleet.ctx = d;
    watch->on_unevaluable = on_unevaluable;
    watch->on_held = on_held;
    watch->on_given_up = on_given_up;
    watch->on_stray_answer = on_stray_answer;
    watch->ctx = d;
    d->trades.on_refused = on_trade_refused;
    d->trades.ctx = d;
}
