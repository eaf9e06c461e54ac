/* What the parts of the world share. */
#pragma once

#include "world.h"

#include "util/alloc.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NOBODY UINT32_MAX

#define GROW(array, count, cap)                                                                              \
    do {                                                                                                     \
        if ((count) == (cap)) {                                                                              \
            (cap) = (cap) ? (cap)*2 : 64;                                                                    \
            (array) = mem_resize((array), (cap), sizeof(*(array)));                                          \
        }                                                                                                    \
    } while (0)

/* An entry that is being written. */
struct draft {
    struct slice words[32];
    size_t count;
    char text[16][64];
    size_t texts;
};

/* world.c */
void draft_add(struct draft *draft, const char *name, struct slice value);
void draft_add_number(struct draft *draft, const char *name, const char *prefix, uint64_t number);
struct stream_id draft_send(struct world *world, const struct draft *draft, enum stream_kind stream);
bool chance(struct world *world, uint32_t percent);
uint32_t below(struct world *world, uint32_t bound);

/* world_signals.c */
void make_signal(struct world *world);
void remove_signal(struct world *world);
void make_result(struct world *world);
