/* The forms of redis.url and http.listen, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "config/url.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include "util/macros.h"
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void test_redis_url_parse_good_forms(void **state)
{
    static const struct {
        const char *text;
        enum config_redis_scheme scheme;
        const char *host;
        uint16_t port;
        int db;
        const char *username, *password;
    } rows[] = {
        {"redis://127.0.0.1:6379/0", CONFIG_REDIS_TCP, "127.0.0.1", 6379, 0, "", ""},
        {"redis://h", CONFIG_REDIS_TCP, "h", 6379, 0, "", ""},
        {"redis://h/", CONFIG_REDIS_TCP, "h", 6379, 0, "", ""},
        {"redis://h/7", CONFIG_REDIS_TCP, "h", 6379, 7, "", ""},
        {"redis://h.example.org:1/15", CONFIG_REDIS_TCP, "h.example.org", 1, 15, "", ""},
        {"redis://redis_1:6380", CONFIG_REDIS_TCP, "redis_1", 6380, 0, "", ""},
        {"redis://[::1]", CONFIG_REDIS_TCP, "::1", 6379, 0, "", ""},
        {"redis://[::1]:6380/2", CONFIG_REDIS_TCP, "::1", 6380, 2, "", ""},
        {"redis://:pw@h", CONFIG_REDIS_TCP, "h", 6379, 0, "", "pw"},
        {"redis://u:pw@h:1/2", CONFIG_REDIS_TCP, "h", 1, 2, "u", "pw"},
        {"redis://u:@h", CONFIG_REDIS_TCP, "h", 6379, 0, "u", ""},
        {"redis://u:p%40%3a%2F%25@h", CONFIG_REDIS_TCP, "h", 6379, 0, "u", "p@:/%"},
        {"redis://u:a@b@h", CONFIG_REDIS_TCP, "h", 6379, 0, "u", "a@b"},
        {"redis://u:a:b@[::1]:9", CONFIG_REDIS_TCP, "::1", 9, 0, "u", "a:b"},
        {"rediss://h:6390/1", CONFIG_REDIS_TLS, "h", 6390, 1, "", ""},
        {"unix:///run/redis.sock", CONFIG_REDIS_UNIX, "/run/redis.sock", 0, 0, "", ""},
        {"unix:///run/redis.sock?db=2", CONFIG_REDIS_UNIX, "/run/redis.sock", 0, 2, "", ""},
        {"unix://u:pw@/run/r.sock?db=0", CONFIG_REDIS_UNIX, "/run/r.sock", 0, 0, "u", "pw"},
        {"unix:///run/a@b.sock", CONFIG_REDIS_UNIX, "/run/a@b.sock", 0, 0, "", ""},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct redis_url url;
        struct errmsg why = {""};

        if (!redis_url_parse(rows[i].text, &url, &why))
            fail_msg("%s: %s", rows[i].text, why.text);
        assert_int_equal(url.scheme, rows[i].scheme);
        assert_string_equal(url.host, rows[i].host);
        assert_int_equal(url.port, rows[i].port);
        assert_int_equal(url.db, rows[i].db);
        assert_string_equal(url.username, rows[i].username);
        assert_string_equal(url.password, rows[i].password);
        redis_url_clear(&url);
    }
}

static void test_redis_url_parse_bad_forms(void **state)
{
    static const char *const rows[] = {
        "",
        "redis",
        "redis:",
        "redis:/h",
        "redis://",
        "redis:///0",
        "REDIS://h",
        "http://h",
        "redis://h:",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:12x",
        "redis://h:-1",
        "redis://h/x",
        "redis://h/-1",
        "redis://h/1/2",
        "redis://h/1000001",
        "redis://h?db=1",
        "redis://h#x",
        "redis://h/0?db=1",
        "redis://1.2.3",
        "redis://1.2.3.999",
        "redis://::1",
        "redis://[::1",
        "redis://[::1]x",
        "redis://[]",
        "redis://[h]",
        "redis://h h",
        "redis://secret@h",
        "redis://@h",
        "redis://u:secret%@h",
        "redis://u:secret%4@h",
        "redis://u:secret%4g@h",
        "redis://u:secret%00@h",
        "redis://u:secret%0a@h",
        "unix://",
        "unix://run/redis.sock",
        "unix:/run/redis.sock",
        "unix:///r?x=1",
        "unix:///r?db=",
        "unix:///r?db=1&password=secret",
        "unix:///"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "012345678",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct redis_url url = {.port = 77};
        struct errmsg why = {""};

        if (redis_url_parse(rows[i], &url, &why))
            fail_msg("%s was taken", rows[i]);
        assert_int_equal(url.port, 77);
        assert_true(strlen(why.text) > 0);
        assert_null(strstr(why.text, "secret"));
    }
}

static void test_url_redact_hides_credentials(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"redis://h:1/2", "redis://h:1/2"},
        {"redis://:pw@h", "redis://<redacted>@h"},
        {"redis://u:pw@h:1/2", "redis://<redacted>@h:1/2"},
        {"redis://u:a@b@h", "redis://<redacted>@h"},
        {"unix://u:pw@/r?db=1", "unix://<redacted>@/r?db=1"},
        {"unix:///a@b", "unix:///a@b"},
        {"https://token@h/x@y?z@", "https://<redacted>@h/x@y?z@"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;

        url_redact(rows[i].in, &out);
        assert_string_equal(buf_text(&out), rows[i].out);
        buf_clear(&out);
    }
}

static void test_http_url_check_good_forms(void **state)
{
    static const char *const rows[] = {
        "http://h",
        "http://h/",
        "https://host.example:9093/api/v2/alerts",
        "http://127.0.0.1:1/x?a=b&c=%20",
        "http://[::1]:9093/api",
        "https://user:p%40ss@h/",
        "https://token@h",
        "http://:pw@h",
        "http://h?x@y",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct errmsg why = {""};

        if (!http_url_check(rows[i], &why))
            fail_msg("%s: %s", rows[i], why.text);
    }
}

static void test_http_url_check_bad_forms(void **state)
{
    static const char *const rows[] = {
        "",
        "h",
        "ftp://h",
        "HTTP://h",
        "http:/h",
        "http://",
        "http:///path",
        "http://h:0/",
        "http://h:65536/",
        "http://h:/",
        "http://h:x/",
        "http://@h/",
        "http://<redacted>@h/",
        "http://secret@secret@h/",
        "http://secret%0a@h/",
        "http://secret%4@h/",
        "http://secret word@h/",
        "http://h/a b",
        "http://h/\xc3\xa4",
        "http://h/a\\b",
        "http://h/#x",
        "http://h\\@secret/",
        "http://::1/",
        "http://[::1/",
        "http://1.2.3/",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct errmsg why = {""};

        if (http_url_check(rows[i], &why))
            fail_msg("%s was taken", rows[i]);
        assert_true(strlen(why.text) > 0);
        assert_null(strstr(why.text, "secret"));
    }
}

static void test_http_url_check_length(void **state)
{
    char text[HTTP_URL_MAX + 2] = "http://h/";
    struct errmsg why;

    UNUSED(state);
    memset(text + strlen(text), 'x', HTTP_URL_MAX - strlen(text));
    assert_true(http_url_check(text, &why));
    text[HTTP_URL_MAX] = 'x';
    assert_false(http_url_check(text, &why));
}

static void test_listen_address_parse_good_forms(void **state)
{
    static const struct {
        const char *text;
        enum config_listen_kind kind;
        const char *host;
        uint16_t port;
    } rows[] = {
        {"127.0.0.1:10555", CONFIG_LISTEN_TCP, "127.0.0.1", 10555},
        {"localhost:0", CONFIG_LISTEN_TCP, "localhost", 0},
        {"0.0.0.0:80", CONFIG_LISTEN_TCP, "0.0.0.0", 80},
        {"[::1]:65535", CONFIG_LISTEN_TCP, "::1", 65535},
        {"[::]:1", CONFIG_LISTEN_TCP, "::", 1},
        {"unix:/run/x.sock", CONFIG_LISTEN_UNIX, "/run/x.sock", 0},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct listen_address address;
        struct errmsg why = {""};

        if (!listen_address_parse(rows[i].text, &address, &why))
            fail_msg("%s: %s", rows[i].text, why.text);
        assert_int_equal(address.kind, rows[i].kind);
        assert_string_equal(address.host, rows[i].host);
        assert_int_equal(address.port, rows[i].port);
        listen_address_clear(&address);
    }
}

static void test_listen_address_parse_bad_forms(void **state)
{
    static const char *const rows[] = {"",       ":80",         "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000",
                                       "h:80x",  "::1:80",      "[::1]",     "[::1]80",    "unix:",
                                       "unix:x", "1.2.3.4.5:1", "*:80",      "h/x:80",     "http://h:80"};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct listen_address address = {.port = 77};
        struct errmsg why = {""};

        if (listen_address_parse(rows[i], &address, &why))
            fail_msg("%s was taken", rows[i]);
        assert_int_equal(address.port, 77);
        assert_true(strlen(why.text) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_url_parse_good_forms),
        cmocka_unit_test(test_redis_url_parse_bad_forms),
        cmocka_unit_test(test_url_redact_hides_credentials),
        cmocka_unit_test(test_http_url_check_good_forms),
        cmocka_unit_test(test_http_url_check_bad_forms),
        cmocka_unit_test(test_http_url_check_length),
        cmocka_unit_test(test_listen_address_parse_good_forms),
        cmocka_unit_test(test_listen_address_parse_bad_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
