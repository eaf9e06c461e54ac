#include "app/ingest.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "app/daemon.h"
#include "app/far_results.h"
#include "app/late.h"
#include "codec/report.h"
#include "codec/signal_entry.h"
#include "codec/trade_entry.h"
#include "util/alloc.h"
#include <errno.h>
#include <stdlib.h>

#define BLOCK_MAX_MS 1000
/* What is due is looked at no more often than this, so that many deadlines close together cost little. */
#define GRAIN_MS 10
#define RETRY_MS 200
/* Handled reports and trades are trimmed at every MARK_STRIDE-th. */
#define MARK_STRIDE 64

static void on_up(void *ctx);
static void on_down(void *ctx, const char *reason, bool was_up);
static void on_begin(void *ctx, const struct redis_read_result *result);
static void on_entry(void *ctx, const struct entry *entry);
static void on_done(void *ctx, const struct redis_read_result *result);
static void on_retry(void *ctx);

void ingest_init(struct ingest *in, struct daemon *d)
{
    *in = (struct ingest){.d = d, .tap = &daemon_of(d, LAYER_RIS)->tap};
    in->is_far = daemon_serves(d, LAYER_RTRS) && !daemon_serves(d, LAYER_RTSS);
    in->names[STREAM_REPORTS] =
        (struct redis_stream_names){d->names.stream[STREAM_REPORTS], report_entry_names, REPORT_FIELDS};
    in->names[STREAM_SIGNALS] =
        (struct redis_stream_names){d->names.stream[STREAM_SIGNALS], signal_field_names, SIGNAL_FIELDS};
    in->names[STREAM_RESULTS] =
        (struct redis_stream_names){d->names.stream[STREAM_RESULTS], result_field_names, RESULT_FIELDS};
    in->names[STREAM_TRADES] =
        (struct redis_stream_names){d->names.stream[STREAM_TRADES], trade_entry_names, TRADE_FIELDS};
    struct redis_link_options options;
    daemon_link_options(d, "mt5stated-read", &options);
    struct redis_stream_events events = {on_up, on_down, on_begin, on_entry, on_done};
    in->reader = redis_stream_new(d->loop, &options, in->names, &events, in);
    in->retry = loop_timer_new(d->loop, on_retry, in);
    for (int k = 0; k < STREAM_KINDS; k++)
        in->streams[k].marks.stride = MARK_STRIDE;
}

void ingest_clear(struct ingest *in)
{
    redis_stream_free(in->reader);
    loop_timer_free(in->retry);
    for (int k = 0; k < STREAM_KINDS; k++)
        free(in->streams[k].marks.ids);
    free(in->late);
    free(in->late_present);
}

void ingest_start(struct ingest *in)
{
    redis_link_start(redis_stream_link(in->reader));
}

static void forget_marks(struct id_marks *m)
{
    m->count = m->first = 0;
    m->handled = m->older = 0;
    m->has_old = false;
}

void ingest_reset(struct ingest *in)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        struct ingest_stream *s = &in->streams[k];
        s->read = s->handled = s->stored = (struct stream_id){0, 0};
        s->horizon_ms = 0;
        s->at_end = false; /* wrong_type is about Redis: the next poll tells */
        forget_marks(&s->marks);
    }
    /* What a read under way still brings belongs to nothing any more. */
    if (redis_stream_is_reading(in->reader))
        redis_link_drop(redis_stream_link(in->reader), "the state is read anew", true);
    in->late_count = 0;
    in->results_wait = false;
    in->results_applied = (struct stream_id){0, 0};
}

void ingest_set_position(struct ingest *in, enum stream_kind stream, struct stream_id position)
{
    struct ingest_stream *s = &in->streams[stream];
    s->read = s->handled = s->stored = position;
    if (stream == STREAM_RESULTS)
        in->results_applied = position;
}

static void make_room(struct id_marks *m)
{
    if (m->count < m->cap)
        return;
    uint32_t full = m->cap, cap = full ? full * 2 : 64;
    struct stream_id *ids = mem_new(cap, sizeof *ids);
    for (uint32_t i = 0; i < full; i++)
        ids[i] = m->ids[(m->first + i) % full];
    free(m->ids);
    m->ids = ids;
    m->cap = cap;
    m->first = 0;
}

