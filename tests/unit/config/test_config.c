/* Every key: its default, what it takes and what it refuses; and the ways in which a file or `--set` can be
 * wrong. The rows repeat SPEC §2 on purpose: they are not taken from the table that they test. */
#include "config_support.h"

#include "config/schema.h"
#include "util/buf.h"

#define TEN_YEARS_MS "315360000000"
#define TEN_YEARS_S  "315360000"
#define STREAM_256                                                                                           \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"   \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"   \
    "01234567890123456789012345678901234567890123456789012345"

struct key_row {
    const char *name;
    const char *value; /* the default, as JSON */
    bool reloadable;
    const char *good[3]; /* values as JSON */
    const char *bad[6];
};

#define DURATION_BAD "0", "-1", "1.5", "\"5\"", "315360000001"

static const struct key_row key_rows[] = {
    {"redis.url",
     "\"redis://127.0.0.1:6379/0\"",
     false,
     {"\"unix:///x\"", "\"rediss://h\""},
     {"\"\"", "\"h\"", "{}", "[]"}},
    {"redis.username", "\"\"", false, {"\"u\"", "5"}, {"[]", "{}", "\"a\\nb\"", "\"\\u0000\"", "\"\xff\""}},
    {"redis.password_file", "\"\"", false, {"\"\""}, {"\"/nonexistent/x\"", "[]", "\"/\""}},
    {"redis.tls_ca_file", "\"\"", false, {"\"/etc/passwd\""}, {"\"/nonexistent/x\"", "[]"}},
    {"redis.tls_cert_file", "\"\"", false, {"\"\""}, {"\"/nonexistent/x\""}},
    {"redis.tls_key_file", "\"\"", false, {"\"\""}, {"\"/nonexistent/x\""}},
    {"redis.sentinels",
     "[]",
     false,
     {"[]"},
     {"\"h:1\"", "[\"h\"]", "[\"h:0\"]", "[\"unix:///x\"]", "[\"u:p@h:1\"]", "[[]]"}},
    {"redis.master_name", "\"\"", false, {"\"\""}, {"\"without-sentinels\"", "[]", "\"a\\nb\""}},
    {"redis.sentinel_username", "\"\"", false, {"\"u\""}, {"[]", "\"a\\nb\""}},
    {"redis.sentinel_password_file", "\"\"", false, {"\"\""}, {"\"/nonexistent/x\"", "[]", "\"/\""}},
    {"redis.instance_id",
     "\"redis-1\"",
     false,
     {"\"a\"", "\"A.b_c-9\""},
     {"\"\"", "\"-a\"", "\"a b\"", "\"a:b\"", "[]"}},
    {"redis.connect_timeout_ms", "2000", false, {"1", TEN_YEARS_MS, "1e3"}, {DURATION_BAD, "true"}},
    {"redis.command_timeout_ms", "3000", false, {"1", TEN_YEARS_MS}, {DURATION_BAD, "null"}},
    {"redis.reconnect_min_ms", "50", true, {"1", "2000"}, {DURATION_BAD, "2001"}},
    {"redis.reconnect_max_ms", "2000", true, {"50", TEN_YEARS_MS}, {DURATION_BAD, "49"}},
    {"redis.info_interval_ms", "1000", true, {"1", TEN_YEARS_MS}, {DURATION_BAD}},
    {"redis.layers",
     "{}",
     false,
     {"{}"},
     {"[]", "\"x\"", "{\"rsi\": {}}", "{\"rts\": 1}", "{\"rts\": {\"url\": \"h\"}}"}},
    {"streams.reports",
     "\"instance_reports\"",
     false,
     {"\"x\"", "5", "\"" STREAM_256 "\""},
     {"\"\"", "\"a b\"", "\"\xc3\xa4\"", "\"" STREAM_256 "6\"", "\"trade_signals\"", "\"mt5stated:x\""}},
    {"streams.signals",
     "\"trade_signals\"",
     false,
     {"\"x\""},
     {"\"\"", "\"trade_results\"", "\"instance_reports_rejected\""}},
    {"streams.results",
     "\"trade_results\"",
     false,
     {"\"x\""},
     {"\"\"", "\"trade_updates\"", "\"trade_signals_dropped\""}},
    {"streams.trades", "\"trade_updates\"", false, {"\"x\""}, {"\"\"", "\"instance_events\"", "[]"}},
    {"streams.events", "\"instance_events\"", false, {"\"x\""}, {"\"\"", "\"instance_reports\"", "{}"}},
    {"streams.commands",
     "\"instance_commands\"",
     false,
     {"\"x\""},
     {"\"\"", "\"instance_events\"", "\"trade_updates_rejected\"", "\"instance:x\"", "[]"}},
    {"streams.events_max_len", "100000", true, {"0", "100000000"}, {"-1", "100000001", "0.5", "\"1\""}},
    {"streams.commands_max_len", "10000", true, {"0", "100000000"}, {"-1", "100000001", "0.5", "\"1\""}},
    {"streams.reports_max_len", "10000", true, {"0", "100000000"}, {"-1", "100000001", "0.5", "\"1\""}},
    {"streams.trades_max_len", "10000", true, {"0", "100000000"}, {"-1", "100000001", "0.5", "\"1\""}},
    {"streams.group", "\"mt5stated\"", false, {"\"g\"", "5"}, {"\"\"", "\"a b\"", "\"a-\"", "[]"}},
    {"streams.consumer", "\"mt5stated\"", false, {"\"g\"", "5"}, {"\"\"", "\"a b\"", "\".a\"", "[]"}},
    {"streams.batch", "1000", true, {"1", "10000"}, {"0", "10001", "1.5", "\"1\"", "false"}},
    {"signals.ttl_ms", "30000", true, {"1", TEN_YEARS_MS}, {DURATION_BAD}},
    {"signals.execution_ttl_ms", "30000", true, {"1", TEN_YEARS_MS}, {DURATION_BAD}},
    {"signals.dedup_ms", "300000", true, {"1", TEN_YEARS_MS}, {DURATION_BAD}},
    {"signals.max_tracked", "1000000", true, {"1", "100000000"}, {"0", "100000001", "[]"}},
    {"results.max_len", "10000", true, {"1", "10000000"}, {"0", "10000001", "{}"}},
    {"instances.heartbeat_timeout_ms",
     "30000",
     true,
     {"0", "1", TEN_YEARS_MS},
     {"-1", "1.5", "\"5\"", "315360000001"}},
    {"instances.metric_max_age_ms", "60000", true, {"1", TEN_YEARS_MS}, {DURATION_BAD}},
    {"instances.restarting_timeout_ms", "120000", true, {"0", TEN_YEARS_MS}, {"-1", "1.5", "315360000001"}},
    {"instances.memory_limit_mb",
     "0",
     true,
     {"0", "0.5", "1000000000"},
     {"-0.1", "1000000001", "\"1\"", "1e999"}},
    {"instances.max", "100000", true, {"1", "1000000"}, {"0", "1000001", "true"}},
    {"instances.forget_after_s", "0", true, {"0", TEN_YEARS_S}, {"-1", "315360001", "\"0\""}},
    {"instances.reconcile_interval_ms", "30000", true, {"1", TEN_YEARS_MS}, {DURATION_BAD}},
    {"instances.adopt_external_writes", "true", true, {"true", "false"}, {"1", "\"true\"", "null", "yes"}},
    {"trades.closed_ttl_s", "2592000", true, {"1", TEN_YEARS_S}, {"0", "315360001", "\"1\""}},
    {"trades.probe_per_sec", "10", true, {"0", "100000"}, {"-1", "100001", "0.5"}},
    {"rules",
     "{",
     true,
     {NULL},
     {"[]", "null", "5", "{\"A\": 1}", "{\"a b\": {}}", "{\"HighCpuUsage\": {\"x\": 1}}"}},
    {"recovery.max_attempts", "3", true, {"0", "1000"}, {"-1", "1001", "1.5", "\"1\""}},
    {"recovery.timeout_ms", "30000", true, {"1", TEN_YEARS_MS}, {DURATION_BAD}},
    {"recovery.backoff_ms",
     "[0, 5000, 15000]",
     true,
     {"[0]", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 315360000000]"},
     {"[]", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]", "5", "[-1]", "[1.5]", "[\"1\"]"}},
    {"recovery.cooldown_ms", "300000", true, {"0", TEN_YEARS_MS}, {"-1", "1.5", "315360000001"}},
    {"recovery.stable_ms", "300000", true, {"0", TEN_YEARS_MS}, {"-1", "1.5", "315360000001"}},
    {"recovery.launch_modes",
     "[\"auto\"]",
     true,
     {"[]", "[\"manual\"]", "[\"auto\", \"manual\"]"},
     {"\"auto\"", "[\"x\"]", "[1]", "[\"auto\", \"auto\"]", "{}"}},
    {"recovery.max_concurrent", "10", true, {"1", "1000000"}, {"0", "1000001", "0.5"}},
    {"recovery.fleet_breaker_percent",
     "50",
     true,
     {"0.5", "100"},
     {"0", "-0", "-1", "100.5", "\"50\"", "1e999"}},
    {"observe_only", "false", true, {"true", "false"}, {"1", "\"true\"", "null", "{}"}},
    {"maintenance_windows", "[]", true, {"[]"}, {"{}", "\"x\"", "[1]", "[{}]", "[{\"name\": \"a\"}]"}},
    {"notify.webhooks",
     "[]",
     true,
     {"[]"},
     {"{}", "\"http://h\"", "[1]", "[{}]", "[{\"url\": \"h\"}]", "[\"http://h\"]"}},
    {"hooks",
     "{}",
     true,
     {"{}", "{\"stop\": null}"},
     {"[]", "null", "\"/x\"", "{\"x\": []}", "{\"stop\": \"/bin/sh\"}"}},
    {"hooks_timeout_ms", "60000", true, {"1", TEN_YEARS_MS}, {DURATION_BAD}},
    {"hooks_max_running", "16", true, {"1", "1000"}, {"0", "1001", "1.5", "[]"}},
    {"hooks_max_queued", "256", true, {"0", "100000"}, {"-1", "100001", "1.5", "true"}},
    {"http.listen",
     "\"127.0.0.1:10555\"",
     false,
     {"\"[::1]:1\"", "\"unix:/x\""},
     {"\"\"", "\"h\"", "\":80\"", "80"}},
    {"http.tokens",
     "[]",
     true,
     {"[]"},
     {"{}", "\"x\"", "[1]", "[{}]", "[{\"name\":\"a\",\"role\":\"read\"}]"}},
    {"http.max_connections", "256", false, {"1", "10000"}, {"0", "10001", "\"1\""}},
    {"metrics.per_id", "true", true, {"false"}, {"0", "\"\"", "[]"}},
    {"metrics.max_ids_per_family", "200", true, {"0", "10000"}, {"-1", "10001", "1.5"}},
    {"metrics.id_ttl_s", "300", true, {"1", TEN_YEARS_S}, {"0", "315360001", "\"1\""}},
    {"log.level",
     "\"info\"",
     true,
     {"\"debug\"", "\"warn\"", "\"error\""},
     {"\"\"", "\"INFO\"", "\"warning\"", "1", "[]"}},
    {"log.format",
     "\"auto\"",
     true,
     {"\"logfmt\"", "\"json\"", "\"journal\""},
     {"\"\"", "\"text\"", "true", "{}"}},
    {"ha.lease_ms", "3000", false, {"10", TEN_YEARS_MS}, {"0", "9", "1.5", "\"5\"", "315360000001"}},
    {"guard.stall_ms", "2000", true, {"1", TEN_YEARS_MS}, {DURATION_BAD}},
    {"guard.hold_ms", "5000", true, {"0", TEN_YEARS_MS}, {"-1", "1.5", "\"5\"", "315360000001"}},
};

