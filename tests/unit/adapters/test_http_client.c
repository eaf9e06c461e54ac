/* The HTTP client and servers that answer: what they get, and what is told of their answers. */
#include "http_client_support.h"

static void test_http_client_post_answers(void **state)
{
    static const struct {
        const char *answer;
        int status;
        const char *body;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes", 200, "yes"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""},
        {"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, "abc"},
        {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", 200, "1"},
        {"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 302, ""},
        {"HTTP/1.1 308 Permanent Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 308, ""},
        {"HTTP/1.1 400 Bad Request\r\nContent-Length: 14\r\n\r\n\"no such label", 400, "\"no such label"},
        {"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n", 401,
         ""},
        {"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops", 500, "oops"},
        {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 503, ""},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture *f = fixture_new();
        struct outcome o = {0};

        f->server.act = ACT_LAST;
        f->server.answer = rows[i].answer;
        post(f, &o, f->url, "[]");
        assert_string_equal(o.error, "");
        assert_false(o.failed);
        assert_int_equal(o.status, rows[i].status);
        assert_string_equal(o.body, rows[i].body);
        assert_int_equal(f->server.requests, 1);
        assert_int_equal(http_client_pending(f->client), 0);
        fixture_free(f);
    }
}

static void test_http_client_post_is_sent_as_asked(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o = {0};
    char url[128];

    UNUSED(state);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/a/b?x=%%20y", f->server.port);
    post(f, &o, url, "[{\"a\":\"\xc3\xa4\"}]");

    const char *request = buf_text(&f->server.last);

    assert_int_equal(strncmp(request, "POST /a/b?x=%20y HTTP/1.1\r\n", 27), 0);
    assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\r\nContent-Length: 12\r\n"));
    assert_non_null(strstr(request, "\r\n\r\n[{\"a\":\"\xc3\xa4\"}]"));
    assert_null(strstr(request, "Authorization"));
    fixture_free(f);
}

static void test_http_client_post_of_nothing(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o = {0};

    UNUSED(state);
    post_to(f, &o, f->url, slice_of(NULL, 0), PATIENCE_MS);
    run_until(f, has_ended, &o);
    assert_int_equal(o.status, 200);
    assert_non_null(strstr(buf_text(&f->server.last), "\r\nContent-Length: 0\r\n"));
    fixture_free(f);
}

static void test_http_client_post_of_a_long_body(void **state)
{
    enum { LEN = (1 << 20) + 1 }; /* from here on libcurl would ask for a 100 first */
    struct fixture *f = fixture_new();
    struct outcome o = {0};
    char *body = mem_new(LEN + 1, 1);

    UNUSED(state);
    for (size_t i = 0; i < LEN; i++)
        body[i] = (char)(i * i >> 4); /* NULs as well */
    post_to(f, &o, f->url, slice_of(body, LEN), PATIENCE_MS);

    char first = body[1];

    body[1] = '?'; /* it was copied */
    run_until(f, has_ended, &o);
    body[1] = first;
    assert_int_equal(o.status, 200);
    assert_true(f->server.last.len > LEN);
    assert_memory_equal(f->server.last.data + f->server.last.len - LEN, body, LEN);
    assert_null(strstr(buf_text(&f->server.last), "Expect"));
    free(body);
    fixture_free(f);
}

static void test_http_client_credentials_of_the_url(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o = {0};
    char url[128];

    UNUSED(state);
    (void)snprintf(url, sizeof(url), "http://us%%40er:p%%3Ass@127.0.0.1:%u/x", f->server.port);
    post(f, &o, url, "[]");
    assert_int_equal(o.status, 200);
    assert_non_null(strstr(buf_text(&f->server.last), "\r\nAuthorization: Basic dXNAZXI6cDpzcw==\r\n"));
    assert_non_null(strstr(buf_text(&f->server.last), "POST /x HTTP/1.1\r\n"));
    fixture_free(f);
}

static void test_http_client_connection_is_kept(void **state)
{
    struct fixture *f = fixture_new();

    UNUSED(state);
    for (size_t i = 0; i < 3; i++) {
        struct outcome o = {0};

        post(f, &o, f->url, "[]");
        assert_int_equal(o.status, 200);
    }
    assert_int_equal(f->server.requests, 3);
    assert_int_equal(f->server.accepted, 1);
    fixture_free(f);
}

static bool server_is_alone(void *arg)
{
    return ((struct server *)arg)->open == 0;
}

static void test_http_client_kept_connection_that_was_closed(void **state)
{
    struct fixture *f = fixture_new();

    UNUSED(state);
    f->server.act = ACT_LAST;
    for (size_t i = 1; i <= 3; i++) {
        struct outcome o = {0};

        post(f, &o, f->url, "[]");
        assert_int_equal(o.status, 200);
        run_until(f, server_is_alone, &f->server);
        assert_int_equal(f->server.accepted, i);
    }
    fixture_free(f);
}

static void test_http_client_long_body_is_read_to_its_end(void **state)
{
    enum { LEN = 100000 };
    struct fixture *f = fixture_new();
    struct buf answer = BUF_INIT;

    UNUSED(state);
    buf_add_format(&answer, "HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n", LEN);
    for (size_t i = 0; i < LEN; i++)
        buf_add_char(&answer, (char)('a' + i % 26));
    f->server.answer = buf_text(&answer);
    for (size_t i = 0; i < 2; i++) {
        struct outcome o = {0};

        post(f, &o, f->url, "[]");
        assert_false(o.failed);
        assert_int_equal(o.status, 400);
        assert_int_equal(o.body_len, HTTP_CLIENT_BODY_MAX_BYTES);
        assert_memory_equal(o.body, strstr(answer.data, "\r\n\r\n") + 4, HTTP_CLIENT_BODY_MAX_BYTES);
    }
    assert_int_equal(f->server.accepted, 1); /* one that was cut off could not have been used again */
    buf_clear(&answer);
    fixture_free(f);
}

static bool all_have_come(void *arg)
{
    return ((struct fixture *)arg)->server.requests == 20;
}

static bool all_have_ended(void *arg)
{
    return ((struct fixture *)arg)->ended == 20;
}

static void test_http_client_several_at_once(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome *outcomes = mem_new(20, sizeof(*outcomes));

    UNUSED(state);
    f->server.act = ACT_HANG;
    for (size_t i = 0; i < 20; i++)
        post_to(f, &outcomes[i], f->url, slice_text("[]"), PATIENCE_MS);
    assert_int_equal(http_client_pending(f->client), 20);
    run_until(f, all_have_come, f);
    assert_int_equal(f->ended, 0);
    server_answer_all(&f->server);
    run_until(f, all_have_ended, f);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].status, 200);
    }
    assert_int_equal(http_client_pending(f->client), 0);
    free(outcomes);
    fixture_free(f);
}

static void test_http_client_too_many_are_refused(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o = {.f = f};
    struct http_client_request request = {.url = f->url,
                                          .content_type = "application/json",
                                          .timeout_ms = PATIENCE_MS,
                                          .done = on_done,
                                          .ctx = &o};

    UNUSED(state);
    for (size_t i = 0; i < HTTP_CLIENT_REQUESTS_MAX; i++)
        assert_int_equal(http_client_post(f->client, &request), 0);
    assert_int_equal(http_client_post(f->client, &request), -EBUSY);
    fixture_free(f);
    assert_int_equal(o.calls, 0);
}

static void test_http_client_post_from_the_callback(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome second = {0}, first = {.posts = f->url, .next = &second};

    UNUSED(state);
    post(f, &first, f->url, "[]");
    run_until(f, has_ended, &second);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.status, 200);
    assert_int_equal(f->server.requests, 2);
    fixture_free(f);
}

