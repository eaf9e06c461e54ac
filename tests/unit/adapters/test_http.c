/* The HTTP server over real sockets: what a handler gets and what a client gets back. */
#include "http_support.h"

#include <poll.h>

static void test_http_request_parts(void **state)
{
    static const struct {
        const char *request, *expected;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "method=1 path=/ local=1 no-accept length=0 body= end\n"},
        {"GET /a%20b/c?a=1%26+2&b&c=%c3%a4&a=9 HTTP/1.1\r\nHost: x\r\nACCEPT: text/plain\r\n\r\n",
         "method=1 path=/a b/c arg:a arg:b arg:c arg:a a=1& 2 local=1 accept=text/plain length=0 body= "
         "end\n"},
        {"GET /p HTTP/1.1\r\nHost: x\r\nAccept: \t text/plain \t\r\n\r\n", "accept=text/plain length=0"},
        {"GET /p? HTTP/1.1\r\nHost: x\r\n\r\n", "method=1 path=/p local=1"},
        {"GET /p?&& HTTP/1.1\r\nHost: x\r\n\r\n", "method=1 path=/p local=1"},
        {"GET /p?a= HTTP/1.1\r\nHost: x\r\n\r\n", "method=1 path=/p arg:a a= local=1"},
        {"GET http://h:1/p?a=1 HTTP/1.1\r\nHost: x\r\n\r\n", "method=1 path=/p arg:a a=1 local=1"},
        {"GET /p HTTP/1.0\r\n\r\n", "method=1 path=/p"},
        {"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
         "method=4 path=/p local=1 no-accept length=5 body=hello end\n"},
        {"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
         "method=4 path=/p local=1 no-accept length=0 body= end\n"},
        {"PUT /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
         "Chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
         "method=8 path=/p local=1 no-accept length=5 body=hello end\n"},
        {"DELETE /p HTTP/1.1\r\nHost: x\r\n\r\n", "method=16 path=/p"},
        {"GET /p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", "length=2 body=hi end\n"},
        {"BREW /p HTTP/1.1\r\nHost: x\r\n\r\n", "method=32 path=/p"},
        {"get /p HTTP/1.1\r\nHost: x\r\n\r\n", "method=32 path=/p"},
        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "method=32 path=*"},
    };
    struct fixture *f = fixture_new_serving();

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client c = client_connect(f);

        client_send(f, &c, rows[i].request);
        expect(f, &c, rows[i].expected);
        assert_int_equal(strncmp(buf_text(&c.in), "HTTP/1.1 200 OK\r\n", 17), 0);
        expect(f, &c, "X-One: 1\r\n");
        expect(f, &c, "X-Two: 2\r\n");
        expect(f, &c, "Content-Type: text/plain\r\n");
        client_close(&c);
    }
    assert_int_equal(http_server_stats(f->server).requests, ARRAY_LEN(rows));
    fixture_free(f);
}

static void test_http_head_has_headers_only(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, "HEAD /abc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect_end(f, &c);
    expect(f, &c, "HTTP/1.1 200 OK\r\n");
    expect(f, &c, "Content-Length: 56\r\n");
    assert_string_equal(c.in.data + c.in.len - 4, "\r\n\r\n");
    assert_null(strstr(c.in.data, "path="));
    client_close(&c);
    fixture_free(f);
}

static void test_http_connection_is_kept(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);

    UNUSED(state);
    for (size_t i = 1; i <= 3; i++) {
        client_send(f, &c, "GET /one HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_count(f, &c, " end\n", i);
    }
    client_send(f, &c,
                "GET /two HTTP/1.1\r\nHost: x\r\n\r\nPOST /three HTTP/1.1\r\nHost: x\r\nContent-Length: "
                "2\r\n\r\nxxGET "
                "/four HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_count(f, &c, " end\n", 6);
    assert_string_equal(buf_text(&f->log), "/one /one /one /two /three /four ");
    assert_int_equal(http_server_stats(f->server).accepted, 1);
    client_close(&c);
    fixture_free(f);
}

static void test_http_request_in_single_bytes(void **state)
{
    static const char request[] = "POST /p?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);

    UNUSED(state);
    for (size_t i = 0; i < sizeof(request) - 1; i++)
        client_send_slice(f, &c, slice_of(request + i, 1));
    expect(f, &c, "length=3 body=abc end\n");
    client_close(&c);
    fixture_free(f);
}

static void test_http_answer_without_body(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c, "HTTP/1.1 204 No Content\r\n");
    client_close(&c);
    fixture_free(f);
}

