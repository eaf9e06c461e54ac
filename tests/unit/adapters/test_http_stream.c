/* Answers that stay open: what is sent comes, who takes nothing is given up, and all is told. */
#include "http_support.h"

#define STREAMS   8 /* that a test keeps */
#define MAX_BYTES 65536
#define BIG_BYTES ((size_t)4 << 20)

struct streams {
    struct fixture *f;
    struct http_stream *open[STREAMS];
    size_t count, closed, refused, drained;
    size_t pulled; /* bytes of the big body that were sent */
};

static void forget(struct streams *s, struct http_stream *stream)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->open[i] == stream)
            s->open[i] = NULL;
    }
}

static void on_closed(void *ctx, struct http_stream *stream)
{
    struct streams *s = ctx;

    s->closed++;
    forget(s, stream);
}

static void on_drained(void *ctx, struct http_stream *stream)
{
    struct streams *s = ctx;

    assert_true(http_stream_is_drained(stream));
    s->drained++;
}

/* Sends a body that is far larger than what may wait, piece by piece. */
static void on_drained_pull(void *ctx, struct http_stream *stream)
{
    struct streams *s = ctx;
    char piece[8192];

    for (size_t i = 0; i < sizeof(piece); i++)
        piece[i] = (char)('a' + (s->pulled + i) % 26);
    for (int i = 0; i < 3; i++) {
        if (s->pulled == BIG_BYTES) {
            forget(s, stream);
            http_stream_close(stream);
            return;
        }
        assert_true(http_stream_send(stream, slice_of(piece, sizeof(piece))));
        s->pulled += sizeof(piece);
        for (size_t k = 0; k < sizeof(piece); k++)
            piece[k] = (char)('a' + (s->pulled + k) % 26);
    }
}

static void on_stream_request(void *ctx, struct http_request *request)
{
    static const struct http_stream_events plain = {on_drained, on_closed},
                                           pull = {on_drained_pull, on_closed};
    static const struct http_header header = {"X-One", "1"};
    struct streams *s = ctx;
    bool is_big = slice_is(http_request_path(request), "/big");
    struct http_stream *stream;

    if (slice_is(http_request_path(request), "/plain")) {
        answer_text(request, 200, "plain\n");
        return;
    }
    stream = http_stream_new(request, "text/event-stream", &header, 1, MAX_BYTES, is_big ? &pull : &plain, s);
    if (!stream) {
        s->refused++;
        http_request_answer_problem(request, 503, "too many");
        return;
    }
    assert_true(s->count < STREAMS);
    s->open[s->count++] = stream;
    if (slice_is(http_request_path(request), "/hello"))
        assert_true(http_stream_send(stream, slice_text("hello ")));
}

static struct streams *streams_new(struct http_options options)
{
    struct streams *s = mem_new(1, sizeof(*s));
    struct errmsg why = {""};

    s->f = fixture_new();
    if (!options.max_connections)
        options.max_connections = 64;
    options.host = "127.0.0.1";
    options.handler = on_stream_request;
    options.ctx = s;
    if (http_server_new(s->f->loop, &options, &s->f->server, &why))
        fail_msg("%s", why.text);
    return s;
}

static void streams_free(struct streams *s)
{
    fixture_free(s->f);
    free(s);
}

static bool is_closed(struct fixture *f, void *arg)
{
    struct streams *s = arg;

    UNUSED(f);
    return s->closed > 0;
}

static bool is_drained_twice(struct fixture *f, void *arg)
{
    struct streams *s = arg;

    UNUSED(f);
    return s->drained >= 2;
}

static bool has_no_connection(struct fixture *f, void *arg)
{
    UNUSED(arg);
    return http_server_stats(f->server).connections == 0;
}

static struct client stream_open(struct streams *s, const char *path)
{
    struct client c = client_connect(s->f);
    char request[128];

    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    client_send(s->f, &c, request);
    expect(s->f, &c, "\r\n\r\n");
    return c;
}

