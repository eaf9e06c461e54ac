#include "core/rule.h"
#include "util/macros.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* SPEC §6.1, as it is printed there. */
static const struct {
    const char *name, *metric, *op;
    double threshold;
    int64_t for_ms;
    uint32_t actions;
    const char *severity;
    enum event_kind event;
} defaults[] = {
    {"HighCpuUsage", "cpu_usage", ">", 80, 10000, 0x3, "warning", EVENT_NONE},
    {"HighMemoryUsage", "memory_usage_percent", ">", 80, 10000, 0x3, "warning", EVENT_NONE},
    {"NetworkFailure", "network_latency", ">", 500, 5000, 0x5, "critical", EVENT_NETWORK_ISSUE},
    {"InstanceCrash", "state", "==", STATE_CRASHED, 0, 0x3, "critical", EVENT_NONE},
    {"HighQueueLength", "queue_length", ">", 100, 0, 0x9, "warning", EVENT_NONE},
    {"HighLoadAverage", "load_average", ">", 2.0, 0, 0x11, "warning", EVENT_NONE},
    {"SocketFailure", "socket_connections", "==", 0, 0, 0x5, "critical", EVENT_SOCKET_FAILURE},
    {"RecoveryFailure", "recovery_attempts", ">", 0, 0, 0x21, "critical", EVENT_NONE},
};

static void test_rule_set_init_gives_the_eight_in_order(void **state)
{
    struct rule_set set;

    (void)state;
    rule_set_init(&set);
    assert_int_equal(set.count, ARRAY_LEN(defaults));
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        const struct rule *rule = &set.rules[i];
        bool is_last = i + 1 == ARRAY_LEN(defaults);

        assert_true(slice_is(ident_slice(&rule->name), defaults[i].name));
        assert_true(ident_is_valid(ident_slice(&rule->name), IDENT_MAX));
        assert_string_equal(rule_metric_name(rule->metric), defaults[i].metric);
        assert_string_equal(rule_op_name(rule->op), defaults[i].op);
        assert_true(rule->threshold == defaults[i].threshold);
        assert_int_equal(rule->by_max_attempts, is_last);
        assert_int_equal(rule->for_ms, defaults[i].for_ms);
        assert_int_equal(rule->keep_firing_ms, 0);
        assert_int_equal(rule->actions, defaults[i].actions);
        assert_string_equal(severity_name(rule->severity), defaults[i].severity);
        assert_int_equal(rule->event, defaults[i].event);
        assert_true(rule->enabled);
        assert_false(rule->has_clear);
        assert_null(rule_find_fault(rule));
    }
}

static void test_rule_set_find_by_exact_name(void **state)
{
    struct rule_set set;

    (void)state;
    rule_set_init(&set);
    assert_ptr_equal(rule_set_find(&set, slice_text("HighCpuUsage")), &set.rules[0]);
    assert_ptr_equal(rule_set_find(&set, slice_text("RecoveryFailure")), &set.rules[7]);
    assert_null(rule_set_find(&set, slice_text("highcpuusage")));
    assert_null(rule_set_find(&set, slice_text("HighCpu")));
    assert_null(rule_set_find(&set, slice_text("HighCpuUsageX")));
    assert_null(rule_set_find(&set, slice_text("")));
    set.count = 7;
    assert_null(rule_set_find(&set, slice_text("RecoveryFailure")));
}

static void test_a_copy_of_a_set_is_its_own(void **state)
{
    struct rule_set set, copy;

    (void)state;
    rule_set_init(&set);
    copy = set;
    rule_set_find(&copy, slice_text("SocketFailure"))->threshold = 3;
    assert_true(rule_set_find(&set, slice_text("SocketFailure"))->threshold == 0);
}

static const char *const metrics[] = {
    "active_connections",
    "cpu_usage",
    "memory_usage",
    "network_usage",
    "disk_usage",
    "memory_limit",
    "network_latency",
    "queue_length",
    "load_average",
    "socket_connections",
    "uptime_seconds",
    "restart_count",
    "memory_usage_percent",
    "recovery_attempts",
    "heartbeat_age_ms",
    "open_trades",
    "state",
};

static void test_rule_metric_parse_of_every_metric(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_LEN(metrics), RULE_METRICS);
    for (int i = 0; i < RULE_METRICS; i++) {
        enum rule_metric metric = METRIC_STATE;

        assert_true(rule_metric_parse(slice_text(metrics[i]), &metric));
        assert_int_equal(metric, i);
        assert_string_equal(rule_metric_name(metric), metrics[i]);
    }
}

