/* JSON text, written straight into a buffer. */
#pragma once

#include "util/buf.h"

/* TEXT with its quotes; controls, quotes and backslashes escaped, invalid UTF-8 as U+FFFD. */
void json_add_string(struct buf *out, struct slice text);
