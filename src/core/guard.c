/* Stalls and clock jumps, from the differences between two looks at two clocks. */
#include "core/guard.h"

const char *guard_cause_name(enum guard_cause cause)
{
    static const char *const names[GUARD_CAUSES] = {
        [GUARD_STALL] = "stall",
        [GUARD_CLOCK_JUMP] = "clock_jump",
        [GUARD_REDIS_AWAY] = "redis_away",
    };

    return names[cause];
}

bool guard_look(struct guard *guard, int64_t mono_ms, int64_t wall_ms)
{
    bool was_started = guard->is_started;
    int64_t passed = mono_ms - guard->tick_ms;
    int64_t jump = wall_ms - guard->tick_wall_ms - passed;

    guard->is_started = true;
    guard->tick_ms = mono_ms;
    guard->tick_wall_ms = wall_ms;
    if (!was_started)
        return false;
    if (passed >= guard->options.stall_ms)
        guard_trip(guard, GUARD_STALL, mono_ms);
    else if (jump >= guard->options.stall_ms || jump <= -guard->options.stall_ms)
        guard_trip(guard, GUARD_CLOCK_JUMP, mono_ms);
    else
        return false;
    return true;
}

void guard_trip(struct guard *guard, enum guard_cause cause, int64_t mono_ms)
{
    int64_t until_ms = mono_ms + guard->options.hold_ms;

    guard->trips[cause]++;
    guard->cause = cause;
    if (guard->options.hold_ms > 0 && until_ms > guard->until_ms)
        guard->until_ms = until_ms;
}

bool guard_is_active(const struct guard *guard, int64_t mono_ms)
{
    return mono_ms < guard->until_ms;
}
