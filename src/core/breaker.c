#include "core/breaker.h"

#include "breaker_members.h"
#include "core/fleet.h"
#include "util/alloc.h"
#include <assert.h>
#include <stdlib.h>

#define FIRST_ITEMS 16

static const char *const prefixes[GROUP_KINDS] = {"all", "broker:", "host:"};

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct breaker *breaker = owner;

    return breaker_group_key(&breaker->groups[index]);
}

void breaker_init(struct breaker *breaker, struct hash_key key)
{
    *breaker = (struct breaker){.free_head = MAP_NONE};
    map_init(&breaker->map, key, key_of, breaker);
}

void breaker_clear(struct breaker *breaker)
{
    free(breaker->groups);
    free(breaker->crashes);
    free(breaker->dirty);
    map_clear(&breaker->map);
    breaker->groups = NULL;
    breaker->crashes = NULL;
    breaker->dirty = NULL;
    breaker->group_count = breaker->group_cap = 0;
    breaker->crash_first = breaker->crash_count = breaker->crash_cap = 0;
    breaker->dirty_count = breaker->dirty_cap = 0;
    breaker->open_count = 0;
    breaker->free_head = MAP_NONE;
}

void breaker_reset(struct breaker *breaker)
{
    map_reset(&breaker->map);
    breaker->group_count = breaker->dirty_count = breaker->open_count = 0;
    breaker->crash_first = breaker->crash_count = 0;
    breaker->free_head = MAP_NONE;
}

/* ---- groups ---- */

static uint32_t group_take(struct breaker *breaker)
{
    uint32_t index = breaker->free_head;

    if (index != MAP_NONE) {
        breaker->free_head = breaker->groups[index].next_free;
        return index;
    }
    if (breaker->group_count == breaker->group_cap) {
        breaker->group_cap = breaker->group_cap ? breaker->group_cap * 2 : FIRST_ITEMS;
        breaker->groups = mem_resize(breaker->groups, breaker->group_cap, sizeof(*breaker->groups));
    }
    return breaker->group_count++;
}

static uint32_t group_get(struct breaker *breaker, enum group_kind kind, struct slice name)
{
    struct breaker_group group = {.kind = kind, .used = true};
    size_t len = strlen(prefixes[kind]);
    uint32_t index;

    memcpy(group.key, prefixes[kind], len);
    if (name.len)
        memcpy(group.key + len, name.data, name.len);
    group.key_len = (unsigned char)(len + name.len);
    index = map_find(&breaker->map, breaker_group_key(&group));
    if (index != MAP_NONE)
        return index;
    index = group_take(breaker);
    breaker->groups[index] = group;
    map_insert(&breaker->map, index);
    return index;
}

static void mark_dirty(struct breaker *breaker, uint32_t index)
{
    if (breaker->groups[index].is_dirty)
        return;
    if (breaker->dirty_count == breaker->dirty_cap) {
        breaker->dirty_cap = breaker->dirty_cap ? breaker->dirty_cap * 2 : FIRST_ITEMS;
        breaker->dirty = mem_resize(breaker->dirty, breaker->dirty_cap, sizeof(*breaker->dirty));
    }
    breaker->groups[index].is_dirty = true;
    breaker->dirty[breaker->dirty_count++] = index;
}

/* A group without members is forgotten once it is closed and nobody is going to look at it. */
static void group_release(struct breaker *breaker, uint32_t index)
{
    struct breaker_group *group = &breaker->groups[index];

    if (group->members > 0 || group->is_open || group->is_dirty || !group->used)
        return;
    (void)map_remove(&breaker->map, index); /* every used group is in it */
    group->used = false;
    group->next_free = breaker->free_head;
    breaker->free_head = index;
}

/* ---- members ---- */

static bool runs(const struct instance *instance)
{
    return instance->state == STATE_RUNNING;
}

