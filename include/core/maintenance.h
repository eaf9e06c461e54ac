/* Maintenance windows (SPEC §2, maintenance_windows): times that come again each week, for the instances and
 * brokers whose ids match. */
#pragma once

#include "core/ident.h"
#include <stdint.h>

#define WINDOW_GLOB_MAX 128
#define WINDOW_TEXT_MAX 64
#define WINDOWS_MAX     256

struct maintenance_window {
    struct ident name;
    char instances[WINDOW_GLOB_MAX + 1], brokers[WINDOW_GLOB_MAX + 1]; /* globs; `*` matches everything */
    char weekly[WINDOW_TEXT_MAX + 1];                                  /* as it was written */
    uint32_t from_min, until_min; /* minutes since Monday 00:00 UTC; from the one up to the other, which may
                                     lie in the next week and then is the smaller one */
};

/* `Fri 22:00-Sun 22:05`, any case, UTC, 00:00 to 23:59; a second day that is left out is the first (`Mon
 * 01:00-02:00`), and the second time must then be the later one. False where it is not that, or the window is
 * empty. */
bool window_parse_weekly(struct slice text, uint32_t *ret_from_min, uint32_t *ret_until_min);
/* A glob has `*` and `?`, all else stands for itself; 1 to WINDOW_GLOB_MAX bytes, no NUL among them. */
bool glob_is_valid(struct slice glob);
/* All of TEXT matches GLOB, byte by byte. */
bool glob_matches(const char *glob, struct slice text);

/* NOW_MS is a time since 1970, by the clock of whoever asks. */
bool window_is_open(const struct maintenance_window *window, int64_t now_ms);
/* The next moment behind NOW_MS at which it opens or closes. */
int64_t window_next_change(const struct maintenance_window *window, int64_t now_ms);
bool window_covers(const struct maintenance_window *window, struct slice instance_id, struct slice broker_id);