static void test_config_keys_are_those_of_the_rows(void **state)
{
    UNUSED(state);
    assert_int_equal(config_key_count, ARRAY_LEN(key_rows));
    for (size_t i = 0; i < ARRAY_LEN(key_rows); i++) {
        assert_string_equal(config_keys[i].name, key_rows[i].name);
        if (config_keys[i].reloadable != key_rows[i].reloadable)
            fail_msg("%s: wrong mark R", key_rows[i].name);
        assert_true(strlen(config_keys[i].meaning) > 0);
        assert_true(strlen(config_type_name(config_keys[i].type)) > 0);
    }
}

/* `"name": value` as config_print writes it; of a value on more than one line the first is looked at. */
static void find_printed(const struct config *config, const char *name, const char *value)
{
    struct buf out = BUF_INIT, line = BUF_INIT;
    const char *dot = strchr(name, '.'), *found;

    config_print(config, &out);
    found = buf_text(&out);
    if (dot) {
        buf_add_format(&line, "\n  \"%.*s\": {", (int)(dot - name), name);
        found = strstr(found, buf_text(&line));
        assert_non_null(found);
        buf_reset(&line, SIZE_MAX);
    }
    buf_add_format(&line, "\n%s\"%s\": %s", dot ? "    " : "  ", dot ? dot + 1 : name, value);
    found = strstr(found, buf_text(&line));
    if (!found || !strchr(",\n", found[line.len]))
        fail_msg("no %s in %s", line.data, out.data);
    buf_clear(&out);
    buf_clear(&line);
}

