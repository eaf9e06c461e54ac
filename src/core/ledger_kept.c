/* The results that are kept in their stream, oldest first, so that the same result_id is known again and the
 * stream can be cut at exactly the right entry. A repeated one takes the place of the earlier in the map, so
 * an id is known for as long as any of its entries is kept; the tag says that it was one. */
#include "ledger_private.h"

void kept_init(struct ledger *l)
{
    id_log_init(&l->results, l->key, sizeof(struct stream_id));
}

void kept_shrink(struct ledger *l)
{
    while (l->results.count > l->options.results_max_len) {
        id_log_pop(&l->results);
        l->results_are_cut = true;
    }
}

bool kept_add(struct ledger *l, struct stream_id entry, struct slice result_id)
{
    uint64_t hash = map_hash(&l->results.map, result_id);
    uint32_t earlier = id_log_find(&l->results, result_id, hash);

    id_log_push(&l->results, result_id, hash, earlier != MAP_NONE, &entry, earlier);
    kept_shrink(l);
    return earlier != MAP_NONE;
}

bool kept_was_repeated(const struct ledger *l, struct stream_id entry, struct slice result_id)
{
    uint32_t newest = id_log_find(&l->results, result_id, map_hash(&l->results.map, result_id));
    struct id_record record;
    struct stream_id newest_entry;

    if (newest == MAP_NONE)
        return false;
    record = id_log_get(&l->results, newest);
    memcpy(&newest_entry, record.payload, sizeof(newest_entry));
    return record.tag && stream_id_compare(newest_entry, entry) == 0;
}

bool kept_oldest(const struct ledger *l, struct stream_id *ret_entry)
{
    struct id_record record;

    if (!id_log_oldest(&l->results, &record))
        return false;
    memcpy(ret_entry, record.payload, sizeof(*ret_entry));
    return true;
}
