/* Streams, the journal, signals and results, against what was made. */
#include "checks_private.h"

#include "codec/journal.h"
#include "util/number.h"
#include <inttypes.h>

void look_at_positions(struct checks *c)
{
    const struct store_key *meta = store_find_text(c->store, KEY_META);

    for (int k = 0; k < STREAM_KINDS; k++) {
        struct key field = key_position((enum stream_kind)k);
        const struct store_key *stream = stream_of(c, (enum stream_kind)k);
        struct stream_id position = {0, 0};

        if (!stream_id_parse(key_get(meta, field.text), &position))
            continue;
        if (stream_id_compare(position, c->positions[k]) < 0)
            sim_fail(c->sim, "the position of %s went back", sim_streams[k]);
        if (stream_id_compare(position, c->positions[k]) > 0)
            c->lacks_group[k] = false;
        c->positions[k] = position;
        if (c->lacks_group[k])
            continue;
        if (!stream || !stream->has_group || stream_id_compare(stream->group_id, position) != 0)
            sim_fail(c->sim, "the group of %s is not where the position is", sim_streams[k]);
    }
}

static bool is_handled(const struct checks *c, enum stream_kind k, struct stream_id id)
{
    return stream_id_compare(id, c->positions[k]) <= 0;
}

/* Counts what was made up to the position: it is what must be accounted for. */
void count_handled(struct checks *c)
{
    const struct world *w = c->world;

    for (; c->counted_signals < w->signal_count &&
           is_handled(c, STREAM_SIGNALS, w->signals[c->counted_signals].id);
         c->counted_signals++) {
        const struct made_signal *signal = &w->signals[c->counted_signals];

        if (signal->is_gone)
            continue;
        if (signal->kind == SIGNAL_MALFORMED)
            c->malformed[STREAM_SIGNALS]++;
        else if (signal->kind == SIGNAL_REPEATED)
            c->repeated[signal->action]++;
        else if (!signal->is_received)
            sim_fail(c->sim, "signal s-%" PRIu32 " is behind the position and was never received",
                     signal->number);
    }
    for (; c->counted_results < w->result_count &&
           is_handled(c, STREAM_RESULTS, w->results[c->counted_results].id);
         c->counted_results++) {
        const struct made_result *result = &w->results[c->counted_results];

        if (result->is_gone)
            continue;
        c->malformed[STREAM_RESULTS] += result->is_malformed;
        c->kept_results += !result->is_malformed && !result->is_taken;
        if (!result->is_malformed && !result->is_repeated)
            c->results[result->status]++;
    }
    for (; c->counted_reports < w->report_count &&
           is_handled(c, STREAM_REPORTS, w->reports[c->counted_reports].id);
         c->counted_reports++)
        c->malformed[STREAM_REPORTS] +=
            w->reports[c->counted_reports].is_malformed && !w->reports[c->counted_reports].is_gone;
    for (;
         c->counted_trades < w->trade_count && is_handled(c, STREAM_TRADES, w->trades[c->counted_trades].id);
         c->counted_trades++)
        c->malformed[STREAM_TRADES] +=
            w->trades[c->counted_trades].number == UINT32_MAX && !w->trades[c->counted_trades].is_gone;
}

/* Made, not handled, and taken by others. */
static uint32_t count_taken(const struct checks *c, enum stream_kind k)
{
    const struct world *w = c->world;
    uint32_t taken = 0;

    if (!c->sim->settings.cuts_streams)
        return 0;
    for (uint32_t i = c->counted_signals; k == STREAM_SIGNALS && i < w->signal_count; i++)
        taken += w->signals[i].is_removed;
    for (uint32_t i = c->counted_results; k == STREAM_RESULTS && i < w->result_count; i++)
        taken += w->results[i].is_taken;
    for (uint32_t i = c->counted_reports; k == STREAM_REPORTS && i < w->report_count; i++)
        taken += w->reports[i].is_taken;
    for (uint32_t i = c->counted_trades; k == STREAM_TRADES && i < w->trade_count; i++)
        taken += w->trades[i].is_taken;
    return taken;
}

/* Nothing that is not handled has left its stream. */
void look_for_unhandled(struct checks *c)
{
    const struct world *w = c->world;
    const uint32_t waiting[STREAM_KINDS] = {
        [STREAM_REPORTS] = w->report_count - c->counted_reports,
        [STREAM_SIGNALS] = w->signal_count - c->counted_signals,
        [STREAM_RESULTS] = w->result_count - c->counted_results,
        [STREAM_TRADES] = w->trade_count - c->counted_trades,
    };

    for (int k = 0; k < STREAM_KINDS; k++) {
        const struct store_key *key = stream_of(c, (enum stream_kind)k);
        uint32_t there = key ? key->entry_count - stream_behind(key, c->positions[k]) : 0;

        if (there != waiting[k] - count_taken(c, (enum stream_kind)k))
            sim_fail(c->sim, "%" PRIu32 " entries of %s wait, %" PRIu32 " are there", waiting[k],
                     sim_streams[k], there);
    }
}

