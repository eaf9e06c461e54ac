/* Who may do what, by what the Authorization header says. */
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

static const struct config_token *found;

static enum access check(struct slice header, enum access_need need)
{
    return access_check(tokens, ARRAY_LEN(tokens), header, need, &found);
}

static void test_access_check_headers(void **state)
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
        assert_int_equal(check(rows[i].header, ACCESS_TO_READ), rows[i].expected);
}

static void test_access_check_roles(void **state)
{
    static const struct {
        struct slice header;
        bool may[3]; /* by enum access_need */
    } rows[] = {
        {SLICE("Bearer " READER), {true, false, false}},
        {SLICE("Bearer " REPORTER), {false, true, false}},
        {SLICE("Bearer " ADMIN), {true, true, true}},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (unsigned need = ACCESS_TO_READ; need <= ACCESS_TO_CHANGE; need++) {
            assert_int_equal(check(rows[i].header, (enum access_need)need),
                             rows[i].may[need] ? ACCESS_GRANTED : ACCESS_WRONG_ROLE);
            assert_ptr_equal(found, &tokens[i]);
        }
    }
    assert_int_equal(check(slice_text("Bearer x"), ACCESS_TO_CHANGE), ACCESS_WRONG_TOKEN);
    assert_null(found);
    assert_int_equal(check(slice_of(NULL, 0), ACCESS_TO_CHANGE), ACCESS_NO_TOKEN);
    assert_null(found);
}

/* Any name, the token as the password; for reading alone. */
static void test_access_check_basic(void **state)
{
    static const struct {
        struct slice header;
        enum access expected;
    } rows[] = {
        {SLICE("Basic YTpyZWFkZXItc2VjcmV0LTE2"), ACCESS_GRANTED},         /* a:reader-secret-16 */
        {SLICE("basic  OnJlYWRlci1zZWNyZXQtMTY="), ACCESS_GRANTED},        /* :reader-secret-16 */
        {SLICE("Basic bG9uZ2VyOmFkbWluLXNlY3JldC0wMDE2"), ACCESS_GRANTED}, /* longer:admin-secret-0016 */
        {SLICE("Basic YWI6cmVwb3J0ZXItc2VjcmV0LTE2"), ACCESS_WRONG_ROLE},  /* ab:reporter-secret-16 */
        {SLICE("Basic YTpyZWFkZXItc2VjcmV0LTE3"), ACCESS_WRONG_TOKEN},     /* a:reader-secret-17 */
        {SLICE("Basic YTpiOnJlYWRlci1zZWNyZXQtMTY="), ACCESS_WRONG_TOKEN}, /* a:b:reader-secret-16 */
        {SLICE("Basic cmVhZGVyLXNlY3JldC0xNjp4"), ACCESS_WRONG_TOKEN},     /* reader-secret-16:x */
        {SLICE("Basic cmVhZGVyLXNlY3JldC0xNg=="), ACCESS_NO_TOKEN},        /* without a colon */
        {SLICE("Basic YTo="), ACCESS_NO_TOKEN},                            /* a: */
        {SLICE("Basic YTpyZWFkZXItc2VjcmV0LTE"), ACCESS_NO_TOKEN},         /* cut off */
        {SLICE("Basic YTpyZWFkZXItc2VjcmV0LT=2"), ACCESS_NO_TOKEN},
        {SLICE("Basic YTpyZWFkZXItc2VjcmV0LT-2"), ACCESS_NO_TOKEN},
        {SLICE("Basic ===="), ACCESS_NO_TOKEN},
        {SLICE("Basic "), ACCESS_NO_TOKEN},
        {SLICE("Basic a:reader-secret-16"), ACCESS_NO_TOKEN},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(check(rows[i].header, ACCESS_TO_READ), rows[i].expected);
        assert_int_equal(check(rows[i].header, ACCESS_TO_REPORT), ACCESS_NO_TOKEN);
        assert_int_equal(check(rows[i].header, ACCESS_TO_CHANGE), ACCESS_NO_TOKEN);
        assert_null(found);
    }
}

/* What is longer than any token is not decoded. */
static void test_access_check_basic_length(void **state)
{
    char header[8192] = "Basic ";

    UNUSED(state);
    for (size_t len = 4; len + 6 <= sizeof(header); len += 4) {
        memset(header + 6, 'A', len); /* NULs */
        assert_int_equal(check(slice_of(header, 6 + len), ACCESS_TO_READ), ACCESS_NO_TOKEN);
    }
}

static void test_access_check_without_tokens(void **state)
{
    UNUSED(state);
    assert_int_equal(access_check(NULL, 0, slice_text("Bearer " READER), ACCESS_TO_CHANGE, &found),
                     ACCESS_UNCONFIGURED);
    assert_int_equal(access_check(NULL, 0, slice_of(NULL, 0), ACCESS_TO_READ, &found), ACCESS_UNCONFIGURED);
    assert_null(found);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access_check_headers),        cmocka_unit_test(test_access_check_roles),
        cmocka_unit_test(test_access_check_basic),          cmocka_unit_test(test_access_check_basic_length),
        cmocka_unit_test(test_access_check_without_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
