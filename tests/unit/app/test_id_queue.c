/* What waits for a look: each id once, until it has been looked at. */
#include "app/id_queue.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct slice id_at(const struct id_queue *q, uint32_t index)
{
    return ident_slice(&q->ids[index]);
}

static void test_id_queue_holds_an_id_once(void **state)
{
    struct id_queue q;

    UNUSED(state);
    id_queue_init(&q);
    assert_true(id_queue_add(&q, slice_text("mt5-1"), 2));
    assert_false(id_queue_add(&q, slice_text("mt5-1"), 2));
    assert_false(id_queue_add(&q, slice_text("no id"), 2));
    assert_true(id_queue_add(&q, slice_text("mt5-2"), 2));
    assert_false(id_queue_add(&q, slice_text("mt5-3"), 2));
    assert_int_equal(q.count, 2);
    id_queue_clear(&q);
}

static void test_id_queue_takes_again_what_was_looked_at(void **state)
{
    struct id_queue q;

    UNUSED(state);
    id_queue_init(&q);
    assert_true(id_queue_add(&q, slice_text("mt5-1"), 9));
    assert_true(id_queue_add(&q, slice_text("mt5-2"), 9));
    id_queue_let_again(&q, 0);
    id_queue_let_again(&q, 0);
    assert_false(id_queue_add(&q, slice_text("mt5-2"), 9));
    assert_true(id_queue_add(&q, slice_text("mt5-1"), 9));
    assert_false(id_queue_add(&q, slice_text("mt5-1"), 9));
    assert_int_equal(q.count, 3);
    assert_true(slice_is(id_at(&q, 2), "mt5-1"));
    /* The first one is not the one that waits. */
    id_queue_let_again(&q, 0);
    assert_false(id_queue_add(&q, slice_text("mt5-1"), 9));
    id_queue_reset(&q);
    assert_true(id_queue_add(&q, slice_text("mt5-1"), 9));
    id_queue_clear(&q);
}

/* Regression: where something was always left to be looked at, what had been stayed too, up to a million. */
static void test_id_queue_drops_what_was_looked_at(void **state)
{
    struct id_queue q;

    UNUSED(state);
    id_queue_init(&q);
    assert_true(id_queue_add(&q, slice_text("mt5-1"), 4));
    assert_true(id_queue_add(&q, slice_text("mt5-2"), 4));
    id_queue_let_again(&q, 0);
    id_queue_let_again(&q, 1);
    assert_true(id_queue_add(&q, slice_text("mt5-2"), 4));
    assert_true(id_queue_add(&q, slice_text("mt5-3"), 4));
    id_queue_drop(&q, 2);
    assert_int_equal(q.count, 2);
    assert_true(slice_is(id_at(&q, 0), "mt5-2"));
    assert_true(slice_is(id_at(&q, 1), "mt5-3"));
    assert_false(id_queue_add(&q, slice_text("mt5-2"), 4));
    assert_true(id_queue_add(&q, slice_text("mt5-1"), 4));
    /* One that may be again, and is. */
    id_queue_let_again(&q, 1);
    assert_true(id_queue_add(&q, slice_text("mt5-3"), 4));
    id_queue_drop(&q, 1);
    assert_int_equal(q.count, 3);
    assert_false(id_queue_add(&q, slice_text("mt5-3"), 4));
    id_queue_drop(&q, 3);
    assert_int_equal(q.count, 0);
    assert_true(id_queue_add(&q, slice_text("mt5-3"), 4));
    id_queue_clear(&q);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_queue_holds_an_id_once),
        cmocka_unit_test(test_id_queue_takes_again_what_was_looked_at),
        cmocka_unit_test(test_id_queue_drops_what_was_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
