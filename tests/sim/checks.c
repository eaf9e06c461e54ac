#include "checks.h"

#include "codec/journal.h"
#include "util/number.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* Reports that one batch may hold, and one before. */
#define SILENCE_REPORTS 6

static const enum total_kind ends[4] = {
    [OUTCOME_PROCESSED] = TOTAL_PROCESSED,
    [OUTCOME_FAILED] = TOTAL_FAILED,
    [OUTCOME_DROPPED] = TOTAL_DROPPED,
    [OUTCOME_LOST] = TOTAL_LOST,
};

void checks_init(struct checks *checks, struct sim *sim, struct store *store, struct world *world)
{
    *checks = (struct checks){.sim = sim, .store = store, .world = world, .applied = UINT64_MAX};
}

static uint64_t total_of(const struct checks *c, enum total_kind kind, const char *label)
{
    char name[96];
    uint64_t value = 0;

    (void)snprintf(name, sizeof(name), "%s:%s", total_kind_name(kind), label);
    (void)number_parse_u64(key_get(store_find_text(c->store, KEY_TOTALS), name), UINT64_MAX,
                           &value); /* none: 0 */
    return value;
}

static const struct store_key *stream_of(const struct checks *c, enum stream_kind k)
{
    return store_find_text(c->store, sim_streams[k]);
}

static uint64_t added_to(const struct checks *c, const char *stream, const char *suffix)
{
    char name[96];
    const struct store_key *key;

    (void)snprintf(name, sizeof(name), "%s%s", stream, suffix);
    key = store_find_text(c->store, name);
    return key ? key->added : 0;
}

/* ---- positions (invariants 4 and 5) ---- */

static void look_at_positions(struct checks *c)
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
        c->positions[k] = position;
        if (!stream || !stream->has_group || stream_id_compare(stream->group_id, position) != 0)
            sim_fail(c->sim, "the group of %s is not where the position is", sim_streams[k]);
    }
}

static bool is_handled(const struct checks *c, enum stream_kind k, struct stream_id id)
{
    return stream_id_compare(id, c->positions[k]) <= 0;
}

/* Counts what was made up to the position: it is what must be accounted for. */
static void count_handled(struct checks *c)
{
    const struct world *w = c->world;

    for (; c->counted_signals < w->signal_count &&
           is_handled(c, STREAM_SIGNALS, w->signals[c->counted_signals].id);
         c->counted_signals++) {
        const struct made_signal *signal = &w->signals[c->counted_signals];

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

        c->malformed[STREAM_RESULTS] += result->is_malformed;
        c->kept_results += !result->is_malformed;
        if (!result->is_malformed && !result->is_repeated)
            c->results[result->status]++;
    }
    for (; c->counted_reports < w->report_count &&
           is_handled(c, STREAM_REPORTS, w->reports[c->counted_reports].id);
         c->counted_reports++)
        c->malformed[STREAM_REPORTS] += w->reports[c->counted_reports].is_malformed;
    for (;
         c->counted_trades < w->trade_count && is_handled(c, STREAM_TRADES, w->trades[c->counted_trades].id);
         c->counted_trades++)
        c->malformed[STREAM_TRADES] += w->trades[c->counted_trades].number == UINT32_MAX;
}

/* Nothing that is not handled has left its stream. */
static void look_for_unhandled(struct checks *c)
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

        if (there != waiting[k])
            sim_fail(c->sim, "%" PRIu32 " entries of %s wait, %" PRIu32 " are there", waiting[k],
                     sim_streams[k], there);
    }
}

static void look_at_rejected(struct checks *c)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        uint64_t added = added_to(c, sim_streams[k], "_rejected");
        bool may_be_more = c->sim->settings.plants && (k == STREAM_REPORTS || k == STREAM_TRADES);

        if (added < c->malformed[k] || (added > c->malformed[k] && !may_be_more))
            sim_fail(c->sim, "%" PRIu64 " entries of %s were rejected, %" PRIu64 " are malformed", added,
                     sim_streams[k], c->malformed[k]);
    }
}

/* ---- the journal: what became of each signal ---- */

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
    signal->ended_ms = c->sim->now_ms;
    c->ended[signal->action][outcome]++;
    c->dropped += outcome == OUTCOME_DROPPED;
}

