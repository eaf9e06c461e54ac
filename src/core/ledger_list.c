/* Listing the open signals, in pages. */
#include "ledger_private.h"

/* The first one behind ENTRY, looked for from the end of the list that is nearer in time. */
static const struct open_signal *walk(const struct open_signals *open, struct stream_id entry)
{
    const struct open_signal *first = open_first(open, LIST_ALL), *found = NULL;
    uint32_t last = open->lists[LIST_ALL].last;

    if (!first || stream_id_compare(open->items[last].entry, entry) <= 0)
        return NULL;
    if (entry.ms < first->entry.ms || entry.ms - first->entry.ms < open->items[last].entry.ms - entry.ms) {
        while (stream_id_compare(first->entry, entry) <= 0)
            first = open_next(open, first, 0);
        return first;
    }
    for (uint32_t i = last; i != NONE && stream_id_compare(open->items[i].entry, entry) > 0;
         i = open->items[i].link[0].prev)
        found = &open->items[i];
    return found;
}

static const struct open_signal *find_behind(const struct ledger *l, const struct ledger_place *after)
{
    uint32_t index = after->signal_id.len ? map_find(&l->open.map, after->signal_id) : MAP_NONE;

    if (index != MAP_NONE && stream_id_compare(l->open.items[index].entry, after->entry) == 0)
        return open_next(&l->open, &l->open.items[index], 0);
    return walk(&l->open, after->entry);
}

size_t ledger_list_open(const struct ledger *l, const struct ledger_place *after,
                        struct ledger_signal *ret_signals, size_t max)
{
    size_t count = 0;

    for (const struct open_signal *signal = find_behind(l, after); signal && count < max;
         signal = open_next(&l->open, signal, 0)) {
        const struct instance *addressee = signal_addressee(l, signal);

        ret_signals[count++] = (struct ledger_signal){
            .place = {signal->entry, open_id(&l->open, signal)},
            .action = labels_name(&l->actions, signal->action),
            .instance_id = addressee ? ident_slice(&addressee->id) : slice_of("", 0),
            .is_accepted = signal->is_accepted,
        };
    }
    return count;
}
