/* Tables that fit. On a terminal columns are cut, then left out, until the lines are no longer than it is
 * wide; elsewhere every column is there in full, always the same ones, and no cell is empty: programs count
 * them. */
#pragma once

#include "ctl/terminal.h"

#define TABLE_COLUMNS_MAX 16

struct table_column {
    const char *title;
    bool is_number; /* to the right */
    unsigned rank;  /* 0: stays; of the others the highest is left out first */
    size_t cut_to;  /* may be cut to so many columns; 0: not cut while others can be left out */
};

struct table_cell {
    size_t start, len; /* in the table's text */
    enum paint paint;
};

/* Zeroed but for columns it is ready to be used. */
struct table {
    const struct table_column *columns;
    size_t column_count;
    struct buf text;
    struct table_cell *cells; /* row by row */
    size_t cell_count, cell_cap;
};

void table_clear(struct table *table);
/* The next cell of the row that is being filled. TEXT may be any bytes; empty is shown as `-`. */
void table_add(struct table *table, enum paint paint, struct slice text);
/* Appends the heading and the rows that are complete. */
void table_print(const struct table *table, const struct terminal *terminal, struct buf *out);
