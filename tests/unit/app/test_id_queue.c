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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_queue_holds_an_id_once),
        cmocka_unit_test(test_id_queue_takes_again_what_was_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
