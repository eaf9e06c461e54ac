/* The queue holds what the manager did not take, each message behind its length. Feeding the watchdog is not
 * queued: an old sign of life is worth nothing. */
#include "adapters/systemd.h"

#include "adapters/log.h"
#include "adapters/loop.h"
#include "util/alloc.h"
#include "util/number.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 128
#define STATUS_MAX  96
#define WAITING_MAX 16
#define RETRY_MS    50

struct systemd {
    struct log *log;
    int fd; /* -1: nobody to tell */
    struct sockaddr_un address;
    socklen_t address_len;
    int64_t feed_ms; /* 0: no watchdog */
    char status[STATUS_MAX];
    char waiting[WAITING_MAX][MESSAGE_MAX];
    size_t waiting_count;
    struct loop_timer *ready_timer, *feed_timer, *retry_timer;
    bool is_told; /* that the socket does not answer */
};

/* "/path", or "@name" in the abstract namespace. */
static bool parse_address(struct systemd *s, const char *text)
{
    size_t len = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof s->address.sun_path)
        return false;
    s->address.sun_family = AF_UNIX;
    memcpy(s->address.sun_path, text, len + 1);
    s->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    if (text[0] == '@') {
        s->address.sun_path[0] = '\0';
        s->address_len--; /* of an abstract name every byte counts */
    }
    return true;
}

static bool read_number(const char *name, uint64_t *ret_value)
{
    const char *text = getenv(name);
    return text && number_parse_u64(slice_text(text), UINT64_MAX, ret_value);
}

/* Half of what the manager allows; 0 where it does not watch, or watches another process. */
static int64_t read_feed_ms(void)
{
    uint64_t usec, pid;
    if (!read_number("WATCHDOG_USEC", &usec) || usec == 0)
        return 0;
    if (getenv("WATCHDOG_PID") && (!read_number("WATCHDOG_PID", &pid) || pid != (uint64_t)getpid()))
        return 0;
    uint64_t ms = usec / 2000;
    return ms == 0 ? 1 : ms < INT32_MAX ? (int64_t)ms : INT32_MAX;
}

/* 0, or -errno. */
static int send_now(struct systemd *s, const char *message)
{
    size_t len = strlen(message);
    ssize_t sent = sendto(s->fd, message, len, MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&s->address, s->address_len);
    return sent < 0 ? -errno : 0;
}

static bool is_busy(int error)
{
    return error == -EAGAIN || error == -ENOBUFS || error == -EINTR;
}

static void tell_trouble(struct systemd *s, int error)
{
    if (!s->is_told)
        LOG(s->log, WARN, "cannot notify systemd", log_text("error", strerror(-error)));
    s->is_told = true;
}

static void send_waiting(struct systemd *s)
{
    size_t done = 0;
    int r = 0;
    while (done < s->waiting_count && !is_busy(r = send_now(s, s->waiting[done])))
        done++;
    if (r && !is_busy(r))
        tell_trouble(s, r);
    s->waiting_count -= done;
    memmove(s->waiting, s->waiting + done, s->waiting_count * MESSAGE_MAX);
}

static void on_retry(void *ctx)
{
    struct systemd *s = ctx;
    send_waiting(s);
    if (s->waiting_count > 0)
        loop_timer_set(s->retry_timer, RETRY_MS);
}

static void tell(struct systemd *s, const char *message)
{
    if (s->fd < 0)
        return;
    if (s->waiting_count ==
        WAITING_MAX) { /* reloads without end before a manager that hangs: the newest count */
        s->waiting_count--;
        memmove(s->waiting, s->waiting + 1, s->waiting_count * MESSAGE_MAX);
    }
    (void)snprintf(s->waiting[s->waiting_count++], MESSAGE_MAX, "%s", message);
    on_retry(s);
}

static void on_feed(void *ctx)
{
    struct systemd *s = ctx;
    int r = send_now(s, "WATCHDOG=1");
    if (r && !is_busy(r))
        tell_trouble(s, r);
    loop_timer_set(s->feed_timer, is_busy(r) && s->feed_ms > RETRY_MS ? RETRY_MS : s->feed_ms);
}

static void on_ready(void *ctx)
{
    struct systemd *s = ctx;
    tell(s, "READY=1");
    if (s->feed_ms > 0)
        on_feed(s);
}

struct systemd *systemd_new(struct loop *loop, struct log *log)
{
    struct systemd *s = mem_new(1, sizeof *s);
    s->log = log;
    s->fd = -1;
    const char *address = getenv("NOTIFY_SOCKET");
    if (address && address[0]) {
        if (!parse_address(s, address))
            tell_trouble(s, -EINVAL);
        else if ((s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
            tell_trouble(s, -errno);
    }
    s->feed_ms = s->fd >= 0 ? read_feed_ms() : 0;
    s->ready_timer = loop_timer_new(loop, on_ready, s);
    s->feed_timer = loop_timer_new(loop, on_feed, s);
    s->retry_timer = loop_timer_new(loop, on_retry, s);
    return s;
}

void systemd_free(struct systemd *s)
{
    if (!s)
        return;
    send_waiting(s);
    loop_timer_free(s->ready_timer);
    loop_timer_free(s->feed_timer);
    loop_timer_free(s->retry_timer);
    if (s->fd >= 0)
        (void)close(s->fd); /* datagrams: nothing is lost by it */
    free(s);
}

void systemd_start(struct systemd *s)
{
    if (s->fd >= 0)
        loop_timer_set(s->ready_timer, 0);
}

void systemd_tell_status(struct systemd *s, const char *word)
{
    if (strncmp(s->status, word, sizeof s->status - 1) == 0)
        return;
    (void)snprintf(s->status, sizeof s->status, "%s", word);
    char message[MESSAGE_MAX];
    (void)snprintf(message, sizeof message, "STATUS=%s", word);
    tell(s, message);
}

void systemd_tell_reloading(struct systemd *s)
{
    char message[MESSAGE_MAX];
    (void)snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)loop_now_us());
    tell(s, message);
}

void systemd_tell_reloaded(struct systemd *s)
{
    tell(s, "READY=1");
}

void systemd_tell_stopping(struct systemd *s)
{
    tell(s, "STOPPING=1");
}
