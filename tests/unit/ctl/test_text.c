#include "ctl/text.h"

#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_text(struct buf *b, const char *wanted)
{
    assert_string_equal(buf_text(b), wanted);
    buf_clear(b);
}

static void test_text_add_shown_makes_controls_visible(void **state)
{
    static const struct {
        struct slice text;
        const char *shown;
    } rows[] = {
        {SLICE(""), ""},
        {SLICE("plain ü €"), "plain ü €"},
        {SLICE("a\nb\tc\rd"), "a\\nb\\tc\\rd"},
        {SLICE("\033[31mred\a"), "\\x1b[31mred\\x07"},
        {SLICE("a\0b\x7f"), "a\\x00b\\x7f"},
        {SLICE("\xc2\x9b"
               "31m"),
         "\\u009b31m"},
        /* NOLINTNEXTLINE(misc-misleading-bidirectional) */
        {SLICE("\xe2\x80\xaegnp"), "\\u202egnp"},
        {SLICE("a\xe2\x80\xa8z"), "a\\u2028z"},
        {SLICE("a\xe2\x80\x8bz"), "a\\u200bz"},
        /* NOLINTNEXTLINE(misc-misleading-bidirectional) */
        {SLICE("a\xe2\x81\xa6z"), "a\\u2066z"},
        {SLICE("\xf3\xa0\x81\x81"), "\\U000e0041"},
        {SLICE("\xff\xfe\xc3"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {SLICE("\xc0\x9b"), "\xef\xbf\xbd\xef\xbf\xbd"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;

        text_add_shown(&out, rows[i].text);
        assert_text(&out, rows[i].shown);
    }
}

static void test_text_add_shown_json_keeps_the_value(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    text_add_shown_json(&out, slice_text("{\"a\":\t\"\xc2\x9b\xe2\x80\xae ü \\n\"}\n\033"));
    assert_text(&out, "{\"a\":\t\"\\u009b\\u202e ü \\n\"}\n\\u001b");
    text_add_shown_json(&out, slice_text("\"\xf3\xa0\x81\x81\""));
    assert_text(&out, "\"\\udb40\\udc41\"");
}

static void test_text_width_counts_columns(void **state)
{
    (void)state;
    assert_int_equal(text_width(slice_text("")), 0);
    assert_int_equal(text_width(slice_text("abc")), 3);
    assert_int_equal(text_width(slice_text("äöü…")), 4);
    assert_int_equal(text_width(slice_text("日本")), 4);
    assert_int_equal(text_width(slice_text("e\xcc\x81")), 1);
}

static void test_text_add_cut_fits_and_says_that_something_is_missing(void **state)
{
    static const struct {
        const char *text;
        size_t width;
        const char *cut;
    } rows[] = {
        {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"abcd", 1, "…"}, {"abcd", 0, ""},
        {"", 0, ""},       {"日本", 3, "日…"}, {"日本", 2, "…"}, {"äöüß", 3, "äö…"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;

        text_add_cut(&out, slice_text(rows[i].text), rows[i].width);
        assert_true(text_width(buf_slice(&out)) <= rows[i].width);
        assert_text(&out, rows[i].cut);
    }
}

static void test_text_add_wrapped_breaks_at_spaces(void **state)
{
    static const struct {
        const char *text;
        size_t first, indent, width;
        const char *wrapped;
    } rows[] = {
        {"one two three", 0, 2, 0, "one two three"},
        {"one two three", 0, 2, 20, "one two three"},
        {"one two three four", 0, 2, 11, "one two\n  three\n  four"},
        {"one two three", 4, 4, 12, "one two\n    three"},
        {"", 3, 3, 10, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;

        text_add_wrapped(&out, slice_text(rows[i].text), rows[i].first, rows[i].indent, rows[i].width);
        assert_text(&out, rows[i].wrapped);
    }
}

static void test_text_add_wrapped_breaks_a_word_that_is_too_long(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    text_add_wrapped(&out, slice_text("abcdefghijklmnop"), 0, 1, 10);
    assert_text(&out, "abcdefghij\n klmnop");
    text_add_wrapped(&out, slice_text("日日日日日"), 0, 0, 3);
    assert_text(&out, "日日日日\n日");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_add_shown_makes_controls_visible),
        cmocka_unit_test(test_text_add_shown_json_keeps_the_value),
        cmocka_unit_test(test_text_width_counts_columns),
        cmocka_unit_test(test_text_add_cut_fits_and_says_that_something_is_missing),
        cmocka_unit_test(test_text_add_wrapped_breaks_at_spaces),
        cmocka_unit_test(test_text_add_wrapped_breaks_a_word_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
