/* core/ledger.h against a model that is as plain as the contract (SPEC §5.5, §5.6): random signals, results,
 * thefts from the stream, and time, with streams that lag behind. Now and then the ledger is thrown away and
 * loaded from what the store holds; the model is not told, and must not notice. In some runs it is told now
 * and then to remove nothing, or to hold. */
#include "signal_store.h"
#include "util/alloc.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS       40
#define ACTIONS   3
#define STEPS     4000
#define SEEDS     12
#define DUPS_MAX  256
#define EARLY_MAX 4096
#define RESULTS   25
#define TTL       400
#define EXEC_TTL  300
#define DEDUP     700
#define BATCH_MAX 8
#define LATE_MAX  3
#define OUTCOMES  4
#define LEFT_MAX  8192

static const struct hash_key key = {5, 6};
static const char *const action_names[ACTIONS] = {"buy", "sell", "close"};

static const struct ledger_options options = {
    .ttl_ms = TTL,
    .execution_ttl_ms = EXEC_TTL,
    .dedup_ms = DEDUP,
    .max_tracked = 100000,
    .results_max_len = RESULTS,
    .per_id_max = 5,
    .per_id_ttl_ms = 1000,
};

enum life { NEVER, OPEN, ENDED };

struct model_signal {
    enum life life;
    struct stream_id entry;
    unsigned action;
    bool is_accepted;
    uint64_t accepted_ms;
    enum signal_outcome outcome;
    int64_t ended_ms;
    struct stream_id duplicates[DUPS_MAX];
    size_t duplicate_count;
};

struct model_early {
    unsigned signal;
    enum result_status status;
    struct stream_id result;
    bool was_due;
};

struct model {
    struct model_signal signals[IDS];
    struct model_early early[EARLY_MAX];
    size_t early_count;
    uint64_t totals[ACTIONS][TOTAL_DUPLICATE + 1];
    uint64_t results[RESULT_STATUSES];
    uint64_t unmatched[UNMATCHED_REASONS]; /* since the last load */
    struct stored_entry kept[RESULTS];
    size_t kept_count;
    uint64_t late_events;
    int64_t hold_ms;
    struct stream_id left[LEFT_MAX]; /* what was in the stream and not open when removing was allowed again */
    size_t left_count;
};

struct world {
    uint64_t seed;
    int64_t now_ms;
    uint64_t seq, next_result;
    struct stream_id signals_position, results_position;
    bool is_moody; /* removes nothing, or holds, now and then */
    struct ledger_options options;
    struct fleet fleet;
    struct ledger *ledger;
    struct signal_store store;
    struct model model;
    uint64_t observed, left_over, held;
};

static uint32_t draw(struct world *w, uint32_t below)
{
    w->seed = w->seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(w->seed >> 33) % below;
}

static unsigned number_of(const struct ident *signal_id)
{
    uint64_t number = IDS;

    /* s0, s1, ... */
    for (unsigned i = 1; i < signal_id->len; i++)
        number = (i == 1 ? 0 : number * 10) + (uint64_t)(signal_id->text[i] - '0');
    assert_true(number < IDS);
    return (unsigned)number;
}

static unsigned action_of(const struct stored_entry *entry)
{
    for (unsigned i = 0; i < ACTIONS; i++) {
        if (strcmp(action_names[i], entry->action) == 0)
            return i;
    }
    fail_msg("no action is called %s", entry->action);
    return 0;
}

/* The model: one function for each thing that happens. */

static void model_end(struct model *m, struct model_signal *signal, enum signal_outcome outcome,
                      int64_t now_ms)
{
    static const enum total_kind kinds[OUTCOMES] = {TOTAL_PROCESSED, TOTAL_FAILED, TOTAL_DROPPED, TOTAL_LOST};

    assert_int_equal(signal->life, OPEN);
    signal->life = ENDED;
    signal->outcome = outcome;
    signal->ended_ms = now_ms;
    signal->duplicate_count = 0;
    m->totals[signal->action][kinds[outcome]]++;
}

