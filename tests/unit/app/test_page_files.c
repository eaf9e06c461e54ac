/* Whether a browser has the file already: If-None-Match. */
#include "app/page_files.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_page_is_known_rows(void **state)
{
    static const struct {
        struct slice header;
        bool expected;
    } rows[] = {
        {SLICE("\"abc\""), true},
        {SLICE("W/\"abc\""), true},
        {SLICE("*"), true},
        {SLICE("\"x\", \"abc\""), true},
        {SLICE("\"x\",W/\"abc\" , \"y\""), true},
        {SLICE(" \t\"abc\"\t "), true},
        {{NULL, 0}, false},
        {SLICE(""), false},
        {SLICE(","), false},
        {SLICE("abc"), false},
        {SLICE("\"ab\""), false},
        {SLICE("\"abcd\""), false},
        {SLICE("\"abc\"x"), false},
        {SLICE("w/\"abc\""), false},
        {SLICE("W/"), false},
        {SLICE("\"a\" \"abc\""), false},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(page_is_known(rows[i].header, "\"abc\""), rows[i].expected);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_is_known_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
