/* UTF-8 checking and mending. */
#pragma once

#include "util/slice.h"

/* True where TEXT holds whole characters only: no overlong form, no surrogate, nothing above U+10FFFF. */
bool utf8_is_valid(struct slice text);

/* Copies TEXT to OUT (ROOM bytes), cut at a whole character; returns the length written. Each byte that
 * neither is nor belongs to a valid character becomes one U+FFFD (SPEC §3). NUL and control characters stay
 * as they are: to escape them is for whoever writes the text out. No NUL is added. */
size_t utf8_sanitize(char *out, size_t room, struct slice text);
