/* What is known here of entries that are found in the streams once more, after Redis has gone back. */
#include "ledger_private.h"

enum ledger_found ledger_find_entry(const struct ledger *l, const struct signal_entry *entry,
                                    bool *ret_is_first)
{
    uint64_t hash = map_hash(&l->open.map, entry->signal_id);
    uint32_t index = open_find(&l->open, entry->signal_id, hash);
    enum signal_outcome outcome;

    if (index != MAP_NONE) {
        *ret_is_first = stream_id_compare(l->open.items[index].entry, entry->id) == 0;
        return FOUND_OPEN;
    }
    *ret_is_first = false;
    return ended_is_remembered(l, ended_find(l, entry->signal_id, hash), entry->id.ms, &outcome)
               ? FOUND_ENDED
               : FOUND_UNKNOWN;
}

struct count_behind {
    struct stream_id after;
    uint64_t count;
};

static void count_one(void *ctx, const struct id_record *record)
{
    struct count_behind *behind = ctx;
    struct stream_id entry;

    memcpy(&entry, record->payload, sizeof(entry));
    behind->count += stream_id_compare(entry, behind->after) > 0;
}

uint64_t ledger_count_results(const struct ledger *l, struct stream_id after)
{
    struct count_behind behind = {.after = after};
    struct id_log_place place = id_log_first(&l->results);

    (void)id_log_each(&l->results, &place, UINT32_MAX, count_one, &behind);
    return behind.count;
}

bool ledger_keeps_result(const struct ledger *l, struct slice result_id)
{
    return id_log_find(&l->results, result_id, map_hash(&l->results.map, result_id)) != MAP_NONE;
}

struct stream_id ledger_kept_from(const struct ledger *l)
{
    struct stream_id entry = {0, 0};

    if (l->results.count >= l->options.results_max_len)
        (void)kept_oldest(l, &entry);
    return entry;
}
