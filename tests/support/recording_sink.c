/* One function per call of a sink; each makes one line. */
#include "recording_sink.h"

#include "recording_sink_private.h"
#include "util/alloc.h"
#include "util/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const record_names[RECORD_KINDS] = {"instance", "metrics", "health", "trade"};
static const char *const index_names[] = {"instance", "trade"};

void line_add_word(struct buf *line, struct slice word)
{
    if (line->len > 0)
        buf_add_char(line, ' ');
    buf_add_slice(line, word);
}

void line_add_text(struct buf *line, const char *text)
{
    line_add_word(line, slice_text(text));
}

static void add_id(struct buf *line, struct stream_id id)
{
    char text[STREAM_ID_TEXT_MAX];

    line_add_word(line, slice_of(text, stream_id_format(text, id)));
}

static void add_integer(struct buf *line, int64_t value)
{
    buf_add_char(line, ' ');
    buf_add_i64(line, value);
}

void line_add_pair(struct buf *line, struct slice name, struct slice value)
{
    line_add_word(line, name);
    buf_add_char(line, '=');
    buf_add_slice(line, value);
}

static void add_cause(struct buf *line, const struct cause *cause)
{
    char text[CAUSE_TEXT_MAX];

    line_add_word(line, slice_of(text, cause_format(text, cause)));
}

void line_record(struct recording_sink *r, struct buf *line)
{
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 16;
        r->lines = mem_resize(r->lines, r->cap, sizeof(*r->lines));
    }
    r->lines[r->count++] = mem_copy_text(line->data, line->len);
    buf_clear(line);
}

static void on_begin(void *ctx, const struct cause *cause)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "begin");
    add_cause(&line, cause);
    line_record(ctx, &line);
}

static void on_record_set(void *ctx, enum record_kind kind, struct slice id,
                          const struct record_field *fields, size_t count)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "set");
    line_add_text(&line, record_names[kind]);
    line_add_word(&line, id);
    for (size_t i = 0; i < count; i++)
        line_add_pair(&line, fields[i].name, fields[i].value);
    line_record(ctx, &line);
}

static void on_record_unset(void *ctx, enum record_kind kind, struct slice id, const struct slice *names,
                            size_t count)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "unset");
    line_add_text(&line, record_names[kind]);
    line_add_word(&line, id);
    for (size_t i = 0; i < count; i++)
        line_add_word(&line, names[i]);
    line_record(ctx, &line);
}

static void on_record_remove(void *ctx, enum record_kind kind, struct slice id)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "remove");
    line_add_text(&line, record_names[kind]);
    line_add_word(&line, id);
    line_record(ctx, &line);
}

static void on_record_expire(void *ctx, enum record_kind kind, struct slice id, int64_t ttl_s)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "expire");
    line_add_text(&line, record_names[kind]);
    line_add_word(&line, id);
    add_integer(&line, ttl_s);
    line_record(ctx, &line);
}

static void on_index_move(void *ctx, enum index_kind kind, struct slice id, const char *from, const char *to)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "move");
    line_add_text(&line, index_names[kind]);
    line_add_word(&line, id);
    line_add_text(&line, from ? from : "-");
    line_add_text(&line, to ? to : "-");
    line_record(ctx, &line);
}

static void on_load_set(void *ctx, struct slice id, double score)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "load");
    line_add_word(&line, id);
    buf_add_char(&line, ' ');
    buf_add_double(&line, score);
    line_record(ctx, &line);
}

static void on_load_remove(void *ctx, struct slice id)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "unload");
    line_add_word(&line, id);
    line_record(ctx, &line);
}

static void on_event(void *ctx, const struct event *event)
{
    struct slice names[EVENT_FIELDS_MAX], values[EVENT_FIELDS_MAX];
    char scratch[EVENT_SCRATCH_SIZE];
    size_t count = event_fields(event, names, values, scratch);
    struct buf line = BUF_INIT;

    line_add_text(&line, "event");
    line_add_word(&line, values[0]);
    for (size_t i = 1; i < count; i++)
        line_add_pair(&line, names[i], values[i]);
    line_record(ctx, &line);
}

static void on_seq_set(void *ctx, struct slice instance_id, uint64_t seq)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "seq");
    line_add_word(&line, instance_id);
    buf_add_char(&line, ' ');
    buf_add_u64(&line, seq);
    line_record(ctx, &line);
}

static void on_seq_forget(void *ctx, struct slice instance_id)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "forget_seq");
    line_add_word(&line, instance_id);
    line_record(ctx, &line);
}

static void on_reject(void *ctx, const struct cause *cause, struct slice reason)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "reject");
    add_cause(&line, cause);
    line_add_word(&line, reason);
    line_record(ctx, &line);
}

static void on_journal_received(void *ctx, struct slice signal_id, struct stream_id entry,
                                struct slice action, struct slice instance_id)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "journal received");
    line_add_word(&line, signal_id);
    add_id(&line, entry);
    line_add_word(&line, action);
    if (instance_id.len > 0)
        line_add_word(&line, instance_id);
    line_record(ctx, &line);
}

