/* The life of a signal: opened by its entry, moved by its results, ended once. Everything that ends one goes
 * through signal_end. */
#include "ledger_private.h"

uint32_t signal_open(struct ledger *l, struct slice id, uint64_t hash, struct stream_id entry,
                     uint32_t action, struct slice instance_id)
{
    uint32_t index = open_add(&l->open, id, hash, entry, action);

    l->counts[action].open++;
    signal_address(l, &l->open.items[index], instance_id);
    return index;
}

void signal_tell(const struct ledger *l, struct instance *instance, const struct event *event,
                 struct sink *sink)
{
    if (l->on_event)
        l->on_event(l->event_ctx, instance, event);
    else if (instance)
        fleet_emit(instance, event->kind, event->from, event->to, event->reason, event->signal_id,
                   &event->cause, event->at_ms, sink);
    else
        sink->ops->event(sink->ctx, event);
}

void signal_journal(struct ledger *l, uint32_t index, struct sink *sink)
{
    struct open_signal *signal = &l->open.items[index];
    const struct instance *instance = signal_addressee(l, signal);

    sink->ops->journal_received(sink->ctx, open_id(&l->open, signal), signal->entry,
                                labels_name(&l->actions, signal->action),
                                instance ? ident_slice(&instance->id) : slice_of(NULL, 0));
    if (signal->is_accepted)
        sink->ops->journal_accepted(sink->ctx, open_id(&l->open, signal), signal->accepted_ms);
    signal->is_journaled = true;
    journal_note_told(l, signal->entry);
}

void signal_remove_duplicates(struct ledger *l, uint32_t index)
{
    struct stream_id entry;

    while (open_take_duplicate(&l->open, index, &entry))
        signal_remove(l, entry);
}

static void count_end(struct ledger *l, const struct open_signal *signal, enum signal_outcome outcome,
                      int64_t now_ms)
{
    static const enum total_kind totals[] = {
        [OUTCOME_PROCESSED] = TOTAL_PROCESSED,
        [OUTCOME_FAILED] = TOTAL_FAILED,
        [OUTCOME_DROPPED] = TOTAL_DROPPED,
        [OUTCOME_LOST] = TOTAL_LOST,
    };
    struct recent *const recents[] = {
        [OUTCOME_PROCESSED] = &l->processed,
        [OUTCOME_FAILED] = &l->failed,
        [OUTCOME_DROPPED] = &l->dropped,
        [OUTCOME_LOST] = NULL,
    };

    l->counts[signal->action].open--;
    counts_add(l, signal->action, totals[outcome], 1);
    if (recents[outcome])
        recent_add(recents[outcome], open_id(&l->open, signal),
                   outcome == OUTCOME_DROPPED ? 0 : signal->action, 1, now_ms);
}

void signal_end(struct ledger *l, uint32_t index, uint64_t hash, enum signal_outcome outcome, int64_t now_ms,
                struct sink *sink)
{
    const struct open_signal *signal = &l->open.items[index];

    sink->ops->journal_ended(sink->ctx, open_id(&l->open, signal), outcome);
    l->has_journaled = true;
    count_end(l, signal, outcome, now_ms);
    signal_remove(l, signal->entry);
    signal_remove_duplicates(l, index);
    ended_add(l, open_id(&l->open, signal), hash, outcome, now_ms);
    open_remove(&l->open, index);
}

static void observe_latency(struct ledger *l, const struct open_signal *signal, uint64_t result_ms,
                            int64_t now_ms)
{
    double ms = result_ms > signal->entry.ms ? (double)(result_ms - signal->entry.ms) : 0;

    histogram_observe_id(&l->latency_seconds, ms / 1000, open_id(&l->open, signal), now_ms);
    recent_add(&l->latency, open_id(&l->open, signal), 0, ms, now_ms);
}

/* What a result does to an open signal; false where that has ended it. */
static bool apply_result(struct ledger *l, uint32_t index, uint64_t hash, enum result_status status,
                         uint64_t result_ms, int64_t now_ms, struct sink *sink)
{
    const struct open_signal *signal = &l->open.items[index];
    enum result_effect effect = result_status_effect(status);

    if (effect == RESULT_ACCEPTS) {
        open_accept(&l->open, index, result_ms);
        sink->ops->journal_accepted(sink->ctx, open_id(&l->open, signal), result_ms);
        l->has_journaled = true;
        return true;
    }
    observe_latency(l, signal, result_ms, now_ms);
    signal_end(l, index, hash, effect == RESULT_PROCESSES ? OUTCOME_PROCESSED : OUTCOME_FAILED, now_ms, sink);
    return false;
}

/* The results that came before their signal, in their order. */
static void apply_early(struct ledger *l, uint32_t index, uint64_t hash, struct stream_id entry,
                        struct slice signal_id, struct sink *sink)
{
    bool is_open = true;
    struct early_result early;

    while (early_take(&l->early, signal_id, hash, &early)) {
        if (entry.ms > early.result.ms && entry.ms - early.result.ms > (uint64_t)l->options.ttl_ms) {
            l->unmatched[UNMATCHED_UNKNOWN] += !early.was_due;
            continue;
        }
        l->unmatched[UNMATCHED_EARLY]++;
        if (is_open)
            is_open = apply_result(l, index, hash, (enum result_status)early.status, early.result.ms,
                                   l->now_ms, sink);
    }
}

static void count_duplicate(struct ledger *l, const struct signal_entry *entry)
{
    counts_add(l, labels_intern(&l->actions, entry->action), TOTAL_DUPLICATE, 1);
}

static void receive_signal(struct ledger *l, const struct signal_entry *entry, uint64_t hash,
                           struct sink *sink)
{
    uint32_t action = labels_intern(&l->actions, entry->action);
    uint32_t index;

