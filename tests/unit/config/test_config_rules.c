/* rules: merged over the defaults field by field, from the file and from `--set`; what is refused, and where.
 */
#include "config_support.h"

static const struct rule *find_rule(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->rules.count; i++) {
        if (slice_is(ident_slice(&config->rules.rules[i].name), name))
            return &config->rules.rules[i];
    }
    return NULL;
}

/* The names of the rules in their order. */
static void expect_order(const struct config *config, const char *names)
{
    struct buf out = BUF_INIT;

    for (uint32_t i = 0; i < config->rules.count; i++) {
        buf_add_slice(&out, ident_slice(&config->rules.rules[i].name));
        buf_add_char(&out, ' ');
    }
    assert_string_equal(buf_text(&out), names);
    buf_clear(&out);
}

#define DEFAULT_NAMES                                                                                        \
    "HighCpuUsage HighMemoryUsage NetworkFailure InstanceCrash HighQueueLength HighLoadAverage "             \
    "SocketFailure RecoveryFailure "

static void test_rules_default_to_the_eight(void **state)
{
    struct problems problems;
    struct config *config = load(&problems, NULL, NULL);

    UNUSED(state);
    assert_non_null(config);
    expect_order(config, DEFAULT_NAMES);
    expect_printed(
        config,
        "\n    \"NetworkFailure\": {\"metric\": \"network_latency\", \"op\": \">\", \"threshold\": 500, "
        "\"for_ms\": 5000, \"clear\": null, \"keep_firing_ms\": 0, \"severity\": \"critical\", "
        "\"actions\": [\"notify\", \"reconnect\"], \"event\": \"network_issue\", \"enabled\": true},");
    expect_printed(
        config,
        "\n    \"InstanceCrash\": {\"metric\": \"state\", \"op\": \"==\", \"threshold\": \"crashed\", ");
    expect_printed(config, "{\"metric\": \"recovery_attempts\", \"op\": \">\", \"threshold\": null, ");
    expect_loads_again(config);
    config_free(config);
}

static void test_rules_merge_field_by_field(void **state)
{
    const char *sets[] = {"rules.HighCpuUsage.for_ms=500",
                          "rules.HighQueueLength.op=>=", "rules.HighQueueLength={\"keep_firing_ms\":9}",
                          NULL};
    struct problems problems;
    struct config *config = load(
        &problems,
        "{\"rules\": {\"HighCpuUsage\": {\"threshold\": 90.5, \"clear\": 70, \"actions\": [\"stop\", "
        "\"throttle\"]}, \"SocketFailure\": {\"event\": null, \"severity\": \"info\", \"enabled\": false}}}",
        sets);
    const struct rule *rule;

    UNUSED(state);
    assert_non_null(config);
    rule = find_rule(config, "HighCpuUsage");
    assert_int_equal(rule->metric, (int)REPORT_CPU_USAGE);
    assert_int_equal(rule->op, RULE_GT);
    assert_true(rule->threshold == 90.5 && rule->has_clear && rule->clear == 70);
    assert_int_equal(rule->for_ms, 500);
    assert_int_equal(rule->actions, ACTION_BIT(ACTION_STOP) | ACTION_BIT(ACTION_THROTTLE));
    assert_int_equal(rule->severity, SEVERITY_WARNING);
    assert_true(rule->enabled);
    rule = find_rule(config, "SocketFailure");
    assert_int_equal(rule->event, EVENT_NONE);
    assert_int_equal(rule->severity, SEVERITY_INFO);
    assert_false(rule->enabled);
    assert_true(rule->threshold == 0);
    rule = find_rule(config, "HighQueueLength");
    assert_int_equal(rule->op, RULE_GE);
    assert_int_equal(rule->keep_firing_ms, 9);
    expect_order(config, DEFAULT_NAMES);
    expect_loads_again(config);
    config_free(config);
}

