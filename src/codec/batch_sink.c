/* The sink that writes into a batch: each call is one operation of the script, or a line of the journal. */
#include "batch_private.h"
#include "codec/event_json.h"
#include "codec/journal.h"

/* The key of a record, noted as used by the group that is open. */
static uint64_t use_record(struct batch *b, enum record_kind kind, struct slice id)
{
    struct key key = key_record(kind, id);
    uint64_t number = batch_add_key(b, key_slice(&key), 'h', true);
    b->keys[number - BATCH_FIRST_KEY].type = 'h'; /* a cut may have made it any */
    if (b->group_count) {
        GROW(b->uses, b->use_count, b->use_cap);
        b->uses[b->use_count++] =
            (struct batch_use){b->group_count - 1, (uint32_t)(number - BATCH_FIRST_KEY)};
    }
    return number;
}

static void on_begin(void *ctx, const struct cause *cause)
{
    struct batch *b = ctx;
    batch_close_group(b);
    GROW(b->groups, b->group_count, b->group_cap);
    b->groups[b->group_count++] = (struct batch_group){.cause = *cause,
                                                       .start = b->body.len,
                                                       .args = b->body_args,
                                                       .first_event = b->event_count,
                                                       .first_command = b->command_count,
                                                       .first_notice = b->notice_count};
}

static void on_record_set(void *ctx, enum record_kind kind, struct slice id,
                          const struct record_field *fields, size_t count)
{
    struct batch *b = ctx;
    uint64_t key = use_record(b, kind, id);
    b->keys[key - BATCH_FIRST_KEY].writes++;
    batch_add_operation(batch_body(b), "HSET", key, 2 * count);
    for (size_t i = 0; i < count; i++) {
        resp_add(&b->body, fields[i].name);
        resp_add(&b->body, fields[i].value);
    }
}

static void on_record_unset(void *ctx, enum record_kind kind, struct slice id, const struct slice *names,
                            size_t count)
{
    struct batch *b = ctx;
    batch_add_operation(batch_body(b), "HDEL", use_record(b, kind, id), count);
    for (size_t i = 0; i < count; i++)
        resp_add(&b->body, names[i]);
}

static void on_record_remove(void *ctx, enum record_kind kind, struct slice id)
{
    struct batch *b = ctx;
    batch_add_operation(batch_body(b), "DEL", use_record(b, kind, id), 0);
}

static void on_record_expire(void *ctx, enum record_kind kind, struct slice id, int64_t ttl_s)
{
    struct batch *b = ctx;
    batch_add_operation(batch_body(b), "EXPIRE", use_record(b, kind, id), 1);
    resp_add_u64(&b->body, (uint64_t)ttl_s);
    if (kind == RECORD_TRADE && b->group_count)
        batch_expect_expiry(b, id, (int64_t)(b->groups[b->group_count - 1].cause.id.ms / 1000) + ttl_s + 1);
}

void batch_expect_expiry(struct batch *b, struct slice trade_id, int64_t at_s)
{
    batch_add_operation(batch_body(b), "ZADD", batch_add_key(b, slice_text(KEY_TRADE_EXPIRY), 'z', false), 2);
    resp_add_u64(&b->body, at_s < 0 ? 0 : (uint64_t)at_s);
    resp_add(&b->body, trade_id);
}

void batch_forget_expiry(struct batch *b, struct slice trade_id)
{
    batch_add_operation(batch_body(b), "ZREM", batch_add_key(b, slice_text(KEY_TRADE_EXPIRY), 'z', false), 1);
    resp_add(&b->body, trade_id);
}

void batch_keep_event(struct batch *b, uint64_t number, struct slice text)
{
    batch_add_operation(batch_body(b), "HSET", batch_add_key(b, slice_text(KEY_FAR_EVENTS), 'h', false), 2);
    resp_add_u64(&b->body, number);
    resp_add(&b->body, text);
}

void batch_forget_event(struct batch *b, uint64_t number)
{
    batch_add_operation(batch_body(b), "HDEL", batch_add_key(b, slice_text(KEY_FAR_EVENTS), 'h', false), 1);
    resp_add_u64(&b->body, number);
}

static void on_index_move(void *ctx, enum index_kind kind, struct slice id, const char *from, const char *to)
{
    struct batch *b = ctx;
    const char *states[2] = {from, to};
    static const char *const commands[2] = {"SREM", "SADD"};
    for (int i = 0; i < 2; i++) {
        if (!states[i])
            continue;
        struct key key = key_index(kind, states[i]);
        batch_add_operation(batch_body(b), commands[i], batch_add_key(b, key_slice(&key), 's', false), 1);
        resp_add(&b->body, id);
    }
}

