/* Results, where the signals that they end are on another Redis (docs/decisions/0019-layers.md).
 *
 * A result is counted and kept where the results are, and applied where the signals are. Each half has a
 * position of its own, stored by the batch that holds its effects, so no half is made twice and none is left
 * out, whichever of the two servers has stored more. While the signals are away results are only counted;
 * they are read again from the lower position once both are there. IN is everywhere that of the results. */
#pragma once

#include "core/stream.h"
#include <stdbool.h>

struct commit;
struct daemon;
struct ingest;

/* An entry of the results, read for the first time or again. */
void far_results_take(struct ingest *in, const struct entry *entry, int64_t now_ms);
/* One below the positions that nobody has read. */
void far_results_take_unread(struct ingest *in, const struct entry *entry, int64_t now_ms);

/* The batch of the signals is full: nothing more is read until it is stored. */
bool far_results_must_wait(const struct ingest *in);
/* A read has ended: what is known of the results is told to where the signals are, in the time of that
 * server. Nothing happens where they are on the same. */
void far_results_read(struct ingest *in);
/* Before a batch: what has not been applied is not trimmed. Likewise. */
void far_results_need(struct ingest *in);

/* Results or signals have become active: D is any daemon of the process. Likewise. */
void far_results_go_on(const struct daemon *d);
/* A batch of D is stored that was sealed when results had been taken in up to POSITION. Likewise. */
void far_results_stored(struct daemon *d, struct stream_id position);
