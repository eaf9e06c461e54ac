/* The last minutes in samples: what each counts, restarts of the counting, the bound, latencies. */
#include "app/history.h"
#include "util/alloc.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const double bounds[] = {.1, .2, .4};

struct world {
    struct history *history;
    struct histogram latency;
    struct history_totals totals;
};

static void world_init(struct world *w)
{
    *w = (struct world){.history = mem_new(1, sizeof(struct history))};
    histogram_init(&w->latency, bounds, ARRAY_LEN(bounds));
    w->totals.latency = &w->latency;
    w->totals.generation = 1;
}

static void add(struct world *w, int64_t at_ms)
{
    history_add(w->history, &w->totals, at_ms);
}

static const struct history_sample *newest(const struct world *w)
{
    return history_get(w->history, w->history->count - 1);
}

static void test_history_add_counts_what_came_since(void **state)
{
    struct world w;

    UNUSED(state);
    world_init(&w);
    w.totals.counts[HISTORY_RECEIVED] = 1000; /* of long ago: no peak */
    add(&w, 10000);
    assert_int_equal(newest(&w)->counts[HISTORY_RECEIVED], 0);
    assert_int_equal(newest(&w)->over_ms, 0);
    w.totals.counts[HISTORY_RECEIVED] = 1020;
    w.totals.counts[HISTORY_LOST] = 3;
    w.totals.open = 7;
    w.totals.oldest_ms = 900;
    add(&w, 11500);
    assert_int_equal(newest(&w)->at_ms, 11500);
    assert_int_equal(newest(&w)->over_ms, 1500);
    assert_int_equal(newest(&w)->counts[HISTORY_RECEIVED], 20);
    assert_int_equal(newest(&w)->counts[HISTORY_PROCESSED], 0);
    assert_int_equal(newest(&w)->counts[HISTORY_LOST], 3);
    assert_int_equal(newest(&w)->open, 7);
    assert_int_equal(newest(&w)->oldest_ms, 900);
    free(w.history);
}

static void test_history_add_knows_a_restart_of_counting(void **state)
{
    struct world w;

    UNUSED(state);
    world_init(&w);
    w.totals.counts[HISTORY_PROCESSED] = 50;
    add(&w, 1000);
    w.totals.generation = 2;
    w.totals.counts[HISTORY_PROCESSED] = 90;
    add(&w, 2000);
    assert_int_equal(newest(&w)->counts[HISTORY_PROCESSED], 0);
    assert_int_equal(newest(&w)->over_ms, 0);
    w.totals.counts[HISTORY_PROCESSED] = 91;
    add(&w, 3000);
    assert_int_equal(newest(&w)->counts[HISTORY_PROCESSED], 1);
    w.totals.counts[HISTORY_PROCESSED] = 10; /* less than before, without being told */
    add(&w, 4000);
    assert_int_equal(newest(&w)->counts[HISTORY_PROCESSED], 0);
    free(w.history);
}

static void test_history_add_a_clock_that_went_back(void **state)
{
    struct world w;

    UNUSED(state);
    world_init(&w);
    add(&w, 5000);
    add(&w, 5000);
    add(&w, 4000);
    assert_int_equal(w.history->count, 1);
    add(&w, 4500); /* goes on from there */
    assert_int_equal(w.history->count, 2);
    assert_int_equal(newest(&w)->over_ms, 500);
    free(w.history);
}

static void test_history_is_bounded(void **state)
{
    struct world w;

    UNUSED(state);
    world_init(&w);
    for (int i = 1; i <= HISTORY_SAMPLES + 7; i++)
        add(&w, i * 1000);
    assert_int_equal(w.history->count, HISTORY_SAMPLES);
    assert_int_equal(history_get(w.history, 0)->at_ms, 8000);
    assert_int_equal(newest(&w)->at_ms, (HISTORY_SAMPLES + 7) * 1000);
    free(w.history);
}

static void observe(struct world *w, double seconds, int times)
{
    for (int i = 0; i < times; i++)
        histogram_observe(&w->latency, seconds);
}

static void test_history_latency_is_that_of_its_sample(void **state)
{
    struct world w;

    UNUSED(state);
    world_init(&w);
    observe(&w, .3, 100); /* of before the first sample */
    add(&w, 1000);
    assert_true(newest(&w)->p50_ms < 0 && newest(&w)->p99_ms < 0);
    observe(&w, .05, 10);
    add(&w, 2000);
    assert_float_equal(newest(&w)->p50_ms, 50, .01);
    assert_float_equal(newest(&w)->p99_ms, 99, .01);
    observe(&w, .15, 98);
    observe(&w, 9, 2); /* beyond every bound */
    add(&w, 3000);
    assert_true(newest(&w)->p50_ms > 100 && newest(&w)->p50_ms < 200);
    assert_float_equal(newest(&w)->p99_ms, 400, .01);
    add(&w, 4000);
    assert_true(newest(&w)->p50_ms < 0 && newest(&w)->p99_ms < 0);
    free(w.history);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history_add_counts_what_came_since),
        cmocka_unit_test(test_history_add_knows_a_restart_of_counting),
        cmocka_unit_test(test_history_add_a_clock_that_went_back),
        cmocka_unit_test(test_history_is_bounded),
        cmocka_unit_test(test_history_latency_is_that_of_its_sample),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
