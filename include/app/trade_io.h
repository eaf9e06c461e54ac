/* Trade updates on their way to the core: in order, each once it is known what Redis holds about a trade that
 * is not in memory. Also the read-backs that measure how long reading takes (SPEC §5.3, §9.1). */
#pragma once

#include "core/histogram.h"
#include "core/stream.h"
#include "core/trade_stats.h"
#include "util/buf.h"
#include <stdbool.h>

struct daemon;
struct loop_timer;
struct trade_item;

struct trade_io {
    struct daemon *d;
    struct trade_item *items; /* a ring */
    uint32_t cap, first, count;
    uint32_t looking;      /* look-ups under way */
    int64_t look_again_ms; /* monotonic: not before, after Redis refused one */
    uint64_t taken;        /* ever */
    uint64_t generation;
    struct trade_stats stats;
    struct histogram write_seconds, read_seconds;
    struct loop_timer *probe_timer;
    bool sweep_again; /* more trades were due than one sweep takes */
    bool probing;
    uint32_t probe_next;
    struct ident probe_id;
    int64_t probe_sent_us;
    uint64_t probes;
};

void trade_io_init(struct trade_io *io, struct daemon *d);
void trade_io_clear(struct trade_io *io);
void trade_io_configure(struct trade_io *io);
/* Forgets what waits. */
void trade_io_reset(struct trade_io *io);

/* Takes a copy of ENTRY. */
void trade_io_take(struct trade_io *io, const struct entry *entry);
/* Looks up what is not known, and hands on what is. */
void trade_io_go_on(struct trade_io *io);
/* Reading should wait. */
bool trade_io_is_full(const struct trade_io *io);
/* It need not when COUNT updates more have been taken. */
bool trade_io_has_room(const struct trade_io *io, uint32_t count);
/* An update's batch is stored. All in monotonic microseconds. */
void trade_io_stored(struct trade_io *io, struct slice trade_id, int64_t read_us, int64_t sent_us,
                     int64_t stored_us);
/* Takes a trade out of every set: its hash is not there, something else is. */
void trade_io_unindex(struct trade_io *io, struct slice trade_id);
/* Takes trades whose hash has expired out of their sets (trade_sweep.c). */
void trade_sweep_start(struct trade_io *io);
/* A batch is stored: goes on where there were more than one sweep takes. */
void trade_sweep_on_stored(struct trade_io *io);
