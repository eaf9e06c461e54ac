/* The end of a batch: totals that changed, entries to be removed. What it costs is in proportion to what the
 * batch changed. */
#include "ledger_private.h"

#include "util/alloc.h"
#include <stdlib.h>

#define FIRST_ENTRIES   256U
#define RELEASE_ENTRIES 65536U

void removed_add(struct entry_list *list, struct stream_id entry)
{
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : FIRST_ENTRIES;
        list->items = mem_resize(list->items, list->cap, sizeof(*list->items));
    }
    list->items[list->count++] = entry;
}

void signal_remove(struct ledger *l, struct stream_id entry)
{
    if (l->options.removes_nothing)
        left_note(l, entry);
    else
        removed_add(&l->removed_signals, entry);
}

void removed_clear(struct entry_list *list)
{
    free(list->items);
    *list = (struct entry_list){0};
}

static void empty_list(struct entry_list *list)
{
    list->count = 0;
    if (list->cap > RELEASE_ENTRIES)
        removed_clear(list);
}

static int compare_entries(const void *a, const void *b)
{
    const struct stream_id *x = a;
    const struct stream_id *y = b;

    return stream_id_compare(*x, *y);
}

/* Keeps the entries from MIN on, sorted; returns whether there were others. */
static bool cut_entries(struct entry_list *list, struct stream_id min)
{
    size_t kept = 0;
    bool is_sorted = true;
    bool was_cut;

    for (size_t i = 0; i < list->count; i++) {
        if (stream_id_compare(list->items[i], min) < 0)
            continue;
        if (kept > 0 && stream_id_compare(list->items[kept - 1], list->items[i]) > 0)
            is_sorted = false;
        list->items[kept++] = list->items[i];
    }
    was_cut = kept < list->count;
    list->count = kept;
    if (!is_sorted)
        qsort(list->items, kept, sizeof(*list->items), compare_entries);
    return was_cut;
}

/* What was found open in the stream, but not in the journal, at the start. Whatever has been journaled about
 * it since was about a signal that a replay would not know. */
static void journal_found(struct ledger *l, struct sink *sink)
{
    struct open_signals *open = &l->open;

    for (uint32_t i = open->lists[LIST_ALL].first; i != NONE; i = open->items[i].link[0].next) {
        if (!open->items[i].is_journaled)
            signal_journal(l, i, sink);
    }
    l->has_found = false;
}

/* Everything before the first open signal has ended, or was never one. Not so in a stream that was made anew
 * with lower IDs: then that signal lies beyond the position, and only what is named is removed. */
static void remove_signals(struct ledger *l, struct stream_id position, struct sink *sink)
{
    const struct open_signal *first = open_first(&l->open, LIST_ALL);
    struct stream_id keep_from = first ? first->entry : stream_id_next(position);
    bool is_anew = first && stream_id_compare(first->entry, position) > 0;
    struct entry_list *removed = &l->removed_signals;
    bool has_left = !is_anew && left_trim(l, keep_from);
    bool has_cut = !is_anew && removed->count > 0 && cut_entries(removed, keep_from);

    if (has_left || has_cut)
        sink->ops->signals_trim(sink->ctx, keep_from);
    if (removed->count > 0)
        sink->ops->signals_delete(sink->ctx, removed->items, removed->count);
    empty_list(removed);
}

static void flush_signals(struct ledger *l, struct stream_id position, struct sink *sink)
{
    struct entry_list *removed = &l->removed_signals;

    left_limit(l, position);
    if (l->options.removes_nothing) {
        /* These ended before that was asked for. */
        for (size_t i = 0; i < removed->count; i++)
            left_note(l, removed->items[i]);
        empty_list(removed);
        left_limit(l, position);
    } else {
        remove_signals(l, position, sink);
    }
    left_tell(l, sink);
}

/* Down to what is needed at most; the rest follows once it is not. */
static void cut_results(struct ledger *l, struct stream_id min, struct sink *sink)
{
    bool is_held = stream_id_compare(l->results_needed, min) < 0;

    l->results_are_cut = is_held;
    if (is_held && stream_id_compare(l->results_needed, l->results_cut_to) <= 0)
        return;
    l->results_cut_to = is_held ? l->results_needed : min;
    sink->ops->results_trim(sink->ctx, l->results_cut_to);
    (void)cut_entries(&l->removed_results, l->results_cut_to);
}

static void flush_results(struct ledger *l, struct sink *sink)
{
    struct entry_list *removed = &l->removed_results;
    struct stream_id min;

    kept_shrink(l);
    if (l->options.removes_nothing) {
        empty_list(removed);
        return; /* results_are_cut stays: it is done once it may be */
    }
    if (l->results_are_cut && kept_oldest(l, &min))
        cut_results(l, min, sink);
    else
        l->results_are_cut = false;
    if (removed->count > 0)
        sink->ops->results_delete(sink->ctx, removed->items, removed->count);
    empty_list(removed);
}

void ledger_need_results(struct ledger *l, struct stream_id from)
{
    l->results_needed = from;
}

void ledger_flush(struct ledger *l, struct stream_id signals_position, int64_t now_ms, struct sink *sink)
{
    l->now_ms = now_ms;
    if (l->has_found)
        journal_found(l, sink);
    counts_flush(l, sink);
    flush_signals(l, signals_position, sink);
    flush_results(l, sink);
    ended_expire(l);
    journal_flush(l, now_ms, sink);
    open_release(&l->open);
    early_release(&l->early);
}
