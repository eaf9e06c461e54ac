/* util/errmsg.h: what does not fit is cut between characters. */
#include "util/errmsg.h"
#include "util/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define ROOM (sizeof(((struct errmsg *)NULL)->text) - 1)

static void test_errmsg_set_formats(void **state)
{
    struct errmsg e;

    UNUSED(state);
    errmsg_set(&e, "%s: line %d", "file", 7);
    assert_string_equal(e.text, "file: line 7");
}

static void test_errmsg_set_without_errmsg(void **state)
{
    UNUSED(state);
    errmsg_set(NULL, "%d", 1);
}

static void test_errmsg_set_from_its_own_text(void **state)
{
    struct errmsg e;

    UNUSED(state);
    errmsg_set(&e, "not a number");
    errmsg_set(&e, "redis.port: %s", e.text);
    assert_string_equal(e.text, "redis.port: not a number");
}

static void test_errmsg_set_cuts_at_whole_character(void **state)
{
    static const char *const characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    struct errmsg e;
    char text[ROOM + 20];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(characters); i++) {
        size_t len = strlen(characters[i]);

        for (size_t before = ROOM - 5; before <= ROOM; before++) {
            memset(text, 'x', before);
            strcpy(text + before, characters[i]);
            strcat(text, "tail to be cut");
            errmsg_set(&e, "%s", text);
            assert_true(utf8_is_valid(slice_text(e.text)));
            assert_memory_equal(e.text, text, strlen(e.text));
            assert_int_equal(strlen(e.text), before + len > ROOM ? before : ROOM);
        }
    }
}

static void test_errmsg_set_keeps_what_just_fits(void **state)
{
    struct errmsg e;
    char text[ROOM + 1] = {0};

    UNUSED(state);
    memset(text, 'x', ROOM - 2);
    strcat(text, "\xc3\xa9");
    errmsg_set(&e, "%s", text);
    assert_string_equal(e.text, text);
}

static void test_errmsg_set_of_bytes_that_are_no_text(void **state)
{
    struct errmsg e;
    char text[ROOM + 20] = {0};

    UNUSED(state);
    memset(text, 0x80, sizeof(text) - 1);
    errmsg_set(&e, "%s", text);
    assert_int_equal(strlen(e.text), ROOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errmsg_set_formats),
        cmocka_unit_test(test_errmsg_set_without_errmsg),
        cmocka_unit_test(test_errmsg_set_from_its_own_text),
        cmocka_unit_test(test_errmsg_set_cuts_at_whole_character),
        cmocka_unit_test(test_errmsg_set_keeps_what_just_fits),
        cmocka_unit_test(test_errmsg_set_of_bytes_that_are_no_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
