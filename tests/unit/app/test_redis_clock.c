/* app/redis_clock.h */
#include "app/redis_clock.h"

#include "adapters/loop.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_redis_clock_is_the_wall_clock_at_first(void **state)
{
    struct redis_clock clock = {0};
    int64_t before_ms = loop_wall_ms();
    int64_t now_ms = redis_clock_now_ms(&clock);

    UNUSED(state);
    assert_in_range(now_ms, before_ms, loop_wall_ms());
}

/* The server read its clock between sending and getting: the offset moves as far as that demands, and no
 * further. */
static void test_redis_clock_sample_moves_no_further_than_it_must(void **state)
{
    static const struct {
        int64_t server_us, sent_ms, got_ms, expected_ms;
    } rows[] = {
        {5000000, 1000, 1000, 4000},                               /* the first one */
        {5000999, 1000, 1000, 4000},  {5000000, 1000, 1010, 4000}, /* 3990 to 4000: it may be as it was */
        {7000000, 1000, 3000, 4000},                               /* a slow answer says 4000 to 6000 */
        {7000000, 1000, 2000, 5000},                               /* at least 5000 */
        {5000000, 1000, 1010, 4000},                               /* at most 4000 */
        {5000000, 9000, 9000, -4000},                              /* set back */
    };
    struct redis_clock clock = {0};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        redis_clock_sample(&clock, rows[i].server_us, rows[i].sent_ms, rows[i].got_ms);
        assert_true(clock.set);
        assert_int_equal(clock.offset_ms, rows[i].expected_ms);
    }
}

static void test_redis_clock_runs_on_between_samples(void **state)
{
    struct redis_clock clock = {0};
    int64_t sampled_ms = loop_now_ms(), now_ms;

    UNUSED(state);
    redis_clock_sample(&clock, 1742638530123456, sampled_ms, sampled_ms);
    now_ms = redis_clock_now_ms(&clock);
    assert_in_range(now_ms, 1742638530123, 1742638530123 + loop_now_ms() - sampled_ms);
    while (loop_now_ms() < sampled_ms + 5)
        continue;
    assert_true(redis_clock_now_ms(&clock) >= 1742638530123 + 5);
    /* The newest sample counts, also where the server's clock was set back. */
    redis_clock_sample(&clock, 1000000, sampled_ms, sampled_ms);
    assert_in_range(redis_clock_now_ms(&clock), 1000, 1000 + loop_now_ms() - sampled_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_clock_is_the_wall_clock_at_first),
        cmocka_unit_test(test_redis_clock_sample_moves_no_further_than_it_must),
        cmocka_unit_test(test_redis_clock_runs_on_between_samples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
