/* What the files of watch_json.h share. */
#pragma once

#include "codec/watch_json.h"

/* Appends ALERT as an element of an instance's `alerts`. */
void watch_json_add_alert(struct buf *out, const struct fleet *fleet, const struct alert *alert);
/* Adds the member `command`: what is under way for INSTANCE, or null. */
void watch_json_add_command(struct buf *out, const struct instance *instance);
