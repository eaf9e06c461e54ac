#include "core/maintenance.h"
#include "util/macros.h"
#include "util/time_text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define AT(day, hour, minute) ((day)*1440 + (hour)*60 + (minute))
enum { MON, TUE, WED, THU, FRI, SAT, SUN };

static const struct {
    const char *text;
    uint32_t from_min, until_min;
} weekly[] = {
    {"Fri 22:00-Sun 22:05", AT(FRI, 22, 0), AT(SUN, 22, 5)},
    {"fri 22:00-SUN 22:05", AT(FRI, 22, 0), AT(SUN, 22, 5)},
    {"Mon 00:00-Mon 00:01", 0, 1},
    {"Mon 01:00-02:00", AT(MON, 1, 0), AT(MON, 2, 0)},
    {"tUE 23:58-23:59", AT(TUE, 23, 58), AT(TUE, 23, 59)},
    {"Wed 00:00-Thu 00:00", AT(WED, 0, 0), AT(THU, 0, 0)},
    {"Sat 12:34-Sun 23:59", AT(SAT, 12, 34), AT(SUN, 23, 59)},
    {"Sun 23:00-Mon 01:00", AT(SUN, 23, 0), AT(MON, 1, 0)},
    {"Mon 22:00-Mon 02:00", AT(MON, 22, 0), AT(MON, 2, 0)},
    {"Sun 23:00-Mon 00:00", AT(SUN, 23, 0), 0},
};

static void test_window_parse_weekly(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(weekly); i++) {
        uint32_t from = 1, until = 1;

        assert_true(window_parse_weekly(slice_text(weekly[i].text), &from, &until));
        assert_int_equal(from, weekly[i].from_min);
        assert_int_equal(until, weekly[i].until_min);
    }
}

static const char *const not_weekly[] = {
    "",
    "Fri",
    "Fri ",
    "Fri 22:00",
    "Fri 22:00-",
    "Fri 22:00-Sun",
    "Fri 22:00-Sun ",
    "Fri 22:00-Sun 22:0",
    "Fri 22:00-Sun 22:050",
    "Fri 22:00-Sun 22:05 ",
    " Fri 22:00-Sun 22:05",
    "Fri  22:00-Sun 22:05",
    "Fri 22:00 - Sun 22:05",
    "Fri 22:00-Sun  22:05",
    "Fri 22:00-Sun22:05",
    "Fri22:00-Sun 22:05",
    "Fri_22:00-Sun 22:05",
    "Fri 22:00-Sun_22:05",
    "Fri 22:00/Sun 22:05",
    "Fri 22.00-Sun 22:05",
    "Friday 22:00-Sun 22:05",
    "Xyz 22:00-Sun 22:05",
    "Fri 22:00-Xyz 22:05",
    "22:00-Sun 22:05",
    "22:00-23:00",
    "Fri 24:00-Sun 22:05",
    "Fri 22:00-Sun 24:00",
    "Fri 22:60-Sun 22:05",
    "Fri 22:00-Sun 22:60",
    "Fri 2:00-Sun 22:05",
    "Fri +2:00-Sun 22:05",
    "Fri 22:-1-Sun 22:05",
    "Fri 22:0a-Sun 22:05",
    "Fri 22:00-Sun 22:05-Mon 01:00",
    "Fri 22:00-Fri 22:00", /* empty */
    "Fri 22:00-22:00",
    "Fri 22:00-02:00", /* ends before it begins, of the same day */
};

static void test_window_parse_weekly_refuses_the_rest(void **state)
{
    uint32_t from = 7, until = 8;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(not_weekly); i++) {
        if (window_parse_weekly(slice_text(not_weekly[i]), &from, &until))
            fail_msg("taken: %s", not_weekly[i]);
    }
    assert_int_equal(from, 7);
    assert_int_equal(until, 8);
}

/* Nothing behind the slice is looked at, wherever it ends. */
static void test_window_parse_weekly_of_every_prefix(void **state)
{
    static const char text[] = "Fri 22:00-Sun 22:05";
    uint32_t from, until;

    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = malloc(len + 1);

        assert_non_null(copy);
        memcpy(copy + 1, text, len);
        assert_false(window_parse_weekly(slice_of(copy + 1, len), &from, &until));
        free(copy);
    }
}

static void test_glob_is_valid(void **state)
{
    char glob[WINDOW_GLOB_MAX + 1];

    (void)state;
    memset(glob, 'a', sizeof glob);
    assert_true(glob_is_valid(slice_of(glob, WINDOW_GLOB_MAX)));
    assert_false(glob_is_valid(slice_of(glob, WINDOW_GLOB_MAX + 1)));
    assert_false(glob_is_valid(slice_of(glob, 0)));
    assert_true(glob_is_valid(slice_text("*")));
    assert_true(glob_is_valid(slice_text("[x]\\")));
    glob[5] = '\0';
    assert_true(glob_is_valid(slice_of(glob, 5)));
    assert_false(glob_is_valid(slice_of(glob, 6)));
}

