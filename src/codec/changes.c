#include "codec/changes.h"
#include "batch_private.h"
#include "codec/keys.h"
#include "core/alert.h"
#include "core/notice.h"

/* Of a value that is told itself; a longer one is read again. */
#define VALUE_MAX 64

static const struct sink_ops noting_ops;

void changes_init(struct changes *c)
{
    *c = (struct changes){.sink = {&noting_ops, c}};
}

void changes_clear(struct changes *c)
{
    buf_clear(&c->text);
}

void changes_reset(struct changes *c)
{
    c->text.len = 0;
    c->told.len = 0;
    c->is_noting = false;
}

void changes_want(struct changes *c, bool is_wanted, bool is_empty)
{
    if (is_wanted && is_empty && !c->is_noting)
        c->is_noting = c->is_stale = true;
    if (c->is_wanted && !is_wanted) {
        c->is_stale = true;
        changes_reset(c);
        buf_clear(&c->text);
    }
    c->is_wanted = is_wanted;
}

void changes_begin_anew(struct changes *c)
{
    changes_reset(c);
    c->is_stale = true;
}

struct sink *changes_sink(struct changes *c, struct sink *sink)
{
    if (!c->is_noting)
        return sink;
    c->to = sink;
    return &c->sink;
}

/* ---- writing ---- */

static void add_line(struct changes *c, char kind, struct slice first, struct slice second)
{
    char *at = buf_reserve(&c->text, first.len + second.len + 4), *start = at;
    *at++ = kind;
    *at++ = ' ';
    memcpy(at, first.data, first.len);
    at += first.len;
    if (second.len) {
        *at++ = ' ';
        memcpy(at, second.data, second.len);
        at += second.len;
    }
    *at++ = '\n';
    c->text.len += (size_t)(at - start);
}

/* Sets hold whatever others put there, and what is taken out of them again may be no id. */
static bool is_id(struct slice text)
{
    return ident_is_valid(text, IDENT_MAX);
}

/* Most inputs change one instance in several ways. */
static void note_instance(struct changes *c, struct slice id)
{
    if (slice_equal(ident_slice(&c->told), id) || !is_id(id))
        return;
    add_line(c, 'i', id, slice_of("", 0));
    ident_set(&c->told, id);
}

static void note_trade(struct changes *c, struct slice id)
{
    if (is_id(id))
        add_line(c, 't', id, slice_of("", 0));
}

static void note_alert(struct changes *c, struct slice id, struct slice rule)
{
    if (is_id(id) && is_id(rule))
        add_line(c, 'a', id, rule);
}

static void note(struct changes *c, enum record_kind kind, struct slice id)
{
    if (kind == RECORD_TRADE)
        note_trade(c, id);
    else
        note_instance(c, id);
}

static void note_entry(struct changes *c, char kind, struct stream_id entry, struct slice id)
{
    char text[STREAM_ID_TEXT_MAX];
    if (c->is_noting)
        add_line(c, kind, slice_of(text, stream_id_format(text, entry)), id);
}

void changes_note_result(struct changes *c, struct stream_id entry, struct slice result_id)
{
    note_entry(c, 'r', entry, result_id);
}

void changes_note_duplicate(struct changes *c, struct stream_id entry, struct slice signal_id)
{
    note_entry(c, 'd', entry, signal_id);
}

