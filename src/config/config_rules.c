/* rules: objects by name, merged over the defaults field by field.
 *
 * The file and each `--set` may say some fields of a rule, in any order, so a rule is a draft (loader.h)
 * until all is read: only then is it seen whether it is whole and its fields go together. The drafts are the
 * defaults that are left, in their order, and behind them the others as they came. Until the check
 * config->rules holds the defaults. */
#include "config_type.h"
#include "config_value.h"

#include "config/nearest.h"
#include "core/notice.h"
#include "util/errmsg.h"
#include <float.h>
#include <strings.h>

#define STATES "one of running, stopped, crashed or restarting"

static bool metric_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct rule_draft *draft = record;
    unsigned value;

    if (!word_read(loader, name, item, &vocabulary_metrics, &value))
        return false;
    draft->rule.metric = (enum rule_metric)value;
    return true;
}

/* As other languages spell them. */
static const char *op_meant(const cJSON *item)
{
    static const struct {
        const char *written, *meant;
    } table[] = {{"=>", ">="},           {"=<", "<="},          {"=", "=="},  {"===", "=="},
                 {"<>", "!="},           {"!==", "!="},         {"~=", "!="}, {"gt", ">"},
                 {"ge", ">="},           {"gte", ">="},         {"lt", "<"},  {"le", "<="},
                 {"lte", "<="},          {"eq", "=="},          {"ne", "!="}, {"\xe2\x89\xa5", ">="},
                 {"\xe2\x89\xa4", "<="}, {"\xe2\x89\xa0", "!="}};

    for (size_t i = 0; cJSON_IsString(item) && i < ARRAY_LEN(table); i++) {
        if (strcasecmp(item->valuestring, table[i].written) == 0)
            return table[i].meant;
    }
    return NULL;
}

static bool op_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct rule_draft *draft = record;
    const char *meant = op_meant(item);
    unsigned value;

    if (meant) {
        loader_problem(loader, loader->where, name, "must be one of >, >=, <, <=, == or !=; did you mean %s?",
                       meant);
        return false;
    }
    if (!word_read(loader, name, item, &vocabulary_ops, &value))
        return false;
    draft->rule.op = (enum rule_op)value;
    return true;
}

/* Which kind of threshold it must be is known when the metric is: the check looks at that. */
static bool threshold_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    static const struct number_range any = {.min = -DBL_MAX, .max = DBL_MAX};
    struct rule_draft *draft = record;
    unsigned state;

    if (cJSON_IsString(item)) {
        if (!vocabulary_states.parse(slice_text(item->valuestring), &state)) {
            tell_wrong_type(loader, name, "a number, or for the metric state " STATES);
            return false;
        }
        draft->rule.threshold = state;
        draft->threshold = THRESHOLD_STATE;
    } else if (cJSON_IsNull(item)) {
        draft->rule.threshold = 0;
        draft->threshold = THRESHOLD_MAX_ATTEMPTS;
    } else {
        if (!number_read(loader, name, item, &any, &draft->rule.threshold))
            return false;
        draft->threshold = THRESHOLD_NUMBER;
    }
    return true;
}

static bool duration_read(struct loader *loader, const char *name, const cJSON *item, int64_t *ret_ms)
{
    static const struct number_range range = {.min = 0, .max = TEN_YEARS_MS, .is_whole = true};
    double value;

    if (!number_read(loader, name, item, &range, &value))
        return false;
    *ret_ms = (int64_t)value;
    return true;
}

static bool for_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct rule_draft *draft = record;

    return duration_read(loader, name, item, &draft->rule.for_ms);
}

static bool keep_firing_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct rule_draft *draft = record;

    return duration_read(loader, name, item, &draft->rule.keep_firing_ms);
}

static bool clear_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    static const struct number_range any = {.min = -DBL_MAX, .max = DBL_MAX};
    struct rule_draft *draft = record;

    if (!cJSON_IsNull(item) && !number_read(loader, name, item, &any, &draft->rule.clear))
        return false;
    draft->rule.has_clear = !cJSON_IsNull(item);
    return true;
}

