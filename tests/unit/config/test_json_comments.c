/* Comments go, strings and line numbers stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "config/json_comments.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void test_json_blank_comments_rows(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},
        {"{\"a\":1}", "{\"a\":1}"},
        {"1 // x\n2", "1     \n2"},
        {"1 // x", "1     "},
        {"//", "  "},
        {"1/**/2", "1    2"},
        {"1/* \n\n */2", "1   \n\n   2"},
        {"/*/*/1", "     1"},
        {"/* // */1", "        1"},
        {"// /*\n1", "     \n1"},
        {"\"// no\"", "\"// no\""},
        {"\"/* no */\" // yes", "\"/* no */\"       "},
        {"\"a\\\"// no\"//", "\"a\\\"// no\"  "},
        {"\"a\\\\\"// yes", "\"a\\\\\"      "},
        {"\"redis://h\"", "\"redis://h\""},
        {"\"open // ", "\"open // "},
        {"\"open\\", "\"open\\"},
        {"1 / 2", "1 / 2"},
        {"/", "/"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = mem_copy_text(rows[i].in, strlen(rows[i].in));
        size_t bad = 99;

        assert_true(json_blank_comments(text, strlen(text), &bad));
        assert_string_equal(text, rows[i].out);
        assert_int_equal(bad, 99);
        free(text);
    }
}

static void test_json_blank_comments_unended_block(void **state)
{
    static const struct {
        const char *in;
        size_t at;
    } rows[] = {{"1 /* x", 2}, {"/*", 0}, {"/*/", 0}, {"/**", 0}, {"\"/*\" /* *", 5}};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = mem_copy_text(rows[i].in, strlen(rows[i].in));
        size_t bad = 99;

        assert_false(json_blank_comments(text, strlen(text), &bad));
        assert_int_equal(bad, rows[i].at);
        free(text);
    }
}

static void test_json_mark_nuls_rows(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"\"\\u0000\"", "\"\\uffff\""},
        {"\"a\\u0000b\\u0000\"", "\"a\\uffffb\\uffff\""},
        {"\"\\\\u0000\"", "\"\\\\u0000\""},
        {"\"\\\\\\u0000\"", "\"\\\\\\uffff\""},
        {"\"\\u00001\"", "\"\\uffff1\""},
        {"\"\\u0001\"", "\"\\u0001\""},
        {"\"\\u000", "\"\\u000"},
        {"\\u0000", "\\u0000"},
        {"\"x\\", "\"x\\"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = mem_copy_text(rows[i].in, strlen(rows[i].in));

        json_mark_nuls(text, strlen(text));
        assert_string_equal(text, rows[i].out);
        free(text);
    }
    assert_true(json_text_is_marked("a\xef\xbf\xbf"));
    assert_false(json_text_is_marked("a\xef\xbf\xbd"));
}

static void test_json_line_of_counts_newlines(void **state)
{
    UNUSED(state);
    assert_int_equal(json_line_of("a\nb\n\nc", 0), 1);
    assert_int_equal(json_line_of("a\nb\n\nc", 2), 2);
    assert_int_equal(json_line_of("a\nb\n\nc", 5), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_blank_comments_rows),
        cmocka_unit_test(test_json_blank_comments_unended_block),
        cmocka_unit_test(test_json_mark_nuls_rows),
        cmocka_unit_test(test_json_line_of_counts_newlines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
