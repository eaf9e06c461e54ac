/* Commands as Redis reads them: an array of bulk strings. Binary safe: data never goes through a format. */
#pragma once

#include "util/buf.h"
#include "util/slice.h"

/* The exact length that redis_format_command adds. */
size_t redis_format_size(const struct slice *argv, size_t argc);
void redis_format_command(struct buf *out, const struct slice *argv, size_t argc);