static void test_config_load_defaults(void **state)
{
    struct problems problems;
    struct config *config = load(&problems, NULL, NULL);

    UNUSED(state);
    assert_non_null(config);
    for (size_t i = 0; i < ARRAY_LEN(key_rows); i++)
        find_printed(config, key_rows[i].name, key_rows[i].value);
    assert_int_equal(config->redis.scheme, CONFIG_REDIS_TCP);
    assert_string_equal(config->redis.host, "127.0.0.1");
    assert_int_equal(config->redis.port, 6379);
    assert_int_equal(config->redis.db, 0);
    assert_string_equal(config->redis.url_password, "");
    assert_int_equal(config->http.kind, CONFIG_LISTEN_TCP);
    assert_int_equal(config->http.port, 10555);
    assert_int_equal(config->log.level, CONFIG_LOG_INFO);
    assert_int_equal(config->signals.ttl_ms, 30000);
    config_free(config);
}

/* NAME = VALUE as a nested file. */
static struct config *load_nested(struct problems *problems, const char *name, const char *value)
{
    struct buf text = BUF_INIT;
    const char *dot = strchr(name, '.');
    struct config *config;

    if (dot)
        buf_add_format(&text, "{\"%.*s\": {\"%s\": %s}}", (int)(dot - name), name, dot + 1, value);
    else
        buf_add_format(&text, "{\"%s\": %s}", name, value);
    config = load(problems, buf_text(&text), NULL);
    buf_clear(&text);
    return config;
}

static struct config *load_set_value(struct problems *problems, const char *name, const char *value)
{
    struct buf text = BUF_INIT;
    struct config *config;

