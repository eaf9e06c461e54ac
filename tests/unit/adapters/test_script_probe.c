/* The scripts of src/codec/lua that only ask, in a real Redis server: probe.lua and poll.lua (look.lua is in
 * unit/app/test_look.c). */
#include "reply_text.h"

#include "util/macros.h"

static void connect_fixture(struct fixture *f)
{
    fixture_init(f);
    fixture_connect(f, NULL);
}

static void test_probe_tells_which_entries_are_there(void **state)
{
    const char *keys[] = {"signals", NULL};
    const char *args[] = {"1-0", "2-0", "2-1", "2-2", "3-0", "9-9", "18446744073709551615-0", NULL};
    const char *no_args[] = {NULL};
    struct fixture f;
    struct buf answer;

    UNUSED(state);
    connect_fixture(&f);
    answer = ask_script(&f, &script_probe, keys, args);
    assert_string_equal(buf_text(&answer), "0000000");
    buf_clear(&answer);
    give(&f, "XADD signals 1-0 a b");
    give(&f, "XADD signals 2-1 a b");
    give(&f, "XADD signals 3-0 a b");
    give(&f, "XADD signals 9-9 a b");
    give(&f, "XDEL signals 3-0");
    answer = ask_script(&f, &script_probe, keys, args);
    assert_string_equal(buf_text(&answer), "1010010");
    buf_clear(&answer);
    answer = ask_script(&f, &script_probe, keys, no_args);
    assert_string_equal(buf_text(&answer), "");
    buf_clear(&answer);
    give(&f, "DEL signals");
    give(&f, "SET signals x");
    answer = ask_script(&f, &script_probe, keys, args);
    assert_non_null(strstr(buf_text(&answer), "WRONGTYPE"));
    buf_clear(&answer);
    fixture_clear(&f);
}

static void assert_sizes(struct fixture *f, const char *const keys[], const char *streams,
                         const char *expected)
{
    const char *args[] = {streams, "g", NULL};
    struct buf answer = ask_script(f, &script_poll, keys, args);

    assert_string_equal(buf_text(&answer), expected);
    buf_clear(&answer);
}

static void test_poll_tells_sizes(void **state)
{
    const char *keys[] = {"signals", "results", "trade:state:pending", "trade:state:closed", NULL};
    const char *none[] = {NULL};
    struct fixture f;

    UNUSED(state);
    connect_fixture(&f);
    assert_sizes(&f, keys, "2", "[[none 0 0 0-0 ] [none 0 0 0-0 ] 0 0]");
    give(&f, "XADD signals 5-1 a b");
    give(&f, "XADD signals 6-0 a b");
    give(&f, "XADD signals 7-0 a b");
    give(&f, "XDEL signals 5-1 7-0");
    give(&f, "XGROUP CREATE results other 8-0 MKSTREAM");
    give(&f, "XGROUP CREATE results g 4-2");
    give(&f, "SADD trade:state:closed a b");
    assert_sizes(&f, keys, "2", "[[stream 1 3 7-0 ] [stream 0 0 0-0 4-2] 0 2]");
    assert_sizes(&f, none, "0", "[]");
    fixture_clear(&f);
}

static void test_poll_passes_keys_of_a_wrong_type(void **state)
{
    const char *keys[] = {"signals", "results", "trade:state:pending", "trade:state:closed", NULL};
    struct fixture f;

    UNUSED(state);
    connect_fixture(&f);
    give(&f, "SET signals x");
    give(&f, "SADD results a");
    give(&f, "SET trade:state:pending x");
    give(&f, "SADD trade:state:closed a");
    assert_sizes(&f, keys, "2", "[[string 0 0 0-0 ] [set 0 0 0-0 ] 0 1]");
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe_tells_which_entries_are_there),
        cmocka_unit_test(test_poll_tells_sizes),
        cmocka_unit_test(test_poll_passes_keys_of_a_wrong_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
