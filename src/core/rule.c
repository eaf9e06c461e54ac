/* The vocabulary of alert rules, and the eight rules that everybody starts with. */
#include "core/rule.h"

#include "util/macros.h"
#include <assert.h>

/* A metric that agents report, by its enum report_field. */
#define FIELD(field) ((enum rule_metric)REPORT_##field)

static const char *const own_metric_names[] = {
    [METRIC_MEMORY_USAGE_PERCENT - REPORT_NUMBERS] = "memory_usage_percent",
    [METRIC_RECOVERY_ATTEMPTS - REPORT_NUMBERS] = "recovery_attempts",
    [METRIC_HEARTBEAT_AGE_MS - REPORT_NUMBERS] = "heartbeat_age_ms",
    [METRIC_OPEN_TRADES - REPORT_NUMBERS] = "open_trades",
    [METRIC_STATE - REPORT_NUMBERS] = "state",
};
static_assert(ARRAY_LEN(own_metric_names) == RULE_METRICS - REPORT_NUMBERS, "every metric has a name");

static const char *const op_names[RULE_OPS] = {
    [RULE_GT] = ">", [RULE_GE] = ">=", [RULE_LT] = "<", [RULE_LE] = "<=", [RULE_EQ] = "==", [RULE_NE] = "!=",
};

static const char *const severity_names[SEVERITIES] = {
    [SEVERITY_INFO] = "info",
    [SEVERITY_WARNING] = "warning",
    [SEVERITY_CRITICAL] = "critical",
};

static const char *const action_names[RULE_ACTIONS] = {
    [ACTION_NOTIFY] = "notify",     [ACTION_RECOVER] = "recover",           [ACTION_RECONNECT] = "reconnect",
    [ACTION_THROTTLE] = "throttle", [ACTION_REDISTRIBUTE] = "redistribute", [ACTION_STOP] = "stop",
};

static const enum event_kind rule_events[] = {EVENT_NETWORK_ISSUE, EVENT_SOCKET_FAILURE};

/* What the value is held against: a number, or recovery.max_attempts. */
#define LIMIT(number)      .threshold = (number)
#define LIMIT_MAX_ATTEMPTS .by_max_attempts = true

#define RULE(rule_name, its_metric, its_op, limit, held_ms, action, its_severity, its_event)                 \
    {                                                                                                        \
        .name = {sizeof(rule_name) - 1, rule_name}, .metric = its_metric, .op = RULE_##its_op, limit,        \
        .for_ms = held_ms, .severity = SEVERITY_##its_severity,                                              \
        .actions = ACTION_BIT(ACTION_NOTIFY) | ACTION_BIT(ACTION_##action), .event = EVENT_##its_event,      \
        .enabled = true                                                                                      \
    }

/* SPEC §6.1. All of them notify; the action is what they do besides. */
static const struct rule default_rules[] = {
    RULE("HighCpuUsage", FIELD(CPU_USAGE), GT, LIMIT(80), 10000, RECOVER, WARNING, NONE),
    RULE("HighMemoryUsage", METRIC_MEMORY_USAGE_PERCENT, GT, LIMIT(80), 10000, RECOVER, WARNING, NONE),
    RULE("NetworkFailure", FIELD(NETWORK_LATENCY), GT, LIMIT(500), 5000, RECONNECT, CRITICAL, NETWORK_ISSUE),
    RULE("InstanceCrash", METRIC_STATE, EQ, LIMIT(STATE_CRASHED), 0, RECOVER, CRITICAL, NONE),
    RULE("HighQueueLength", FIELD(QUEUE_LENGTH), GT, LIMIT(100), 0, THROTTLE, WARNING, NONE),
    RULE("HighLoadAverage", FIELD(LOAD_AVERAGE), GT, LIMIT(2.0), 0, REDISTRIBUTE, WARNING, NONE),
    RULE("SocketFailure", FIELD(SOCKET_CONNECTIONS), EQ, LIMIT(0), 0, RECONNECT, CRITICAL, SOCKET_FAILURE),
    RULE("RecoveryFailure", METRIC_RECOVERY_ATTEMPTS, GT, LIMIT_MAX_ATTEMPTS, 0, STOP, CRITICAL, NONE),
};
static_assert(ARRAY_LEN(default_rules) <= RULES_MAX, "the defaults must fit");

/* The index of TEXT among NAMES; -1 where it is none of them. */
static int name_find(const char *const *names, size_t count, struct slice text)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is(text, names[i]))
            return (int)i;
    }
    return -1;
}