static void test_http_stream_sends_what_comes(void **state)
{
    struct streams *s = streams_new((struct http_options){0});
    struct client c = stream_open(s, "/hello");

    UNUSED(state);
    expect(s->f, &c, "HTTP/1.1 200 OK\r\n");
    expect(s->f, &c, "X-One: 1\r\n");
    expect(s->f, &c, "Content-Type: text/event-stream\r\n");
    expect(s->f, &c, "Transfer-Encoding: chunked\r\n");
    expect(s->f, &c, "6\r\nhello \r\n");
    assert_true(http_stream_send(s->open[0], slice_text("one ")));
    assert_true(http_stream_send(s->open[0], slice_text("two ")));
    expect(s->f, &c, "8\r\none two \r\n");
    assert_true(run_until(s->f, is_drained_twice, s, PATIENCE_MS));
    assert_int_equal(http_server_stats(s->f->server).streams, 1);
    http_stream_close(s->open[0]);
    expect(s->f, &c, "0\r\n\r\n");
    client_forget(&c);
    client_send(s->f, &c, "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(s->f, &c, "plain\n");
    assert_int_equal(http_server_stats(s->f->server).streams, 0);
    assert_int_equal(s->closed, 0);
    client_close(&c);
    streams_free(s);
}

static void test_http_stream_ends_behind_what_was_sent(void **state)
{
    struct streams *s = streams_new((struct http_options){0});
    struct client c = stream_open(s, "/hello");

    UNUSED(state);
    assert_true(http_stream_send(s->open[0], slice_text("bye")));
    http_stream_close(s->open[0]);
    expect(s->f, &c, "bye\r\n0\r\n\r\n");
    client_close(&c);
    streams_free(s);
}

static void test_http_stream_of_old_protocol_ends_with_connection(void **state)
{
    struct streams *s = streams_new((struct http_options){0});
    struct client c = client_connect(s->f);

    UNUSED(state);
    client_send(s->f, &c, "GET /hello HTTP/1.0\r\n\r\n");
    expect(s->f, &c, "\r\n\r\nhello ");
    http_stream_close(s->open[0]);
    expect_end(s->f, &c);
    client_close(&c);
    streams_free(s);
}

static void test_http_stream_head_has_headers_only(void **state)
{
    struct streams *s = streams_new((struct http_options){0});
    struct client c = client_connect(s->f);

    UNUSED(state);
    client_send(s->f, &c, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_end(s->f, &c);
    assert_non_null(strstr(buf_text(&c.in), "Content-Type: text/event-stream\r\n"));
    assert_string_equal(strstr(buf_text(&c.in), "\r\n\r\n"), "\r\n\r\n");
    assert_int_equal(s->closed, 1);
    client_close(&c);
    streams_free(s);
}

static void test_http_stream_is_pulled_in_order(void **state)
{
    struct streams *s = streams_new((struct http_options){0});
    struct client c = client_connect(s->f);
    const char *at;
    size_t next = 0;

    UNUSED(state);
    client_send(s->f, &c, "GET /big HTTP/1.0\r\n\r\n");
    expect_end(s->f, &c);
    at = strstr(buf_text(&c.in), "\r\n\r\n");
    assert_non_null(at);
    for (at += 4; *at; at++)
        assert_int_equal(*at, 'a' + next++ % 26);
    assert_int_equal(next, BIG_BYTES);
    client_close(&c);
    streams_free(s);
}

static void test_http_stream_whose_client_goes_is_closed(void **state)
{
    struct streams *s = streams_new((struct http_options){0});
    struct client idle = stream_open(s, "/hello");

    UNUSED(state);
    expect(s->f, &idle, "hello ");
    client_close(&idle);
    assert_true(run_until(s->f, is_closed, s, PATIENCE_MS));
    assert_null(s->open[0]);
    assert_true(run_until(s->f, has_no_connection, NULL, PATIENCE_MS));
    assert_int_equal(s->closed, 1);
    assert_int_equal(http_server_stats(s->f->server).streams_slow, 0);
    streams_free(s);
}

/* Sends until the client's socket is full and MAX_BYTES wait, which is told by the stream. */
static bool send_too_much(struct fixture *f, void *arg)
{
    static const char piece[16384];
    struct streams *s = arg;

    UNUSED(f);
    return !http_stream_send(s->open[0], slice_of(piece, sizeof(piece)));
}

static void test_http_stream_that_is_too_slow_is_given_up(void **state)
{
    struct streams *s = streams_new((struct http_options){0});
    struct client c = stream_open(s, "/hello");

    UNUSED(state);
    assert_true(run_until(s->f, send_too_much, s, PATIENCE_MS));
    assert_true(run_until(s->f, has_no_connection, NULL, PATIENCE_MS));
    assert_int_equal(s->closed, 0);
    assert_int_equal(http_server_stats(s->f->server).streams, 0);
    assert_int_equal(http_server_stats(s->f->server).streams_slow, 1);
    client_close(&c);
    streams_free(s);
}

static void test_http_stream_message_beyond_the_bound(void **state)
{
    struct streams *s = streams_new((struct http_options){0});
    struct client c = stream_open(s, "/hello");
    char *message = mem_new(MAX_BYTES + 1, 1);

    UNUSED(state);
    expect(s->f, &c, "hello ");
    assert_true(http_stream_send(s->open[0], slice_of(message, MAX_BYTES)));
    assert_false(http_stream_send(s->open[0], slice_of(message, 1)));
    expect_end(s->f, &c);
    free(message);
    client_close(&c);
    streams_free(s);
}

/* As much as can be sent without being given up. */
static bool fill(struct fixture *f, void *arg)
{
    static const char piece[16384];
    struct streams *s = arg;

    UNUSED(f);
    if (s->open[0] && http_stream_is_drained(s->open[0]))
        assert_true(http_stream_send(s->open[0], slice_of(piece, sizeof(piece))));
    return s->closed > 0;
}

static void test_http_stream_of_which_nothing_is_taken_expires(void **state)
{
    struct streams *s = streams_new((struct http_options){.send_ms = 50});
    struct client c = stream_open(s, "/hello");

    UNUSED(state);
    assert_true(run_until(s->f, fill, s, PATIENCE_MS));
    assert_int_equal(s->closed, 1);
    assert_int_equal(http_server_stats(s->f->server).streams_slow, 1);
    assert_int_equal(http_server_stats(s->f->server).expired, 1);
    client_close(&c);
    streams_free(s);
}

static void test_http_stream_may_be_idle(void **state)
{
    struct streams *s = streams_new((struct http_options){.send_ms = 20, .idle_ms = 20, .request_ms = 20});
    struct client c = stream_open(s, "/hello");

    UNUSED(state);
    expect_no_end(s->f, &c, 200);
    assert_int_equal(s->drained, 1); /* and it is not asked again and again */
    assert_true(http_stream_send(s->open[0], slice_text("still here")));
    expect(s->f, &c, "still here");
    client_close(&c);
    streams_free(s);
}

static void test_http_streams_leave_room_for_others(void **state)
{
    struct streams *s = streams_new((struct http_options){.max_connections = 8});
    struct client clients[8], other;

    UNUSED(state);
    for (size_t i = 0; i < 7; i++)
        clients[i] = stream_open(s, "/hello");
    clients[7] = stream_open(s, "/hello");
    expect(s->f, &clients[7], "HTTP/1.1 503 ");
    assert_int_equal(s->refused, 1);
    client_close(&clients[7]);
    other = stream_open(s, "/plain");
    expect(s->f, &other, "plain\n");
    client_close(&other);
    client_close(&clients[0]);
    assert_true(run_until(s->f, is_closed, s, PATIENCE_MS));
    s->count = 0;
    clients[0] = stream_open(s, "/hello");
    expect(s->f, &clients[0], "hello ");
    for (size_t i = 0; i < 7; i++)
        client_close(&clients[i]);
    streams_free(s);
}

static void test_http_server_free_closes_streams(void **state)
{
    struct streams *s = streams_new((struct http_options){0});
    struct client idle = stream_open(s, "/hello"), sending = stream_open(s, "/hello"),
                  ending = stream_open(s, "/hello");
    char *message = mem_new(MAX_BYTES, 1);

    UNUSED(state);
    expect(s->f, &idle, "hello ");
    expect(s->f, &sending, "hello ");
    expect(s->f, &ending, "hello ");
    assert_true(http_stream_send(s->open[1], slice_of(message, MAX_BYTES)));
    http_stream_close(s->open[2]);
    http_server_free(s->f->server);
    s->f->server = NULL;
    assert_int_equal(s->closed, 2);
    expect(s->f, &ending, "0\r\n\r\n");
    expect_end(s->f, &idle);
    free(message);
    client_close(&idle);
    client_close(&sending);
    client_close(&ending);
    streams_free(s);
}

static void test_http_accept_prefers(void **state)
{
    static const struct {
        const char *header;
        bool expected;
    } rows[] = {
        {"text/event-stream", true},
        {"Text/Event-Stream", true},
        {"text/event-stream;q=0.5, application/json;q=0.5", true},
        {"text/event-stream;q=0.4, application/json;q=0.5", false},
        {"text/event-stream;q=0", false},
        {"*/*", false},
        {"text/*", false},
        {"", false},
        {"text/event-strea", false},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(
            http_accept_prefers(slice_text(rows[i].header), "text/event-stream", "application/json"),
            rows[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_stream_sends_what_comes),
        cmocka_unit_test(test_http_stream_ends_behind_what_was_sent),
        cmocka_unit_test(test_http_stream_of_old_protocol_ends_with_connection),
        cmocka_unit_test(test_http_stream_head_has_headers_only),
        cmocka_unit_test(test_http_stream_is_pulled_in_order),
        cmocka_unit_test(test_http_stream_whose_client_goes_is_closed),
        cmocka_unit_test(test_http_stream_that_is_too_slow_is_given_up),
        cmocka_unit_test(test_http_stream_message_beyond_the_bound),
        cmocka_unit_test(test_http_stream_of_which_nothing_is_taken_expires),
        cmocka_unit_test(test_http_stream_may_be_idle),
        cmocka_unit_test(test_http_streams_leave_room_for_others),
        cmocka_unit_test(test_http_server_free_closes_streams),
        cmocka_unit_test(test_http_accept_prefers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