void ingest_note_handled(struct ingest *in, enum stream_kind stream, struct stream_id id)
{
    struct id_marks *m = &in->streams[stream].marks;
    if (++m->handled >= m->stride) {
        m->handled = 0;
        make_room(m);
        m->ids[(m->first + m->count++) % m->cap] = id;
    }
}

/* The newest is a mark, so that the next one is as far from it as from any other. */
void ingest_note_older(struct ingest *in, enum stream_kind stream, struct stream_id id)
{
    struct id_marks *m = &in->streams[stream].marks;
    if (m->older++ % m->stride != 0)
        return;
    make_room(m);
    m->first = (m->first + m->cap - 1) % m->cap;
    m->ids[m->first] = id;
    m->count++;
}

void ingest_count_rejected(struct ingest *in, enum stream_kind stream, const char *field, uint64_t count)
{
    for (uint32_t i = 0; i < in->reason_count; i++) {
        if (in->reasons[i].stream == stream && strcmp(in->reasons[i].field, field) == 0) {
            in->reasons[i].count += count;
            return;
        }
    }
    if (in->reason_count < INGEST_REASONS_MAX)
        in->reasons[in->reason_count++] = (struct ingest_reason){stream, field, count};
}

static struct cause cause_of(const struct entry *entry)
{
    return (struct cause){(enum cause_kind)entry->stream, entry->id};
}

/* One line for each stream and REASON; INSTANCE_ID may be empty. */
static void tell_rejected(struct ingest *in, const struct entry *entry, const char *field,
                          struct slice reason)
{
    const char *stream = in->names[entry->stream].stream;
    struct slice instance_id =
        entry->stream == STREAM_REPORTS ? report_find_instance_id(entry) : slice_of("", 0);
    struct buf key = BUF_INIT;
    char id[STREAM_ID_TEXT_MAX];
    ingest_count_rejected(in, entry->stream, field, 1);
    buf_add_format(&key, "%s ", stream);
    buf_add_slice(&key, reason);
    if (instance_id.len)
        LOG_LIMITED(in->d->log, WARN, buf_slice(&key), "entry rejected", log_text("stream", stream),
                    log_slice("id", slice_of(id, stream_id_format(id, entry->id))),
                    log_slice("instance_id", instance_id), log_slice("reason", reason));
    else
        LOG_LIMITED(in->d->log, WARN, buf_slice(&key), "entry rejected", log_text("stream", stream),
                    log_slice("id", slice_of(id, stream_id_format(id, entry->id))),
                    log_slice("reason", reason));
    buf_clear(&key);
}

void ingest_reject(struct ingest *in, const struct entry *entry, const char *field, struct slice reason)
{
    struct cause cause = cause_of(entry);
    struct sink *sink = commit_sink(&in->d->commit);
    sink->ops->begin(sink->ctx, &cause);
    sink->ops->reject(sink->ctx, &cause, reason);
    tell_rejected(in, entry, field, reason);
    if (entry->stream == STREAM_SIGNALS || entry->stream == STREAM_RESULTS)
        ledger_on_rejected(in->d->ledger, entry->stream, entry->id);
}

/* The time of an entry, never ahead of ours. */
static int64_t entry_ms(const struct entry *entry, int64_t now_ms)
{
    return entry->id.ms < (uint64_t)now_ms ? (int64_t)entry->id.ms : now_ms;
}

