/* The bounds of SPEC §8.4 against clients that mean no good: sizes, deadlines, requests that could be read as
 * two. */
#include "http_support.h"

/* Deadlines are told apart by these; the tests allow for a slow machine above, never below. */
#define SHORT_MS 150
#define LONG_MS  600
#define SLACK_MS 400

static void repeat(struct buf *out, char c, size_t count)
{
    memset(buf_reserve(out, count), c, count);
    out->len += count;
}

/* Sends REQUEST on a connection of its own and expects a problem of that status. */
static void expect_problem(struct fixture *f, struct slice request, int status, bool closes)
{
    struct client c = client_connect(f);
    char line[64];

    client_send_slice(f, &c, request);
    (void)snprintf(line, sizeof(line), "\"status\":%d,\"detail\":\"", status);
    expect(f, &c, line);
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
    assert_int_equal(strncmp(buf_text(&c.in), line, strlen(line)), 0);
    expect(f, &c, "Content-Type: application/problem+json\r\n");
    if (closes) {
        expect_end(f, &c);
        assert_false(c.was_reset);
        assert_non_null(strstr(buf_text(&c.in), "Connection: close\r\n"));
        expect_count(f, &c, "HTTP/1.1 ", 1);
    }
    client_close(&c);
}

static void test_http_ambiguous_requests_are_refused(void **state)
{
    static const char *const rows[] = {
        "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET "
        "/evil HTTP/1.1\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET "
        "/evil HTTP/1.1\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\nGET /evil "
        "HTTP/1.1\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 30\r\n\r\nGET /evil "
        "HTTP/1.1\r\n\r\n",
        "GET /p HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 30\r\n\r\nGET /evil "
        "HTTP/1.1\r\n\r\n",
        "GET /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET "
        "/evil HTTP/1.1\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /evil "
        "HTTP/1.1\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length : 30\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
        "GET /p HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    };
    struct fixture *f = fixture_new_serving();

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_problem(f, slice_text(rows[i]), 400, true);
    assert_string_equal(buf_text(&f->log), "");
    assert_int_equal(http_server_stats(f->server).refused, ARRAY_LEN(rows));
    fixture_free(f);
}

static void test_http_lengths_that_are_none(void **state)
{
    static const char *const rows[] = {"-1", "5x", "0x5", "+5", "5, 5", "", "1e1"};
    struct fixture *f = fixture_new_serving();

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client c = client_connect(f);
        struct buf request = BUF_INIT;

        buf_add_format(
            &request,
            "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\nhelloGET /evil HTTP/1.1\r\n\r\n",
            rows[i]);
        client_send_slice(f, &c, buf_slice(&request));
        expect_end(f, &c);
        if (strncmp(buf_text(&c.in), "HTTP/1.1 400 ", 13) != 0)
            fail_msg("Content-Length: %s: %s", rows[i], c.in.data);
        expect_count(f, &c, "HTTP/1.1 ", 1);
        client_close(&c);
        buf_clear(&request);
    }
    assert_string_equal(buf_text(&f->log), "");
    fixture_free(f);
}

static void test_http_bad_targets_are_refused(void **state)
{
    static const char *const rows[] = {"/%", "/%4", "/%zz", "/%00", "/p?a=%00", "/p?%", "/p?a=%f", "/p?a%0"};
    struct fixture *f = fixture_new_serving();
    struct buf request = BUF_INIT;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&request, SIZE_MAX);
        buf_add_format(&request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", rows[i]);
        expect_problem(f, buf_slice(&request), 400, false);
    }
    buf_reset(&request, SIZE_MAX);
    buf_add_text(&request, "GET /p?");
    for (int i = 0; i < HTTP_ARGS_MAX + 1; i++)
        buf_add_text(&request, "a&");
    buf_add_text(&request, " HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_problem(f, buf_slice(&request), 400, false);
    assert_string_equal(buf_text(&f->log), "");
    buf_clear(&request);
    fixture_free(f);
}

static void make_upload(struct buf *request, size_t length, const char *more_headers)
{
    buf_add_format(request, "POST /p HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n", more_headers,
                   length);
    repeat(request, 'x', length);
}

static void test_http_body_limit(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);
    struct buf request = BUF_INIT;

    UNUSED(state);
    make_upload(&request, HTTP_BODY_MAX_BYTES, "");
    client_send_slice(f, &c, buf_slice(&request));
    expect(f, &c, "length=65536 body= end\n");
    client_forget(&c);
    buf_reset(&request, SIZE_MAX);
    make_upload(&request, HTTP_BODY_MAX_BYTES + 1, "");
    client_send_slice(f, &c, buf_slice(&request));
    expect(f, &c, "{\"title\":\"Content Too Large\",\"status\":413,\"detail\":");
    /* All of the body was read, so the connection is still in step. */
    client_send(f, &c, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c, "path=/next");
    client_close(&c);
    buf_clear(&request);
    fixture_free(f);
}

