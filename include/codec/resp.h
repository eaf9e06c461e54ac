/* The Redis protocol, outgoing: arrays of bulk strings. */
#pragma once

#include "util/buf.h"

/* `*COUNT\r\n`, the head of a command of COUNT words. */
void resp_add_head(struct buf *out, size_t count);
/* One word. */
void resp_add(struct buf *out, struct slice word);
void resp_add_text(struct buf *out, const char *word);
void resp_add_u64(struct buf *out, uint64_t word);
