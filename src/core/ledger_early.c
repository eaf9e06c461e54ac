/* Results that wait for their signal: a slab in one list by arrival, and a map from the signal's id to the
 * first of its results. */
#include "ledger_private.h"

#include "util/alloc.h"
#include <stdlib.h>

#define FIRST_ITEMS   64U
#define RELEASE_ITEMS 16384U

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct early_results *early = owner;

    return ident_slice(&early->items[index].signal_id);
}

void early_init(struct early_results *early, struct hash_key key)
{
    *early = (struct early_results){.free_head = NONE, .oldest = NONE, .newest = NONE, .write_back = NONE};
    map_init(&early->map, key, key_of, early);
}

void early_clear(struct early_results *early)
{
    struct hash_key key = early->map.key;

    map_clear(&early->map);
    free(early->items);
    early_init(early, key);
}

void early_release(struct early_results *early)
{
    if (early->count == 0 && early->cap > RELEASE_ITEMS)
        early_clear(early);
}

static uint32_t take_item(struct early_results *early)
{
    uint32_t index = early->free_head;

    if (index != NONE) {
        early->free_head = early->items[index].next;
        return index;
    }
    if (early->item_count == early->cap) {
        early->cap = early->cap ? early->cap * 2 : FIRST_ITEMS;
        early->items = mem_resize(early->items, early->cap, sizeof(*early->items));
    }
    return early->item_count++;
}

static void append(struct early_results *early, uint32_t index)
{
    early->items[index].prev = early->newest;
    early->items[index].next = NONE;
    if (early->newest == NONE)
        early->oldest = index;
    else
        early->items[early->newest].next = index;
    early->newest = index;
    early->count++;
}

static void unlink_item(struct early_results *early, uint32_t index)
{
    const struct early_result *item = &early->items[index];

    if (index == early->write_back)
        early->write_back = item->next;
    if (item->prev == NONE)
        early->oldest = item->next;
    else
        early->items[item->prev].next = item->next;
    if (item->next == NONE)
        early->newest = item->prev;
    else
        early->items[item->next].prev = item->prev;
    early->count--;
}

/* Removes the first result of a signal; the next one takes its place in the map. */
static void remove_first(struct early_results *early, uint32_t index)
{
    struct early_result *item = &early->items[index];

    (void)map_remove(&early->map, index);
    unlink_item(early, index);
    if (item->next_same != NONE) {
        early->items[item->next_same].last_same = item->last_same;
        map_insert(&early->map, item->next_same);
    }
    item->next = early->free_head;
    early->free_head = index;
}

/* The oldest of all is the first of its signal, for both are in order of arrival. */
static void give_up_oldest(struct ledger *l)
{
    if (!l->early.items[l->early.oldest].was_due)
        l->unmatched[UNMATCHED_UNKNOWN]++;
    remove_first(&l->early, l->early.oldest);
}

void early_add(struct ledger *l, struct slice id, uint64_t hash, enum result_status status,
               struct stream_id result)
{
    struct early_results *early = &l->early;
    uint32_t index, first;

    while (early->count > 0 && early->count >= (uint64_t)l->options.max_tracked + l->options.read_max)
        give_up_oldest(l);
    index = take_item(early);
    early->items[index] = (struct early_result){
        .result = result, .status = (unsigned char)status, .next_same = NONE, .last_same = index};
    ident_set(&early->items[index].signal_id, id);
    append(early, index);
    first = map_find_hashed(&early->map, id, hash);
    if (first == MAP_NONE) {
        map_insert_hashed(&early->map, index, hash);
        return;
    }
    early->items[early->items[first].last_same].next_same = index;
    early->items[first].last_same = index;
}

/* By arrival, which the IDs of results tell. Those that compare as equal are one. */
static int compare_results(const void *a, const void *b)
{
    const struct early_result *x = a, *y = b;
    int order = stream_id_compare(x->result, y->result);

    return order != 0 ? order : slice_compare(ident_slice(&x->signal_id), ident_slice(&y->signal_id));
}

static bool is_in_order(const struct early_results *early)
{
    uint32_t at = early->oldest;

    for (uint32_t next; at != NONE; at = next) {
        next = early->items[at].next;
        if (next != NONE && compare_results(&early->items[at], &early->items[next]) >= 0)
            return false;
    }
    return true;
}

void early_sort(struct ledger *l)
{
    struct early_results *early = &l->early;
    struct early_result *items;
    uint32_t count = 0;

    if (is_in_order(early))
        return;
    items = mem_new(early->count, sizeof(*items));
    for (uint32_t i = early->oldest; i != NONE; i = early->items[i].next)
        items[count++] = early->items[i];
    qsort(items, count, sizeof(*items), compare_results);
    early_clear(early);
    for (uint32_t i = 0; i < count; i++) {
        struct slice id = ident_slice(&items[i].signal_id);

        if (i == 0 || compare_results(&items[i - 1], &items[i]) != 0)
            early_add(l, id, map_hash(&early->map, id), (enum result_status)items[i].status, items[i].result);
    }
    free(items);
}

bool early_take(struct early_results *early, struct slice id, uint64_t hash, struct early_result *ret_result)
{
    uint32_t first = map_find_hashed(&early->map, id, hash);

    if (first == MAP_NONE)
        return false;
    *ret_result = early->items[first];
    remove_first(early, first);
    return true;
}

/* The last moment at which a signal may be read that this result is for. */
static int64_t due_ms(const struct ledger *l, const struct early_result *item)
{
    return time_add(time_of(item->result.ms), l->options.ttl_ms);
}

int64_t early_deadline(const struct ledger *l)
{
    if (l->early.count == 0)
        return INT64_MAX;
    return time_add(due_ms(l, &l->early.items[l->early.oldest]), 1);
}

void early_expire(struct ledger *l, int64_t now_ms)
{
    if (now_ms < l->hold_ms)
        return;
    while (l->early.count > 0 && due_ms(l, &l->early.items[l->early.oldest]) < now_ms)
        give_up_oldest(l);
}

void early_forget(struct ledger *l, int64_t read_ms)
{
    while (l->early.count > 0 && due_ms(l, &l->early.items[l->early.oldest]) < read_ms)
        remove_first(&l->early, l->early.oldest);
}

void early_mark_due(struct ledger *l, int64_t now_ms)
{
    for (uint32_t i = l->early.oldest; i != NONE; i = l->early.items[i].next)
        l->early.items[i].was_due = due_ms(l, &l->early.items[i]) < now_ms;
}

void early_write_back(struct ledger *l, uint32_t *left, struct sink *sink)
{
    for (; *left > 0 && l->early.write_back != NONE; --*left) {
        const struct early_result *item = &l->early.items[l->early.write_back];

        l->early.write_back = item->next;
        sink->ops->journal_early(sink->ctx, ident_slice(&item->signal_id),
                                 slice_text(result_status_name((enum result_status)item->status)),
                                 item->result);
    }
}
