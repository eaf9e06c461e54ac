#include "redis_clip.h"

#include "util/number.h"
#include "util/slice.h"
#include <hiredis/read.h>
#include <hiredis/sds.h>
#include <string.h>

/* "536870912\r\n": what stands before a string, without its type. */
#define HEAD_MAX_BYTES 24

/* Of the string that begins at TEXT: its length, and that of what stands before it. */
static bool read_head(const char *text, size_t *ret_len, size_t *ret_head)
{
    const char *end = memchr(text, '\r', HEAD_MAX_BYTES);
    uint64_t len;

    if (!end || !number_parse_u64(slice_of(text, (size_t)(end - text)), SIZE_MAX / 2, &len))
        return false;
    *ret_len = (size_t)len;
    *ret_head = (size_t)(end - text) + 2;
    return true;
}

/* The parser has taken the type, and stays in front of the length until all of the string is there. */
void redis_clip_look(struct redis_clip *clip, struct redisReader *reader)
{
    size_t there = reader->len - reader->pos, len, head, new_head;
    char *text = reader->buf + reader->pos;
    char number[NUMBER_TEXT_MAX];

    if (there <= HEAD_MAX_BYTES + REDIS_CLIP_BYTES || reader->ridx < 0 ||
        reader->rstack[reader->ridx].type != REDIS_REPLY_STRING || !read_head(text, &len, &head) ||
        head + len + 2 <= there)
        return;
    new_head = number_format_u64(number, REDIS_CLIP_BYTES);
    memmove(text + new_head + 2, text + head, REDIS_CLIP_BYTES);
    memcpy(text, number, new_head);
    memcpy(text + new_head, "\r\n", 2);
    clip->skip = head + len + 2 - there;
    reader->len = reader->pos + new_head + 2 + REDIS_CLIP_BYTES;
    sdsIncrLen(reader->buf, (int)reader->len - (int)sdslen(reader->buf));
}

size_t redis_clip_skip(struct redis_clip *clip, size_t len, bool *ret_ended)
{
    size_t part = len < clip->skip ? len : clip->skip;

    *ret_ended = part > 0 && part == clip->skip;
    clip->skip -= part;
    return part;
}