static void take_report(struct ingest *in, const struct entry *entry, int64_t now_ms)
{
    struct report_scratch scratch;
    struct report report;
    struct slice field;
    struct errmsg why;
    int64_t at_ms = entry_ms(entry, now_ms);
    if (!report_parse(entry, &scratch, &report, &field, &why)) {
        ingest_reject(in, entry, field.data, slice_text(why.text));
        fleet_on_heartbeat(&in->d->fleet, report_find_instance_id(entry), at_ms);
        return;
    }
    struct slice blocked = follow_blocked(&in->d->follow, report.instance_id);
    if (blocked.len) {
        ingest_reject(in, entry, "wrong_type", blocked);
        return;
    }
    struct cause cause = cause_of(entry);
    struct sink *sink = commit_sink(&in->d->commit);
    sink->ops->begin(sink->ctx, &cause);
    bool known = fleet_find(&in->d->fleet, report.instance_id) != NULL;
    if (!fleet_on_report(&in->d->fleet, &report, &cause, at_ms, sink))
        tell_rejected(in, entry, "first_report", slice_text(fleet_find_refusal(&in->d->fleet, &report)));
    else if (!known)
        trade_book_tie_instance(&daemon_of(in->d, LAYER_RTS)->trades,
                                fleet_find(&in->d->fleet, report.instance_id));
}

static void take_signal(struct ingest *in, const struct entry *entry, int64_t now_ms)
{
    struct signal_entry signal;
    struct signal_entry_scratch scratch;
    struct slice field;
    struct errmsg why;
    if (!signal_entry_parse(entry, &scratch, &signal, &field, &why)) {
        ingest_reject(in, entry, field.data, slice_text(why.text));
        return;
    }
    struct cause cause = cause_of(entry);
    struct sink *sink = commit_sink(&in->d->commit);
    sink->ops->begin(sink->ctx, &cause);
    ledger_set_time(in->d->ledger, now_ms);
    if (in->d->commit.changes.is_noting && ledger_is_open(in->d->ledger, signal.signal_id))
        changes_note_duplicate(&in->d->commit.changes, signal.id, signal.signal_id);
    ledger_on_signal(in->d->ledger, &signal, sink);
}

static void take_result(struct ingest *in, const struct entry *entry, int64_t now_ms)
{
    struct result_entry result;
    struct slice field;
    struct errmsg why;
    if (!result_entry_parse(entry, &result, &field, &why)) {
        ingest_reject(in, entry, field.data, slice_text(why.text));
        return;
    }
    struct cause cause = cause_of(entry);
    struct sink *sink = commit_sink(&in->d->commit);
    sink->ops->begin(sink->ctx, &cause);
    changes_note_result(&in->d->commit.changes, entry->id, result.result_id);
    ledger_on_result(in->d->ledger, &result, now_ms, sink);
}

void ingest_take_unread(struct ingest *in, const struct entry *entry)
{
    int64_t now_ms = daemon_now_ms(in->d);
    in->streams[entry->stream].entries++;
    if (tap_is_open(in->tap))
        tap_on_entry(in->tap, entry);
    if (entry->stream == STREAM_SIGNALS)
        take_signal(in, entry, now_ms);
    else if (entry->stream == STREAM_RESULTS && in->is_far)
        far_results_take_unread(in, entry, now_ms);
    else if (entry->stream == STREAM_RESULTS)
        take_result(in, entry, now_ms);
}

static void on_entry(void *ctx, const struct entry *entry)
{
    struct ingest *in = ctx;
    struct ingest_stream *s = &in->streams[entry->stream];
    /* What one read brings is taken in up to its end, or from some entry on not at all: else what lies before
     * the next one would never be asked for again. */
    in->is_skipping =
        in->is_skipping || (!lead_is_active(&in->d->lead) && in->d->lead.phase != PHASE_CONNECTING);
    if (in->is_skipping)
        return;
    if (stream_id_compare(entry->id, s->read) <= 0)
        return;
    s->read = entry->id;
    bool is_again = in->is_far && stream_id_compare(entry->id, s->handled) <= 0;
    s->entries += !is_again;
    int64_t mono_ms = loop_now_ms(), now_ms = redis_clock_at_ms(&in->d->clock, mono_ms);
    guarding_look_at(&in->d->guarding, mono_ms); /* this may be the first thing after a stall */
    if (tap_is_open(in->tap) && !is_again)
        tap_on_entry(in->tap, entry);
    switch (entry->stream) {
    case STREAM_REPORTS:
        take_report(in, entry, now_ms);
        break;
    case STREAM_SIGNALS:
        take_signal(in, entry, now_ms);
        break;
    case STREAM_RESULTS:
        if (in->is_far)
            far_results_take(in, entry, now_ms);
        else
            take_result(in, entry, now_ms);
        break;
    case STREAM_TRADES:
        trade_io_take(&in->d->trade_io, entry); /* handled once it has been looked up */
        return;
    }
    if (!is_again)
        s->handled = entry->id;
    if (entry->stream == STREAM_REPORTS)
        ingest_note_handled(in, entry->stream, entry->id);
    if (commit_is_full(&in->d->commit))
        commit_kick(&in->d->commit);
}