static bool severity_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct rule_draft *draft = record;
    unsigned value;

    if (!word_read(loader, name, item, &vocabulary_severities, &value))
        return false;
    draft->rule.severity = (enum severity)value;
    return true;
}

static bool actions_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct rule_draft *draft = record;

    return words_read(loader, name, item, &vocabulary_actions, &draft->rule.actions);
}

static bool event_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct rule_draft *draft = record;
    unsigned value;

    if (cJSON_IsNull(item)) {
        draft->rule.event = EVENT_NONE;
        return true;
    }
    if (!word_read(loader, name, item, &vocabulary_rule_events, &value))
        return false;
    draft->rule.event = (enum event_kind)value;
    return true;
}

static bool enabled_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct rule_draft *draft = record;

    if (!cJSON_IsBool(item)) {
        tell_wrong_type(loader, name, "true or false");
        return false;
    }
    draft->rule.enabled = cJSON_IsTrue(item);
    return true;
}

static const struct field rule_fields[] = {
    {{"metric", "name", NULL, "what is looked at"}, metric_apply, &vocabulary_metrics},
    {{"op", "name", NULL, "how the value is held against the threshold"}, op_apply, &vocabulary_ops},
    {{"threshold", "number or state", NULL,
      "the number, in the unit of the metric; a state for the metric state; null for recovery_attempts "
      "stands for "
      "recovery.max_attempts"},
     threshold_apply,
     &vocabulary_states},
    {{"for_ms", "integer", "0", "it fires where the condition has been true for longer"}, for_apply, NULL},
    {{"clear", "number or null", "null",
      "it is over where the condition is false with this number in place of the threshold; null: with the "
      "threshold"},
     clear_apply,
     NULL},
    {{"keep_firing_ms", "integer", "0", "it is over where that has been so for as long"},
     keep_firing_apply,
     NULL},
    {{"severity", "name", "warning", "how bad it is; warning and critical become the health of the instance"},
     severity_apply,
     &vocabulary_severities},
    {{"actions", "list of names", "[\"notify\"]",
      "what is done about it; of several commands the strongest comes first"},
     actions_apply,
     &vocabulary_actions},
    {{"event", "name or null", "null", "published when it begins to fire, besides alert_firing"},
     event_apply,
     &vocabulary_rule_events},
    {{"enabled", "true or false", "true", "false: it is not evaluated"}, enabled_apply, NULL},
};

const struct field_table rule_table = {rule_fields, ARRAY_LEN(rule_fields)};

void rules_set_default(struct loader *loader, const struct config_key *key)
{
    struct rule_set *defaults = &loader->config->rules;

    UNUSED(key);
    rule_set_init(defaults);
    for (uint32_t i = 0; i < defaults->count; i++) {
        const struct rule *rule = &defaults->rules[i];
        struct rule_draft *draft = &loader->rules[i];

        *draft = (struct rule_draft){.rule = *rule, .seen = UINT32_MAX, .origin = loader->where};
        if (rule->metric == METRIC_STATE)
            draft->threshold = THRESHOLD_STATE;
        else
            draft->threshold = rule->by_max_attempts ? THRESHOLD_MAX_ATTEMPTS : THRESHOLD_NUMBER;
    }
    loader->rule_count = defaults->count;
}

/* The place of NAME among the defaults; behind all of them where it is none. */
static uint32_t default_index(struct loader *loader, struct slice name)
{
    const struct rule *rule = rule_set_find(&loader->config->rules, name);

    return rule ? (uint32_t)(rule - loader->config->rules.rules) : RULES_MAX;
}

static struct rule_draft *draft_find(struct loader *loader, struct slice name)
{
    for (uint32_t i = 0; i < loader->rule_count; i++) {
        if (slice_equal(ident_slice(&loader->rules[i].rule.name), name))
            return &loader->rules[i];
    }
    return NULL;
}