static void test_rules_new_one_has_defaults(void **state)
{
    struct problems problems;
    struct config *config = load(
        &problems,
        "{\"rules\": {\"Old-1.x\": {\"threshold\": 0.5, \"op\": \"<\", \"metric\": \"open_trades\"}}}", NULL);
    const struct rule *rule;

    UNUSED(state);
    assert_non_null(config);
    rule = find_rule(config, "Old-1.x");
    assert_int_equal(rule->metric, METRIC_OPEN_TRADES);
    assert_int_equal(rule->op, RULE_LT);
    assert_true(rule->threshold == 0.5 && !rule->has_clear && rule->enabled && !rule->by_max_attempts);
    assert_int_equal(rule->for_ms, 0);
    assert_int_equal(rule->keep_firing_ms, 0);
    assert_int_equal(rule->severity, SEVERITY_WARNING);
    assert_int_equal(rule->actions, ACTION_BIT(ACTION_NOTIFY));
    assert_int_equal(rule->event, EVENT_NONE);
    expect_order(config, DEFAULT_NAMES "Old-1.x ");
    expect_loads_again(config);
    config_free(config);
}

/* Fields may come in any order, one at a time. */
static void test_rules_new_one_by_sets(void **state)
{
    const char *sets[] = {"rules.A.b.threshold=restarting",
                          "rules.A.b.op===",
                          "rules.A.b.metric=state",
                          "rules.A.b.event=network_issue",
                          "rules.InstanceCrash.threshold=3",
                          "rules.InstanceCrash.metric=heartbeat_age_ms",
                          "rules.InstanceCrash.op=>",
                          "rules.HighCpuUsage.threshold=null",
                          "rules.HighCpuUsage.metric=recovery_attempts",
                          "rules.RecoveryFailure.threshold=2",
                          NULL};
    struct problems problems;
    struct config *config = load(&problems, NULL, sets);
    const struct rule *rule;

    UNUSED(state);
    if (!config)
        fail_msg("%s: %s", problems.key[0], problems.what[0]);
    rule = find_rule(config, "A.b");
    assert_int_equal(rule->metric, METRIC_STATE);
    assert_true(rule->threshold == STATE_RESTARTING);
    assert_int_equal(rule->event, EVENT_NETWORK_ISSUE);
    assert_int_equal(find_rule(config, "InstanceCrash")->metric, METRIC_HEARTBEAT_AGE_MS);
    assert_true(find_rule(config, "HighCpuUsage")->by_max_attempts);
    rule = find_rule(config, "RecoveryFailure");
    assert_false(rule->by_max_attempts);
    assert_true(rule->threshold == 2);
    expect_loads_again(config);
    config_free(config);
}

static void test_rules_null_removes(void **state)
{
    const char *sets[] = {"rules.SocketFailure=null", "rules.SocketFailure=null", "rules.New.1=null", NULL};
    struct problems problems;
    struct config *config =
        load(&problems,
             "{\"rules\": {\"HighCpuUsage\": null, \"New.1\": {\"metric\": \"state\", \"op\": \"!=\", "
             "\"threshold\": \"running\"}}}",
             sets);

    UNUSED(state);
    if (!config)
        fail_msg("%s: %s", problems.key[0], problems.what[0]);
    expect_order(config, "HighMemoryUsage NetworkFailure InstanceCrash HighQueueLength HighLoadAverage "
                         "RecoveryFailure ");
    expect_printed(config, ",\n    \"HighCpuUsage\": null,\n    \"SocketFailure\": null\n  },\n");
    expect_loads_again(config);
    config_free(config);
}

/* One that comes back is a new one, in its old place. */
static void test_rules_removed_one_comes_back(void **state)
{
    const char *sets[] = {
        "rules.NetworkFailure=null", "rules.Z={\"metric\":\"cpu_usage\",\"op\":\">\",\"threshold\":1}",
        "rules.NetworkFailure={\"metric\":\"cpu_usage\",\"op\":\"<\",\"threshold\":1}", NULL};
    struct problems problems;
    struct config *config = load(&problems, NULL, sets);

    UNUSED(state);
    assert_non_null(config);
    expect_order(config, DEFAULT_NAMES "Z ");
    assert_int_equal(find_rule(config, "NetworkFailure")->for_ms, 0);
    assert_int_equal(find_rule(config, "NetworkFailure")->event, EVENT_NONE);
    expect_printed(config, "\"NetworkFailure\": {\"metric\": \"cpu_usage\", \"op\": \"<\"");
    config_free(config);
}

