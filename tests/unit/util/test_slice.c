/* util/slice.h and util/macros.h. */
#include "util/macros.h"
#include "util/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_slice_text_of_null_is_empty(void **state)
{
    UNUSED(state);
    assert_int_equal(slice_text(NULL).len, 0);
    assert_true(slice_equal(slice_text(NULL), slice_text("")));
    assert_true(slice_is(slice_of("x", 0), ""));
}

static void test_slice_literal_keeps_inner_nul(void **state)
{
    static const struct slice s = SLICE("a\0b");

    UNUSED(state);
    assert_int_equal(s.len, 3);
    assert_true(slice_equal(s, slice_of("a\0b", 3)));
    assert_false(slice_equal(s, slice_of("a\0c", 3)));
    assert_false(slice_is(s, "a"));
}

static void test_slice_is_nocase_by_row(void **state)
{
    static const struct {
        struct slice a;
        const char *text;
        bool is_same;
    } rows[] = {
        {SLICE("Content-Type"), "content-type", true},
        {SLICE("GZIP"), "gzip", true},
        {SLICE(""), "", true},
        {SLICE("gzip"), "gzi", false},
        {SLICE("gzi"), "gzip", false},
        {SLICE("gzip"), "gzap", false},
        {SLICE("@"), "`", false},
        {SLICE("["), "{", false},
        {SLICE("\xc3\x84"), "\xc3\xa4", false}, /* letters outside ASCII are bytes */
        {SLICE("a\0b"), "a", false},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(slice_is_nocase(rows[i].a, rows[i].text), rows[i].is_same);
}

static void test_slice_trim_by_row(void **state)
{
    static const struct {
        struct slice text, trimmed;
    } rows[] = {
        {SLICE("a b"), SLICE("a b")}, {SLICE(" \ta\t "), SLICE("a")}, {SLICE("a "), SLICE("a")},
        {SLICE(" a"), SLICE("a")},    {SLICE(" \t "), SLICE("")},     {SLICE("\na\r"), SLICE("\na\r")},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_true(slice_equal(slice_trim(rows[i].text), rows[i].trimmed));
    assert_int_equal(slice_trim(slice_text(NULL)).len, 0);
}

static void test_slice_compare_ascending_rows(void **state)
{
    static const struct slice rows[] = {SLICE(""),    SLICE("A"),  SLICE("a"),
                                        SLICE("a\0"), SLICE("ab"), SLICE("\xff")};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k < ARRAY_LEN(rows); k++)
            assert_int_equal((slice_compare(rows[i], rows[k]) > 0) - (slice_compare(rows[i], rows[k]) < 0),
                             (i > k) - (i < k));
    assert_int_equal(slice_compare(slice_text(NULL), slice_text("")), 0);
}

static void test_container_of_member(void **state)
{
    struct outer {
        int first;
        int second;
    } object = {1, 2};

    UNUSED(state);
    assert_ptr_equal(CONTAINER_OF(&object.second, struct outer, second), &object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slice_text_of_null_is_empty),
        cmocka_unit_test(test_slice_literal_keeps_inner_nul),
        cmocka_unit_test(test_slice_is_nocase_by_row),
        cmocka_unit_test(test_slice_trim_by_row),
        cmocka_unit_test(test_slice_compare_ascending_rows),
        cmocka_unit_test(test_container_of_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
