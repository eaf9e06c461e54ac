/* core/histogram.h */
#include "core/histogram.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const double bounds[] = {-1, 0, 2.5};

static void test_histogram_observe_counts_in_one_bucket(void **state)
{
    static const struct {
        double value;
        size_t bucket;
    } rows[] = {{-7, 0}, {-1, 0}, {-.5, 1}, {0, 1}, {.0001, 2}, {2.5, 2}, {2.500001, 3}, {1e300, 3}};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct histogram h;

        histogram_init(&h, bounds, ARRAY_LEN(bounds));
        histogram_observe(&h, rows[i].value);
        for (size_t bucket = 0; bucket <= ARRAY_LEN(bounds); bucket++)
            assert_int_equal(h.counts[bucket], bucket == rows[i].bucket);
        assert_int_equal(h.count, 1);
        assert_true(h.sum == rows[i].value);
    }
}

static void test_histogram_observe_adds_up(void **state)
{
    struct histogram h;

    UNUSED(state);
    histogram_init(&h, bounds, ARRAY_LEN(bounds));
    histogram_observe(&h, 1);
    histogram_observe(&h, 2);
    histogram_observe(&h, 100);
    assert_int_equal(h.counts[2], 2);
    assert_int_equal(h.counts[3], 1);
    assert_int_equal(h.count, 3);
    assert_true(h.sum == 103);
}

static void test_histogram_observe_id_keeps_the_last_of_a_bucket(void **state)
{
    struct exemplar exemplars[ARRAY_LEN(bounds) + 1] = {0};
    struct histogram h;

    UNUSED(state);
    histogram_init(&h, bounds, ARRAY_LEN(bounds));
    h.exemplars = exemplars;
    histogram_observe_id(&h, 1, slice_text("a"), 10);
    histogram_observe_id(&h, 2, slice_text("b"), 20);
    histogram_observe_id(&h, 1.5, slice_text(""), 30);
    histogram_observe_id(&h, 9, slice_text("c"), 40);
    assert_true(slice_is(ident_slice(&exemplars[2].id), "b"));
    assert_true(exemplars[2].value == 2);
    assert_int_equal(exemplars[2].at_ms, 20);
    assert_true(slice_is(ident_slice(&exemplars[3].id), "c"));
    assert_int_equal(exemplars[0].id.len, 0);
    assert_int_equal(h.count, 4);
}

static void test_histogram_observe_id_without_exemplars_counts(void **state)
{
    struct histogram h;

    UNUSED(state);
    histogram_init(&h, bounds, ARRAY_LEN(bounds));
    histogram_observe_id(&h, 1, slice_text("a"), 10);
    assert_int_equal(h.counts[2], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram_observe_counts_in_one_bucket),
        cmocka_unit_test(test_histogram_observe_adds_up),
        cmocka_unit_test(test_histogram_observe_id_keeps_the_last_of_a_bucket),
        cmocka_unit_test(test_histogram_observe_id_without_exemplars_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