static void model_apply(struct model *m, struct model_signal *signal, enum result_status status,
                        uint64_t result_ms, int64_t now_ms)
{
    switch (result_status_effect(status)) {
    case RESULT_ACCEPTS:
        signal->is_accepted = true;
        signal->accepted_ms = result_ms;
        break;
    case RESULT_PROCESSES:
        model_end(m, signal, OUTCOME_PROCESSED, now_ms);
        break;
    case RESULT_FAILS:
        model_end(m, signal, OUTCOME_FAILED, now_ms);
        break;
    }
}

static bool model_remembers(const struct model_signal *signal, uint64_t at_ms)
{
    return signal->life == ENDED && (int64_t)at_ms - signal->ended_ms < DEDUP;
}

static void model_drop_early(struct model *m, size_t index)
{
    memmove(&m->early[index], &m->early[index + 1], (m->early_count - index - 1) * sizeof(m->early[0]));
    m->early_count--;
}

static void model_match_early(struct model *m, unsigned number, int64_t now_ms)
{
    struct model_signal *signal = &m->signals[number];
    uint64_t entry_ms = signal->entry.ms;

    for (size_t i = 0; i < m->early_count;) {
        struct model_early early = m->early[i];

        if (early.signal != number) {
            i++;
            continue;
        }
        model_drop_early(m, i);
        if (entry_ms > early.result.ms + TTL) {
            m->unmatched[UNMATCHED_UNKNOWN] += !early.was_due;
            continue;
        }
        m->unmatched[UNMATCHED_EARLY]++;
        if (signal->life == OPEN)
            model_apply(m, signal, early.status, early.result.ms, now_ms);
    }
}

static void model_on_signal(struct model *m, const struct stored_entry *entry, int64_t now_ms)
{
    unsigned number = number_of(&entry->signal_id);
    struct model_signal *signal = &m->signals[number];
    unsigned action = action_of(entry);

    if (signal->life == OPEN) {
        assert_true(signal->duplicate_count < DUPS_MAX);
        signal->duplicates[signal->duplicate_count++] = entry->id;
        m->totals[action][TOTAL_DUPLICATE]++;
    } else if (model_remembers(signal, entry->id.ms)) {
        m->totals[action][TOTAL_DUPLICATE]++;
    } else {
        *signal = (struct model_signal){.life = OPEN, .entry = entry->id, .action = action};
        m->totals[action][TOTAL_RECEIVED]++;
        model_match_early(m, number, now_ms);
    }
}

static bool model_keeps(struct model *m, const struct stored_entry *entry)
{
    bool is_known = false;

    for (size_t i = 0; i < m->kept_count && entry->is_valid; i++)
        is_known |= m->kept[i].is_valid &&
                    slice_equal(ident_slice(&m->kept[i].result_id), ident_slice(&entry->result_id));
    if (m->kept_count == RESULTS)
        memmove(&m->kept[0], &m->kept[1], --m->kept_count * sizeof(m->kept[0]));
    m->kept[m->kept_count++] = *entry;
    return is_known;
}

static void model_on_result(struct model *m, const struct stored_entry *entry, int64_t now_ms)
{
    unsigned number = number_of(&entry->signal_id);
    struct model_signal *signal = &m->signals[number];

    if (model_keeps(m, entry)) {
        m->unmatched[UNMATCHED_DUPLICATE]++;
        return;
    }
    m->results[entry->status]++;
    if (signal->life == OPEN) {
        model_apply(m, signal, entry->status, entry->id.ms, now_ms);
    } else if (!model_remembers(signal, entry->id.ms)) {
        assert_true(m->early_count < EARLY_MAX);
        m->early[m->early_count++] = (struct model_early){number, entry->status, entry->id, false};
    } else if (signal->outcome == OUTCOME_DROPPED || signal->outcome == OUTCOME_LOST) {
        m->unmatched[UNMATCHED_LATE]++;
        m->late_events += result_status_effect(entry->status) == RESULT_PROCESSES;
    } else {
        m->unmatched[UNMATCHED_FOLLOWUP]++;
    }
}

