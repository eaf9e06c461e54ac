/* The growing byte buffer. Only buf_reserve makes it larger. */
#include "util/buf.h"

#include "util/alloc.h"
#include "util/number.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_BYTES 64

void buf_clear(struct buf *b)
{
    free(b->data);
    *b = (struct buf)BUF_INIT;
}

void buf_reset(struct buf *b, size_t keep)
{
    if (b->cap > keep)
        buf_clear(b);
    b->len = 0;
}

char *buf_reserve(struct buf *b, size_t more)
{
    size_t wanted;
    size_t doubled;

    if (b->data && more <= b->cap - b->len)
        return b->data + b->len;
    /* Sums that overflow end up as a size that mem_resize refuses. */
    if (__builtin_add_overflow(b->len, more, &wanted))
        wanted = SIZE_MAX;
    if (__builtin_mul_overflow(b->cap, 2, &doubled))
        doubled = SIZE_MAX;
    if (wanted < doubled)
        wanted = doubled;
    if (wanted < BUF_FIRST_BYTES)
        wanted = BUF_FIRST_BYTES;
    b->data = mem_resize(b->data, wanted, 1);
    b->cap = wanted;
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    memcpy(buf_reserve(b, len), data, len);
    b->len += len;
}

void buf_add_slice(struct buf *b, struct slice s)
{
    buf_add(b, s.data, s.len);
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_char(struct buf *b, char c)
{
    *buf_reserve(b, 1) = c;
    b->len++;
}

void buf_add_u64(struct buf *b, uint64_t value)
{
    b->len += number_format_u64(buf_reserve(b, NUMBER_TEXT_MAX), value);
}

void buf_add_i64(struct buf *b, int64_t value)
{
    b->len += number_format_i64(buf_reserve(b, NUMBER_TEXT_MAX), value);
}

void buf_add_double(struct buf *b, double value)
{
    b->len += number_format_double(buf_reserve(b, NUMBER_TEXT_MAX), value);
}

void buf_add_format(struct buf *b, const char *format, ...)
{
    char *out = buf_reserve(b, 1);
    size_t room = b->cap - b->len;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(out, room, format, args);
    va_end(args);
    if (len < 0)
        return;
    if ((size_t)len >= room) {
        out = buf_reserve(b, (size_t)len + 1);
        va_start(args, format);
        len = vsnprintf(out, (size_t)len + 1, format, args);
        va_end(args);
        if (len < 0)
            return;
    }
    b->len += (size_t)len;
}

struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->data, b->len);
}

const char *buf_text(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return b->data;
}