void ingest_trade_handled(struct ingest *in, struct stream_id id)
{
    in->streams[STREAM_TRADES].handled = id;
    ingest_note_handled(in, STREAM_TRADES, id);
}

bool ingest_has_news(const struct ingest *in)
{
    for (int k = 0; k < STREAM_KINDS; k++)
        if (stream_id_compare(in->streams[k].stored, in->streams[k].handled) != 0)
            return true;
    return false;
}

/* Trims the handled entries of a stream of which MAX_LEN may stay; where nothing is to be removed, it is done
 * once it may be. */
static void trim_handled(struct ingest *in, struct batch *batch, enum stream_kind stream, int64_t max_len)
{
    const struct ingest_stream *s = &in->streams[stream];
    struct id_marks *m = &in->streams[stream].marks;
    uint32_t keep = max_len ? (uint32_t)((uint64_t)max_len / m->stride) + 1 : 0;
    if (m->count > keep) {
        m->first = (m->first + (m->count - keep)) % m->cap;
        m->count = keep;
        m->has_old = true;
    }
    m->has_old = m->has_old || (max_len == 0 && m->handled);
    if (!m->has_old || in->d->config->observe_only || (max_len && !m->count))
        return;
    batch_trim(batch, stream, max_len ? m->ids[m->first] : stream_id_next(s->handled), s->handled);
    m->has_old = false;
    if (max_len == 0)
        m->handled = 0;
}

void ingest_finish_batch(struct ingest *in, struct batch *batch)
{
    const struct config *config = in->d->config;
    far_results_need(in);
    trim_handled(in, batch, STREAM_REPORTS, config->streams.reports_max_len);
    trim_handled(in, batch, STREAM_TRADES, config->streams.trades_max_len);
    ledger_flush(in->d->ledger, in->streams[STREAM_SIGNALS].handled, daemon_now_ms(in->d), batch_sink(batch));
    for (int k = 0; k < STREAM_KINDS; k++) {
        struct ingest_stream *s = &in->streams[k];
        if (stream_id_compare(s->stored, s->handled) == 0)
            continue;
        if (daemon_serves(in->d, (enum layer)k))
            batch_set_position(batch, (enum stream_kind)k, s->handled);
        else
            batch_note_position(batch, (enum stream_kind)k, s->handled);
        s->stored = s->handled;
    }
}

static void on_up(void *ctx)
{
    struct ingest *in = ctx;
    daemon_hurry_links(in->d);
    ingest_go_on(in);
}

static void on_down(void *ctx, const char *reason, bool was_up)
{
    struct ingest *in = ctx;
    for (int k = 0; k < STREAM_KINDS; k++)
        in->streams[k].at_end = false;
    if (was_up)
        LOG_LIMITED(in->d->log, WARN, slice_text("read"), "redis link for reading lost",
                    log_text("reason", reason));
}

/* Of the signals, by the clock of this one. Where the other half is away, nothing comes of looking. */
static int64_t next_signal_deadline(const struct ingest *in)
{
    const struct daemon *signals = daemon_of(in->d, LAYER_RTSS), *results = daemon_of(in->d, LAYER_RTRS);
    if ((signals != in->d && results != in->d) ||
        (signals != results && (!lead_is_active(&signals->lead) || !lead_is_active(&results->lead))))
        return INT64_MAX;
    int64_t deadline = ledger_next_deadline(signals->ledger);
    return signals == in->d || deadline == INT64_MAX
               ? deadline
               : deadline + (daemon_now_ms(in->d) - daemon_now_ms(signals));
}