static void test_http_body_limit_chunked(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);
    struct buf request = BUF_INIT;

    UNUSED(state);
    buf_add_text(&request, "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 17; i++) {
        buf_add_text(&request, "1000\r\n");
        repeat(&request, 'x', 4096);
        buf_add_text(&request, "\r\n");
    }
    buf_add_text(&request, "0\r\n\r\n");
    client_send_slice(f, &c, buf_slice(&request));
    expect(f, &c, "\"status\":413");
    assert_string_equal(buf_text(&f->log), "");
    client_close(&c);
    buf_clear(&request);
    fixture_free(f);
}

static void test_http_body_beyond_all_reason(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client a = client_connect(f), b = client_connect(f), c = client_connect(f);
    struct buf chunk = BUF_INIT;

    UNUSED(state);
    client_send(f, &a, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nx");
    expect(f, &a, "\"status\":413");
    expect_end(f, &a);
    client_send(f, &b,
                "POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n\r\n");
    expect(f, &b, "\"status\":413");
    assert_null(strstr(buf_text(&b.in), "100 Continue"));
    expect_end(f, &b);
    client_send(f, &c, "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2000000\r\n");
    repeat(&chunk, 'x', 1 << 20);
    for (int i = 0; i < 32 && !c.has_ended; i++) {
        client_send_slice(f, &c, buf_slice(&chunk));
        client_read(&c);
    }
    expect_end(f, &c);
    client_close(&a);
    client_close(&b);
    client_close(&c);
    buf_clear(&chunk);
    fixture_free(f);
}

static void test_http_expect_continue(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, "POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    expect(f, &c, "HTTP/1.1 100 Continue\r\n");
    client_send(f, &c, "hi");
    expect(f, &c, "length=2 body=hi");
    client_close(&c);
    fixture_free(f);
}

/* A request whose line and headers have LEN bytes. */
static void make_headers(struct buf *request, size_t len)
{
    static const char start[] = "GET /p HTTP/1.1\r\nHost: x\r\nX-Long: ";

    buf_add_text(request, start);
    repeat(request, 'x', len - strlen(start) - 4);
    buf_add_text(request, "\r\n\r\n");
    assert_int_equal(request->len, len);
}

static void test_http_header_limit(void **state)
{
    static const size_t refused[] = {HTTP_HEAD_MAX_BYTES + 1, 20000, 30000};
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);
    struct buf request = BUF_INIT;

    UNUSED(state);
    make_headers(&request, HTTP_HEAD_MAX_BYTES);
    client_send_slice(f, &c, buf_slice(&request));
    expect(f, &c, "path=/p");
    client_close(&c);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        buf_reset(&request, SIZE_MAX);
        make_headers(&request, refused[i]);
        expect_problem(f, buf_slice(&request), 431, true);
    }
    buf_clear(&request);
    fixture_free(f);
}

/* More than the library has room for: it says so itself. */
static void test_http_header_limit_far_exceeded(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);
    struct buf request = BUF_INIT;

    UNUSED(state);
    make_headers(&request, 66000);
    client_send_slice(f, &c, buf_slice(&request));
    expect(f, &c, "HTTP/1.1 431 ");
    expect_end(f, &c);
    client_close(&c);
    buf_clear(&request);
    fixture_free(f);
}

static void test_http_many_small_headers(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);
    struct buf request = BUF_INIT;

    UNUSED(state);
    buf_add_text(&request, "GET /p HTTP/1.1\r\nHost: x\r\n");
    while (request.len < HTTP_HEAD_MAX_BYTES - 8)
        buf_add_text(&request, "a:1\r\n");
    buf_add_text(&request, "\r\n");
    client_send_slice(f, &c, buf_slice(&request));
    expect(f, &c, "HTTP/1.1 "); /* whatever it is, it is an answer */
    client_close(&c);
    buf_clear(&request);
    fixture_free(f);
}

static struct fixture *fixture_new_with_limits(int64_t request_ms, int64_t idle_ms, int64_t send_ms)
{
    struct fixture *f = fixture_new();

    f->options.request_ms = request_ms;
    f->options.idle_ms = idle_ms;
    f->options.send_ms = send_ms;
    fixture_serve(f);
    return f;
}

