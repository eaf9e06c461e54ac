#include "ctl/table.h"

#include "ctl/text.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct table_column columns[] = {
    {"NAME", false, 0, 6},
    {"STATE", false, 0, 0},
    {"COUNT", true, 2, 0},
    {"NOTE", false, 1, 5},
};

static void fill(struct table *table)
{
    static const char *const cells[] = {"first",       "running", "7",        "nothing special",
                                        "a-long-name", "up",      "12345678", ""};

    *table = (struct table){.columns = columns, .column_count = ARRAY_LEN(columns)};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++)
        table_add(table, paint_of(slice_text(cells[i])), slice_text(cells[i]));
}

static void assert_printed(struct table *table, const struct terminal *terminal, const char *wanted)
{
    struct buf out = BUF_INIT;

    table_print(table, terminal, &out);
    assert_string_equal(buf_text(&out), wanted);
    buf_clear(&out);
}

static void test_table_print_is_whole_where_there_is_no_terminal(void **state)
{
    struct table table;

    (void)state;
    fill(&table);
    assert_printed(&table, &(struct terminal){0},
                   "NAME         STATE       COUNT  NOTE\n"
                   "first        running         7  nothing special\n"
                   "a-long-name  up       12345678  -\n");
    table_clear(&table);
}

static void test_table_print_cuts_then_leaves_out(void **state)
{
    struct table table;

    (void)state;
    fill(&table);
    assert_printed(&table, &(struct terminal){.is_terminal = true, .width = 40},
                   "NAME        STATE       COUNT  NOTE\n"
                   "first       running         7  nothing …\n"
                   "a-long-na…  up       12345678  -\n");
    assert_printed(&table, &(struct terminal){.is_terminal = true, .width = 29},
                   "NAME       STATE    NOTE\n"
                   "first      running  nothing …\n"
                   "a-long-n…  up       -\n");
    assert_printed(&table, &(struct terminal){.is_terminal = true, .width = 16},
                   "NAME     STATE\n"
                   "first    running\n"
                   "a-long…  up\n");
    assert_printed(&table, &(struct terminal){.is_terminal = true, .width = 10},
                   "NAME  STA…\n"
                   "fir…  run…\n"
                   "a-l…  up\n");
    table_clear(&table);
}

static void test_table_print_is_never_wider_than_the_terminal(void **state)
{
    struct table table;
    struct buf out = BUF_INIT;

    (void)state;
    fill(&table);
    for (size_t width = 8; width < 60; width++) {
        const struct terminal terminal = {.is_terminal = true, .width = width};

        table_print(&table, &terminal, &out);
        for (size_t at = 0, len; at < out.len; at += len + 1) {
            len = strcspn(buf_text(&out) + at, "\n");
            assert_true(text_width(slice_of(out.data + at, len)) <= width);
        }
        buf_reset(&out, SIZE_MAX);
    }
    buf_clear(&out);
    table_clear(&table);
}

static void test_table_print_paints_text_and_not_space(void **state)
{
    static const struct table_column two[] = {{"A", false, 0, 0}, {"B", false, 0, 0}};
    struct table table = {.columns = two, .column_count = 2};

    (void)state;
    table_add(&table, PAINT_GOOD, slice_text("x"));
    table_add(&table, PAINT_NONE, slice_text("\033[0mevil"));
    assert_printed(&table, &(struct terminal){.is_terminal = true, .has_colour = true, .width = 80},
                   "\033[1mA\033[0m  \033[1mB\033[0m\n\033[32mx\033[0m  \\x1b[0mevil\n");
    table_clear(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_print_is_whole_where_there_is_no_terminal),
        cmocka_unit_test(test_table_print_cuts_then_leaves_out),
        cmocka_unit_test(test_table_print_is_never_wider_than_the_terminal),
        cmocka_unit_test(test_table_print_paints_text_and_not_space),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
