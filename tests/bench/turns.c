/* Preloaded, measures the turns of a program's event loop: from where epoll_wait returns to where it is
 * called again, in time and in CPU time of the thread. The second is the daemon's own doing however busy the
 * machine is.
 *
 * The file named by MT5_TURNS holds the longest, for whoever reads it (scrape.py), and is cleared by them.
 * Calls on other descriptors than the first belong to libraries inside a turn. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct turns {
    uint64_t longest_us, longest_cpu_us;
};

static struct turns *turns;
static int (*real_epoll_wait)(int epoll, struct epoll_event *events, int max, int timeout_ms);
static int loop_epoll = -1;
static uint64_t began_us, began_cpu_us;

static uint64_t read_clock_us(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t); /* both are there */
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

__attribute__((constructor)) static void turns_start(void)
{
    const char *path = getenv("MT5_TURNS");
    void *symbol = dlsym(RTLD_NEXT, "epoll_wait");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

    __builtin_memcpy(&real_epoll_wait, &symbol, sizeof(symbol));
    if (fd < 0 || ftruncate(fd, sizeof(*turns)) < 0)
        abort();
    turns = mmap(NULL, sizeof(*turns), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (turns == MAP_FAILED)
        abort();
    (void)close(fd); /* nothing was written to it */
}

static void end_turn(void)
{
    uint64_t took_us = read_clock_us(CLOCK_MONOTONIC) - began_us;
    uint64_t took_cpu_us = read_clock_us(CLOCK_THREAD_CPUTIME_ID) - began_cpu_us;

    if (took_us > turns->longest_us)
        turns->longest_us = took_us;
    if (took_cpu_us > turns->longest_cpu_us)
        turns->longest_cpu_us = took_cpu_us;
}

/* The names of libc begin with underscores. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms)
{
    int ready;

    if (loop_epoll < 0)
        loop_epoll = epoll;
    if (epoll != loop_epoll)
        return real_epoll_wait(epoll, events, max, timeout_ms);
    if (began_us)
        end_turn();
    ready = real_epoll_wait(epoll, events, max, timeout_ms);
    began_us = read_clock_us(CLOCK_MONOTONIC);
    began_cpu_us = read_clock_us(CLOCK_THREAD_CPUTIME_ID);
    return ready;
}
