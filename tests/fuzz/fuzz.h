/* What the fuzz targets share: the entry point that libFuzzer calls, a check that stays in every build, and
 * bytes cut into fields. */
#pragma once

#include "util/slice.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run as a finding. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

/* Takes the bytes up to the first MARK off the front of *REST, or all of them. */
static inline struct slice fuzz_take(struct slice *rest, char mark)
{
    const char *end = rest->len > 0 ? memchr(rest->data, mark, rest->len) : NULL;
    struct slice taken = slice_of(rest->data, end ? (size_t)(end - rest->data) : rest->len);
    size_t used = taken.len + (end ? 1 : 0);

    *rest = slice_of(used > 0 ? rest->data + used : rest->data, rest->len - used);
    return taken;
}
