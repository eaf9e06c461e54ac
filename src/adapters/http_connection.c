/* Connections from the accept to the close: their states, deadlines, and the watch for clients that go away.
 *
 * libmicrohttpd's own timeout is not used: it starts again at every byte. Each state has one duration,
 * counted from the moment it was entered, so the lists stay sorted by deadline. */
#include "http_internal.h"

#include "adapters/loop.h"
#include "util/alloc.h"
#include <event2/event.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static struct http_connection_list *list_of(struct http_connection *connection)
{
    return &connection->server->lists[connection->state];
}

/* Makes sure that the timer fires when this connection is due. It may fire earlier, for one that has moved on
 * since. */
static void watch_deadline(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    int64_t limit_ms = server->limits_ms[connection->state];
    int64_t due_ms = connection->entered_ms + limit_ms;

    if (!limit_ms || (loop_timer_is_set(server->deadline) && server->deadline_ms <= due_ms))
        return;
    server->deadline_ms = due_ms;
    loop_timer_set(server->deadline, due_ms - loop_now_ms());
}

void http_connection_enter(struct http_connection *connection, enum http_state state)
{
    TAILQ_REMOVE(list_of(connection), connection, link);
    connection->state = state;
    connection->entered_ms = loop_now_ms();
    TAILQ_INSERT_TAIL(list_of(connection), connection, link);
    watch_deadline(connection);
}

static void resume(struct http_connection *connection)
{
    connection->is_held = false;
    MHD_resume_connection(connection->mhd);
    http_server_run_soon(connection->server);
}

static void connection_free(struct http_connection *connection)
{
    event_free(connection->readable);
    TAILQ_REMOVE(list_of(connection), connection, link);
    if (connection->has_completed)
        TAILQ_REMOVE(&connection->server->completed, connection, completed_link);
    connection->server->stats.connections--;
    http_accept_resume(connection->server);
    free(connection);
}

/* A client that knows no chunks would take the end of the connection for that of an answer in parts. An error
 * where it is no connection of TCP; there it stays an end. */
static void reset_connection(const struct http_connection *connection)
{
    static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    (void)connect(connection->fd, &nobody, sizeof(nobody));
}

void http_connection_shut(struct http_connection *connection)
{
    if (!connection->mhd) {
        (void)close(connection->fd); /* what was written to it goes on its way */
        connection_free(connection);
        return;
    }
    if (connection->request && connection->request->parts)
        reset_connection(connection);
    (void)shutdown(connection->fd, SHUT_RDWR); /* it may be gone already */
    http_connection_enter(connection, HTTP_CLOSING);
    if (connection->is_held)
        resume(connection);
    else if (connection->request && connection->request->parts)
        http_parts_wake(connection->request->parts);
}

/* For one that it should have closed by now. It reads once for each edge, and where that brought the last
 * bytes and the end together it never asks for the end; whoever is resumed is read and written again,
 * whatever edges there were. Not from inside its run. */
static void make_library_look(struct http_connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);

    if (info && !info->suspended)
        MHD_suspend_connection(connection->mhd);
    resume(connection);
    http_connection_enter(connection, HTTP_CLOSING);
}

void http_deadlines_check(struct http_server *server)
{
    int64_t now_ms = loop_now_ms();

    for (int state = 0; state < HTTP_STATES; state++) {
        struct http_connection *connection =
            server->limits_ms[state] ? TAILQ_FIRST(&server->lists[state]) : NULL;

        while (connection) {
            struct http_connection *next = TAILQ_NEXT(connection, link);

            if (connection->entered_ms + server->limits_ms[state] > now_ms) {
                watch_deadline(connection);
                break;
            }
            if (state == HTTP_CLOSING) {
                make_library_look(connection);
            } else {
                server->stats.expired += state != HTTP_REFUSED_HEAD;
                server->stats.streams_slow += state == HTTP_STREAM_SENDING;
                http_connection_shut(connection);
            }
            connection = next;
        }
    }
}

void http_answers_limit(struct http_server *server, size_t max_bytes)
{
    struct http_connection *connection = TAILQ_FIRST(&server->lists[HTTP_SENDING]), *next;
    size_t bytes = server->stats.answer_bytes; /* they are given back later */

    for (; connection && bytes > max_bytes; connection = next) {
        next = TAILQ_NEXT(connection, link);
        if (!connection->request || !connection->request->own_bytes)
            continue;
        bytes -= connection->request->own_bytes;
        server->stats.evicted++;
        http_connection_shut(connection);
    }
}

