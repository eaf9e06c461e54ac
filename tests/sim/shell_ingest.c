/* Taking in, and judging what is late. Stands for ingest.c, late.c and the stream's part of poll.c. */
#include "shell_private.h"

#include "codec/signal_entry.h"
#include "codec/trade_entry.h"
#include "util/alloc.h"
#include <inttypes.h>

#define BLOCK_MAX_MS 1000
#define GRAIN_MS     10
#define RETRY_MS     200

bool entry_decode(enum stream_kind kind, const struct store_entry *stored, struct entry *ret)
{
    static const struct {
        const struct slice *names;
        uint32_t count;
    } tables[STREAM_KINDS] = {
        [STREAM_REPORTS] = {report_entry_names, REPORT_FIELDS},
        [STREAM_SIGNALS] = {signal_field_names, SIGNAL_FIELDS},
        [STREAM_RESULTS] = {result_field_names, RESULT_FIELDS},
        [STREAM_TRADES] = {trade_entry_names, TRADE_FIELDS},
    };

    *ret = (struct entry){.stream = kind, .id = stored->id};
    for (uint32_t i = 0; i + 1 < stored->word_count; i += 2) {
        for (uint32_t f = 0; f < tables[kind].count; f++) {
            struct slice value = stored->words[i + 1];

            if (!slice_equal(tables[kind].names[f], stored->words[i]))
                continue;
            ret->present |= 1U << f;
            if (value.len > ENTRY_VALUE_MAX) {
                ret->oversize |= 1U << f;
                value.len = ENTRY_VALUE_MAX;
            }
            ret->value[f] = value;
        }
    }
    return true;
}

static void forget_reading(struct reading *reading)
{
    for (uint32_t i = reading->next; i < reading->count; i++)
        entry_drop(reading->entries[i]);
    reading->count = reading->next = 0;
    reading->is_going = reading->is_executed = false;
}

void shell_stall_reading(struct shell *sh, int64_t ms)
{
    sim_note(sh->sim, "nothing moves on %s's link for reading for %" PRId64 " ms", sh->name, ms);
    sh->read_stuck_until_ms = sh->store->now_ms + ms;
}

static bool is_stuck(const struct shell *sh)
{
    return !sh->is_running || sh->store->now_ms < sh->read_stuck_until_ms;
}

static void drop_reading(struct shell *sh)
{
    forget_reading(&sh->reading);
    forget_reading(&sh->ahead);
    sh->read_stuck_until_ms = 0;
}

void shell_lose_reading(struct shell *sh)
{
    sim_note(sh->sim, "%s loses its link for reading", sh->name);
    drop_reading(sh);
    for (int k = 0; k < STREAM_KINDS; k++)
        sh->streams[k].at_end = false;
    sh->read_retry_ms = sh->store->now_ms + rng_between(&sh->sim->rng, 1, 500);
}

static void forget_marks(struct shell_stream *s)
{
    s->mark_count = s->unmarked = 0;
    s->has_old = false;
}

void ingest_reset(struct shell *sh)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        struct shell_stream *s = &sh->streams[k];

        s->read = s->handled = s->stored = (struct stream_id){0, 0};
        s->horizon_ms = 0;
        s->at_end = false;
        forget_marks(s);
    }
    drop_reading(sh);
    sh->late_count = 0;
}

void ingest_clear(struct shell *sh)
{
    drop_reading(sh);
    free(sh->reading.entries);
    free(sh->reading.kinds);
    free(sh->ahead.entries);
    free(sh->ahead.kinds);
    for (int k = 0; k < STREAM_KINDS; k++)
        free(sh->streams[k].marks);
}

void ingest_set_position(struct shell *sh, enum stream_kind stream, struct stream_id position)
{
    struct shell_stream *s = &sh->streams[stream];

    s->read = s->handled = s->stored = position;
}

