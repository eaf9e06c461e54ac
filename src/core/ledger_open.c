/* Open signals: a slab, a map by id, and three lists. Duplicates and long ids, which are few, have slabs of
 * their own. */
#include "ledger_private.h"

#include "util/alloc.h"
#include <stdlib.h>

#define FIRST_ITEMS   256U
#define RELEASE_ITEMS 16384U /* a slab up to this size is kept for good */

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct open_signals *open = owner;

    return open_id(open, &open->items[index]);
}

static void empty_lists(struct open_signals *open)
{
    open->item_count = open->count = 0;
    open->free_head = open->retell = open->retell_ahead = open->write_back = NONE;
    for (size_t i = 0; i < SIGNAL_LISTS; i++)
        open->lists[i] = (struct signal_list){NONE, NONE};
    open->duplicate_items = open->duplicate_count = 0;
    open->duplicate_free = NONE;
    open->long_items = 0;
    open->long_free = NONE;
}

void open_init(struct open_signals *open, struct hash_key key)
{
    *open = (struct open_signals){.is_sorted = true};
    empty_lists(open);
    map_init(&open->map, key, key_of, open);
}

void open_clear(struct open_signals *open)
{
    free(open->items);
    free(open->duplicates);
    free(open->long_ids);
    open->items = NULL;
    open->duplicates = NULL;
    open->long_ids = NULL;
    open->cap = open->duplicate_cap = open->long_cap = 0;
    map_clear(&open->map);
    empty_lists(open);
}

void open_release(struct open_signals *open)
{
    if (open->count == 0 &&
        (open->cap > RELEASE_ITEMS || open->duplicate_cap > RELEASE_ITEMS || open->long_cap > RELEASE_ITEMS))
        open_clear(open);
}

uint32_t open_find(const struct open_signals *open, struct slice id, uint64_t hash)
{
    return map_find_hashed(&open->map, id, hash);
}

static unsigned link_of(enum signal_list_kind kind)
{
    return kind == LIST_ALL ? 0 : 1;
}

static enum signal_list_kind deadline_list(const struct open_signal *signal)
{
    return signal->is_accepted ? LIST_ACCEPTED : LIST_WAITING;
}

/* What a list is sorted by. */
static struct stream_id sort_key(const struct open_signal *signal, enum signal_list_kind kind)
{
    return kind == LIST_ACCEPTED ? (struct stream_id){signal->accepted_ms, 0} : signal->entry;
}

/* Puts INDEX behind AFTER (NONE: to the front). */
static void list_insert_after(struct open_signals *open, enum signal_list_kind kind, uint32_t index,
                              uint32_t after)
{
    struct signal_list *list = &open->lists[kind];
    unsigned k = link_of(kind);
    uint32_t next = after == NONE ? list->first : open->items[after].link[k].next;

    open->items[index].link[k] = (struct signal_link){after, next};
    if (after == NONE)
        list->first = index;
    else
        open->items[after].link[k].next = index;
    if (next == NONE)
        list->last = index;
    else
        open->items[next].link[k].prev = index;
}

/* Entries come in order, so the place is nearly always the end. */
static void list_insert(struct open_signals *open, enum signal_list_kind kind, uint32_t index)
{
    struct stream_id key = sort_key(&open->items[index], kind);
    uint32_t after = open->lists[kind].last;

    while (open->is_sorted && after != NONE &&
           stream_id_compare(sort_key(&open->items[after], kind), key) > 0)
        after = open->items[after].link[link_of(kind)].prev;
    list_insert_after(open, kind, index, after);
}

static void list_remove(struct open_signals *open, enum signal_list_kind kind, uint32_t index)
{
    struct signal_list *list = &open->lists[kind];
    unsigned k = link_of(kind);
    struct signal_link link = open->items[index].link[k];

    if (link.prev == NONE)
        list->first = link.next;
    else
        open->items[link.prev].link[k].next = link.next;
    if (link.next == NONE)
        list->last = link.prev;
    else
        open->items[link.next].link[k].prev = link.prev;
}

static uint32_t take_item(struct open_signals *open)
{
    uint32_t index = open->free_head;

    if (index != NONE) {
        open->free_head = open->items[index].link[0].next;
        return index;
    }
    if (open->item_count == open->cap) {
        open->cap = open->cap ? open->cap * 2 : FIRST_ITEMS;
        open->items = mem_resize(open->items, open->cap, sizeof(*open->items));
    }
    return open->item_count++;
}

static uint32_t take_long_id(struct open_signals *open)
{
    uint32_t number = open->long_free;

    if (number != NONE) {
        open->long_free = open->long_ids[number].next_free;
        return number;
    }
    if (open->long_items == open->long_cap) {
        open->long_cap = open->long_cap ? open->long_cap * 2 : FIRST_ITEMS;
        open->long_ids = mem_resize(open->long_ids, open->long_cap, sizeof(*open->long_ids));
    }
    return open->long_items++;
}

