/* codec/json_text.h: whatever comes in, a JSON string goes out, and a reader of JSON gets the same text back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/json_text.h"
#include "util/macros.h"
#include "util/utf8.h"
#include <cjson/cJSON.h>
#include <stdlib.h>

#define FFFD "\xef\xbf\xbd"

static void test_json_add_string_escapes(void **state)
{
    static const struct {
        struct slice text;
        const char *expected;
    } rows[] = {
        {SLICE(""), "\"\""},
        {{NULL, 0}, "\"\""},
        {SLICE("mt5-1"), "\"mt5-1\""},
        {SLICE("a\"b"), "\"a\\\"b\""},
        {SLICE("a\\b"), "\"a\\\\b\""},
        {SLICE("\\"), "\"\\\\\""},
        {SLICE("a/b"), "\"a/b\""},
        {SLICE("\n\r\t"), "\"\\u000a\\u000d\\u0009\""},
        {SLICE("\0"), "\"\\u0000\""},
        {SLICE("\x1f \x7f"), "\"\\u001f \\u007f\""},
        {SLICE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {SLICE("\xff"), "\"" FFFD "\""},
        {SLICE("\xff\xff\xff"), "\"" FFFD FFFD FFFD "\""},
        {SLICE("a\xc3"), "\"a" FFFD "\""},
        {SLICE("\xc3\"\n"), "\"" FFFD "\\\"\\u000a\""},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;

        json_add_string(&out, rows[i].text);
        assert_string_equal(buf_text(&out), rows[i].expected);
        buf_clear(&out);
    }
}

static void test_json_add_string_appends(void **state)
{
    struct buf out = BUF_INIT;

    UNUSED(state);
    buf_add_char(&out, '[');
    json_add_string(&out, slice_text("a"));
    buf_add_char(&out, ',');
    json_add_string(&out, slice_text("\xff"));
    buf_add_char(&out, ']');
    assert_string_equal(buf_text(&out), "[\"a\",\"" FFFD "\"]");
    buf_clear(&out);
}

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(*seed >> 33);
}

/* NUL is left out: cJSON ends a text there. */
static void test_json_add_string_reads_back_as_mended_text(void **state)
{
    uint64_t seed = 11;

    UNUSED(state);
    for (int round = 0; round < 5000; round++) {
        char text[24], mended[sizeof(text) * 3];
        size_t len = draw(&seed) % (sizeof(text) + 1);
        struct buf out = BUF_INIT;
        cJSON *json;

        for (size_t i = 0; i < len; i++)
            text[i] = (char)(draw(&seed) % 255 + 1);
        json_add_string(&out, slice_of(text, len));
        json = cJSON_Parse(buf_text(&out));
        assert_non_null(json);
        assert_true(slice_is(slice_of(mended, utf8_sanitize(mended, sizeof(mended), slice_of(text, len))),
                             cJSON_GetStringValue(json)));
        cJSON_Delete(json);
        buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_add_string_escapes),
        cmocka_unit_test(test_json_add_string_appends),
        cmocka_unit_test(test_json_add_string_reads_back_as_mended_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
