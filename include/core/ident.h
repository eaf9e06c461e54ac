/* Identifiers (SPEC §3): the one rule that keeps ids harmless in keys, labels, log lines and hooks. */
#pragma once

#include "util/slice.h"

#define IDENT_MAX         64
#define IDENT_COMMAND_MAX 160
#define IDENT_ACTION_MAX  32

/* True where ID has 1 to MAX bytes of `A-Z a-z 0-9 . _ -`, the first and the last a letter or a digit. */
bool ident_is_valid(struct slice id, size_t max);

/* An id held in place. */
struct ident {
    unsigned char len;
    char text[IDENT_MAX];
};

static inline struct slice ident_slice(const struct ident *id)
{
    return slice_of(id->text, id->len);
}

/* Copies a valid id (or the empty one). */
static inline void ident_set(struct ident *id, struct slice text)
{
    id->len = (unsigned char)(text.len < IDENT_MAX ? text.len : IDENT_MAX);
    if (id->len)
        memcpy(id->text, text.data, id->len);
}
