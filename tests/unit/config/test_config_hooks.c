/* hooks: one list per command or for notifications, each source sets those that it names; their files. */
#include "config_support.h"

#include <sys/stat.h>

static void test_hook_names_are_in_order(void **state)
{
    static const char *const names[] = {"stop",         "recover",  "restart",    "start",  "reconnect",
                                        "redistribute", "throttle", "unthrottle", "cancel", "notify"};

    UNUSED(state);
    assert_int_equal(CONFIG_HOOKS, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_string_equal(config_hook_names[i], names[i]);
    assert_null(config_hook_names[CONFIG_HOOKS]);
}

static void test_hooks_are_read(void **state)
{
    const char *sets[] = {"hooks.notify=[\"/bin/sh\",\"-c\",\"a\\n\\t\\u001b\\\"b\\\\\",\"\"]",
                          "hooks={\"start\":[\"/bin/cat\"]}", "hooks.cancel=null", NULL};
    struct problems problems;
    struct config *config =
        load(&problems,
             "{\"hooks\": {\"recover\": [\"/bin/sh\"], \"cancel\": [\"/bin/sh\"], \"start\": [\"/bin/sh\"]}}",
             sets);

    UNUSED(state);
    if (!config)
        fail_msg("%s: %s", problems.key[0], problems.what[0]);
    assert_string_equal(config->hooks[CONFIG_HOOK_RECOVER].argv[0], "/bin/sh");
    assert_null(config->hooks[CONFIG_HOOK_RECOVER].argv[1]);
    assert_string_equal(config->hooks[CONFIG_HOOK_START].argv[0], "/bin/cat");
    assert_string_equal(config->hooks[CONFIG_HOOK_NOTIFY].argv[2], "a\n\t\x1b\"b\\");
    assert_string_equal(config->hooks[CONFIG_HOOK_NOTIFY].argv[3], "");
    assert_null(config->hooks[CONFIG_HOOK_NOTIFY].argv[4]);
    assert_null(config->hooks[CONFIG_HOOK_CANCEL].argv);
    assert_null(config->hooks[CONFIG_HOOK_STOP].argv);
    expect_printed(
        config,
        "\n  \"hooks\": {\n    \"recover\": [\"/bin/sh\"],\n    \"start\": [\"/bin/cat\"],\n    \"notify\": "
        "[\"/bin/sh\", \"-c\", \"a\\u000a\\u0009\\u001b\\\"b\\\\\", \"\"]\n  },\n");
    expect_loads_again(config);
    config_free(config);
}

#define A8  "\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\","
#define A56 A8 A8 A8 A8 A8 A8 A8
#define A63 A56 "\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\""

static void test_hooks_are_refused(void **state)
{
    static const struct bad_row rows[] = {
        {NULL, "hooks.recove=[\"/bin/sh\"]", "hooks.recove",
         "must be one of stop, recover, restart, start, reconnect, redistribute, throttle, unthrottle, "
         "cancel or "
         "notify; did you mean recover?"},
        {NULL, "hooks.Recover=[\"/bin/sh\"]", "hooks.Recover", "did you mean recover?"},
        {NULL, "hooks.=[]", "hooks.", "must be one of"},
        {NULL, "hooks.recover.x=[]", "hooks.recover.x", "must be one of"},
        {NULL, "hooks.recover=/bin/sh", "hooks.recover", "must be a list"},
        {NULL, "hooks.recover=[]", "hooks.recover",
         "must be a list: the path of a file, and its arguments; or null for no hook"},
        {NULL, "hooks.recover={}", "hooks.recover", "must be a list"},
        {NULL, "hooks.recover=[\"sh\"]", "hooks.recover[0]", "must be an absolute path"},
        {NULL, "hooks.recover=[\"\"]", "hooks.recover[0]", "must be an absolute path"},
        {NULL, "hooks.recover=[5]", "hooks.recover[0]", "must be text"},
        {NULL, "hooks.recover=[\"/bin/sh\",5]", "hooks.recover[1]", "must be text"},
        {NULL, "hooks.recover=[\"/bin/sh\",\"\\u0000\"]", "hooks.recover[1]", "NUL"},
        {NULL, "hooks.recover=[\"/bin/sh\",\"\xff\"]", "hooks.recover[1]", "UTF-8"},
        {NULL, "hooks.recover=[\"/bin/sh\\n\"]", "hooks.recover[0]", "control character"},
        {NULL, "hooks.recover=[\"/bin/sh\"," A63 ",\"a\"]", "hooks.recover", "may hold 64 texts at most"},
        {"{\"hooks\": {\"stop\": null, \"stop\": null}}", NULL, "hooks.stop", "is there twice"},
    };
    struct problems problems;
    struct config *config = load_set(&problems, "hooks.recover=[\"/bin/sh\"," A63 "]");

    UNUSED(state);
    assert_non_null(config);
    config_free(config);
    expect_bad_rows(rows, ARRAY_LEN(rows));
}

static void test_hooks_files_are_looked_at(void **state)
{
    char path[64], set[128];
    struct problems problems;
    struct config *config;

    UNUSED(state);
    write_file(path, "#!/bin/sh\n", 10);
    (void)snprintf(set, sizeof(set), "hooks.recover=[\"%s\",\"x\"]", path);
    assert_null(load_set(&problems, set));
    assert_string_equal(problems.key[0], "hooks.recover");
    assert_non_null(strstr(problems.what[0], path));
    assert_non_null(strstr(problems.what[0], "is not executable"));
    assert_int_equal(chmod(path, 0700), 0);
    config = load_set(&problems, set);
    assert_non_null(config);
    config_free(config);
    assert_int_equal(unlink(path), 0);
    assert_null(load_set(&problems, set));
    assert_non_null(strstr(problems.what[0], "No such file"));
    assert_null(load_set(&problems, "hooks.start=[\"/usr\"]"));
    assert_string_equal(problems.key[0], "hooks.start");
    assert_string_equal(problems.what[0], "/usr: is no regular file");
}

/* A file that is missing is told with the source that named it, whatever other hook came later. */
static void test_hooks_problem_names_its_source(void **state)
{
    const char *sets[] = {"hooks.start=[\"/nonexistent/b\"]", NULL};
    struct problems problems;

    UNUSED(state);
    assert_null(load(&problems, "{\"hooks\": {\"recover\": [\"/nonexistent/a\"]}}", sets));
    assert_int_equal(problems.count, 2);
    assert_string_equal(problems.key[0], "hooks.recover");
    assert_int_equal(strncmp(problems.where[0], "/tmp/mt5-config-", 16), 0);
    assert_string_equal(problems.key[1], "hooks.start");
    assert_string_equal(problems.where[1], "--set");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hook_names_are_in_order),
        cmocka_unit_test(test_hooks_are_read),
        cmocka_unit_test(test_hooks_are_refused),
        cmocka_unit_test(test_hooks_files_are_looked_at),
        cmocka_unit_test(test_hooks_problem_names_its_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