static void on_early(void *ctx, struct slice signal_id, enum result_status status, struct stream_id result)
{
    struct checks *c = ctx;

    sim_note(c->sim, "stored: a result %s (%" PRIu64 "-%" PRIu64 ") waits for %.*s",
             result_status_name(status), result.ms, result.seq, (int)signal_id.len, signal_id.data);
}

/* The first entry that was added since the last look. */
static uint32_t first_new(const struct store_key *key, struct seen *seen)
{
    uint64_t added = key ? key->added - (key->born == seen->born ? seen->added : 0) : 0;

    *seen = (struct seen){key ? key->born : 0, key ? key->added : 0};
    return key && added < key->entry_count ? key->entry_count - (uint32_t)added : 0;
}

static void look_at_journal(struct checks *c)
{
    const struct store_key *key = store_find_text(c->store, KEY_JOURNAL);
    struct journal_reader reader = {on_received, on_accepted, on_ended, on_early, c};

    for (uint32_t i = first_new(key, &c->lines_seen); key && i < key->entry_count; i++) {
        if (journal_read(entry_value(key->entries[i], "lines"), &reader))
            sim_fail(c->sim, "the journal got a line that cannot be read");
    }
}

/* ---- signals in their stream (invariant 3) ---- */

static void look_at_open(struct checks *c)
{
    const struct world *w = c->world;
    const struct store_key *key = stream_of(c, STREAM_SIGNALS);
    uint32_t there = stream_behind(key, c->positions[STREAM_SIGNALS]), expected = 0;

    while (c->unfinished < c->counted_signals &&
           (w->signals[c->unfinished].kind != SIGNAL_FIRST || w->signals[c->unfinished].is_ended))
        c->unfinished++;
    for (uint32_t i = c->unfinished; i < c->counted_signals; i++) {
        const struct made_signal *signal = &w->signals[i];
        const struct made_signal *first =
            signal->kind == SIGNAL_REPEATED ? &w->signals[signal->first] : signal;
        bool waits = signal->kind != SIGNAL_MALFORMED && !signal->is_removed && !first->is_ended;

        expected += waits;
        if (waits != (stream_find(key, signal->id) != NULL))
            sim_fail(c->sim, "signal %" PRIu64 "-%" PRIu64 " (s-%" PRIu32 ") is %s its stream", signal->id.ms,
                     signal->id.seq, signal->number, waits ? "open and not in" : "not open and still in");
    }
    if (there != expected)
        sim_fail(c->sim, "%" PRIu32 " handled signals are in their stream, %" PRIu32 " should be", there,
                 expected);
    if (added_to(c, sim_streams[STREAM_SIGNALS], "_dropped") != c->dropped && !c->sim->settings.spoils_shared)
        sim_fail(c->sim, "%" PRIu64 " signals were dropped, their stream got %" PRIu64, c->dropped,
                 added_to(c, sim_streams[STREAM_SIGNALS], "_dropped"));
}

static void look_at_totals(struct checks *c)
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
            if (total_of(c, ends[o], name) != c->ended[a][o])
                sim_fail(c->sim, "%s:%s is %" PRIu64 ", should be %" PRIu64, total_kind_name(ends[o]), name,
                         total_of(c, ends[o], name), c->ended[a][o]);
        }
    }
    for (int s = 0; s < RESULT_STATUSES; s++) {
        const char *name = result_status_name((enum result_status)s);

        if (total_of(c, TOTAL_RESULT, name) != c->results[s])
            sim_fail(c->sim, "result:%s is %" PRIu64 ", should be %" PRIu64, name,
                     total_of(c, TOTAL_RESULT, name), c->results[s]);
    }
}

/* Exactly the newest results.max_len are kept. */
static void look_at_kept(struct checks *c)
{
    uint64_t there = stream_behind(stream_of(c, STREAM_RESULTS), c->positions[STREAM_RESULTS]);
    uint64_t most = c->sim->settings.ledger.results_max_len;

    if (there != (c->kept_results < most ? c->kept_results : most))
        sim_fail(c->sim, "%" PRIu64 " results are kept of %" PRIu64, there, c->kept_results);
}

/* ---- instances (invariants 1 and 2) ---- */

static uint32_t agent_of(struct slice id)
{
    uint64_t number;

    return id.len > 4 && memcmp(id.data, "mt5-", 4) == 0 &&
                   number_parse_u64(slice_of(id.data + 4, id.len - 4), WORLD_AGENTS - 1, &number)
               ? (uint32_t)number
               : UINT32_MAX;
}