/* Sends a byte every 10 ms until the server closes; returns how long that took. */
static int64_t drip(struct fixture *f, struct client *c, const char *text)
{
    int64_t started_ms = loop_now_ms();

    for (size_t i = 0; !c->has_ended; i++) {
        char byte = i < strlen(text) ? text[i] : 'x';

        if (loop_now_ms() > started_ms + PATIENCE_MS)
            fail_msg("a drip was never closed, after: %s", buf_text(&c->in));
        (void)send(c->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL); /* it may be closed by now */
        (void)run_until(f, client_has_ended, c, 10);
    }
    return c->ended_ms - started_ms;
}

static void test_http_drip_is_closed_at_the_deadline(void **state)
{
    static const char *const rows[] = {
        "GET /",
        "GET /p HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
    };
    struct fixture *f = fixture_new_with_limits(SHORT_MS, 100 * LONG_MS, 0);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client c = client_connect(f);
        int64_t took_ms;

        /* All but the last bytes at once, or the deadline comes before the part of interest. */
        if (strlen(rows[i]) > 8)
            client_send_slice(f, &c, slice_of(rows[i], strlen(rows[i]) - 2));
        took_ms = drip(f, &c, rows[i] + (strlen(rows[i]) > 8 ? strlen(rows[i]) - 2 : 0));
        assert_in_range(took_ms, SHORT_MS - 20, SHORT_MS + SLACK_MS);
        assert_int_equal(c.in.len, 0);
        client_close(&c);
    }
    assert_int_equal(http_server_stats(f->server).expired, ARRAY_LEN(rows));
    fixture_free(f);
}

static void test_http_second_request_has_a_deadline_of_its_own(void **state)
{
    struct fixture *f = fixture_new_with_limits(SHORT_MS, 100 * LONG_MS, 0);
    struct client c = client_connect(f);
    int64_t took_ms;

    UNUSED(state);
    client_send(f, &c, "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c, " end\n");
    expect_no_end(f, &c, 3 * SHORT_MS); /* idle, which is allowed for longer */
    took_ms = drip(f, &c, "GET /slow");
    assert_in_range(took_ms, SHORT_MS, SHORT_MS + SLACK_MS);
    client_close(&c);
    fixture_free(f);
}

static void test_http_drip_behind_a_suspended_request(void **state)
{
    struct fixture *f = fixture_new_with_limits(SHORT_MS, 100 * LONG_MS, 0);
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, "GET /suspend HTTP/1.1\r\nHost: x\r\n\r\n");
    run_for(f, 20);
    client_send(f, &c, "GET /half");
    expect_no_end(f, &c, 2 * SHORT_MS); /* no deadline for us */
    answer_text(f->suspended[0], 200, "done\n");
    expect(f, &c, "done\n");
    expect_end(f, &c);
    assert_int_equal(http_server_stats(f->server).expired, 1);
    client_close(&c);
    fixture_free(f);
}

