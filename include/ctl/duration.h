/* Durations and times, as people write and read them. */
#pragma once

#include "util/buf.h"
#include <stdbool.h>
#include <stdint.h>

/* `30m`, `1h30m`, `1.5h`, `500ms`: numbers with the units ms s m h d w, each once and the larger first. A
 * number without a unit is read where PLAIN_MS, the milliseconds that it counts, is not 0. False, and *ret_ms
 * untouched, for all else, for 0 and for more than a thousand years. */
bool duration_parse(struct slice text, int64_t plain_ms, int64_t *ret_ms);

/* Appends the two largest parts: `350 ms`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 1 h`. */
void duration_add(struct buf *out, int64_t ms);

/* Appends `3 min ago`, `in 3 min`, or `now`: of what was the largest part, of what will be the
 * two largest. */
void duration_add_relative(struct buf *out, int64_t at_ms, int64_t now_ms);

/* Appends the UTC time AT_MS: `10:15:30`, with its date in front where that is not the day of NOW_MS, and
 * without seconds where IS_SHORT. */
void time_add_clock(struct buf *out, int64_t at_ms, int64_t now_ms, bool is_short);