static int64_t next_deadline(const struct ingest *in)
{
    int64_t ledger = next_signal_deadline(in), fleet = fleet_next_deadline(&in->d->fleet);
    return ledger < fleet ? ledger : fleet;
}

/* How long a read may wait: until something becomes due, for then it must be known what had come. */
static int64_t block_ms(struct ingest *in)
{
    int64_t deadline = next_deadline(in);
    if (deadline == INT64_MAX)
        return BLOCK_MAX_MS;
    int64_t left = deadline - daemon_now_ms(in->d);
    if (left > BLOCK_MAX_MS)
        return BLOCK_MAX_MS;
    if (left >= GRAIN_MS)
        return left;
    if (left > 0)
        return GRAIN_MS;
    int64_t now_ms = loop_now_ms();
    if (now_ms - in->quick_ms < GRAIN_MS)
        return GRAIN_MS;
    in->quick_ms = now_ms;
    return 0;
}

/* May a read be sent now? */
static bool may_read(const struct ingest *in)
{
    const struct daemon *d = in->d;
    if (far_results_must_wait(in))
        return false; /* ingest_go_on comes with the answer to their batch */
    return lead_is_active(&d->lead) && !d->stopping && !commit_is_full(&d->commit) &&
           redis_link_is_up(redis_stream_link(in->reader));
}

static void send_read(struct ingest *in, struct redis_read *read)
{
    read->count = in->d->config->streams.batch;
    read->asked_ms = daemon_now_ms(in->d);
    if (redis_stream_read(in->reader, read))
        loop_timer_set(in->retry, RETRY_MS);
}

void ingest_go_on(struct ingest *in)
{
    struct daemon *d = in->d;
    struct redis_read read = {0};
    if (redis_stream_is_reading(in->reader) || !may_read(in))
        return;
    for (int k = 0; k < STREAM_KINDS; k++) {
        struct ingest_stream *s = &in->streams[k];
        read.after[k] = s->read;
        bool wait = s->wrong_type || !daemon_serves(d, (enum layer)k) ||
                    (k == STREAM_SIGNALS && ledger_is_full(d->ledger)) ||
                    (k == STREAM_TRADES && trade_io_is_full(&d->trade_io));
        if (!wait)
            read.mask |= 1U << k;
    }
    if (!read.mask) {
        loop_timer_set(in->retry, RETRY_MS);
        return;
    }
    read.block_ms = block_ms(in);
    send_read(in, &read);
}

/* Asks for what is behind RESULT, of which nothing has been taken in: where the same streams will be read
 * then, whatever it is. */
static void read_ahead(struct ingest *in, const struct redis_read_result *result)
{
    const struct daemon *d = in->d;
    struct redis_read read = {.mask = result->read.mask};
    if (!redis_read_is_full(result) || !may_read(in) ||
        !ledger_has_room(d->ledger, result->entries[STREAM_SIGNALS]) ||
        !trade_io_has_room(&d->trade_io, result->entries[STREAM_TRADES]))
        return;
    for (int k = 0; k < STREAM_KINDS; k++)
        if (daemon_serves(d, (enum layer)k) && !(read.mask & 1U << k) != in->streams[k].wrong_type)
            return;
    memcpy(read.after, result->last, sizeof read.after);
    send_read(in, &read);
}

static void on_begin(void *ctx, const struct redis_read_result *result)
{
    struct ingest *in = ctx;
    in->is_skipping = false;
    for (int k = 0; k < STREAM_KINDS; k++)
        if (result->read.mask & 1U << k && stream_id_compare(result->read.after[k], in->streams[k].read) != 0)
            in->is_skipping = true;
    if (result->is_whole && !in->is_skipping)
        read_ahead(in, result);
}

static void on_read_error(struct ingest *in, const struct redis_read_result *result)
{
    for (int k = 0; k < STREAM_KINDS; k++)
        in->streams[k].at_end = false;
    in->trouble = redis_error_name(result->error);
    lead_note_error(&in->d->lead, result->error_text);
    LOG_LIMITED(in->d->log, ERROR, slice_text(in->trouble), "cannot read the streams",
                log_slice("error", result->error_text));
    if (result->error == REDIS_ERROR_WRONGTYPE)
        poll_stream_types(&in->d->poll);
    if (result->error == REDIS_ERROR_NOAUTH || result->error == REDIS_ERROR_READONLY)
        redis_link_drop(redis_stream_link(in->reader), in->trouble, true);
    loop_timer_set(in->retry, RETRY_MS);
}

