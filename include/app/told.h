/* What the log says of what core decides: its events once they are stored, and what is no event. Which level
 * a line has is decided here (docs/OPERATIONS.md has the table of the lines). */
#pragma once

#include "codec/batch.h"

struct daemon;
struct log;

/* One line for EVENT of BATCH: its fields but the time, and what the log alone says (severity, until). */
void told_event(struct log *log, const struct batch *batch, const struct batch_event *event);

/* Has the watch of D's fleet and its trades tell what is refused, held back, given up or answered late. */
void told_init(struct daemon *d);
