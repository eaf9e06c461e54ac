/* What is compressed in slices inflates to the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/gzip.h"
#include "util/macros.h"
#include <cmocka.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

static void expect_inflates_to(struct slice packed, struct slice expected)
{
    struct buf plain = BUF_INIT;
    z_stream stream = {.next_in = (z_const Bytef *)packed.data, .avail_in = (uInt)packed.len};

    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_out = (Bytef *)buf_reserve(&plain, expected.len + 1);
    stream.avail_out = (uInt)expected.len + 1;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(stream.total_out, expected.len);
    if (expected.len)
        assert_memory_equal(plain.data, expected.data, expected.len);
    assert_int_equal(inflateEnd(&stream), Z_OK);
    buf_clear(&plain);
}

static void test_gzip_slices_inflate(void **state)
{
    static const size_t slices[] = {1, 1000, 65536, 1 << 20};
    struct buf plain = BUF_INIT;

    UNUSED(state);
    for (uint32_t i = 0; plain.len < 300000; i++)
        buf_add_format(&plain, "mt5_instance_up{instance_id=\"mt5-%u\"} %u\n", i * 2654435761u, i);
    for (size_t i = 0; i < ARRAY_LEN(slices); i++) {
        struct gzip *gzip = gzip_new(1);
        struct buf packed = BUF_INIT;

        for (size_t at = 0; at < plain.len; at += slices[i])
            gzip_add(gzip, slice_of(plain.data + at, plain.len - at < slices[i] ? plain.len - at : slices[i]),
                     &packed);
        gzip_finish(gzip, &packed);
        assert_true(packed.len < plain.len / 2);
        expect_inflates_to(buf_slice(&packed), buf_slice(&plain));
        gzip_free(gzip);
        buf_clear(&packed);
    }
    buf_clear(&plain);
}

static void test_gzip_nothing_inflates(void **state)
{
    struct gzip *gzip = gzip_new(1);
    struct buf packed = BUF_INIT;

    UNUSED(state);
    gzip_add(gzip, slice_of(NULL, 0), &packed);
    gzip_finish(gzip, &packed);
    expect_inflates_to(buf_slice(&packed), slice_of(NULL, 0));
    gzip_free(gzip);
    buf_clear(&packed);
}

static void test_gzip_free_unfinished(void **state)
{
    struct gzip *gzip = gzip_new(9);
    struct buf packed = BUF_INIT;

    UNUSED(state);
    gzip_add(gzip, slice_text("half"), &packed);
    gzip_free(gzip);
    gzip_free(NULL);
    buf_clear(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gzip_slices_inflate),
        cmocka_unit_test(test_gzip_nothing_inflates),
        cmocka_unit_test(test_gzip_free_unfinished),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
