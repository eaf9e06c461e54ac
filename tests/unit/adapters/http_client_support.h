/* The HTTP client and the servers that it talks to, on one loop. A server does to each request, or to each
 * connection, what its `act` says at that moment. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/http_client.h"
#include "adapters/loop.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/macros.h"
#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000 /* no test passes by it */

enum act {
    ACT_ANSWER,  /* with `answer`, and keep the connection */
    ACT_LAST,    /* with `answer`, and close the connection */
    ACT_HANG,    /* until server_answer_all */
    ACT_CLOSE,   /* without an answer */
    ACT_ENDLESS, /* `answer`, and then bytes as long as they are taken */
};

struct server {
    struct evconnlistener *listener;
    SSL_CTX *tls; /* NULL: plain */
    uint16_t port;
    enum act act;
    const char *answer;
    size_t accepted, requests, open;
    struct bufferevent *connections[320];
    struct buf last; /* request, whole */
};

struct outcome {
    struct fixture *f;
    int calls, status;
    bool failed, frees_client;
    const char *posts; /* a URL to post to from the callback */
    struct outcome *next;
    char error[300], body[HTTP_CLIENT_BODY_MAX_BYTES + 1];
    size_t body_len;
};

struct fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct http_client *client;
    struct server server;
    char url[128];
    int ended; /* callbacks in all */

    /* What the loop runs for. */
    bool (*is_done)(void *arg);
    void *arg;
    int64_t give_up_ms;
    int ticks;
    bool was_done;
};

static inline void server_forget(struct server *server, struct bufferevent *connection)
{
    for (size_t i = 0; i < server->accepted; i++) {
        if (server->connections[i] == connection)
            server->connections[i] = NULL;
    }
    server->open--;
    bufferevent_free(connection);
}

static inline void server_end_when_sent(struct bufferevent *connection, void *ctx)
{
    server_forget(ctx, connection);
}

static inline void server_send_more(struct bufferevent *connection, void *ctx)
{
    static const char block[16384] = {'x'};

    UNUSED(ctx);
    (void)bufferevent_write(connection, block, sizeof(block));
}

static inline void server_on_event(struct bufferevent *connection, short what, void *ctx)
{
    UNUSED(what);
    server_forget(ctx, connection);
}

/* The length of the request at the beginning of INPUT, or 0 while it is not whole. */
static inline size_t whole_request(struct evbuffer *input)
{
    struct evbuffer_ptr end = evbuffer_search(input, "\r\n\r\n", 4, NULL);
    struct evbuffer_ptr at = evbuffer_search(input, "Content-Length: ", 16, NULL);
    char digits[24] = "";
    size_t len;

    if (end.pos < 0)
        return 0;
    len = (size_t)end.pos + 4;
    if (at.pos >= 0) {
        assert_int_equal(evbuffer_ptr_set(input, &at, 16, EVBUFFER_PTR_ADD), 0);
        (void)evbuffer_copyout_from(input, &at, digits, sizeof(digits) - 1);
        len += strtoul(digits, NULL, 10);
    }
    return evbuffer_get_length(input) >= len ? len : 0;
}

static inline void server_on_bytes(struct bufferevent *connection, void *ctx)
{
    struct server *server = ctx;
    struct evbuffer *input = bufferevent_get_input(connection);
    size_t len = whole_request(input);

    if (!len)
        return;
    server->requests++;
    buf_reset(&server->last, SIZE_MAX);
    assert_int_equal(evbuffer_remove(input, buf_reserve(&server->last, len), len), len);
    server->last.len = len;
    if (server->act == ACT_CLOSE) {
        server_forget(server, connection);
        return;
    }
    if (server->act == ACT_LAST)
        bufferevent_setcb(connection, NULL, server_end_when_sent, server_on_event, server);
    if (server->act == ACT_ENDLESS)
        bufferevent_setcb(connection, NULL, server_send_more, server_on_event, server);
    if (server->act != ACT_HANG)
        (void)bufferevent_write(connection, server->answer, strlen(server->answer));
}