/* Silence as its reports tell it: a gap as long as the timeout, between the newest that were handled, or
 * behind them. */
static void look_at_silence(struct checks *c, uint32_t agent)
{
    const struct world *w = c->world;
    int64_t least_ms = c->sim->settings.fleet.heartbeat_timeout_ms - 2 * c->sim->settings.skew_max_ms - 2;
    int64_t next_ms = c->sim->now_ms;

    for (uint32_t i = c->counted_reports; i < w->report_count; i++) {
        if (w->reports[i].agent == agent) {
            next_ms = (int64_t)w->reports[i].id.ms;
            break;
        }
    }
    for (uint32_t i = c->counted_reports, seen = 0; i > 0 && seen < SILENCE_REPORTS; i--) {
        const struct made_report *report = &w->reports[i - 1];

        if (report->agent != agent)
            continue;
        if (next_ms - (int64_t)report->id.ms >= least_ms)
            return;
        next_ms = (int64_t)report->id.ms;
        seen++;
    }
    sim_fail(c->sim, "mt5-%" PRIu32 " is told to be silent, but was not", agent);
}

static void take_transition(struct checks *c, uint32_t agent, const struct store_entry *event)
{
    struct mirror *mirror = &c->mirrors[agent];
    struct slice kind = entry_value(event, "event"), from = entry_value(event, "from"),
                 to = entry_value(event, "to");
    struct slice reason = entry_value(event, "reason");
    enum instance_state state;
    bool fits;

    if (slice_is(kind, "instance_registered")) {
        *mirror = (struct mirror){.is_known = true, .seq = mirror->seq};
        return;
    }
    if (slice_is(kind, "instance_removed")) {
        *mirror = (struct mirror){0};
        return;
    }
    if (slice_is(kind, "instance_degraded") || !instance_state_parse(to, &state))
        return;
    /* One that is registered as stopped is so without an event. */
    fits = mirror->has_state ? slice_is(from, instance_state_name(mirror->state))
                             : from.len == 0 || slice_is(from, "stopped");
    if (!fits && !c->world->agents[agent].is_spoiled)
        sim_fail(c->sim, "mt5-%" PRIu32 " is told to go from %.*s, it was %s", agent, (int)from.len,
                 from.data, mirror->has_state ? instance_state_name(mirror->state) : "new");
    mirror->has_state = true;
    mirror->state = state;
    if (reason.len > 14 && memcmp(reason.data, "heartbeat lost", 14) == 0 &&
        !c->world->agents[agent].is_spoiled)
        look_at_silence(c, agent);
}

static void look_at_events(struct checks *c)
{
    const struct store_key *key = store_find_text(c->store, EVENTS_NAME);

    for (uint32_t i = first_new(key, &c->events_seen); key && i < key->entry_count; i++) {
        const struct store_entry *event = key->entries[i];
        uint32_t agent = agent_of(entry_value(event, "instance_id"));
        uint64_t seq;
        bool starts_anew, skips;

        sim_note(c->sim, "stored: event %.*s of %.*s, seq %.*s", (int)entry_value(event, "event").len,
                 entry_value(event, "event").data, (int)entry_value(event, "instance_id").len,
                 entry_value(event, "instance_id").data, (int)entry_value(event, "seq").len,
                 entry_value(event, "seq").data);
        if (agent == UINT32_MAX || !number_parse_u64(entry_value(event, "seq"), UINT64_MAX, &seq))
            continue;
        /* One whose hash others destroyed is a new one. */
        starts_anew = c->world->agents[agent].is_spoiled && seq == 1 &&
                      slice_is(entry_value(event, "event"), "instance_registered");
        /* What a foreign value in the way of a record took with it is missing. */
        skips = c->world->agents[agent].is_spoiled && c->sim->settings.plants;
        if (seq != c->mirrors[agent].seq + 1 && !starts_anew && !skips)
            sim_fail(c->sim, "mt5-%" PRIu32 ": event %" PRIu64 " follows %" PRIu64, agent, seq,
                     c->mirrors[agent].seq);
        c->mirrors[agent].seq = seq;
        take_transition(c, agent, event);
    }
}

static const struct store_key *record_of(const struct checks *c, enum record_kind kind, const char *id)
{
    struct key name = key_record(kind, slice_text(id));

    return store_find(c->store, key_slice(&name));
}

