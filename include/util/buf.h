/* A growing byte buffer. Invariants: len <= cap; data is NULL exactly where cap is 0; the bytes may hold
 * NUL. Growth is by doubling, so appending n bytes costs O(n) in all. */
#pragma once

#include "util/macros.h"
#include "util/slice.h"
#include <stdint.h>

struct buf {
    char *data;
    size_t len;
    size_t cap;
};

#define BUF_INIT                                                                                             \
    {                                                                                                        \
        0                                                                                                    \
    }

/* Frees the memory and leaves an empty buffer. */
void buf_clear(struct buf *b);
/* Forgets the content, keeps the memory; gives it back where it is above KEEP bytes. */
void buf_reset(struct buf *b, size_t keep);
/* Makes room for MORE bytes behind len and returns where they go. */
char *buf_reserve(struct buf *b, size_t more);
/* What is added must not lie in the buffer itself. */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_slice(struct buf *b, struct slice s);
void buf_add_text(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_add_u64(struct buf *b, uint64_t value);
void buf_add_i64(struct buf *b, int64_t value);
/* The shortest decimal that reads back as VALUE (number.h). */
void buf_add_double(struct buf *b, double value);
void buf_add_format(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* The content as a slice, valid until the buffer changes. */
struct slice buf_slice(const struct buf *b);
/* Ends the content with a NUL that is not counted in len and returns it as text. */
const char *buf_text(struct buf *b);
