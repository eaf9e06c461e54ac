/* Reaching a server within a time limit, without blocking.
 *
 * Steps: look-up (not for addresses and unix sockets), then for each address connect and TLS, until one is
 * through. The time that is left is divided by the addresses that are left, so that one which swallows
 * packets does not use up all. */
#include "redis_dial.h"

#include "adapters/loop.h"
#include "redis_tls.h"
#include "util/alloc.h"
#include "util/errmsg.h"
#include "util/macros.h"
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ADDRESSES_MAX 8

/* A peer that vanished without a word is found out after about 15 s, on a link that is otherwise silent. */
#define KEEPALIVE_IDLE_S     6
#define KEEPALIVE_INTERVAL_S 3
#define KEEPALIVE_COUNT      3

struct redis_dial {
    struct loop *loop;
    const struct redis_endpoint *endpoint;
    redis_dial_fn fn;
    void *ctx;
    int64_t deadline_ms;
    unsigned first;
    struct loop_lookup *lookup;
    struct loop_timer *timer; /* the start, then the time of the step */
    struct event *event;      /* what the step waits for; NULL while none */
    struct redis_socket socket;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    socklen_t lens[ADDRESSES_MAX];
    size_t count;
    size_t next; /* the address to be tried after this one */
    char where[NI_MAXHOST + NI_MAXSERV];
    struct errmsg error;
};

static void try_next_address(struct redis_dial *dial);

static void close_step(struct redis_dial *dial)
{
    if (dial->event)
        event_free(dial->event);
    dial->event = NULL;
    redis_socket_close(&dial->socket);
}

void redis_dial_free(struct redis_dial *dial)
{
    if (!dial)
        return;
    close_step(dial);
    loop_lookup_free(dial->lookup);
    loop_timer_free(dial->timer);
    free(dial);
}

static void finish_dial(struct redis_dial *dial)
{
    struct redis_socket none = REDIS_SOCKET_NONE;

    close_step(dial);
    loop_timer_stop(dial->timer);
    dial->fn(dial->ctx, &none, dial->error.text);
}

static void hand_over_socket(struct redis_dial *dial)
{
    struct redis_socket socket = dial->socket;

    dial->socket = REDIS_SOCKET_NONE;
    close_step(dial);
    loop_timer_stop(dial->timer);
    dial->fn(dial->ctx, &socket, NULL);
}

static void await_event(struct redis_dial *dial, short what, event_callback_fn fn)
{
    if (dial->event)
        event_free(dial->event);
    dial->event = event_new(loop_event_base(dial->loop), dial->socket.fd, what, fn, dial);
    if (!dial->event || event_add(dial->event, NULL) < 0)
        mem_fail();
}

static void on_tls_event(evutil_socket_t fd, short what, void *arg)
{
    struct redis_dial *dial = arg;
    struct errmsg why;

    UNUSED(fd);
    UNUSED(what);
    switch (redis_tls_connect(dial->socket.ssl, &why)) {
    case REDIS_TLS_DONE:
        hand_over_socket(dial);
        return;
    case REDIS_TLS_WANT_READ:
        await_event(dial, EV_READ, on_tls_event);
        return;
    case REDIS_TLS_WANT_WRITE:
        await_event(dial, EV_WRITE, on_tls_event);
        return;
    case REDIS_TLS_FAILED:
        errmsg_set(&dial->error, "connect to %s: %s", dial->where, why.text);
        try_next_address(dial);
        return;
    }
}

static void on_connected(struct redis_dial *dial)
{
    if (dial->endpoint->scheme != REDIS_TLS) {
        hand_over_socket(dial);
        return;
    }
    dial->socket.ssl = redis_tls_new(dial->endpoint, dial->socket.fd, &dial->error);
    if (!dial->socket.ssl) {
        finish_dial(dial); /* another address would not mend our files */
        return;
    }
    await_event(dial, EV_WRITE, on_tls_event);
}

/* Where nobody listens on a port of the range for outgoing connections, a connect can meet itself, and would
 * hold the port that the server is about to listen on. */
static bool is_self_connected(int fd)
{
    struct sockaddr_storage own, peer;
    socklen_t own_len = sizeof(own), peer_len = sizeof(peer);

    memset(&own, 0, sizeof(own));
    memset(&peer, 0, sizeof(peer));
    return getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 && own.ss_family != AF_UNIX &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 && own_len == peer_len &&
           memcmp(&own, &peer, own_len) == 0;
}

static void on_connect_event(evutil_socket_t fd, short what, void *arg)
{
    struct redis_dial *dial = arg;
    int error = 0;
    socklen_t len = sizeof(error);

    UNUSED(what);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (!error && is_self_connected(fd))
        error = ECONNREFUSED;
    if (!error) {
        on_connected(dial);
        return;
    }
    errmsg_set(&dial->error, "connect to %s: %s", dial->where, strerror(error));
    try_next_address(dial);
}

