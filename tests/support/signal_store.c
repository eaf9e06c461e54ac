/* Arrays, searched from the front: it is to be right, not quick. */
#include "signal_store.h"

#include "util/alloc.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define GROW(items, count, cap)                                                                              \
    do {                                                                                                     \
        if ((count) == (cap)) {                                                                              \
            (cap) = (cap) ? (cap)*2 : 16;                                                                    \
            (items) = mem_resize((items), (cap), sizeof(*(items)));                                          \
        }                                                                                                    \
    } while (0)

void stored_stream_add(struct stored_stream *stream, const struct stored_entry *entry)
{
    if (stream->count > 0)
        assert_true(stream_id_compare(stream->entries[stream->count - 1].id, entry->id) < 0);
    GROW(stream->entries, stream->count, stream->cap);
    stream->entries[stream->count++] = *entry;
}

const struct stored_entry *stored_stream_find(const struct stored_stream *stream, struct stream_id id)
{
    for (size_t i = 0; i < stream->count; i++) {
        if (stream_id_compare(stream->entries[i].id, id) == 0)
            return &stream->entries[i];
    }
    return NULL;
}

size_t stored_stream_behind(const struct stored_stream *stream, struct stream_id id)
{
    size_t i = 0;

    while (i < stream->count && stream_id_compare(stream->entries[i].id, id) <= 0)
        i++;
    return i;
}

static void remove_range(struct stored_stream *stream, size_t first, size_t count)
{
    for (size_t i = first; i + count < stream->count; i++)
        stream->entries[i] = stream->entries[i + count];
    stream->count -= count;
}

void stored_stream_remove(struct stored_stream *stream, struct stream_id id)
{
    for (size_t i = 0; i < stream->count; i++) {
        if (stream_id_compare(stream->entries[i].id, id) == 0) {
            remove_range(stream, i, 1);
            return;
        }
    }
}

static void trim_stream(struct stored_stream *stream, struct stream_id min)
{
    size_t count = 0;

    while (count < stream->count && stream_id_compare(stream->entries[count].id, min) < 0)
        count++;
    if (count > 0)
        remove_range(stream, 0, count);
}

static void delete_entries(struct stored_stream *stream, const struct stream_id *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            assert_true(stream_id_compare(entries[i - 1], entries[i]) < 0);
        stored_stream_remove(stream, entries[i]);
    }
}

static void on_begin(void *ctx, const struct cause *cause)
{
    UNUSED(ctx);
    UNUSED(cause);
}

static void on_event(void *ctx, const struct event *event)
{
    struct signal_store *store = ctx;

    store->late_events += event->kind == EVENT_LATE_EXECUTION;
    store->drop_events += event->kind == EVENT_SIGNAL_DROPPED;
}

static struct stored_line *add_line(struct signal_store *store, enum journal_kind kind,
                                    struct slice signal_id)
{
    struct stored_line *line;

    GROW(store->lines, store->line_count, store->line_cap);
    line = &store->lines[store->line_count++];
    *line = (struct stored_line){.kind = kind, .at_ms = store->now_ms};
    ident_set(&line->signal_id, signal_id);
    return line;
}

static void on_journal_received(void *ctx, struct slice signal_id, struct stream_id entry,
                                struct slice action, struct slice instance_id)
{
    struct stored_line *line = add_line(ctx, JOURNAL_RECEIVED, signal_id);

    line->entry = entry;
    ident_set(&line->action, action);
    ident_set(&line->instance_id, instance_id);
}

static void on_journal_accepted(void *ctx, struct slice signal_id, uint64_t accepted_ms)
{
    add_line(ctx, JOURNAL_ACCEPTED, signal_id)->accepted_ms = accepted_ms;
}

static void on_journal_ended(void *ctx, struct slice signal_id, enum signal_outcome outcome)
{
    add_line(ctx, JOURNAL_ENDED, signal_id)->outcome = outcome;
}

static void on_journal_early(void *ctx, struct slice signal_id, struct slice status, struct stream_id result)
{
    struct stored_line *line = add_line(ctx, JOURNAL_EARLY, signal_id);

    assert_true(result_status_parse(status, &line->status));
    line->entry = result;
}

static void on_journal_trim(void *ctx, uint64_t min_ms)
{
    struct signal_store *store = ctx;
    size_t count = 0;

    while (count < store->line_count && (uint64_t)store->lines[count].at_ms < min_ms)
        count++;
    for (size_t i = count; i < store->line_count; i++)
        store->lines[i - count] = store->lines[i];
    store->line_count -= count;
}

static void on_signal_drop(void *ctx, struct stream_id entry, int64_t age_ms)
{
    struct signal_store *store = ctx;

    assert_non_null(stored_stream_find(&store->signals, entry));
    assert_true(age_ms >= 0);
    store->drops++;
}

static void on_signals_delete(void *ctx, const struct stream_id *entries, size_t count)
{
    struct signal_store *store = ctx;

    store->removals++;
    delete_entries(&store->signals, entries, count);
}

static void on_signals_trim(void *ctx, struct stream_id min)
{
    struct signal_store *store = ctx;

    store->removals++;
    trim_stream(&store->signals, min);
}

static void on_signals_left(void *ctx, struct stream_id until)
{
    struct signal_store *store = ctx;

    assert_int_not_equal(stream_id_compare(store->left, until), 0);
    store->left = until;
}