static int64_t model_deadline(const struct model_signal *signal)
{
    return signal->is_accepted ? (int64_t)signal->accepted_ms + EXEC_TTL : (int64_t)signal->entry.ms + TTL;
}

static void model_end_late(struct model *m, const struct signal_store *store, int64_t until_ms,
                           int64_t now_ms)
{
    for (unsigned i = 0; i < IDS && until_ms >= m->hold_ms; i++) {
        struct model_signal *signal = &m->signals[i];

        if (signal->life == OPEN && model_deadline(signal) <= until_ms)
            model_end(m, signal,
                      stored_stream_find(&store->signals, signal->entry) ? OUTCOME_DROPPED : OUTCOME_LOST,
                      now_ms);
    }
}

static void model_expire(struct model *m, int64_t until_ms)
{
    for (size_t i = 0; i < m->early_count && until_ms >= m->hold_ms;) {
        if ((int64_t)m->early[i].result.ms + TTL >= until_ms) {
            i++;
            continue;
        }
        m->unmatched[UNMATCHED_UNKNOWN] += !m->early[i].was_due;
        model_drop_early(m, i);
    }
}

static void model_on_load(struct model *m, int64_t now_ms)
{
    memset(m->unmatched, 0, sizeof(m->unmatched));
    for (size_t i = 0; i < m->early_count; i++)
        m->early[i].was_due = (int64_t)m->early[i].result.ms + TTL < now_ms;
}

/* The world: what producers, executors, thieves and the daemon do. */

static struct stream_id next_entry(struct world *w)
{
    return (struct stream_id){(uint64_t)w->now_ms, ++w->seq};
}

/* Of any length: the ledger keeps long ones elsewhere. */
static void make_id(struct ident *out, const char *prefix, uint64_t number)
{
    char text[IDENT_MAX + 1];
    int digits = number % 4 == 0 ? 36 + (int)(number % 28) : 1;
    int len = snprintf(text, sizeof(text), "%s%0*llu", prefix, digits, (unsigned long long)number);

    ident_set(out, slice_of(text, (size_t)len));
}

static void produce_signal(struct world *w)
{
    struct stored_entry entry = {.id = next_entry(w), .is_valid = draw(w, 20) > 0};

    make_id(&entry.signal_id, "s", draw(w, IDS));
    (void)snprintf(entry.action, sizeof(entry.action), "%s", action_names[draw(w, ACTIONS)]);
    stored_stream_add(&w->store.signals, &entry);
}

static void produce_result(struct world *w)
{
    struct stored_entry entry = {.id = next_entry(w), .is_valid = draw(w, 20) > 0};

    make_id(&entry.signal_id, "s", draw(w, IDS));
    make_id(&entry.result_id, "r", draw(w, 8) > 0 ? w->next_result++ : draw(w, (uint32_t)w->next_result + 1));
    entry.status = draw(w, 3) == 0 ? STATUS_ACCEPTED : (enum result_status)draw(w, RESULT_STATUSES);
    stored_stream_add(&w->store.results, &entry);
}

static void steal_signal(struct world *w)
{
    if (w->store.signals.count > 0)
        stored_stream_remove(&w->store.signals,
                             w->store.signals.entries[draw(w, (uint32_t)w->store.signals.count)].id);
}

static void take_signals(struct world *w)
{
    size_t at = stored_stream_behind(&w->store.signals, w->signals_position);

    for (uint32_t n = draw(w, BATCH_MAX); n > 0 && at < w->store.signals.count; n--, at++) {
        const struct stored_entry *entry = &w->store.signals.entries[at];

        signal_store_feed_signal(&w->store, w->ledger, entry);
        if (entry->is_valid)
            model_on_signal(&w->model, entry, w->now_ms);
        w->signals_position = entry->id;
    }
}

