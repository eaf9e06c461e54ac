/* Values of a label from outside, numbered as they are first seen; at most 64 are told apart, then `other`
 * (SPEC §3). Zeroed is empty. */
#pragma once

#include "core/ident.h"
#include <stdint.h>

#define LABELS_MAX   64
#define LABELS_OTHER LABELS_MAX

struct labels {
    struct ident names[LABELS_MAX];
    uint32_t count;
};

/* The number of NAME (at most IDENT_MAX bytes, copied), given now where it is new and there is room, else
 * LABELS_OTHER. The name `other` itself is LABELS_OTHER. */
uint32_t labels_intern(struct labels *labels, struct slice name);
/* The name of a number, borrowed; `other` for LABELS_OTHER and for a number that was never given. */
struct slice labels_name(const struct labels *labels, uint32_t number);
