/* codec/resp.h: what is written is the protocol byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/resp.h"
#include "util/macros.h"
#include <stdio.h>
#include <stdlib.h>

static void assert_bytes(struct buf *out, const char *expected, size_t len)
{
    assert_int_equal(out->len, len);
    assert_memory_equal(out->data, expected, len);
    buf_clear(out);
}

#define ASSERT_BYTES(out, literal) assert_bytes(out, literal, sizeof(literal) - 1)

static void test_resp_add_head(void **state)
{
    struct buf out = BUF_INIT;

    UNUSED(state);
    resp_add_head(&out, 0);
    resp_add_head(&out, 3);
    resp_add_head(&out, 18446744073709551615U);
    ASSERT_BYTES(&out, "*0\r\n*3\r\n*18446744073709551615\r\n");
}

static void test_resp_add_keeps_every_byte(void **state)
{
    static const struct {
        struct slice word;
        struct slice expected;
    } rows[] = {
        {SLICE("PING"), SLICE("$4\r\nPING\r\n")},
        {SLICE(""), SLICE("$0\r\n\r\n")},
        {{NULL, 0}, SLICE("$0\r\n\r\n")},
        {SLICE("a\0b"), SLICE("$3\r\na\0b\r\n")},
        {SLICE("\r\n$9\r\n"), SLICE("$6\r\n\r\n$9\r\n\r\n")},
        {SLICE("\xff\xfe%s"), SLICE("$4\r\n\xff\xfe%s\r\n")},
        {SLICE("0123456789"), SLICE("$10\r\n0123456789\r\n")},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;

        resp_add(&out, rows[i].word);
        assert_bytes(&out, rows[i].expected.data, rows[i].expected.len);
    }
}

static void test_resp_add_text_and_number(void **state)
{
    struct buf out = BUF_INIT;

    UNUSED(state);
    resp_add_text(&out, "XADD");
    resp_add_u64(&out, 0);
    resp_add_u64(&out, 42);
    resp_add_u64(&out, UINT64_MAX);
    ASSERT_BYTES(&out, "$4\r\nXADD\r\n$1\r\n0\r\n$2\r\n42\r\n$20\r\n18446744073709551615\r\n");
}

/* A word that fits the memory that is there to the byte, and one that does not. */
static void test_resp_add_at_every_length(void **state)
{
    char word[400];
    struct buf out = BUF_INIT;
    size_t at = 0;

    UNUSED(state);
    memset(word, 'w', sizeof(word));
    for (size_t len = 0; len <= sizeof(word); len++)
        resp_add(&out, slice_of(word, len));
    for (size_t len = 0; len <= sizeof(word); len++) {
        char head[16];
        size_t head_len = (size_t)snprintf(head, sizeof(head), "$%zu\r\n", len);

        assert_memory_equal(out.data + at, head, head_len);
        at += head_len;
        if (len > 0)
            assert_memory_equal(out.data + at, word, len);
        assert_memory_equal(out.data + at + len, "\r\n", 2);
        at += len + 2;
    }
    assert_int_equal(at, out.len);
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resp_add_head),
        cmocka_unit_test(test_resp_add_keeps_every_byte),
        cmocka_unit_test(test_resp_add_text_and_number),
        cmocka_unit_test(test_resp_add_at_every_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