static bool is_member(const struct checks *c, enum index_kind index, const char *state, const char *id)
{
    struct key name = key_index(index, state);
    const struct store_key *set = store_find(c->store, key_slice(&name));

    return set && set->type == STORE_SET && key_find_pair(set, slice_text(id));
}

/* A hash names a state, and the id is in its set alone; where it runs, in the load index too. */
static void look_at_sets(struct checks *c, const char *id, enum instance_state *ret_state)
{
    const struct store_key *hash = record_of(c, RECORD_INSTANCE, id);
    const struct store_key *load = store_find_text(c->store, KEY_LOAD);
    bool has_score = load && key_find_pair(load, slice_text(id));

    *ret_state = STATE_NONE;
    (void)instance_state_parse(key_get(hash, "state"), ret_state); /* stays STATE_NONE */
    for (int s = 0; s < INSTANCE_STATES; s++) {
        if (is_member(c, INDEX_INSTANCE_STATE, instance_state_name((enum instance_state)s), id) !=
            (s == (int)*ret_state))
            sim_fail(c->sim, "%s is %s, and%s in the set of %s", id,
                     hash ? instance_state_name(*ret_state) : "unknown", s == (int)*ret_state ? " not" : "",
                     instance_state_name((enum instance_state)s));
    }
    if (has_score != (*ret_state == STATE_RUNNING))
        sim_fail(c->sim, "%s is %s the load index", id, has_score ? "wrongly in" : "missing in");
}

static void look_at_value(struct checks *c, uint32_t agent, const char *id)
{
    const struct world *w = c->world;
    char text[32];

    for (uint32_t i = c->counted_reports; i > 0; i--) {
        const struct made_report *report = &w->reports[i - 1];

        if (report->agent != agent || report->is_malformed)
            continue;
        (void)snprintf(text, sizeof(text), "%" PRIu64, report->value);
        if (record_of(c, RECORD_INSTANCE, id)
                ? !slice_is(key_get(record_of(c, RECORD_METRICS, id), "cpu_usage"), text)
                : c->sim->settings.fleet.forget_after_s == 0)
            sim_fail(c->sim, "%s does not have the last cpu_usage that was handled, %s", id, text);
        return;
    }
}

static void look_at_instances(struct checks *c)
{
    for (uint32_t agent = 0; agent < WORLD_AGENTS; agent++) {
        struct mirror *mirror = &c->mirrors[agent];
        enum instance_state state;
        char id[32], text[NUMBER_TEXT_MAX];

        if (c->world->agents[agent].is_spoiled)
            continue;
        world_format_agent(id, agent);
        look_at_sets(c, id, &state);
        if ((state != STATE_NONE) != mirror->is_known)
            sim_fail(c->sim, "%s is %s, its events say otherwise", id, mirror->is_known ? "gone" : "there");
        if (mirror->is_known && mirror->has_state && state != mirror->state)
            sim_fail(c->sim, "%s is %s, its last event says %s", id, instance_state_name(state),
                     instance_state_name(mirror->state));
        if (mirror->is_known && !mirror->has_state && state != STATE_STOPPED)
            sim_fail(c->sim, "%s is %s without an event", id, instance_state_name(state));
        mirror->has_state = mirror->is_known;
        mirror->state = state;
        look_at_value(c, agent, id);
        if (mirror->seq && !slice_equal(key_get(store_find_text(c->store, KEY_SEQ), id),
                                        slice_of(text, number_format_u64(text, mirror->seq))))
            sim_fail(c->sim, "%s: the stored seq is not %s", id, text);
    }
}

/* ---- trades ---- */

static void look_at_trade(struct checks *c, uint32_t number, uint64_t value)
{
    char id[32], text[32];
    const struct store_key *hash;
    int wrong = 0, right = 0;

    (void)snprintf(id, sizeof(id), "t-%" PRIu32, number);
    hash = record_of(c, RECORD_TRADE, id);
    if (!hash)
        return; /* it has expired */
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    if (!slice_is(key_get(hash, "lot_size"), text))
        sim_fail(c->sim, "trade %s does not have the last lot_size that was handled, %s", id, text);
    for (int s = 0; s < TRADE_STATES; s++) {
        bool is_in = is_member(c, INDEX_TRADE_STATE, trade_state_name((enum trade_state)s), id);

        bool is_right = slice_is(key_get(hash, "state"), trade_state_name((enum trade_state)s));

        right += is_in && is_right;
        /* One that came back after its hash had expired leaves its old set by the next sweep. */
        wrong += is_in && !is_right && trade_state_is_open((enum trade_state)s);
    }
    if (right != 1 || wrong)
        sim_fail(c->sim, "trade %s is in %d right sets and in %d wrong ones", id, right, wrong);
}

