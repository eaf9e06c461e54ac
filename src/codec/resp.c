#include "codec/resp.h"
#include "util/number.h"

void resp_add_head(struct buf *out, size_t count)
{
    buf_add_char(out, '*');
    buf_add_u64(out, count);
    buf_add(out, "\r\n", 2);
}

void resp_add(struct buf *out, struct slice word)
{
    char *at = buf_reserve(out, word.len + NUMBER_TEXT_MAX + 5);
    char *p = at;
    *p++ = '$';
    p += number_format_u64(p, word.len);
    *p++ = '\r';
    *p++ = '\n';
    if (word.len)
        memcpy(p, word.data, word.len);
    p += word.len;
    *p++ = '\r';
    *p++ = '\n';
    out->len += (size_t)(p - at);
}

void resp_add_text(struct buf *out, const char *word)
{
    resp_add(out, slice_text(word));
}

void resp_add_u64(struct buf *out, uint64_t word)
{
    char digits[NUMBER_TEXT_MAX];
    resp_add(out, slice_of(digits, number_format_u64(digits, word)));
}