static void test_rule_metric_parse_refuses_the_rest(void **state)
{
    static const char *const refused[] = {"",           "instance_id", "broker_id",     "host_id",
                                          "last_error", "launch_mode", "health_status", "CPU_USAGE",
                                          "cpu_usag",   "cpu_usage ",  "State"};
    enum rule_metric metric = METRIC_OPEN_TRADES;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_false(rule_metric_parse(slice_text(refused[i]), &metric));
    assert_int_equal(metric, METRIC_OPEN_TRADES);
}

static void test_rule_op_parse(void **state)
{
    static const char *const names[RULE_OPS] = {">", ">=", "<", "<=", "==", "!="};
    static const char *const refused[] = {"", "=", "=>", "<>", ">>", "> ", "gt"};
    enum rule_op op = RULE_LT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_false(rule_op_parse(slice_text(refused[i]), &op));
    assert_int_equal(op, RULE_LT);
    for (int i = 0; i < RULE_OPS; i++) {
        assert_true(rule_op_parse(slice_text(names[i]), &op));
        assert_int_equal(op, i);
        assert_string_equal(rule_op_name(op), names[i]);
    }
}

static void test_severity_parse(void **state)
{
    static const char *const names[SEVERITIES] = {"info", "warning", "critical"};
    enum severity severity = SEVERITY_WARNING;

    (void)state;
    assert_false(severity_parse(slice_text(""), &severity));
    assert_false(severity_parse(slice_text("Critical"), &severity));
    assert_false(severity_parse(slice_text("error"), &severity));
    assert_int_equal(severity, SEVERITY_WARNING);
    for (int i = 0; i < SEVERITIES; i++) {
        assert_true(severity_parse(slice_text(names[i]), &severity));
        assert_int_equal(severity, i);
        assert_string_equal(severity_name(severity), names[i]);
    }
}

static void test_rule_action_parse(void **state)
{
    static const char *const names[RULE_ACTIONS] = {"notify",   "recover",      "reconnect",
                                                    "throttle", "redistribute", "stop"};
    static const char *const refused[] = {"", "start", "restart", "cancel", "unthrottle", "Notify"};
    enum rule_action action = ACTION_THROTTLE;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_false(rule_action_parse(slice_text(refused[i]), &action));
    assert_int_equal(action, ACTION_THROTTLE);
    for (int i = 0; i < RULE_ACTIONS; i++) {
        assert_true(rule_action_parse(slice_text(names[i]), &action));
        assert_int_equal(action, i);
        assert_string_equal(rule_action_name(action), names[i]);
    }
}

static void test_rule_event_parse_takes_only_what_a_rule_may_claim(void **state)
{
    enum event_kind event = EVENT_NONE;

    (void)state;
    assert_false(rule_event_parse(slice_text(""), &event));
    assert_false(rule_event_parse(slice_text("Network_Issue"), &event));
    for (int i = 0; i < EVENT_KINDS; i++) {
        bool is_for_rules = i == EVENT_NETWORK_ISSUE || i == EVENT_SOCKET_FAILURE;

        event = EVENT_NONE;
        assert_int_equal(rule_event_parse(slice_text(event_name((enum event_kind)i)), &event), is_for_rules);
        assert_int_equal(event, is_for_rules ? i : EVENT_NONE);
    }
}

#define CPU   ((enum rule_metric)REPORT_CPU_USAGE)
#define TRIES METRIC_RECOVERY_ATTEMPTS

