/* Who is in which group of the breaker, gathered once for all groups that change together: there may be as
 * many of them as hosts, and each for itself would have to look at the whole fleet. */
#pragma once

#include "core/breaker.h"

/* The members of group N are places[first[N]] to places[first[N + 1] - 1]: slots of the fleet. */
struct group_members {
    uint32_t *first, *places;
};

/* Fills MEMBERS, where it is empty (zero). Valid until somebody joins or leaves. */
void group_members_gather(struct group_members *members, const struct breaker *breaker,
                          const struct fleet *fleet);
void group_members_clear(struct group_members *members);