static void on_load_set(void *ctx, struct slice id, double score)
{
    struct batch *b = ctx;
    struct buf text = BUF_INIT;
    buf_add_double(&text, score);
    batch_add_operation(batch_body(b), "ZADD", batch_add_key(b, slice_text(KEY_LOAD), 'z', false), 2);
    resp_add(&b->body, buf_slice(&text));
    resp_add(&b->body, id);
    buf_clear(&text);
}

static void on_load_remove(void *ctx, struct slice id)
{
    struct batch *b = ctx;
    batch_add_operation(batch_body(b), "ZREM", batch_add_key(b, slice_text(KEY_LOAD), 'z', false), 1);
    resp_add(&b->body, id);
}

static void on_seq_set(void *ctx, struct slice id, uint64_t seq)
{
    struct batch *b = ctx;
    batch_add_operation(batch_body(b), "HSET", batch_add_key(b, slice_text(KEY_SEQ), 'h', false), 2);
    resp_add(&b->body, id);
    resp_add_u64(&b->body, seq);
}

static void on_seq_forget(void *ctx, struct slice id)
{
    struct batch *b = ctx;
    batch_add_operation(batch_body(b), "HDEL", batch_add_key(b, slice_text(KEY_SEQ), 'h', false), 1);
    resp_add(&b->body, id);
}

uint32_t batch_keep_fields(struct batch *b, const struct slice *names, const struct slice *values,
                           size_t count)
{
    uint32_t first = b->field_count;
    for (size_t i = 0; i < count; i++) {
        GROW(b->fields, b->field_count, b->field_cap);
        b->fields[b->field_count++] = (struct batch_field){names[i], b->field_text.len, values[i].len};
        buf_add_slice(&b->field_text, values[i]);
    }
    return first;
}

void batch_add_entry(struct batch *b, const char *stream, int64_t max_len, const struct slice *names,
                     const struct slice *values, size_t count)
{
    uint64_t key = batch_add_key(b, slice_text(stream), 't', false);
    batch_add_operation(batch_body(b), "XADD", key, 4 + 2 * count);
    resp_add_text(&b->body, "MAXLEN");
    resp_add_text(&b->body, "~");
    resp_add_u64(&b->body, (uint64_t)max_len);
    resp_add_text(&b->body, "*");
    for (size_t i = 0; i < count; i++) {
        resp_add(&b->body, names[i]);
        resp_add(&b->body, values[i]);
    }
}

static void on_event(void *ctx, const struct event *event)
{
    struct batch *b = ctx;
    struct slice names[EVENT_FIELDS_MAX], values[EVENT_FIELDS_MAX];
    char scratch[EVENT_SCRATCH_SIZE];
    size_t count = event_fields(event, names, values, scratch);

    batch_add_entry(b, b->options.names.events, b->options.events_max_len, names, values, count);

    struct buf json = BUF_INIT;
    event_json_add(&json, names, values, count);
    batch_add_operation(batch_body(b), "PUBLISH", 0, 2);
    resp_add_text(&b->body, CHANNEL_EVENTS);
    resp_add(&b->body, buf_slice(&json));
    buf_clear(&json);

    if (event->seq)
        on_seq_set(b, event->instance_id, event->seq);
    GROW(b->events, b->event_count, b->event_cap);
    b->events[b->event_count++] =
        (struct batch_event){.kind = event->kind,
                             .first_field = batch_keep_fields(b, names, values, count),
                             .fields = (uint32_t)count,
                             .gravity = event->gravity,
                             .severity = event->severity,
                             .until_ms = event->until_ms};
}

static void on_reject(void *ctx, const struct cause *cause, struct slice reason)
{
    struct batch *b = ctx;
    batch_add_reject(b, batch_body(b), cause, reason);
}

static void on_journal_received(void *ctx, struct slice signal_id, struct stream_id entry,
                                struct slice action, struct slice instance_id)
{
    struct batch *b = ctx;
    journal_add_received(&b->journal, signal_id, entry, action, instance_id);
}

static void on_journal_accepted(void *ctx, struct slice signal_id, uint64_t accepted_ms)
{
    struct batch *b = ctx;
    journal_add_accepted(&b->journal, signal_id, accepted_ms);
}

static void on_journal_ended(void *ctx, struct slice signal_id, enum signal_outcome outcome)
{
    struct batch *b = ctx;
    journal_add_ended(&b->journal, signal_id, outcome);
}