static void look_at_trades(struct checks *c)
{
    const struct world *w = c->world;

    for (uint32_t i = 0; i < WORLD_TRADES; i++) {
        if (w->trade_is_spoiled[i])
            continue;
        for (uint32_t k = c->counted_trades; k > 0; k--) {
            if (w->trades[k - 1].number == w->trade_numbers[i]) {
                look_at_trade(c, w->trade_numbers[i], w->trades[k - 1].value);
                break;
            }
        }
    }
}

/* ---- all of it ---- */

static void look_at_all(struct checks *c)
{
    look_at_positions(c);
    look_at_journal(c);
    count_handled(c);
    look_for_unhandled(c);
    look_at_open(c);
    look_at_kept(c);
    look_at_trades(c);
    if (c->sim->settings.spoils_shared)
        return; /* the rest may be missing until it is written back */
    look_at_rejected(c);
    look_at_totals(c);
    look_at_events(c);
    look_at_instances(c);
}

void checks_look(struct checks *c)
{
    uint64_t applied = 0;

    if (c->sim->has_lost_data)
        return;
    (void)number_parse_u64(key_get(store_find_text(c->store, KEY_META), "applied_seq"), UINT64_MAX, &applied);
    if (applied == c->applied)
        return;
    c->applied = applied;
    c->looks++;
    look_at_all(c);
}

static void look_at_counts(struct checks *c, const struct shell *sh, const struct ledger_view *view)
{
    uint64_t open = 0;

    for (uint32_t a = 0; a <= LABELS_MAX; a++) {
        const struct action_counts *counts = &view->counts[a];
        uint64_t ended = 0;

        for (int o = 0; o < 4; o++)
            ended += counts->total[ends[o]] - counts->base[ends[o]];
        if (counts->total[TOTAL_RECEIVED] - counts->base[TOTAL_RECEIVED] != ended + counts->open)
            sim_fail(c->sim, "%s: the counts of action %" PRIu32 " do not balance", sh->name, a);
        open += counts->open;
    }
    if (open != view->open)
        sim_fail(c->sim, "%s: %" PRIu64 " signals are open, %" PRIu64 " by action", sh->name, view->open,
                 open);
}

/* What is settled is the same in memory and in the store. */
static void look_at_fleet(struct checks *c, const struct shell *sh)
{
    for (uint32_t agent = 0; agent < WORLD_AGENTS; agent++) {
        char id[32], seq[NUMBER_TEXT_MAX];
        const struct instance *instance;
        const struct store_key *hash;

        if (c->world->agents[agent].is_spoiled)
            continue;
        world_format_agent(id, agent);
        instance = fleet_find(&sh->fleet, slice_text(id));
        hash = record_of(c, RECORD_INSTANCE, id);
        if (!instance != !hash ||
            (instance && !slice_is(key_get(hash, "state"), instance_state_name(instance->state))))
            sim_fail(c->sim, "%s takes %s for %s, the store says %.*s", sh->name, id,
                     instance ? instance_state_name(instance->state) : "unknown",
                     (int)key_get(hash, "state").len, key_get(hash, "state").data);
        else if (instance && instance->seq &&
                 !slice_equal(key_get(store_find_text(c->store, KEY_SEQ), id),
                              slice_of(seq, number_format_u64(seq, instance->seq))))
            sim_fail(c->sim, "%s has another seq of %s than the store, %" PRIu64, sh->name, id,
                     instance->seq);
    }
}

void checks_look_at_daemon(struct checks *c, const struct shell *sh)
{
    const struct ledger_options *options = &c->sim->settings.ledger;
    struct ledger_view view;

    if (!sh->is_running || !sh->has_state)
        return;
    ledger_view(sh->ledger, &view);
    look_at_counts(c, sh, &view);
    if (view.early_waiting > options->max_tracked ||
        view.ended_remembered > 4 * (uint64_t)options->max_tracked ||
        view.received->count > options->per_id_max || sh->trades.other_count > sh->trades.max_others)
        sim_fail(c->sim, "%s holds more than it may", sh->name);
    if (sh->phase == PHASE_ACTIVE && shell_is_idle(sh) && !c->sim->has_lost_data &&
        slice_is(key_get(store_find_text(c->store, KEY_META), "epoch"), sh->epoch))
        look_at_fleet(c, sh);
}

