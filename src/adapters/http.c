/* libmicrohttpd on the event loop: made, run, freed.
 *
 * Its epoll descriptor is an event of ours. When that is readable the library does not run at once but behind
 * everything else that was ready in this turn, so that the watch on each connection (http_connection.c) sees
 * new bytes before they are read. It has no wake-up of its own after a resumption or an added connection:
 * http_server_run_soon is one. */
#include "http_internal.h"

#include "adapters/log.h"
#include "adapters/loop.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECTION_MEMORY_BYTES 65536 /* of the library's; what a request may have fits */
#define MESSAGE_MAX             256
#define LINGER_MS               1000 /* for a client to read why it was refused */
#define CLOSE_MS                200  /* after that the library is made to look */
#define LAST_RUNS               3    /* of an answer: resumed, read, written */
#define STREAMLESS_SHARE        8    /* of that many connections one is not for streams */

/* The library's complaints are about clients, for whom they cannot be quiet enough. */
static void PRINTF_LIKE(2, 0) on_mhd_message(void *ctx, const char *format, va_list args)
{
    struct http_server *server = ctx;
    char text[MESSAGE_MAX];
    size_t len;

    (void)vsnprintf(text, sizeof(text), format, args); /* cut where it is too long */
    len = strcspn(text, "\n");
    LOG_LIMITED(server->log, DEBUG, slice_of(text, len), "http", log_slice("reason", slice_of(text, len)));
}

void http_server_run_soon(struct http_server *server)
{
    loop_timer_set(server->run_soon, 0);
}

/* Those that the library has closed in this run are gone from the list. */
static void hold_completed(struct http_server *server)
{
    struct http_connection *connection;

    while ((connection = TAILQ_FIRST(&server->completed))) {
        TAILQ_REMOVE(&server->completed, connection, completed_link);
        connection->has_completed = false;
        http_gate_hold(connection);
    }
}

void http_server_run_now(struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    server->run_began_us = loop_now_us();
    server->requests_at_run = server->stats.requests;
    http_postponed_resume(server);
    (void)MHD_run(server->daemon); /* fails without epoll only */
    hold_completed(server);
    if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
        loop_timer_set(server->run_soon, (int64_t)wait_ms);
    if (!TAILQ_EMPTY(&server->postponed))
        http_server_run_soon(server);
}

/* Not at once: it runs once in a turn of the loop, whatever there is to run it for. */
static void on_run_soon(void *ctx)
{
    struct http_server *server = ctx;

    event_active(server->run, EV_TIMEOUT, 0);
}

static void on_run(evutil_socket_t fd, short events, void *ctx)
{
    (void)fd;
    (void)events;
    http_server_run_now(ctx);
}

static void on_mhd_ready(evutil_socket_t fd, short events, void *ctx)
{
    struct http_server *server = ctx;

    (void)fd;
    event_active(server->run, events, 0);
}

static void on_deadline(void *ctx)
{
    http_deadlines_check(ctx);
}

static struct MHD_Daemon *start_daemon(struct http_server *server)
{
    /* The logger must come first: options before it have none. */
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL,
        NULL, http_on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_message, server,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)server->max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_URI_LOG_CALLBACK, http_on_target, server,
        MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        http_notify_connection, server, MHD_OPTION_END);
}

static int watch_daemon(struct http_server *server)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct event_base *base = loop_event_base(server->loop);

    server->run = event_new(base, -1, EV_PERSIST, on_run, server);
    server->mhd_ready = event_new(base, info->epoll_fd, EV_READ | EV_PERSIST, on_mhd_ready, server);
    return server->run && server->mhd_ready && event_add(server->mhd_ready, NULL) == 0 ? 0 : -ENOMEM;
}

/* How many connections are kept for others than streams: one at least, unless there is but one. */
static size_t streamless(size_t max_connections)
{
    size_t share = max_connections / STREAMLESS_SHARE;

    return share || max_connections == 1 ? share : 1;
}

static struct http_server *server_alloc(struct loop *loop, const struct http_options *options)
{
    struct http_server *server = mem_new(1, sizeof(*server));

