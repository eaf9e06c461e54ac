/* Those who wait for a batch: told once, in order, and no more of them than there may be. */
#include "app/waiters.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char told[64];

struct one {
    char name;
    struct waiters *again; /* waits once more where it is told */
};

static void on_told(void *ctx, bool is_stored)
{
    struct one *one = ctx;
    size_t len = strlen(told);

    told[len] = one->name;
    told[len + 1] = is_stored ? '+' : '-';
    told[len + 2] = '\0';
    if (one->again)
        assert_true(waiters_add(one->again, 9, on_told, one));
    one->again = NULL;
}

static void test_waiters_tell_stored_in_order(void **state)
{
    struct waiters waiters = {0};
    struct one a = {'a', NULL}, b = {'b', NULL}, c = {'c', NULL};

    UNUSED(state);
    told[0] = '\0';
    waiters_tell_stored(&waiters, 9);
    assert_true(waiters_add(&waiters, 3, on_told, &a));
    assert_true(waiters_add(&waiters, 3, on_told, &b));
    assert_true(waiters_add(&waiters, 4, on_told, &c));
    waiters_tell_stored(&waiters, 2);
    assert_string_equal(told, "");
    waiters_tell_stored(&waiters, 3);
    assert_string_equal(told, "a+b+");
    waiters_tell_stored(&waiters, 4);
    waiters_tell_stored(&waiters, 5);
    assert_string_equal(told, "a+b+c+");
    waiters_clear(&waiters);
}

static void test_waiters_tell_lost_all(void **state)
{
    struct waiters waiters = {0};
    struct one a = {'a', &waiters}, b = {'b', NULL};

    UNUSED(state);
    told[0] = '\0';
    assert_true(waiters_add(&waiters, 3, on_told, &a));
    assert_true(waiters_add(&waiters, 7, on_told, &b));
    waiters_tell_lost(&waiters);
    assert_string_equal(told, "a-b-");
    waiters_tell_stored(&waiters, 9);
    assert_string_equal(told, "a-b-a+");
    waiters_clear(&waiters);
}

static void test_waiters_add_at_the_bound(void **state)
{
    struct waiters waiters = {0};
    struct one a = {'a', NULL};

    UNUSED(state);
    for (size_t i = 0; i < WAITERS_MAX; i++)
        assert_true(waiters_add(&waiters, i, on_told, &a));
    assert_false(waiters_add(&waiters, WAITERS_MAX, on_told, &a));
    told[0] = '\0';
    waiters_tell_stored(&waiters, 0);
    assert_string_equal(told, "a+");
    assert_true(waiters_add(&waiters, WAITERS_MAX, on_told, &a));
    waiters_clear(&waiters);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiters_tell_stored_in_order),
        cmocka_unit_test(test_waiters_tell_lost_all),
        cmocka_unit_test(test_waiters_add_at_the_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
