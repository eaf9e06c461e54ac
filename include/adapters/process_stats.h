/* What the system says of this process, for the standard process_* metrics. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct process_stats {
    double cpu_seconds; /* user and system */
    bool has_memory;    /* /proc could be read */
    uint64_t resident_bytes, virtual_bytes;
    bool has_open_fds; /* as well */
    uint64_t open_fds;
    bool has_max_fds; /* there is a limit */
    uint64_t max_fds;
};

/* Reads /proc/self and what the kernel tells without it: tens of microseconds, and no waiting. */
void process_stats_read(struct process_stats *ret_stats);
