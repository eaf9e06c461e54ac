/* An event as the JSON object that is published (SPEC §7.1): the fields of the stream, seq as a number. */
#pragma once

#include "util/buf.h"

void event_json_add(struct buf *out, const struct slice *names, const struct slice *values, size_t count);
/* What stands between its braces. */
void event_json_add_members(struct buf *out, const struct slice *names, const struct slice *values,
                            size_t count);
