/* Wall-clock milliseconds since 1970 as UTC text, and back (SPEC §3). */
#pragma once

#include "util/slice.h"
#include <stdint.h>

#define TIME_TEXT_LEN    20 /* 2025-03-22T10:15:30Z */
#define TIME_TEXT_MS_LEN 24 /* 2025-03-22T10:15:30.123Z */

/* OUT has room for the length named and a NUL. Times before 1970 or after 9999 are clamped. */
void time_text_format(char out[TIME_TEXT_LEN + 1], int64_t ms);
void time_text_format_ms(char out[TIME_TEXT_MS_LEN + 1], int64_t ms);

/* Reads either form; false, and *ret_ms untouched, for all else, times before 1970 and leap seconds included.
 */
bool time_text_parse(struct slice text, int64_t *ret_ms);