/* Where nothing is to be removed, nothing has left its stream but what others took. */
void look_for_removed(struct checks *c)
{
    const struct world *w = c->world;
    uint64_t taken[STREAM_KINDS] = {0};

    if (!c->sim->settings.observes || !c->sim->settings.ledger.removes_nothing)
        return;
    for (uint32_t i = 0; i < w->signal_count; i++)
        taken[STREAM_SIGNALS] += w->signals[i].is_removed;
    for (int k = 0; k < STREAM_KINDS; k++) {
        const struct store_key *key = stream_of(c, (enum stream_kind)k);

        if (key && key->entry_count + taken[k] != key->added)
            sim_fail(c->sim, "of %" PRIu64 " entries of %s %" PRIu32 " are left", key->added, sim_streams[k],
                     key->entry_count);
    }
}

void look_at_rejected(struct checks *c)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        uint64_t added = added_to(c, sim_streams[k], "_rejected");
        bool may_be_more = (c->sim->settings.plants || c->sim->settings.writes_hashes) &&
                           (k == STREAM_REPORTS || k == STREAM_TRADES);

        if (added < c->malformed[k] || (added > c->malformed[k] && !may_be_more))
            sim_fail(c->sim, "%" PRIu64 " entries of %s were rejected, %" PRIu64 " are malformed", added,
                     sim_streams[k], c->malformed[k]);
    }
}

static uint32_t number_of(struct slice id)
{
    uint64_t number;

    return id.len > 2 && number_parse_u64(slice_of(id.data + 2, id.len - 2), UINT32_MAX - 1, &number)
               ? (uint32_t)number
               : UINT32_MAX;
}

static void on_received(void *ctx, struct slice signal_id, struct stream_id entry, struct slice action,
                        struct slice instance_id)
{
    struct checks *c = ctx;
    struct made_signal *signal = world_find_entry(c->world, entry);

    UNUSED(instance_id);
    sim_note(c->sim, "stored: %.*s is received", (int)signal_id.len, signal_id.data);
    if (!signal || signal->kind != SIGNAL_FIRST || number_of(signal_id) != signal->number ||
        !slice_is(action, world_actions[signal->action])) {
        sim_fail(c->sim, "%.*s was received, which nobody made", (int)signal_id.len, signal_id.data);
        return;
    }
    if (signal->is_received && c->sim->settings.spoils_shared)
        return; /* written back */
    if (signal->is_received && !signal->is_ended &&
        c->sim->latest_ms - (int64_t)entry.ms > c->sim->settings.ledger.dedup_ms / 4)
        return; /* open for so long that it is told anew */
    if (signal->is_received && !signal->is_ended && c->sim->settings.jumps_back)
        return; /* its ID was ahead of the clock, or behind one that was: likewise */
    if (signal->is_received)
        sim_fail(c->sim, "signal s-%" PRIu32 " was received twice", signal->number);
    signal->is_received = true;
    c->received[signal->action]++;
}

static struct made_signal *find_open(struct checks *c, struct slice signal_id)
{
    struct made_signal *signal = world_find_signal(c->world, number_of(signal_id));

    return signal && signal->is_received && !signal->is_ended ? signal : NULL;
}

static void on_accepted(void *ctx, struct slice signal_id, uint64_t accepted_ms)
{
    struct checks *c = ctx;

    UNUSED(accepted_ms);
    if (!find_open(c, signal_id) && !c->sim->settings.spoils_shared)
        sim_fail(c->sim, "%.*s was accepted, but is not open", (int)signal_id.len, signal_id.data);
}

static void on_ended(void *ctx, struct slice signal_id, enum signal_outcome outcome)
{
    struct checks *c = ctx;
    struct made_signal *signal = find_open(c, signal_id);

    sim_note(c->sim, "stored: %.*s has ended, %s", (int)signal_id.len, signal_id.data,
             signal_outcome_name(outcome));

    if (!signal && c->sim->settings.spoils_shared)
        return;
    if (!signal) {
        sim_fail(c->sim, "%.*s ended (%s), but is not open", (int)signal_id.len, signal_id.data,
                 signal_outcome_name(outcome));
        return;
    }
    if (!world_allows(c->world, signal, outcome))
        sim_fail(c->sim, "signal s-%" PRIu32 " cannot have ended as %s", signal->number,
                 signal_outcome_name(outcome));
    signal->is_ended = true;
    signal->outcome = outcome;
    signal->ended_ms = c->sim->latest_ms;
    c->ended[signal->action][outcome]++;
    c->dropped += outcome == OUTCOME_DROPPED;
}

