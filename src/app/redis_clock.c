#include "app/redis_clock.h"
#include "adapters/loop.h"

/* The server read its clock at some moment between the two; the offset is only moved as far as that demands,
 * so that one slow answer does not set it ahead or back. */
int64_t redis_clock_sample(struct redis_clock *clock, int64_t server_us, int64_t sent_ms, int64_t got_ms)
{
    int64_t least = server_us / 1000 - got_ms, most = server_us / 1000 - sent_ms;
    int64_t was_ms = clock->set ? clock->offset_ms : least;
    if (!clock->set || clock->offset_ms < least)
        clock->offset_ms = least;
    else if (clock->offset_ms > most)
        clock->offset_ms = most;
    clock->set = true;
    return clock->offset_ms - was_ms;
}

int64_t redis_clock_at_ms(const struct redis_clock *clock, int64_t mono_ms)
{
    return clock->set ? mono_ms + clock->offset_ms : loop_wall_ms();
}

int64_t redis_clock_now_ms(const struct redis_clock *clock)
{
    return redis_clock_at_ms(clock, clock->set ? loop_now_ms() : 0);
}
