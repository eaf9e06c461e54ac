/* What is printed loads again as the same, and shows no secret. */
#include "config_support.h"

#include "util/buf.h"

static void test_config_print_loads_again(void **state)
{
    const char *sets[] = {
        "redis.url=unix:///run/a\"b\\c.sock?db=4",
        "redis.username=\"z\\\\\\\"\xc3\xa4\"",
        "instances.memory_limit_mb=0.1",
        "instances.adopt_external_writes=false",
        "log.format=json",
        "signals.max_tracked=100000000",
        "http.tokens=[{\"name\":\"a\",\"role\":\"admin\",\"file\":\"/tmp/mt5-config-token-of-test\"}]",
        NULL};
    struct buf first = BUF_INIT, second = BUF_INIT;
    struct problems problems;
    struct config *config, *again;
    FILE *token = fopen("/tmp/mt5-config-token-of-test", "w");

    UNUSED(state);
    assert_non_null(token);
    assert_true(fputs("very-secret-token-0123", token) >= 0);
    assert_int_equal(fclose(token), 0);
    config = load(&problems, NULL, sets);
    assert_non_null(config);
    config_print(config, &first);
    again = load(&problems, buf_text(&first), NULL);
    if (!again)
        fail_msg("%s: %s", problems.key[0], problems.what[0]);
    config_print(again, &second);
    assert_string_equal(buf_text(&first), buf_text(&second));
    assert_string_equal(again->redis.username, "z\\\"\xc3\xa4");
    assert_true(again->instances.memory_limit_mb == 0.1);
    assert_null(config_find_frozen_change(config, again));
    assert_null(strstr(first.data, "very-secret"));
    assert_int_equal(unlink("/tmp/mt5-config-token-of-test"), 0);
    config_free(config);
    config_free(again);
    buf_clear(&first);
    buf_clear(&second);
}

static void test_config_print_redacts_credentials(void **state)
{
    struct buf out = BUF_INIT;
    struct problems problems;
    struct config *config = load_set(&problems, "redis.url=redis://bob:hunter2@h:1/2");

    UNUSED(state);
    assert_non_null(config);
    config_print(config, &out);
    assert_non_null(strstr(buf_text(&out), "\"url\": \"redis://<redacted>@h:1/2\""));
    assert_null(strstr(out.data, "hunter2"));
    assert_null(strstr(out.data, "bob"));
    config_free(config);
    buf_clear(&out);
}

static void test_config_print_layout(void **state)
{
    struct buf out = BUF_INIT;
    struct problems problems;
    struct config *config = load(&problems, NULL, NULL);

    UNUSED(state);
    config_print(config, &out);
    assert_int_equal(strncmp(buf_text(&out), "{\n  \"redis\": {\n    \"url\": ", 25), 0);
    assert_non_null(strstr(out.data, "\n    \"tokens\": [],\n"));
    assert_non_null(
        strstr(out.data, "\n    \"probe_per_sec\": 10\n  },\n  \"rules\": {\n    \"HighCpuUsage\": {"));
    assert_non_null(strstr(out.data, "}\n  },\n  \"recovery\": {\n    \"max_attempts\": 3,\n"));
    assert_non_null(strstr(out.data, "\n  },\n  \"observe_only\": false,\n  \"maintenance_windows\": [],\n"
                                     "  \"notify\": {\n    \"webhooks\": []\n  },\n  \"hooks\": {},\n"
                                     "  \"hooks_timeout_ms\": 60000,\n"));
    assert_string_equal(out.data + out.len - strlen("5000\n  }\n}\n"), "5000\n  }\n}\n");
    config_free(config);
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_print_loads_again),
        cmocka_unit_test(test_config_print_redacts_credentials),
        cmocka_unit_test(test_config_print_layout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