void ingest_note_handled(struct shell *sh, enum stream_kind stream, struct stream_id id)
{
    struct shell_stream *s = &sh->streams[stream];

    if (++s->unmarked < MARK_STRIDE)
        return;
    s->unmarked = 0;
    if (s->mark_count == s->mark_cap) {
        s->mark_cap = s->mark_cap ? s->mark_cap * 2 : 16;
        s->marks = mem_resize(s->marks, s->mark_cap, sizeof(*s->marks));
    }
    s->marks[s->mark_count++] = id;
}

static struct sink *begin(struct shell *sh, const struct entry *entry, struct cause *ret_cause)
{
    struct sink *sink = commit_sink(sh);

    *ret_cause = (struct cause){(enum cause_kind)entry->stream, entry->id};
    sink->ops->begin(sink->ctx, ret_cause);
    return sink;
}

static void reject(struct shell *sh, const struct entry *entry, struct slice reason)
{
    struct cause cause;
    struct sink *sink = begin(sh, entry, &cause);

    sink->ops->reject(sink->ctx, &cause, reason);
    if (entry->stream == STREAM_SIGNALS || entry->stream == STREAM_RESULTS)
        ledger_on_rejected(sh->ledger, entry->stream, entry->id);
}

static int64_t entry_ms(const struct shell *sh, const struct entry *entry)
{
    int64_t now_ms = shell_now_ms(sh);

    return entry->id.ms < (uint64_t)now_ms ? (int64_t)entry->id.ms : now_ms;
}

static void take_report(struct shell *sh, const struct entry *entry)
{
    struct report_scratch scratch;
    struct report report;
    struct slice field;
    struct errmsg why;
    struct cause cause;
    struct sink *sink;
    const char *blocked;
    bool is_known;

    if (!report_parse(entry, &scratch, &report, &field, &why)) {
        reject(sh, entry, slice_text(why.text));
        fleet_on_heartbeat(&sh->fleet, report_find_instance_id(entry), entry_ms(sh, entry));
        return;
    }
    blocked = follow_blocked(sh, report.instance_id);
    if (blocked) {
        reject(sh, entry, slice_text(blocked));
        return;
    }
    sink = begin(sh, entry, &cause);
    is_known = fleet_find(&sh->fleet, report.instance_id) != NULL;
    if (fleet_on_report(&sh->fleet, &report, &cause, entry_ms(sh, entry), sink) && !is_known)
        trade_book_tie_instance(&sh->trades, fleet_find(&sh->fleet, report.instance_id));
}

static void take_signal(struct shell *sh, const struct entry *entry)
{
    struct signal_entry signal;
    struct signal_entry_scratch scratch;
    struct slice field;
    struct errmsg why;
    struct cause cause;

    if (!signal_entry_parse(entry, &scratch, &signal, &field, &why)) {
        reject(sh, entry, slice_text(why.text));
        return;
    }
    ledger_set_time(sh->ledger, shell_now_ms(sh));
    ledger_on_signal(sh->ledger, &signal, begin(sh, entry, &cause));
}

static void take_result(struct shell *sh, const struct entry *entry)
{
    struct result_entry result;
    struct slice field;
    struct errmsg why;
    struct cause cause;

    if (!result_entry_parse(entry, &result, &field, &why)) {
        reject(sh, entry, slice_text(why.text));
        return;
    }
    ledger_on_result(sh->ledger, &result, shell_now_ms(sh), begin(sh, entry, &cause));
}