    buf_add_format(&text, "%s=%s", name, value);
    config = load_set(problems, buf_text(&text));
    buf_clear(&text);
    return config;
}

static bool is_bare_text(const struct key_row *row, const char *value)
{
    return row->value[0] == '"' && value[0] != '"' && value[0] != '[' && value[0] != '{';
}

static void test_config_load_good_values(void **state)
{
    struct problems problems;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(key_rows); i++) {
        for (size_t j = 0; j < ARRAY_LEN(key_rows[i].good) && key_rows[i].good[j]; j++) {
            const char *value = key_rows[i].good[j];
            struct config *config = load_set_value(&problems, key_rows[i].name, value);

            if (!config)
                fail_msg("%s=%s: %s", key_rows[i].name, value, problems.what[0]);
            if (strcmp(value, "1e3") != 0 && strcmp(key_rows[i].name, "hooks") != 0 &&
                !is_bare_text(&key_rows[i], value))
                find_printed(config, key_rows[i].name, value);
            config_free(config);
            if (is_bare_text(&key_rows[i], value))
                continue;
            config = load_nested(&problems, key_rows[i].name, value);
            assert_non_null(config);
            config_free(config);
        }
    }
}

static void expect_one_problem_at(struct config *config, const struct problems *problems, const char *name,
                                  const char *value)
{
    if (config)
        fail_msg("%s=%s was taken", name, value);
    /* A certificate alone is a second problem. */
    assert_int_equal(problems->count, strstr(name, "tls_cert") || strstr(name, "tls_key") ? 2 : 1);
    if (strncmp(problems->key[0], name, strlen(name)) != 0 && !strstr(problems->what[0], name))
        fail_msg("%s=%s: told at %s: %s", name, value, problems->key[0], problems->what[0]);
}

static void test_config_load_bad_values(void **state)
{
    struct problems problems;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(key_rows); i++) {
        for (size_t j = 0; j < ARRAY_LEN(key_rows[i].bad) && key_rows[i].bad[j]; j++) {
            const char *value = key_rows[i].bad[j];

            expect_one_problem_at(load_set_value(&problems, key_rows[i].name, value), &problems,
                                  key_rows[i].name, value);
            assert_string_equal(problems.where[0], "--set");
            if (strcmp(value, "yes") == 0)
                continue;
            expect_one_problem_at(load_nested(&problems, key_rows[i].name, value), &problems,
                                  key_rows[i].name, value);
        }
    }
}

static void test_config_load_wrong_file(void **state)
{
    static const struct {
        const char *text, *key, *what;
    } rows[] = {
        {"", "line 1", "syntax error"},
        {"{", "line 1", "column 2: syntax error: it ends where a name in double quotes should be"},
        {"[]", "line 1", "must be an object"},
        {"{}\n{}", "line 2", "syntax error"},
        {"{\n  // fine\n  \"log\": {\"level\": \"info\",}\n}", "line 3",
         "column 26: syntax error: a comma too many, before }"},
        {"{\n/* a\nb */ \"log\" 5}", "line 3", "column 12: syntax error: 5 where a colon should be"},
        {"{\n\n/* never", "line 3", "does not end"},
        {"{\"streams\": {\"batch\": [10 20]}}", "line 1", "syntax error"},
        {"{\"redis\": 5}", "redis", "must be an object"},
        {"{\"hooks.recover\": []}", "hooks.recover", "nest at the dots"},
        {"{\"rules.A\": null}", "rules.A", "nest at the dots"},
        {"{\"streams.batch.x\": 1}", "streams.batch.x", "unknown key"},
        {"{\"hooks\": {}, \"hooks\": {}}", "hooks", "is there twice"},
        {"{\"observeonly\": true}", "observeonly", "did you mean observe_only?"},
        {"{\"redis\": {\"urI\": \"\"}}", "redis.urI", "did you mean redis.url?"},
        {"{\"Redis\": {}}", "Redis", "unknown key"},
        {"{\"redis\": {\"URL\": \"redis://h\"}}", "redis.URL", "did you mean redis.url?"},
        {"{\"redis.url\": \"redis://h\"}", "redis.url", "nest at the dots"},
        {"{\"signals\": {\"tll_ms\": 5}}", "signals.tll_ms", "did you mean signals.ttl_ms?"},
        {"{\"entirely\": {\"different\": 5}}", "entirely", "unknown key"},
        {"{\"redis\": {\"url\": {\"x\": 1}}}", "redis.url", "must be text"},
        {"{\"\": 1}", "", "unknown key"},
        {"{\"redis\": {\"\": 1}}", "redis.", "unknown key"},
        {"{\"redis\": {\"a\\u001b\\u000ab\": 1}}", "redis.a??b", "unknown key"},
        {"{\"redis\": {\"url\\u0000\": 1}}", "redis.url\xef\xbf\xbf", "unknown key"},
        {"{\"streams\": {\"batch\": 1, \"batch\": 1}}", "streams.batch", "is there twice"},
        {"{\"streams\": {\"batch\": 1}, \"streams\": {\"group\": \"g\"}}", "streams", "is there twice"},
        {"{\"redis\": {\"username\": \"a\\u0000b\"}}", "redis.username", "NUL"},
        {"{\"redis\": {\"username\": \"a\xc3\x28\"}}", "redis.username", "UTF-8"},
        {"{\"redis\": {\"reconnect_min_ms\": 6, \"reconnect_max_ms\": 5}}", "redis.reconnect_min_ms",
         "above"},
        {"{\"redis\": {\"tls_cert_file\": \"/etc/passwd\"}}", "redis.tls_key_file", "must be set with"},
        {"{\"redis\": {\"tls_key_file\": \"/etc/passwd\"}}", "redis.tls_cert_file", "must be set with"},
        {"{\"redis\": {\"sentinels\": [\"a:1\"]}}", "redis.master_name", "must be set with redis.sentinels"},
        {"{\"redis\": {\"master_name\": \"m\"}}", "redis.sentinels", "must be set with redis.master_name"},
        {"{\"redis\": {\"sentinels\": [\"a:1\", \"b\"], \"master_name\": \"m\"}}", "redis.sentinels[1]",
         "has no port"},
        {"{\"redis\": {\"sentinels\": [\"unix:///x\"], \"master_name\": \"m\"}}", "redis.sentinels[0]",
         "by host and port"},
        {"{\"redis\": {\"sentinels\": [\"a:1\"], \"master_name\": \"m\", \"url\": \"unix:///x\"}}",
         "redis.url", "where redis.sentinels is set"},
        {"{\"http\": {\"tokens\": [{\"name\": \"a\", \"rol\": \"read\"}]}}", "http.tokens[0].rol",
         "unknown key"},
    };
    struct problems problems;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_null(load(&problems, rows[i].text, NULL));
        if (strcmp(problems.key[0], rows[i].key) != 0 || !strstr(problems.what[0], rows[i].what))
            fail_msg("%s: told at %s: %s", rows[i].text, problems.key[0], problems.what[0]);
        assert_int_equal(strncmp(problems.where[0], "/tmp/mt5-config-", 16), 0);
    }
}

