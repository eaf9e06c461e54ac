#include "app/backtest_lines.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES ((size_t)256 << 10)

int backtest_lines_open(struct backtest_lines *lines, const char *path)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
    if (fd < 0)
        return -errno;
    if (fstat(fd, &found) < 0)
        error = -errno;
    else if (S_ISDIR(found.st_mode))
        error = -EISDIR;
    if (error) {
        (void)close(fd); /* it was read from at the most */
        return error;
    }
    *lines = (struct backtest_lines){.fd = fd};
    return 0;
}

void backtest_lines_close(struct backtest_lines *lines)
{
    (void)close(lines->fd); /* it was read from only */
    buf_clear(&lines->data);
}

/* Reads on behind what is there, which moves to the front. 1, 0 at the end, or -errno. */
static int read_on(struct backtest_lines *lines)
{
    struct buf *data = &lines->data;
    ssize_t got;
    if (lines->at > 0) {
        memmove(data->data, data->data + lines->at, data->len - lines->at);
        data->len -= lines->at;
        lines->at = 0;
    }
    do {
        got = read(lines->fd, buf_reserve(data, READ_BYTES), READ_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    data->len += (size_t)got;
    lines->has_ended = got == 0;
    return got > 0;
}

/* Forgets the line that has begun, up to its end. 1, 0 where the file ends in it, or -errno. */
static int skip_line(struct backtest_lines *lines)
{
    const char *end = NULL;
    lines->too_long++;
    lines->number++;
    for (;;) {
        struct buf *data = &lines->data;
        end = memchr(data->data + lines->at, '\n', data->len - lines->at);
        if (end) {
            lines->at = (size_t)(end - data->data) + 1;
            return 1;
        }
        lines->at = data->len;
        int r = read_on(lines);
        if (r <= 0)
            return r;
    }
}

/* Gives the line of LEN bytes that begins here and takes it off, with TAIL bytes behind it. */
static bool give(struct backtest_lines *lines, size_t len, size_t tail, struct slice *ret_line)
{
    *ret_line = slice_of(lines->data.data + lines->at, len);
    lines->at += len + tail;
    lines->number++;
    lines->is_cut = tail == 0;
    if (len > 0 && ret_line->data[len - 1] == '\r')
        ret_line->len--;
    return ret_line->len > 0;
}

int backtest_lines_next(struct backtest_lines *lines, struct slice *ret_line)
{
    size_t searched = 0;
    for (;;) {
        struct buf *data = &lines->data;
        size_t len = data->len - lines->at;
        const char *begin = len > 0 ? data->data + lines->at : "",
                   *end = len > searched ? memchr(begin + searched, '\n', len - searched) : NULL;
        int r = 1;
        if (end && (size_t)(end - begin) <= BACKTEST_LINE_MAX) {
            searched = 0;
            if (give(lines, (size_t)(end - begin), 1, ret_line))
                return 1;
            continue;
        }
        if (len > BACKTEST_LINE_MAX) {
            r = skip_line(lines);
            searched = 0;
        } else if (!lines->has_ended) {
            searched = len;
            r = read_on(lines);
        } else {
            return len > 0 && give(lines, len, 0, ret_line);
        }
        if (r < 0)
            return r;
    }
}
