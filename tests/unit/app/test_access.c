/* Who may read, by what the Authorization header says. */
#include "app/access.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define READER   "reader-secret-16"
#define REPORTER "reporter-secret-16"
#define ADMIN    "admin-secret-0016"

static struct config_token tokens[] = {
    {.name = (char[]){"r"}, .role = CONFIG_ROLE_READ, .secret = (char[]){READER}},
    {.name = (char[]){"p"}, .role = CONFIG_ROLE_REPORT, .secret = (char[]){REPORTER}},
    {.name = (char[]){"a"}, .role = CONFIG_ROLE_ADMIN, .secret = (char[]){ADMIN}},
};

static void test_access_to_read_rows(void **state)
{
    static const struct {
        struct slice header;
        enum access expected;
    } rows[] = {
        {SLICE("Bearer " READER), ACCESS_GRANTED},
        {SLICE("Bearer " ADMIN), ACCESS_GRANTED},
        {SLICE("bearer   " READER), ACCESS_GRANTED},
        {SLICE("Bearer " REPORTER), ACCESS_WRONG_ROLE},
        {{NULL, 0}, ACCESS_NO_TOKEN},
        {SLICE(""), ACCESS_NO_TOKEN},
        {SLICE("Bearer"), ACCESS_NO_TOKEN},
        {SLICE("Bearer "), ACCESS_NO_TOKEN},
        {SLICE("Bearer" READER), ACCESS_NO_TOKEN},
        {SLICE("Basic " READER), ACCESS_NO_TOKEN},
        {SLICE(READER), ACCESS_NO_TOKEN},
        {SLICE("Bearer x"), ACCESS_WRONG_TOKEN},
        {SLICE("Bearer reader-secret-1"), ACCESS_WRONG_TOKEN},
        {SLICE("Bearer reader-secret-17"), ACCESS_WRONG_TOKEN},
        {SLICE("Bearer " READER "6"), ACCESS_WRONG_TOKEN},
        {SLICE("Bearer " READER READER), ACCESS_WRONG_TOKEN},
        {SLICE("Bearer " READER " "), ACCESS_WRONG_TOKEN},
        {SLICE("Bearer Reader-secret-16"), ACCESS_WRONG_TOKEN},
        {SLICE("Bearer " READER "\0"), ACCESS_WRONG_TOKEN},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(access_to_read(tokens, ARRAY_LEN(tokens), rows[i].header), rows[i].expected);
}

static void test_access_to_read_without_tokens(void **state)
{
    UNUSED(state);
    assert_int_equal(access_to_read(NULL, 0, slice_text("Bearer " READER)), ACCESS_UNCONFIGURED);
    assert_int_equal(access_to_read(NULL, 0, slice_of(NULL, 0)), ACCESS_UNCONFIGURED);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access_to_read_rows),
        cmocka_unit_test(test_access_to_read_without_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