static void draft_remove(struct loader *loader, struct rule_draft *draft)
{
    size_t behind = loader->rule_count - (size_t)(draft - loader->rules) - 1;

    memmove(draft, draft + 1, behind * sizeof(*draft));
    loader->rule_count--;
}

/* A default that had been removed goes back to its place, so that the order says nothing about the way here.
 */
static struct rule_draft *draft_insert(struct loader *loader, struct slice name)
{
    uint32_t place = default_index(loader, name), at = 0;
    struct rule_draft *draft;

    while (at < loader->rule_count &&
           default_index(loader, ident_slice(&loader->rules[at].rule.name)) <= place)
        at++;
    draft = &loader->rules[at];
    memmove(draft + 1, draft, (loader->rule_count - at) * sizeof(*draft));
    loader->rule_count++;
    *draft = (struct rule_draft){.rule = {.severity = SEVERITY_WARNING,
                                          .actions = ACTION_BIT(ACTION_NOTIFY),
                                          .event = EVENT_NONE,
                                          .enabled = true}};
    ident_set(&draft->rule.name, name);
    return draft;
}

/* The rule that NAME was probably meant to be, as the end of a sentence, or "". */
static void suggest_rule(const struct loader *loader, struct slice name, struct errmsg *ret_text)
{
    struct nearest nearest;

    nearest_init(&nearest, name);
    ret_text->text[0] = '\0';
    for (uint32_t i = 0; i < loader->rule_count; i++) {
        struct slice other = ident_slice(&loader->rules[i].rule.name);
        char text[IDENT_MAX + 1] = "";

        memcpy(text, other.data, other.len);
        nearest.found = NULL;
        if (!slice_equal(other, name))
            nearest_offer(&nearest, text);
        if (nearest.found)
            errmsg_set(ret_text, "; did you mean %s?", text);
    }
}

static bool rule_remove(struct loader *loader, const char *path, struct slice name)
{
    struct rule_draft *draft = draft_find(loader, name);
    struct errmsg hint;

    if (draft) {
        draft_remove(loader, draft);
        return true;
    }
    /* Twice is as good as once. */
    if (default_index(loader, name) < RULES_MAX)
        return true;
    suggest_rule(loader, name, &hint);
    loader_problem(loader, loader->where, path, "there is no such rule to remove%s", hint.text);
    return false;
}

static bool rule_merge(struct loader *loader, const struct key_path *path, struct slice name,
                       const cJSON *object)
{
    struct rule_draft *draft = draft_find(loader, name);
    uint32_t seen;
    bool good;

    if (slice_is(name, NOTICE_FLEET_FAILURE)) {
        loader_problem(loader, loader->where, path->text, "is the name of the daemon's own alert");
        return false;
    }
    if (!draft && loader->rule_count == RULES_MAX) {
        loader_problem(loader, loader->where, path->text, "there may be %d rules at most", RULES_MAX);
        return false;
    }
    if (!draft)
        draft = draft_insert(loader, name);
    good = fields_apply(loader, path, object, &rule_table, draft, &seen);
    draft->seen |= seen;
    draft->is_bad |= !good;
    draft->origin = loader->where;
    return good;
}

static bool is_repeated(const cJSON *object, const cJSON *member)
{
    const cJSON *item = object->child;

    while (item != member && strcmp(item->string, member->string) != 0)
        item = item->next;
    return item != member;
}

static bool rule_apply(struct loader *loader, const cJSON *object, const cJSON *item)
{
    struct slice name = slice_text(item->string);
    const char *fault = ident_fault(item->string);
    struct key_path path;

    key_path_set(&path, slice_text("rules"));
    key_path_add(&path, ".", item->string);
    if (!fault && is_repeated(object, item))
        fault = "is there twice";
    if (!fault && !cJSON_IsNull(item) && !cJSON_IsObject(item))
        fault = "must be an object, or null to remove the rule";
    if (fault) {
        loader_problem(loader, loader->where, path.text, "%s", fault);
        return false;
    }
    return cJSON_IsNull(item) ? rule_remove(loader, path.text, name) : rule_merge(loader, &path, name, item);
}

