/* Printing of rules: all fields of each, and null for the defaults that were removed. */
#include "config_type.h"
#include "config_value.h"

#include "util/alloc.h"
#include "util/buf.h"
#include <inttypes.h>
#include <stdlib.h>

static void print_threshold(struct buf *out, const struct rule *rule)
{
    buf_add_text(out, ", \"threshold\": ");
    if (rule->by_max_attempts)
        buf_add_text(out, "null");
    else if (rule->metric == METRIC_STATE)
        print_text(out, instance_state_name((enum instance_state)rule->threshold));
    else
        buf_add_double(out, rule->threshold);
}

static void print_clear(struct buf *out, const struct rule *rule)
{
    buf_add_text(out, ", \"clear\": ");
    if (rule->has_clear)
        buf_add_double(out, rule->clear);
    else
        buf_add_text(out, "null");
}

static void print_rule(struct buf *out, const struct rule *rule)
{
    buf_add_format(out, "{\"metric\": \"%s\", \"op\": \"%s\"", rule_metric_name(rule->metric),
                   rule_op_name(rule->op));
    print_threshold(out, rule);
    buf_add_format(out, ", \"for_ms\": %" PRId64, rule->for_ms);
    print_clear(out, rule);
    buf_add_format(out, ", \"keep_firing_ms\": %" PRId64 ", \"severity\": \"%s\", \"actions\": ",
                   rule->keep_firing_ms, severity_name(rule->severity));
    words_print(out, &vocabulary_actions, rule->actions);
    buf_add_text(out, ", \"event\": ");
    if (rule->event == EVENT_NONE)
        buf_add_text(out, "null");
    else
        print_text(out, event_name(rule->event));
    buf_add_format(out, ", \"enabled\": %s}", rule->enabled ? "true" : "false");
}

/* The beginning of a member; a name is an identifier and needs no escape. */
static void print_name(struct buf *out, const struct rule *rule, size_t indent, size_t *printed)
{
    if ((*printed)++)
        buf_add_char(out, ',');
    print_break(out, indent + 2);
    buf_add_char(out, '"');
    buf_add_slice(out, ident_slice(&rule->name));
    buf_add_text(out, "\": ");
}

static bool has_rule(const struct rule_set *set, const struct rule *rule)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (slice_equal(ident_slice(&set->rules[i].name), ident_slice(&rule->name)))
            return true;
    }
    return false;
}

void rules_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent)
{
    struct rule_set *defaults = mem_new(1, sizeof(*defaults));
    size_t printed = 0;

    UNUSED(key);
    rule_set_init(defaults);
    buf_add_char(out, '{');
    for (uint32_t i = 0; i < config->rules.count; i++) {
        print_name(out, &config->rules.rules[i], indent, &printed);
        print_rule(out, &config->rules.rules[i]);
    }
    for (uint32_t i = 0; i < defaults->count; i++) {
        if (has_rule(&config->rules, &defaults->rules[i]))
            continue;
        print_name(out, &defaults->rules[i], indent, &printed);
        buf_add_text(out, "null");
    }
    print_break(out, indent);
    buf_add_char(out, '}');
    free(defaults);
}
