/* Paths with a parameter, query arguments, and whose Host is believed. */
#include "app/route.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WHY "/api/v1/instances/{id}/why"
#define ONE "/api/v1/instances/{id}"

static void test_route_matches_rows(void **state)
{
    static const struct {
        const char *pattern;
        struct slice path;
        const char *parameter; /* NULL: no match */
    } rows[] = {
        {"/", SLICE("/"), ""},
        {"/", SLICE(""), NULL},
        {"/", SLICE("//"), NULL},
        {"/metrics", SLICE("/metrics"), ""},
        {"/metrics", SLICE("/metrics/"), NULL},
        {"/metrics", SLICE("/metric"), NULL},
        {"/metrics", SLICE("/metrics\0"), NULL},
        {ONE, SLICE("/api/v1/instances/mt5-1"), "mt5-1"},
        {ONE, SLICE("/api/v1/instances/a b"), "a b"},
        {ONE, SLICE("/api/v1/instances/why"), "why"},
        {ONE, SLICE("/api/v1/instances/"), NULL},
        {ONE, SLICE("/api/v1/instances"), NULL},
        {ONE, SLICE("/api/v1/instances/mt5-1/"), NULL},
        {ONE, SLICE("/api/v1/instances/mt5-1/why"), NULL},
        {ONE, SLICE("/api/v2/instances/mt5-1"), NULL},
        {WHY, SLICE("/api/v1/instances/mt5-1/why"), "mt5-1"},
        {WHY, SLICE("/api/v1/instances/why/why"), "why"},
        {WHY, SLICE("/api/v1/instances//why"), NULL},
        {WHY, SLICE("/api/v1/instances/why"), NULL},
        {WHY, SLICE("/api/v1/instances/a/b/why"), NULL},
        {WHY, SLICE("/api/v1/instances/mt5-1/why/"), NULL},
        {WHY, SLICE("/api/v1/instances/mt5-1/Why"), NULL},
        {WHY, SLICE("/why"), NULL},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice parameter = slice_text("untouched");

        assert_int_equal(route_matches(rows[i].pattern, rows[i].path, &parameter), rows[i].parameter != NULL);
        assert_true(slice_is(parameter, rows[i].parameter ? rows[i].parameter : "untouched"));
    }
}

static void test_route_allows_arg_rows(void **state)
{
    static const struct {
        const char *allowed, *name;
        bool expected;
    } rows[] = {
        {"state health limit", "state", true},
        {"state health limit", "health", true},
        {"state health limit", "limit", true},
        {"state health limit", "lim", false},
        {"state health limit", "limits", false},
        {"state health limit", "", false},
        {"state health limit", "State", false},
        {"state health limit", "state health", false},
        {"", "state", false},
        {"", "", false},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(route_allows_arg(rows[i].allowed, slice_text(rows[i].name)), rows[i].expected);
}

static void test_route_host_is_ours_rows(void **state)
{
    static const struct {
        struct slice host;
        bool expected;
    } rows[] = {
        {SLICE(""), true},
        {SLICE("localhost"), true},
        {SLICE("LocalHost:10555"), true},
        {SLICE("a.localhost:80"), true},
        {SLICE("127.0.0.1"), true},
        {SLICE("127.0.0.1:10555"), true},
        {SLICE("10.1.2.3:1"), true},
        {SLICE("[::1]"), true},
        {SLICE("[::1]:10555"), true},
        {SLICE("fleet.lan"), true},
        {SLICE("Fleet.lan:10555"), true},
        {SLICE("evil.example"), false},
        {SLICE("evil.example:10555"), false},
        {SLICE("localhost.evil.example"), false},
        {SLICE("fleet"), true},
        {SLICE("Fleet-1_x:80"), true},
        {SLICE("fleet."), false},
        {SLICE("fleet/"), false},
        {SLICE("a b"), false},
        {SLICE("a@evil.example"), false},
        {SLICE(".localhost"), false},
        {SLICE("127.0.0.1.evil.example"), false},
        {SLICE("127.0.0.1\0"), false},
        {SLICE("0x7f.1"), false},
        {SLICE("[::1"), false},
        {SLICE("[evil.example]"), false},
        {SLICE("[::1].evil.example"), false},
        {SLICE("[::1]:80.evil.example"), false},
        {SLICE("localhost:evil.example"), false},
        {SLICE("127.0.0.1:80:80"), false},
        {SLICE("a%00.localhost:80"), false},
        {SLICE("evil.example/.localhost"), false},
        {SLICE("localhost:"), true},
        {SLICE("[::1]:"), true},
        {SLICE("fleet.lan.evil.example"), false},
        {SLICE(":80"), false},
        {SLICE("1.11111111111111111111111111111111111111111111111111111111111111"), false},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(route_host_is_ours(rows[i].host, "fleet.lan"), rows[i].expected);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route_matches_rows),
        cmocka_unit_test(test_route_allows_arg_rows),
        cmocka_unit_test(test_route_host_is_ours_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
