/* A borrowed run of bytes: not NUL-terminated, may hold any byte, owned by somebody else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data;
    size_t len;
};

/* A slice of a string literal, usable in static tables. */
#define SLICE(literal)                                                                                       \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }

static inline struct slice slice_of(const char *data, size_t len)
{
    return (struct slice){data, len};
}

/* The slice of a C string; NULL gives the empty slice. */
static inline struct slice slice_text(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_text(text));
}

/* The order of their bytes, a shorter one before what it begins: below 0, 0, above 0. */
int slice_compare(struct slice a, struct slice b);

/* Without the spaces and tabs at both ends. */
struct slice slice_trim(struct slice s);

/* True where A and TEXT are the same but for the case of ASCII letters. */
bool slice_is_nocase(struct slice a, const char *text);