static void take_results(struct world *w)
{
    size_t at = stored_stream_behind(&w->store.results, w->results_position);

    for (uint32_t n = draw(w, BATCH_MAX); n > 0 && at < w->store.results.count; n--, at++) {
        const struct stored_entry *entry = &w->store.results.entries[at];

        signal_store_feed_result(&w->store, w->ledger, entry);
        if (entry->is_valid)
            model_on_result(&w->model, entry, w->now_ms);
        else if (w->options.removes_nothing)
            (void)model_keeps(&w->model, entry);
        w->results_position = entry->id;
    }
}

/* Up to when a stream is known to have been read. */
static int64_t horizon(const struct world *w, const struct stored_stream *stream, struct stream_id position)
{
    return stored_stream_behind(stream, position) == stream->count ? w->now_ms : (int64_t)position.ms;
}

static void end_late(struct world *w)
{
    int64_t until_ms = horizon(w, &w->store.results, w->results_position);
    struct stream_id entries[LATE_MAX];
    bool present[LATE_MAX];
    size_t count;

    model_end_late(&w->model, &w->store, until_ms, w->now_ms);
    while ((count = ledger_collect_late(w->ledger, until_ms, entries, LATE_MAX)) > 0) {
        for (size_t i = 0; i < count; i++)
            present[i] = stored_stream_find(&w->store.signals, entries[i]) != NULL;
        ledger_end_late(w->ledger, entries, present, count, until_ms, w->now_ms, &w->store.sink);
    }
}

static void run_batch(struct world *w)
{
    int64_t read_ms = horizon(w, &w->store.signals, w->signals_position);
    int64_t results_ms = horizon(w, &w->store.results, w->results_position);

    if (results_ms < read_ms)
        read_ms = results_ms;
    w->store.now_ms = w->now_ms;
    ledger_expire(w->ledger, w->now_ms, read_ms);
    model_expire(&w->model, read_ms < w->now_ms ? read_ms : w->now_ms);
    take_signals(w);
    take_results(w);
    if (draw(w, 2) == 0)
        end_late(w);
    ledger_flush(w->ledger, w->signals_position, w->now_ms, &w->store.sink);
}

static void restart(struct world *w)
{
    ledger_free(w->ledger);
    w->ledger = ledger_new(&w->options, &w->fleet, key);
    w->model.hold_ms = INT64_MIN;
    assert_int_equal(
        signal_store_load(&w->store, w->ledger, w->signals_position, w->results_position, w->now_ms), 0);
    model_on_load(&w->model, w->now_ms);
}

/* What must hold after each batch. */

static void check_open(const struct world *w, const struct ledger_view *view)
{
    uint64_t open[ACTIONS] = {0};
    uint64_t all_open = 0;

    for (unsigned i = 0; i < IDS; i++) {
        const struct model_signal *signal = &w->model.signals[i];
        struct ident id;

        make_id(&id, "s", i);
        assert_int_equal(ledger_is_open(w->ledger, ident_slice(&id)), signal->life == OPEN);
        open[signal->action] += signal->life == OPEN;
        all_open += signal->life == OPEN;
    }
    assert_int_equal(view->open, all_open);
    for (unsigned a = 0; a < ACTIONS; a++) {
        const uint64_t *t = w->model.totals[a];

        assert_int_equal(t[TOTAL_RECEIVED],
                         t[TOTAL_PROCESSED] + t[TOTAL_FAILED] + t[TOTAL_DROPPED] + t[TOTAL_LOST] + open[a]);
    }
}

