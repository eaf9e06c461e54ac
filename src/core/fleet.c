/* Slots, map and lists of the fleet.
 *
 * Lists by state are ordered so that what time does to their members is found at the head: running and
 * stopped by the last sign of life, restarting by when it began. The crashed are in no order, since nothing
 * happens to them by time. */
#include "core/fleet.h"

#include "util/alloc.h"
#include "watch_private.h"
#include <math.h>
#include <stdlib.h>

#define SLOTS_FIRST 64
#define MS_PER_S    1000.0

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct fleet *fleet = owner;

    return ident_slice(&fleet->slots[index].id);
}

static void lists_init(struct fleet *fleet)
{
    for (int i = 0; i < INSTANCE_STATES; i++) {
        fleet->head[i] = fleet->tail[i] = fleet->placed[i] = MAP_NONE;
        fleet->by_state[i] = 0;
    }
}

void fleet_init(struct fleet *fleet, const struct fleet_options *options, struct hash_key key)
{
    *fleet = (struct fleet){.options = *options, .free_head = MAP_NONE, .removed_batch = UINT64_MAX};
    lists_init(fleet);
    map_init(&fleet->map, key, key_of, fleet);
    fleet->watch = watch_new(fleet, key);
}

void fleet_clear(struct fleet *fleet)
{
    fleet_reset(fleet);
    watch_free(fleet->watch);
    free(fleet->slots);
    map_clear(&fleet->map);
    fleet->slots = NULL;
    fleet->watch = NULL;
    fleet->slot_count = fleet->slot_cap = fleet->count = 0;
    fleet->free_head = MAP_NONE;
    lists_init(fleet);
}

void fleet_reset(struct fleet *fleet)
{
    struct instance *instance;

    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1)
        fleet_forget(fleet, instance);
    watch_reset(fleet->watch);
}

struct instance *fleet_find(const struct fleet *fleet, struct slice id)
{
    uint32_t index = map_find(&fleet->map, id);

    return index == MAP_NONE ? NULL : &fleet->slots[index];
}

uint32_t fleet_index_of(const struct fleet *fleet, const struct instance *instance)
{
    return (uint32_t)(instance - fleet->slots);
}

struct instance *fleet_next(const struct fleet *fleet, uint32_t index)
{
    for (; index < fleet->slot_count; index++) {
        if (fleet->slots[index].used)
            return &fleet->slots[index];
    }
    return NULL;
}

static int64_t order_of(const struct instance *instance)
{
    if (instance->state == STATE_RESTARTING)
        return instance->state_changed_ms;
    return instance->state == STATE_RUNNING ? instance->silent_from_ms : instance->seen_ms;
}

/* The last one that is not later. That is the tail for what comes in order; what comes out of a backlog, with
 * many behind it whose silence was excused, is in order all the same: its place is next to the one before. */
static uint32_t find_place(const struct fleet *fleet, const struct instance *instance)
{
    uint32_t after = fleet->tail[instance->state];
    int64_t order = order_of(instance);

    if (instance->state == STATE_CRASHED || after == MAP_NONE || order_of(&fleet->slots[after]) <= order)
        return after;
    if (fleet->placed[instance->state] != MAP_NONE)
        after = fleet->placed[instance->state];
    while (after != MAP_NONE && order_of(&fleet->slots[after]) > order)
        after = fleet->slots[after].prev;
    for (uint32_t next = after == MAP_NONE ? fleet->head[instance->state] : fleet->slots[after].next;
         next != MAP_NONE && order_of(&fleet->slots[next]) <= order; next = fleet->slots[next].next)
        after = next;
    return after;
}

static void list_insert(struct fleet *fleet, struct instance *instance)
{
    uint32_t index = fleet_index_of(fleet, instance);
    uint32_t after = find_place(fleet, instance);
    uint32_t *before;

    fleet->placed[instance->state] = index;
    before = after == MAP_NONE ? &fleet->head[instance->state] : &fleet->slots[after].next;
    instance->prev = after;
    instance->next = *before;
    *before = index;
    if (instance->next == MAP_NONE)
        fleet->tail[instance->state] = index;
    else
        fleet->slots[instance->next].prev = index;
    fleet->by_state[instance->state]++;
}

static void list_remove(struct fleet *fleet, struct instance *instance)
{
    if (fleet->placed[instance->state] == fleet_index_of(fleet, instance))
        fleet->placed[instance->state] = instance->prev;
    if (instance->prev == MAP_NONE)
        fleet->head[instance->state] = instance->next;
    else
        fleet->slots[instance->prev].next = instance->next;
    if (instance->next == MAP_NONE)
        fleet->tail[instance->state] = instance->prev;
    else
        fleet->slots[instance->next].prev = instance->prev;
    fleet->by_state[instance->state]--;
}

void fleet_place(struct fleet *fleet, struct instance *instance, enum instance_state state,
                 int64_t entered_ms)
{
    if (instance->state != STATE_NONE)
        list_remove(fleet, instance);
    instance->state = state;
    instance->state_changed_ms = entered_ms;
    instance->is_shifted = false;
    list_insert(fleet, instance);
}

