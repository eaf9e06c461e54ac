/* util/time_text.h against the C library's calendar. */
#include "util/macros.h"
#include "util/time_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#define MS_PER_DAY 86400000
#define END_MS     253402300799999 /* 9999-12-31T23:59:59.999Z */

static void test_time_text_format_by_row(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {999, "1970-01-01T00:00:00.999Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1742638530123, "2025-03-22T10:15:30.123Z"},
        {4107542399000, "2100-02-28T23:59:59.000Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {END_MS, "9999-12-31T23:59:59.999Z"},
        {END_MS + 1, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {-1, "1970-01-01T00:00:00.000Z"},
        {INT64_MIN, "1970-01-01T00:00:00.000Z"},
    };
    char text[TIME_TEXT_MS_LEN + 1];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        time_text_format_ms(text, rows[i].ms);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_time_text_format_leaves_out_milliseconds(void **state)
{
    char text[TIME_TEXT_LEN + 1];

    UNUSED(state);
    time_text_format(text, 1742638530999);
    assert_string_equal(text, "2025-03-22T10:15:30Z");
}

/* Each day from 1970 to 9999, at a different time of day. */
static void test_time_text_of_each_day(void **state)
{
    char text[TIME_TEXT_LEN + 1];
    char wanted[64];

    UNUSED(state);
    for (int64_t ms = 0; ms <= END_MS; ms += MS_PER_DAY + 1000) {
        time_t seconds = (time_t)(ms / 1000);
        struct tm tm;
        int64_t back = -1;

        assert_non_null(gmtime_r(&seconds, &tm));
        assert_int_equal(strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%SZ", &tm), TIME_TEXT_LEN);
        time_text_format(text, ms);
        assert_string_equal(text, wanted);
        assert_true(time_text_parse(slice_text(text), &back));
        assert_int_equal(back, ms);
    }
}

static void test_time_text_parse_of_both_forms(void **state)
{
    int64_t ms = -1;

    UNUSED(state);
    assert_true(time_text_parse(slice_text("2025-03-22T10:15:30Z"), &ms));
    assert_int_equal(ms, 1742638530000);
    assert_true(time_text_parse(slice_text("2025-03-22T10:15:30.123Z"), &ms));
    assert_int_equal(ms, 1742638530123);
    assert_true(time_text_parse(slice_text("1970-01-01T00:00:00Z"), &ms));
    assert_int_equal(ms, 0);
    assert_true(time_text_parse(slice_text("9999-12-31T23:59:59.999Z"), &ms));
    assert_int_equal(ms, END_MS);
    assert_true(time_text_parse(slice_text("2000-02-29T00:00:00Z"), &ms));
    assert_int_equal(ms, 951782400000);
}

static void test_time_text_parse_of_other_text(void **state)
{
    static const struct slice rows[] = {
        SLICE(""),
        SLICE("2025-03-22"),
        SLICE("2025-03-22T10:15:30"),
        SLICE("2025-03-22 10:15:30Z"),
        SLICE("2025-03-22t10:15:30z"),
        SLICE("2025-03-22T10:15:30+"),
        SLICE("2025-03-22T10:15:30.12Z"),
        SLICE("2025-03-22T10:15:30,123Z"),
        SLICE("2025-03-22T10:15:30.1234Z"),
        SLICE("2025-03-22T10:15:30Z "),
        SLICE(" 2025-03-22T10:15:30Z"),
        SLICE("2025-03-22T10:15:3\0Z"),
        SLICE("2025-3-022T10:15:30Z"),
        SLICE("-025-03-22T10:15:30Z"),
        SLICE("1969-12-31T23:59:59Z"),
        SLICE("2025-00-22T10:15:30Z"),
        SLICE("2025-13-22T10:15:30Z"),
        SLICE("2025-03-00T10:15:30Z"),
        SLICE("2025-03-32T10:15:30Z"),
        SLICE("2025-04-31T10:15:30Z"),
        SLICE("2025-06-31T10:15:30Z"),
        SLICE("2025-09-31T10:15:30Z"),
        SLICE("2025-11-31T10:15:30Z"),
        SLICE("2025-02-29T10:15:30Z"),
        SLICE("2100-02-29T10:15:30Z"),
        SLICE("2024-02-30T10:15:30Z"),
        SLICE("2025-03-22T24:00:00Z"),
        SLICE("2025-03-22T10:60:30Z"),
        SLICE("2025-03-22T10:15:60Z"),
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = -5;

        assert_false(time_text_parse(rows[i], &ms));
        assert_int_equal(ms, -5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_text_format_by_row),
        cmocka_unit_test(test_time_text_format_leaves_out_milliseconds),
        cmocka_unit_test(test_time_text_of_each_day),
        cmocka_unit_test(test_time_text_parse_of_both_forms),
        cmocka_unit_test(test_time_text_parse_of_other_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