static const struct {
    enum rule_metric metric;
    enum rule_op op;
    double threshold;
    bool by_max_attempts, has_clear;
    double clear;
    const char *fault; /* a word of it, or NULL */
} faults[] = {
    {CPU, RULE_GT, 80, false, false, 90, NULL},
    {CPU, RULE_GT, 80, false, true, 70, NULL},
    {CPU, RULE_GT, 80, false, true, 80, NULL},
    {CPU, RULE_GT, 80, false, true, 80.5, "above"},
    {CPU, RULE_GE, 80, false, true, 80, NULL},
    {CPU, RULE_GE, 80, false, true, 81, "above"},
    {CPU, RULE_LT, 10, false, true, 20, NULL},
    {CPU, RULE_LT, 10, false, true, 10, NULL},
    {CPU, RULE_LT, 10, false, true, 9, "below"},
    {CPU, RULE_LE, 10, false, true, 11, NULL},
    {CPU, RULE_LE, 10, false, true, 9, "below"},
    {CPU, RULE_EQ, 0, false, true, 0, "=="},
    {CPU, RULE_NE, 0, false, true, 0, "=="},
    {CPU, RULE_EQ, 0, false, false, 0, NULL},
    {METRIC_STATE, RULE_EQ, STATE_CRASHED, false, false, 0, NULL},
    {METRIC_STATE, RULE_NE, STATE_RUNNING, false, false, 0, NULL},
    {METRIC_STATE, RULE_NE, STATE_RESTARTING, false, false, 0, NULL},
    {METRIC_STATE, RULE_GT, STATE_RUNNING, false, false, 0, "a state"},
    {METRIC_STATE, RULE_GE, STATE_RUNNING, false, false, 0, "a state"},
    {METRIC_STATE, RULE_LT, STATE_CRASHED, false, false, 0, "a state"},
    {METRIC_STATE, RULE_LE, STATE_CRASHED, false, false, 0, "a state"},
    {METRIC_STATE, RULE_EQ, INSTANCE_STATES, false, false, 0, "no state"},
    {METRIC_STATE, RULE_EQ, STATE_NONE, false, false, 0, "no state"},
    {METRIC_STATE, RULE_EQ, 0.5, false, false, 0, "no state"},
    {METRIC_STATE, RULE_EQ, STATE_CRASHED, false, true, STATE_RUNNING, "clear"},
    {TRIES, RULE_GT, 0, true, false, 0, NULL},
    {TRIES, RULE_GT, 0, true, true, 0, "clear"},
    {TRIES, RULE_GT, 5, false, true, 4, NULL},
    {CPU, RULE_GT, 0, true, false, 0, "max_attempts"},
    {METRIC_STATE, RULE_EQ, 0, true, false, 0, "max_attempts"},
};

static void test_rule_find_fault(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct rule rule = {.metric = faults[i].metric,
                            .op = faults[i].op,
                            .threshold = faults[i].threshold,
                            .by_max_attempts = faults[i].by_max_attempts,
                            .has_clear = faults[i].has_clear,
                            .clear = faults[i].clear};
        const char *fault = rule_find_fault(&rule);

        if (!faults[i].fault)
            assert_null(fault);
        else if (!fault || !strstr(fault, faults[i].fault))
            fail_msg("row %zu: %s, expected %s", i, fault ? fault : "no fault", faults[i].fault);
    }
}

static void test_rule_is_threshold_for_all_but_two_metrics(void **state)
{
    (void)state;
    for (int i = 0; i < RULE_METRICS; i++) {
        struct rule rule = {.metric = (enum rule_metric)i};

        assert_int_equal(rule_is_threshold(&rule), i != METRIC_STATE && i != METRIC_RECOVERY_ATTEMPTS);
    }
}

/* Below, at and above the limit. */
static const bool holds[RULE_OPS][3] = {
    [RULE_GT] = {false, false, true}, [RULE_GE] = {false, true, true},  [RULE_LT] = {true, false, false},
    [RULE_LE] = {true, true, false},  [RULE_EQ] = {false, true, false}, [RULE_NE] = {true, false, true},
};

static void test_rule_holds_on_both_sides_of_the_limit(void **state)
{
    (void)state;
    for (int op = 0; op < RULE_OPS; op++) {
        struct rule rule = {.metric = CPU, .op = (enum rule_op)op, .threshold = 1000};

        assert_int_equal(rule_holds(&rule, nextafter(80, 0), 80), holds[op][0]);
        assert_int_equal(rule_holds(&rule, 80, 80), holds[op][1]);
        assert_int_equal(rule_holds(&rule, nextafter(80, 100), 80), holds[op][2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule_set_init_gives_the_eight_in_order),
        cmocka_unit_test(test_rule_set_find_by_exact_name),
        cmocka_unit_test(test_a_copy_of_a_set_is_its_own),
        cmocka_unit_test(test_rule_metric_parse_of_every_metric),
        cmocka_unit_test(test_rule_metric_parse_refuses_the_rest),
        cmocka_unit_test(test_rule_op_parse),
        cmocka_unit_test(test_severity_parse),
        cmocka_unit_test(test_rule_action_parse),
        cmocka_unit_test(test_rule_event_parse_takes_only_what_a_rule_may_claim),
        cmocka_unit_test(test_rule_find_fault),
        cmocka_unit_test(test_rule_is_threshold_for_all_but_two_metrics),
        cmocka_unit_test(test_rule_holds_on_both_sides_of_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