    index = signal_open(l, entry->signal_id, hash, entry->id, action, entry->instance_id);
    counts_add(l, action, TOTAL_RECEIVED, 1);
    sink->ops->journal_received(sink->ctx, entry->signal_id, entry->id, labels_name(&l->actions, action),
                                entry->instance_id);
    journal_note_told(l, entry->id);
    recent_add(&l->received, entry->signal_id, (uint16_t)action, 1, l->now_ms);
    if (l->early.count > 0)
        apply_early(l, index, hash, entry->id, entry->signal_id, sink);
}

void ledger_set_time(struct ledger *l, int64_t now_ms)
{
    l->now_ms = now_ms;
}

void ledger_on_signal(struct ledger *l, const struct signal_entry *entry, struct sink *sink)
{
    uint64_t hash = map_hash(&l->open.map, entry->signal_id);
    uint32_t index = open_find(&l->open, entry->signal_id, hash);
    uint32_t ended;
    enum signal_outcome outcome;

    if (index != MAP_NONE) {
        if (stream_id_compare(l->open.items[index].entry, entry->id) == 0)
            return;
        count_duplicate(l, entry);
        open_add_duplicate(&l->open, index, entry->id);
        return;
    }
    ended = ended_find(l, entry->signal_id, hash);
    if (ended_is_remembered(l, ended, entry->id.ms, &outcome)) {
        count_duplicate(l, entry);
        signal_remove(l, entry->id);
    } else {
        ended_forget(l, ended);
        receive_signal(l, entry, hash, sink);
    }
}

static void count_result(struct ledger *l, const struct result_entry *entry, int64_t now_ms)
{
    uint16_t label = (uint16_t)entry->status;

    l->result_total[entry->status]++;
    l->results_counted[entry->status]++;
    recent_add(&l->result, entry->result_id, label, 1, now_ms);
    if (entry->has_slippage) {
        histogram_observe(&l->slippage, entry->slippage);
        recent_add(&l->result_slippage, entry->result_id, 0, entry->slippage, now_ms);
    }
    if (entry->has_execution_time) {
        histogram_observe(&l->execution_seconds, entry->execution_time_ms / 1000);
        recent_add(&l->result_execution, entry->result_id, 0, entry->execution_time_ms, now_ms);
    }
}

/* A result for a signal that is believed dead; an order was placed all the same where it says so. */
static void take_late_result(struct ledger *l, const struct result_entry *entry, enum signal_outcome outcome,
                             int64_t now_ms, struct sink *sink)
{
    struct event event = {
        .kind = EVENT_LATE_EXECUTION,
        .at_ms = now_ms,
        .reason = slice_text(outcome == OUTCOME_DROPPED ? "executed after the signal was dropped"
                                                        : "executed after the signal was lost"),
        .signal_id = entry->signal_id,
        .cause = {CAUSE_RESULT, entry->id},
    };

    l->unmatched[UNMATCHED_LATE]++;
    if (result_status_effect(entry->status) == RESULT_PROCESSES)
        signal_tell(l, entry->instance_id.len > 0 ? fleet_find(l->fleet, entry->instance_id) : NULL, &event,
                    sink);
}

/* A result whose signal is not open. */
static void take_unmatched(struct ledger *l, const struct result_entry *entry, uint64_t hash, int64_t now_ms,
                           struct sink *sink)
{
    uint32_t ended = ended_find(l, entry->signal_id, hash);
    enum signal_outcome outcome;

    if (!ended_is_remembered(l, ended, entry->id.ms, &outcome)) {
        early_add(l, entry->signal_id, hash, entry->status, entry->id);
        sink->ops->journal_early(sink->ctx, entry->signal_id, slice_text(result_status_name(entry->status)),
                                 entry->id);
        l->has_journaled = true;
    } else if (outcome == OUTCOME_DROPPED || outcome == OUTCOME_LOST) {
        take_late_result(l, entry, outcome, now_ms, sink);
    } else {
        l->unmatched[UNMATCHED_FOLLOWUP]++;
    }
}

bool ledger_count_result(struct ledger *l, const struct result_entry *entry, int64_t now_ms)
{
    l->now_ms = now_ms;
    if (kept_add(l, entry->id, entry->result_id)) {
        l->unmatched[UNMATCHED_DUPLICATE]++;
        return false;
    }
    count_result(l, entry, now_ms);
    return true;
}

void ledger_match_result(struct ledger *l, const struct result_entry *entry, int64_t now_ms,
                         struct sink *sink)
{
    uint64_t hash = map_hash(&l->open.map, entry->signal_id);
    uint32_t index = open_find(&l->open, entry->signal_id, hash);

    l->now_ms = now_ms;
    if (index == MAP_NONE)
        take_unmatched(l, entry, hash, now_ms, sink);
    else
        (void)apply_result(l, index, hash, entry->status, entry->id.ms, now_ms, sink);
}

void ledger_on_result(struct ledger *l, const struct result_entry *entry, int64_t now_ms, struct sink *sink)
{
    if (ledger_count_result(l, entry, now_ms))
        ledger_match_result(l, entry, now_ms, sink);
}

bool ledger_was_duplicate(const struct ledger *l, const struct result_entry *entry)
{
    return kept_was_repeated(l, entry->id, entry->result_id);
}

void ledger_on_rejected(struct ledger *l, enum stream_kind stream, struct stream_id entry)
{
    if (stream == STREAM_SIGNALS)
        signal_remove(l, entry);
    else if (stream == STREAM_RESULTS && l->options.removes_nothing)
        (void)kept_add(l, entry, slice_of(NULL, 0)); /* it stays, and leaves with those around it */
    else if (stream == STREAM_RESULTS)
        removed_add(&l->removed_results, entry);
}
