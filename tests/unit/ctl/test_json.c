#include "ctl/json.h"

#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_json_read_takes_whole_json_only(void **state)
{
    static const struct slice bad[] = {
        SLICE(""),
        SLICE("{"),
        SLICE("{} x"),
        SLICE("{}{}"),
        SLICE("[1,]"),
        SLICE("{}\0"),
        SLICE("\x03{}"),
        SLICE("\xef\xbb\xbf{}"),
        SLICE("{\"a\":\"\\u00\"}"),
        SLICE("{\"a\":\"\\u00zz\"}"),
        SLICE("{\"a\":\"\\u00\xdc\\&\"}"),
    };
    struct errmsg why;
    cJSON *root;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_null(json_read(bad[i], &why));
    root = json_read(slice_text(" {\"a\":1}\n"), &why);
    assert_non_null(root);
    cJSON_Delete(root);
}

static void test_json_read_keeps_what_follows_an_escaped_nul(void **state)
{
    struct errmsg why;
    cJSON *root =
        json_read(slice_text("{\"a\":\"x\\u0000y\",\"b\":\"x\\\\u0000y\",\"c\":\"\\\\\\u0000\"}"), &why);

    (void)state;
    assert_true(slice_is(json_text(root, "a"), "x\xef\xbf\xbdy"));
    assert_true(slice_is(json_text(root, "b"), "x\\u0000y"));
    assert_true(slice_is(json_text(root, "c"), "\\\xef\xbf\xbd"));
    cJSON_Delete(root);
}

static void test_json_get_tells_names_apart_by_case(void **state)
{
    struct errmsg why;
    cJSON *root = json_read(slice_text("{\"State\":\"x\",\"n\":null,\"l\":[1],\"t\":true,\"d\":1.5}"), &why);
    double number = 7;

    (void)state;
    assert_null(json_get(root, "state"));
    assert_null(json_get(root, "n"));
    assert_null(json_get(NULL, "n"));
    assert_null(json_get(json_get(root, "l"), "n"));
    assert_true(slice_is(json_text(root, "l"), ""));
    assert_true(json_is_true(root, "t"));
    assert_false(json_number(root, "t", &number));
    assert_true(number == 7);
    assert_true(json_number(root, "d", &number) && number == 1.5);
    cJSON_Delete(root);
}

static void test_json_find_raw_gives_values_as_they_are_written(void **state)
{
    static const struct {
        const char *text, *name, *value; /* NULL: there is none */
    } rows[] = {
        {"{}", "a", NULL},
        {"[1]", "a", NULL},
        {"{\"a\":1}", "a", "1"},
        {" { \"a\" : 12345678901234567890 , \"b\":2}", "a", "12345678901234567890"},
        {"{\"x\":\"a\\\"\\\\\",\"a\":[ {\"a\":\"]}\"}, [1] ] ,\"b\":2}", "a", "[ {\"a\":\"]}\"}, [1] ]"},
        {"{\"a\":[1],\"next\":\"i\"}", "next", "\"i\""},
        {"{\"b\":{\"a\":1},\"a\":null}", "a", "null"},
        {"{\"b\":[\"a\",1]}", "a", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice value = SLICE("?");
        bool found = json_find_raw(slice_text(rows[i].text), rows[i].name, &value);

        assert_int_equal(found, rows[i].value != NULL);
        while (found && value.data[value.len - 1] == ' ')
            value.len--;
        if (found)
            assert_true(slice_is(value, rows[i].value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_read_takes_whole_json_only),
        cmocka_unit_test(test_json_read_keeps_what_follows_an_escaped_nul),
        cmocka_unit_test(test_json_get_tells_names_apart_by_case),
        cmocka_unit_test(test_json_find_raw_gives_values_as_they_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
