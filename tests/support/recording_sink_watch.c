/* What a recording sink writes down of the watch. */
#include "core/watch.h"
#include "recording_sink_private.h"

/* A pair, unless the value is empty. */
static void add_pair_if(struct buf *line, const char *name, struct slice value)
{
    if (value.len > 0)
        line_add_pair(line, slice_text(name), value);
}

/* A pair, unless the value is 0. */
static void add_integer_if(struct buf *line, const char *name, int64_t value)
{
    if (value == 0)
        return;
    line_add_text(line, name);
    buf_add_char(line, '=');
    buf_add_i64(line, value);
}

static void add_if(struct buf *line, const char *word, bool condition)
{
    if (condition)
        line_add_text(line, word);
}

static void add_open_command(struct buf *line, const struct command *command)
{
    line_add_pair(line, slice_text("open"), slice_text(command_kind_name(command->kind)));
    buf_add_char(line, '.');
    buf_add_u64(line, command->number);
    add_if(line, "by_operator", command->by_operator);
    add_if(line, "accepted", command->is_accepted);
    add_if(line, "succeeded", command->has_succeeded);
    add_if(line, "hook_due", command->hook_is_due);
    add_integer_if(line, "attempt", command->attempt);
    add_integer_if(line, "expires", command->expires_ms);
}

void recording_on_watch_set(void *ctx, struct slice id, const struct watch_record *stored)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "watch");
    line_add_word(&line, id);
    add_integer_if(&line, "commands", (int64_t)stored->commands);
    if (stored->command.is_open)
        add_open_command(&line, &stored->command);
    add_integer_if(&line, "cancel", (int64_t)stored->cancel_number);
    if (stored->recovery.phase != RECOVERY_NONE)
        line_add_pair(&line, slice_text("recovery"), slice_text(recovery_phase_name(stored->recovery.phase)));
    add_if(&line, "disarmed", stored->recovery.is_disarmed);
    add_integer_if(&line, "next", stored->recovery.next_ms);
    add_integer_if(&line, "cooldown_until", stored->recovery.cooldown_until_ms);
    add_if(&line, "silent", stored->is_silent);
    add_if(&line, "throttled", stored->is_throttled);
    add_if(&line, "owes_unthrottle", stored->owes_unthrottle);
    add_integer_if(&line, "victim_of", stored->victim_of);
    add_integer_if(&line, "maintenance_until", stored->maintenance_until_ms);
    add_pair_if(&line, "maintenance_reason", slice_text(stored->maintenance_reason));
    line_record(ctx, &line);
}

void recording_on_watch_unset(void *ctx, struct slice id)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "unset_watch");
    line_add_word(&line, id);
    line_record(ctx, &line);
}

void recording_on_alert_set(void *ctx, struct slice id, const struct alert *alert)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "alert");
    line_add_word(&line, id);
    line_add_word(&line, ident_slice(&alert->name));
    line_add_text(&line, alert_status_name(alert->status));
    add_if(&line, "guarded", alert->is_guarded);
    add_integer_if(&line, "since", alert->since_ms);
    add_integer_if(&line, "fired", alert->fired_ms);
    add_integer_if(&line, "cleared", alert->cleared_ms);
    line_add_text(&line, "value=");
    buf_add_double(&line, alert->value);
    add_integer_if(&line, "done", alert->done);
    add_integer_if(&line, "tries", alert->tries);
    add_integer_if(&line, "next", alert->next_ms);
    line_record(ctx, &line);
}

void recording_on_alert_unset(void *ctx, struct slice id, struct slice rule)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "unset_alert");
    line_add_word(&line, id);
    line_add_word(&line, rule);
    line_record(ctx, &line);
}

void recording_on_notice_set(void *ctx, const struct notice *notice)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "notice");
    line_add_word(&line, notice_key(notice));
    add_integer_if(&line, "starts", notice->starts_ms);
    add_integer_if(&line, "ends", notice->ends_ms);
    add_if(&line, "hook_due", notice->hook_is_due);
    line_record(ctx, &line);
}

void recording_on_notice_unset(void *ctx, const struct notice *notice)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "unset_notice");
    line_add_word(&line, notice_key(notice));
    line_record(ctx, &line);
}

void recording_on_breaker_set(void *ctx, const struct breaker_group *group)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "breaker");
    line_add_word(&line, breaker_group_key(group));
    add_integer_if(&line, "opened", group->opened_ms);
    add_integer_if(&line, "crashed", group->crashed);
    add_integer_if(&line, "of", group->of);
    line_record(ctx, &line);
}

void recording_on_breaker_unset(void *ctx, const struct breaker_group *group)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "unset_breaker");
    line_add_word(&line, breaker_group_key(group));
    line_record(ctx, &line);
}

void recording_on_throttled_set(void *ctx, struct slice id, bool throttled)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, throttled ? "throttled" : "unthrottled");
    line_add_word(&line, id);
    line_record(ctx, &line);
}

void recording_on_command(void *ctx, const struct command_order *order)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "command");
    line_add_text(&line, command_kind_name(order->kind));
    add_pair_if(&line, "command_id", order->command_id);
    add_pair_if(&line, "instance_id", order->instance_id);
    add_pair_if(&line, "reason", order->reason);
    add_integer_if(&line, "attempt", order->attempt);
    add_integer_if(&line, "issued", order->issued_ms);
    add_integer_if(&line, "expires", order->expires_ms);
    add_integer_if(&line, "open_trades", order->open_trades);
    add_pair_if(&line, "target_instance_id", order->target_instance_id);
    add_pair_if(&line, "cancels", order->cancels);
    line_record(ctx, &line);
}

void recording_on_notify(void *ctx, const struct notice *notice, const struct event *event)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "notify");
    line_add_word(&line, notice_key(notice));
    line_add_text(&line, event_name(event->kind));
    line_record(ctx, &line);
}
