/* A server and its clients on one loop, for the tests of HTTP: clients are non-blocking sockets that a timer
 * of the loop looks after. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/http.h"
#include "adapters/loop.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 5000

struct fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct http_server *server;
    struct http_options options;
    struct http_request *suspended[8];
    size_t suspended_count;
    size_t cancelled;
    struct buf log; /* what the handler saw */
    size_t big_bytes;

    /* What the loop runs for. */
    bool (*is_done)(struct fixture *f, void *arg);
    void *arg;
    int64_t give_up_ms;
    bool was_done;
};

struct client {
    int fd;
    struct buf in;
    bool has_ended, was_reset;
    int64_t ended_ms;
};

static inline void client_read(struct client *c)
{
    for (;;) {
        ssize_t got =
            c->fd < 0 || c->has_ended ? -1 : recv(c->fd, buf_reserve(&c->in, 65536), 65536, MSG_DONTWAIT);

        if (got > 0) {
            c->in.len += (size_t)got;
            continue;
        }
        if (c->fd >= 0 && !c->has_ended && (got == 0 || errno != EAGAIN)) {
            c->has_ended = true;
            c->was_reset = got < 0;
            c->ended_ms = loop_now_ms();
        }
        return;
    }
}

static inline void on_tick(void *ctx)
{
    struct fixture *f = ctx;

    f->was_done = f->is_done(f, f->arg);
    if (f->was_done || loop_now_ms() > f->give_up_ms)
        loop_stop(f->loop);
    else
        loop_timer_set(f->tick, 1);
}

/* Runs the loop until IS_DONE says so; false where it does not within LIMIT_MS. */
static inline bool run_until(struct fixture *f, bool (*is_done)(struct fixture *, void *), void *arg,
                             int64_t limit_ms)
{
    f->is_done = is_done;
    f->arg = arg;
    f->give_up_ms = loop_now_ms() + limit_ms;
    loop_timer_set(f->tick, 0);
    assert_int_equal(loop_run(f->loop), 0);
    return f->was_done;
}

static inline bool never(struct fixture *f, void *arg)
{
    UNUSED(f);
    UNUSED(arg);
    return false;
}

static inline void run_for(struct fixture *f, int64_t ms)
{
    (void)run_until(f, never, NULL, ms);
}

struct wait {
    struct client *client;
    const char *needle;
    size_t count;
};

static inline bool has_needle(struct fixture *f, void *arg)
{
    struct wait *wait = arg;
    const char *at;
    size_t count = 0;

    UNUSED(f);
    client_read(wait->client);
    at = buf_text(&wait->client->in);
    while ((at = strstr(at, wait->needle))) {
        count++;
        at += strlen(wait->needle);
    }
    return count >= wait->count;
}

static inline void expect_count(struct fixture *f, struct client *c, const char *needle, size_t count)
{
    struct wait wait = {c, needle, count};

    if (!run_until(f, has_needle, &wait, PATIENCE_MS))
        fail_msg("no %s (%zu times) in: %s", needle, count, buf_text(&c->in));
}

static inline void expect(struct fixture *f, struct client *c, const char *needle)
{
    expect_count(f, c, needle, 1);
}

static inline bool client_has_ended(struct fixture *f, void *arg)
{
    UNUSED(f);
    client_read(arg);
    return ((struct client *)arg)->has_ended;
}

static inline void expect_end(struct fixture *f, struct client *c)
{
    if (!run_until(f, client_has_ended, c, PATIENCE_MS))
        fail_msg("still open after: %s", buf_text(&c->in));
}

static inline void expect_no_end(struct fixture *f, struct client *c, int64_t ms)
{
    if (run_until(f, client_has_ended, c, ms))
        fail_msg("closed too early, after: %s", buf_text(&c->in));
}