static void test_config_load_tells_every_problem(void **state)
{
    struct problems problems;

    UNUSED(state);
    assert_null(load(&problems,
                     "{\"streams\": {\"batch\": 0, \"group\": \"\"}, \"http\": {\"listen\": \"x\"}}", NULL));
    assert_int_equal(problems.count, 3);
}

/* A wrong value is told, and not besides that there is none. */
static void test_config_load_tells_of_a_bad_sentinel_once(void **state)
{
    static const struct {
        const char *text, *key, *what;
    } rows[] = {
        {"{\"redis\": {\"sentinels\": [\"a\"], \"master_name\": \"m\"}}", "redis.sentinels[0]",
         "has no port"},
        {"{\"redis\": {\"sentinels\": \"a:1\", \"master_name\": \"m\"}}", "redis.sentinels",
         "must be a list"},
        {"{\"redis\": {\"sentinels\": [\"a:1\"], \"master_name\": 5}}", "redis.master_name", "must be text"},
        {"{\"redis\": {\"sentinels\": [\"a:1\", \"b:1\", \"redis://a:1\"], \"master_name\": \"m\"}}",
         "redis.sentinels[2]", "is there twice"},
        {"{\"redis\": {\"sentinels\": [\"u:secret@a:1\"], \"master_name\": \"m\"}}", "redis.sentinels[0]",
         "redis.sentinel_password_file"},
        {"{\"redis\": {\"sentinels\": [\"redis://:secret@a:1\"], \"master_name\": \"m\"}}",
         "redis.sentinels[0]", "redis.sentinel_password_file"},
    };
    struct problems problems;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_null(load(&problems, rows[i].text, NULL));
        assert_int_equal(problems.count, 1);
        assert_string_equal(problems.key[0], rows[i].key);
        assert_non_null(strstr(problems.what[0], rows[i].what));
        assert_null(strstr(problems.what[0], "secret"));
    }
}

static void test_config_load_stops_at_many_problems(void **state)
{
    struct problems problems;
    struct buf text = BUF_INIT;

    UNUSED(state);
    buf_add_text(&text, "{\"redis\": {\"x\": 1");
    for (int i = 0; i < 1000; i++)
        buf_add_format(&text, ", \"x%d\": 1", i);
    buf_add_text(&text, "}}");
    assert_null(load(&problems, buf_text(&text), NULL));
    assert_int_equal(problems.count, 100);
    buf_clear(&text);
}

static void test_config_load_nul_byte(void **state)
{
    static const char content[] = "{\n\0}";
    struct problems problems = {0};
    struct config_source source = {0};
    char path[64];

    UNUSED(state);
    write_file(path, content, sizeof(content) - 1);
    source.file = path;
    assert_null(config_load(&source, remember_problem, &problems));
    assert_string_equal(problems.key[0], "line 2");
    assert_int_equal(unlink(path), 0);
}

