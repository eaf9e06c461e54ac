#include "backtest_table.h"

#define GAP 2

static size_t count_columns(const struct table *table)
{
    size_t count = 0;
    while (table->titles[count])
        count++;
    return count;
}

static void empty(struct buf cells[TABLE_COLUMNS])
{
    for (int i = 0; i < TABLE_COLUMNS; i++)
        cells[i].len = 0;
}

static void print_cell(FILE *out, struct slice text, size_t width, bool is_right, bool is_last)
{
    size_t pad = width > text.len ? width - text.len : 0;
    (void)fprintf(out, "%*s%.*s", is_right ? (int)pad : 0, "", (int)text.len, text.len ? text.data : "");
    if (!is_last)
        (void)fprintf(out, "%*s", (int)(is_right ? GAP : pad + GAP), "");
}

void table_print(FILE *out, const struct table *table)
{
    size_t columns = count_columns(table), width[TABLE_COLUMNS] = {0};
    struct buf cells[TABLE_COLUMNS] = {0};
    for (size_t i = 0; i < columns; i++)
        width[i] = strlen(table->titles[i]);
    for (size_t row = 0; empty(cells), table->row(table->ctx, row, cells); row++)
        for (size_t i = 0; i < columns; i++)
            width[i] = cells[i].len > width[i] ? cells[i].len : width[i];
    for (size_t i = 0; i < columns; i++)
        print_cell(out, slice_text(table->titles[i]), width[i], table->right & 1U << i, i + 1 == columns);
    (void)fputc('\n', out);
    for (size_t row = 0; empty(cells), table->row(table->ctx, row, cells); row++) {
        for (size_t i = 0; i < columns; i++)
            print_cell(out, buf_slice(&cells[i]), width[i], table->right & 1U << i, i + 1 == columns);
        (void)fputc('\n', out);
    }
    for (int i = 0; i < TABLE_COLUMNS; i++)
        buf_clear(&cells[i]);
}
