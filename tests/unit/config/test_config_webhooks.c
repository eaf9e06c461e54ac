/* notify.webhooks: what is taken and what is not, and that no credential is shown. */
#include "config_support.h"

static void test_webhooks_are_read(void **state)
{
    struct problems problems;
    struct config *config = load_set(&problems, "notify.webhooks=[{\"url\":\"http://h:9093/api/v2/alerts\"},"
                                                "{\"timeout_ms\":20,\"url\":\"https://h?x=1\"}]");

    UNUSED(state);
    assert_non_null(config);
    assert_int_equal(config->notify.webhook_count, 2);
    assert_string_equal(config->notify.webhooks[0].url, "http://h:9093/api/v2/alerts");
    assert_int_equal(config->notify.webhooks[0].timeout_ms, 5000);
    assert_string_equal(config->notify.webhooks[1].url, "https://h?x=1");
    assert_int_equal(config->notify.webhooks[1].timeout_ms, 20);
    expect_printed(config,
                   "\n    \"webhooks\": [\n      {\"url\": \"http://h:9093/api/v2/alerts\", "
                   "\"timeout_ms\": 5000},\n      {\"url\": \"https://h?x=1\", \"timeout_ms\": 20}\n    ]\n");
    expect_loads_again(config);
    config_free(config);
}

static void test_webhooks_hide_credentials(void **state)
{
    struct buf out = BUF_INIT;
    struct problems problems;
    struct config *config = load_set(&problems, "notify.webhooks=[{\"url\":\"http://bob:hunter2@h/x\"}]");

    UNUSED(state);
    assert_non_null(config);
    assert_string_equal(config->notify.webhooks[0].url, "http://bob:hunter2@h/x");
    config_print(config, &out);
    assert_non_null(strstr(buf_text(&out), "\"http://<redacted>@h/x\""));
    assert_null(strstr(out.data, "hunter2"));
    assert_null(load(&problems, buf_text(&out), NULL));
    assert_string_equal(problems.key[0], "notify.webhooks[0].url");
    config_free(config);
    buf_clear(&out);
}

#define HOOK   "{\"url\":\"http://h\"}"
#define HOOK_4 HOOK "," HOOK "," HOOK "," HOOK
#define FIRST  "notify.webhooks[0]"

static void test_webhooks_are_refused(void **state)
{
    static const struct bad_row rows[] = {
        {NULL, "notify.webhooks=[5]", FIRST, "must be an object"},
        {NULL, "notify.webhooks=[{}]", FIRST, "must have url"},
        {NULL, "notify.webhooks=[{\"url\":5}]", FIRST ".url", "must be text"},
        {NULL, "notify.webhooks=[{\"url\":\"h:80\"}]", FIRST ".url", "must begin with http:// or https://"},
        {NULL, "notify.webhooks=[{\"url\":\"http://h/a\\nb\"}]", FIRST ".url", "control character"},
        {NULL, "notify.webhooks=[{\"url\":\"http://h\",\"timeout_ms\":0}]", FIRST ".timeout_ms",
         "must be from 1 to"},
        {NULL, "notify.webhooks=[{\"url\":\"http://h\",\"timeout_ms\":\"5\"}]", FIRST ".timeout_ms",
         "must be a whole number"},
        {NULL, "notify.webhooks=[{\"url\":\"http://h\",\"timeout_m\":5}]", FIRST ".timeout_m",
         "did you mean timeout_ms?"},
        {NULL, "notify.webhooks=[" HOOK ",{\"url\":\"x\"}]", "notify.webhooks[1].url", "must begin with"},
        {NULL, "notify.webhooks=[" HOOK_4 "," HOOK_4 "," HOOK "]", "notify.webhooks",
         "may hold 8 webhooks at most"},
    };
    struct problems problems;
    struct config *config = load_set(&problems, "notify.webhooks=[" HOOK_4 "," HOOK_4 "]");

    UNUSED(state);
    assert_non_null(config);
    config_free(config);
    expect_bad_rows(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_webhooks_are_read),
        cmocka_unit_test(test_webhooks_hide_credentials),
        cmocka_unit_test(test_webhooks_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
