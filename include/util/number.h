/* Numbers to text and back: independent of locale, exact, and quick enough for a scrape. */
#pragma once

#include "util/slice.h"
#include <stdint.h>

/* Room for any number that is written here, with its NUL. */
#define NUMBER_TEXT_MAX 32

/* Reads a finite decimal (SPEC §3): [-] digits [. digits] [e[+-]digits], with at least one digit before
 * the exponent, on either side of the point (`.5` and `5.` are read), and at most 64 bytes; the e may be an
 * E. What is too small for a double is read as 0. False, and *ret_value untouched, for all else: empty text,
 * spaces, a plus sign, hex, nan, inf, what overflows to infinity, anything behind it. */
bool number_parse_decimal(struct slice text, double *ret_value);

/* Reads digits only, without sign; false, and *ret_value untouched, where there are none or the value exceeds
 * MAX. */
bool number_parse_u64(struct slice text, uint64_t max, uint64_t *ret_value);

/* Write to OUT (NUMBER_TEXT_MAX bytes) and return the length; a NUL is put behind it. */
size_t number_format_u64(char *out, uint64_t value);
size_t number_format_i64(char *out, int64_t value);

/* The decimal with the fewest digits of which the nearest to VALUE reads back as exactly VALUE, the sign of
 * -0 included. `NaN`, `+Inf` and `-Inf` are written for what is not finite, as Prometheus text wants them.
 * Integers below 2^53 have no point and no exponent; no other value from 1e-6 to 2^53 has an exponent either.
 */
size_t number_format_double(char *out, double value);

/* What a hex digit of either case stands for; -1 where C is none. */
int number_hex_digit(char c);
