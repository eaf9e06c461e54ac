/* A counting sort of the fleet by group. */
#include "breaker_members.h"

#include "core/fleet.h"
#include "util/alloc.h"
#include <stdlib.h>

static bool has_place(const struct instance *instance, int kind)
{
    return instance->member.is_counted && instance->member.group[kind] != MAP_NONE;
}

static void count_members(struct group_members *members, const struct breaker *breaker)
{
    uint32_t sum = 0;

    members->first = mem_new((size_t)breaker->group_count + 1, sizeof(*members->first));
    for (uint32_t i = 0; i < breaker->group_count; i++) {
        members->first[i] = sum;
        sum += breaker->groups[i].used ? breaker->groups[i].members : 0;
    }
    members->first[breaker->group_count] = sum;
    members->places = mem_new(sum, sizeof(*members->places));
}

void group_members_gather(struct group_members *members, const struct breaker *breaker,
                          const struct fleet *fleet)
{
    uint32_t *next;
    struct instance *instance;

    if (members->first)
        return;
    count_members(members, breaker);
    next = mem_new(breaker->group_count, sizeof(*next));
    memcpy(next, members->first, breaker->group_count * sizeof(*next));
    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        for (int k = 0; k < GROUP_KINDS; k++) {
            if (has_place(instance, k))
                members->places[next[instance->member.group[k]]++] = fleet_index_of(fleet, instance);
        }
    }
    free(next);
}

void group_members_clear(struct group_members *members)
{
    free(members->first);
    free(members->places);
}
