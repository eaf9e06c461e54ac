/* Members of a JSON object, one behind the other: each with a comma in front, unless it is the first behind
 * an opening bracket. */
#pragma once

#include "core/stream.h"
#include "util/buf.h"
#include <stdint.h>

/* A comma, unless OUT ends in an opening bracket; in front of an element of an array too. */
void json_add_comma(struct buf *out);
/* `"NAME":`, the value is to follow. NAME is ours and needs no escaping. */
void json_add_name(struct buf *out, const char *name);

void json_add_text_member(struct buf *out, const char *name, struct slice text);
/* Nothing where the text is empty. */
void json_add_text_member_if(struct buf *out, const char *name, struct slice text);
/* null where the text is empty. */
void json_add_text_member_or_null(struct buf *out, const char *name, struct slice text);
/* null where VALUE is not finite. */
void json_add_number_member(struct buf *out, const char *name, double value);
void json_add_integer_member(struct buf *out, const char *name, int64_t value);
void json_add_bool_member(struct buf *out, const char *name, bool value);
/* UTC text to the second; with milliseconds. */
void json_add_time_member(struct buf *out, const char *name, int64_t ms);
void json_add_time_ms_member(struct buf *out, const char *name, int64_t ms);