static void test_config_load_file_missing_or_too_long(void **state)
{
    struct problems problems = {0};
    struct config_source source = {.file = "/nonexistent/mt5stated.json"};
    struct buf text = BUF_INIT;

    UNUSED(state);
    assert_null(config_load(&source, remember_problem, &problems));
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.key[0], "file");
    memset(buf_reserve(&text, 1048577), ' ', 1048577);
    text.len = 1048577;
    assert_null(load(&problems, buf_text(&text), NULL));
    assert_string_equal(problems.key[0], "file");
    buf_clear(&text);
}

static void test_config_load_comments(void **state)
{
    struct problems problems;
    struct config *config =
        load(&problems, "// the file\n{\"redis\": { /* here */ \"url\": \"redis://h/*x*/\" // no\n}}", NULL);

    UNUSED(state);
    assert_null(config); /* inside a string it is no comment, and so no database either */
    assert_string_equal(problems.key[0], "redis.url");
    config =
        load(&problems, "// the file\n{\"redis\": { /* here */ \"url\": \"redis://h/3\" // no\n}}", NULL);
    assert_non_null(config);
    assert_int_equal(config->redis.db, 3);
    config_free(config);
}

static void test_config_load_sets_go_last_and_in_order(void **state)
{
    const char *sets[] = {"streams.batch=2",
                          "redis.url=redis://u:p@h:1/2",
                          "streams.group=5",
                          "log.level=warn",
                          "redis={\"username\":\"null\"}",
                          "streams.batch=3",
                          "streams.consumer=true",
                          "redis.username=",
                          NULL};
    struct problems problems;
    struct config *config = load(&problems, "{\"streams\": {\"batch\": 9, \"group\": \"x\"}}", sets);

    UNUSED(state);
    assert_non_null(config);
    assert_int_equal(config->streams.batch, 3);
    assert_string_equal(config->streams.group, "5");
    assert_string_equal(config->streams.consumer, "true");
    assert_string_equal(config->redis.username, "");
    assert_string_equal(config->redis.url_username, "u");
    assert_string_equal(config->redis.url_password, "p");
    assert_int_equal(config->log.level, CONFIG_LOG_WARN);
    config_free(config);
}

static void test_config_load_recovery_lists(void **state)
{
    const char *sets[] = {"recovery.backoff_ms=[7,8]", "recovery.launch_modes=[\"Manual\",\"AUTO\"]", NULL};
    struct problems problems;
    struct config *config = load(&problems, NULL, sets);

    UNUSED(state);
    assert_non_null(config);
    assert_int_equal(config->recovery.backoff_count, 2);
    assert_int_equal(config->recovery.backoff_ms[0], 7);
    assert_int_equal(config->recovery.backoff_ms[1], 8);
    assert_int_equal(config->recovery.launch_modes, 1U << LAUNCH_AUTO | 1U << LAUNCH_MANUAL);
    config_free(config);
    config = load_set(&problems, "recovery.launch_modes=[]");
    assert_int_equal(config->recovery.launch_modes, 0);
    config_free(config);
}

static void test_config_load_wrong_sets(void **state)
{
    static const char *const rows[][3] = {
        {"streams.batch", "streams.batch", "KEY=VALUE"},
        {"=5", "=5", "KEY=VALUE"},
        {"streams.batc=5", "streams.batc", "did you mean streams.batch?"},
        {"STREAMS.BATCH=5", "STREAMS.BATCH", "did you mean streams.batch?"},
        {"streams=5", "streams", "must be an object"},
        {"streams.batch.x=5", "streams.batch.x", "unknown key"},
        {"recovery.backoff_ms.0=5", "recovery.backoff_ms.0", "unknown key"},
        {"recovery.backoff_ms=[1,-2]", "recovery.backoff_ms[1]", "must be from 0 to 315360000000"},
        {"recovery.backoff_ms=[]", "recovery.backoff_ms",
         "must be a list of 1 to 16 whole numbers of milliseconds, such as [0, 5000, 15000]"},
        {"recovery.backoff_ms=5000", "recovery.backoff_ms", "must be a list of 1 to 16 whole numbers"},
        {"signals.ttl=5", "signals.ttl", "did you mean signals.ttl_ms?"},
        {"recovery.backoff=[1]", "recovery.backoff", "did you mean recovery.backoff_ms?"},
        {"max_attempts=5", "max_attempts", "did you mean recovery.max_attempts?"},
        {"max=5", "max", "did you mean instances.max?"},
        {"signals.ttl_ms=30s", "signals.ttl_ms", "must be a whole number of milliseconds"},
        {"instances.forget_after_s=1.5", "instances.forget_after_s", "must be a whole number of seconds"},
        {"log.level=warning", "log.level", "did you mean warn?"},
        {"http.tokens=x", "http.tokens", "must be a list of objects with name, role and file"},
        {"recovery.launch_modes=[\"auto\",\"manuel\"]", "recovery.launch_modes[1]",
         "must be one of auto or manual; did you mean manual?"},
        {"recovery.launch_modes=[\"auto\",\"auto\"]", "recovery.launch_modes[1]", "twice"},
        {"recovery.fleet_breaker_percent=0", "recovery.fleet_breaker_percent",
         "must be above 0 and up to 100"},
        {"streams={\"batch\":1,\"batch\":1}", "streams.batch", "is there twice"},
        {"signals.ttl_ms=abc", "signals.ttl_ms", "must be a whole number"},
        {"signals.ttl_ms=1x", "signals.ttl_ms", "must be a whole number"},
        {"signals.ttl_ms=", "signals.ttl_ms", "must be a whole number"},
    };
    struct problems problems;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_null(load_set(&problems, rows[i][0]));
        assert_string_equal(problems.key[0], rows[i][1]);
        if (!strstr(problems.what[0], rows[i][2]))
            fail_msg("%s: %s", rows[i][0], problems.what[0]);
    }
}

