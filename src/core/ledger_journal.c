/* Where the journal begins. A start reads all of it, so it reaches back to what is remembered and no further:
 * signals that are open for longer are told anew, a few with each look.
 *
 * The ID of a signal's entry stands for the time of its line, but not where it was ahead of the clock when
 * the line was written: each open signal has a line from its ID or retold_ms on, or one from ahead_told_ms
 * on. */
#include "ledger_private.h"

#define INTERVAL_MS 1000
#define SLACK_MS    1000 /* how far the clock that we go by may be ahead of the server's */
/* An ID that is ahead of our clock by no more than this is taken for the time: that clock may be behind. Not
 * above SLACK_MS, which has to cover it. */
#define AHEAD_MS 100
/* Signals told anew in one batch. */
#define RETELL_MAX 500

static int64_t window_ms(const struct ledger *l)
{
    return l->options.dedup_ms > l->options.retell_ms ? l->options.dedup_ms : l->options.retell_ms;
}

static bool is_ahead(uint64_t entry_ms, int64_t at_ms)
{
    return time_of(entry_ms) > time_add(at_ms, AHEAD_MS);
}

static void note_ahead(struct ledger *l, int64_t told_ms)
{
    told_ms = told_ms > 0 ? told_ms : 1;
    if (!l->ahead_told_ms || told_ms < l->ahead_told_ms)
        l->ahead_told_ms = told_ms;
}

void journal_note_told(struct ledger *l, struct stream_id entry)
{
    l->has_journaled = true;
    if (entry.ms > l->newest_told)
        l->newest_told = entry.ms;
}

void journal_note_loaded(struct ledger *l, struct stream_id entry, uint64_t at_ms)
{
    l->has_journaled = true;
    if (is_ahead(entry.ms, time_of(at_ms)))
        note_ahead(l, time_of(at_ms));
}

/* From when on the journal has a line of each open signal. */
static int64_t open_told_ms(const struct ledger *l, const struct open_signal *oldest)
{
    int64_t received_ms = time_of(oldest->entry.ms);

    return received_ms > l->retold_ms ? received_ms : l->retold_ms;
}

/* Those who are young enough now will be when the next round begins. */
static void begin_retelling(struct ledger *l, int64_t now_ms)
{
    const struct open_signal *oldest = open_first(&l->open, LIST_ALL);

    if (l->retelling_ms || !oldest || open_told_ms(l, oldest) >= now_ms - window_ms(l))
        return;
    l->retelling_ms = now_ms - window_ms(l) / 2;
    l->open.retell = l->open.lists[LIST_ALL].first;
}

static void retell(struct ledger *l, int *budget, struct sink *sink)
{
    struct open_signals *open = &l->open;

    if (!l->retelling_ms)
        return;
    for (; *budget > 0; --*budget) {
        uint32_t index = open->retell;

        if (index == NONE || time_of(open->items[index].entry.ms) >= l->retelling_ms) {
            open->retell = NONE;
            l->retold_ms = l->retelling_ms;
            l->retelling_ms = 0;
            return;
        }
        open->retell = open->items[index].link[0].next;
        signal_journal(l, index, sink);
    }
}

static void begin_retelling_ahead(struct ledger *l, int64_t now_ms)
{
    if (l->ahead_retelling_ms || !l->ahead_told_ms || l->ahead_told_ms >= now_ms - window_ms(l))
        return;
    l->ahead_retelling_ms = now_ms;
    l->open.retell_ahead = l->open.lists[LIST_ALL].last;
}

/* From the newest back to what cannot have been ahead when it was told. Their IDs may have been overtaken by
 * the clock since. */
static void retell_ahead(struct ledger *l, int *budget, struct sink *sink)
{
    struct open_signals *open = &l->open;

    if (!l->ahead_retelling_ms)
        return;
    for (; *budget > 0; --*budget) {
        uint32_t index = open->retell_ahead;

        if (index == NONE || time_of(open->items[index].entry.ms) <= l->ahead_told_ms) {
            uint32_t last = open->lists[LIST_ALL].last;
            bool are_left = last != NONE && is_ahead(open->items[last].entry.ms, l->ahead_retelling_ms);

            open->retell_ahead = NONE;
            l->ahead_told_ms = are_left ? l->ahead_retelling_ms : 0;
            l->ahead_retelling_ms = 0;
            return;
        }
        open->retell_ahead = open->items[index].link[0].prev;
        signal_journal(l, index, sink);
    }
}

/* What a restart needs of the journal begins with the oldest that is remembered. */
static int64_t find_min(const struct ledger *l, int64_t now_ms)
{
    const struct open_signal *open = open_first(&l->open, LIST_ALL);
    int64_t min = now_ms;
    int64_t ended = ended_oldest_ms(l);

    if (ended < min)
        min = ended;
    if (open && open_told_ms(l, open) < min)
        min = open_told_ms(l, open);
    if (l->ahead_told_ms && l->ahead_told_ms < min)
        min = l->ahead_told_ms;
    if (l->early.count > 0 && time_of(l->early.items[l->early.oldest].result.ms) < min)
        min = time_of(l->early.items[l->early.oldest].result.ms);
    return min - SLACK_MS;
}

void journal_flush(struct ledger *l, int64_t now_ms, struct sink *sink)
{
    int64_t min;
    int budget = RETELL_MAX;
    /* The clock may have been set back. */
    bool is_due = now_ms - l->trim_tried_ms >= INTERVAL_MS || now_ms < l->trim_tried_ms;

    if (is_due) {
        begin_retelling(l, now_ms);
        retell(l, &budget, sink);
        begin_retelling_ahead(l, now_ms);
        retell_ahead(l, &budget, sink);
    }
    if (is_ahead(l->newest_told, now_ms))
        note_ahead(l, now_ms);
    l->newest_told = 0;
    if (l->has_journaled)
        l->journaled_ms = now_ms;
    l->has_journaled = false;
    if (!is_due)
        return;
    l->trim_tried_ms = now_ms;
    min = find_min(l, now_ms);
    if (min <= l->trimmed_ms || l->trimmed_ms >= l->journaled_ms)
        return;
    l->trimmed_ms = min;
    sink->ops->journal_trim(sink->ctx, (uint64_t)min);
}