void breaker_join(struct breaker *breaker, struct instance *instance)
{
    struct breaker_member *member = &instance->member;

    *member = (struct breaker_member){.is_counted = true, .crashed_ms = INT64_MIN};
    member->group[GROUP_ALL] = group_get(breaker, GROUP_ALL, slice_of(NULL, 0));
    member->group[GROUP_BROKER] = group_get(breaker, GROUP_BROKER, ident_slice(&instance->broker_id));
    member->group[GROUP_HOST] = instance->host_id.len > 0
                                    ? group_get(breaker, GROUP_HOST, ident_slice(&instance->host_id))
                                    : MAP_NONE;
    for (int k = 0; k < GROUP_KINDS; k++) {
        if (member->group[k] == MAP_NONE)
            continue;
        breaker->groups[member->group[k]].members++;
        breaker->groups[member->group[k]].running += runs(instance);
    }
}

static void forget_crash(struct breaker *breaker, struct instance *instance)
{
    struct breaker_member *member = &instance->member;

    if (!member->is_recent)
        return;
    member->is_recent = false;
    for (int k = 0; k < GROUP_KINDS; k++) {
        if (member->group[k] == MAP_NONE)
            continue;
        breaker->groups[member->group[k]].recent--;
        breaker->groups[member->group[k]].recent_down -= !runs(instance);
    }
}

static void forget_victim(struct breaker *breaker, struct instance *instance, int kind)
{
    struct breaker_member *member = &instance->member;
    struct breaker_group *group;

    if (!(member->victim_of & 1U << kind))
        return;
    group = &breaker->groups[member->group[kind]];
    member->victim_of &= (uint8_t) ~(1U << kind);
    group->victims--;
    group->victims_running -= runs(instance);
    mark_dirty(breaker, member->group[kind]);
}

void breaker_leave(struct breaker *breaker, struct instance *instance)
{
    struct breaker_member *member = &instance->member;

    assert(member->is_counted);
    forget_crash(breaker, instance);
    member->is_counted = false;
    for (int k = 0; k < GROUP_KINDS; k++) {
        if (member->group[k] == MAP_NONE)
            continue;
        forget_victim(breaker, instance, k);
        breaker->groups[member->group[k]].members--;
        breaker->groups[member->group[k]].running -= runs(instance);
        group_release(breaker, member->group[k]);
    }
}

void breaker_add_victim(struct breaker *breaker, struct instance *instance, uint8_t victim_of)
{
    struct breaker_member *member = &instance->member;

    for (int k = 0; k < GROUP_KINDS; k++) {
        struct breaker_group *group;

        if (member->group[k] == MAP_NONE || !(victim_of & 1U << k) || member->victim_of & 1U << k)
            continue;
        group = &breaker->groups[member->group[k]];
        if (!group->is_open)
            continue;
        member->victim_of |= (uint8_t)(1U << k);
        group->victims++;
        group->victims_running += runs(instance);
        mark_dirty(breaker, member->group[k]);
    }
}

/* ---- crashes ---- */

static struct breaker_crash *crash_at(const struct breaker *breaker, uint32_t place)
{
    return &breaker->crashes[(breaker->crash_first + place) % breaker->crash_cap];
}

static void note_crash(struct breaker *breaker, const struct fleet *fleet, const struct instance *instance,
                       int64_t at_ms)
{
    if (breaker->crash_count == breaker->crash_cap) {
        uint32_t cap = breaker->crash_cap ? breaker->crash_cap * 2 : FIRST_ITEMS;
        struct breaker_crash *crashes = mem_new(cap, sizeof(*crashes));

        for (uint32_t i = 0; i < breaker->crash_count; i++)
            crashes[i] = *crash_at(breaker, i);
        free(breaker->crashes);
        breaker->crashes = crashes;
        breaker->crash_cap = cap;
        breaker->crash_first = 0;
    }
    breaker->crash_count++;
    *crash_at(breaker, breaker->crash_count - 1) =
        (struct breaker_crash){fleet_index_of(fleet, instance), instance->generation, at_ms};
}

/* The instance of a crash that still counts; NULL for one that is gone or has crashed again since. */
static struct instance *crash_instance(const struct fleet *fleet, const struct breaker_crash *crash)
{
    struct instance *instance = &fleet->slots[crash->place];

    return crash->place < fleet->slot_count && instance->used && instance->generation == crash->generation &&
                   instance->member.is_recent && instance->member.crashed_ms == crash->at_ms
               ? instance
               : NULL;
}

