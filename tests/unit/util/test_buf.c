/* util/buf.h: content, invariants and growth. */
#include "util/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void assert_sound(const struct buf *b)
{
    assert_true(b->len <= b->cap);
    assert_int_equal(b->data == NULL, b->cap == 0);
}

static void test_buf_add_of_each_kind(void **state)
{
    struct buf b = BUF_INIT;

    UNUSED(state);
    buf_add(&b, "a\0b", 3);
    buf_add_char(&b, ' ');
    buf_add_text(&b, "text");
    buf_add_slice(&b, slice_text(" slice "));
    buf_add_u64(&b, UINT64_MAX);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, INT64_MIN);
    buf_add_char(&b, ' ');
    buf_add_double(&b, 1.25);
    buf_add_format(&b, " %s=%d", "x", 5);
    assert_true(slice_equal(
        buf_slice(&b), slice_of("a\0b text slice 18446744073709551615 -9223372036854775808 1.25 x=5", 65)));
    assert_sound(&b);
    buf_clear(&b);
    assert_sound(&b);
}

static void test_buf_of_nothing(void **state)
{
    struct buf b = BUF_INIT;

    UNUSED(state);
    buf_add(&b, NULL, 0);
    buf_add_slice(&b, slice_text(NULL));
    buf_add_text(&b, "");
    assert_int_equal(buf_slice(&b).len, 0);
    assert_sound(&b);
    assert_string_equal(buf_text(&b), "");
    assert_int_equal(b.len, 0);
    assert_sound(&b);
    buf_clear(&b);
    buf_clear(&b);
    assert_sound(&b);
}

static void test_buf_add_across_many_growths(void **state)
{
    struct buf b = BUF_INIT;
    size_t growths = 0;

    UNUSED(state);
    for (size_t i = 0; i < 100000; i++) {
        size_t cap = b.cap;

        buf_add_char(&b, (char)('a' + i % 26));
        growths += b.cap != cap;
        assert_sound(&b);
    }
    assert_in_range(growths, 1, 20);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
    buf_clear(&b);
}

static void test_buf_reserve_much_at_once(void **state)
{
    struct buf b = BUF_INIT;
    char *at;

    UNUSED(state);
    buf_add_text(&b, "head");
    at = buf_reserve(&b, 100000);
    assert_ptr_equal(at, b.data + 4);
    assert_true(b.cap - b.len >= 100000);
    memset(at, 'x', 100000);
    assert_ptr_equal(buf_reserve(&b, 100000), at);
    assert_int_equal(b.len, 4);
    buf_clear(&b);
}

static void test_buf_reset_keeps_only_small_memory(void **state)
{
    struct buf b = BUF_INIT;
    const char *data;

    UNUSED(state);
    buf_add_text(&b, "some");
    data = b.data;
    buf_reset(&b, b.cap);
    assert_int_equal(b.len, 0);
    assert_ptr_equal(b.data, data);
    buf_add_text(&b, "more");
    buf_reset(&b, b.cap - 1);
    assert_int_equal(b.len, 0);
    assert_null(b.data);
    assert_sound(&b);
}

static void add_format_behind(size_t before, size_t len)
{
    struct buf b = BUF_INIT;
    char wanted[256];

    for (size_t i = 0; i < before; i++)
        buf_add_char(&b, '.');
    buf_add_format(&b, "%0*d", (int)len, 7);
    memset(wanted, '.', before);
    memset(wanted + before, '0', len);
    wanted[before + len - 1] = '7';
    assert_true(slice_equal(buf_slice(&b), slice_of(wanted, before + len)));
    assert_sound(&b);
    buf_clear(&b);
}

static void test_buf_add_format_at_each_room(void **state)
{
    UNUSED(state);
    for (size_t before = 0; before < 70; before++) {
        for (size_t len = 1; len < 140; len++)
            add_format_behind(before, len);
    }
}

static void test_buf_text_does_not_count_nul(void **state)
{
    struct buf b = BUF_INIT;

    UNUSED(state);
    for (size_t len = 0; len < 300; len++) {
        assert_int_equal(strlen(buf_text(&b)), len);
        assert_int_equal(b.len, len);
        buf_add_char(&b, 'x');
    }
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_add_of_each_kind),
        cmocka_unit_test(test_buf_of_nothing),
        cmocka_unit_test(test_buf_add_across_many_growths),
        cmocka_unit_test(test_buf_reserve_much_at_once),
        cmocka_unit_test(test_buf_reset_keeps_only_small_memory),
        cmocka_unit_test(test_buf_add_format_at_each_room),
        cmocka_unit_test(test_buf_text_does_not_count_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