static void test_http_handler_that_does_not_answer(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, "GET /silent HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c, "\"status\":500");
    expect(f, &c, "HTTP/1.1 500 ");
    client_close(&c);
    fixture_free(f);
}

static void test_http_not_allowed_names_methods(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, "POST /get-only HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c,
           "{\"title\":\"Method Not Allowed\",\"status\":405,\"detail\":\"what may be done at this path: "
           "GET, HEAD, DELETE\"}\n");
    expect(f, &c, "Allow: GET, HEAD, DELETE\r\n");
    expect(f, &c, "Content-Type: application/problem+json\r\n");
    client_close(&c);
    fixture_free(f);
}

static bool is_suspended(struct fixture *f, void *arg)
{
    return f->suspended_count >= *(size_t *)arg;
}

static void expect_suspended(struct fixture *f, size_t count)
{
    assert_true(run_until(f, is_suspended, &count, PATIENCE_MS));
}

static void test_http_suspended_request_is_answered_later(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client a = client_connect(f), b = client_connect(f);

    UNUSED(state);
    client_send(f, &a, "POST /suspend?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    expect_suspended(f, 1);
    client_send(f, &b, "GET /suspend HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_suspended(f, 2);
    run_for(f, 20);
    client_read(&a);
    assert_int_equal(a.in.len, 0);
    assert_int_equal(http_request_body(f->suspended[0]).len, 2);
    answer_text(f->suspended[1], 200, "second\n");
    expect(f, &b, "second\n");
    answer_text(f->suspended[0], 202, "first\n");
    expect(f, &a, "first\n");
    expect(f, &a, "HTTP/1.1 202 Accepted\r\n");
    /* The connection goes on. */
    client_send(f, &a, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &a, "path=/next");
    assert_int_equal(f->cancelled, 0);
    client_close(&a);
    client_close(&b);
    fixture_free(f);
}

static void test_http_suspended_request_answered_in_the_handler(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, "GET /suspend-answered HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c, "at once\n");
    client_send(f, &c, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c, "path=/next");
    client_close(&c);
    fixture_free(f);
}

static bool is_cancelled(struct fixture *f, void *arg)
{
    return f->cancelled >= *(size_t *)arg;
}

static void expect_cancelled(struct fixture *f, size_t count)
{
    assert_true(run_until(f, is_cancelled, &count, PATIENCE_MS));
}

static bool has_no_connections(struct fixture *f, void *arg)
{
    UNUSED(arg);
    return http_server_stats(f->server).connections == 0;
}

static void test_http_suspended_request_whose_client_leaves(void **state)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct fixture *f = fixture_new_serving();
    struct client a = client_connect(f), b = client_connect(f);

    UNUSED(state);
    client_send(f, &a, "GET /suspend HTTP/1.1\r\nHost: x\r\n\r\n");
    client_send(f, &b, "GET /suspend HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_suspended(f, 2);
    client_close(&a);
    expect_cancelled(f, 1);
    assert_int_equal(setsockopt(b.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    client_close(&b);
    expect_cancelled(f, 2);
    assert_true(run_until(f, has_no_connections, NULL, PATIENCE_MS));
    assert_int_equal(http_server_stats(f->server).cancelled, 2);
    fixture_free(f);
}

static void test_http_suspended_request_with_bytes_behind_it(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client c = client_connect(f);

    UNUSED(state);
    client_send(f, &c, "GET /suspend HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_suspended(f, 1);
    client_send(f, &c, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    run_for(f, 20);
    assert_int_equal(f->cancelled, 0);
    answer_text(f->suspended[0], 200, "first\n");
    expect(f, &c, "first\n");
    expect(f, &c, "path=/next");
    client_close(&c);
    fixture_free(f);
}

static void test_http_server_free_cancels(void **state)
{
    struct fixture *f = fixture_new_serving();
    struct client a = client_connect(f), b = client_connect(f), c = client_connect(f);

    UNUSED(state);
    client_send(f, &a, "GET /suspend HTTP/1.1\r\nHost: x\r\n\r\n");
    client_send(f, &b, "GET /suspend HTTP/1.1\r\nHost: x\r\n\r\n");
    client_send(f, &c, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
    expect_suspended(f, 2);
    answer_text(f->suspended[0], 200, "just in time\n");
    http_server_free(f->server);
    f->server = NULL;
    assert_int_equal(f->cancelled, 1);
    expect(f, &a, "just in time\n");
    expect_end(f, &a);
    expect_end(f, &b);
    expect_end(f, &c);
    client_close(&a);
    client_close(&b);
    client_close(&c);
    fixture_free(f);
}

static void test_http_accept_weight_rows(void **state)
{
    static const struct {
        const char *header, *name;
        int weight;
    } rows[] = {
        {"", "gzip", 0},
        {"gzip", "gzip", 1000},
        {"deflate, GZIP;q=0.5", "gzip", 500},
        {"gzip;q=0", "gzip", 0},
        {"*", "gzip", 1000},
        {"*;q=0.1, gzip;q=0", "gzip", 0},
        {"gzip;q=x", "gzip", 0},
        {"gzip;q=2", "gzip", 0},
        {"gzipped", "gzip", 0},
        {"text/plain", "text/plain", 1000},
        {"text/*;q=0.3, */*;q=0.2", "text/plain", 300},
        {"*/*;q=0.25", "text/plain", 250},
        {"*", "text/plain", 0},
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         "application/openmetrics-text", 1000},
        {"application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4 ; q=0.5,*/*;q=0.1",
         "text/plain", 500},
        {",,;,", "gzip", 0},
        {";q=1", "", 1000},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (http_accept_weight(slice_text(rows[i].header), rows[i].name) != rows[i].weight)
            fail_msg("%s for %s", rows[i].header, rows[i].name);
    }
}

static void test_http_descriptors_are_not_inherited(void **state)
{
    bool was_open[64];
    struct fixture *f;
    struct client c;

    UNUSED(state);
    for (int fd = 0; fd < 64; fd++)
        was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    f = fixture_new_serving();
    c = client_connect(f);
    client_send(f, &c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, &c, " end\n");
    for (int fd = 0; fd < 64; fd++) {
        int flags = was_open[fd] ? -1 : fcntl(fd, F_GETFD);
        char name[32], target[128];
        ssize_t len;

        (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        len = readlink(name, target, sizeof(target) - 1);
        target[len > 0 ? len : 0] = '\0';
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            fail_msg("descriptor %d (%s) would be inherited", fd, target);
    }
    client_close(&c);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_request_parts),
        cmocka_unit_test(test_http_head_has_headers_only),
        cmocka_unit_test(test_http_connection_is_kept),
        cmocka_unit_test(test_http_request_in_single_bytes),
        cmocka_unit_test(test_http_answer_without_body),
        cmocka_unit_test(test_http_handler_that_does_not_answer),
        cmocka_unit_test(test_http_not_allowed_names_methods),
        cmocka_unit_test(test_http_suspended_request_is_answered_later),
        cmocka_unit_test(test_http_suspended_request_answered_in_the_handler),
        cmocka_unit_test(test_http_suspended_request_whose_client_leaves),
        cmocka_unit_test(test_http_suspended_request_with_bytes_behind_it),
        cmocka_unit_test(test_http_server_free_cancels),
        cmocka_unit_test(test_http_accept_weight_rows),
        cmocka_unit_test(test_http_descriptors_are_not_inherited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