static inline void server_on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                                    struct sockaddr *address, int len, void *ctx)
{
    struct server *server = ctx;
    struct event_base *base = evconnlistener_get_base(listener);
    struct bufferevent *connection;

    UNUSED(address);
    UNUSED(len);
    assert_true(server->accepted < ARRAY_LEN(server->connections));
    if (server->tls)
        connection = bufferevent_openssl_socket_new(base, fd, SSL_new(server->tls), BUFFEREVENT_SSL_ACCEPTING,
                                                    BEV_OPT_CLOSE_ON_FREE);
    else
        connection = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    assert_non_null(connection);
    server->connections[server->accepted++] = connection;
    server->open++;
    bufferevent_setcb(connection, server_on_bytes, NULL, server_on_event, server);
    assert_int_equal(bufferevent_enable(connection, EV_READ | EV_WRITE), 0);
}

/* Answers what hangs. */
static inline void server_answer_all(struct server *server)
{
    for (size_t i = 0; i < server->accepted; i++) {
        if (server->connections[i])
            (void)bufferevent_write(server->connections[i], server->answer, strlen(server->answer));
    }
}

static inline void server_start(struct server *server, struct loop *loop)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";
    server->listener = evconnlistener_new_bind(loop_event_base(loop), server_on_accept, server,
                                               LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 512,
                                               (struct sockaddr *)&address, sizeof(address));
    assert_non_null(server->listener);
    assert_int_equal(getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&address, &len),
                     0);
    server->port = ntohs(address.sin_port);
}

static inline void server_stop(struct server *server)
{
    for (size_t i = 0; i < server->accepted; i++) {
        if (server->connections[i])
            server_forget(server, server->connections[i]);
    }
    if (server->listener)
        evconnlistener_free(server->listener);
    server->listener = NULL;
    buf_clear(&server->last);
}

static inline void on_tick(void *ctx)
{
    struct fixture *f = ctx;

    f->ticks++;
    f->was_done = f->is_done(f->arg);
    if (f->was_done || loop_now_ms() > f->give_up_ms)
        loop_stop(f->loop);
    else
        loop_timer_set(f->tick, 1);
}

static inline void run_until(struct fixture *f, bool (*is_done)(void *), void *arg)
{
    f->is_done = is_done;
    f->arg = arg;
    f->give_up_ms = loop_now_ms() + PATIENCE_MS;
    loop_timer_set(f->tick, 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_true(f->was_done);
}

static inline void post_to(struct fixture *f, struct outcome *outcome, const char *url, struct slice body,
                           int64_t timeout_ms);

static inline void on_done(void *ctx, const struct http_client_result *result)
{
    struct outcome *o = ctx;

    o->calls++;
    o->f->ended++;
    o->status = result->status;
    o->failed = result->error != NULL;
    (void)snprintf(o->error, sizeof(o->error), "%s", result->error ? result->error : "");
    o->body_len = result->body.len;
    assert_true(result->body.len < sizeof(o->body));
    memcpy(o->body, result->body.data, result->body.len);
    o->body[result->body.len] = '\0';
    if (o->posts)
        post_to(o->f, o->next, o->posts, slice_text("next"), PATIENCE_MS);
    if (o->frees_client) {
        http_client_free(o->f->client);
        o->f->client = NULL;
    }
}

static inline void post_to(struct fixture *f, struct outcome *outcome, const char *url, struct slice body,
                           int64_t timeout_ms)
{
    struct http_client_request request = {.url = url,
                                          .content_type = "application/json",
                                          .body = body,
                                          .timeout_ms = timeout_ms,
                                          .done = on_done,
                                          .ctx = outcome};

    outcome->f = f;
    assert_int_equal(http_client_post(f->client, &request), 0);
    assert_int_equal(outcome->calls, 0);
}

static inline bool has_ended(void *arg)
{
    return ((struct outcome *)arg)->calls > 0;
}

/* Posts, and waits for the end. */
static inline void post(struct fixture *f, struct outcome *outcome, const char *url, const char *body)
{
    post_to(f, outcome, url, slice_text(body), PATIENCE_MS);
    run_until(f, has_ended, outcome);
    assert_int_equal(outcome->calls, 1);
}

static inline struct fixture *fixture_new(void)
{
    struct fixture *f = mem_new(1, sizeof(*f));

    f->loop = loop_new();
    assert_non_null(f->loop);
    f->tick = loop_timer_new(f->loop, on_tick, f);
    f->client = http_client_new(f->loop);
    assert_non_null(f->client);
    server_start(&f->server, f->loop);
    (void)snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/api/v2/alerts", f->server.port);
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    http_client_free(f->client);
    server_stop(&f->server);
    loop_timer_free(f->tick);
    loop_free(f->loop);
    free(f);
}