const char *rule_metric_name(enum rule_metric metric)
{
    return (int)metric < REPORT_NUMBERS ? report_field_table[metric].name.data
                                        : own_metric_names[metric - REPORT_NUMBERS];
}

bool rule_metric_parse(struct slice text, enum rule_metric *ret_metric)
{
    int found = name_find(own_metric_names, ARRAY_LEN(own_metric_names), text);

    if (found >= 0) {
        *ret_metric = (enum rule_metric)(found + REPORT_NUMBERS);
        return true;
    }
    for (int field = 0; field < REPORT_NUMBERS; field++) {
        if (slice_equal(text, report_field_table[field].name)) {
            *ret_metric = (enum rule_metric)field;
            return true;
        }
    }
    return false;
}

const char *rule_op_name(enum rule_op op)
{
    return op_names[op];
}

bool rule_op_parse(struct slice text, enum rule_op *ret_op)
{
    int found = name_find(op_names, ARRAY_LEN(op_names), text);

    if (found < 0)
        return false;
    *ret_op = (enum rule_op)found;
    return true;
}

enum event_gravity severity_gravity(enum severity severity)
{
    static const enum event_gravity gravities[SEVERITIES] = {
        [SEVERITY_INFO] = GRAVITY_INFO,
        [SEVERITY_WARNING] = GRAVITY_WARNING,
        [SEVERITY_CRITICAL] = GRAVITY_ERROR,
    };

    return gravities[severity];
}

const char *severity_name(enum severity severity)
{
    return severity_names[severity];
}

bool severity_parse(struct slice text, enum severity *ret_severity)
{
    int found = name_find(severity_names, ARRAY_LEN(severity_names), text);

    if (found < 0)
        return false;
    *ret_severity = (enum severity)found;
    return true;
}

const char *rule_action_name(enum rule_action action)
{
    return action_names[action];
}

bool rule_action_parse(struct slice text, enum rule_action *ret_action)
{
    int found = name_find(action_names, ARRAY_LEN(action_names), text);

    if (found < 0)
        return false;
    *ret_action = (enum rule_action)found;
    return true;
}

bool rule_event_parse(struct slice text, enum event_kind *ret_event)
{
    for (size_t i = 0; i < ARRAY_LEN(rule_events); i++) {
        if (slice_is(text, event_name(rule_events[i]))) {
            *ret_event = rule_events[i];
            return true;
        }
    }
    return false;
}

void rule_set_init(struct rule_set *set)
{
    memcpy(set->rules, default_rules, sizeof default_rules);
    set->count = ARRAY_LEN(default_rules);
}

struct rule *rule_set_find(struct rule_set *set, struct slice name)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (slice_equal(ident_slice(&set->rules[i].name), name))
            return &set->rules[i];
    }
    return NULL;
}

static const char *find_state_fault(const struct rule *rule)
{
    if (rule->op != RULE_EQ && rule->op != RULE_NE)
        return "a state is compared with == or != only";
    for (int state = 0; state < INSTANCE_STATES; state++) {
        if (rule->threshold == state)
            return NULL;
    }
    return "the threshold is no state";
}

static const char *find_clear_fault(const struct rule *rule)
{
    if (rule->by_max_attempts)
        return "clear needs a threshold that is a number";
    switch (rule->op) {
    case RULE_GT:
    case RULE_GE:
        return rule->clear > rule->threshold ? "clear is above the threshold" : NULL;
    case RULE_LT:
    case RULE_LE:
        return rule->clear < rule->threshold ? "clear is below the threshold" : NULL;
    case RULE_EQ:
    case RULE_NE:
        break;
    }
    return "clear has no meaning with == and !=";
}

const char *rule_find_fault(const struct rule *rule)
{
    const char *fault = NULL;

    if (rule->by_max_attempts && rule->metric != METRIC_RECOVERY_ATTEMPTS)
        return "recovery.max_attempts is a threshold for recovery_attempts only";
    if (rule->metric == METRIC_STATE)
        fault = find_state_fault(rule);
    if (!fault && rule->has_clear)
        fault = find_clear_fault(rule);
    return fault;
}

bool rule_is_threshold(const struct rule *rule)
{
    return rule->metric != METRIC_STATE && rule->metric != METRIC_RECOVERY_ATTEMPTS;
}

bool rule_holds(const struct rule *rule, double value, double limit)
{
    switch (rule->op) {
    case RULE_GT:
        return value > limit;
    case RULE_GE:
        return value >= limit;
    case RULE_LT:
        return value < limit;
    case RULE_LE:
        return value <= limit;
    case RULE_EQ:
        return value == limit;
    case RULE_NE:
        break;
    }
    return value != limit;
}
