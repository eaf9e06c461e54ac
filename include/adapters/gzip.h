/* Compression of an answer in slices, so that a large one need not hold the loop (SPEC §9.3). */
#pragma once

#include "util/buf.h"
#include "util/slice.h"

struct gzip;

/* LEVEL 1 (quick) to 9. Never NULL. */
struct gzip *gzip_new(int level);
void gzip_free(struct gzip *gzip);

/* Compresses IN; what is ready is appended to *out. About 240 ns per line of metrics at level 1: give it as
 * much as the slice of time allows. */
void gzip_add(struct gzip *gzip, struct slice in, struct buf *out);
/* Appends the rest and the trailer. Afterwards the object can only be freed. */
void gzip_finish(struct gzip *gzip, struct buf *out);
