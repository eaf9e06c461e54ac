#include "ctl/duration.h"

#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_duration_parse_reads_numbers_with_units(void **state)
{
    static const struct {
        const char *text;
        int64_t plain_ms, ms; /* ms 0: refused */
    } rows[] = {
        {"500ms", 0, 500},    {"45s", 0, 45000},    {"30m", 0, 1800000},  {"1h30m", 0, 5400000},
        {"1.5h", 0, 5400000}, {"2d", 0, 172800000}, {"1w", 0, 604800000}, {"1m500ms", 0, 60500},
        {"10", 1000, 10000},  {"0.2", 1000, 200},   {"10s", 1000, 10000}, {"10", 0, 0},
        {"", 0, 0},           {"", 1000, 0},        {"m", 0, 0},          {"30m1h", 0, 0},
        {"1m1m", 0, 0},       {"-5m", 0, 0},        {"5 m", 0, 0},        {"5M", 0, 0},
        {"0s", 0, 0},         {"0.4ms", 0, 0},      {"1e9d", 0, 0},       {"5mx", 0, 0},
        {"999999999d", 0, 0}, {"nan", 1000, 0},     {"1h30", 1000, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = 0;

        assert_int_equal(duration_parse(slice_text(rows[i].text), rows[i].plain_ms, &ms), rows[i].ms != 0);
        assert_int_equal(ms, rows[i].ms);
    }
}

static void assert_added(struct buf *b, const char *wanted)
{
    assert_string_equal(buf_text(b), wanted);
    buf_clear(b);
}

static void test_duration_add_gives_the_two_largest_parts(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {-5, "0 ms"},           {0, "0 ms"},           {999, "999 ms"},      {1000, "1 s"},
        {59999, "59 s"},        {60000, "1 min"},      {61500, "1 min 1 s"}, {3600000, "1 h"},
        {3660000, "1 h 1 min"}, {90000000, "1 d 1 h"}, {864000000, "10 d"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;

        duration_add(&out, rows[i].ms);
        assert_added(&out, rows[i].text);
    }
}

static void test_duration_add_relative_looks_both_ways(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    duration_add_relative(&out, 100500, 100000);
    assert_added(&out, "now");
    duration_add_relative(&out, 40000, 100000);
    assert_added(&out, "1 min ago");
    duration_add_relative(&out, 1900000, 100000);
    assert_added(&out, "in 30 min");
    duration_add_relative(&out, 1899900, 100000);
    assert_added(&out, "in 30 min");
    duration_add_relative(&out, 7100000, 100000);
    assert_added(&out, "in 1 h 56 min");
}

static void test_time_add_clock_names_another_day(void **state)
{
    const int64_t now_ms = INT64_C(1742638530000); /* 2025-03-22T10:15:30Z */
    struct buf out = BUF_INIT;

    (void)state;
    time_add_clock(&out, now_ms, now_ms, false);
    assert_added(&out, "10:15:30");
    time_add_clock(&out, now_ms, now_ms, true);
    assert_added(&out, "10:15");
    time_add_clock(&out, now_ms, now_ms + 86400000, true);
    assert_added(&out, "2025-03-22 10:15");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration_parse_reads_numbers_with_units),
        cmocka_unit_test(test_duration_add_gives_the_two_largest_parts),
        cmocka_unit_test(test_duration_add_relative_looks_both_ways),
        cmocka_unit_test(test_time_add_clock_names_another_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
