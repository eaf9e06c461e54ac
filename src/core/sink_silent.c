/* A sink that takes everything and does nothing. */
#include "core/sink.h"
#include "util/macros.h"

static void on_begin(void *ctx, const struct cause *cause)
{
    UNUSED(ctx);
    UNUSED(cause);
}

static void on_record_set(void *ctx, enum record_kind kind, struct slice id,
                          const struct record_field *fields, size_t count)
{
    UNUSED(ctx);
    UNUSED(kind);
    UNUSED(id);
    UNUSED(fields);
    UNUSED(count);
}

static void on_record_unset(void *ctx, enum record_kind kind, struct slice id, const struct slice *names,
                            size_t count)
{
    UNUSED(ctx);
    UNUSED(kind);
    UNUSED(id);
    UNUSED(names);
    UNUSED(count);
}

static void on_record_remove(void *ctx, enum record_kind kind, struct slice id)
{
    UNUSED(ctx);
    UNUSED(kind);
    UNUSED(id);
}

static void on_record_expire(void *ctx, enum record_kind kind, struct slice id, int64_t ttl_s)
{
    UNUSED(ctx);
    UNUSED(kind);
    UNUSED(id);
    UNUSED(ttl_s);
}

static void on_index_move(void *ctx, enum index_kind kind, struct slice id, const char *from, const char *to)
{
    UNUSED(ctx);
    UNUSED(kind);
    UNUSED(id);
    UNUSED(from);
    UNUSED(to);
}

static void on_load_set(void *ctx, struct slice id, double score)
{
    UNUSED(ctx);
    UNUSED(id);
    UNUSED(score);
}

static void on_id(void *ctx, struct slice id)
{
    UNUSED(ctx);
    UNUSED(id);
}

static void on_seq_set(void *ctx, struct slice id, uint64_t seq)
{
    UNUSED(ctx);
    UNUSED(id);
    UNUSED(seq);
}

static void on_reject(void *ctx, const struct cause *cause, struct slice reason)
{
    UNUSED(ctx);
    UNUSED(cause);
    UNUSED(reason);
}

static void on_watch_set(void *ctx, struct slice id, const struct watch_record *record)
{
    UNUSED(ctx);
    UNUSED(id);
    UNUSED(record);
}

static void on_alert_set(void *ctx, struct slice id, const struct alert *alert)
{
    UNUSED(ctx);
    UNUSED(id);
    UNUSED(alert);
}

static void on_alert_unset(void *ctx, struct slice id, struct slice rule)
{
    UNUSED(ctx);
    UNUSED(id);
    UNUSED(rule);
}

static void on_notice(void *ctx, const struct notice *notice)
{
    UNUSED(ctx);
    UNUSED(notice);
}

static void on_throttled_set(void *ctx, struct slice id, bool throttled)
{
    UNUSED(ctx);
    UNUSED(id);
    UNUSED(throttled);
}

static void on_command(void *ctx, const struct command_order *order)
{
    UNUSED(ctx);
    UNUSED(order);
}

static void on_notify(void *ctx, const struct notice *notice, const struct event *event)
{
    UNUSED(ctx);
    UNUSED(notice);
    UNUSED(event);
}

static void on_received(void *ctx, struct slice signal_id, struct stream_id entry, struct slice action,
                        struct slice instance_id)
{
    UNUSED(ctx);
    UNUSED(signal_id);
    UNUSED(entry);
    UNUSED(action);
    UNUSED(instance_id);
}

static void on_accepted(void *ctx, struct slice signal_id, uint64_t accepted_ms)
{
    UNUSED(ctx);
    UNUSED(signal_id);
    UNUSED(accepted_ms);
}

static void on_ended(void *ctx, struct slice signal_id, enum signal_outcome outcome)
{
    UNUSED(ctx);
    UNUSED(signal_id);
    UNUSED(outcome);
}

static void on_early(void *ctx, struct slice signal_id, struct slice status, struct stream_id result)
{
    UNUSED(ctx);
    UNUSED(signal_id);
    UNUSED(status);
    UNUSED(result);
}

static void on_journal_trim(void *ctx, uint64_t min_ms)
{
    UNUSED(ctx);
    UNUSED(min_ms);
}

static void on_signal_drop(void *ctx, struct stream_id entry, int64_t age_ms)
{
    UNUSED(ctx);
    UNUSED(entry);
    UNUSED(age_ms);
}

static void on_entries(void *ctx, const struct stream_id *entries, size_t count)
{
    UNUSED(ctx);
    UNUSED(entries);
    UNUSED(count);
}

static void on_entry_id(void *ctx, struct stream_id id)
{
    UNUSED(ctx);
    UNUSED(id);
}

static void on_total_set(void *ctx, enum total_kind kind, struct slice label, uint64_t value)
{
    UNUSED(ctx);
    UNUSED(kind);
    UNUSED(label);
    UNUSED(value);
}

static void on_event(void *ctx, const struct event *event)
{
    UNUSED(ctx);
    UNUSED(event);
}

static void on_group(void *ctx, const struct breaker_group *group)
{
    UNUSED(ctx);
    UNUSED(group);
}

const struct sink_ops sink_ops_silent = {
    .begin = on_begin,
    .record_set = on_record_set,
    .record_unset = on_record_unset,
    .record_remove = on_record_remove,
    .record_expire = on_record_expire,
    .index_move = on_index_move,
    .load_set = on_load_set,
    .load_remove = on_id,
    .event = on_event,
    .seq_set = on_seq_set,
    .seq_forget = on_id,
    .reject = on_reject,
    .watch_set = on_watch_set,
    .watch_unset = on_id,
    .alert_set = on_alert_set,
    .alert_unset = on_alert_unset,
    .notice_set = on_notice,
    .notice_unset = on_notice,
    .breaker_set = on_group,
    .breaker_unset = on_group,
    .throttled_set = on_throttled_set,
    .command = on_command,
    .notify = on_notify,
    .journal_received = on_received,
    .journal_accepted = on_accepted,
    .journal_ended = on_ended,
    .journal_early = on_early,
    .journal_trim = on_journal_trim,
    .signal_drop = on_signal_drop,
    .signals_delete = on_entries,
    .signals_trim = on_entry_id,
    .signals_left = on_entry_id,
    .results_delete = on_entries,
    .results_trim = on_entry_id,
    .total_set = on_total_set,
};
