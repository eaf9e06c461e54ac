/* The listening side: binding, accepting, and what happens when there is no room.
 *
 * Accepting is ours and not libmicrohttpd's, which spins when descriptors run out. One descriptor is kept in
 * reserve: it is given up for as long as it takes to accept and close a connection that cannot be served, so
 * nobody is left hanging. */
#include "http_internal.h"

#include "adapters/log.h"
#include "adapters/loop.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG                128
#define SEND_BYTES             131072 /* the system doubles it */
#define ACCEPTS_A_TURN         16
#define PAUSE_MS               100
#define EVICT_AFTER_MS         1000
#define EVICT_SENDING_AFTER_MS 2000
#define UNIX_MODE_UMASK        0117 /* leaves 0660 */

static int new_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

/* True where PATH is a socket that nobody listens on any more. */
static bool unix_path_is_stale(const struct sockaddr_un *address)
{
    struct stat status;
    int fd, error;

    if (lstat(address->sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
        return false;
    fd = new_socket(AF_UNIX);
    if (fd < 0)
        return false;
    error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
    (void)close(fd); /* only tried */
    return error == ECONNREFUSED;
}

static int bind_unix(int fd, const struct sockaddr_un *address)
{
    mode_t mask = umask(UNIX_MODE_UMASK);
    int error = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

    (void)umask(mask); /* never fails */
    return error;
}

/* Remembers what was made at the path, so that only that is removed at the end. */
static void remember_unix(struct http_server *server, const char *path)
{
    struct stat status;

    server->unix_path = mem_copy_text(path, strlen(path));
    if (lstat(path, &status) < 0)
        return;
    server->unix_dev = status.st_dev;
    server->unix_ino = status.st_ino;
}

static int listen_unix(struct http_server *server, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int error;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    server->listen_fd = new_socket(AF_UNIX);
    if (server->listen_fd < 0)
        return server->listen_fd;
    error = bind_unix(server->listen_fd, &address);
    if (error == -EADDRINUSE && unix_path_is_stale(&address) && unlink(path) == 0)
        error = bind_unix(server->listen_fd, &address);
    if (error)
        return error;
    remember_unix(server, path);
    server->is_loopback = true;
    return listen(server->listen_fd, BACKLOG) < 0 ? -errno : 0;
}

static uint16_t port_of(const struct sockaddr_storage *bound)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memcpy(&v4, bound, sizeof(v4));
    memcpy(&v6, bound, sizeof(v6));
    return ntohs(bound->ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

static int listen_address(struct http_server *server, const struct addrinfo *address)
{
    struct sockaddr_storage bound = {0};
    socklen_t bound_len = sizeof(bound);
    int on = 1;

    server->listen_fd = new_socket(address->ai_family);
    if (server->listen_fd < 0)
        return server->listen_fd;
    /* Without it a restart finds its own old connections in the way. */
    if (setsockopt(server->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(server->listen_fd, address->ai_addr, address->ai_addrlen) < 0 ||
        listen(server->listen_fd, BACKLOG) < 0 ||
        getsockname(server->listen_fd, (struct sockaddr *)&bound, &bound_len) < 0)
        return -errno;
    server->port = port_of(&bound);
    server->is_loopback = http_address_is_loopback((const struct sockaddr *)&bound);
    return 0;
}

static void close_listener(struct http_server *server)
{
    if (server->listen_fd >= 0)
        (void)close(server->listen_fd); /* nothing was written to it */
    server->listen_fd = -1;
}

/* The first address of the name that can be had. */
static int listen_tcp(struct http_server *server, const struct http_options *options, struct errmsg *why)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    int error;

    (void)snprintf(port, sizeof(port), "%u", (unsigned)options->port); /* fits */
    error = getaddrinfo(options->host, port, &hints, &found);
    if (error) {
        errmsg_set(why, "%s: %s", options->host, gai_strerror(error));
        return error == EAI_SYSTEM && errno ? -errno : -EADDRNOTAVAIL;
    }
    error = -EADDRNOTAVAIL;
    for (const struct addrinfo *address = found; address && error; address = address->ai_next) {
        close_listener(server);
        error = listen_address(server, address);
    }
    freeaddrinfo(found);
    return error;
}

int http_listen(struct http_server *server, const struct http_options *options, struct errmsg *why)
{
    int error;

    errmsg_set(why, "%s", "");
    error = options->is_unix ? listen_unix(server, options->host) : listen_tcp(server, options, why);
    if (!error)
        return 0;
    close_listener(server);
    if (why && *why->text)
        return error;
    if (options->is_unix)
        errmsg_set(why, "%s: %s", options->host, strerror(-error));
    else
        errmsg_set(why, "%s port %u: %s", options->host, (unsigned)options->port, strerror(-error));
    return error;
}

/* Until a connection has ended, or for a moment, whichever comes first. */
static void pause_accepting(struct http_server *server)
{
    (void)event_del(server->acceptable); /* cannot fail for an event that was added */
    loop_timer_set(server->accept_pause, PAUSE_MS);
}

void http_accept_resume(struct http_server *server)
{
    if (!server->acceptable || !loop_timer_is_set(server->accept_pause))
        return;
    loop_timer_stop(server->accept_pause);
    (void)event_add(server->acceptable, NULL); /* was added before, so there is room for it */
}

static void on_pause_over(void *ctx)
{
    struct http_server *server = ctx;

    (void)event_add(server->acceptable, NULL); /* as above */
}

static void open_reserve(struct http_server *server)
{
    if (server->reserve_fd < 0)
        server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* No descriptor is left: the client is told by a close. Where even that cannot be, accepting rests a while.
 */
static void turn_away(struct http_server *server, int error)
{
    int fd = -1;

    if (server->reserve_fd >= 0) {
        (void)close(server->reserve_fd); /* only read from */
        server->reserve_fd = -1;
        fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            (void)close(fd); /* nothing was written to it */
        open_reserve(server);
    }
    server->stats.out_of_files += fd >= 0;
    LOG_LIMITED(server->log, WARN, slice_text("http"), "cannot accept connections",
                log_text("error", strerror(error)));
    if (fd < 0)
        pause_accepting(server);
}

/* Whoever has kept a connection for longest without use is the first to go where somebody waits for one. A
 * young one stays: its request may be on the way, or the answer to it. Streams are fewer than connections,
 * and what the application has is answered soon. */
static const struct {
    enum http_state state;
    int64_t after_ms;
} evictable[] = {
    {HTTP_REFUSED_HEAD, 0},
    {HTTP_WAITING, EVICT_AFTER_MS},
    {HTTP_READING, EVICT_AFTER_MS},
    {HTTP_SENDING, EVICT_SENDING_AFTER_MS},
};

static void make_room(struct http_server *server)
{
    int64_t now_ms = loop_now_ms();

    pause_accepting(server);
    for (size_t i = 0; i < ARRAY_LEN(evictable); i++) {
        struct http_connection *oldest = TAILQ_FIRST(&server->lists[evictable[i].state]);

        if (!oldest || now_ms - oldest->entered_ms < evictable[i].after_ms)
            continue;
        server->stats.evicted++;
        http_connection_shut(oldest);
        return;
    }
}

/* False where there is nothing more to accept for now. */
static bool accept_one(struct http_server *server)
{
    struct sockaddr_storage peer = {0};
    socklen_t peer_len = sizeof(peer);
    int on = 1, send_bytes = SEND_BYTES;
    int fd = accept4(server->listen_fd, (struct sockaddr *)&peer, &peer_len, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        /* What the system takes at once is copied while everybody waits, and it would take megabytes. */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
        if (peer.ss_family != AF_UNIX)
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* it would only be slower */
        http_connection_add(server, fd, &peer, peer_len);
        return true;
    }
    switch (errno) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        turn_away(server, errno);
        return false;
    default: /* the connection that was next is gone */
        return true;
    }
}

static void on_acceptable(evutil_socket_t fd, short events, void *ctx)
{
    struct http_server *server = ctx;

    (void)fd;
    (void)events;
    if (server->stats.connections >= server->max_connections) {
        make_room(server);
        return;
    }
    for (int i = 0; i < ACCEPTS_A_TURN && server->stats.connections < server->max_connections; i++) {
        if (!accept_one(server))
            return;
    }
}

int http_accept_start(struct http_server *server)
{
    open_reserve(server);
    server->accept_pause = loop_timer_new(server->loop, on_pause_over, server);
    server->acceptable = event_new(loop_event_base(server->loop), server->listen_fd, EV_READ | EV_PERSIST,
                                   on_acceptable, server);
    return server->acceptable && event_add(server->acceptable, NULL) == 0 ? 0 : -ENOMEM;
}

static void remove_unix_path(struct http_server *server)
{
    struct stat status;

    if (server->unix_path && lstat(server->unix_path, &status) == 0 && status.st_dev == server->unix_dev &&
        status.st_ino == server->unix_ino)
        (void)unlink(server->unix_path); /* the next start replaces a stale one */
    free(server->unix_path);
    server->unix_path = NULL;
}

void http_accept_stop(struct http_server *server)
{
    if (server->acceptable)
        event_free(server->acceptable);
    server->acceptable = NULL;
    loop_timer_free(server->accept_pause);
    server->accept_pause = NULL;
    close_listener(server);
    remove_unix_path(server);
    if (server->reserve_fd >= 0)
        (void)close(server->reserve_fd); /* only read from */
    server->reserve_fd = -1;
}
