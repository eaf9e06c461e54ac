/* core/trade_stats.h: what is held of the newest trades. */
#include "core/trade_stats.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static struct trade_stat *touch(struct trade_stats *stats, const char *id, int64_t now_ms)
{
    return trade_stats_touch(stats, slice_text(id), now_ms);
}

static bool has(const struct trade_stats *stats, const char *id)
{
    return trade_stats_find(stats, slice_text(id)) != NULL;
}

/* The clock may stand still: what counts is the order. */
static void test_trade_stats_touch_keeps_the_newest(void **state)
{
    struct trade_stats stats;

    UNUSED(state);
    trade_stats_init(&stats, 3, 1000);
    assert_false(has(&stats, "a"));
    touch(&stats, "a", 5);
    touch(&stats, "b", 5);
    touch(&stats, "c", 5);
    touch(&stats, "a", 5);
    touch(&stats, "d", 5);
    assert_true(has(&stats, "a") && has(&stats, "c") && has(&stats, "d"));
    assert_false(has(&stats, "b"));
    touch(&stats, "e", 5);
    touch(&stats, "f", 5);
    assert_true(has(&stats, "d") && has(&stats, "e") && has(&stats, "f"));
    assert_int_equal(stats.count, 3);
    assert_int_equal(stats.evicted, 3);
    trade_stats_clear(&stats);
}

static void test_trade_stats_count_no_old_one_as_evicted(void **state)
{
    struct trade_stats stats;

    UNUSED(state);
    trade_stats_init(&stats, 1, 1000);
    touch(&stats, "a", 0);
    touch(&stats, "b", 1001);
    assert_int_equal(stats.evicted, 0);
    touch(&stats, "c", 2001);
    assert_int_equal(stats.evicted, 1);
    trade_stats_clear(&stats);
}

static void test_trade_stats_touch_gives_a_fresh_item(void **state)
{
    struct trade_stats stats;
    struct trade_stat *stat;

    UNUSED(state);
    trade_stats_init(&stats, 1, 1000);
    stat = touch(&stats, "a", 0);
    assert_true(stat->latency_us < 0 && stat->set_latency_us < 0 && stat->retrieval_latency_us < 0);
    stat->latency_us = 5;
    trade_stat_count(stat, 0);
    assert_true(touch(&stats, "a", 0)->latency_us == 5);
    stat = touch(&stats, "b", 0);
    assert_true(stat->latency_us < 0);
    assert_true(trade_stat_rate(stat, 0) == 0);
    trade_stats_clear(&stats);
}

static void test_trade_stats_with_no_room_hold_nothing(void **state)
{
    struct trade_stats stats;

    UNUSED(state);
    trade_stats_init(&stats, 0, 1000);
    assert_null(touch(&stats, "a", 0));
    assert_false(has(&stats, "a"));
    trade_stats_resize(&stats, 2, 1000);
    assert_non_null(touch(&stats, "a", 0));
    trade_stats_resize(&stats, 0, 1000);
    assert_false(has(&stats, "a"));
    trade_stats_clear(&stats);
}

static void test_trade_stat_rate_is_over_ten_seconds(void **state)
{
    struct trade_stats stats;
    struct trade_stat *stat;

    UNUSED(state);
    trade_stats_init(&stats, 1, 1000);
    stat = touch(&stats, "a", 100000);
    for (int i = 0; i < 5; i++)
        trade_stat_count(stat, 100000);
    trade_stat_count(stat, 104000);
    assert_true(trade_stat_rate(stat, 104000) == 0.6);
    assert_true(trade_stat_rate(stat, 109999) == 0.6);
    assert_true(trade_stat_rate(stat, 110000) == 0.1);
    assert_true(trade_stat_rate(stat, 114000) == 0);
    trade_stats_clear(&stats);
}

static void test_trade_stats_hold_many(void **state)
{
    struct trade_stats stats;
    char id[16];

    UNUSED(state);
    trade_stats_init(&stats, 100, 1000);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(id, sizeof(id), "t%d", i);
        touch(&stats, id, i);
    }
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(id, sizeof(id), "t%d", i);
        assert_int_equal(has(&stats, id), i >= 900);
    }
    trade_stats_clear(&stats);
}

/* One from between two others. */
static void test_trade_stats_touch_takes_out_of_the_middle(void **state)
{
    struct trade_stats stats;

    UNUSED(state);
    trade_stats_init(&stats, 3, 1000);
    touch(&stats, "a", 0);
    touch(&stats, "b", 1);
    touch(&stats, "c", 2);
    touch(&stats, "b", 3);
    touch(&stats, "d", 4); /* instead of a */
    assert_true(!has(&stats, "a") && has(&stats, "b") && has(&stats, "c"));
    touch(&stats, "e", 5); /* instead of c */
    assert_true(has(&stats, "b") && !has(&stats, "c") && has(&stats, "d"));
    trade_stats_clear(&stats);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trade_stats_touch_keeps_the_newest),
        cmocka_unit_test(test_trade_stats_count_no_old_one_as_evicted),
        cmocka_unit_test(test_trade_stats_touch_gives_a_fresh_item),
        cmocka_unit_test(test_trade_stats_with_no_room_hold_nothing),
        cmocka_unit_test(test_trade_stat_rate_is_over_ten_seconds),
        cmocka_unit_test(test_trade_stats_hold_many),
        cmocka_unit_test(test_trade_stats_touch_takes_out_of_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