/* READ is what a daemon has or will have taken in, whatever becomes of the store. */
static bool is_read(const struct shell *sh, enum stream_kind k, struct stream_id id)
{
    const struct reading *reading = &sh->reading;

    if (stream_id_compare(id, sh->streams[k].read) <= 0)
        return true;
    for (uint32_t i = reading->next; i < reading->count; i++) {
        if (reading->kinds[i] == k && stream_id_compare(reading->entries[i]->id, id) == 0)
            return true;
    }
    return false;
}

void checks_lose_data(struct checks *c, const struct shell *sh)
{
    struct world *w = c->world;

    for (uint32_t i = 0; i < w->signal_count; i++) {
        if (stream_find(stream_of(c, STREAM_SIGNALS), w->signals[i].id))
            continue;
        w->signals[i].is_removed = true;
        w->signals[i].is_gone = w->signals[i].is_gone || !is_read(sh, STREAM_SIGNALS, w->signals[i].id);
    }
    for (uint32_t i = 0; i < w->result_count; i++) {
        if (!stream_find(stream_of(c, STREAM_RESULTS), w->results[i].id) &&
            !is_read(sh, STREAM_RESULTS, w->results[i].id))
            w->results[i].is_gone = true;
    }
}

/* ---- the end of a run ---- */

static uint64_t ended_of(const struct checks *c, const char *action)
{
    uint64_t sum = 0;

    for (int o = 0; o < 4; o++)
        sum += total_of(c, ends[o], action);
    return sum;
}

/* A store that lost data, under a daemon that did not: what that had read is counted, once. */
static void look_at_survivor(struct checks *c)
{
    const struct world *w = c->world;
    uint64_t received[WORLD_ACTIONS] = {0}, results[RESULT_STATUSES] = {0};

    for (uint32_t i = 0; i < w->signal_count; i++)
        received[w->signals[i].action] += w->signals[i].kind == SIGNAL_FIRST && !w->signals[i].is_gone;
    for (uint32_t i = 0; i < w->result_count; i++) {
        const struct made_result *result = &w->results[i];

        results[result->status] += !result->is_malformed && !result->is_repeated && !result->is_gone;
    }
    for (uint32_t a = 0; a < WORLD_ACTIONS; a++) {
        if (total_of(c, TOTAL_RECEIVED, world_actions[a]) != received[a])
            sim_fail(c->sim, "at the end received:%s is %" PRIu64 ", %" PRIu64 " were read", world_actions[a],
                     total_of(c, TOTAL_RECEIVED, world_actions[a]), received[a]);
    }
    for (int s = 0; s < RESULT_STATUSES; s++) {
        const char *name = result_status_name((enum result_status)s);

        if (total_of(c, TOTAL_RESULT, name) != results[s])
            sim_fail(c->sim, "at the end result:%s is %" PRIu64 ", %" PRIu64 " were read", name,
                     total_of(c, TOTAL_RESULT, name), results[s]);
    }
}

/* Memory and store agree on every total, and nothing is open. */
static void look_at_final_totals(struct checks *c, const struct shell *sh)
{
    struct ledger_view view;

    ledger_view(sh->ledger, &view);
    if (view.open)
        sim_fail(c->sim, "%" PRIu64 " signals are still open at the end", view.open);
    for (uint32_t a = 0; a < view.actions->count; a++) {
        char name[IDENT_MAX + 1];
        struct slice label = labels_name(view.actions, a);

        (void)snprintf(name, sizeof(name), "%.*s", (int)label.len, label.data);
        for (int kind = 0; kind <= TOTAL_DUPLICATE; kind++) {
            if (total_of(c, (enum total_kind)kind, name) != view.counts[a].total[kind])
                sim_fail(c->sim, "at the end %s:%s is %" PRIu64 " in the store and %" PRIu64 " in memory",
                         total_kind_name((enum total_kind)kind), name,
                         total_of(c, (enum total_kind)kind, name), view.counts[a].total[kind]);
        }
        if (total_of(c, TOTAL_RECEIVED, name) != ended_of(c, name))
            sim_fail(c->sim, "at the end received:%s is %" PRIu64 ", ended %" PRIu64, name,
                     total_of(c, TOTAL_RECEIVED, name), ended_of(c, name));
    }
}

