#include "log_sink.h"

#include "adapters/loop.h"
#include "util/alloc.h"
#include "util/macros.h"
#include "util/number.h"
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAITING_MAX_BYTES ((size_t)256 * 1024)
#define KEEP_BYTES        ((size_t)16 * 1024)
#define RETRY_MS          100
/* What a terminal takes at once when it is ready. */
#define TERMINAL_BYTES 256

enum sink_way {
    SINK_WRITE, /* opened anew, or a file: a write does not wait */
    SINK_SEND,  /* a socket */
    SINK_POLL,  /* shared and blocking: ask before */
};

struct log_sink {
    struct loop *loop;
    int fd;
    bool owns_fd;
    enum sink_way way;
    size_t write_max; /* bytes at a time */
    struct buf waiting;
    size_t written;           /* of waiting, from its front */
    bool is_torn;             /* what was written last ends within a line */
    bool has_joint;           /* what waits begins with the end of a line whose rest was lost */
    struct event *event;      /* writable; NULL without a loop */
    struct loop_timer *retry; /* for what cannot be waited for with an event */
    uint64_t lost;
    void (*drained)(void *ctx);
    void *ctx;
};

static void flush_sink(struct log_sink *sink);

bool log_sink_is_journal(int fd)
{
    const char *name = getenv("JOURNAL_STREAM");
    struct stat st;
    char own[2 * NUMBER_TEXT_MAX];

    if (!name || fstat(fd, &st) < 0)
        return false;
    (void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(own, name) == 0;
}

static int open_anew(int fd)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

static void choose_way(struct log_sink *sink, int fd)
{
    struct stat st = {0};
    int own;

    (void)fstat(fd, &st); /* a descriptor that is not open makes every write fail, which is counted */
    sink->fd = fd;
    sink->write_max = S_ISFIFO(st.st_mode) ? PIPE_BUF : INT_MAX;
    if (S_ISSOCK(st.st_mode)) {
        sink->way = SINK_SEND;
        return;
    }
    own = open_anew(fd);
    if (own >= 0) {
        sink->fd = own;
        sink->owns_fd = true;
        sink->way = SINK_WRITE;
        return;
    }
    sink->way = S_ISREG(st.st_mode) ? SINK_WRITE : SINK_POLL;
    if (S_ISCHR(st.st_mode))
        sink->write_max = TERMINAL_BYTES;
}

static void on_retry(void *ctx)
{
    flush_sink(ctx);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    UNUSED(fd);
    UNUSED(what);
    flush_sink(arg);
}

struct log_sink *log_sink_new(struct loop *loop, int fd, void (*drained)(void *ctx), void *ctx)
{
    struct log_sink *sink = mem_new(1, sizeof(*sink));

    sink->loop = loop;
    sink->drained = drained;
    sink->ctx = ctx;
    choose_way(sink, fd);
    if (loop) {
        sink->event = event_new(loop_event_base(loop), sink->fd, EV_WRITE, on_writable, sink);
        sink->retry = loop_timer_new(loop, on_retry, sink);
    }
    return sink;
}

void log_sink_free(struct log_sink *sink)
{
    if (!sink)
        return;
    sink->drained = NULL;
    flush_sink(sink);
    if (sink->event)
        event_free(sink->event);
    loop_timer_free(sink->retry);
    if (sink->owns_fd)
        (void)close(sink->fd); /* nothing is left to be told to anybody */
    buf_clear(&sink->waiting);
    free(sink);
}

static size_t unwritten(const struct log_sink *sink)
{
    return sink->waiting.len - sink->written;
}

bool log_sink_has_room(const struct log_sink *sink, size_t size)
{
    return size <= WAITING_MAX_BYTES && unwritten(sink) <= WAITING_MAX_BYTES - size;
}

uint64_t log_sink_lost_lines(const struct log_sink *sink)
{
    return sink->lost;
}

/* Whole lines as far as they fit into one write: a pipe takes that much in one piece, between the lines of
 * others. */
static size_t next_piece(const struct log_sink *sink, const char *at)
{
    size_t len = unwritten(sink);
    const char *last_break;

    if (len <= sink->write_max)
        return len;
    last_break = memrchr(at, '\n', sink->write_max);
    return last_break ? (size_t)(last_break - at) + 1 : sink->write_max;
}

/* Bytes written, or -errno. */
static ssize_t write_piece(const struct log_sink *sink, const char *at, size_t len)
{
    struct pollfd ready = {.fd = sink->fd, .events = POLLOUT};
    ssize_t n;

    if (sink->way == SINK_SEND) {
        n = send(sink->fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        return n < 0 ? -errno : n;
    }
    if (sink->way == SINK_POLL && poll(&ready, 1, 0) <= 0)
        return -EAGAIN;
    n = write(sink->fd, at, len);
    return n < 0 ? -errno : n;
}

static void await_reader(struct log_sink *sink)
{
    if (sink->event && event_add(sink->event, NULL) < 0)
        loop_timer_set(sink->retry, RETRY_MS);
}

static void forget_waiting(struct log_sink *sink)
{
    buf_reset(&sink->waiting, KEEP_BYTES);
    sink->written = 0;
    sink->has_joint = false;
}

/* Gives up what waits. Nothing is left to be tried again: the next line is the next try. */
static void lose_waiting(struct log_sink *sink)
{
    for (size_t i = sink->written + (sink->has_joint && !sink->written); i < sink->waiting.len; i++)
        sink->lost += sink->waiting.data[i] == '\n';
    forget_waiting(sink);
}

/* A line that was begun and whose rest was lost is ended before the next. */
static void join_torn(struct log_sink *sink)
{
    if (!sink->is_torn || unwritten(sink) > 0)
        return;
    buf_add_char(&sink->waiting, '\n');
    sink->has_joint = true;
}

static void flush_sink(struct log_sink *sink)
{
    if (unwritten(sink) == 0)
        return;
    while (unwritten(sink) > 0) {
        const char *at = sink->waiting.data + sink->written;
        ssize_t n = write_piece(sink, at, next_piece(sink, at));

        if (n == -EINTR)
            continue;
        if (n == -EAGAIN || n == 0) {
            await_reader(sink);
            return;
        }
        if (n < 0) {
            lose_waiting(sink);
            return;
        }
        sink->written += (size_t)n;
        sink->is_torn = at[n - 1] != '\n';
    }
    forget_waiting(sink);
    if (sink->drained)
        sink->drained(sink->ctx);
}

void log_sink_retry(struct log_sink *sink)
{
    if (!sink->loop)
        flush_sink(sink);
}

void log_sink_add(struct log_sink *sink, struct slice lines)
{
    bool is_behind = unwritten(sink) > 0;

    if (sink->written > WAITING_MAX_BYTES) {
        sink->waiting.len -= sink->written;
        memmove(sink->waiting.data, sink->waiting.data + sink->written, sink->waiting.len);
        sink->written = 0;
        sink->has_joint = false;
    }
    join_torn(sink);
    buf_add_slice(&sink->waiting, lines);
    if (!is_behind) /* else the event says when to go on */
        flush_sink(sink);
    else
        log_sink_retry(sink);
}