static void check_counts(const struct ledger_view *view)
{
    for (uint32_t i = 0; i <= LABELS_MAX; i++) {
        const struct action_counts *c = &view->counts[i];
        uint64_t since[TOTAL_DUPLICATE + 1];

        for (unsigned k = 0; k <= TOTAL_DUPLICATE; k++)
            since[k] = c->total[k] - c->base[k];
        assert_int_equal(c->total[TOTAL_RECEIVED], c->total[TOTAL_PROCESSED] + c->total[TOTAL_FAILED] +
                                                       c->total[TOTAL_DROPPED] + c->total[TOTAL_LOST] +
                                                       c->open);
        assert_int_equal(since[TOTAL_RECEIVED], since[TOTAL_PROCESSED] + since[TOTAL_FAILED] +
                                                    since[TOTAL_DROPPED] + since[TOTAL_LOST] + c->open);
    }
}

static void check_totals(const struct world *w)
{
    for (unsigned a = 0; a < ACTIONS; a++) {
        for (unsigned k = 0; k <= TOTAL_DUPLICATE; k++)
            assert_int_equal(signal_store_total(&w->store, (enum total_kind)k, action_names[a]),
                             w->model.totals[a][k]);
    }
    for (unsigned i = 0; i < RESULT_STATUSES; i++)
        assert_int_equal(
            signal_store_total(&w->store, TOTAL_RESULT, result_status_name((enum result_status)i)),
            w->model.results[i]);
}

static bool model_wants(const struct model *m, struct stream_id entry)
{
    for (unsigned i = 0; i < IDS; i++) {
        const struct model_signal *signal = &m->signals[i];

        if (signal->life != OPEN)
            continue;
        if (stream_id_compare(signal->entry, entry) == 0)
            return true;
        for (size_t d = 0; d < signal->duplicate_count; d++) {
            if (stream_id_compare(signal->duplicates[d], entry) == 0)
                return true;
        }
    }
    return false;
}

/* Was left when nothing was to be removed, and an older one is still open. */
static bool model_leaves(const struct model *m, struct stream_id entry)
{
    bool is_left = false, has_older = false;

    for (size_t i = 0; i < m->left_count; i++)
        is_left |= stream_id_compare(m->left[i], entry) == 0;
    for (unsigned i = 0; i < IDS; i++)
        has_older |= m->signals[i].life == OPEN && stream_id_compare(m->signals[i].entry, entry) < 0;
    return is_left && has_older;
}

/* Of what has been read, the stream holds nothing but what is open, and what waits with it. */
static void check_signals(const struct world *w)
{
    bool has_left = false;

    for (size_t i = 0; i < stored_stream_behind(&w->store.signals, w->signals_position); i++) {
        struct stream_id entry = w->store.signals.entries[i].id;

        if (w->options.removes_nothing || model_wants(&w->model, entry))
            continue;
        assert_true(model_leaves(&w->model, entry));
        has_left = true;
    }
    assert_true(!has_left || w->store.left.ms > 0);
}

/* Exactly the newest results are kept, or are the newest of all. */
static void check_results(const struct world *w)
{
    size_t there = stored_stream_behind(&w->store.results, w->results_position);
    size_t kept = w->model.kept_count;

    assert_true(w->options.removes_nothing ? there >= kept : there == kept);
    for (size_t i = 0; i < kept; i++)
        assert_int_equal(
            stream_id_compare(w->store.results.entries[there - kept + i].id, w->model.kept[i].id), 0);
}

static int64_t least_deadline(const struct model *m)
{
    int64_t least = INT64_MAX;

    for (unsigned i = 0; i < IDS; i++) {
        if (m->signals[i].life == OPEN && model_deadline(&m->signals[i]) < least)
            least = model_deadline(&m->signals[i]);
    }
    return least > m->hold_ms ? least : m->hold_ms;
}

static void check_deadline(const struct world *w)
{
    int64_t least = least_deadline(&w->model);
    struct stream_id entry;

    assert_true(ledger_next_deadline(w->ledger) <= least);
    assert_int_equal(ledger_collect_late(w->ledger, least - 1, &entry, 1), 0);
    assert_int_equal(ledger_collect_late(w->ledger, least, &entry, 1), least < INT64_MAX);
}

