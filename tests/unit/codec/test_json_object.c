/* Bodies of requests: what is an object, what is kept of it, and what is wrong with what is none. */
#include "codec/json_object.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* `name=kind:value;` of each member. */
static void describe(const struct json_object *object, struct buf *out)
{
    static const char kinds[] = {
        [JSON_TEXT] = 't', [JSON_NUMBER] = 'n', [JSON_BOOL] = 'b', [JSON_NULL] = '0', [JSON_NESTED] = 'x'};

    for (size_t i = 0; i < object->count; i++) {
        buf_add_slice(out, object->members[i].name);
        buf_add_format(out, "=%c:", kinds[object->members[i].kind]);
        buf_add_slice(out, object->members[i].value);
        buf_add_char(out, ';');
    }
}

static void test_json_object_parse_rows(void **state)
{
    static const struct {
        struct slice text, expected;
    } rows[] = {
        {SLICE("{}"), SLICE("")},
        {SLICE(" \t\r\n{ } \n"), SLICE("")},
        {SLICE("{\"a\":\"b\"}"), SLICE("a=t:b;")},
        {SLICE("{ \"a\" : \"b\" , \"A\" : \"\" }"), SLICE("a=t:b;A=t:;")},
        {SLICE("{\"ticket\":123456789012345678901234567890}"),
         SLICE("ticket=n:123456789012345678901234567890;")},
        {SLICE("{\"a\":-0.5e+10,\"b\":0,\"c\":1E9}"), SLICE("a=n:-0.5e+10;b=n:0;c=n:1E9;")},
        {SLICE("{\"a\":true,\"b\":false,\"c\":null}"), SLICE("a=b:true;b=b:false;c=0:null;")},
        {SLICE("{\"a\":[],\"b\":{},\"c\":[1,[\"x\",{\"d\":[null]}]],\"e\":\"f\"}"),
         SLICE("a=x:[];b=x:{};c=x:[1,[\"x\",{\"d\":[null]}]];e=t:f;")},
        {SLICE("{\"\\u0061\\\"\\\\\\/\\b\\f\\n\\r\\t\":\"\"}"), SLICE("a\"\\/\b\f\n\r\t=t:;")},
        {SLICE("{\"a\":\"\\u00e4\\u20ac\\ud83d\\ude00\"}"),
         SLICE("a=t:\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80;")},
        {SLICE("{\"a\":\"\\ud800\\udc00\\udbff\\udfff\"}"), SLICE("a=t:\xf0\x90\x80\x80\xf4\x8f\xbf\xbf;")},
        {SLICE("{\"a\":\"x\\u0000y\"}"), SLICE("a=t:x\0y;")},
        {SLICE("{\"a\":\"\\ud800\",\"b\":\"\\udc00x\",\"c\":\"\\ud800\\u0041\"}"),
         SLICE("a=t:\xef\xbf\xbd;b=t:\xef\xbf\xbdx;c=t:\xef\xbf\xbd"
               "A;")},
        {SLICE("{\"a\":\"\xff\xc3\xa4\x7f\"}"), SLICE("a=t:\xff\xc3\xa4\x7f;")},
        {SLICE("{\"\":1}"), SLICE("=n:1;")},
        {SLICE("{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"), SLICE("a=x:[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]];")},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json_object object;
        struct errmsg why = {""};
        struct buf out = BUF_INIT;

        assert_true(json_object_parse(&object, rows[i].text, &why));
        describe(&object, &out);
        assert_true(slice_equal(buf_slice(&out), rows[i].expected));
        buf_clear(&out);
        json_object_clear(&object);
    }
}

