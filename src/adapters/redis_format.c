#include "redis_format.h"

#include "util/number.h"

/* The mark, the digits, CR, LF. */
static size_t head_size(uint64_t value)
{
    size_t digits = 1;

    while (value >= 10) {
        value /= 10;
        digits++;
    }
    return digits + 3;
}

static char *put_head(char *at, char mark, uint64_t value)
{
    *at++ = mark;
    at += number_format_u64(at, value);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

size_t redis_format_size(const struct slice *argv, size_t argc)
{
    size_t size = head_size(argc);

    for (size_t i = 0; i < argc; i++)
        size += head_size(argv[i].len) + argv[i].len + 2;
    return size;
}

void redis_format_command(struct buf *out, const struct slice *argv, size_t argc)
{
    /* A formatted number puts a NUL behind itself, hence the room beyond the size. */
    char *at = buf_reserve(out, redis_format_size(argv, argc) + NUMBER_TEXT_MAX);

    at = put_head(at, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        at = put_head(at, '$', argv[i].len);
        if (argv[i].len > 0)
            memcpy(at, argv[i].data, argv[i].len);
        at += argv[i].len;
        *at++ = '\r';
        *at++ = '\n';
    }
    out->len = (size_t)(at - out->data);
}