static void on_done(void *ctx, const struct redis_read_result *result)
{
    struct ingest *in = ctx;
    if (result->outcome == REDIS_READ_LOST)
        return;
    if (result->outcome == REDIS_READ_ERROR) {
        on_read_error(in, result);
        return;
    }
    in->trouble = NULL;
    if (!lead_is_active(&in->d->lead))
        return; /* what was read may not have been taken in: it says nothing, and is read again */
    if (in->is_skipping) {
        ingest_go_on(in);
        return;
    }
    for (int k = 0; k < STREAM_KINDS; k++) {
        struct ingest_stream *s = &in->streams[k];
        s->at_end = (result->read.mask & 1U << k) && result->entries[k] < (uint64_t)result->read.count;
        if (s->at_end)
            s->horizon_ms = result->read.asked_ms;
    }
    if (in->streams[STREAM_REPORTS].at_end)
        follow_on_caught_up(&in->d->follow);
    far_results_read(in);
    trade_io_go_on(&in->d->trade_io);
    ingest_judge(in);
    commit_kick(&in->d->commit);
    ingest_go_on(in);
}

void ingest_wake(struct ingest *in)
{
    ingest_judge(in);
    commit_kick(&in->d->commit);
    ingest_go_on(in);
}

static void on_retry(void *ctx)
{
    ingest_wake(ctx);
}

void ingest_judge(struct ingest *in)
{
    struct daemon *d = in->d;
    if (!lead_is_active(&d->lead))
        return;
    guarding_look(&d->guarding);
    int64_t now_ms = daemon_now_ms(d);
    int64_t signals_ms = in->streams[STREAM_SIGNALS].horizon_ms,
            results_ms = in->streams[STREAM_RESULTS].horizon_ms;
    if (next_deadline(in) <= now_ms) {
        if (daemon_is_home(d))
            fleet_on_timer(&d->fleet, now_ms, in->streams[STREAM_REPORTS].horizon_ms,
                           commit_sink(&d->commit));
        if (!daemon_serves(d, LAYER_RTSS))
            return;
        ledger_expire(d->ledger, now_ms, signals_ms < results_ms ? signals_ms : results_ms);
        late_look(in);
    }
}

bool ingest_owns_stream(const struct ingest *in, struct slice key)
{
    for (int k = 0; k < STREAM_KINDS; k++)
        if (daemon_serves(in->d, (enum layer)k) && slice_is(key, in->names[k].stream))
            return true;
    return false;
}

void ingest_stream_is_wrong(struct ingest *in, struct slice key, struct slice type)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        if (!slice_is(key, in->names[k].stream) || in->streams[k].wrong_type)
            continue;
        in->streams[k].wrong_type = true;
        LOG(in->d->log, ERROR, "a stream that should be read is something else; it is left out",
            log_slice("key", key), log_slice("type", type));
    }
}

void ingest_stream_is_right(struct ingest *in, enum stream_kind stream)
{
    if (!in->streams[stream].wrong_type)
        return;
    in->streams[stream].wrong_type = false;
    LOG(in->d->log, INFO, "a stream can be read again", log_text("key", in->names[stream].stream));
}

void ingest_stream_restarted(struct ingest *in, enum stream_kind stream)
{
    char was[STREAM_ID_TEXT_MAX];
    stream_id_format(was, in->streams[stream].handled);
    LOG(in->d->log, WARN, "a stream was made anew; it is read from its beginning",
        log_text("stream", in->names[stream].stream), log_text("position", was));
    ingest_set_position(in, stream, (struct stream_id){0, 0});
    in->streams[stream].stored = (struct stream_id){0, 1}; /* so that the new position is written */
    forget_marks(&in->streams[stream].marks);
    if (redis_stream_is_reading(in->reader))
        redis_link_drop(redis_stream_link(in->reader), "a stream was made anew", true);
}