static void on_journal_early(void *ctx, struct slice signal_id, struct slice status, struct stream_id result)
{
    struct batch *b = ctx;
    journal_add_early(&b->journal, signal_id, status, result);
}

static void on_journal_trim(void *ctx, uint64_t min_ms)
{
    struct batch *b = ctx;
    b->journal_min_ms = min_ms;
}

static void on_signal_drop(void *ctx, struct stream_id entry, int64_t age_ms)
{
    struct batch *b = ctx;
    const char *stream = b->options.names.stream[STREAM_SIGNALS];
    struct key dropped = key_dropped(stream);
    b->needs_script = true;
    uint64_t source = batch_add_key(b, slice_text(stream), 't', false);
    batch_add_operation(batch_body(b), "!drop", batch_add_key(b, key_slice(&dropped), 't', false), 3);
    resp_add_u64(&b->body, source);
    batch_add_id(batch_body(b), entry);
    resp_add_u64(&b->body, age_ms < 0 ? 0 : (uint64_t)age_ms);
}

static void delete_entries(struct batch *b, enum stream_kind stream, const struct stream_id *entries,
                           size_t count)
{
    uint64_t key = batch_add_key(b, slice_text(b->options.names.stream[stream]), 't', false);
    for (size_t done = 0; done < count;) {
        size_t now = count - done < BATCH_WORDS_MAX ? count - done : BATCH_WORDS_MAX;
        batch_add_operation(batch_tail(b), "XDEL", key, now);
        for (size_t i = 0; i < now; i++)
            batch_add_id(batch_tail(b), entries[done + i]);
        done += now;
    }
}

static void on_signals_delete(void *ctx, const struct stream_id *entries, size_t count)
{
    delete_entries(ctx, STREAM_SIGNALS, entries, count);
}

static void on_signals_left(void *ctx, struct stream_id until)
{
    char text[STREAM_ID_TEXT_MAX];
    batch_set_meta(ctx, META_LEFT, slice_of(text, stream_id_format(text, until)));
}

static void on_results_delete(void *ctx, const struct stream_id *entries, size_t count)
{
    delete_entries(ctx, STREAM_RESULTS, entries, count);
}

/* Whoever trims below MIN has handled at least all below it. */
static void on_signals_trim(void *ctx, struct stream_id min)
{
    batch_trim(ctx, STREAM_SIGNALS, min, stream_id_prev(min));
}

static void on_results_trim(void *ctx, struct stream_id min)
{
    batch_trim(ctx, STREAM_RESULTS, min, stream_id_prev(min));
}

static void on_total_set(void *ctx, enum total_kind kind, struct slice label, uint64_t value)
{
    struct batch *b = ctx;
    struct key name = {0};
    struct slice prefix = slice_text(total_kind_name(kind));
    memcpy(name.text, prefix.data, prefix.len);
    name.text[prefix.len] = ':';
    memcpy(name.text + prefix.len + 1, label.data, label.len);
    resp_add(&b->totals, slice_of(name.text, prefix.len + 1 + label.len));
    resp_add_u64(&b->totals, value);
    b->total_args += 2;
}

const struct sink_ops batch_sink_ops = {
    .begin = on_begin,
    .record_set = on_record_set,
    .record_unset = on_record_unset,
    .record_remove = on_record_remove,
    .record_expire = on_record_expire,
    .index_move = on_index_move,
    .load_set = on_load_set,
    .load_remove = on_load_remove,
    .event = on_event,
    .seq_set = on_seq_set,
    .seq_forget = on_seq_forget,
    .reject = on_reject,
    .watch_set = batch_on_watch_set,
    .watch_unset = batch_on_watch_unset,
    .alert_set = batch_on_alert_set,
    .alert_unset = batch_on_alert_unset,
    .notice_set = batch_on_notice_set,
    .notice_unset = batch_on_notice_unset,
    .breaker_set = batch_on_breaker_set,
    .breaker_unset = batch_on_breaker_unset,
    .throttled_set = batch_on_throttled_set,
    .command = batch_on_command,
    .notify = batch_on_notify,
    .journal_received = on_journal_received,
    .journal_accepted = on_journal_accepted,
    .journal_ended = on_journal_ended,
    .journal_early = on_journal_early,
    .journal_trim = on_journal_trim,
    .signal_drop = on_signal_drop,
    .signals_delete = on_signals_delete,
    .signals_trim = on_signals_trim,
    .signals_left = on_signals_left,
    .results_delete = on_results_delete,
    .results_trim = on_results_trim,
    .total_set = on_total_set,
};