bool http_socket_has_bytes(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool http_socket_has_ended(int fd)
{
    struct pollfd watched = {.fd = fd, .events = POLLRDHUP};

    return poll(&watched, 1, 0) > 0 && (watched.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* An edge. It comes before libmicrohttpd runs in this turn (http.c), so bytes that are there are new; where
 * none are, they were read in the turn before, and what they were part of has been seen. */
static void on_connection_readable(evutil_socket_t fd, short events, void *ctx)
{
    struct http_connection *connection = ctx;

    (void)events; /* which edge it was is looked up: it may be older than the state */
    if (connection->state == HTTP_REFUSED_HEAD) {
        http_gate_drain(connection);
    } else if (connection->is_held && connection->state != HTTP_CLOSING) {
        http_gate_look(connection);
    } else if (connection->state == HTTP_WAITING) {
        if (http_socket_has_bytes(fd))
            http_connection_enter(connection, HTTP_READING);
    } else if (connection->state == HTTP_HANDLING && connection->request->is_suspended &&
               http_socket_has_ended(fd)) {
        http_request_cancel(connection->request);
        http_connection_shut(connection);
    } else if (connection->request && connection->request->stream && http_socket_has_ended(fd)) {
        if (connection->state != HTTP_CLOSING)
            http_stream_cancel(connection->request->stream);
    } else if (connection->state != HTTP_READING && connection->state != HTTP_CLOSING) {
        connection->has_more |= http_socket_has_bytes(fd);
    }
}

bool http_address_is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;

    if (address->sa_family == AF_UNIX)
        return true;
    if (address->sa_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    if (address->sa_family != AF_INET6)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

static bool addresses_are_equal(const struct sockaddr *a, const struct sockaddr *b)
{
    const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
    const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return a->sa_family == AF_INET6 && IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
}

/* The peer is on this machine too where it has the address that it connected to. */
static bool peer_is_local(int fd, const struct sockaddr *peer)
{
    struct sockaddr_storage own = {0};
    socklen_t own_len = sizeof(own);

    if (http_address_is_loopback(peer))
        return true;
    return getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
           addresses_are_equal(peer, (const struct sockaddr *)&own);
}

static struct http_connection *connection_new(struct http_server *server, int fd,
                                              const struct sockaddr_storage *peer, socklen_t peer_len)
{
    struct http_connection *connection = mem_new(1, sizeof(*connection));

    connection->server = server;
    connection->fd = fd;
    connection->peer = *peer;
    connection->peer_len = peer_len;
    connection->is_held = true;
    connection->is_local = peer_is_local(fd, (const struct sockaddr *)peer);
    connection->readable =
        event_new(loop_event_base(server->loop), fd, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST,
                  on_connection_readable, connection);
    if (!connection->readable || event_add(connection->readable, NULL) < 0) {
        if (connection->readable)
            event_free(connection->readable);
        free(connection);
        return NULL;
    }
    connection->entered_ms = loop_now_ms();
    TAILQ_INSERT_TAIL(&server->lists[HTTP_WAITING], connection, link);
    watch_deadline(connection);
    server->stats.connections++;
    return connection;
}

void http_connection_add(struct http_server *server, int fd, const struct sockaddr_storage *peer,
                         socklen_t peer_len)
{
    if (!connection_new(server, fd, peer, peer_len)) {
        (void)close(fd); /* nothing was written to it */
        return;
    }
    server->stats.accepted++;
}

void http_connection_hand_over(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    if (connection->mhd) {
        resume(connection);
        return;
    }
    connection->is_held = false;
    server->adding = connection;
    /* Where it fails, the descriptor is closed and http_notify_connection was called for both or for neither.
     */
    if (MHD_add_connection(server->daemon, connection->fd, (const struct sockaddr *)&connection->peer,
                           connection->peer_len) != MHD_YES &&
        server->adding)
        connection_free(connection);
    server->adding = NULL;
    http_server_run_soon(server);
}

void http_notify_connection(void *ctx, struct MHD_Connection *mhd, void **context,
                            enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = ctx;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = server->adding;
        server->adding->mhd = mhd;
        server->adding = NULL;
        return;
    }
    connection_free(*context);
    *context = NULL;
}