void fleet_touch(struct fleet *fleet, struct instance *instance, int64_t seen_ms)
{
    bool is_ordered_by_it = instance->state == STATE_RUNNING || instance->state == STATE_STOPPED;

    instance->batch = fleet->batch;
    if (seen_ms <= instance->seen_ms)
        return;
    if (is_ordered_by_it)
        list_remove(fleet, instance);
    instance->seen_ms = seen_ms;
    if (seen_ms > instance->silent_from_ms)
        instance->silent_from_ms = seen_ms;
    if (is_ordered_by_it)
        list_insert(fleet, instance);
}

void fleet_excuse(struct fleet *fleet, struct instance *instance, int64_t now_ms)
{
    bool is_ordered_by_it = instance->state == STATE_RUNNING;

    if (now_ms <= instance->silent_from_ms)
        return;
    if (is_ordered_by_it)
        list_remove(fleet, instance);
    instance->silent_from_ms = now_ms;
    if (is_ordered_by_it)
        list_insert(fleet, instance);
}

static uint32_t slot_take(struct fleet *fleet)
{
    uint32_t index = fleet->free_head;

    if (index != MAP_NONE) {
        fleet->free_head = fleet->slots[index].next;
        return index;
    }
    if (fleet->slot_count == fleet->slot_cap) {
        fleet->slot_cap = fleet->slot_cap ? fleet->slot_cap * 2 : SLOTS_FIRST;
        fleet->slots = mem_resize(fleet->slots, fleet->slot_cap, sizeof(*fleet->slots));
    }
    fleet->slots[fleet->slot_count].generation = 0;
    return fleet->slot_count++;
}

struct instance *fleet_add(struct fleet *fleet, struct slice id, int64_t at_ms)
{
    uint32_t index = slot_take(fleet);
    struct instance *instance = &fleet->slots[index];

    *instance = (struct instance){
        .state = STATE_NONE,
        .previous_state = STATE_NONE,
        .desired_state = STATE_NONE,
        .known = FIELD_BIT(REPORT_ACTIVE_CONNECTIONS) | FIELD_BIT(REPORT_UPTIME_SECONDS) |
                 FIELD_BIT(REPORT_RESTART_COUNT),
        .seen_ms = at_ms,
        .silent_from_ms = at_ms,
        .record_updated_s = {-1, -1, -1},
        .load_score = NAN,
        .batch = fleet->batch,
        .generation = instance->generation + 1,
        .used = true,
    };
    for (uint32_t rest = instance->known, field; field_take(&rest, &field);)
        instance->sampled_ms[field] = at_ms;
    ident_set(&instance->id, id);
    map_insert(&fleet->map, index);
    fleet->count++;
    return instance;
}

void fleet_forget(struct fleet *fleet, struct instance *instance)
{
    uint32_t index = fleet_index_of(fleet, instance);

    breaker_leave(&fleet->watch->breaker, instance);
    watched_free(fleet, instance);
    list_remove(fleet, instance);
    (void)map_remove(&fleet->map, index); /* every used slot is in it */
    free(instance->last_error);
    instance->last_error = NULL;
    instance->used = false;
    instance->next = fleet->free_head;
    fleet->free_head = index;
    fleet->count--;
}

void fleet_on_heartbeat(struct fleet *fleet, struct slice id, int64_t seen_ms)
{
    struct instance *instance = fleet_find(fleet, id);
    uint64_t batch;

    if (!instance)
        return;
    batch = instance->batch;
    fleet_touch(fleet, instance, seen_ms);
    instance->batch = batch; /* nothing of it is written */
    if (fleet->watch->looks_at_age)
        watch_wake(fleet, instance, seen_ms);
}

bool instance_set_last_error(struct instance *instance, struct slice text)
{
    if (slice_equal(slice_text(instance->last_error), text))
        return false;
    free(instance->last_error);
    instance->last_error = text.len > 0 ? mem_copy_text(text.data, text.len) : NULL;
    return true;
}

bool instance_number_is_fresh(const struct fleet *fleet, const struct instance *instance,
                              enum report_field field, int64_t now_ms)
{
    if ((field == REPORT_UPTIME_SECONDS && !instance->uptime_reported) ||
        (field == REPORT_RESTART_COUNT && !instance->restarts_reported))
        return true;
    return (instance->known & FIELD_BIT(field)) &&
           now_ms - instance->sampled_ms[field] <= fleet->options.metric_max_age_ms;
}

double instance_uptime_seconds(const struct instance *instance, int64_t now_ms)
{
    if (instance->uptime_reported)
        return instance->number[REPORT_UPTIME_SECONDS];
    if (instance->state != STATE_RUNNING || now_ms <= instance->state_changed_ms)
        return 0;
    return floor((double)(now_ms - instance->state_changed_ms) / MS_PER_S);
}

double instance_load_score(const struct fleet *fleet, const struct instance *instance)
{
    (void)fleet; /* an old number is still the best that is known */
    if (instance->state != STATE_RUNNING)
        return NAN;
    if (instance->known & FIELD_BIT(REPORT_LOAD_AVERAGE))
        return instance->number[REPORT_LOAD_AVERAGE];
    if (instance->known & FIELD_BIT(REPORT_CPU_USAGE))
        return instance->number[REPORT_CPU_USAGE] / 100;
    return 0;
}