static void on_results_delete(void *ctx, const struct stream_id *entries, size_t count)
{
    struct signal_store *store = ctx;

    store->removals++;
    delete_entries(&store->results, entries, count);
}

static void on_results_trim(void *ctx, struct stream_id min)
{
    struct signal_store *store = ctx;

    store->removals++;
    trim_stream(&store->results, min);
}

static void on_total_set(void *ctx, enum total_kind kind, struct slice label, uint64_t value)
{
    struct signal_store *store = ctx;
    struct stored_total *total;

    for (size_t i = 0; i < store->total_count; i++) {
        total = &store->totals[i];
        if (total->kind == kind && slice_equal(ident_slice(&total->label), label)) {
            assert_true(total->value != value);
            total->value = value;
            return;
        }
    }
    GROW(store->totals, store->total_count, store->total_cap);
    total = &store->totals[store->total_count++];
    *total = (struct stored_total){.kind = kind, .value = value};
    ident_set(&total->label, label);
}

static const struct sink_ops ops = {
    .begin = on_begin,
    .event = on_event,
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

void signal_store_init(struct signal_store *store)
{
    *store = (struct signal_store){.sink = {&ops, store}};
}

void signal_store_clear(struct signal_store *store)
{
    free(store->signals.entries);
    free(store->results.entries);
    free(store->lines);
    free(store->totals);
    *store = (struct signal_store){0};
}

uint64_t signal_store_total(const struct signal_store *store, enum total_kind kind, const char *label)
{
    for (size_t i = 0; i < store->total_count; i++) {
        if (store->totals[i].kind == kind && slice_is(ident_slice(&store->totals[i].label), label))
            return store->totals[i].value;
    }
    return 0;
}

static struct signal_entry make_signal(const struct stored_entry *entry)
{
    return (struct signal_entry){
        .id = entry->id,
        .signal_id = ident_slice(&entry->signal_id),
        .action = slice_text(entry->action),
        .instance_id = ident_slice(&entry->instance_id),
    };
}

void signal_store_feed_signal(struct signal_store *store, struct ledger *ledger,
                              const struct stored_entry *entry)
{
    struct signal_entry signal = make_signal(entry);

    if (entry->is_valid)
        ledger_on_signal(ledger, &signal, &store->sink);
    else
        ledger_on_rejected(ledger, STREAM_SIGNALS, entry->id);
}

void signal_store_feed_result(struct signal_store *store, struct ledger *ledger,
                              const struct stored_entry *entry)
{
    struct result_entry result = {
        .id = entry->id,
        .result_id = ident_slice(&entry->result_id),
        .signal_id = ident_slice(&entry->signal_id),
        .status = entry->status,
    };

    if (entry->is_valid)
        ledger_on_result(ledger, &result, store->now_ms, &store->sink);
    else
        ledger_on_rejected(ledger, STREAM_RESULTS, entry->id);
}

static void load_line(struct ledger *ledger, const struct stored_line *line)
{
    struct slice signal_id = ident_slice(&line->signal_id);

    switch (line->kind) {
    case JOURNAL_RECEIVED:
        ledger_load_received(ledger, signal_id, line->entry, ident_slice(&line->action),
                             ident_slice(&line->instance_id), (uint64_t)line->at_ms);
        break;
    case JOURNAL_ACCEPTED:
        ledger_load_accepted(ledger, signal_id, line->accepted_ms);
        break;
    case JOURNAL_ENDED:
        ledger_load_ended(ledger, signal_id, line->outcome, (uint64_t)line->at_ms);
        break;
    case JOURNAL_EARLY:
        ledger_load_early(ledger, signal_id, line->status, line->entry);
        break;
    }
}

/* As the daemon does: an invalid entry that is still there is told as one. */
static void load_signals(const struct signal_store *store, struct ledger *ledger, struct stream_id position)
{
    struct stream_id from = ledger_find_unsettled(ledger);

    for (size_t i = 0; i < stored_stream_behind(&store->signals, position); i++) {
        const struct stored_entry *entry = &store->signals.entries[i];
        struct signal_entry signal = make_signal(entry);

        if (stream_id_compare(entry->id, from) < 0)
            continue;
        if (entry->is_valid)
            ledger_load_entry(ledger, &signal);
        else
            ledger_on_rejected(ledger, STREAM_SIGNALS, entry->id);
    }
}

uint64_t signal_store_load(const struct signal_store *store, struct ledger *ledger,
                           struct stream_id signals_position, struct stream_id results_position,
                           int64_t now_ms)
{
    for (size_t i = 0; i < store->total_count; i++)
        ledger_load_total(ledger, store->totals[i].kind, ident_slice(&store->totals[i].label),
                          store->totals[i].value);
    ledger_load_left(ledger, store->left);
    for (size_t i = 0; i < store->line_count; i++)
        load_line(ledger, &store->lines[i]);
    load_signals(store, ledger, signals_position);
    for (size_t i = 0; i < stored_stream_behind(&store->results, results_position); i++)
        ledger_load_result(ledger, store->results.entries[i].id,
                           store->results.entries[i].is_valid
                               ? ident_slice(&store->results.entries[i].result_id)
                               : slice_of(NULL, 0));
    return ledger_load_finish(ledger, now_ms);
}