static void test_json_object_parse_refuses(void **state)
{
    static const struct {
        struct slice text;
        const char *why;
    } rows[] = {
        {SLICE(""), "it ends where the { of a JSON object should be, at byte 1"},
        {SLICE("[]"), "[ where the { of a JSON object should be, at byte 1"},
        {SLICE("null"), "n where the { of a JSON object should be, at byte 1"},
        {SLICE("{"), "it ends where a name in double quotes should be, at byte 2"},
        {SLICE("{a:1}"), "a where a name in double quotes should be, at byte 2"},
        {SLICE("{'a':1}"), "' where a name in double quotes should be, at byte 2"},
        {SLICE("{\"a\":1,}"), "a comma too many, before }, at byte 7"},
        {SLICE("{\"a\" 1}"), "1 where a colon should be, at byte 6"},
        {SLICE("{\"a\":}"), "} where a value should be, at byte 6"},
        {SLICE("{\"a\":1 \"b\":2}"), "\" where a comma or } should be, at byte 8"},
        {SLICE("{\"a\":1"), "it ends where a comma or } should be, at byte 7"},
        {SLICE("{\"a\":1}}"), "something behind the object, at byte 8"},
        {SLICE("{\"a\":1}\0"), "something behind the object, at byte 8"},
        {SLICE("{\"a\":1} // x"), "something behind the object, at byte 9"},
        {SLICE("{\"a\":\"b}"), "a text without end, at byte 9"},
        {SLICE("{\"a\":\"b\\"), "an unknown escape, at byte 9"},
        {SLICE("{\"a\":\"\n\"}"), "a control character in a text, at byte 7"},
        {SLICE("{\"a\":\"\0\"}"), "a control character in a text, at byte 7"},
        {SLICE("{\"a\":\"\\x\"}"), "an unknown escape, at byte 8"},
        {SLICE("{\"a\":\"\\u12g4\"}"), "not four hex digits, at byte 9"},
        {SLICE("{\"a\":\"\\u12"), "not four hex digits, at byte 9"},
        {SLICE("{\"a\":\"\\ud83d\\u12g4\"}"), "not four hex digits, at byte 15"},
        {SLICE("{\"a\":\"\\ud83d\\u12"), "not four hex digits, at byte 15"},
        {SLICE("{\"a\":01}"), "1 where a comma or } should be, at byte 7"},
        {SLICE("{\"a\":+1}"), "+ where a value should be, at byte 6"},
        {SLICE("{\"a\":.5}"), ". where a value should be, at byte 6"},
        {SLICE("{\"a\":5.}"), "no digit, at byte 8"},
        {SLICE("{\"a\":1e}"), "no digit, at byte 8"},
        {SLICE("{\"a\":-}"), "no digit, at byte 7"},
        {SLICE("{\"a\":0x10}"), "x where a comma or } should be, at byte 7"},
        {SLICE("{\"a\":NaN}"), "N where a value should be, at byte 6"},
        {SLICE("{\"a\":Infinity}"), "I where a value should be, at byte 6"},
        {SLICE("{\"a\":nul}"), "n where a value should be, at byte 6"},
        {SLICE("{\"a\":[1,]}"), "a comma too many, before ], at byte 8"},
        {SLICE("{\"a\":[1}"), "} where a comma or ] should be, at byte 8"},
        {SLICE("{\"a\":{1:2}}"), "1 where a name in double quotes should be, at byte 7"},
        {SLICE("{\"a\":1,\"b\":2,\"a\":3}"), "a: there twice"},
        {SLICE("{\"a\":1,\"\\u0061\":3}"), "a: there twice"},
        {SLICE("{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}"), "nested too deeply, at byte 22"},
        {SLICE("\xef\xbb\xbf{}"), "something else where the { of a JSON object should be, at byte 1"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json_object object;
        struct errmsg why = {""};

        assert_false(json_object_parse(&object, rows[i].text, &why));
        assert_string_equal(why.text, rows[i].why);
    }
}

static void test_json_object_parse_at_the_bound(void **state)
{
    struct json_object object;
    struct errmsg why;
    struct buf text = BUF_INIT;

    UNUSED(state);
    for (int i = 0; i < JSON_MEMBERS_MAX; i++)
        buf_add_format(&text, "%s\"m%d\":%d", i ? "," : "{", i, i);
    buf_add_char(&text, '}');
    assert_true(json_object_parse(&object, buf_slice(&text), &why));
    assert_int_equal(object.count, JSON_MEMBERS_MAX);
    assert_true(slice_is(json_object_find(&object, "m127")->value, "127"));
    assert_null(json_object_find(&object, "M127"));
    json_object_clear(&object);
    text.len--;
    buf_add_text(&text, ",\"more\":1}");
    assert_false(json_object_parse(&object, buf_slice(&text), &why));
    assert_memory_equal(why.text, "too many members", 16);
    buf_clear(&text);
}

static void test_json_find_fault_says_where(void **state)
{
    struct errmsg what;
    size_t at;

    UNUSED(state);
    assert_true(json_find_fault(slice_text("{\"a\": tru}"), &at, &what));
    assert_int_equal(at, 6);
    assert_string_equal(what.text, "t where a value should be");
}

static void test_json_find_fault_finds_none(void **state)
{
    static const struct slice rows[] = {
        SLICE("{\"a\":1}"), SLICE("{\"a\":1,\"a\":2}"), /* wrong, but at no place */
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct errmsg what = {"untouched"};
        size_t at = 77;

        assert_false(json_find_fault(rows[i], &at, &what));
        assert_int_equal(at, 77);
        assert_string_equal(what.text, "untouched");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_object_parse_rows),
        cmocka_unit_test(test_json_object_parse_refuses),
        cmocka_unit_test(test_json_object_parse_at_the_bound),
        cmocka_unit_test(test_json_find_fault_says_where),
        cmocka_unit_test(test_json_find_fault_finds_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