static const struct {
    const char *glob, *text;
    bool matches;
} globs[] = {
    {"*", "", true},
    {"*", "mt5-1", true},
    {"**", "mt5-1", true},
    {"?", "", false},
    {"?", "a", true},
    {"?", "ab", false},
    {"mt5-1", "mt5-1", true},
    {"mt5-1", "mt5-10", false},
    {"mt5-10", "mt5-1", false},
    {"mt5-1", "MT5-1", false},
    {"mt5-?", "mt5-1", true},
    {"mt5-?", "mt5-10", false},
    {"mt5-*", "mt5-", true},
    {"mt5-*", "mt5-10", true},
    {"mt5-*", "mt4-10", false},
    {"*-eu", "mt5-1-eu", true},
    {"*-eu", "mt5-1-eu-2", false},
    {"*a", "baaa", true},
    {"*ab", "aab", true},
    {"a*b*c", "abbcbc", true},
    {"a*b*c", "abbcb", false},
    {"a*?c", "ac", false},
    {"a*?c", "abc", true},
    {"*?", "", false},
    {"?*", "a", true},
    {"*aab*aac", "aaabaaac", true},
    {"*1*2*", "x2y1z", false},
    {"", "", true},
    {"", "a", false},
    {"a*", "", false},
    {"a.b", "axb", false},
    {"[ab]", "a", false},
    {"[ab]", "[ab]", true},
    {"*b", "a*b", true},
    {"a?b", "a*b", true},
    {"a*b", "a*", false},
};

static void test_glob_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(globs); i++) {
        if (glob_matches(globs[i].glob, slice_text(globs[i].text)) != globs[i].matches)
            fail_msg("%s on %s", globs[i].glob, globs[i].text);
    }
}

static void test_glob_matches_no_nul_with_its_end(void **state)
{
    (void)state;
    assert_false(glob_matches("a", slice_of("a\0", 2)));
    assert_false(glob_matches("", slice_of("\0", 1)));
    assert_true(glob_matches("a?", slice_of("a\0", 2)));
}

/* A matcher that tries every star again would not come back from these. */
static void test_glob_matches_of_hostile_globs_comes_back(void **state)
{
    char glob[WINDOW_GLOB_MAX + 1], text[IDENT_MAX];

    (void)state;
    for (size_t i = 0; i < WINDOW_GLOB_MAX; i++)
        glob[i] = i % 2 ? 'a' : '*';
    glob[63] = 'b';
    glob[WINDOW_GLOB_MAX] = '\0';
    memset(text, 'a', sizeof text);
    assert_false(glob_matches(glob, slice_of(text, sizeof text)));
    text[31] = 'b';
    assert_true(glob_matches(glob, slice_of(text, sizeof text)));
    text[31] = 'a';
    text[30] = 'b';
    assert_false(glob_matches(glob, slice_of(text, sizeof text)));
}

static int64_t time_of(const char *text)
{
    int64_t ms = 0;

    assert_true(time_text_parse(slice_text(text), &ms));
    return ms;
}

static struct maintenance_window window_of(const char *text)
{
    struct maintenance_window window = {.instances = "*", .brokers = "*"};

    assert_true(window_parse_weekly(slice_text(text), &window.from_min, &window.until_min));
    return window;
}

/* 2025-03-21 was a Friday. */
static const struct {
    const char *weekly, *now;
    bool is_open;
    const char *next_change;
} moments[] = {
    {"Fri 22:00-Sun 22:05", "2025-03-21T21:59:59.999Z", false, "2025-03-21T22:00:00Z"},
    {"Fri 22:00-Sun 22:05", "2025-03-21T22:00:00Z", true, "2025-03-23T22:05:00Z"},
    {"Fri 22:00-Sun 22:05", "2025-03-22T12:00:00Z", true, "2025-03-23T22:05:00Z"},
    {"Fri 22:00-Sun 22:05", "2025-03-23T22:04:59.999Z", true, "2025-03-23T22:05:00Z"},
    {"Fri 22:00-Sun 22:05", "2025-03-23T22:05:00Z", false, "2025-03-28T22:00:00Z"},
    {"Fri 22:00-Sun 22:05", "2025-03-24T00:00:00Z", false, "2025-03-28T22:00:00Z"},
    {"Sun 23:00-Mon 01:00", "2025-03-23T22:59:59Z", false, "2025-03-23T23:00:00Z"},
    {"Sun 23:00-Mon 01:00", "2025-03-23T23:00:00Z", true, "2025-03-24T01:00:00Z"},
    {"Sun 23:00-Mon 01:00", "2025-03-23T23:59:59.999Z", true, "2025-03-24T01:00:00Z"},
    {"Sun 23:00-Mon 01:00", "2025-03-24T00:00:00Z", true, "2025-03-24T01:00:00Z"},
    {"Sun 23:00-Mon 01:00", "2025-03-24T01:00:00Z", false, "2025-03-30T23:00:00Z"},
    {"Sun 23:00-Mon 00:00", "2025-03-23T23:30:00Z", true, "2025-03-24T00:00:00Z"},
    {"Sun 23:00-Mon 00:00", "2025-03-24T00:00:00Z", false, "2025-03-30T23:00:00Z"},
    {"Mon 00:00-Mon 00:01", "2025-03-24T00:00:59.999Z", true, "2025-03-24T00:01:00Z"},
    {"Mon 00:00-Mon 00:01", "2025-03-24T00:01:00Z", false, "2025-03-31T00:00:00Z"},
    {"Mon 22:00-Mon 02:00", "2025-03-24T01:00:00Z", true, "2025-03-24T02:00:00Z"},
    {"Mon 22:00-Mon 02:00", "2025-03-24T03:00:00Z", false, "2025-03-24T22:00:00Z"},
    {"Mon 22:00-Mon 02:00", "2025-03-27T03:00:00Z", true, "2025-03-31T02:00:00Z"},
    {"Thu 00:00-Thu 01:00", "1970-01-01T00:00:00Z", true, "1970-01-01T01:00:00Z"},
    {"Sat 00:00-Mon 00:00", "2024-12-31T23:59:59Z", false, "2025-01-04T00:00:00Z"},
};