static bool is_word(struct slice text)
{
    if (text.len == 0 || text.len > VALUE_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    return true;
}

static void note_fields(struct changes *c, enum record_kind kind, struct slice id,
                        const struct record_field *fields, size_t count)
{
    if (slice_equal(ident_slice(&c->told), id))
        return;
    for (size_t i = 0; i < count; i++) {
        if (!is_word(fields[i].value)) {
            note_instance(c, id);
            return;
        }
    }
    buf_add(&c->text, "f ", 2);
    buf_add_slice(&c->text, id);
    buf_add_char(&c->text, ' ');
    buf_add_char(&c->text, (char)('0' + kind));
    for (size_t i = 0; i < count; i++) {
        buf_add_char(&c->text, ' ');
        buf_add_slice(&c->text, fields[i].name);
        buf_add_char(&c->text, ' ');
        buf_add_slice(&c->text, fields[i].value);
    }
    buf_add_char(&c->text, '\n');
}

/* Two entries of the same number are none: a stream that is left from before must be gone first. */
static void remove_stream(struct changes *c, struct batch *b)
{
    batch_add_operation(batch_tail(b), "DEL", batch_add_key(b, slice_text(KEY_CHANGES), 't', false), 0);
    c->bytes = 0;
    c->mark = c->older = 0;
    c->is_stale = false;
}

static void add_entry(struct changes *c, struct batch *b, uint64_t number)
{
    struct batch_part tail = batch_tail(b);
    c->bytes += c->text.len;
    if (c->bytes > CHANGES_BYTES) {
        c->older = c->mark;
        c->mark = number;
        c->bytes = 0;
    }
    batch_add_operation(tail, "XADD", batch_add_key(b, slice_text(KEY_CHANGES), 't', false), 6);
    resp_add_text(tail.words, "MINID");
    resp_add_text(tail.words, "~");
    batch_add_id(tail, (struct stream_id){c->older, 0});
    batch_add_id(tail, (struct stream_id){number, 0});
    resp_add_text(tail.words, "lines");
    resp_add(tail.words, buf_slice(&c->text));
}

void changes_seal(struct changes *c, struct batch *b, uint64_t number)
{
    if (c->is_stale || (c->is_wanted && !c->is_noting))
        remove_stream(c, b);
    if (c->is_noting)
        add_entry(c, b, number);
    c->told.len = 0;
    buf_reset(&c->text, BATCH_KEEP_BYTES);
    c->is_noting = c->is_wanted;
}

/* ---- the sink in front ---- */

static const struct sink_ops *next_of(void *ctx, void **ret_ctx)
{
    const struct changes *c = ctx;
    *ret_ctx = c->to->ctx;
    return c->to->ops;
}

/* Passes a call on. */
#define PASS(op, ...)                                                                                        \
    do {                                                                                                     \
        void *next;                                                                                          \
        next_of(ctx, &next)->op(next, __VA_ARGS__);                                                          \
    } while (0)

static void on_begin(void *ctx, const struct cause *cause)
{
    PASS(begin, cause);
}

static void on_record_set(void *ctx, enum record_kind kind, struct slice id,
                          const struct record_field *fields, size_t count)
{
    if (kind == RECORD_TRADE)
        note_trade(ctx, id);
    else
        note_fields(ctx, kind, id, fields, count);
    PASS(record_set, kind, id, fields, count);
}

static void on_record_unset(void *ctx, enum record_kind kind, struct slice id, const struct slice *names,
                            size_t count)
{
    note(ctx, kind, id);
    PASS(record_unset, kind, id, names, count);
}

static void on_record_remove(void *ctx, enum record_kind kind, struct slice id)
{
    note(ctx, kind, id);
    PASS(record_remove, kind, id);
}

static void on_record_expire(void *ctx, enum record_kind kind, struct slice id, int64_t ttl_s)
{
    PASS(record_expire, kind, id, ttl_s);
}

static void on_index_move(void *ctx, enum index_kind kind, struct slice id, const char *from, const char *to)
{
    if (kind == INDEX_TRADE_STATE)
        note_trade(ctx, id);
    else
        note_instance(ctx, id);
    PASS(index_move, kind, id, from, to);
}

/* The score follows from the numbers. */
static void on_load_set(void *ctx, struct slice id, double score)
{
    PASS(load_set, id, score);
}

static void on_load_remove(void *ctx, struct slice id)
{
    PASS(load_remove, id);
}

static void on_event(void *ctx, const struct event *event)
{
    note_instance(ctx, event->instance_id);
    PASS(event, event);
}

static void on_seq_set(void *ctx, struct slice id, uint64_t seq)
{
    note_instance(ctx, id);
    PASS(seq_set, id, seq);
}

static void on_seq_forget(void *ctx, struct slice id)
{
    note_instance(ctx, id);
    PASS(seq_forget, id);
}

static void on_reject(void *ctx, const struct cause *cause, struct slice reason)
{
    PASS(reject, cause, reason);
}

static void on_watch_set(void *ctx, struct slice id, const struct watch_record *record)
{
    note_instance(ctx, id);
    PASS(watch_set, id, record);
}

static void on_watch_unset(void *ctx, struct slice id)
{
    note_instance(ctx, id);
    PASS(watch_unset, id);
}

static void on_alert_set(void *ctx, struct slice id, const struct alert *alert)
{
    note_alert(ctx, id, ident_slice(&alert->name));
    PASS(alert_set, id, alert);
}

static void on_alert_unset(void *ctx, struct slice id, struct slice rule)
{
    note_alert(ctx, id, rule);
    PASS(alert_unset, id, rule);
}

static void on_notice_set(void *ctx, const struct notice *notice)
{
    add_line(ctx, 'n', notice_key(notice), slice_of("", 0));
    PASS(notice_set, notice);
}

static void on_notice_unset(void *ctx, const struct notice *notice)
{
    add_line(ctx, 'n', notice_key(notice), slice_of("", 0));
    PASS(notice_unset, notice);
}

static void on_breaker_set(void *ctx, const struct breaker_group *group)
{
    PASS(breaker_set, group);
}

static void on_breaker_unset(void *ctx, const struct breaker_group *group)
{
    PASS(breaker_unset, group);
}

static void on_throttled_set(void *ctx, struct slice id, bool throttled)
{
    note_instance(ctx, id);
    PASS(throttled_set, id, throttled);
}

static void on_command(void *ctx, const struct command_order *order)
{
    PASS(command, order);
}

static void on_notify(void *ctx, const struct notice *notice, const struct event *event)
{
    PASS(notify, notice, event);
}

static void on_journal_received(void *ctx, struct slice signal_id, struct stream_id entry,
                                struct slice action, struct slice instance_id)
{
    PASS(journal_received, signal_id, entry, action, instance_id);
}

static void on_journal_accepted(void *ctx, struct slice signal_id, uint64_t accepted_ms)
{
    PASS(journal_accepted, signal_id, accepted_ms);
}

static void on_journal_ended(void *ctx, struct slice signal_id, enum signal_outcome outcome)
{
    PASS(journal_ended, signal_id, outcome);
}

static void on_journal_early(void *ctx, struct slice signal_id, struct slice status, struct stream_id result)
{
    PASS(journal_early, signal_id, status, result);
}

static void on_journal_trim(void *ctx, uint64_t min_ms)
{
    PASS(journal_trim, min_ms);
}

static void on_signal_drop(void *ctx, struct stream_id entry, int64_t age_ms)
{
    PASS(signal_drop, entry, age_ms);
}

static void on_signals_delete(void *ctx, const struct stream_id *entries, size_t count)
{
    PASS(signals_delete, entries, count);
}

static void on_signals_trim(void *ctx, struct stream_id min)
{
    PASS(signals_trim, min);
}

static void on_signals_left(void *ctx, struct stream_id until)
{
    PASS(signals_left, until);
}

static void on_results_delete(void *ctx, const struct stream_id *entries, size_t count)
{
    PASS(results_delete, entries, count);
}

static void on_results_trim(void *ctx, struct stream_id min)
{
    PASS(results_trim, min);
}

static void on_total_set(void *ctx, enum total_kind kind, struct slice label, uint64_t value)
{
    PASS(total_set, kind, label, value);
}

static const struct sink_ops noting_ops = {
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
    .watch_set = on_watch_set,
    .watch_unset = on_watch_unset,
    .alert_set = on_alert_set,
    .alert_unset = on_alert_unset,
    .notice_set = on_notice_set,
    .notice_unset = on_notice_unset,
    .breaker_set = on_breaker_set,
    .breaker_unset = on_breaker_unset,
    .throttled_set = on_throttled_set,
    .command = on_command,
    .notify = on_notify,
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

/* ---- reading ---- */

/* The next word of a line; false where there is none. */
static bool next_word(struct slice *rest, struct slice *ret_word)
{
    const char *end = rest->len ? memchr(rest->data, ' ', rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->data) : rest->len;
    if (len == 0)
        return false;
    *ret_word = slice_of(rest->data, len);
    len += end != NULL;
    *rest = slice_of(rest->data + len, rest->len - len);
    return true;
}

bool changes_next_field(struct slice *fields, struct slice *ret_name, struct slice *ret_value)
{
    return next_word(fields, ret_name) && next_word(fields, ret_value);
}

static bool read_entry(char kind, struct slice first, struct slice rest, const struct changes_reader *reader)
{
    struct stream_id entry;
    if (!stream_id_parse(first, &entry) || (rest.len && !is_id(rest)))
        return false;
    (kind == 'r' ? reader->result : reader->duplicate)(reader->ctx, entry, rest);
    return true;
}

static bool read_fields(struct slice id, struct slice rest, const struct changes_reader *reader)
{
    struct slice kind;
    if (!is_id(id) || !next_word(&rest, &kind) || kind.len != 1 || kind.data[0] < '0' + RECORD_INSTANCE ||
        kind.data[0] > '0' + RECORD_HEALTH)
        return false;
    reader->fields(reader->ctx, id, (enum record_kind)(kind.data[0] - '0'), rest);
    return true;
}

static bool read_line(struct slice line, const struct changes_reader *reader)
{
    struct slice kind, first;
    if (!next_word(&line, &kind) || kind.len != 1 || !next_word(&line, &first))
        return false;
    switch (kind.data[0]) {
    case 'i':
        reader->instance(reader->ctx, first);
        return line.len == 0;
    case 'a':
        if (!is_id(first) || !is_id(line))
            return false;
        reader->alert(reader->ctx, first, line);
        return true;
    case 'f':
        return read_fields(first, line, reader);
    case 'n':
        if (first.len > NOTICE_KEY_MAX)
            return false;
        reader->notice(reader->ctx, first);
        return line.len == 0;
    case 't':
        if (!is_id(first))
            return false;
        reader->trade(reader->ctx, first);
        return line.len == 0;
    case 'r':
    case 'd':
        return read_entry(kind.data[0], first, line, reader);
    default:
        return false;
    }
}

bool changes_read(struct slice text, const struct changes_reader *reader)
{
    while (text.len) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : 0;
        if (!end || !read_line(slice_of(text.data, len), reader))
            return false;
        text = slice_of(end + 1, text.len - len - 1);
    }
    return true;
}
