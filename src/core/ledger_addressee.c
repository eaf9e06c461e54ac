/* Whom an open signal is for: a place in the fleet. While the state is read, instances may come behind the
 * signals that name them; until it is all there a signal has the number of a name instead, and
 * UNSETTLED for a generation, which no instance has. */
#include "ledger_private.h"

#include "util/alloc.h"
#include <stdlib.h>

#define UNSETTLED   UINT32_MAX
#define FIRST_NAMES 64U
/* Different names; signals of further ones have no addressee. */
#define NAMES_MAX 1000000U

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct addressee_names *names = owner;

    return ident_slice(&names->names[index]);
}

void addressee_names_init(struct addressee_names *names, struct hash_key key)
{
    *names = (struct addressee_names){0};
    map_init(&names->map, key, key_of, names);
}

void addressee_names_clear(struct addressee_names *names)
{
    map_clear(&names->map);
    free(names->names);
    names->names = NULL;
    names->count = names->cap = 0;
}

static uint32_t number_of(struct addressee_names *names, struct slice instance_id)
{
    uint32_t number = map_find(&names->map, instance_id);

    if (number != MAP_NONE || names->count == NAMES_MAX || !ident_is_valid(instance_id, IDENT_MAX))
        return number;
    if (names->count == names->cap) {
        names->cap = names->cap ? names->cap * 2 : FIRST_NAMES;
        names->names = mem_resize(names->names, names->cap, sizeof(*names->names));
    }
    ident_set(&names->names[names->count], instance_id);
    map_insert(&names->map, names->count);
    return names->count++;
}

void signal_address(struct ledger *l, struct open_signal *signal, struct slice instance_id)
{
    const struct instance *instance = instance_id.len > 0 ? fleet_find(l->fleet, instance_id) : NULL;

    signal->instance = signal->generation = NONE;
    if (instance) {
        signal->instance = fleet_index_of(l->fleet, instance);
        signal->generation = instance->generation;
    } else if (l->is_loading && instance_id.len > 0) {
        signal->instance = number_of(&l->addressees, instance_id);
        signal->generation = UNSETTLED;
    }
}

void addressees_find(struct ledger *l)
{
    struct open_signals *open = &l->open;
    uint32_t left = 0;

    for (uint32_t i = open->lists[LIST_ALL].first; i != NONE && l->addressees.count > 0;
         i = open->items[i].link[0].next) {
        struct open_signal *signal = &open->items[i];

        if (signal->generation != UNSETTLED || signal->instance >= l->addressees.count)
            continue;
        signal_address(l, signal, ident_slice(&l->addressees.names[signal->instance]));
        left += signal->generation == UNSETTLED;
    }
    if (left == 0)
        addressee_names_clear(&l->addressees);
}

void addressees_settle(struct ledger *l)
{
    struct open_signals *open = &l->open;

    for (uint32_t i = open->lists[LIST_ALL].first; i != NONE; i = open->items[i].link[0].next) {
        struct open_signal *signal = &open->items[i];

        if (signal->generation == UNSETTLED && signal->instance < l->addressees.count)
            signal_address(l, signal, ident_slice(&l->addressees.names[signal->instance]));
    }
    addressee_names_clear(&l->addressees);
}

struct instance *signal_addressee(const struct ledger *l, const struct open_signal *signal)
{
    struct instance *instance;

    if (signal->generation == UNSETTLED || signal->instance >= l->fleet->slot_count)
        return NULL;
    instance = &l->fleet->slots[signal->instance];
    return instance->used && instance->generation == signal->generation ? instance : NULL;
}