static void on_entry(struct shell *sh, enum stream_kind kind, struct store_entry *stored)
{
    struct shell_stream *s = &sh->streams[kind];
    struct entry entry;

    sh->reading.is_skipping =
        sh->reading.is_skipping || (!lead_is_active(sh) && sh->phase != PHASE_CONNECTING);
    if (sh->reading.is_skipping)
        return;
    if (stream_id_compare(stored->id, s->read) <= 0 || !entry_decode(kind, stored, &entry))
        return;
    s->read = entry.id;
    switch (kind) {
    case STREAM_REPORTS:
        take_report(sh, &entry);
        break;
    case STREAM_SIGNALS:
        take_signal(sh, &entry);
        break;
    case STREAM_RESULTS:
        take_result(sh, &entry);
        break;
    case STREAM_TRADES:
        trade_io_take(sh, stored);
        return;
    }
    s->handled = entry.id;
    if (kind == STREAM_REPORTS)
        ingest_note_handled(sh, kind, entry.id);
    if (commit_is_full(sh))
        commit_kick(sh);
}

bool ingest_has_news(const struct shell *sh)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        if (stream_id_compare(sh->streams[k].stored, sh->streams[k].handled) != 0)
            return true;
    }
    return false;
}

static void trim_handled(struct shell *sh, struct batch *batch, enum stream_kind stream, int64_t max_len)
{
    struct shell_stream *s = &sh->streams[stream];
    uint32_t keep = max_len ? (uint32_t)max_len / MARK_STRIDE + 1 : 0;

    if (s->mark_count > keep) {
        memmove(s->marks, s->marks + (s->mark_count - keep), keep * sizeof(*s->marks));
        s->mark_count = keep;
        s->has_old = true;
    }
    s->has_old = s->has_old || (max_len == 0 && s->unmarked);
    if (!s->has_old || sh->sim->settings.ledger.removes_nothing || (max_len && !s->mark_count))
        return;
    batch_trim(batch, stream, max_len ? s->marks[0] : stream_id_next(s->handled), s->handled);
    s->has_old = false;
    if (max_len == 0)
        s->unmarked = 0;
}

void ingest_finish_batch(struct shell *sh, struct batch *batch)
{
    const struct settings *settings = &sh->sim->settings;

    trim_handled(sh, batch, STREAM_REPORTS, settings->reports_max_len);
    trim_handled(sh, batch, STREAM_TRADES, settings->trades_max_len);
    ledger_flush(sh->ledger, sh->streams[STREAM_SIGNALS].handled, shell_now_ms(sh), batch_sink(batch));
    for (int k = 0; k < STREAM_KINDS; k++) {
        struct shell_stream *s = &sh->streams[k];

        if (stream_id_compare(s->stored, s->handled) == 0)
            continue;
        batch_set_position(batch, (enum stream_kind)k, s->handled);
        s->stored = s->handled;
    }
}

static int64_t next_deadline(const struct shell *sh)
{
    int64_t ledger = ledger_next_deadline(sh->ledger), fleet = fleet_next_deadline(&sh->fleet);

    return ledger < fleet ? ledger : fleet;
}

static int64_t block_ms(const struct shell *sh)
{
    int64_t deadline = next_deadline(sh);
    int64_t left = deadline == INT64_MAX ? BLOCK_MAX_MS : deadline - shell_now_ms(sh);

    if (left > BLOCK_MAX_MS)
        return BLOCK_MAX_MS;
    return left >= GRAIN_MS ? left : GRAIN_MS;
}

static bool may_read(const struct shell *sh)
{
    return lead_is_active(sh) && !sh->is_stopping && !commit_is_full(sh) && !sh->read_retry_ms;
}

static void send_read(struct shell *sh, struct reading *reading, uint32_t mask, int64_t wait_ms)
{
    memset(reading->counts, 0, sizeof(reading->counts));
    reading->mask = mask;
    reading->is_going = true;
    reading->is_executed = reading->is_refused = reading->is_begun = reading->is_skipping = false;
    reading->asked_ms = shell_now_ms(sh);
    reading->until_ms = sh->store->now_ms + wait_ms;
}