#define NEW(fields) "rules.New={\"metric\":\"cpu_usage\",\"op\":\">\",\"threshold\":1," fields "}"

/* More attempts than there are: an instance may still have them when recovery.max_attempts is lowered. */
static void test_rules_may_wait_for_more_attempts(void **state)
{
    const char *sets[] = {"recovery.max_attempts=1", "rules.RecoveryFailure.threshold=3", NULL};
    struct problems problems;
    struct config *config = load(&problems, NULL, sets);

    UNUSED(state);
    assert_non_null(config);
    assert_true(find_rule(config, "RecoveryFailure")->threshold == 3);
    config_free(config);
}

static void test_rules_are_refused(void **state)
{
    static const struct bad_row rows[] = {
        {NULL, "rules.New.metric=cpu_usage", "rules.New", "must have metric, op and threshold"},
        {NULL, "rules.New={}", "rules.New", "must have metric, op and threshold"},
        {NULL, "rules.highcpuusage.for_ms=5", "rules.highcpuusage", "did you mean HighCpuUsage?"},
        {NULL, "rules.HighCPU.=5", "rules.HighCPU.", "unknown key"},
        {NULL, "rules.=5", "rules.", "must be 1 to 64 letters"},
        {NULL, "rules.a b={}", "rules.a b", "must be 1 to 64 letters"},
        {NULL, "rules.FleetFailure={\"severity\":\"warning\"}", "rules.FleetFailure",
         "is the name of the daemon's own alert"},
        {NULL, "rules.HighCpuUsage=5", "rules.HighCpuUsage", "must be an object, or null"},
        {NULL, "rules.HighCpuUsage=[]", "rules.HighCpuUsage", "must be an object, or null"},
        {NULL, "rules.HighCpuUsag=null", "rules.HighCpuUsag",
         "no such rule to remove; did you mean HighCpuUsage?"},
        {NULL, "rules.HighCpuUsage.forms=5", "rules.HighCpuUsage.forms", "did you mean for_ms?"},
        {"{\"rules\": {\"HighCpuUsage\": {\"forms\": 5}}}", NULL, "rules.HighCpuUsage.forms",
         "did you mean for_ms?"},
        {"{\"rules\": {\"HighCpuUsage\": {\"wholly\": 5}}}", NULL, "rules.HighCpuUsage.wholly",
         "there are metric, op, threshold, for_ms, clear, keep_firing_ms, severity, actions, event and "
         "enabled"},
        {"{\"rules\": {\"A\": null}}", NULL, "rules.A", "no such rule"},
        {"{\"rules\": {\"HighCpuUsage\": null, \"HighCpuUsage\": null}}", NULL, "rules.HighCpuUsage",
         "is there twice"},
        {"{\"rules\": {\"HighCpuUsage\": {\"for_ms\": 1, \"for_ms\": 1}}}", NULL, "rules.HighCpuUsage.for_ms",
         "is there twice"},
        {"{\"rules\": {\"High\\u0000\": {}}}", NULL, "rules.High\xef\xbf\xbf", "must be 1 to 64 letters"},
        {NULL, NEW("\"metric\":\"cpu_usag\""), "rules.New.metric", "is there twice"},
        {NULL, "rules.HighCpuUsage.for=5", "rules.HighCpuUsage.for", "did you mean for_ms?"},
        {NULL, "rules.HighCpuUsage.op=\"=>\"", "rules.HighCpuUsage.op",
         "must be one of >, >=, <, <=, == or !=; did you mean >=?"},
        {NULL, "rules.HighCpuUsage.op=\"=\"", "rules.HighCpuUsage.op", "did you mean ==?"},
        {NULL, "rules.HighCpuUsage.op=\"LT\"", "rules.HighCpuUsage.op", "did you mean <?"},
        {NULL, "rules.HighCpuUsage.op=\"\xe2\x89\xa4\"", "rules.HighCpuUsage.op", "did you mean <=?"},
        {NULL, "rules.HighCpuUsage={\"op\":\"<\",\"threshold\":0}", "rules.HighCpuUsage.threshold",
         "can never be met: it is never negative"},
        {NULL, "rules.HighCpuUsage={\"op\":\"<=\",\"threshold\":-1}", "rules.HighCpuUsage.threshold",
         "never be met"},
        {NULL, "rules.SocketFailure.threshold=-1", "rules.SocketFailure.threshold", "never be met"},
        {NULL, "rules.HighCpuUsage.metric=cpu_usag", "rules.HighCpuUsage.metric", "did you mean cpu_usage?"},
        {NULL, "rules.HighCpuUsage.metric=instance_id", "rules.HighCpuUsage.metric",
         "must be one of active_connections, cpu_usage, "},
        {NULL, "rules.HighCpuUsage.metric=5", "rules.HighCpuUsage.metric", "must be text"},
        {NULL, "rules.HighCpuUsage.op=\"=>\"", "rules.HighCpuUsage.op",
         "must be one of >, >=, <, <=, == or !="},
        {NULL, "rules.HighCpuUsage.threshold=\"80\"", "rules.HighCpuUsage.threshold", "must be a number"},
        {NULL, "rules.HighCpuUsage.threshold=1e999", "rules.HighCpuUsage.threshold", "must be from"},
        {NULL, "rules.HighCpuUsage.threshold=true", "rules.HighCpuUsage.threshold", "must be a number"},
        {NULL, "rules.HighCpuUsage.threshold=null", "rules.HighCpuUsage.threshold",
         "null is for recovery_attempts"},
        {NULL, "rules.HighCpuUsage.threshold=crashed", "rules.HighCpuUsage.threshold", "must be a number"},
        {NULL, "rules.InstanceCrash.threshold=2", "rules.InstanceCrash.threshold", "must be one of running"},
        {NULL, "rules.InstanceCrash.threshold=null", "rules.InstanceCrash.threshold",
         "must be one of running"},
        {NULL, "rules.InstanceCrash.threshold=broken", "rules.InstanceCrash.threshold",
         "one of running, stopped"},
        {NULL, "rules.InstanceCrash.metric=cpu_usage", "rules.InstanceCrash.threshold", "must be a number"},
        {NULL, "rules.RecoveryFailure.metric=cpu_usage", "rules.RecoveryFailure.threshold",
         "must be a number"},
        {NULL, "rules.InstanceCrash.op=>", "rules.InstanceCrash.op", "compared with == or !="},
        {NULL, "rules.InstanceCrash.clear=1", "rules.InstanceCrash.clear", "no meaning"},
        {NULL, "rules.HighCpuUsage.clear=81", "rules.HighCpuUsage.clear", "above the threshold"},
        {NULL, "rules.SocketFailure.clear=1", "rules.SocketFailure.clear", "no meaning"},
        {NULL, "rules.RecoveryFailure.clear=1", "rules.RecoveryFailure.clear", "threshold that is a number"},
        {"{\"rules\": {\"HighCpuUsage\": {\"clear\": 70}}}", "rules.HighCpuUsage.threshold=60",
         "rules.HighCpuUsage.clear", "above the threshold"},
        {NULL, "rules.HighCpuUsage.clear=x", "rules.HighCpuUsage.clear", "must be a number"},
        {NULL, "rules.HighCpuUsage.for_ms=-1", "rules.HighCpuUsage.for_ms", "must be from 0 to 315360000000"},
        {NULL, "rules.HighCpuUsage.for_ms=0.5", "rules.HighCpuUsage.for_ms", "must be a whole number"},
        {NULL, "rules.HighCpuUsage.for_ms=null", "rules.HighCpuUsage.for_ms", "must be a whole number"},
        {NULL, "rules.HighCpuUsage.keep_firing_ms=\"1\"", "rules.HighCpuUsage.keep_firing_ms",
         "must be a whole number"},
        {NULL, "rules.HighCpuUsage.severity=warnin", "rules.HighCpuUsage.severity",
         "must be one of info, warning or critical; did you mean warning?"},
        {NULL, "rules.HighCpuUsage.actions=notify", "rules.HighCpuUsage.actions", "must be a list"},
        {NULL, "rules.HighCpuUsage.actions=[\"notify\",\"kill\"]", "rules.HighCpuUsage.actions[1]",
         "must be one of notify, recover, reconnect, throttle, redistribute or stop"},
        {NULL, "rules.HighCpuUsage.actions=[\"stop\",\"stop\"]", "rules.HighCpuUsage.actions[1]", "twice"},
        {NULL, "rules.HighCpuUsage.actions=[1]", "rules.HighCpuUsage.actions[0]", "must be text"},
        {NULL, "rules.HighCpuUsage.event=instance_failed", "rules.HighCpuUsage.event",
         "must be one of network_issue or socket_failure"},
        {NULL, "rules.HighCpuUsage.event=\"\"", "rules.HighCpuUsage.event", "must be one of"},
        {NULL, "rules.HighCpuUsage.enabled=1", "rules.HighCpuUsage.enabled", "true or false"},
    };

    UNUSED(state);
    expect_bad_rows(rows, ARRAY_LEN(rows));
}