static void test_window_is_open_and_its_next_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
        struct maintenance_window window = window_of(moments[i].weekly);
        int64_t now_ms = time_of(moments[i].now);
        int64_t next_ms = window_next_change(&window, now_ms);

        assert_int_equal(window_is_open(&window, now_ms), moments[i].is_open);
        assert_int_equal(next_ms, time_of(moments[i].next_change));
        assert_int_equal(window_is_open(&window, next_ms - 1), moments[i].is_open);
        assert_int_equal(window_is_open(&window, next_ms), !moments[i].is_open);
    }
}

static void test_window_is_open_before_1970(void **state)
{
    struct maintenance_window window = window_of("Wed 23:00-Thu 01:00");
    struct maintenance_window weekend = window_of("Fri 22:00-Sun 22:05");
    int64_t saturday_ms = INT64_C(-5) * 86400000;

    (void)state;
    assert_true(window_is_open(&weekend, saturday_ms));
    assert_int_equal(window_next_change(&weekend, saturday_ms), saturday_ms + (1440 + 22 * 60 + 5) * 60000);
    assert_true(window_is_open(&window, -1));
    assert_true(window_is_open(&window, -3600000));
    assert_false(window_is_open(&window, -3600001));
    assert_int_equal(window_next_change(&window, -3600001), -3600000);
    assert_int_equal(window_next_change(&window, -1), 3600000);
}

/* Followed from change to change, a year has as many as it has to. */
static void test_window_next_change_walks_through_a_year(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(weekly); i++) {
        struct maintenance_window window = window_of(weekly[i].text);
        int64_t start_ms = time_of("2025-01-01T12:00:00Z"), now_ms = start_ms;
        bool is_open = window_is_open(&window, now_ms);

        for (int change = 0; change < 104; change++) {
            now_ms = window_next_change(&window, now_ms);
            is_open = !is_open;
            assert_int_equal(window_is_open(&window, now_ms), is_open);
        }
        assert_in_range(now_ms - start_ms, INT64_C(604800000) * 51 + 1, INT64_C(604800000) * 52);
    }
}

static void test_a_window_that_was_never_set_is_closed(void **state)
{
    struct maintenance_window window = {0};

    (void)state;
    assert_false(window_is_open(&window, time_of("2025-03-24T00:00:00Z")));
    assert_false(window_is_open(&window, time_of("2025-03-24T00:01:00Z")));
}

static const struct {
    const char *instances, *brokers, *instance_id, *broker_id;
    bool covers;
} covered[] = {
    {"*", "*", "mt5-1", "b1", true},       {"mt5-*", "b1", "mt5-1", "b1", true},
    {"mt5-*", "b1", "mt5-1", "b2", false}, {"mt5-*", "b1", "mt4-1", "b1", false},
    {"b1", "mt5-1", "mt5-1", "b1", false},
};

static void test_window_covers_by_both_globs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(covered); i++) {
        struct maintenance_window window = {0};

        memcpy(window.instances, covered[i].instances, strlen(covered[i].instances));
        memcpy(window.brokers, covered[i].brokers, strlen(covered[i].brokers));
        assert_int_equal(
            window_covers(&window, slice_text(covered[i].instance_id), slice_text(covered[i].broker_id)),
            covered[i].covers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_parse_weekly),
        cmocka_unit_test(test_window_parse_weekly_refuses_the_rest),
        cmocka_unit_test(test_window_parse_weekly_of_every_prefix),
        cmocka_unit_test(test_glob_is_valid),
        cmocka_unit_test(test_glob_matches),
        cmocka_unit_test(test_glob_matches_no_nul_with_its_end),
        cmocka_unit_test(test_glob_matches_of_hostile_globs_comes_back),
        cmocka_unit_test(test_window_is_open_and_its_next_change),
        cmocka_unit_test(test_window_is_open_before_1970),
        cmocka_unit_test(test_window_next_change_walks_through_a_year),
        cmocka_unit_test(test_a_window_that_was_never_set_is_closed),
        cmocka_unit_test(test_window_covers_by_both_globs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
