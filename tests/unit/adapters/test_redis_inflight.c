/* The ring of commands that wait for an answer. */
#include "../../../src/adapters/redis_inflight.h"

#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void receive_a(void *ctx, void *reply)
{
    UNUSED(ctx);
    UNUSED(reply);
}

static void receive_b(void *ctx, void *reply)
{
    UNUSED(ctx);
    UNUSED(reply);
}

static void test_ring_keeps_order_while_it_grows_and_wraps(void **state)
{
    static char objects[20000];
    struct redis_inflight q = {0};
    size_t in = 0, out = 0;

    UNUSED(state);
    /* Three in, two out: it wraps around several times before each growth. */
    while (out < 10000) {
        redis_reply_fn fn;
        void *ctx;

        for (int i = 0; i < 3 && in < sizeof(objects); i++, in++)
            redis_inflight_add(&q, in % 2 ? receive_b : receive_a, &objects[in], 1, (int64_t)in);
        for (int i = 0; i < 2; i++, out++) {
            assert_int_equal(redis_inflight_deadline(&q), out);
            assert_true(redis_inflight_take(&q, &fn, &ctx));
            assert_ptr_equal(ctx, &objects[out]);
            assert_ptr_equal(fn, out % 2 ? receive_b : receive_a);
        }
        assert_int_equal(q.commands, in - out);
    }
    redis_inflight_clear(&q);
}

static void test_entry_answers_as_often_as_it_has_commands(void **state)
{
    struct redis_inflight q = {0};
    redis_reply_fn fn;
    void *ctx;

    UNUSED(state);
    redis_inflight_add(&q, receive_a, NULL, 3, 10);
    redis_inflight_add(&q, receive_b, NULL, 1, 20);
    assert_int_equal(q.commands, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(redis_inflight_deadline(&q), i < 3 ? 10 : 20);
        assert_true(redis_inflight_take(&q, &fn, &ctx));
        assert_ptr_equal(fn, i < 3 ? receive_a : receive_b);
    }
    assert_int_equal(q.commands, 0);
    assert_false(redis_inflight_take(&q, &fn, &ctx));
    assert_true(redis_inflight_deadline(&q) == INT64_MAX);
    redis_inflight_clear(&q);
}

static void test_deadline_is_not_before_that_of_earlier_commands(void **state)
{
    static const int64_t rows[][2] = {{100, 100}, {5000, 5000}, {200, 5000}, {5100, 5100}};
    struct redis_inflight q = {0};
    redis_reply_fn fn;
    void *ctx;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        redis_inflight_add(&q, receive_a, NULL, 1, rows[i][0]);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(redis_inflight_deadline(&q), rows[i][1]);
        assert_true(redis_inflight_take(&q, &fn, &ctx));
    }
    redis_inflight_add(&q, receive_a, NULL, 1, 300); /* nothing is before it any more */
    assert_int_equal(redis_inflight_deadline(&q), 300);
    redis_inflight_clear(&q);
}

static void test_memory_of_a_burst_is_given_back(void **state)
{
    struct redis_inflight q = {0};
    redis_reply_fn fn;
    void *ctx;

    UNUSED(state);
    for (int i = 0; i < 100000; i++)
        redis_inflight_add(&q, receive_a, NULL, 1, i);
    while (redis_inflight_take(&q, &fn, &ctx))
        continue;
    assert_true(q.cap <= 4096);
    redis_inflight_clear(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_keeps_order_while_it_grows_and_wraps),
        cmocka_unit_test(test_entry_answers_as_often_as_it_has_commands),
        cmocka_unit_test(test_deadline_is_not_before_that_of_earlier_commands),
        cmocka_unit_test(test_memory_of_a_burst_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
