/* Where the journal begins. A start reads all of it, so it reaches back to what is remembered and no further:
 * signals that are open for longer are told anew, a few with each look. */
#include "ledger_private.h"

#define INTERVAL_MS 1000
#define SLACK_MS    1000 /* how far the clock that we go by may be ahead of the server's */
/* Signals told anew in one batch. */
#define RETELL_MAX 500

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
    int64_t dedup_ms = l->options.dedup_ms, retell_ms = l->options.retell_ms;
    int64_t window_ms = dedup_ms > retell_ms ? dedup_ms : retell_ms;

    if (l->retelling_ms || !oldest || open_told_ms(l, oldest) >= now_ms - window_ms)
        return;
    l->retelling_ms = now_ms - window_ms / 2;
    l->open.retell = l->open.lists[LIST_ALL].first;
}

static void retell(struct ledger *l, struct sink *sink)
{
    struct open_signals *open = &l->open;

    if (!l->retelling_ms)
        return;
    for (int i = 0; i < RETELL_MAX; i++) {
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
    if (l->early.count > 0 && time_of(l->early.items[l->early.oldest].result.ms) < min)
        min = time_of(l->early.items[l->early.oldest].result.ms);
    return min - SLACK_MS;
}

void journal_flush(struct ledger *l, int64_t now_ms, struct sink *sink)
{
    int64_t min;
    /* The clock may have been set back. */
    bool is_due = now_ms - l->trim_tried_ms >= INTERVAL_MS || now_ms < l->trim_tried_ms;

    if (is_due) {
        begin_retelling(l, now_ms);
        retell(l, sink);
    }
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