/* COUNT rules of our own. */
static void make_rules(struct buf *text, int count)
{
    buf_add_text(text, "{\"rules\": {");
    for (int i = 0; i < count; i++)
        buf_add_format(text, "%s\"R%d\": {\"metric\": \"cpu_usage\", \"op\": \">\", \"threshold\": %d}",
                       i ? "," : "", i, i);
    buf_add_text(text, "}}");
}

static void test_rules_at_most_as_many_as_there_is_room(void **state)
{
    struct buf text = BUF_INIT;
    struct problems problems;
    struct config *config;

    UNUSED(state);
    make_rules(&text, RULES_MAX - 8);
    config = load(&problems, buf_text(&text), NULL);
    assert_non_null(config);
    assert_int_equal(config->rules.count, RULES_MAX);
    expect_loads_again(config);
    config_free(config);
    buf_reset(&text, SIZE_MAX);
    make_rules(&text, RULES_MAX - 7);
    assert_null(load(&problems, buf_text(&text), NULL));
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.key[0], "rules.R248");
    assert_non_null(strstr(problems.what[0], "256"));
    buf_clear(&text);
}

/* What is told at the end names the source that spoke of the rule last. */
static void test_rules_problem_names_its_source(void **state)
{
    const char *sets[] = {"rules.SocketFailure.for_ms=1", NULL};
    struct problems problems;

    UNUSED(state);
    assert_null(load(&problems, "{\"rules\": {\"HighCpuUsage\": {\"clear\": 100}}}", sets));
    assert_int_equal(problems.count, 1);
    assert_int_equal(strncmp(problems.where[0], "/tmp/mt5-config-", 16), 0);
    assert_null(load_set(&problems, "rules.HighCpuUsage.clear=100"));
    assert_string_equal(problems.where[0], "--set");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_default_to_the_eight),
        cmocka_unit_test(test_rules_merge_field_by_field),
        cmocka_unit_test(test_rules_new_one_has_defaults),
        cmocka_unit_test(test_rules_new_one_by_sets),
        cmocka_unit_test(test_rules_null_removes),
        cmocka_unit_test(test_rules_removed_one_comes_back),
        cmocka_unit_test(test_rules_may_wait_for_more_attempts),
        cmocka_unit_test(test_rules_are_refused),
        cmocka_unit_test(test_rules_at_most_as_many_as_there_is_room),
        cmocka_unit_test(test_rules_problem_names_its_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