static void test_http_client_free_from_the_callback(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome first = {.frees_client = true}, other = {0};
    char url[128];

    UNUSED(state);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", f->server.port);
    post_to(f, &first, url, slice_text("[]"), PATIENCE_MS);
    post_to(f, &other, url, slice_text("[]"), PATIENCE_MS);
    run_until(f, has_ended, &first);
    assert_null(f->client);
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.status, 200);
    run_until(f, server_is_alone, &f->server);
    assert_int_equal(other.calls, 0);
    fixture_free(f);
}

static void test_http_client_proxies_of_the_environment_are_not_used(void **state)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    struct fixture *f;
    struct outcome o = {0};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(setenv(names[i], "http://127.0.0.1:1/", 1), 0);
    f = fixture_new();
    post(f, &o, f->url, "[]");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(unsetenv(names[i]), 0);
    assert_string_equal(o.error, "");
    assert_int_equal(o.status, 200);
    fixture_free(f);
}

static bool request_has_come(void *arg)
{
    return ((struct server *)arg)->requests > 0;
}

static void test_http_client_descriptors_are_not_inherited(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome connected = {0}, looking_up = {0};
    int flags;

    UNUSED(state);
    f->server.act = ACT_HANG;
    post_to(f, &connected, f->url, slice_text("[]"), PATIENCE_MS);
    run_until(f, request_has_come, &f->server);
    post_to(f, &looking_up, "http://name.invalid/", slice_text("[]"), PATIENCE_MS);
    (void)event_base_loop(loop_event_base(f->loop), EVLOOP_ONCE);
    /* The server's own connection is no business of the client's. */
    assert_int_equal(fcntl(bufferevent_getfd(f->server.connections[0]), F_SETFD, FD_CLOEXEC), 0);
    for (int fd = 3; fd < 1024; fd++) {
        flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            fail_msg("descriptor %d would be inherited", fd);
    }
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_client_post_answers),
        cmocka_unit_test(test_http_client_post_is_sent_as_asked),
        cmocka_unit_test(test_http_client_post_of_nothing),
        cmocka_unit_test(test_http_client_post_of_a_long_body),
        cmocka_unit_test(test_http_client_credentials_of_the_url),
        cmocka_unit_test(test_http_client_connection_is_kept),
        cmocka_unit_test(test_http_client_kept_connection_that_was_closed),
        cmocka_unit_test(test_http_client_long_body_is_read_to_its_end),
        cmocka_unit_test(test_http_client_several_at_once),
        cmocka_unit_test(test_http_client_too_many_are_refused),
        cmocka_unit_test(test_http_client_post_from_the_callback),
        cmocka_unit_test(test_http_client_free_from_the_callback),
        cmocka_unit_test(test_http_client_proxies_of_the_environment_are_not_used),
        cmocka_unit_test(test_http_client_descriptors_are_not_inherited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
