/* What is read from Redis at an interval, so that a scrape never has to: INFO, lengths and lags of the
 * streams, sizes of sets. */
#pragma once

#include "core/stream.h"
#include "core/trade.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct loop_timer;

/* Numbers of INFO, by their place in the table of poll.c. */
enum info_field {
    INFO_OPS_PER_SEC,
    INFO_USED_MEMORY,
    INFO_MAXMEMORY,
    INFO_FRAGMENTATION,
    INFO_CPU_SYS,
    INFO_CPU_USER,
    INFO_CPU_SYS_CHILDREN,
    INFO_CPU_USER_CHILDREN,
    INFO_HITS,
    INFO_MISSES,
    INFO_EXPIRED,
    INFO_EVICTED,
};
#define INFO_FIELDS 12

struct poll_stream {
    bool known;
    uint64_t length;
    uint64_t added; /* entries ever added, as Redis counts them */
    bool based;
    double base; /* added, less what was handled since: what had been handled when counting began */
    uint64_t handled_at_base;
    double lag;
};

struct poll {
    struct daemon *d;
    struct loop_timer *timer;
    bool asking;
    uint32_t info_known; /* bits of enum info_field */
    double info[INFO_FIELDS];
    char version[32]; /* redis_version; empty where it is not known */
    char replid[48];  /* master_replid; empty where it is not known */
    bool policy_told;
    struct stream_id asked_at[STREAM_KINDS]; /* how far each had been read when it was asked for */
    struct poll_stream streams[STREAM_KINDS];
    bool trades_known;
    uint64_t trades[TRADE_STATES];
};

void poll_init(struct poll *p, struct daemon *d);
void poll_clear(struct poll *p);
/* Nothing is known any more: the link is away. */
void poll_reset(struct poll *p);
void poll_start(struct poll *p);
/* A read met a wrong type: finds out which stream it was. */
void poll_stream_types(struct poll *p);
