/* What a mistyped word was probably meant to be. */
#pragma once

#include "util/slice.h"

#define NEAREST_MAX_LEN 64 /* longer words are near nothing */

struct nearest {
    struct slice word;
    const char *found; /* NULL while none is close */
    size_t least;      /* its distance */
};

void nearest_init(struct nearest *nearest, struct slice word);
/* CANDIDATE is borrowed. Of those that are equally close the first stays. */
void nearest_offer(struct nearest *nearest, const char *candidate);
