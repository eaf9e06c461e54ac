/* core/labels.h */
#include "core/labels.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static uint32_t intern(struct labels *labels, const char *name)
{
    return labels_intern(labels, slice_text(name));
}

static void assert_name(const struct labels *labels, uint32_t number, const char *name)
{
    assert_true(slice_is(labels_name(labels, number), name));
}

static void test_labels_intern_gives_numbers_as_they_come(void **state)
{
    struct labels labels = {0};

    UNUSED(state);
    assert_int_equal(intern(&labels, "buy"), 0);
    assert_int_equal(intern(&labels, "sell"), 1);
    assert_int_equal(intern(&labels, "buy"), 0);
    assert_int_equal(intern(&labels, "bu"), 2);
    assert_name(&labels, 0, "buy");
    assert_name(&labels, 1, "sell");
    assert_name(&labels, 2, "bu");
}

static void test_labels_intern_calls_what_is_too_many_other(void **state)
{
    struct labels labels = {0};
    char name[16];

    UNUSED(state);
    for (uint32_t i = 0; i < LABELS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "action-%u", i);
        assert_int_equal(intern(&labels, name), i);
    }
    assert_int_equal(intern(&labels, "one-more"), LABELS_OTHER);
    assert_int_equal(intern(&labels, "action-63"), 63);
    assert_int_equal(labels.count, LABELS_MAX);
    assert_name(&labels, LABELS_OTHER, "other");
}

static void test_labels_intern_has_no_second_other(void **state)
{
    struct labels labels = {0};

    UNUSED(state);
    assert_int_equal(intern(&labels, "other"), LABELS_OTHER);
    assert_int_equal(labels.count, 0);
}

static void test_labels_name_of_a_number_never_given_is_other(void **state)
{
    struct labels labels = {0};

    UNUSED(state);
    assert_name(&labels, 7, "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_intern_gives_numbers_as_they_come),
        cmocka_unit_test(test_labels_intern_calls_what_is_too_many_other),
        cmocka_unit_test(test_labels_intern_has_no_second_other),
        cmocka_unit_test(test_labels_name_of_a_number_never_given_is_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