/* Malformed ones that were removed may be back after a loss; they leave with those around them. */
static uint32_t count_valid_results(const struct checks *c, const struct shell *sh)
{
    const struct store_key *key = stream_of(c, STREAM_RESULTS);
    uint32_t end = stream_behind(key, sh->streams[STREAM_RESULTS].handled), count = 0;
    enum result_status status;

    for (uint32_t i = 0; i < end; i++)
        count += result_status_parse(entry_value(key->entries[i], "status"), &status);
    return count;
}

static void look_at_final_streams(struct checks *c, const struct shell *sh)
{
    for (int k = 0; k < STREAM_KINDS; k++) {
        const struct store_key *key = stream_of(c, (enum stream_kind)k);
        struct key field = key_position((enum stream_kind)k);
        struct stream_id position = {0, 0};

        if (!stream_id_parse(key_get(store_find_text(c->store, KEY_META), field.text), &position))
            continue; /* nothing was handled since all was lost */
        if (stream_behind(key, position) != (key ? key->entry_count : 0))
            sim_fail(c->sim, "%s is not read to its end", sim_streams[k]);
        if (stream_id_compare(position, sh->streams[k].handled) != 0)
            sim_fail(c->sim, "the stored position of %s is not what was handled", sim_streams[k]);
    }
    if (stream_of(c, STREAM_SIGNALS) && stream_of(c, STREAM_SIGNALS)->entry_count && !c->sim->has_lost_data)
        sim_fail(c->sim, "signals that have ended are still in their stream");
    if (count_valid_results(c, sh) > c->sim->settings.ledger.results_max_len)
        sim_fail(c->sim, "more results than results.max_len are kept at the end");
}

/* A hash of others registers nothing without broker and state, or where none is followed. */
static bool is_registered(const struct checks *c, const char *id)
{
    const struct store_key *hash = record_of(c, RECORD_INSTANCE, id);
    enum instance_state state;

    return c->sim->settings.adopts && key_get(hash, "broker_id").len &&
           instance_state_parse(key_get(hash, "state"), &state);
}

/* What others spoiled has been adopted or put back. */
static void look_at_final_instances(struct checks *c, const struct shell *sh)
{
    for (uint32_t agent = 0; agent < WORLD_AGENTS; agent++) {
        char id[32];
        enum instance_state state;
        const struct instance *instance;

        world_format_agent(id, agent);
        instance = fleet_find(&sh->fleet, slice_text(id));
        if (!instance && !is_registered(c, id))
            continue;
        look_at_sets(c, id, &state);
        if (state != (instance ? instance->state : STATE_NONE))
            sim_fail(c->sim, "at the end %s is %s, the daemon takes it for %s", id,
                     state == STATE_NONE ? "nothing" : instance_state_name(state),
                     instance ? instance_state_name(instance->state) : "unknown");
    }
}

/* What has expired, or came back, has left its old sets by now. */
static void look_at_final_trades(struct checks *c)
{
    for (int s = 0; s < TRADE_STATES; s++) {
        struct key name = key_index(INDEX_TRADE_STATE, trade_state_name((enum trade_state)s));
        const struct store_key *set = store_find(c->store, key_slice(&name));

        for (uint32_t i = 0; set && set->type == STORE_SET && i < set->pair_count; i++) {
            struct key record = key_record(RECORD_TRADE, pair_name(&set->pairs[i]));
            const struct store_key *hash = store_find(c->store, key_slice(&record));

            if (!hash || !slice_is(key_get(hash, "state"), trade_state_name((enum trade_state)s)))
                sim_fail(c->sim, "at the end trade %.*s is in the set of %s, and %s",
                         (int)pair_name(&set->pairs[i]).len, pair_name(&set->pairs[i]).data,
                         trade_state_name((enum trade_state)s), hash ? "is not" : "has expired");
        }
    }
}

void checks_look_at_end(struct checks *c, struct shell *sh)
{
    const struct settings *settings = &c->sim->settings;

    checks_look(c);
    checks_look_at_daemon(c, sh);
    if (!c->sim->has_lost_data)
        look_at_totals(c);
    look_at_final_totals(c, sh);
    look_at_final_streams(c, sh);
    look_at_final_instances(c, sh);
    if (!c->sim->has_lost_data && !settings->plants)
        look_at_final_trades(c);
    if (c->sim->has_lost_data && !settings->crashes && !settings->has_second)
        look_at_survivor(c);
}
