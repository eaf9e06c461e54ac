/* util/utf8.h: the edges of each range of the encoding, and mending into any room. */
#include "util/macros.h"
#include "util/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#define BAD "\xef\xbf\xbd"

static void test_utf8_is_valid_at_range_edges(void **state)
{
    static const struct {
        struct slice text;
        bool is_valid;
    } rows[] = {
        {SLICE(""), true},
        {SLICE("plain"), true},
        {SLICE("\0\x01\x7f"), true},
        {SLICE("\xc2\x80"), true},
        {SLICE("\xdf\xbf"), true},
        {SLICE("\xe0\xa0\x80"), true},
        {SLICE("\xed\x9f\xbf"), true},
        {SLICE("\xee\x80\x80"), true},
        {SLICE("\xef\xbf\xbf"), true},
        {SLICE("\xf0\x90\x80\x80"), true},
        {SLICE("\xf4\x8f\xbf\xbf"), true},
        {SLICE("\x80"), false},
        {SLICE("\xbf"), false},
        {SLICE("\xc0\x80"), false},
        {SLICE("\xc1\xbf"), false},
        {SLICE("\xc2"), false},
        {SLICE("\xc2\x7f"), false},
        {SLICE("\xc2\xc0"), false},
        {SLICE("\xe0\x9f\xbf"), false},
        {SLICE("\xe2\x82"), false},
        {SLICE("\xe2\x82\x20"), false},
        {SLICE("\xed\xa0\x80"), false},
        {SLICE("\xed\xbf\xbf"), false},
        {SLICE("\xf0\x8f\xbf\xbf"), false},
        {SLICE("\xf0\x9f\x98"), false},
        {SLICE("\xf0\x9f\x98\xc0"), false},
        {SLICE("\xf4\x90\x80\x80"), false},
        {SLICE("\xf5\x80\x80\x80"), false},
        {SLICE("\xff"), false},
        {SLICE("a\xc3\xa9z\xfe"), false},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(utf8_is_valid(rows[i].text), rows[i].is_valid);
}

static void put_code_point(char out[4], size_t *ret_len, unsigned c)
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = len; i-- > 1; c >>= 6)
        out[i] = (char)(unsigned char)(0x80 | (c & 0x3f));
    out[0] = (char)(unsigned char)(leads[len] | c);
    *ret_len = len;
}

static void test_utf8_is_valid_for_each_code_point(void **state)
{
    char text[4];
    size_t len;

    UNUSED(state);
    for (unsigned c = 0; c < 0x120000; c++) {
        bool is_surrogate = c >= 0xd800 && c <= 0xdfff;

        put_code_point(text, &len, c);
        assert_int_equal(utf8_is_valid(slice_of(text, len)), !is_surrogate && c <= 0x10ffff);
    }
}

static void test_utf8_sanitize_by_row(void **state)
{
    static const struct {
        struct slice text;
        struct slice clean;
    } rows[] = {
        {SLICE(""), SLICE("")},
        {SLICE("abc \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
         SLICE("abc \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80")},
        {SLICE("a\0b\n\x1b"), SLICE("a\0b\n\x1b")},
        {SLICE("\xff"), SLICE(BAD)},
        {SLICE("a\xff\xfez"), SLICE("a" BAD BAD "z")},
        {SLICE("\xe2\x82"), SLICE(BAD BAD)},
        {SLICE("\xe2\x82z"), SLICE(BAD BAD "z")},
        {SLICE("\xed\xa0\x80"), SLICE(BAD BAD BAD)},
        {SLICE("\xf0\x9f\xc3\xa9"), SLICE(BAD BAD "\xc3\xa9")},
    };
    char out[64];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = utf8_sanitize(out, sizeof(out), rows[i].text);

        assert_true(slice_equal(slice_of(out, len), rows[i].clean));
    }
}

static void test_utf8_sanitize_cuts_at_whole_character(void **state)
{
    static const struct slice text = SLICE("a\xc3\xa9\xff\xf0\x9f\x98\x80z");
    static const size_t len_in_room[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

    UNUSED(state);
    for (size_t room = 0; room < ARRAY_LEN(len_in_room); room++) {
        char *out = malloc(room > 0 ? room : 1);

        assert_int_equal(utf8_sanitize(out, room, text), len_in_room[room]);
        assert_true(utf8_is_valid(slice_of(out, len_in_room[room])));
        free(out);
    }
}

static void test_utf8_sanitize_of_noise_is_valid(void **state)
{
    uint64_t seed = 7;
    char noise[64];
    char out[sizeof(noise) * 3];

    UNUSED(state);
    for (int round = 0; round < 20000; round++) {
        size_t len;

        for (size_t i = 0; i < sizeof(noise); i++) {
            seed = seed * 6364136223846793005 + 1442695040888963407;
            noise[i] = (char)(unsigned char)(seed >> 56);
        }
        len = utf8_sanitize(out, sizeof(out), slice_of(noise, sizeof(noise)));
        assert_in_range(len, sizeof(noise), sizeof(out));
        assert_true(utf8_is_valid(slice_of(out, len)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_is_valid_at_range_edges),
        cmocka_unit_test(test_utf8_is_valid_for_each_code_point),
        cmocka_unit_test(test_utf8_sanitize_by_row),
        cmocka_unit_test(test_utf8_sanitize_cuts_at_whole_character),
        cmocka_unit_test(test_utf8_sanitize_of_noise_is_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