/* None of these is needed to go on, so a refusal is no failure. */
static void set_tcp_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
    };

    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
}

static void name_address(struct redis_dial *dial, const struct sockaddr *addr, socklen_t len)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (addr->sa_family == AF_UNIX)
        (void)snprintf(dial->where, sizeof(dial->where), "%s", dial->endpoint->host);
    else if (getnameinfo(addr, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
        (void)snprintf(dial->where, sizeof(dial->where), "?");
    else
        (void)snprintf(dial->where, sizeof(dial->where), addr->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
                       host, port);
}

/* 0, or -errno. A full backlog of a unix socket is EAGAIN and ends the try: there is nothing to wait for. */
static int begin_connect(struct redis_dial *dial, const struct sockaddr *addr, socklen_t len)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    dial->socket.fd = fd;
    if (addr->sa_family != AF_UNIX)
        set_tcp_options(fd);
    if (connect(fd, addr, len) < 0 && errno != EINPROGRESS)
        return -errno;
    await_event(dial, EV_WRITE, on_connect_event);
    return 0;
}

static void try_next_address(struct redis_dial *dial)
{
    close_step(dial);
    while (dial->next < dial->count) {
        size_t index = (dial->next + dial->first) % dial->count;
        int64_t left_ms = dial->deadline_ms - loop_now_ms();

        if (left_ms <= 0)
            break;
        loop_timer_set(dial->timer, left_ms / (int64_t)(dial->count - dial->next) + 1);
        dial->next++;
        name_address(dial, (const struct sockaddr *)&dial->addresses[index], dial->lens[index]);

        int r = begin_connect(dial, (const struct sockaddr *)&dial->addresses[index], dial->lens[index]);

        if (r == 0)
            return;
        errmsg_set(&dial->error, "connect to %s: %s", dial->where, strerror(-r));
        close_step(dial);
    }
    finish_dial(dial);
}

static void on_looked_up(void *ctx, const struct loop_address *addresses, size_t count, const char *error)
{
    struct redis_dial *dial = ctx;

    for (size_t i = 0; i < count && dial->count < ADDRESSES_MAX; i++) {
        memcpy(&dial->addresses[dial->count], addresses[i].addr, addresses[i].addr_len);
        dial->lens[dial->count++] = addresses[i].addr_len;
    }
    loop_lookup_free(dial->lookup);
    dial->lookup = NULL;
    if (dial->count == 0)
        errmsg_set(&dial->error, "look up %s: %s", dial->endpoint->host, error);
    try_next_address(dial);
}

static void begin_unix(struct redis_dial *dial)
{
    struct sockaddr_un *addr = (struct sockaddr_un *)&dial->addresses[0];
    size_t len = strlen(dial->endpoint->host);

    if (len == 0 || len >= sizeof(addr->sun_path)) {
        errmsg_set(&dial->error, "socket path %s: %zu bytes, but 1 to %zu are possible", dial->endpoint->host,
                   len, sizeof(addr->sun_path) - 1);
        finish_dial(dial);
        return;
    }
    addr->sun_family = AF_UNIX;
    memcpy(addr->sun_path, dial->endpoint->host, len + 1);
    dial->lens[0] = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    dial->count = 1;
    try_next_address(dial);
}

static void begin_dial(struct redis_dial *dial)
{
    int64_t left_ms = dial->deadline_ms - loop_now_ms();

    if (dial->endpoint->scheme == REDIS_UNIX) {
        begin_unix(dial);
        return;
    }
    /* The look-up has a limit of its own that comes first, and says what timed out. */
    dial->lookup = loop_lookup_new(dial->loop, dial->endpoint->host, dial->endpoint->port,
                                   left_ms > 0 ? left_ms : 1, on_looked_up, dial);
}

static void on_dial_timer(void *ctx)
{
    struct redis_dial *dial = ctx;

    if (dial->socket.fd < 0) {
        begin_dial(dial);
        return;
    }
    errmsg_set(&dial->error, "connect to %s: %s", dial->where,
               dial->socket.ssl ? "TLS handshake timed out" : "timed out");
    try_next_address(dial);
}

struct redis_dial *redis_dial_new(struct loop *loop, const struct redis_endpoint *endpoint,
                                  int64_t timeout_ms, unsigned first, redis_dial_fn fn, void *ctx)
{
    struct redis_dial *dial = mem_new(1, sizeof(*dial));

    dial->loop = loop;
    dial->endpoint = endpoint;
    dial->fn = fn;
    dial->ctx = ctx;
    dial->deadline_ms = loop_now_ms() + timeout_ms;
    dial->first = first;
    dial->socket = REDIS_SOCKET_NONE;
    dial->timer = loop_timer_new(loop, on_dial_timer, dial);
    errmsg_set(&dial->error, "timed out");
    loop_timer_set(dial->timer, 0);
    return dial;
}
