/* Telling the sink anew what it was told of signals. Totals are told at once; what is remembered by id is
 * told a part at a time, while signals come and end: what changes meanwhile is told by that change, so each
 * list is gone through once from a place that moves on when what lies there leaves. A line that comes twice,
 * or ahead of the one that it is about, does no harm to a replay. */
#include "ledger_private.h"

void ledger_write_back(struct ledger *l, struct sink *sink)
{
    counts_write_back(l, sink);
    left_write_back(l, sink);
    l->open.write_back = l->open.lists[LIST_ALL].first;
    l->early.write_back = l->early.oldest;
    l->ended_write_back = id_log_first(&l->ended);
    l->retelling_ms = l->retold_ms = 0; /* what was told anew may be gone */
    l->ahead_told_ms = l->ahead_retelling_ms = 0;
    l->results_are_cut = true; /* the stream may hold older ones again */
}

void ledger_write_back_newest(struct ledger *l, struct sink *sink)
{
    ended_tell_newest(l, sink);
    l->has_journaled = true;
}

static void write_back_open(struct ledger *l, uint32_t *left, struct sink *sink)
{
    struct open_signals *open = &l->open;

    for (; *left > 0 && open->write_back != NONE; --*left) {
        uint32_t index = open->write_back;

        open->write_back = open->items[index].link[0].next;
        signal_journal(l, index, sink);
    }
}

bool ledger_write_back_on(struct ledger *l, uint32_t most, struct sink *sink)
{
    uint32_t left = most;

    write_back_open(l, &left, sink);
    early_write_back(l, &left, sink);
    ended_write_back(l, &left, sink);
    if (left < most)
        l->has_journaled = true;
    return l->open.write_back != NONE || l->early.write_back != NONE || l->ended_write_back.is_on;
}
