/* What time does to signals. Each list of deadlines is sorted, because each has one constant ttl: so what is
 * late is at the front, and nothing needs a heap. */
#include "ledger_private.h"

#include "util/macros.h"

static int64_t deadline_of(const struct ledger *l, const struct open_signal *signal)
{
    return signal->is_accepted ? time_add(time_of(signal->accepted_ms), l->options.execution_ttl_ms)
                               : time_add(time_of(signal->entry.ms), l->options.ttl_ms);
}

static int64_t first_deadline(const struct ledger *l, enum signal_list_kind list)
{
    const struct open_signal *first = open_first(&l->open, list);

    return first ? deadline_of(l, first) : INT64_MAX;
}

int64_t ledger_next_deadline(const struct ledger *l)
{
    int64_t deadlines[] = {
        held_until(l, first_deadline(l, LIST_WAITING)),
        held_until(l, first_deadline(l, LIST_ACCEPTED)),
        held_until(l, early_deadline(l)),
        ended_deadline(l),
    };
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < ARRAY_LEN(deadlines); i++) {
        if (deadlines[i] < least)
            least = deadlines[i];
    }
    return least;
}

void ledger_expire(struct ledger *l, int64_t now_ms, int64_t horizon_ms)
{
    int64_t until_ms = now_ms < horizon_ms ? now_ms : horizon_ms;

    l->now_ms = now_ms;
    l->expired_ms = now_ms;
    l->read_ms = until_ms;
    early_expire(l, until_ms);
    ended_expire(l);
}

size_t ledger_collect_late(const struct ledger *l, int64_t results_horizon_ms, struct stream_id *entries,
                           size_t max)
{
    const struct open_signal *waiting = open_first(&l->open, LIST_WAITING);
    const struct open_signal *accepted = open_first(&l->open, LIST_ACCEPTED);
    size_t count = 0;

    if (results_horizon_ms < l->hold_ms)
        return 0;
    while (count < max && (waiting || accepted)) {
        bool is_waiting = !accepted || (waiting && deadline_of(l, waiting) <= deadline_of(l, accepted));
        const struct open_signal **at = is_waiting ? &waiting : &accepted;

        if (deadline_of(l, *at) > results_horizon_ms)
            break;
        entries[count++] = (*at)->entry;
        *at = open_next(&l->open, *at, 1);
    }
    return count;
}

static void drop_signal(struct ledger *l, const struct open_signal *signal, const struct cause *cause,
                        int64_t now_ms, struct sink *sink)
{
    int64_t age_ms = now_ms - time_of(signal->entry.ms);
    struct event event = {
        .kind = EVENT_SIGNAL_DROPPED,
        .at_ms = now_ms,
        .reason = slice_text(signal->is_accepted ? "accepted, but no result came in time"
                                                 : "no result came in time"),
        .signal_id = open_id(&l->open, signal),
        .cause = *cause,
    };

    sink->ops->signal_drop(sink->ctx, signal->entry, age_ms > 0 ? age_ms : 0);
    signal_tell(l, signal_addressee(l, signal), &event, sink);
}

static void end_late_signal(struct ledger *l, uint32_t index, bool present, int64_t now_ms, struct sink *sink)
{
    const struct open_signal *signal = &l->open.items[index];
    struct cause cause = {CAUSE_TIMER, {now_ms > 0 ? (uint64_t)now_ms : 0, l->fleet->timers++}};

    sink->ops->begin(sink->ctx, &cause);
    if (present)
        drop_signal(l, signal, &cause, now_ms, sink);
    signal_end(l, index, map_hash(&l->open.map, open_id(&l->open, signal)),
               present ? OUTCOME_DROPPED : OUTCOME_LOST, now_ms, sink);
}

/* The first of a list where it is that of ENTRY and late, else NONE. */
static uint32_t find_late_first(const struct ledger *l, enum signal_list_kind list, struct stream_id entry,
                                int64_t until_ms)
{
    const struct open_signal *first = open_first(&l->open, list);

    if (!first || stream_id_compare(first->entry, entry) != 0 || deadline_of(l, first) > until_ms)
        return NONE;
    return l->open.lists[list].first;
}

/* ENTRIES are in the order of the lists, so the next one that is still late is the first of one of them. One
 * that was overtaken meanwhile by what came in between is found the next time. */
void ledger_end_late(struct ledger *l, const struct stream_id *entries, const bool *present, size_t count,
                     int64_t results_horizon_ms, int64_t now_ms, struct sink *sink)
{
    int64_t until_ms = now_ms < results_horizon_ms ? now_ms : results_horizon_ms;

    l->now_ms = now_ms;
    if (until_ms < l->hold_ms)
        return;
    for (size_t i = 0; i < count; i++) {
        uint32_t index = find_late_first(l, LIST_WAITING, entries[i], until_ms);

        if (index == NONE)
            index = find_late_first(l, LIST_ACCEPTED, entries[i], until_ms);
        if (index != NONE)
            end_late_signal(l, index, present[i], now_ms, sink);
    }
}
