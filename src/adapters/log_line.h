/* The text of one log line, in each format: begin, body, end. Whatever a value holds, the line has no break
 * in it and is valid UTF-8. */
#pragma once

#include "adapters/log.h"
#include "util/buf.h"

/* The priority where the format has one, the time, the level. FORMAT is not LOG_FORMAT_AUTO here. */
void log_line_begin(struct buf *out, enum log_format format, enum log_level level, int64_t wall_ms);
/* NAME=TEXT, where NAME is `msg` or `event`, and the fields. */
void log_line_add_body(struct buf *out, enum log_format format, const char *name, const char *text,
                       const struct log_field *fields, size_t count);
void log_line_add_field(struct buf *out, enum log_format format, const struct log_field *field);
void log_line_end(struct buf *out, enum log_format format);