static inline struct client client_connect(struct fixture *f)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(http_server_port(f->server))};
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(c.fd >= 0);
    assert_int_equal(connect(c.fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
    assert_int_equal(fcntl(c.fd, F_SETFL, O_NONBLOCK), 0);
    return c;
}

static inline void client_close(struct client *c)
{
    if (c->fd >= 0)
        assert_int_equal(close(c->fd), 0);
    c->fd = -1;
    buf_clear(&c->in);
}

struct sending {
    struct client *client;
    struct slice rest;
};

static inline bool all_is_sent(struct fixture *f, void *arg)
{
    struct sending *sending = arg;
    ssize_t sent;

    UNUSED(f);
    client_read(sending->client);
    if (!sending->rest.len)
        return true;
    sent = send(sending->client->fd, sending->rest.data, sending->rest.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return true; /* the server has closed: what it said is to be looked at */
    if (sent > 0)
        sending->rest = slice_of(sending->rest.data + sent, sending->rest.len - (size_t)sent);
    return !sending->rest.len;
}

static inline void client_send_slice(struct fixture *f, struct client *c, struct slice bytes)
{
    struct sending sending = {c, bytes};

    assert_true(run_until(f, all_is_sent, &sending, PATIENCE_MS));
}

static inline void client_send(struct fixture *f, struct client *c, const char *text)
{
    client_send_slice(f, c, slice_text(text));
}

/* Forgets what has been read. */
static inline void client_forget(struct client *c)
{
    buf_reset(&c->in, SIZE_MAX);
}

static inline void on_cancel(void *ctx, struct http_request *request)
{
    struct fixture *f = ctx;

    f->cancelled++;
    for (size_t i = 0; i < f->suspended_count; i++) {
        if (f->suspended[i] == request)
            f->suspended[i] = NULL;
    }
}

static inline void answer_text(struct http_request *request, int status, const char *text)
{
    struct buf body = BUF_INIT;
    struct http_answer answer = {.status = status, .content_type = "text/plain", .body = &body};

    buf_add_text(&body, text);
    http_request_answer(request, &answer);
}

static inline void answer_echo(struct http_request *request)
{
    static const struct http_header headers[] = {{"X-One", "1"}, {"X-Two", "2"}};
    struct buf body = BUF_INIT;
    struct http_answer answer = {
        .status = 200, .content_type = "text/plain", .body = &body, .headers = headers, .header_count = 2};
    struct slice value = {NULL, 0};

    buf_add_format(&body, "method=%d path=", (int)http_request_method(request));
    buf_add_slice(&body, http_request_path(request));
    for (size_t i = 0; i < http_request_arg_count(request); i++) {
        buf_add_text(&body, " arg:");
        buf_add_slice(&body, http_request_arg_name(request, i));
    }
    if (http_request_arg(request, "a", &value)) {
        buf_add_text(&body, " a=");
        buf_add_slice(&body, value);
    }
    buf_add_format(&body, " local=%d", http_request_is_local(request));
    value = http_request_header(request, "accept");
    buf_add_text(&body, value.data ? " accept=" : " no-accept");
    buf_add_slice(&body, value);
    buf_add_format(&body, " length=%zu body=", http_request_body(request).len);
    if (http_request_body(request).len < 100)
        buf_add_slice(&body, http_request_body(request));
    buf_add_text(&body, " end\n");
    http_request_answer(request, &answer);
}

/* The path says what is to be done. */
static inline void on_request(void *ctx, struct http_request *request)
{
    struct fixture *f = ctx;
    struct slice path = http_request_path(request);

    buf_add_slice(&f->log, path);
    buf_add_char(&f->log, ' ');
    if (slice_is(path, "/suspend") || slice_is(path, "/suspend-answered")) {
        http_request_suspend(request, on_cancel, f);
        f->suspended[f->suspended_count++] = request;
        if (slice_is(path, "/suspend-answered"))
            answer_text(request, 200, "at once\n");
    } else if (slice_is(path, "/silent")) {
        return;
    } else if (slice_is(path, "/get-only")) {
        http_request_answer_not_allowed(request, HTTP_GET | HTTP_DELETE);
    } else if (slice_is(path, "/big")) {
        struct buf body = BUF_INIT;
        struct http_answer answer = {.status = 200, .content_type = "text/plain", .body = &body};

        memset(buf_reserve(&body, f->big_bytes), 'y', f->big_bytes);
        body.len = f->big_bytes;
        http_request_answer(request, &answer);
    } else if (slice_is(path, "/busy")) {
        int64_t until_us = loop_now_us() + 4000;

        while (loop_now_us() < until_us)
            ;
        answer_text(request, 200, "busy\n");
    } else if (slice_is(path, "/nothing")) {
        struct http_answer answer = {.status = 204};

        http_request_answer(request, &answer);
    } else {
        answer_echo(request);
    }
}

static inline void fixture_serve(struct fixture *f)
{
    struct errmsg why = {""};

    f->options.handler = on_request;
    f->options.ctx = f;
    if (http_server_new(f->loop, &f->options, &f->server, &why))
        fail_msg("%s", why.text);
}

static inline struct fixture *fixture_new(void)
{
    struct fixture *f = mem_new(1, sizeof(*f));

    f->loop = loop_new();
    assert_non_null(f->loop);
    f->tick = loop_timer_new(f->loop, on_tick, f);
    f->big_bytes = (size_t)32 << 20;
    f->options = (struct http_options){.host = "127.0.0.1", .max_connections = 64};
    return f;
}

static inline struct fixture *fixture_new_serving(void)
{
    struct fixture *f = fixture_new();

    fixture_serve(f);
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    http_server_free(f->server);
    loop_timer_free(f->tick);
    loop_free(f->loop);
    buf_clear(&f->log);
    free(f);
}