static void on_early(void *ctx, struct slice signal_id, enum result_status status, struct stream_id result)
{
    struct checks *c = ctx;

    sim_note(c->sim, "stored: a result %s (%" PRIu64 "-%" PRIu64 ") waits for %.*s",
             result_status_name(status), result.ms, result.seq, (int)signal_id.len, signal_id.data);
}

void look_at_journal(struct checks *c)
{
    const struct store_key *key = store_find_text(c->store, KEY_JOURNAL);
    struct journal_reader reader = {on_received, on_accepted, on_ended, on_early, c};

    for (uint32_t i = first_new(key, &c->lines_seen); key && i < key->entry_count; i++) {
        if (journal_read(entry_value(key->entries[i], "lines"), &reader))
            sim_fail(c->sim, "the journal got a line that cannot be read");
    }
}

void look_at_open(struct checks *c)
{
    const struct world *w = c->world;
    const struct store_key *key = stream_of(c, STREAM_SIGNALS);
    uint32_t there = stream_behind(key, c->positions[STREAM_SIGNALS]), expected = 0;

    while (c->unfinished < c->counted_signals &&
           (w->signals[c->unfinished].kind != SIGNAL_FIRST || w->signals[c->unfinished].is_ended ||
            w->signals[c->unfinished].is_gone))
        c->unfinished++;
    for (uint32_t i = c->unfinished; i < c->counted_signals; i++) {
        const struct made_signal *signal = &w->signals[i];
        const struct made_signal *first =
            signal->kind == SIGNAL_REPEATED ? &w->signals[signal->first] : signal;
        bool waits = signal->kind != SIGNAL_MALFORMED && !signal->is_removed && !first->is_ended;

        expected += waits;
        if (!waits && (c->sim->settings.observes || c->sim->settings.changes_mind))
            continue; /* what has ended may be there */
        if (waits != (stream_find(key, signal->id) != NULL))
            sim_fail(c->sim, "signal %" PRIu64 "-%" PRIu64 " (s-%" PRIu32 ") is %s its stream", signal->id.ms,
                     signal->id.seq, signal->number, waits ? "open and not in" : "not open and still in");
    }
    if (there < expected ||
        (there > expected && !c->sim->settings.observes && !c->sim->settings.changes_mind))
        sim_fail(c->sim, "%" PRIu32 " handled signals are in their stream, %" PRIu32 " should be", there,
                 expected);
    if (added_to(c, sim_streams[STREAM_SIGNALS], "_dropped") != c->dropped && !c->sim->settings.spoils_shared)
        sim_fail(c->sim, "%" PRIu64 " signals were dropped, their stream got %" PRIu64, c->dropped,
                 added_to(c, sim_streams[STREAM_SIGNALS], "_dropped"));
}

void look_at_totals(struct checks *c)
{
    for (uint32_t a = 0; a < WORLD_ACTIONS; a++) {
        const char *name = world_actions[a];

        if (total_of(c, TOTAL_RECEIVED, name) != c->received[a])
            sim_fail(c->sim, "received:%s is %" PRIu64 ", should be %" PRIu64, name,
                     total_of(c, TOTAL_RECEIVED, name), c->received[a]);
        if (total_of(c, TOTAL_DUPLICATE, name) != c->repeated[a])
            sim_fail(c->sim, "duplicate:%s is %" PRIu64 ", should be %" PRIu64, name,
                     total_of(c, TOTAL_DUPLICATE, name), c->repeated[a]);
        for (int o = 0; o < 4; o++) {
            if (total_of(c, check_ends[o], name) != c->ended[a][o])
                sim_fail(c->sim, "%s:%s is %" PRIu64 ", should be %" PRIu64, total_kind_name(check_ends[o]),
                         name, total_of(c, check_ends[o], name), c->ended[a][o]);
        }
    }
    for (int s = 0; s < RESULT_STATUSES; s++) {
        const char *name = result_status_name((enum result_status)s);

        if (total_of(c, TOTAL_RESULT, name) != c->results[s])
            sim_fail(c->sim, "result:%s is %" PRIu64 ", should be %" PRIu64, name,
                     total_of(c, TOTAL_RESULT, name), c->results[s]);
    }
}

/* Exactly the newest results.max_len are kept; no fewer where nothing is to be removed, or was not. */
void look_at_kept(struct checks *c)
{
    const struct settings *settings = &c->sim->settings;
    uint64_t there = stream_behind(stream_of(c, STREAM_RESULTS), c->positions[STREAM_RESULTS]);
    uint64_t most = settings->ledger.results_max_len;
    uint64_t expected = c->kept_results < most ? c->kept_results : most;

    if (there < expected || (there > expected && !settings->observes && !settings->changes_mind))
        sim_fail(c->sim, "%" PRIu64 " results are kept of %" PRIu64, there, c->kept_results);
}
