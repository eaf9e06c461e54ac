/* Tables of a report: a row is rendered twice, once for its width, so that none is kept. */
#pragma once

#include "util/buf.h"
#include <stdbool.h>
#include <stdio.h>

#define TABLE_COLUMNS 10

struct table {
    const char *const *titles; /* NULL behind the last */
    unsigned right;            /* bits: columns that are aligned to the right */
    /* Renders row NUMBER into CELLS, which are empty; false behind the last. */
    bool (*row)(const void *ctx, size_t number, struct buf cells[TABLE_COLUMNS]);
    const void *ctx;
};

void table_print(FILE *out, const struct table *table);
