/* What a start finds in Redis: journal, stream and results, read back into a ledger. The journal says what
 * was open, accepted, ended and early; the stream then confirms it. */
#include "ledger_private.h"

static uint64_t hash_of(const struct ledger *l, struct slice id)
{
    return map_hash(&l->open.map, id);
}

/* Unlike in a running ledger the order of what is found is not that of the lists. */
static uint32_t add_open(struct ledger *l, struct slice id, uint64_t hash, struct stream_id entry,
                         struct slice action, struct slice instance_id)
{
    uint32_t label = labels_intern(&l->actions, action);

    l->open.is_sorted = l->open.is_sorted && l->is_following;
    ended_forget(l, ended_find(l, id, hash));
    return signal_open(l, id, hash, entry, label, instance_id);
}

void ledger_load_begin(struct ledger *l)
{
    l->is_loading = true;
}

void ledger_load_received(struct ledger *l, struct slice signal_id, struct stream_id entry,
                          struct slice action, struct slice instance_id, uint64_t at_ms)
{
    uint64_t hash = hash_of(l, signal_id);
    struct early_result early;

    journal_note_loaded(l, entry, at_ms);
    /* What they did is in the lines that follow. */
    while (early_take(&l->early, signal_id, hash, &early))
        ;
    if (open_find(&l->open, signal_id, hash) == MAP_NONE)
        (void)add_open(l, signal_id, hash, entry, action, instance_id);
}

void ledger_load_accepted(struct ledger *l, struct slice signal_id, uint64_t accepted_ms)
{
    uint32_t index = open_find(&l->open, signal_id, hash_of(l, signal_id));

    if (index == MAP_NONE)
        return;
    l->open.is_sorted = l->open.is_sorted && l->is_following;
    open_accept(&l->open, index, accepted_ms);
}

void ledger_load_ended(struct ledger *l, struct slice signal_id, enum signal_outcome outcome, uint64_t at_ms)
{
    uint64_t hash = hash_of(l, signal_id);
    uint32_t index = open_find(&l->open, signal_id, hash);
    struct stream_id duplicate;

    l->has_journaled = true;
    if (index != MAP_NONE) {
        while (open_take_duplicate(&l->open, index, &duplicate)) /* they were removed with it */
            ;
        l->counts[l->open.items[index].action].open--;
        open_remove(&l->open, index);
    } else { /* what is open is not remembered as ended as well */
        ended_forget(l, ended_find(l, signal_id, hash));
    }
    ended_add(l, signal_id, hash, outcome, time_of(at_ms));
}

void ledger_load_early(struct ledger *l, struct slice signal_id, enum result_status status,
                       struct stream_id result)
{
    l->has_journaled = true;
    early_add(l, signal_id, hash_of(l, signal_id), status, result);
}

void ledger_load_entry(struct ledger *l, const struct signal_entry *entry)
{
    uint64_t hash = hash_of(l, entry->signal_id);
    uint32_t index = open_find(&l->open, entry->signal_id, hash);
    enum signal_outcome outcome;

    if (index != MAP_NONE) {
        int order = stream_id_compare(l->open.items[index].entry, entry->id);

        if (order < 0 || (order > 0 && !left_covers(l, entry->id)))
            open_add_duplicate(&l->open, index, entry->id);
    } else if (left_covers(l, entry->id)) {
        return; /* had ended, and stays or leaves with all of them */
    } else if (ended_is_remembered(l, ended_find(l, entry->signal_id, hash), entry->id.ms, &outcome)) {
        signal_remove(l, entry->id);
    } else {
        index = add_open(l, entry->signal_id, hash, entry->id, entry->action, entry->instance_id);
        l->open.items[index].is_journaled = false;
        l->has_found = true;
    }
}

void ledger_load_result(struct ledger *l, struct stream_id entry, struct slice result_id)
{
    (void)kept_add(l, entry, result_id);
}

void ledger_load_follow(struct ledger *l)
{
    if (!l->open.is_sorted)
        open_sort(&l->open);
    addressees_find(l);
    early_sort(l);
    l->is_following = true;
}

void ledger_load_duplicate(struct ledger *l, struct slice signal_id, struct stream_id entry)
{
    uint32_t index = open_find(&l->open, signal_id, hash_of(l, signal_id));

    if (index != MAP_NONE && stream_id_compare(l->open.items[index].entry, entry) < 0)
        open_add_duplicate(&l->open, index, entry);
}

void ledger_load_forget(struct ledger *l, uint64_t journal_ms, struct stream_id signals_position)
{
    while (ended_oldest_ms(l) < time_of(journal_ms))
        id_log_pop(&l->ended);
    early_forget(l, time_of(signals_position.ms));
}

uint64_t ledger_load_finish(struct ledger *l, int64_t now_ms)
{
    l->is_loading = l->is_following = false;
    l->now_ms = now_ms;
    if (!l->open.is_sorted)
        open_sort(&l->open);
    early_sort(l);
    if (l->addressees.count > 0)
        addressees_settle(l);
    if (l->results.count >= l->options.results_max_len)
        l->results_are_cut = true; /* there may be older ones than were told */
    early_mark_due(l, now_ms);
    return counts_finish_loading(l);
}
