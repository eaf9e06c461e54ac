/* What the sink of a batch makes of the watch: fields of hashes of the daemon's own, commands, notices. */
#include "batch_private.h"

#include "codec/watch_record.h"
#include "util/number.h"
#include "util/time_text.h"

#define COMMAND_FIELDS_MAX 10
#define MS_PER_S           1000

static void set_field(struct batch *b, const char *key, struct slice field, struct buf *value)
{
    batch_add_operation(batch_body(b), "HSET", batch_add_key(b, slice_text(key), 'h', false), 2);
    resp_add(&b->body, field);
    resp_add(&b->body, buf_slice(value));
    buf_clear(value);
}

static void unset_field(struct batch *b, const char *key, struct slice field)
{
    batch_add_operation(batch_body(b), "HDEL", batch_add_key(b, slice_text(key), 'h', false), 1);
    resp_add(&b->body, field);
}

void batch_on_watch_set(void *ctx, struct slice id, const struct watch_record *record)
{
    struct buf value = BUF_INIT;

    watch_record_format(&value, record);
    set_field(ctx, KEY_WATCH, id, &value);
}

void batch_on_watch_unset(void *ctx, struct slice id)
{
    unset_field(ctx, KEY_WATCH, id);
}

void batch_on_alert_set(void *ctx, struct slice id, const struct alert *alert)
{
    char field[ALERT_FIELD_MAX];
    size_t len = alert_field_format(field, id, ident_slice(&alert->name));
    struct buf value = BUF_INIT;

    alert_record_format(&value, alert);
    set_field(ctx, KEY_ALERTS, slice_of(field, len), &value);
}

void batch_on_alert_unset(void *ctx, struct slice id, struct slice rule)
{
    char field[ALERT_FIELD_MAX];

    unset_field(ctx, KEY_ALERTS, slice_of(field, alert_field_format(field, id, rule)));
}

void batch_on_notice_set(void *ctx, const struct notice *notice)
{
    struct buf value = BUF_INIT;

    notice_record_format(&value, notice);
    set_field(ctx, KEY_NOTICES, notice_key(notice), &value);
}

void batch_on_notice_unset(void *ctx, const struct notice *notice)
{
    unset_field(ctx, KEY_NOTICES, notice_key(notice));
}

void batch_on_breaker_set(void *ctx, const struct breaker_group *group)
{
    struct buf value = BUF_INIT;

    breaker_record_format(&value, group);
    set_field(ctx, KEY_BREAKER, breaker_group_key(group), &value);
}

void batch_on_breaker_unset(void *ctx, const struct breaker_group *group)
{
    unset_field(ctx, KEY_BREAKER, breaker_group_key(group));
}

void batch_on_throttled_set(void *ctx, struct slice id, bool throttled)
{
    struct batch *b = ctx;

    batch_add_operation(batch_body(b), throttled ? "SADD" : "SREM",
                        batch_add_key(b, slice_text(KEY_THROTTLED), 's', false), 1);
    resp_add(&b->body, id);
}

/* The fields of a command in the order of the contract (SPEC §7.2). */
struct command_fields {
    struct slice name[COMMAND_FIELDS_MAX], value[COMMAND_FIELDS_MAX];
    size_t count;
    char attempt[NUMBER_TEXT_MAX], open_trades[NUMBER_TEXT_MAX];
    char issued[TIME_TEXT_LEN + 1], expires[TIME_TEXT_LEN + 1];
};

/* What does not apply is empty, and left out. */
static void add_field(struct command_fields *fields, const char *name, struct slice value)
{
    if (value.len == 0)
        return;
    fields->name[fields->count] = slice_text(name);
    fields->value[fields->count] = value;
    fields->count++;
}

/* Rounded up: nothing ends before the time that its agent was told. */
static int64_t whole_seconds_up(int64_t ms)
{
    int64_t beyond = ms % MS_PER_S;

    return beyond > 0 && ms <= INT64_MAX - MS_PER_S ? ms - beyond + MS_PER_S : ms;
}

static void list_command(struct command_fields *fields, const struct command_order *order)
{
    fields->count = 0;
    time_text_format(fields->issued, order->issued_ms);
    time_text_format(fields->expires, whole_seconds_up(order->expires_ms));
    add_field(fields, "command_id", order->command_id);
    add_field(fields, "instance_id", order->instance_id);
    add_field(fields, "command", slice_text(command_kind_name(order->kind)));
    add_field(fields, "reason", order->reason);
    if (order->attempt > 0)
        add_field(fields, "attempt",
                  slice_of(fields->attempt, number_format_u64(fields->attempt, order->attempt)));
    add_field(fields, "issued_at", slice_of(fields->issued, TIME_TEXT_LEN));
    add_field(fields, "expires_at", slice_of(fields->expires, TIME_TEXT_LEN));
    add_field(fields, "open_trades",
              slice_of(fields->open_trades, number_format_u64(fields->open_trades, order->open_trades)));
    add_field(fields, "target_instance_id", order->target_instance_id);
    add_field(fields, "cancels", order->cancels);
}

void batch_on_command(void *ctx, const struct command_order *order)
{
    struct batch *b = ctx;
    struct command_fields fields;
    uint32_t first;

    list_command(&fields, order);
    batch_add_entry(b, b->options.names.commands, b->options.commands_max_len, fields.name, fields.value,
                    fields.count);
    first = batch_keep_fields(b, fields.name, fields.value, fields.count);
    GROW(b->commands, b->command_count, b->command_cap);
    b->commands[b->command_count++] =
        (struct batch_command){order->kind, first, (uint32_t)fields.count, false};
}

void batch_on_notify(void *ctx, const struct notice *notice, const struct event *event)
{
    struct batch *b = ctx;
    struct slice names[EVENT_FIELDS_MAX], values[EVENT_FIELDS_MAX];
    char scratch[EVENT_SCRATCH_SIZE];
    size_t count = event_fields(event, names, values, scratch);
    uint32_t first = batch_keep_fields(b, names, values, count);

    GROW(b->notices, b->notice_count, b->notice_cap);
    b->notices[b->notice_count++] = (struct batch_notice){.change = notice->change,
                                                          .first_field = first,
                                                          .fields = (uint32_t)count,
                                                          .key_offset = b->field_text.len,
                                                          .key_len = notice->key_len};
    buf_add_slice(&b->field_text, notice_key(notice));
}
