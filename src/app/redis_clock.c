#include "app/redis_clock.h"
#include "adapters/loop.h"

void redis_clock_sample(struct redis_clock *clock, int64_t server_us, int64_t sent_ms, int64_t got_ms)
{
    clock->offset_ms = server_us / 1000 - (sent_ms + got_ms) / 2;
    clock->set = true;
}

int64_t redis_clock_now_ms(const struct redis_clock *clock)
{
    return clock->set ? loop_now_ms() + clock->offset_ms : loop_wall_ms();
}
