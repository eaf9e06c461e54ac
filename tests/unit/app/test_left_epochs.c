/* Which data is ours from before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "app/left_epochs.h"
#include "util/macros.h"
#include <cmocka.h>
#include <stdio.h>

static void test_holds_what_was_left_and_not_gone_beyond(void **state)
{
    struct left_epochs left = {0};

    UNUSED(state);
    assert_false(left_epochs_holds(&left, "", 0));
    left_epochs_add(&left, "a", 10);
    left_epochs_add(&left, "", 99);
    assert_true(left_epochs_holds(&left, "a", 10));
    assert_true(left_epochs_holds(&left, "a", 3));
    assert_false(left_epochs_holds(&left, "a", 11)); /* somebody else has written there */
    assert_false(left_epochs_holds(&left, "b", 0));
    assert_false(left_epochs_holds(&left, "", 0));
    left_epochs_clear(&left);
    assert_false(left_epochs_holds(&left, "a", 3));
}

static void test_add_keeps_the_newest(void **state)
{
    struct left_epochs left = {0};
    char epoch[EPOCH_LEN + 1];

    UNUSED(state);
    for (int i = 0; i < 3 * LEFT_EPOCHS_MAX; i++) {
        (void)snprintf(epoch, sizeof(epoch), "%032d", i);
        left_epochs_add(&left, epoch, 1);
    }
    for (int i = 0; i < 3 * LEFT_EPOCHS_MAX; i++) {
        (void)snprintf(epoch, sizeof(epoch), "%032d", i);
        assert_int_equal(left_epochs_holds(&left, epoch, 1), i >= 2 * LEFT_EPOCHS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds_what_was_left_and_not_gone_beyond),
        cmocka_unit_test(test_add_keeps_the_newest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
