/* The HTTP client and servers that do not answer as they should, or not at all. */
#include "http_client_support.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* A port of 127.0.0.1 that nobody listens on. */
static uint16_t closed_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(close(fd), 0);
    return ntohs(address.sin_port);
}

static void expect_failure(const struct outcome *o, int status)
{
    assert_true(o->failed);
    assert_true(strlen(o->error) > 0);
    assert_int_equal(o->status, status);
    if (strstr(o->error, "hidden") || strstr(o->error, "someone"))
        fail_msg("credentials in: %s", o->error);
}

static void test_http_client_server_that_breaks_off(void **state)
{
    static const struct {
        enum act act;
        const char *answer;
        int status; /* told besides the error */
    } rows[] = {
        {ACT_CLOSE, "", 0},
        {ACT_LAST, "\n", 0},
        {ACT_LAST, "SSH-2.0-x\r\n\r\n", 0},
        {ACT_LAST, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 200},
        {ACT_LAST, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha", 200},
        {ACT_LAST, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n", 200},
        {ACT_LAST, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 200},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture *f = fixture_new();
        struct outcome o = {0};
        char url[128];

        (void)snprintf(url, sizeof(url), "http://someone:hidden@127.0.0.1:%u/", f->server.port);
        f->server.act = rows[i].act;
        f->server.answer = rows[i].answer;
        post(f, &o, url, "[]");
        expect_failure(&o, rows[i].status);
        fixture_free(f);
    }
}

/* Whatever is wrong with a URL, its credentials are not told. */
static void test_http_client_url_that_leads_nowhere(void **state)
{
    static const char *const urls[] = {
        "",
        "/api/v2/alerts",
        "http://",
        "http://someone:hidden@",
        "http://someone:hidden@127.0.0.1:99999/",
        "http://someone:hidden@127.0.0.1:hidden/",
        "http://someone:hidden@ bad host/",
        "http://someone:hidden@[::1/",
        "http://someone:1#hidden@127.0.0.1/", /* the password was not encoded: `someone` is the host */
        "http://someone:hid/den@127.0.0.1/",
        "http://someone:hidden@someone.invalid/",
        "https://someone:hidden@someone.invalid/",
        "ftp://someone:hidden@127.0.0.1/",
        "file:///etc/hostname",
        "gopher://127.0.0.1/",
        "someone:hidden@127.0.0.1:hidden",
    };
    struct fixture *f = fixture_new();

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct outcome o = {0};

        post_to(f, &o, urls[i], slice_text("[]"), PATIENCE_MS / 4);
        run_until(f, has_ended, &o);
        expect_failure(&o, 0);
    }
    assert_int_equal(f->server.accepted, 0);
    fixture_free(f);
}

static void test_http_client_connection_refused(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o = {0};
    char url[128];

    UNUSED(state);
    (void)snprintf(url, sizeof(url), "http://someone:hidden@127.0.0.1:%u/", closed_port());
    post(f, &o, url, "[]");
    expect_failure(&o, 0);
    assert_string_equal(o.error, "Connection refused");
    fixture_free(f);
}

static bool has_ticked(void *arg)
{
    struct fixture *f = arg;

    return f->server.requests > 0 && f->ticks >= 20;
}

static void test_http_client_loop_goes_on_while_a_server_hangs(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o = {0};

    UNUSED(state);
    f->server.act = ACT_HANG;
    post_to(f, &o, f->url, slice_text("[]"), PATIENCE_MS);
    run_until(f, has_ticked, f);
    assert_int_equal(o.calls, 0);
    server_answer_all(&f->server);
    run_until(f, has_ended, &o);
    assert_int_equal(o.status, 200);
    fixture_free(f);
}

static void test_http_client_time_is_out(void **state)
{
    static const struct {
        const char *answer;
        int status;
    } rows[] = {
        {"", 0},
        {"HTTP/1.1 200 OK\r\nContent-Le", 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 200},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture *f = fixture_new();
        struct outcome o = {0};

        f->server.answer = rows[i].answer;
        post_to(f, &o, f->url, slice_text("[]"), 60);
        run_until(f, has_ended, &o);
        expect_failure(&o, rows[i].status);
        assert_string_equal(o.error, "timed out");
        fixture_free(f);
    }
}

/* A queue of connections that is full: the next one is neither taken nor refused. */
static void test_http_client_time_is_out_while_connecting(void **state)
{
    struct fixture *f = fixture_new();
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fillers[4];
    struct outcome o = {0};
    char url[128];

    UNUSED(state);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
    post_to(f, &o, url, slice_text("[]"), 60);
    run_until(f, has_ended, &o);
    expect_failure(&o, 0);
    assert_string_equal(o.error, "timed out while connecting");
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
        assert_int_equal(close(fillers[i]), 0);
    assert_int_equal(close(fd), 0);
    fixture_free(f);
}

static bool server_is_alone(void *arg)
{
    return ((struct server *)arg)->open == 0;
}

static void test_http_client_endless_body_is_cut(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o = {0};

    UNUSED(state);
    f->server.act = ACT_ENDLESS;
    f->server.answer = "HTTP/1.1 500 Oops\r\n\r\n";
    post(f, &o, f->url, "[]");
    assert_false(o.failed);
    assert_int_equal(o.status, 500);
    assert_int_equal(o.body_len, HTTP_CLIENT_BODY_MAX_BYTES);
    run_until(f, server_is_alone, &f->server);
    fixture_free(f);
}

static void test_http_client_endless_headers_are_refused(void **state)
{
    enum { COUNT = 10000 };
    struct fixture *f = fixture_new();
    struct buf answer = BUF_INIT;
    struct outcome o = {0};

    UNUSED(state);
    buf_add_text(&answer, "HTTP/1.1 200 OK\r\n");
    for (size_t i = 0; i < COUNT; i++)
        buf_add_format(&answer, "X-Header-Number-%zu: someone:hidden\r\n", i);
    f->server.answer = buf_text(&answer);
    post(f, &o, f->url, "[]");
    expect_failure(&o, 200);
    assert_string_equal(o.error, "the headers of the answer are too long");
    buf_clear(&answer);
    fixture_free(f);
}

static bool request_has_come(void *arg)
{
    return ((struct server *)arg)->requests > 0;
}

static void test_http_client_free_breaks_off(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome hanging = {0}, looking_up = {0}, fresh = {0};

    UNUSED(state);
    f->server.act = ACT_HANG;
    post_to(f, &hanging, f->url, slice_text("[]"), PATIENCE_MS);
    run_until(f, request_has_come, &f->server);
    post_to(f, &looking_up, "http://name.invalid/", slice_text("[]"), PATIENCE_MS);
    (void)event_base_loop(loop_event_base(f->loop), EVLOOP_ONCE);
    post_to(f, &fresh, f->url, slice_text("[]"), PATIENCE_MS);
    http_client_free(f->client);
    f->client = NULL;
    run_until(f, server_is_alone, &f->server);
    assert_int_equal(hanging.calls + fresh.calls, 0);
    assert_int_equal(f->server.requests, 1);
    fixture_free(f);
}

/* A server whose certificate nobody has signed but itself. */
static SSL_CTX *make_tls(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    static const unsigned char name[] = "127.0.0.1";

    assert_true(key && cert && tls);
    assert_int_equal(X509_set_version(cert, 2), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
    assert_int_equal(
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, name, -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(cert)), 1);
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(tls, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(tls, key), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    return tls;
}

static void test_http_client_certificate_is_verified(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o = {0};
    char url[128];

    UNUSED(state);
    f->server.tls = make_tls();
    (void)snprintf(url, sizeof(url), "https://someone:hidden@127.0.0.1:%u/", f->server.port);
    post(f, &o, url, "[]");
    expect_failure(&o, 0);
    assert_non_null(strstr(o.error, "certificate"));
    assert_int_equal(f->server.requests, 0);
    run_until(f, server_is_alone, &f->server);
    SSL_CTX_free(f->server.tls);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_client_server_that_breaks_off),
        cmocka_unit_test(test_http_client_url_that_leads_nowhere),
        cmocka_unit_test(test_http_client_connection_refused),
        cmocka_unit_test(test_http_client_loop_goes_on_while_a_server_hangs),
        cmocka_unit_test(test_http_client_time_is_out),
        cmocka_unit_test(test_http_client_time_is_out_while_connecting),
        cmocka_unit_test(test_http_client_endless_body_is_cut),
        cmocka_unit_test(test_http_client_endless_headers_are_refused),
        cmocka_unit_test(test_http_client_free_breaks_off),
        cmocka_unit_test(test_http_client_certificate_is_verified),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