static void count_crash(struct breaker *breaker, const struct fleet *fleet, struct instance *instance,
                        int64_t at_ms)
{
    struct breaker_member *member = &instance->member;
    bool is_first = !member->is_recent;

    member->is_recent = true;
    member->crashed_ms = at_ms;
    note_crash(breaker, fleet, instance, at_ms);
    for (int k = 0; k < GROUP_KINDS; k++) {
        if (member->group[k] == MAP_NONE)
            continue;
        breaker->groups[member->group[k]].recent += is_first;
        breaker->groups[member->group[k]].recent_down += !runs(instance);
        mark_dirty(breaker, member->group[k]);
    }
}

void breaker_on_move(struct breaker *breaker, const struct fleet *fleet, struct instance *instance,
                     bool did_run, bool is_crash, int64_t at_ms)
{
    struct breaker_member *member = &instance->member;
    int change = (int)runs(instance) - (int)did_run;

    assert(member->is_counted);
    for (int k = 0; k < GROUP_KINDS && change != 0; k++) {
        struct breaker_group *group;

        if (member->group[k] == MAP_NONE)
            continue;
        group = &breaker->groups[member->group[k]];
        group->running += (uint32_t)change;
        if (member->is_recent && change > 0)
            group->recent_down--;
        else if (member->is_recent && !is_crash)
            group->recent_down++;
        if (member->victim_of & 1U << k) {
            group->victims_running += (uint32_t)change;
            mark_dirty(breaker, member->group[k]);
        }
    }
    if (is_crash) {
        count_crash(breaker, fleet, instance, at_ms);
        /* Who crashes while its group is open waits with the others. */
        breaker_add_victim(breaker, instance, UINT8_MAX);
    } else if (instance->state == STATE_STOPPED) {
        /* It is not waited for: nobody wants it to run. */
        for (int k = 0; k < GROUP_KINDS; k++)
            forget_victim(breaker, instance, k);
    }
}

/* Within the window of the newest one: those that are read late may have happened together all the same. */
static void expire_crashes(struct breaker *breaker, const struct fleet *fleet, int64_t window_ms)
{
    int64_t before_ms =
        breaker->crash_count > 0 ? crash_at(breaker, breaker->crash_count - 1)->at_ms - window_ms : 0;

    while (breaker->crash_count > 0 && crash_at(breaker, 0)->at_ms < before_ms) {
        struct instance *instance = crash_instance(fleet, crash_at(breaker, 0));

        if (instance)
            forget_crash(breaker, instance);
        breaker->crash_first = (breaker->crash_first + 1) % breaker->crash_cap;
        breaker->crash_count--;
    }
}

/* ---- judging ---- */

static bool is_tripped(const struct breaker_group *group, double percent)
{
    uint32_t of = group->running + group->recent_down;

    return of >= BREAKER_LEAST && group->recent * 100.0 > percent * of &&
           2 * (group->recent - group->recent_down) < group->recent;
}

static void open_group(struct breaker *breaker, struct fleet *fleet, uint32_t index,
                       const struct group_members *members, int64_t now_ms)
{
    struct breaker_group *group = &breaker->groups[index];

    group->is_open = true;
    group->opened_ms = now_ms;
    group->crashed = group->recent;
    group->of = group->running + group->recent_down;
    group->victims = group->victims_running = 0;
    breaker->open_count++;
    breaker->trips++;
    for (uint32_t i = members->first[index]; i < members->first[index + 1]; i++) {
        struct instance *instance = &fleet->slots[members->places[i]];

        if (instance->member.is_recent)
            breaker_add_victim(breaker, instance, (uint8_t)(1U << group->kind));
    }
}

static void end_group(struct breaker *breaker, struct fleet *fleet, uint32_t index,
                      const struct group_members *members)
{
    struct breaker_group *group = &breaker->groups[index];

    assert(group->is_open);
    for (uint32_t i = members->first[index]; i < members->first[index + 1]; i++) {
        struct instance *instance = &fleet->slots[members->places[i]];

        instance->member.victim_of &= (uint8_t) ~(1U << group->kind);
        /* What has led to this one does not count for the next. */
        forget_crash(breaker, instance);
    }
    group->is_open = group->ended_running = group->ended_by_operator = false;
    group->victims = group->victims_running = 0;
    breaker->open_count--;
}

void breaker_end(struct breaker *breaker, struct fleet *fleet, struct breaker_group *group)
{
    struct group_members members = {0};

    group_members_gather(&members, breaker, fleet);
    end_group(breaker, fleet, (uint32_t)(group - breaker->groups), &members);
    group_members_clear(&members);
}

