/* A short text that says what was wrong with an input, for parsers to fill. */
#pragma once

#include "util/macros.h"

struct errmsg {
    char text[256];
};

/* Sets the text, cut to what fits at a whole UTF-8 character. E may be NULL; its old text may be an argument.
 */
void errmsg_set(struct errmsg *e, const char *format, ...) PRINTF_LIKE(2, 3);
