/* Alert rules (SPEC §6.1): what a rule is, its vocabulary, the eight that everybody starts with, and whether
 * a value meets one. Rules are data: the configuration merges its own over the defaults by name. */
#pragma once

#include "core/event.h"
#include "core/ident.h"
#include "core/report.h"

/* What a rule may look at: the numbers of a report under their own names (enum report_field), and these. */
enum rule_metric {
    METRIC_MEMORY_USAGE_PERCENT = REPORT_NUMBERS,
    METRIC_RECOVERY_ATTEMPTS,
    METRIC_HEARTBEAT_AGE_MS,
    METRIC_OPEN_TRADES,
    METRIC_STATE,
};
#define RULE_METRICS (METRIC_STATE + 1)

enum rule_op { RULE_GT, RULE_GE, RULE_LT, RULE_LE, RULE_EQ, RULE_NE };
#define RULE_OPS 6

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL };
#define SEVERITIES 3

/* In the order in which the configuration lists and prints them. Several of a rule are a set of bits. */
enum rule_action {
    ACTION_NOTIFY,
    ACTION_RECOVER,
    ACTION_RECONNECT,
    ACTION_THROTTLE,
    ACTION_REDISTRIBUTE,
    ACTION_STOP
};
#define RULE_ACTIONS       6
#define ACTION_BIT(action) (1U << (unsigned)(action))

struct rule {
    struct ident name;
    enum rule_metric metric;
    enum rule_op op;
    /* For METRIC_STATE the number of the state. Where by_max_attempts is set, recovery.max_attempts takes its
     * place, and the alert is resolved when recovery is armed again. */
    double threshold;
    bool by_max_attempts;
    bool has_clear;
    double clear; /* fires until OP does not hold against this one */
    int64_t for_ms, keep_firing_ms;
    enum severity severity;
    uint32_t actions;      /* bits of enum rule_action */
    enum event_kind event; /* published when it begins to fire; EVENT_NONE for none */
    bool enabled;
};

/* Held by value: a copy is a set of its own. */
#define RULES_MAX 256
struct rule_set {
    struct rule rules[RULES_MAX];
    uint32_t count;
};

const char *rule_metric_name(enum rule_metric metric);
bool rule_metric_parse(struct slice text, enum rule_metric *ret_metric);
/* `>`, `>=`, … */
const char *rule_op_name(enum rule_op op);
bool rule_op_parse(struct slice text, enum rule_op *ret_op);
const char *severity_name(enum severity severity);
/* How much an alert of that severity matters when it begins to fire. */
enum event_gravity severity_gravity(enum severity severity);
bool severity_parse(struct slice text, enum severity *ret_severity);
const char *rule_action_name(enum rule_action action);
bool rule_action_parse(struct slice text, enum rule_action *ret_action);
/* The events that a rule may publish of its own (network_issue, socket_failure): the others say what has
 * happened to an instance, which is not for a rule to claim. False for all else. */
bool rule_event_parse(struct slice text, enum event_kind *ret_event);

/* Puts the eight rules of SPEC §6.1 into SET, in their order. */
void rule_set_init(struct rule_set *set);
/* NULL where there is none of that name. */
struct rule *rule_set_find(struct rule_set *set, struct slice name);

/* What is wrong with a rule whose fields are each valid (text for people, static), or NULL: a `clear` on the
 * wrong side of the threshold, with == and != or with by_max_attempts, a state that is compared by size or
 * with what is no state, by_max_attempts for another metric than recovery_attempts. */
const char *rule_find_fault(const struct rule *rule);

/* A threshold rule is judged on running instances only (SPEC §6.1); the two others are about what an instance
 * has come to. */
bool rule_is_threshold(const struct rule *rule);
/* VALUE meets the rule's condition, with LIMIT in place of its threshold. */
bool rule_holds(const struct rule *rule, double value, double limit);
