/* The guard (SPEC §6.5): notices that time was missed, and holds judgement for a while after it. Pure: the
 * shell tells it two clocks, often, and asks it before anything is judged or commanded. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum guard_cause {
    GUARD_STALL,      /* the loop has not run */
    GUARD_CLOCK_JUMP, /* the wall clock was set */
    GUARD_REDIS_AWAY, /* told by the shell, when Redis is back */
};
#define GUARD_CAUSES 3

struct guard_options {
    int64_t stall_ms; /* guard.stall_ms, at least 1; looks must come more often than this */
    int64_t hold_ms;  /* guard.hold_ms, 0 or more */
};

/* Embedded; all zero but for the options is a guard that has not begun. The options may be changed at any
 * time: a hold under way keeps its end. */
struct guard {
    struct guard_options options;
    int64_t tick_ms, tick_wall_ms; /* the last look: monotonic, and since 1970; once is_started */
    int64_t until_ms;              /* monotonic, the end of the hold; 0 where there never was one */
    bool is_started;
    uint64_t trips[GUARD_CAUSES];
    enum guard_cause cause; /* of the last trip; meaningless before the first */
};

/* `stall`, `clock_jump`, `redis_away`. */
const char *guard_cause_name(enum guard_cause cause);

/* Compares MONO_MS (monotonic) and WALL_MS (since 1970) with the last look. Trips, and returns true, where
 * stall_ms or more have passed on the monotonic clock (GUARD_STALL), else where the wall clock has moved by
 * stall_ms or more against it, forward or back (GUARD_CLOCK_JUMP). A look trips once at most, the first one
 * never: the guard does not hold at start. */
bool guard_look(struct guard *guard, int64_t mono_ms, int64_t wall_ms);

/* Counts a trip and holds until hold_ms after MONO_MS. A hold under way is made longer by it, never shorter;
 * with a hold_ms of 0 the trip is only counted. */
void guard_trip(struct guard *guard, enum guard_cause cause, int64_t mono_ms);

/* True up to, and not at, the end of the hold. */
bool guard_is_active(const struct guard *guard, int64_t mono_ms);