bool rules_apply(struct loader *loader, const struct config_key *key, const cJSON *object)
{
    bool good = true;

    UNUSED(key);
    for (const cJSON *item = object->child; item && loader->problems < LOADER_PROBLEMS_MAX; item = item->next)
        good &= rule_apply(loader, object, item);
    return good;
}

/* A rule that nobody can ever hear of was not meant so: nothing that a rule looks at is ever negative. */
static const char *never_fault(const struct rule_draft *draft)
{
    const struct rule *rule = &draft->rule;
    bool is_below_zero = (rule->op == RULE_LT && rule->threshold <= 0) ||
                         ((rule->op == RULE_LE || rule->op == RULE_EQ) && rule->threshold < 0);

    if (!rule->enabled || draft->threshold != THRESHOLD_NUMBER || !is_below_zero)
        return NULL;
    return "can never be met: it is never negative";
}

/* What is wrong with a whole draft, and in which field. */
static const char *draft_fault(const struct rule_draft *draft, const char **ret_field)
{
    struct rule rule = draft->rule;
    const char *fault;

    *ret_field = "threshold";
    if (rule.metric == METRIC_STATE && draft->threshold != THRESHOLD_STATE)
        return "must be " STATES;
    if (rule.metric != METRIC_STATE && draft->threshold == THRESHOLD_STATE)
        return "must be a number, the metric is not state";
    if (rule.metric != METRIC_RECOVERY_ATTEMPTS && draft->threshold == THRESHOLD_MAX_ATTEMPTS)
        return "must be a number; null is for recovery_attempts";
    fault = never_fault(draft);
    if (fault)
        return fault;
    fault = rule_find_fault(&rule);
    rule.has_clear = false;
    *ret_field = rule_find_fault(&rule) ? "op" : "clear";
    return fault;
}

static void draft_check(struct loader *loader, struct rule_draft *draft)
{
    struct slice name = ident_slice(&draft->rule.name);
    const char *fault, *field;
    struct key_path path;
    struct errmsg hint;

    key_path_set(&path, slice_text("rules."));
    errmsg_set(&hint, "%.*s", (int)name.len, name.data);
    key_path_add(&path, "", hint.text);
    suggest_rule(loader, name, &hint);
    if (!fields_are_complete(loader, draft->origin, path.text, &rule_table, draft->seen, hint.text))
        return;
    draft->rule.by_max_attempts = draft->threshold == THRESHOLD_MAX_ATTEMPTS;
    fault = draft_fault(draft, &field);
    if (!fault)
        return;
    key_path_add(&path, ".", field);
    loader_problem(loader, draft->origin, path.text, "%s", fault);
}

void rules_check(struct loader *loader, const struct config_key *key)
{
    struct rule_set *rules = &loader->config->rules;

    UNUSED(key);
    for (uint32_t i = 0; i < loader->rule_count && loader->problems < LOADER_PROBLEMS_MAX; i++) {
        if (!loader->rules[i].is_bad)
            draft_check(loader, &loader->rules[i]);
    }
    for (uint32_t i = 0; i < loader->rule_count; i++)
        rules->rules[i] = loader->rules[i].rule;
    rules->count = loader->rule_count;
}

/* A name may hold dots itself: `A.b.for_ms` is the field of a rule `A.b`, and `A.b=null` removes that. */
size_t rules_member_len(struct slice below, const cJSON *item)
{
    const char *dot = below.len ? memrchr(below.data, '.', below.len) : NULL;
    struct slice field = dot ? slice_of(dot + 1, below.len - (size_t)(dot + 1 - below.data)) : below;
    bool is_field = !cJSON_IsNull(item) && !cJSON_IsObject(item);

    for (size_t i = 0; i < ARRAY_LEN(rule_fields); i++)
        is_field |= slice_is(field, rule_fields[i].about.name);
    return dot && is_field ? (size_t)(dot - below.data) : below.len;
}
