/* What never reaches the library, and who goes when there is no room, no time or no memory left. */
#include "http_support.h"

#define GET_P "GET /p HTTP/1.1\r\nHost: x\r\n"

static struct fixture *serving(size_t max_connections)
{
    struct fixture *f = fixture_new();

    f->options.max_connections = max_connections;
    fixture_serve(f);
    return f;
}

static bool has_suspended_two(struct fixture *f, void *arg)
{
    UNUSED(arg);
    return f->suspended_count == 2;
}

struct amount {
    struct client *client;
    size_t bytes;
};

static bool has_read(struct fixture *f, void *arg)
{
    const struct amount *amount = arg;

    UNUSED(f);
    client_read(amount->client);
    return amount->client->in.len >= amount->bytes;
}

static void expect_bytes(struct fixture *f, struct client *c, size_t bytes)
{
    struct amount amount = {c, bytes};

    assert_true(run_until(f, has_read, &amount, 4 * PATIENCE_MS));
}

/* Every refusal of ours is a whole answer in the one form, and comes although more is sent than is read. */
static void test_http_gate_refuses_in_our_words(void **state)
{
    static const struct {
        const char *request;
        const char *first_line, *word;
    } rows[] = {
        {"GARBAGE\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "request line"},
        {"GET / HTTP/0.9\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n", "version"},
        {"GET / HTTP/1.1\r\nX: a\rb\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "control"},
        {"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "Content-Length"},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400 Bad Request\r\n",
         "chunk"},
    };
    struct fixture *f = serving(8);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client c = client_connect(f);
        struct buf request = BUF_INIT;

        buf_add_text(&request, rows[i].request);
        for (int k = 0; k < 20000; k++)
            buf_add_text(&request, "and more\r\n");
        client_send_slice(f, &c, buf_slice(&request));
        expect_end(f, &c);
        assert_false(c.was_reset);
        assert_int_equal(strncmp(buf_text(&c.in), rows[i].first_line, strlen(rows[i].first_line)), 0);
        expect(f, &c, "Content-Type: application/problem+json\r\n");
        expect(f, &c, "Date: ");
        expect(f, &c, "Connection: close\r\n");
        assert_non_null(strstr(strstr(buf_text(&c.in), "\"detail\":\""), rows[i].word));
        buf_clear(&request);
        client_close(&c);
    }
    assert_string_equal(buf_text(&f->log), "");
    assert_int_equal(http_server_stats(f->server).refused, ARRAY_LEN(rows));
    assert_int_equal(http_server_stats(f->server).expired, 0);
    fixture_free(f);
}

static void test_http_gate_refuses_head_without_a_body(void **state)
{
    struct fixture *f = serving(8);
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, "HEAD / HTTP/1.1\r\nno colon\r\n\r\n");
    expect_end(f, &c);
    assert_non_null(strstr(buf_text(&c.in), "Content-Length: "));
    assert_string_equal(strstr(buf_text(&c.in), "\r\n\r\n"), "\r\n\r\n");
    client_close(&c);
    fixture_free(f);
}

static void test_http_gate_refuses_on_a_kept_connection(void **state)
{
    struct fixture *f = serving(8);
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, GET_P "\r\n");
    expect(f, &c, " end\n");
    client_send(f, &c, GET_P "no colon\r\n\r\n");
    expect(f, &c, "a header line has no colon");
    expect_end(f, &c);
    expect_count(f, &c, "HTTP/1.1 ", 2);
    client_close(&c);
    fixture_free(f);
}

/* What is pipelined is answered in order; where something bad is behind a good request, that is answered
 * last. */
static void test_http_gate_pipelined(void **state)
{
    struct fixture *f = serving(8);
    struct client good = client_connect(f), bad = client_connect(f);

    UNUSED(state);
    client_send(f, &good, GET_P "\r\n" GET_P "\r\n" GET_P "\r\n");
    expect_count(f, &good, " end\n", 3);
    client_send(f, &bad, GET_P "\r\nno request\r\n\r\n");
    expect(f, &bad, " end\n");
    expect_end(f, &bad);
    expect_count(f, &bad, "HTTP/1.1 ", 1);
    expect(f, &bad, "Connection: close\r\n");
    client_close(&good);
    client_close(&bad);
    fixture_free(f);
}

static void test_http_gate_request_without_end(void **state)
{
    struct fixture *f = serving(8);
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, GET_P);
    run_for(f, 20);
    assert_int_equal(c.in.len, 0);
    assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
    expect(f, &c, "\"detail\":\"the request ends before it is whole\"");
    expect_end(f, &c);
    assert_false(c.was_reset);
    client_close(&c);
    fixture_free(f);
}

