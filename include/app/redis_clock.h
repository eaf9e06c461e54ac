/* The Redis server's clock as seen from here: entry IDs, deadlines and ages are all in its milliseconds (SPEC
 * §3). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct redis_clock {
    bool set;
    int64_t offset_ms; /* server time less our monotonic time */
};

/* A TIME that was asked for at SENT_MS and came at GOT_MS (both monotonic). The offset is moved only as far
 * as the two allow; returns by how much: 0 for the first. */
int64_t redis_clock_sample(struct redis_clock *clock, int64_t server_us, int64_t sent_ms, int64_t got_ms);
/* Now, on the server's clock; our own wall clock before the first sample. */
int64_t redis_clock_now_ms(const struct redis_clock *clock);
/* The same for whoever has just asked what the monotonic time is. */
int64_t redis_clock_at_ms(const struct redis_clock *clock, int64_t mono_ms);