static void on_journal_accepted(void *ctx, struct slice signal_id, uint64_t accepted_ms)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "journal accepted");
    line_add_word(&line, signal_id);
    add_integer(&line, (int64_t)accepted_ms);
    line_record(ctx, &line);
}

static void on_journal_ended(void *ctx, struct slice signal_id, enum signal_outcome outcome)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "journal ended");
    line_add_word(&line, signal_id);
    line_add_text(&line, signal_outcome_name(outcome));
    line_record(ctx, &line);
}

static void on_journal_early(void *ctx, struct slice signal_id, struct slice status, struct stream_id result)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "journal early");
    line_add_word(&line, signal_id);
    line_add_word(&line, status);
    add_id(&line, result);
    line_record(ctx, &line);
}

static void on_journal_trim(void *ctx, uint64_t min_ms)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "journal trim");
    add_integer(&line, (int64_t)min_ms);
    line_record(ctx, &line);
}

static void on_signal_drop(void *ctx, struct stream_id entry, int64_t age_ms)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "drop");
    add_id(&line, entry);
    add_integer(&line, age_ms);
    line_record(ctx, &line);
}

static void record_deleted(void *ctx, const char *stream, const struct stream_id *entries, size_t count)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "delete");
    line_add_text(&line, stream);
    for (size_t i = 0; i < count; i++)
        add_id(&line, entries[i]);
    line_record(ctx, &line);
}

static void record_trimmed(void *ctx, const char *stream, struct stream_id min)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "trim");
    line_add_text(&line, stream);
    add_id(&line, min);
    line_record(ctx, &line);
}

static void on_signals_delete(void *ctx, const struct stream_id *entries, size_t count)
{
    record_deleted(ctx, "signals", entries, count);
}

static void on_signals_trim(void *ctx, struct stream_id min)
{
    record_trimmed(ctx, "signals", min);
}

static void on_signals_left(void *ctx, struct stream_id until)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "left signals");
    add_id(&line, until);
    line_record(ctx, &line);
}

static void on_results_delete(void *ctx, const struct stream_id *entries, size_t count)
{
    record_deleted(ctx, "results", entries, count);
}

static void on_results_trim(void *ctx, struct stream_id min)
{
    record_trimmed(ctx, "results", min);
}

static void on_total_set(void *ctx, enum total_kind kind, struct slice label, uint64_t value)
{
    struct buf line = BUF_INIT;

    line_add_text(&line, "total");
    line_add_text(&line, total_kind_name(kind));
    line_add_word(&line, label);
    add_integer(&line, (int64_t)value);
    line_record(ctx, &line);
}

static const struct sink_ops ops = {
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
    .watch_set = recording_on_watch_set,
    .watch_unset = recording_on_watch_unset,
    .alert_set = recording_on_alert_set,
    .alert_unset = recording_on_alert_unset,
    .notice_set = recording_on_notice_set,
    .notice_unset = recording_on_notice_unset,
    .breaker_set = recording_on_breaker_set,
    .breaker_unset = recording_on_breaker_unset,
    .throttled_set = recording_on_throttled_set,
    .command = recording_on_command,
    .notify = recording_on_notify,
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

void recording_sink_init(struct recording_sink *r)
{
    *r = (struct recording_sink){.sink = {&ops, r}};
}

void recording_sink_reset(struct recording_sink *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->lines[i]);
    r->count = 0;
}

void recording_sink_clear(struct recording_sink *r)
{
    recording_sink_reset(r);
    free(r->lines);
    *r = (struct recording_sink){0};
}

static bool begins_with(const char *line, const char *prefix)
{
    return strncmp(line, prefix, strlen(prefix)) == 0;
}

size_t recording_sink_count(const struct recording_sink *r, const char *prefix)
{
    size_t count = 0;

    for (size_t i = 0; i < r->count; i++)
        count += begins_with(r->lines[i], prefix);
    return count;
}

const char *recording_sink_find(const struct recording_sink *r, const char *prefix)
{
    for (size_t i = 0; i < r->count; i++) {
        if (begins_with(r->lines[i], prefix))
            return r->lines[i];
    }
    return NULL;
}

void assert_recorded_only(struct recording_sink *r, const char *prefix, const char *expected)
{
    struct buf text = BUF_INIT;
    bool is_same;

    for (size_t i = 0; i < r->count; i++) {
        if (begins_with(r->lines[i], prefix)) {
            buf_add_text(&text, r->lines[i]);
            buf_add_char(&text, '\n');
        }
    }
    is_same = strcmp(buf_text(&text), expected) == 0;
    if (!is_same)
        print_error("recorded:\n%sexpected:\n%s", buf_text(&text), expected);
    buf_clear(&text);
    recording_sink_reset(r);
    assert_true(is_same);
}

void assert_recorded(struct recording_sink *r, const char *expected)
{
    assert_recorded_only(r, "", expected);
}