void ingest_go_on(struct shell *sh)
{
    uint32_t mask = 0;

    if (sh->reading.is_going || !may_read(sh))
        return;
    for (int k = 0; k < STREAM_KINDS; k++) {
        sh->reading.after[k] = sh->streams[k].read;
        if (!(k == STREAM_SIGNALS && ledger_is_full(sh->ledger)) &&
            !(k == STREAM_TRADES && trade_io_is_full(sh)))
            mask |= 1U << k;
    }
    send_read(sh, &sh->reading, mask, block_ms(sh));
}

static void read_ahead(struct shell *sh)
{
    const struct reading *reading = &sh->reading;
    bool is_full = false;

    for (int k = 0; k < STREAM_KINDS; k++)
        is_full = is_full || reading->counts[k] >= sh->sim->settings.read_count;
    if (!is_full || !may_read(sh) || !ledger_has_room(sh->ledger, reading->counts[STREAM_SIGNALS]) ||
        !trade_io_has_room(sh, reading->counts[STREAM_TRADES]) || reading->mask != (1U << STREAM_KINDS) - 1)
        return;
    memcpy(sh->ahead.after, reading->after, sizeof(reading->after));
    for (uint32_t i = 0; i < reading->count; i++)
        sh->ahead.after[reading->kinds[i]] = reading->entries[i]->id;
    send_read(sh, &sh->ahead, reading->mask, 0);
}

static void on_begin(struct shell *sh)
{
    struct reading *reading = &sh->reading;

    reading->is_begun = true;
    for (int k = 0; k < STREAM_KINDS; k++) {
        if (reading->mask & 1U << k && stream_id_compare(reading->after[k], sh->streams[k].read) != 0)
            reading->is_skipping = true;
    }
    if (!reading->is_skipping)
        read_ahead(sh);
}

static void add_reading(struct reading *reading, enum stream_kind kind, struct store_entry *entry)
{
    if (reading->count == reading->cap) {
        reading->cap = reading->cap ? reading->cap * 2 : 32;
        reading->entries = mem_resize(reading->entries, reading->cap, sizeof(*reading->entries));
        reading->kinds = mem_resize(reading->kinds, reading->cap, sizeof(*reading->kinds));
    }
    reading->kinds[reading->count] = kind;
    reading->entries[reading->count++] = entry_share(entry);
}

static void on_read_error(struct shell *sh)
{
    drop_reading(sh);
    for (int k = 0; k < STREAM_KINDS; k++)
        sh->streams[k].at_end = false;
    sh->read_retry_ms = sh->store->now_ms + RETRY_MS;
}

bool shell_execute_read(struct shell *sh)
{
    struct reading *reading = sh->ahead.is_going ? &sh->ahead : &sh->reading;

    if (is_stuck(sh) || !reading->is_going || reading->is_executed)
        return false;
    reading->is_refused = shell_is_refused(sh, CALL_READ, false);
    if (reading->is_refused) {
        reading->is_executed = true;
        return true;
    }
    for (int k = 0; k < STREAM_KINDS; k++) {
        const struct store_key *key = store_find_text(sh->store, sim_streams[k]);
        uint32_t first = stream_behind(key, reading->after[k]);

        for (uint32_t i = 0; (reading->mask & 1U << k) && key && i < sh->sim->settings.read_count &&
                             first + i < key->entry_count;
             i++) {
            add_reading(reading, (enum stream_kind)k, key->entries[first + i]);
            reading->counts[k]++;
        }
    }
    reading->is_executed = reading->count > 0 || sh->store->now_ms >= reading->until_ms;
    return reading->is_executed;
}

static void on_read(struct shell *sh, const struct reading *reading)
{
    if (!lead_is_active(sh))
        return;
    if (reading->is_skipping) {
        ingest_go_on(sh);
        return;
    }
    for (int k = 0; k < STREAM_KINDS; k++) {
        struct shell_stream *s = &sh->streams[k];

        s->at_end = (reading->mask & 1U << k) && reading->counts[k] < sh->sim->settings.read_count;
        if (s->at_end)
            s->horizon_ms = reading->asked_ms;
    }
    trade_io_go_on(sh);
    ingest_judge(sh);
    commit_kick(sh);
    ingest_go_on(sh);
}