static void set_id(struct open_signals *open, struct open_signal *signal, struct slice id)
{
    char *text = signal->id;

    if (id.len > SHORT_ID_MAX) {
        signal->long_id = take_long_id(open);
        text = open->long_ids[signal->long_id].text;
    }
    memcpy(text, id.data, id.len);
    signal->id_len = (unsigned char)id.len;
}

static void drop_id(struct open_signals *open, const struct open_signal *signal)
{
    if (signal->id_len <= SHORT_ID_MAX)
        return;
    open->long_ids[signal->long_id].next_free = open->long_free;
    open->long_free = signal->long_id;
}

uint32_t open_add(struct open_signals *open, struct slice id, uint64_t hash, struct stream_id entry,
                  uint32_t action)
{
    uint32_t index = take_item(open);
    struct open_signal *signal = &open->items[index];

    signal->entry = entry;
    signal->accepted_ms = 0;
    set_id(open, signal, id);
    signal->action = (unsigned char)action;
    signal->is_accepted = false;
    signal->is_journaled = true;
    signal->duplicates = signal->instance = signal->generation = NONE;
    list_insert(open, LIST_ALL, index);
    list_insert(open, LIST_WAITING, index);
    map_insert_hashed(&open->map, index, hash);
    open->count++;
    return index;
}

void open_remove(struct open_signals *open, uint32_t index)
{
    struct open_signal *signal = &open->items[index];

    if (index == open->retell)
        open->retell = signal->link[0].next;
    if (index == open->write_back)
        open->write_back = signal->link[0].next;
    if (index == open->retell_ahead)
        open->retell_ahead = signal->link[0].prev;
    (void)map_remove(&open->map, index);
    drop_id(open, signal);
    list_remove(open, LIST_ALL, index);
    list_remove(open, deadline_list(signal), index);
    signal->link[0].next = open->free_head;
    open->free_head = index;
    open->count--;
}

void open_accept(struct open_signals *open, uint32_t index, uint64_t accepted_ms)
{
    struct open_signal *signal = &open->items[index];

    list_remove(open, deadline_list(signal), index);
    signal->is_accepted = true;
    signal->accepted_ms = accepted_ms;
    list_insert(open, LIST_ACCEPTED, index);
}

static uint32_t take_duplicate_item(struct open_signals *open)
{
    uint32_t index = open->duplicate_free;

    if (index != NONE) {
        open->duplicate_free = open->duplicates[index].next;
        return index;
    }
    if (open->duplicate_items == open->duplicate_cap) {
        open->duplicate_cap = open->duplicate_cap ? open->duplicate_cap * 2 : FIRST_ITEMS;
        open->duplicates = mem_resize(open->duplicates, open->duplicate_cap, sizeof(*open->duplicates));
    }
    return open->duplicate_items++;
}

void open_add_duplicate(struct open_signals *open, uint32_t index, struct stream_id entry)
{
    uint32_t number = take_duplicate_item(open);

    open->duplicates[number] = (struct duplicate){entry, open->items[index].duplicates};
    open->items[index].duplicates = number;
    open->duplicate_count++;
}

bool open_take_duplicate(struct open_signals *open, uint32_t index, struct stream_id *ret_entry)
{
    uint32_t number = open->items[index].duplicates;

    if (number == NONE)
        return false;
    *ret_entry = open->duplicates[number].entry;
    open->items[index].duplicates = open->duplicates[number].next;
    open->duplicates[number].next = open->duplicate_free;
    open->duplicate_free = number;
    open->duplicate_count--;
    return true;
}

struct sort_item {
    struct stream_id key;
    uint32_t position, index;
};

static int compare_sort_items(const void *a, const void *b)
{
    const struct sort_item *x = a;
    const struct sort_item *y = b;
    int order = stream_id_compare(x->key, y->key);

    return order != 0 ? order : x->position < y->position ? -1 : x->position > y->position;
}

static bool list_is_sorted(const struct open_signals *open, enum signal_list_kind kind)
{
    uint32_t at = open->lists[kind].first;

    for (uint32_t next; at != NONE; at = next) {
        next = open->items[at].link[link_of(kind)].next;
        if (next != NONE &&
            stream_id_compare(sort_key(&open->items[at], kind), sort_key(&open->items[next], kind)) > 0)
            return false;
    }
    return true;
}

static void list_sort(struct open_signals *open, enum signal_list_kind kind)
{
    struct sort_item *items;
    uint32_t count = 0;

    if (list_is_sorted(open, kind))
        return;
    items = mem_new(open->count, sizeof(*items));
    for (uint32_t i = open->lists[kind].first; i != NONE; i = open->items[i].link[link_of(kind)].next) {
        items[count] = (struct sort_item){sort_key(&open->items[i], kind), count, i};
        count++;
    }
    qsort(items, count, sizeof(*items), compare_sort_items);
    open->lists[kind] = (struct signal_list){NONE, NONE};
    for (uint32_t i = 0; i < count; i++)
        list_insert_after(open, kind, items[i].index, open->lists[kind].last);
    free(items);
}

void open_sort(struct open_signals *open)
{
    list_sort(open, LIST_ALL);
    list_sort(open, LIST_WAITING);
    list_sort(open, LIST_ACCEPTED);
    open->is_sorted = true;
}
