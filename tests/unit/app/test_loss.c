/* What is counted of a loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "app/loss.h"
#include "util/macros.h"
#include <cmocka.h>
#include <string.h>

static void test_looking_again_counts_nothing_twice(void **state)
{
    struct loss loss = {0};

    UNUSED(state);
    loss_begin(&loss);
    loss_find(&loss, LOSS_RESULTS, 3);
    loss_find(&loss, LOSS_RESULTS, 2);
    loss_find(&loss, LOSS_RESULTS, 4);
    loss_count(&loss, LOSS_UNREAD, 1);
    loss_count(&loss, LOSS_UNREAD, 1);
    assert_int_equal(loss.found[LOSS_RESULTS], 4);
    assert_int_equal(loss.found[LOSS_UNREAD], 2);
    loss_begin(&loss);
    loss_find(&loss, LOSS_RESULTS, 1);
    assert_int_equal(loss.found[LOSS_RESULTS], 1);
    assert_int_equal(loss.found[LOSS_UNREAD], 0);
    assert_int_equal(loss.total[LOSS_RESULTS], 5);
    assert_int_equal(loss.total[LOSS_UNREAD], 2);
}

static void test_each_kind_has_a_name_of_its_own(void **state)
{
    UNUSED(state);
    for (int a = 0; a < LOSS_KINDS; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(loss_kind_name((enum loss_kind)a), loss_kind_name((enum loss_kind)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looking_again_counts_nothing_twice),
        cmocka_unit_test(test_each_kind_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