static struct config *load_token(struct problems *problems, const char *secret, const char *name,
                                 const char *role)
{
    char path[64];
    struct buf text = BUF_INIT;
    struct config *config;

    write_file(path, secret, strlen(secret));
    buf_add_format(&text, "http.tokens=[{\"name\":\"%s\",\"role\":\"%s\",\"file\":\"%s\"}]", name, role,
                   path);
    config = load_set(problems, buf_text(&text));
    buf_clear(&text);
    assert_int_equal(unlink(path), 0);
    return config;
}

static void test_config_load_token_is_read(void **state)
{
    static const char *const rows[][2] = {
        {"0123456789abcdef", "0123456789abcdef"},
        {"0123456789abcdef\n", "0123456789abcdef"},
        {"0123456789abcdef\r\n", "0123456789abcdef"},
    };
    struct problems problems;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *config = load_token(&problems, rows[i][0], "ops", "report");

        assert_non_null(config);
        assert_int_equal(config->http.token_count, 1);
        assert_string_equal(config->http.tokens[0].name, "ops");
        assert_int_equal(config->http.tokens[0].role, CONFIG_ROLE_REPORT);
        assert_string_equal(config->http.tokens[0].secret, rows[i][1]);
        config_free(config);
    }
}

static void test_config_load_token_is_refused(void **state)
{
    static const struct {
        const char *secret, *name, *role, *key;
    } rows[] = {
        {"0123456789abcde\n", "a", "read", "http.tokens[0].file"},
        {"0123456789abcdef\n\n", "a", "read", "http.tokens[0].file"},
        {"0123456789 abcdef", "a", "read", "http.tokens[0].file"},
        {"", "a", "read", "http.tokens[0].file"},
        {"0123456789abcdef", "", "read", "http.tokens[0].name"},
        {"0123456789abcdef", "a b", "read", "http.tokens[0].name"},
        {"0123456789abcdef", "a", "Read", "http.tokens[0].role"},
    };
    struct problems problems;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_null(load_token(&problems, rows[i].secret, rows[i].name, rows[i].role));
        assert_int_equal(problems.count, 1);
        assert_string_equal(problems.key[0], rows[i].key);
        assert_true(!*rows[i].secret || !strstr(problems.what[0], rows[i].secret));
    }
}

static void test_config_load_tokens_must_differ(void **state)
{
    struct problems problems;
    char path[64];
    struct buf text = BUF_INIT;

    UNUSED(state);
    write_file(path, "0123456789abcdef", 16);
    buf_add_format(&text,
                   "http.tokens=[{\"name\":\"a\",\"role\":\"read\",\"file\":\"%s\"},"
                   "{\"name\":\"a\",\"role\":\"admin\",\"file\":\"%s\"}]",
                   path, path);
    assert_null(load_set(&problems, buf_text(&text)));
    assert_int_equal(problems.count, 2);
    assert_string_equal(problems.key[0], "http.tokens[1].name");
    assert_string_equal(problems.key[1], "http.tokens[1].file");
    assert_int_equal(unlink(path), 0);
    buf_clear(&text);
}