static void test_http_gate_client_that_goes(void **state)
{
    struct fixture *f = serving(8);
    struct client rows[3];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        rows[i] = client_connect(f);
    client_send(f, &rows[1], "GET /half");
    client_send(f, &rows[2], "bad\r\n");
    run_for(f, 20);
    assert_int_equal(http_server_stats(f->server).connections, 3);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        client_close(&rows[i]);
    run_for(f, 20);
    assert_int_equal(http_server_stats(f->server).connections, 0);
    rows[0] = client_connect(f);
    client_send(f, &rows[0], "GET /half"); /* and is there when the server is freed */
    run_for(f, 20);
    fixture_free(f);
    client_close(&rows[0]);
}

/* Whoever waits for a connection gets that of a client that only drips, or does not take its answer. */
static void test_http_full_server_drops_who_is_of_no_use(void **state)
{
    struct fixture *f = serving(2);
    struct client dripping = client_connect(f), deaf = client_connect(f), wanted[2];

    UNUSED(state);
    client_send(f, &dripping, "GET /half HTTP/1.1\r\nX: ");
    assert_int_equal(send(deaf.fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 30, 0), 30);
    run_for(f, 20);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        wanted[i] = client_connect(f);
        assert_int_equal(send(wanted[i].fd, "GET /suspend HTTP/1.1\r\nHost: x\r\n\r\n", 34, 0), 34);
    }
    assert_true(run_until(f, has_suspended_two, NULL, 3 * PATIENCE_MS));
    assert_int_equal(http_server_stats(f->server).evicted, 2);
    expect_end(f, &dripping);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        answer_text(f->suspended[i], 200, "done\n");
        expect(f, &wanted[i], "done\n");
        client_close(&wanted[i]);
    }
    client_close(&dripping);
    client_close(&deaf);
    fixture_free(f);
}

static bool is_within_the_bound(struct fixture *f, void *arg)
{
    UNUSED(arg);
    return http_server_stats(f->server).answer_bytes <= (size_t)64 << 20;
}

/* Answers of 8 MB that nobody takes: the ninth costs the first its connection. */
static void test_http_answers_that_nobody_takes_are_bounded(void **state)
{
    struct fixture *f = serving(32);
    struct client clients[12];

    UNUSED(state);
    f->big_bytes = (size_t)8 << 20;
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        clients[i] = client_connect(f);
        assert_int_equal(send(clients[i].fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 30, 0), 30);
        run_for(f, 20);
        assert_true(run_until(f, is_within_the_bound, NULL, PATIENCE_MS)); /* who was cut is gone */
    }
    assert_true(http_server_stats(f->server).evicted >= 4);
    expect_end(f, &clients[0]);
    expect_bytes(f, &clients[11], (size_t)8 << 20);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        client_close(&clients[i]);
    run_for(f, 50);
    assert_int_equal(http_server_stats(f->server).answer_bytes, 0);
    fixture_free(f);
}

/* Requests that cost much and come together are handled in several turns, each of them, and between them the
 * loop has time for others. */
static void test_http_many_requests_do_not_hold_the_loop(void **state)
{
    struct fixture *f = serving(32);
    struct client clients[20];
    struct http_stats before;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        clients[i] = client_connect(f);
    run_for(f, 20);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        assert_int_equal(send(clients[i].fd, "GET /busy HTTP/1.1\r\nHost: x\r\n\r\n", 31, 0), 31);
    before = http_server_stats(f->server);
    run_for(f, 1); /* two ticks at least */
    assert_in_range(http_server_stats(f->server).requests - before.requests, 1, ARRAY_LEN(clients) - 1);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        expect(f, &clients[i], "busy\n");
        client_close(&clients[i]);
    }
    assert_int_equal(http_server_stats(f->server).requests, before.requests + ARRAY_LEN(clients));
    fixture_free(f);
}

static void test_http_server_free_with_postponed_requests(void **state)
{
    struct fixture *f = serving(32);
    struct client clients[20];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        clients[i] = client_connect(f);
    run_for(f, 20);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        assert_int_equal(send(clients[i].fd, "GET /busy HTTP/1.1\r\nHost: x\r\n\r\n", 31, 0), 31);
    run_for(f, 1);
    fixture_free(f);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        client_close(&clients[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_gate_refuses_in_our_words),
        cmocka_unit_test(test_http_gate_refuses_head_without_a_body),
        cmocka_unit_test(test_http_gate_refuses_on_a_kept_connection),
        cmocka_unit_test(test_http_gate_pipelined),
        cmocka_unit_test(test_http_gate_request_without_end),
        cmocka_unit_test(test_http_gate_client_that_goes),
        cmocka_unit_test(test_http_full_server_drops_who_is_of_no_use),
        cmocka_unit_test(test_http_answers_that_nobody_takes_are_bounded),
        cmocka_unit_test(test_http_many_requests_do_not_hold_the_loop),
        cmocka_unit_test(test_http_server_free_with_postponed_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