static void check(const struct world *w)
{
    struct ledger_view view;

    ledger_view(w->ledger, &view);
    check_open(w, &view);
    check_counts(&view);
    check_totals(w);
    check_signals(w);
    check_results(w);
    assert_memory_equal(view.unmatched, w->model.unmatched, sizeof(w->model.unmatched));
    assert_int_equal(w->store.late_events, w->model.late_events);
    assert_int_equal(w->store.drop_events, w->store.drops);
    check_deadline(w);
}

static void note_left(struct world *w)
{
    struct model *m = &w->model;

    m->left_count = 0;
    for (size_t i = 0; i < stored_stream_behind(&w->store.signals, w->signals_position); i++) {
        struct stream_id entry = w->store.signals.entries[i].id;

        if (model_wants(m, entry))
            continue;
        assert_true(m->left_count < LEFT_MAX);
        m->left[m->left_count++] = entry;
    }
    w->left_over += m->left_count;
}

/* Removing is allowed, or not any more: by a reload, or by a start with another configuration. */
static void change_mood(struct world *w)
{
    w->options.removes_nothing = !w->options.removes_nothing;
    if (!w->options.removes_nothing)
        note_left(w);
    if (draw(w, 2) == 0)
        restart(w);
    else
        ledger_configure(w->ledger, &w->options);
}

static void hold(struct world *w)
{
    int64_t until_ms = w->now_ms + draw(w, 600) - 100;

    ledger_hold(w->ledger, until_ms);
    if (until_ms > w->model.hold_ms)
        w->model.hold_ms = until_ms;
    w->held++;
}

static void run_moody_batch(struct world *w)
{
    uint64_t removals;

    if (draw(w, 60) == 0)
        change_mood(w);
    if (draw(w, 40) == 0)
        hold(w);
    removals = w->store.removals;
    run_batch(w);
    if (w->options.removes_nothing) {
        assert_int_equal(w->store.removals, removals);
        w->observed++;
    }
}

static void run_step(struct world *w)
{
    for (uint32_t n = draw(w, 4); n > 0; n--)
        produce_signal(w);
    for (uint32_t n = draw(w, 5); n > 0; n--)
        produce_result(w);
    if (draw(w, 10) == 0)
        steal_signal(w);
    w->now_ms += draw(w, 10) == 0 ? draw(w, 500) : draw(w, 10);
    if (w->is_moody)
        run_moody_batch(w);
    else
        run_batch(w);
    check(w);
    if (draw(w, 25) == 0) {
        restart(w);
        check(w);
    }
}

static void run_world(uint64_t seed, bool is_moody)
{
    static const struct fleet_options fleet_options = {.max = 1};
    struct world *w = mem_new(1, sizeof(*w));

    w->seed = seed;
    w->is_moody = is_moody;
    w->options = options;
    w->now_ms = 100000;
    w->model.hold_ms = INT64_MIN;
    fleet_init(&w->fleet, &fleet_options, key);
    signal_store_init(&w->store);
    w->ledger = ledger_new(&options, &w->fleet, key);
    for (int i = 0; i < STEPS; i++)
        run_step(w);
    /* the run has seen everything */
    for (unsigned k = 0; k <= TOTAL_DUPLICATE; k++)
        assert_true(w->model.totals[0][k] > 0);
    assert_true(w->model.late_events > 0);
    if (is_moody)
        assert_true(w->observed > 0 && w->left_over > 0 && w->held > 0);
    ledger_free(w->ledger);
    signal_store_clear(&w->store);
    fleet_clear(&w->fleet);
    free(w);
}

static void test_ledger_does_as_the_model(void **state)
{
    UNUSED(state);
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_world(seed, false);
}

static void test_ledger_that_observes_and_holds_does_as_the_model(void **state)
{
    UNUSED(state);
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_world(seed, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ledger_does_as_the_model),
        cmocka_unit_test(test_ledger_that_observes_and_holds_does_as_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
