#include "core/ident.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *text;
    bool is_valid;
} rows[] = {
    {"mt5-1", true},
    {"a", true},
    {"Z", true},
    {"0", true},
    {"550e8400-e29b-41d4-a716-446655440000", true},
    {"a.b_c-d", true},
    {"A..-_z", true},
    {"", false},
    {"-a", false},
    {"a-", false},
    {".a", false},
    {"a.", false},
    {"_a", false},
    {"a_", false},
    {"-", false},
    {"a b", false},
    {"a:b", false},
    {"a/b", false},
    {"a\nb", false},
    {"a{b}", false},
    {"a*b", false},
    {"\xc3\xa4", false},
    {"a\x7f"
     "b",
     false},
    {"a@b", false},
    {"a[b", false},
    {"a`b", false},
};

static void test_ident_is_valid_by_its_characters(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (ident_is_valid(slice_text(rows[i].text), IDENT_MAX) != rows[i].is_valid)
            fail_msg("%s", rows[i].text);
    }
}

static void test_ident_is_valid_refuses_a_nul(void **state)
{
    (void)state;
    assert_false(ident_is_valid(slice_of("a\0b", 3), IDENT_MAX));
}

static void test_ident_is_valid_up_to_its_length(void **state)
{
    char text[IDENT_COMMAND_MAX + 1];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_true(ident_is_valid(slice_of(text, 64), IDENT_MAX));
    assert_false(ident_is_valid(slice_of(text, 65), IDENT_MAX));
    assert_true(ident_is_valid(slice_of(text, 160), IDENT_COMMAND_MAX));
    assert_false(ident_is_valid(slice_of(text, 161), IDENT_COMMAND_MAX));
    assert_false(ident_is_valid(slice_of(text, 33), IDENT_ACTION_MAX));
}

static void test_ident_set_copies_and_clears(void **state)
{
    struct ident id;

    (void)state;
    ident_set(&id, slice_text("mt5-1"));
    assert_true(slice_is(ident_slice(&id), "mt5-1"));
    ident_set(&id, slice_text(NULL));
    assert_int_equal(ident_slice(&id).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ident_is_valid_by_its_characters),
        cmocka_unit_test(test_ident_is_valid_refuses_a_nul),
        cmocka_unit_test(test_ident_is_valid_up_to_its_length),
        cmocka_unit_test(test_ident_set_copies_and_clears),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