static bool has_ended(const struct breaker_group *group)
{
    return 2 * group->victims_running >= group->victims;
}

void breaker_judge(struct breaker *breaker, struct fleet *fleet, const struct breaker_rules *rules,
                   int64_t now_ms, void (*on_change)(void *ctx, struct breaker_group *group), void *ctx)
{
    struct group_members members = {0};

    expire_crashes(breaker, fleet, rules->window_ms);
    for (uint32_t i = 0; i < breaker->dirty_count; i++) {
        uint32_t index = breaker->dirty[i];
        struct breaker_group *group = &breaker->groups[index];
        bool was_open = group->is_open;

        if (was_open ? !has_ended(group) : !is_tripped(group, rules->percent))
            continue;
        group_members_gather(&members, breaker, fleet);
        if (was_open) {
            bool runs_again = group->victims_running > 0;

            end_group(breaker, fleet, index, &members);
            group->ended_running = runs_again;
        } else {
            open_group(breaker, fleet, index, &members, now_ms);
        }
        on_change(ctx, group);
    }
    group_members_clear(&members);
    for (uint32_t i = 0; i < breaker->dirty_count; i++) {
        breaker->groups[breaker->dirty[i]].is_dirty = false;
        group_release(breaker, breaker->dirty[i]);
    }
    breaker->dirty_count = 0;
}

void breaker_load(struct breaker *breaker, struct slice key, int64_t opened_ms, uint32_t crashed, uint32_t of)
{
    struct breaker_group *group;
    uint32_t index = MAP_NONE;

    for (int k = 0; k < GROUP_KINDS; k++) {
        size_t len = strlen(prefixes[k]);
        struct slice name = slice_of(key.data + len, key.len >= len ? key.len - len : 0);

        if (key.len < len || memcmp(key.data, prefixes[k], len) != 0 ||
            (k == GROUP_ALL ? name.len > 0 : !ident_is_valid(name, IDENT_MAX)))
            continue;
        index = group_get(breaker, (enum group_kind)k, name);
        break;
    }
    if (index == MAP_NONE || breaker->groups[index].is_open)
        return;
    group = &breaker->groups[index];
    group->is_open = true;
    group->opened_ms = opened_ms;
    group->crashed = crashed;
    group->of = of;
    breaker->open_count++;
    mark_dirty(breaker, index);
}

void breaker_load_crash(struct breaker *breaker, const struct fleet *fleet, struct instance *instance,
                        int64_t at_ms)
{
    if (instance->member.is_counted && !instance->member.is_recent)
        count_crash(breaker, fleet, instance, at_ms);
}

static int compare_crashes(const void *a, const void *b)
{
    const struct breaker_crash *x = a, *y = b;

    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

void breaker_load_finish(struct breaker *breaker)
{
    /* Nothing has expired so far, so the ring begins at its first place. */
    if (breaker->crash_first == 0 && breaker->crash_count > 0)
        qsort(breaker->crashes, breaker->crash_count, sizeof(*breaker->crashes), compare_crashes);
}

void breaker_shift(struct breaker *breaker, int64_t delta_ms)
{
    for (uint32_t i = 0; i < breaker->crash_count; i++)
        crash_at(breaker, i)->at_ms += delta_ms;
    for (uint32_t i = 0; i < breaker->group_count; i++)
        breaker->groups[i].opened_ms += delta_ms;
}

bool breaker_covers(const struct breaker *breaker, const struct instance *instance)
{
    for (int k = 0; k < GROUP_KINDS && breaker->open_count > 0; k++) {
        if (instance->member.group[k] != MAP_NONE && breaker->groups[instance->member.group[k]].is_open)
            return true;
    }
    return false;
}

struct breaker_group *breaker_group_of(const struct breaker *breaker, const struct instance *instance,
                                       enum group_kind kind)
{
    uint32_t index = instance->member.group[kind];

    return index == MAP_NONE ? NULL : &breaker->groups[index];
}

struct breaker_group *breaker_find(const struct breaker *breaker, struct slice key)
{
    uint32_t index = map_find(&breaker->map, key);

    return index == MAP_NONE ? NULL : &breaker->groups[index];
}
