/* What all parts of a run share: what it is like, its parts, and how it tells its history. */
#pragma once

#include "../rng.h"
#include "core/fleet.h"
#include "daemon.h"
#include "model.h"
#include "util/macros.h"
#include "world.h"

/* A Friday evening: weekends come soon. */
#define START_MS    INT64_C(1742587200000)
#define WINDOWS_RUN 3

/* What a run is like, drawn from its seed. Where a mean time is 0, the thing never happens. */
struct settings {
    uint32_t instances, brokers, hosts;
    int64_t span_ms;
    int64_t period_least_ms, period_most_ms; /* between reports */
    struct fleet_options fleet;
    struct watch_options watch;
    struct maintenance_window windows[WINDOWS_RUN];
    int64_t hold_ms;    /* of the guard */
    int64_t trouble_ms; /* mean time between troubles of one agent */
    /* Mean times between outages, operators' acts, reloads, pauses and orderly restarts. */
    int64_t outage_ms, order_ms, reload_ms, pause_ms, restart_ms;
    uint32_t death_odds; /* one in so many steps of the daemon it dies; 0: never */
    uint32_t steady_percent, stubborn_percent, manual_percent;
    uint32_t commit_percent; /* batches that go out at once */
    uint32_t read_most;      /* entries per read */
};

struct trace;

struct run {
    struct rng rng;
    struct settings settings;
    struct watch_options options; /* as they are now */
    int64_t now_ms;
    uint64_t step;
    bool failed, verbose, is_calm;
    struct trace *trace;
    struct world world;
    struct model model;
    struct daemon daemon;
    uint32_t least_attempts; /* the least that recovery.max_attempts ever was */
    int64_t reload_ms, order_ms, look_ms;
};

/* settings.c */
struct sizes {
    uint64_t instances, hours; /* 0: drawn */
};
void settings_draw(struct settings *settings, struct rng *rng, const struct sizes *sizes);
/* Changes RUN's options a little, as an operator would who edits the configuration. */
void options_change(struct run *run);
/* Rules, limits and windows as everybody would like them in the end. */
void options_calm(struct run *run);
/* A time from now on, MEAN_MS on average; INT64_MAX where that is 0. */
int64_t run_draw_time(struct run *run, int64_t mean_ms);

/* trace.c */
struct trace *trace_new(void);
void trace_free(struct trace *trace);
void trace_reset(struct trace *trace);
void trace_print(const struct trace *trace);
/* One line of the run's history. */
void run_note(struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);
/* Something is wrong: the run ends after this step. */
void run_fail(struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);