static void test_http_idle_connections_are_closed(void **state)
{
    struct fixture *f = fixture_new_with_limits(50, SHORT_MS, 0);
    struct client fresh = client_connect(f), used = client_connect(f);
    int64_t started_ms = loop_now_ms(), answered_ms;

    UNUSED(state);
    client_send(f, &used, "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &used, " end\n");
    answered_ms = loop_now_ms();
    expect_end(f, &fresh);
    assert_in_range(fresh.ended_ms - started_ms, SHORT_MS - 20, SHORT_MS + SLACK_MS);
    expect_end(f, &used);
    assert_in_range(used.ended_ms - answered_ms, SHORT_MS - 20, SHORT_MS + SLACK_MS);
    client_close(&fresh);
    client_close(&used);
    fixture_free(f);
}

static void test_http_busy_connection_is_not_idle(void **state)
{
    struct fixture *f = fixture_new_with_limits(0, SHORT_MS, 0);
    struct client c = client_connect(f);

    UNUSED(state);
    for (size_t i = 1; i <= 6; i++) {
        client_send(f, &c, "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_count(f, &c, " end\n", i);
        expect_no_end(f, &c, SHORT_MS / 2);
    }
    client_close(&c);
    fixture_free(f);
}

static bool has_no_connections(struct fixture *f, void *arg)
{
    UNUSED(arg);
    return http_server_stats(f->server).connections == 0;
}

static void test_http_answer_that_is_not_taken(void **state)
{
    struct fixture *f = fixture_new_with_limits(0, 0, SHORT_MS);
    struct client c = client_connect(f);
    int64_t started_ms = loop_now_ms();

    UNUSED(state);
    assert_int_equal(send(c.fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 30, 0), 30);
    run_for(f, SHORT_MS / 2);
    assert_int_equal(http_server_stats(f->server).connections, 1);
    assert_true(run_until(f, has_no_connections, NULL, PATIENCE_MS));
    assert_in_range(loop_now_ms() - started_ms, SHORT_MS, SHORT_MS + SLACK_MS);
    assert_int_equal(http_server_stats(f->server).expired, 1);
    client_close(&c);
    fixture_free(f);
}

static void test_http_full_server_drops_the_idlest(void **state)
{
    struct fixture *f = fixture_new();
    struct client clients[4];

    UNUSED(state);
    f->options.max_connections = 2;
    fixture_serve(f);
    for (size_t i = 0; i < 3; i++) {
        clients[i] = client_connect(f);
        client_send(f, &clients[i], "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(f, &clients[i], " end\n");
    }
    expect_end(f, &clients[0]);
    expect_no_end(f, &clients[1], 20);
    assert_int_equal(http_server_stats(f->server).evicted, 1);
    assert_int_equal(http_server_stats(f->server).connections, 2);
    for (size_t i = 0; i < 3; i++)
        client_close(&clients[i]);
    fixture_free(f);
}

static void test_http_full_server_makes_others_wait(void **state)
{
    struct fixture *f = fixture_new();
    struct client a, b;

    UNUSED(state);
    f->options.max_connections = 1;
    fixture_serve(f);
    a = client_connect(f);
    client_send(f, &a, "GET /suspend HTTP/1.1\r\nHost: x\r\n\r\n");
    run_for(f, 20);
    assert_int_equal(f->suspended_count, 1);
    b = client_connect(f);
    client_send(f, &b, "GET /waits HTTP/1.1\r\nHost: x\r\n\r\n");
    run_for(f, 50);
    assert_int_equal(http_server_stats(f->server).accepted, 1);
    answer_text(f->suspended[0], 200, "done\n");
    expect(f, &a, "done\n");
    client_close(&a);
    expect(f, &b, "path=/waits");
    client_close(&b);
    fixture_free(f);
}

/* Bytes that are no HTTP at all must end in a close or a 4xx, and never reach the handler. */
static void test_http_garbage(void **state)
{
    static const struct slice rows[] = {
        SLICE("\r\n\r\n\r\n"),
        SLICE("\0\0\0\0\0\0\0\0\r\n\r\n"),
        SLICE("GET\r\n\r\n"),
        SLICE("GET /evil\r\n\r\n"),
        SLICE("GET /evil HTTP/9.9\r\n\r\n"),
        SLICE("GET /evil FTP/1.1\r\n\r\n"),
        SLICE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        SLICE("POST /evil HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"),
        SLICE(
            "POST /evil HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n"),
        SLICE("POST /evil HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n"),
    };
    struct fixture *f = fixture_new_with_limits(SHORT_MS, SHORT_MS, 0);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client c = client_connect(f);

        client_send_slice(f, &c, rows[i]);
        expect_end(f, &c);
        if (c.in.len && strncmp(buf_text(&c.in), "HTTP/1.1 4", 10) != 0 &&
            strncmp(c.in.data, "HTTP/1.1 505", 12) != 0)
            fail_msg("row %zu: %s", i, c.in.data);
        client_close(&c);
    }
    assert_null(strstr(buf_text(&f->log), "/evil"));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_ambiguous_requests_are_refused),
        cmocka_unit_test(test_http_lengths_that_are_none),
        cmocka_unit_test(test_http_bad_targets_are_refused),
        cmocka_unit_test(test_http_body_limit),
        cmocka_unit_test(test_http_body_limit_chunked),
        cmocka_unit_test(test_http_body_beyond_all_reason),
        cmocka_unit_test(test_http_expect_continue),
        cmocka_unit_test(test_http_header_limit),
        cmocka_unit_test(test_http_header_limit_far_exceeded),
        cmocka_unit_test(test_http_many_small_headers),
        cmocka_unit_test(test_http_drip_is_closed_at_the_deadline),
        cmocka_unit_test(test_http_second_request_has_a_deadline_of_its_own),
        cmocka_unit_test(test_http_drip_behind_a_suspended_request),
        cmocka_unit_test(test_http_idle_connections_are_closed),
        cmocka_unit_test(test_http_busy_connection_is_not_idle),
        cmocka_unit_test(test_http_answer_that_is_not_taken),
        cmocka_unit_test(test_http_full_server_drops_the_idlest),
        cmocka_unit_test(test_http_full_server_makes_others_wait),
        cmocka_unit_test(test_http_garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