/* The next one, if it was asked for, is the one that is under way now. */
static void end_reading(struct shell *sh)
{
    struct reading ended = sh->reading;

    ended.count = ended.next = 0;
    ended.is_going = ended.is_executed = false;
    sh->reading = sh->ahead;
    sh->ahead = ended;
    on_read(sh, &ended);
}

/* A reply comes as a whole but for a large one: here any of them may be taken in bit by bit. */
bool shell_deliver_read(struct shell *sh, uint32_t most)
{
    struct reading *reading = &sh->reading;

    if (is_stuck(sh) || !reading->is_going || !reading->is_executed)
        return false;
    if (reading->is_refused) {
        on_read_error(sh);
        return true;
    }
    if (!reading->is_begun)
        on_begin(sh);
    for (; most > 0 && reading->next < reading->count; most--) {
        uint32_t i = reading->next++;
        struct store_entry *entry = reading->entries[i];

        on_entry(sh, reading->kinds[i], entry);
        entry_drop(entry);
    }
    if (reading->next == reading->count)
        end_reading(sh);
    return true;
}

static void late_look(struct shell *sh)
{
    struct call *call;

    if (sh->is_probing || !sh->is_up)
        return;
    sh->late_count =
        ledger_collect_late(sh->ledger, sh->streams[STREAM_RESULTS].horizon_ms, sh->late, PROBE_MAX);
    call = sh->late_count ? call_send(sh, CALL_PROBE) : NULL;
    if (!call)
        return;
    memcpy(call->entries, sh->late, sh->late_count * sizeof(*sh->late));
    call->count = sh->late_count;
    sh->is_probing = true;
}

void late_on_probed(struct shell *sh, const struct call *call)
{
    sh->is_probing = false;
    if (!sh->late_count || call->count != sh->late_count)
        return;
    ledger_end_late(sh->ledger, sh->late, call->present, sh->late_count,
                    sh->streams[STREAM_RESULTS].horizon_ms, shell_now_ms(sh), commit_sink(sh));
    sh->late_count = 0;
    ingest_judge(sh);
    commit_kick(sh);
    ingest_go_on(sh);
}

void ingest_judge(struct shell *sh)
{
    int64_t now_ms = shell_now_ms(sh);
    int64_t signals_ms = sh->streams[STREAM_SIGNALS].horizon_ms;
    int64_t results_ms = sh->streams[STREAM_RESULTS].horizon_ms;

    if (!lead_is_active(sh) || next_deadline(sh) > now_ms)
        return;
    fleet_on_timer(&sh->fleet, now_ms, sh->streams[STREAM_REPORTS].horizon_ms, commit_sink(sh));
    ledger_expire(sh->ledger, now_ms, signals_ms < results_ms ? signals_ms : results_ms);
    late_look(sh);
}

/* A stream whose last ID is below what was read was made anew, unless our group is of use in it still. */
void ingest_on_polled(struct shell *sh, const struct call *call)
{
    for (int k = 0; lead_is_active(sh) && k < STREAM_KINDS; k++) {
        struct stream_id last = call->last[k];

        if (!call->is_stream[k] || (last.ms == 0 && last.seq == 0))
            continue;
        if ((call->delivered[k].ms || call->delivered[k].seq) &&
            stream_id_compare(call->delivered[k], last) <= 0)
            continue;
        if (stream_id_compare(last, call->read[k]) >= 0)
            continue;
        sim_note(sh->sim, "%s: %s was made anew", sh->name, sim_streams[k]);
        ingest_set_position(sh, (enum stream_kind)k, (struct stream_id){0, 0});
        sh->streams[k].stored = (struct stream_id){0, 1};
        forget_marks(&sh->streams[k]);
        drop_reading(sh);
        sh->read_retry_ms = sh->store->now_ms + 1;
    }
}
