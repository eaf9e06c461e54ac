#include "ctl/table.h"

#include "ctl/text.h"
#include "util/alloc.h"
#include <stdlib.h>

#define GAP       2
#define WIDTH_MIN 3 /* of a column that is cut although it should not be */

struct layout {
    size_t natural[TABLE_COLUMNS_MAX];
    size_t width[TABLE_COLUMNS_MAX]; /* 0: left out */
};

void table_clear(struct table *table)
{
    free(table->cells);
    buf_clear(&table->text);
    table->cells = NULL;
    table->cell_count = table->cell_cap = 0;
}

void table_add(struct table *table, enum paint paint, struct slice text)
{
    size_t start = table->text.len;

    if (table->cell_count == table->cell_cap) {
        table->cell_cap = table->cell_cap ? table->cell_cap * 2 : 64;
        table->cells = mem_resize(table->cells, table->cell_cap, sizeof(*table->cells));
    }
    text_add_shown(&table->text, text.len ? text : slice_text("-"));
    table->cells[table->cell_count++] =
        (struct table_cell){.start = start, .len = table->text.len - start, .paint = paint};
}

static struct slice cell_text(const struct table *table, size_t cell)
{
    return slice_of(table->text.data + table->cells[cell].start, table->cells[cell].len);
}

static size_t row_count(const struct table *table)
{
    return table->column_count ? table->cell_count / table->column_count : 0;
}

static void measure(const struct table *table, struct layout *layout)
{
    for (size_t c = 0; c < table->column_count; c++)
        layout->natural[c] = text_width(slice_text(table->columns[c].title));
    for (size_t i = 0; i < row_count(table) * table->column_count; i++) {
        size_t width = text_width(cell_text(table, i));

        if (layout->natural[i % table->column_count] < width)
            layout->natural[i % table->column_count] = width;
    }
    memcpy(layout->width, layout->natural, sizeof(layout->width));
}

static size_t total_width(const struct table *table, const struct layout *layout)
{
    size_t total = 0, shown = 0;

    for (size_t c = 0; c < table->column_count; c++) {
        total += layout->width[c];
        shown += layout->width[c] > 0;
    }
    return total + (shown ? shown - 1 : 0) * GAP;
}

/* Cuts the widest of the columns that may be, the last of them, by one until WIDTH is met; false where that
 * is not enough. */
static bool cut_columns(const struct table *table, struct layout *layout, size_t width, bool is_last_resort)
{
    while (total_width(table, layout) > width) {
        size_t widest = TABLE_COLUMNS_MAX;

        for (size_t c = 0; c < table->column_count; c++) {
            size_t least = table->columns[c].cut_to;

            if (is_last_resort)
                least = WIDTH_MIN;
            if (least > 0 && layout->width[c] > least &&
                (widest == TABLE_COLUMNS_MAX || layout->width[c] >= layout->width[widest]))
                widest = c;
        }
        if (widest == TABLE_COLUMNS_MAX)
            return false;
        layout->width[widest]--;
    }
    return true;
}

/* Leaves out one more column; false where all that are left have to stay. */
static bool drop_column(const struct table *table, struct layout *layout)
{
    size_t least = TABLE_COLUMNS_MAX;

    for (size_t c = 0; c < table->column_count; c++) {
        if (layout->natural[c] > 0 && table->columns[c].rank > 0 &&
            (least == TABLE_COLUMNS_MAX || table->columns[c].rank > table->columns[least].rank))
            least = c;
    }
    if (least == TABLE_COLUMNS_MAX)
        return false;
    layout->natural[least] = 0;
    memcpy(layout->width, layout->natural, sizeof(layout->width));
    return true;
}

static void arrange(const struct table *table, const struct terminal *terminal, struct layout *layout)
{
    measure(table, layout);
    while (terminal->width && !cut_columns(table, layout, terminal->width, false)) {
        if (!drop_column(table, layout)) {
            (void)cut_columns(table, layout, terminal->width, true);
            return;
        }
    }
}

static bool is_last(const struct table *table, const struct layout *layout, size_t column)
{
    for (size_t c = column + 1; c < table->column_count; c++) {
        if (layout->width[c] > 0)
            return false;
    }
    return true;
}

static void add_cell(const struct table *table, const struct terminal *terminal, const struct layout *layout,
                     size_t c, enum paint paint, struct slice text, struct buf *out)
{
    struct buf cut = BUF_INIT;
    size_t space;

    text_add_cut(&cut, text, layout->width[c]);
    space = layout->width[c] - text_width(buf_slice(&cut));
    if (table->columns[c].is_number)
        text_add_spaces(out, space);
    terminal_add(terminal, out, paint, buf_slice(&cut));
    if (!is_last(table, layout, c))
        text_add_spaces(out, GAP + (table->columns[c].is_number ? 0 : space));
    buf_clear(&cut);
}

void table_print(const struct table *table, const struct terminal *terminal, struct buf *out)
{
    struct layout layout = {{0}, {0}};

    arrange(table, terminal, &layout);
    for (size_t c = 0; c < table->column_count; c++) {
        if (layout.width[c] > 0)
            add_cell(table, terminal, &layout, c, PAINT_STRONG, slice_text(table->columns[c].title), out);
    }
    buf_add_char(out, '\n');
    for (size_t i = 0; i < row_count(table) * table->column_count; i++) {
        size_t c = i % table->column_count;

        if (layout.width[c] > 0)
            add_cell(table, terminal, &layout, c, table->cells[i].paint, cell_text(table, i), out);
        if (c + 1 == table->column_count)
            buf_add_char(out, '\n');
    }
}
