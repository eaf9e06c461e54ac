/* util/stream_id.h. */
#include "util/macros.h"
#include "util/stream_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct stream_id last = {UINT64_MAX, UINT64_MAX};

static void assert_id(struct stream_id id, uint64_t ms, uint64_t seq)
{
    assert_true(id.ms == ms);
    assert_true(id.seq == seq);
}

static void test_stream_id_parse_of_ids(void **state)
{
    static const struct {
        struct slice text;
        struct stream_id id;
    } rows[] = {
        {SLICE("0-0"), {0, 0}},
        {SLICE("0"), {0, 0}},
        {SLICE("1742638530123-7"), {1742638530123, 7}},
        {SLICE("1742638530123"), {1742638530123, 0}},
        {SLICE("007-01"), {7, 1}},
        {SLICE("18446744073709551615-18446744073709551615"), {UINT64_MAX, UINT64_MAX}},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stream_id id = {5, 5};

        assert_true(stream_id_parse(rows[i].text, &id));
        assert_id(id, rows[i].id.ms, rows[i].id.seq);
    }
}

static void test_stream_id_parse_of_other_text(void **state)
{
    static const struct slice rows[] = {
        SLICE(""),
        SLICE("-"),
        SLICE("1-"),
        SLICE("-1"),
        SLICE("1--1"),
        SLICE("1-1-1"),
        SLICE("1-1 "),
        SLICE(" 1-1"),
        SLICE("+1-1"),
        SLICE("1-+1"),
        SLICE("1-1\0"),
        SLICE("1\0-1"),
        SLICE("0x1-1"),
        SLICE("$"),
        SLICE("*"),
        SLICE("1-*"),
        SLICE("18446744073709551616-0"),
        SLICE("0-18446744073709551616"),
        SLICE("99999999999999999999999-0"),
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stream_id id = {5, 6};

        assert_false(stream_id_parse(rows[i], &id));
        assert_id(id, 5, 6);
    }
    assert_false(stream_id_parse(slice_text(NULL), &(struct stream_id){0}));
}

static void test_stream_id_format_reads_back(void **state)
{
    char text[STREAM_ID_TEXT_MAX];

    UNUSED(state);
    assert_int_equal(stream_id_format(text, (struct stream_id){0, 0}), 3);
    assert_string_equal(text, "0-0");
    assert_int_equal(stream_id_format(text, (struct stream_id){1742638530123, 42}), 16);
    assert_string_equal(text, "1742638530123-42");
    assert_int_equal(stream_id_format(text, last), 41);
    assert_string_equal(text, "18446744073709551615-18446744073709551615");
}

static void test_stream_id_next_and_prev_saturate(void **state)
{
    UNUSED(state);
    assert_id(stream_id_next((struct stream_id){1, 2}), 1, 3);
    assert_id(stream_id_next((struct stream_id){1, UINT64_MAX}), 2, 0);
    assert_id(stream_id_next(last), UINT64_MAX, UINT64_MAX);
    assert_id(stream_id_prev((struct stream_id){1, 2}), 1, 1);
    assert_id(stream_id_prev((struct stream_id){1, 0}), 0, UINT64_MAX);
    assert_id(stream_id_prev((struct stream_id){0, 0}), 0, 0);
}

static void test_stream_id_compare_as_pair(void **state)
{
    UNUSED(state);
    assert_true(stream_id_compare((struct stream_id){1, 9}, (struct stream_id){2, 0}) < 0);
    assert_true(stream_id_compare((struct stream_id){2, 0}, (struct stream_id){1, 9}) > 0);
    assert_true(stream_id_compare((struct stream_id){2, 0}, (struct stream_id){2, 1}) < 0);
    assert_true(stream_id_compare((struct stream_id){2, 1}, (struct stream_id){2, 0}) > 0);
    assert_true(stream_id_compare((struct stream_id){2, 1}, (struct stream_id){2, 1}) == 0);
    assert_true(stream_id_compare((struct stream_id){0, 0}, last) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_id_parse_of_ids),
        cmocka_unit_test(test_stream_id_parse_of_other_text),
        cmocka_unit_test(test_stream_id_format_reads_back),
        cmocka_unit_test(test_stream_id_next_and_prev_saturate),
        cmocka_unit_test(test_stream_id_compare_as_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
