/* Heads, chunked bodies and targets of requests: what is in order, what is missing, and what is refused with
 * which words, at whatever byte the reading stops. */
#include "codec/http_head.h"
#include "codec/http_target.h"
#include "util/buf.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define GET "GET /p HTTP/1.1\r\nHost: x\r\n"

static void test_http_head_whole_rows(void **state)
{
    static const struct slice rows[] = {
        SLICE(GET "\r\n"),
        SLICE("GET /p HTTP/1.0\r\n\r\n"),
        SLICE("GET / HTTP/1.1\nHost: x\n\n"),
        SLICE("\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
        SLICE("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
        SLICE("GET http://x/p?q HTTP/1.1\r\nHost: x\r\n\r\n"),
        SLICE("BREW /p HTTP/1.1\r\n\r\n"),
        SLICE(GET "X:\r\nY: \t \r\nZ: a\tb \x80\xff\r\n\r\n"),
        SLICE("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"),
        SLICE("POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n"),
        SLICE("GET /?%zz HTTP/1.1\r\n\r\n"),
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_head head;

        for (size_t len = 0; len < rows[i].len; len++)
            assert_int_equal(http_head_read(&head, slice_of(rows[i].data, len)), HTTP_PARTIAL);
        assert_int_equal(http_head_read(&head, rows[i]), HTTP_WHOLE);
        assert_int_equal(head.bytes, rows[i].len);
    }
}

static void test_http_head_says_what_it_holds(void **state)
{
    struct http_head head;

    UNUSED(state);
    assert_int_equal(http_head_read(&head, slice_text("HEAD / HTTP/1.0\r\nContent-Length: 7\r\n\r\nGET")),
                     HTTP_WHOLE);
    assert_true(head.is_head && head.is_old);
    assert_int_equal(head.bytes, strlen("HEAD / HTTP/1.0\r\nContent-Length: 7\r\n\r\n"));
    assert_int_equal(head.framing.content_length, 7);
    assert_int_equal(
        http_head_read(&head, slice_text("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                         "Expect: 100-continue\r\n\r\n")),
        HTTP_WHOLE);
    assert_true(!head.is_head && !head.is_old && head.framing.is_chunked && head.framing.expects_continue);
    assert_int_equal(head.framing.hosts, 1);
}

static void test_http_head_refused_rows(void **state)
{
    static const struct {
        struct slice text;
        int status;
        const char *word; /* of the detail */
    } rows[] = {
        {SLICE("\x16\x03\x01"), 400, "method"},
        {SLICE(" GET"), 400, "method"},
        {SLICE("G@T"), 400, "method"},
        {SLICE("GET\t/ HTTP/1.1\r\n"), 400, "method"},
        {SLICE("\0"), 400, "method"},
        {SLICE("GARBAGE\r\n"), 400, "request line"},
        {SLICE("GET /p\r\n"), 400, "request line"},
        {SLICE("GET  HTTP/1.1\r\n"), 400, "request line"},
        {SLICE("GET /a b HTTP/1.1\r\n"), 400, "HTTP/1.1"},
        {SLICE("GET /p http/1.1\r\n"), 400, "HTTP/1.1"},
        {SLICE("GET /p HTTP/1.1 \r\n"), 400, "HTTP/1.1"},
        {SLICE("GET /p HTTP/11\r\n"), 400, "HTTP/1.1"},
        {SLICE("GET /p HTTP/0.9\r\n"), 505, "version"},
        {SLICE("PRI * HTTP/2.0\r\n"), 505, "version"},
        {SLICE("GET p HTTP/1.1\r\n"), 400, "neither a path"},
        {SLICE("GET https://x/ HTTP/1.1\r\n"), 400, "neither a path"},
        {SLICE("GET http:// HTTP/1.1\r\n"), 400, "neither a path"},
        {SLICE("CONNECT x:80 HTTP/1.1\r\n"), 400, "neither a path"},
        {SLICE("GET /\xff HTTP/1.1\r\n"), 400, "escaped"},
        {SLICE("GET /\x01 HTTP/1.1\r\n"), 400, "escaped"},
        {SLICE("GET /a\0b HTTP/1.1\r\n"), 400, "escaped"},
        {SLICE(GET "no colon\r\n"), 400, "colon"},
        {SLICE(GET " folded: x\r\n"), 400, "folded"},
        {SLICE(GET "X: a\r\n\tb\r\n"), 400, "folded"},
        {SLICE(GET "X : a\r\n"), 400, "token"},
        {SLICE(GET ": a\r\n"), 400, "token"},
        {SLICE(GET "X: a\rY: b\r\n"), 400, "control"},
        {SLICE(GET "X: a\0b\r\n"), 400, "control"},
        {SLICE(GET "Host: y\r\n\r\n"), 400, "Host"},
        {SLICE(GET "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, "together"},
        {SLICE(GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), 400, "more than one"},
        {SLICE(GET "Content-Length: 1, 1\r\n\r\n"), 400, "not a number"},
        {SLICE(GET "Content-Length: +1\r\n\r\n"), 400, "not a number"},
        {SLICE(GET "Content-Length:\r\n\r\n"), 400, "not a number"},
        {SLICE(GET "Content-Length: 99999999999999999999999\r\n\r\n"), 413, "65536"},
        {SLICE(GET "Content-Length: 16777217\r\n\r\n"), 413, "65536"},
        {SLICE(GET "Transfer-Encoding: gzip, chunked\r\n\r\n"), 400, "chunked"},
        {SLICE("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, "HTTP/1.0"},
        {SLICE(GET "Expect: a miracle\r\n\r\n"), 417, "Expect"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_head head;

        if (http_head_read(&head, rows[i].text) != HTTP_REFUSED)
            fail_msg("row %zu is not refused: %s", i, rows[i].text.data);
        assert_int_equal(head.status, rows[i].status);
        if (!strstr(head.detail, rows[i].word))
            fail_msg("row %zu: %s", i, head.detail);
        /* Whatever comes behind it. */
        for (size_t len = 0; len < rows[i].text.len; len++)
            assert_int_not_equal(http_head_read(&head, slice_of(rows[i].text.data, len)), HTTP_WHOLE);
    }
}

static void fill(struct buf *out, const char *start, const char *unit, size_t count, const char *end)
{
    buf_reset(out, SIZE_MAX);
    buf_add_text(out, start);
    for (size_t i = 0; i < count; i++)
        buf_add_text(out, unit);
    buf_add_text(out, end);
}

static void expect_verdict(const struct buf *text, enum http_verdict verdict, int status)
{
    struct http_head head;

    assert_int_equal(http_head_read(&head, buf_slice(text)), verdict);
    assert_int_equal(head.status, status);
}

static void test_http_head_bounds(void **state)
{
    static const char start[] = GET "X: ";
    size_t room = HTTP_HEAD_MAX_BYTES - strlen(start) - 4;
    struct buf text = BUF_INIT;

    UNUSED(state);
    fill(&text, start, "x", room, "\r\n\r\n");
    expect_verdict(&text, HTTP_WHOLE, 0);
    fill(&text, start, "x", room + 1, "\r\n\r\n");
    expect_verdict(&text, HTTP_REFUSED, 431);
    fill(&text, start, "x", room + 4, "");
    expect_verdict(&text, HTTP_PARTIAL, 0);
    fill(&text, start, "x", room + 5, "");
    expect_verdict(&text, HTTP_REFUSED, 431);
    fill(&text, "GET /", "x", HTTP_HEAD_MAX_BYTES, "");
    expect_verdict(&text, HTTP_REFUSED, 431);
    fill(&text, "", "\r\n", HTTP_HEAD_MAX_BYTES / 2 + 1, "");
    expect_verdict(&text, HTTP_REFUSED, 431);
    fill(&text, GET, "a:1\r\n", HTTP_HEAD_MAX_FIELDS - 1, "\r\n");
    expect_verdict(&text, HTTP_WHOLE, 0);
    fill(&text, GET, "a:1\r\n", HTTP_HEAD_MAX_FIELDS, "\r\n");
    expect_verdict(&text, HTTP_REFUSED, 431);
    fill(&text, "GET /?", "&", HTTP_HEAD_MAX_ARGS - 1, " HTTP/1.1\r\n\r\n");
    expect_verdict(&text, HTTP_WHOLE, 0);
    fill(&text, "GET /?", "&", HTTP_HEAD_MAX_ARGS, " HTTP/1.1\r\n\r\n");
    expect_verdict(&text, HTTP_REFUSED, 400);
    fill(&text, GET "Cookie: ", "a;", HTTP_HEAD_MAX_COOKIES - 1, "\r\n\r\n");
    expect_verdict(&text, HTTP_WHOLE, 0);
    fill(&text, GET "Cookie: ", "a;", HTTP_HEAD_MAX_COOKIES, "\r\n\r\n");
    expect_verdict(&text, HTTP_REFUSED, 431);
    buf_clear(&text);
}

static void test_http_chunks_rows(void **state)
{
    static const struct {
        struct slice text;
        enum http_verdict verdict;
        int status;
        const char *word;
    } rows[] = {
        {SLICE("0\r\n\r\n"), HTTP_WHOLE, 0, ""},
        {SLICE("3\r\nabc\r\n0\r\n\r\n"), HTTP_WHOLE, 0, ""},
        {SLICE("03;a=b\r\nabc\r\nA \r\n0123456789\r\n0\r\n\r\nGET"), HTTP_WHOLE, 0, ""},
        {SLICE("3\nabc\n0\n\n"), HTTP_WHOLE, 0, ""},
        {SLICE("0\r\nX: y\r\n\r\n"), HTTP_WHOLE, 0, ""},
        {SLICE(""), HTTP_PARTIAL, 0, ""},
        {SLICE("3"), HTTP_PARTIAL, 0, ""},
        {SLICE("3\r\nab"), HTTP_PARTIAL, 0, ""},
        {SLICE("3\r\nabc"), HTTP_PARTIAL, 0, ""},
        {SLICE("3\r\nabc\r"), HTTP_PARTIAL, 0, ""},
        {SLICE("3\r\nabc\r\n"), HTTP_PARTIAL, 0, ""},
        {SLICE("1000000\r\n"), HTTP_PARTIAL, 0, ""},
        {SLICE("0\r\nX: y\r\n"), HTTP_PARTIAL, 0, ""},
        {SLICE("zz\r\n"), HTTP_REFUSED, 400, "hex"},
        {SLICE("-3\r\n"), HTTP_REFUSED, 400, "hex"},
        {SLICE("3x\r\n"), HTTP_REFUSED, 400, "hex"},
        {SLICE("\r\n"), HTTP_REFUSED, 400, "hex"},
        {SLICE("3;a\0b\r\n"), HTTP_REFUSED, 400, "control"},
        {SLICE("3\r\nabcd\r\n"), HTTP_REFUSED, 400, "longer"},
        {SLICE("1000001\r\n"), HTTP_REFUSED, 413, "65536"},
        {SLICE("ffffffffffffffffffff\r\n"), HTTP_REFUSED, 413, "65536"},
        {SLICE("0000000000000000\r\n\r\n"), HTTP_REFUSED, 413, "65536"},
        {SLICE("0\r\nno colon\r\n"), HTTP_REFUSED, 400, "colon"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int status = 0;
        const char *detail = "";

        if (http_chunks_read(rows[i].text, &status, &detail) != rows[i].verdict)
            fail_msg("row %zu: %s", i, rows[i].text.data);
        assert_int_equal(status, rows[i].status);
        assert_non_null(strstr(detail, rows[i].word));
    }
}

static void test_http_chunks_bounds(void **state)
{
    struct buf text = BUF_INIT;
    int status = 0;
    const char *detail = "";

    UNUSED(state);
    fill(&text, "3;", "x", 1022, "\r");
    assert_int_equal(http_chunks_read(buf_slice(&text), &status, &detail), HTTP_PARTIAL);
    fill(&text, "3;", "x", 1023, "\r");
    assert_int_equal(http_chunks_read(buf_slice(&text), &status, &detail), HTTP_REFUSED);
    assert_int_equal(status, 400);
    fill(&text, "3;", "x", 1023, "\r\n");
    assert_int_equal(http_chunks_read(buf_slice(&text), &status, &detail), HTTP_REFUSED);
    fill(&text, "0\r\nX: ", "x", HTTP_HEAD_MAX_BYTES, "");
    assert_int_equal(http_chunks_read(buf_slice(&text), &status, &detail), HTTP_REFUSED);
    assert_int_equal(status, 431);
    fill(&text, "0\r\nX: ", "x", HTTP_HEAD_MAX_BYTES, "\r\n\r\n");
    assert_int_equal(http_chunks_read(buf_slice(&text), &status, &detail), HTTP_REFUSED);
    buf_clear(&text);
}

/* `authority|path|name=value;…` */
static void describe(const struct http_target *target, struct buf *out)
{
    buf_add_slice(out, target->authority.data ? target->authority : slice_text("-"));
    buf_add_char(out, '|');
    buf_add_slice(out, target->path);
    buf_add_char(out, '|');
    for (size_t i = 0; i < target->arg_count; i++) {
        buf_add_slice(out, target->args[i].name);
        buf_add_char(out, '=');
        buf_add_slice(out, target->args[i].value);
        buf_add_char(out, ';');
    }
}

static void test_http_target_rows(void **state)
{
    static const struct {
        const char *text, *expected; /* what it is, or a word of what is wrong */
        bool is_fault;
    } rows[] = {
        {"/", "-|/|", false},
        {"/a%20b/%C3%A4?", "-|/a b/\xc3\xa4|", false},
        {"/a+b?c+d=e+f", "-|/a+b|c d=e f;", false},
        {"/?a=1&&b&=&a=%3d%26", "-|/|a=1;b=;=;a==&;", false},
        {"/?a?b=c=d", "-|/|a?b=c=d;", false},
        {"http://h:1/p?q", "h:1|/p|q=;", false},
        {"HTTP://h?q", "h|/|q=;", false},
        {"http://", "|/|", false},
        {"*", "-|*|", false},
        {"/%", "path", true},
        {"/%4", "path", true},
        {"/%zz", "path", true},
        {"/%00", "path", true},
        {"/?%", "query", true},
        {"/?a=%f", "query", true},
        {"/?a=%00", "query", true},
        {"/?1&2&3&4&5&6&7&8&9&a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x", "32", true},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_target target;
        struct buf out = BUF_INIT;
        const char *fault = http_target_parse(&target, rows[i].text);

        if (fault)
            assert_true(rows[i].is_fault && strstr(fault, rows[i].expected));
        describe(&target, &out);
        if (!rows[i].is_fault)
            assert_string_equal(buf_text(&out), rows[i].expected);
        assert_int_equal(fault != NULL, rows[i].is_fault);
        http_target_clear(&target);
        buf_clear(&out);
    }
}

/* Headers that another parser has taken apart are judged like our own. */
static void test_http_framing_fault_rows(void **state)
{
    static const struct {
        const char *names[2], *values[2];
        const char *fault;
    } rows[] = {
        {{"Host", "X-Y"}, {"x", "z"}, NULL},
        {{"X Y"}, {"z"}, "a header name is not a token"},
        {{""}, {"z"}, "a header name is not a token"},
        {{"Content-Length", "transfer-encoding"},
         {"5", "chunked"},
         "Content-Length together with Transfer-Encoding"},
        {{"Content-Length", "content-length"}, {"5", "5"}, "more than one Content-Length"},
        {{"Content-Length"}, {"+5"}, "Content-Length is not a number"},
        {{"Transfer-Encoding"}, {"gzip"}, "the only Transfer-Encoding known is chunked"},
        {{"Transfer-Encoding", "Transfer-Encoding"},
         {"chunked", "chunked"},
         "the only Transfer-Encoding known is chunked"},
        {{"Host", "host"}, {"x", "x"}, "more than one Host"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_framing framing = {0};
        const char *fault;

        for (size_t k = 0; k < 2 && rows[i].names[k]; k++)
            http_framing_add(&framing, slice_text(rows[i].names[k]), slice_text(rows[i].values[k]));
        fault = http_framing_fault(&framing);
        assert_string_equal(fault ? fault : "none", rows[i].fault ? rows[i].fault : "none");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_framing_fault_rows),
        cmocka_unit_test(test_http_head_whole_rows),
        cmocka_unit_test(test_http_head_says_what_it_holds),
        cmocka_unit_test(test_http_head_refused_rows),
        cmocka_unit_test(test_http_head_bounds),
        cmocka_unit_test(test_http_chunks_rows),
        cmocka_unit_test(test_http_chunks_bounds),
        cmocka_unit_test(test_http_target_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