    server->loop = loop;
    server->log = options->log;
    server->handler = options->handler;
    server->ctx = options->ctx;
    server->max_connections = options->max_connections;
    server->max_streams = options->max_connections - streamless(options->max_connections);
    server->listen_fd = server->reserve_fd = -1;
    server->run_soon = loop_timer_new(loop, on_run_soon, server);
    server->deadline = loop_timer_new(loop, on_deadline, server);
    server->limits_ms[HTTP_WAITING] = options->idle_ms ? options->idle_ms : HTTP_IDLE_MS;
    server->limits_ms[HTTP_READING] = options->request_ms ? options->request_ms : HTTP_REQUEST_MS;
    server->limits_ms[HTTP_SENDING] = options->send_ms ? options->send_ms : HTTP_SEND_MS;
    server->limits_ms[HTTP_STREAM_SENDING] = server->limits_ms[HTTP_SENDING];
    server->limits_ms[HTTP_REFUSED_HEAD] = LINGER_MS;
    server->limits_ms[HTTP_CLOSING] = CLOSE_MS;
    TAILQ_INIT(&server->postponed);
    TAILQ_INIT(&server->completed);
    for (int state = 0; state < HTTP_STATES; state++)
        TAILQ_INIT(&server->lists[state]);
    return server;
}

int http_server_new(struct loop *loop, const struct http_options *options, struct http_server **ret_server,
                    struct errmsg *why)
{
    struct http_server *server = server_alloc(loop, options);
    int error = http_listen(server, options, why);

    if (!error) {
        server->daemon = start_daemon(server);
        error = server->daemon ? watch_daemon(server) : -EIO;
        if (!error)
            error = http_accept_start(server);
        if (error)
            errmsg_set(why, "cannot start the HTTP server: %s", strerror(-error));
    }
    if (error) {
        http_server_free(server);
        return error;
    }
    *ret_server = server;
    return 0;
}

/* Those that the library does not read. */
static void drop_waiting(struct http_server *server)
{
    static const enum http_state states[] = {HTTP_WAITING, HTTP_READING, HTTP_REFUSED_HEAD};

    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        struct http_connection *connection = TAILQ_FIRST(&server->lists[states[i]]);

        while (connection) {
            struct http_connection *next = TAILQ_NEXT(connection, link);

            if (connection->is_held)
                http_connection_shut(connection);
            connection = next;
        }
    }
}

/* Of answers in parts each may be suspended. */
static void cut_parts(struct http_server *server)
{
    struct http_connection *connection = TAILQ_FIRST(&server->lists[HTTP_SENDING]);

    while (connection) {
        struct http_connection *next = TAILQ_NEXT(connection, link);

        if (connection->request && connection->request->parts)
            http_parts_cut(connection->request->parts);
        connection = next;
    }
}

/* The library gives up on the spot if it is stopped with a suspended connection. */
static void cancel_all(struct http_server *server)
{
    struct http_connection *connection;

    for (int i = 0; i < LAST_RUNS; i++)
        (void)MHD_run(server->daemon); /* what was answered may still go */
    while (!TAILQ_EMPTY(&server->postponed))
        http_postponed_resume(server);
    while ((connection = TAILQ_FIRST(&server->lists[HTTP_HANDLING]))) {
        if (connection->request->is_suspended)
            http_request_cancel(connection->request);
        http_connection_shut(connection);
    }
    while ((connection = TAILQ_FIRST(&server->lists[HTTP_STREAMING])) ||
           (connection = TAILQ_FIRST(&server->lists[HTTP_STREAM_SENDING])))
        http_stream_cancel(connection->request->stream);
    cut_parts(server);
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    http_accept_stop(server);
    if (server->daemon) {
        cancel_all(server);
        drop_waiting(server);
        MHD_stop_daemon(server->daemon);
    }
    assert(server->stats.connections == 0);
    if (server->mhd_ready)
        event_free(server->mhd_ready);
    if (server->run)
        event_free(server->run);
    loop_timer_free(server->run_soon);
    loop_timer_free(server->deadline);
    free(server);
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

bool http_server_is_loopback(const struct http_server *server)
{
    return server->is_loopback;
}

struct http_stats http_server_stats(const struct http_server *server)
{
    return server->stats;
}
