/* maintenance_windows: what is taken, and where what is refused is told. */
#include "config_support.h"

static void test_windows_are_read(void **state)
{
    struct problems problems;
    struct config *config =
        load(&problems,
             "{\"maintenance_windows\": [{\"weekly\": \"fri 22:00-Sun 22:05\", \"name\": \"weekend\"},"
             "{\"name\": \"b\", \"instances\": \"mt5-*\", \"brokers\": \"b?\", "
             "\"weekly\": \"Mon 01:00-02:00\"}]}",
             NULL);
    const struct maintenance_window *window;

    UNUSED(state);
    assert_non_null(config);
    assert_int_equal(config->maintenance_window_count, 2);
    window = &config->maintenance_windows[0];
    assert_true(slice_is(ident_slice(&window->name), "weekend"));
    assert_string_equal(window->instances, "*");
    assert_string_equal(window->brokers, "*");
    assert_string_equal(window->weekly, "fri 22:00-Sun 22:05");
    assert_int_equal(window->from_min, 4 * 1440 + 22 * 60);
    assert_int_equal(window->until_min, 6 * 1440 + 22 * 60 + 5);
    window = &config->maintenance_windows[1];
    assert_string_equal(window->instances, "mt5-*");
    assert_string_equal(window->brokers, "b?");
    expect_printed(config,
                   "\n  \"maintenance_windows\": [\n    {\"name\": \"weekend\", \"instances\": \"*\", "
                   "\"brokers\": \"*\", \"weekly\": \"fri 22:00-Sun 22:05\"},\n    {");
    expect_loads_again(config);
    config_free(config);
}

/* A later source replaces the list. */
static void test_windows_are_replaced(void **state)
{
    const char *sets[] = {"maintenance_windows=[{\"name\":\"x\",\"weekly\":\"Mon 00:00-00:01\"}]",
                          "maintenance_windows=[]", NULL};
    struct problems problems;
    struct config *config = load(&problems, NULL, sets);

    UNUSED(state);
    assert_non_null(config);
    assert_int_equal(config->maintenance_window_count, 0);
    assert_null(config->maintenance_windows);
    config_free(config);
}

#define WEEKLY      "\"weekly\":\"Mon 01:00-02:00\""
#define WINDOW(...) "maintenance_windows=[{" __VA_ARGS__ "}]"
#define FIRST       "maintenance_windows[0]"
#define X32         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_windows_are_refused(void **state)
{
    static const struct bad_row rows[] = {
        {NULL, "maintenance_windows=[5]", FIRST, "must be an object"},
        {NULL, WINDOW(WEEKLY), FIRST, "must have name and weekly"},
        {NULL, WINDOW("\"name\":\"a\""), FIRST, "must have name and weekly"},
        {NULL, WINDOW("\"name\":\"a b\"," WEEKLY), FIRST ".name", "must be 1 to 64 letters"},
        {NULL, WINDOW("\"name\":5," WEEKLY), FIRST ".name", "must be text"},
        {NULL, WINDOW("\"name\":\"a\"," WEEKLY ",\"instances\":\"\""), FIRST ".instances", "1 to 128 bytes"},
        {NULL, WINDOW("\"name\":\"a\"," WEEKLY ",\"brokers\":\"" X32 X32 X32 X32 "x\""), FIRST ".brokers",
         "1 to 128 bytes"},
        {NULL, WINDOW("\"name\":\"a\"," WEEKLY ",\"brokers\":\"b 1\""), FIRST ".brokers", "matches no id"},
        {NULL, WINDOW("\"name\":\"a\"," WEEKLY ",\"instances\":\"mt5-[12]\""), FIRST ".instances",
         "matches no id"},
        {NULL, WINDOW("\"name\":\"a\"," WEEKLY ",\"brokers\":[]"), FIRST ".brokers", "must be text"},
        {NULL, WINDOW("\"name\":\"a\"," WEEKLY ",\"brokers\":\"\\u0000\""), FIRST ".brokers", "NUL"},
        {NULL, WINDOW("\"name\":\"a\",\"weekly\":\"Mon 01:00\""), FIRST ".weekly",
         "such as Fri 22:00-Sun 22:05"},
        {NULL, WINDOW("\"name\":\"a\",\"weekly\":\"\""), FIRST ".weekly", "such as"},
        {NULL, WINDOW("\"name\":\"a\",\"weekly\":\"Mon 01:00-01:00\""), FIRST ".weekly", "such as"},
        {NULL, WINDOW("\"name\":\"a\",\"weekly\":\"" X32 X32 "x\""), FIRST ".weekly", "such as"},
        {NULL, WINDOW("\"name\":\"a\",\"weekly\":7"), FIRST ".weekly", "must be text"},
        {NULL, WINDOW("\"name\":\"a\"," WEEKLY ",\"instance\":\"*\""), FIRST ".instance",
         "did you mean instances?"},
        {NULL, WINDOW("\"name\":\"a\"," WEEKLY ",\"name\":\"a\""), FIRST ".name", "is there twice"},
        {"{\"maintenance_windows\": [{\"name\": \"a\", " WEEKLY "}, {\"name\": \"a\", \"weekly\": \"x\"}]}",
         NULL, "maintenance_windows[1].weekly", "such as"},
    };

    UNUSED(state);
    expect_bad_rows(rows, ARRAY_LEN(rows));
}

static void test_windows_at_most_as_many_as_there_is_room(void **state)
{
    struct problems problems;

    UNUSED(state);
    for (int count = WINDOWS_MAX; count <= WINDOWS_MAX + 1; count++) {
        struct buf text = BUF_INIT;
        struct config *config;

        buf_add_text(&text, "{\"maintenance_windows\": [");
        for (int i = 0; i < count; i++)
            buf_add_format(&text, "%s{\"name\": \"w%d\", " WEEKLY "}", i ? "," : "", i);
        buf_add_text(&text, "]}");
        config = load(&problems, buf_text(&text), NULL);
        assert_int_equal(config != NULL, count == WINDOWS_MAX);
        config_free(config);
        buf_clear(&text);
    }
    assert_string_equal(problems.key[0], "maintenance_windows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_are_read),
        cmocka_unit_test(test_windows_are_replaced),
        cmocka_unit_test(test_windows_are_refused),
        cmocka_unit_test(test_windows_at_most_as_many_as_there_is_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