static void test_config_load_password_from_credentials(void **state)
{
    char directory[] = "/tmp/mt5-credentials-XXXXXX", path[64], other[64], set[128];
    struct problems problems;
    struct config *config;
    FILE *file;

    UNUSED(state);
    assert_non_null(mkdtemp(directory));
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
    config = load(&problems, NULL, NULL);
    assert_non_null(config);
    assert_string_equal(config->redis.password_file, "");
    config_free(config);

    (void)snprintf(path, sizeof(path), "%s/redis-password", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("pw\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    config = load(&problems, NULL, NULL);
    assert_non_null(config);
    assert_string_equal(config->redis.password_file, path);
    config_free(config);

    write_file(other, "pw", 2);
    (void)snprintf(set, sizeof(set), "redis.password_file=%s", other);
    config = load_set(&problems, set);
    assert_non_null(config);
    assert_string_equal(config->redis.password_file, other);
    config_free(config);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static void test_config_load_password_file_empty(void **state)
{
    char path[64], set[128];
    struct problems problems;

    UNUSED(state);
    write_file(path, "\n", 1);
    (void)snprintf(set, sizeof(set), "redis.password_file=%s", path);
    assert_null(load_set(&problems, set));
    assert_string_equal(problems.key[0], "redis.password_file");
    assert_int_equal(unlink(path), 0);
}

static void test_config_find_frozen_change_by_key(void **state)
{
    struct problems problems;
    struct config *old_config = load(&problems, NULL, NULL);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(key_rows); i++) {
        for (size_t j = 0; j < ARRAY_LEN(key_rows[i].good) && key_rows[i].good[j]; j++) {
            struct config *new_config = load_set_value(&problems, key_rows[i].name, key_rows[i].good[j]);
            const char *frozen = config_find_frozen_change(old_config, new_config);
            bool differs = strcmp(key_rows[i].good[j], key_rows[i].value) != 0;

            if (differs && !key_rows[i].reloadable)
                assert_string_equal(frozen, key_rows[i].name);
            else
                assert_null(frozen);
            config_free(new_config);
        }
    }
    config_free(old_config);
}

static void test_config_key_nearest_rows(void **state)
{
    static const char *const rows[][2] = {
        {"redis.ur", "redis.url"},
        {"REDIS.URL", "redis.url"},
        {"stream.batch", "streams.batch"},
        {"signal.dedup", "signals.dedup_ms"},
        {"instances.heartbeat_timeout", "instances.heartbeat_timeout_ms"},
        {"x", NULL},
        {"", NULL},
        {"redis.something_else", NULL},
        {STREAM_256, NULL},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct config_key *key = config_key_nearest(slice_text(rows[i][0]));

        if (!rows[i][1])
            assert_null(key);
        else if (!key)
            fail_msg("nothing near %s", rows[i][0]);
        else
            assert_string_equal(key->name, rows[i][1]);
    }
}

static void test_load_takes_sentinels_apart(void **state)
{
    static const char content[] = "{\"redis\": {\"url\": \"rediss://h/3\", \"master_name\": \"m\", "
                                  "\"sentinels\": [\"a:1\", \"redis://[::1]:2\", \"rediss://c.example:3\"]}}";
    static const struct {
        const char *host;
        uint16_t port;
        bool has_scheme;
        enum config_redis_scheme scheme;
    } rows[] = {{"a", 1, false, CONFIG_REDIS_TCP},
                {"::1", 2, true, CONFIG_REDIS_TCP},
                {"c.example", 3, true, CONFIG_REDIS_TLS}};
    struct problems problems;
    struct config *config = load(&problems, content, NULL);
    struct buf printed = BUF_INIT;

    UNUSED(state);
    assert_non_null(config);
    assert_int_equal(config->redis.sentinel_count, ARRAY_LEN(rows));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(config->redis.sentinels[i].host, rows[i].host);
        assert_int_equal(config->redis.sentinels[i].port, rows[i].port);
        assert_int_equal(config->redis.sentinels[i].has_scheme, rows[i].has_scheme);
        assert_int_equal(config->redis.sentinels[i].scheme, rows[i].scheme);
    }
    config_print(config, &printed);
    assert_non_null(strstr(buf_text(&printed), "[\"a:1\", \"redis://[::1]:2\", \"rediss://c.example:3\"]"));
    buf_clear(&printed);
    config_free(config);
}

static void test_load_bounds_the_sentinels(void **state)
{
    static const char *const sets[] = {
        "redis.master_name=m",
        "redis.sentinels=[\"a:1\",\"a:1\",\"a:1\",\"a:1\",\"a:1\",\"a:1\",\"a:1\",\"a:1\",\"a:1\","
        "\"a:1\",\"a:1\",\"a:1\",\"a:1\",\"a:1\",\"a:1\",\"a:1\",\"a:1\"]",
        NULL};
    struct problems problems;

    UNUSED(state);
    assert_null(load(&problems, NULL, sets));
    assert_string_equal(problems.what[0], "must hold 16 sentinels at most");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_takes_sentinels_apart),
        cmocka_unit_test(test_load_bounds_the_sentinels),
        cmocka_unit_test(test_config_keys_are_those_of_the_rows),
        cmocka_unit_test(test_config_load_defaults),
        cmocka_unit_test(test_config_load_good_values),
        cmocka_unit_test(test_config_load_bad_values),
        cmocka_unit_test(test_config_load_wrong_file),
        cmocka_unit_test(test_config_load_tells_every_problem),
        cmocka_unit_test(test_config_load_tells_of_a_bad_sentinel_once),
        cmocka_unit_test(test_config_load_stops_at_many_problems),
        cmocka_unit_test(test_config_load_nul_byte),
        cmocka_unit_test(test_config_load_file_missing_or_too_long),
        cmocka_unit_test(test_config_load_comments),
        cmocka_unit_test(test_config_load_sets_go_last_and_in_order),
        cmocka_unit_test(test_config_load_recovery_lists),
        cmocka_unit_test(test_config_load_wrong_sets),
        cmocka_unit_test(test_config_load_token_is_read),
        cmocka_unit_test(test_config_load_token_is_refused),
        cmocka_unit_test(test_config_load_tokens_must_differ),
        cmocka_unit_test(test_config_load_password_from_credentials),
        cmocka_unit_test(test_config_load_password_file_empty),
        cmocka_unit_test(test_config_find_frozen_change_by_key),
        cmocka_unit_test(test_config_key_nearest_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
