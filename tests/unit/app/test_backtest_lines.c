/* Lines of files: whole ones, empty ones, one without an end, and such as are longer than any. */
#include "app/backtest_lines.h"
#include "util/macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct backtest_lines open_text(struct slice text)
{
    char path[] = "/tmp/mt5-lines-XXXXXX";
    struct backtest_lines lines;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.data, text.len), text.len);
    assert_int_equal(close(fd), 0);
    assert_int_equal(backtest_lines_open(&lines, path), 0);
    assert_int_equal(unlink(path), 0);
    return lines;
}

static void assert_line(struct backtest_lines *lines, const char *text, uint64_t number)
{
    struct slice line;

    assert_int_equal(backtest_lines_next(lines, &line), 1);
    assert_true(slice_is(line, text));
    assert_int_equal(lines->number, number);
}

static void assert_end(struct backtest_lines *lines)
{
    struct slice line;

    assert_int_equal(backtest_lines_next(lines, &line), 0);
    assert_int_equal(backtest_lines_next(lines, &line), 0);
    backtest_lines_close(lines);
}

static void test_lines_of_a_file(void **state)
{
    struct backtest_lines lines = open_text((struct slice)SLICE("one\n\n\r\ntwo\r\nthree"));

    UNUSED(state);
    assert_line(&lines, "one", 1);
    assert_line(&lines, "two", 4);
    assert_false(lines.is_cut);
    assert_line(&lines, "three", 5);
    assert_true(lines.is_cut);
    assert_end(&lines);
    lines = open_text((struct slice)SLICE(""));
    assert_end(&lines);
    lines = open_text((struct slice)SLICE("\n"));
    assert_end(&lines);
}

static void add_many(struct buf *text, size_t count, char c)
{
    memset(buf_reserve(text, count), c, count);
    text->len += count;
}

static void test_lines_that_are_too_long_are_passed_over(void **state)
{
    struct backtest_lines lines;
    struct slice line;
    struct buf text = BUF_INIT;

    UNUSED(state);
    buf_add_text(&text, "first\n");
    add_many(&text, BACKTEST_LINE_MAX, 'a');
    buf_add_char(&text, '\n');
    add_many(&text, BACKTEST_LINE_MAX + 1, 'b');
    buf_add_text(&text, "\nafter\n");
    add_many(&text, 5 * BACKTEST_LINE_MAX, 'c');
    buf_add_text(&text, "\nlast\n");
    add_many(&text, 3 * BACKTEST_LINE_MAX, 'd');
    lines = open_text(buf_slice(&text));
    assert_line(&lines, "first", 1);
    assert_int_equal(backtest_lines_next(&lines, &line), 1);
    assert_int_equal(line.len, BACKTEST_LINE_MAX);
    assert_line(&lines, "after", 4);
    assert_line(&lines, "last", 6);
    assert_int_equal(backtest_lines_next(&lines, &line), 0);
    assert_int_equal(lines.too_long, 3);
    assert_true(lines.data.cap <= 4 * BACKTEST_LINE_MAX);
    backtest_lines_close(&lines);
    buf_clear(&text);
}

static void test_lines_of_what_is_no_file(void **state)
{
    struct backtest_lines lines;

    UNUSED(state);
    assert_int_equal(backtest_lines_open(&lines, "/nonexistent/file"), -ENOENT);
    assert_int_equal(backtest_lines_open(&lines, "/"), -EISDIR);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_of_a_file),
        cmocka_unit_test(test_lines_that_are_too_long_are_passed_over),
        cmocka_unit_test(test_lines_of_what_is_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
