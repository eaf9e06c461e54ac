#include "core/guard.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STALL_MS 2000
#define HOLD_MS  5000
#define MONO_MS  1000000
#define WALL_MS  INT64_C(1742638530123)
#define NO_TRIP  (-1)

static struct guard guard_started(void)
{
    struct guard guard = {.options = {.stall_ms = STALL_MS, .hold_ms = HOLD_MS}};

    assert_false(guard_look(&guard, MONO_MS, WALL_MS));
    return guard;
}

static void test_guard_cause_name(void **state)
{
    (void)state;
    assert_string_equal(guard_cause_name(GUARD_STALL), "stall");
    assert_string_equal(guard_cause_name(GUARD_CLOCK_JUMP), "clock_jump");
    assert_string_equal(guard_cause_name(GUARD_REDIS_AWAY), "redis_away");
}

static void test_guard_look_first_never_trips(void **state)
{
    struct guard guard = {.options = {.stall_ms = STALL_MS, .hold_ms = HOLD_MS}};

    (void)state;
    assert_false(guard_look(&guard, MONO_MS, WALL_MS));
    assert_false(guard_is_active(&guard, MONO_MS));
    assert_int_equal(guard.until_ms, 0);
    for (int i = 0; i < GUARD_CAUSES; i++)
        assert_int_equal(guard.trips[i], 0);
}

/* How far each clock has come since the look before. */
static const struct {
    int64_t mono_ms, wall_ms;
    int cause;
} looks[] = {
    {0, 0, NO_TRIP},
    {100, 100, NO_TRIP},
    {1999, 1999, NO_TRIP},
    {2000, 2000, GUARD_STALL},
    {60000, 60000, GUARD_STALL},
    {100, 2099, NO_TRIP},
    {100, 2100, GUARD_CLOCK_JUMP},
    {100, -1899, NO_TRIP},
    {100, -1900, GUARD_CLOCK_JUMP},
    {100, 86400100, GUARD_CLOCK_JUMP},
    {100, -86399900, GUARD_CLOCK_JUMP},
    {0, 2000, GUARD_CLOCK_JUMP},
    {1999, 0, NO_TRIP},
    {1999, -1, GUARD_CLOCK_JUMP},
    {2000, 0, GUARD_STALL},
    {60000, 3600000, GUARD_STALL},
};

static void test_guard_look_trips_for_stalls_and_jumps(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
        struct guard guard = guard_started();
        int64_t mono_ms = MONO_MS + looks[i].mono_ms;
        bool is_trip = looks[i].cause != NO_TRIP;

        if (guard_look(&guard, mono_ms, WALL_MS + looks[i].wall_ms) != is_trip)
            fail_msg("row %zu", i);
        for (int cause = 0; cause < GUARD_CAUSES; cause++)
            assert_int_equal(guard.trips[cause], cause == looks[i].cause);
        if (is_trip)
            assert_int_equal(guard.cause, looks[i].cause);
        assert_int_equal(guard_is_active(&guard, mono_ms), is_trip);
        assert_int_equal(guard_is_active(&guard, mono_ms + HOLD_MS - 1), is_trip);
        assert_false(guard_is_active(&guard, mono_ms + HOLD_MS));
    }
}

/* A clock that runs a little faster is no jump, however far it gets. */
static void test_guard_look_compares_with_the_last_look_only(void **state)
{
    struct guard guard = guard_started();

    (void)state;
    for (int i = 1; i <= 100; i++)
        assert_false(guard_look(&guard, MONO_MS + i * 1000, WALL_MS + i * 1500));
    assert_true(guard_look(&guard, MONO_MS + 101000, WALL_MS + 153000));
    assert_false(guard_look(&guard, MONO_MS + 102000, WALL_MS + 154000));
    assert_int_equal(guard.trips[GUARD_CLOCK_JUMP], 1);
}

static void test_guard_trip_while_active_extends(void **state)
{
    struct guard guard = guard_started();

    (void)state;
    guard_trip(&guard, GUARD_REDIS_AWAY, MONO_MS);
    guard_trip(&guard, GUARD_STALL, MONO_MS + 3000);
    assert_int_equal(guard.cause, GUARD_STALL);
    assert_int_equal(guard.trips[GUARD_REDIS_AWAY], 1);
    assert_int_equal(guard.trips[GUARD_STALL], 1);
    assert_true(guard_is_active(&guard, MONO_MS + 3000 + HOLD_MS - 1));
    assert_false(guard_is_active(&guard, MONO_MS + 3000 + HOLD_MS));
}

static void test_guard_trip_never_shortens_a_hold(void **state)
{
    struct guard guard = guard_started();

    (void)state;
    guard_trip(&guard, GUARD_STALL, MONO_MS);
    guard.options.hold_ms = 10;
    guard_trip(&guard, GUARD_REDIS_AWAY, MONO_MS + 100);
    assert_true(guard_is_active(&guard, MONO_MS + HOLD_MS - 1));
    assert_false(guard_is_active(&guard, MONO_MS + HOLD_MS));
}

static void test_guard_trip_after_a_hold_begins_another(void **state)
{
    struct guard guard = guard_started();
    int64_t later_ms = MONO_MS + 10 * HOLD_MS;

    (void)state;
    guard_trip(&guard, GUARD_STALL, MONO_MS);
    assert_false(guard_is_active(&guard, later_ms));
    guard_trip(&guard, GUARD_STALL, later_ms);
    assert_true(guard_is_active(&guard, later_ms));
    assert_int_equal(guard.trips[GUARD_STALL], 2);
}

static void test_guard_trip_without_hold_is_only_counted(void **state)
{
    struct guard guard = guard_started();

    (void)state;
    guard.options.hold_ms = 0;
    assert_true(guard_look(&guard, MONO_MS + STALL_MS, WALL_MS + STALL_MS));
    assert_int_equal(guard.trips[GUARD_STALL], 1);
    assert_int_equal(guard.until_ms, 0);
    assert_false(guard_is_active(&guard, MONO_MS + STALL_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guard_cause_name),
        cmocka_unit_test(test_guard_look_first_never_trips),
        cmocka_unit_test(test_guard_look_trips_for_stalls_and_jumps),
        cmocka_unit_test(test_guard_look_compares_with_the_last_look_only),
        cmocka_unit_test(test_guard_trip_while_active_extends),
        cmocka_unit_test(test_guard_trip_never_shortens_a_hold),
        cmocka_unit_test(test_guard_trip_after_a_hold_begins_another),
        cmocka_unit_test(test_guard_trip_without_hold_is_only_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
