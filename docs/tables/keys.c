/* The keys of the configuration, the fields of what is below them, and the default rules. */
#include "config/schema.h"
#include "core/rule.h"
#include "tables.h"
#include "util/macros.h"
#include <inttypes.h>
#include <string.h>

#define NO_LIMIT 1e8 /* who reaches a limit above it has other troubles */

void cell_add(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (memchr("|*<\\", text.data[i], 4))
            buf_add_char(out, '\\');
        buf_add_char(out, text.data[i] == '\n' ? ' ' : text.data[i]);
    }
}

void cell_add_code(struct buf *out, struct slice text)
{
    buf_add_char(out, '`');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '|')
            buf_add_char(out, '\\');
        buf_add_char(out, text.data[i]);
    }
    buf_add_char(out, '`');
}

/* Units are the ends of names. */
static void unit_add(struct buf *out, const char *name)
{
    static const struct {
        const char *end, *unit;
    } units[] = {
        {"_ms", "milliseconds"}, {"_s", "seconds"},          {"_mb", "MB (1048576 bytes)"},
        {"_percent", "percent"}, {"_per_sec", "per second"},
    };

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t len = strlen(name), end = strlen(units[i].end);

        if (len > end && strcmp(name + len - end, units[i].end) == 0) {
            buf_add_text(out, ", ");
            buf_add_text(out, units[i].unit);
        }
    }
}

static void range_add(struct buf *out, const struct config_key *key)
{
    if (key->min == 0 && key->max == 0)
        return;
    buf_add_text(out, key->above_min ? ", above " : ", from ");
    buf_add_double(out, key->min);
    if (key->max < NO_LIMIT) {
        buf_add_text(out, " to ");
        buf_add_double(out, key->max);
    }
}

static void choices_add(struct buf *out, const struct config_key *key)
{
    for (size_t i = 0; key->type == CONFIG_TYPE_ENUM && key->choices[i]; i++) {
        buf_add_text(out, i ? ", " : ": ");
        cell_add_code(out, slice_text(key->choices[i]));
    }
}

static void default_add(struct buf *out, const struct config_key *key)
{
    struct buf value = BUF_INIT;

    config_print_default(key, &value);
    if (memchr(value.data, '\n', value.len))
        buf_add_text(out, "see below");
    else
        cell_add_code(out, buf_slice(&value));
    buf_clear(&value);
}

static void key_add(struct buf *out, const struct config_key *key)
{
    buf_add_text(out, "| ");
    cell_add_code(out, slice_text(key->name));
    buf_add_text(out, " | ");
    cell_add(out, slice_text(config_type_name(key->type)));
    unit_add(out, key->name);
    choices_add(out, key);
    range_add(out, key);
    buf_add_text(out, " | ");
    default_add(out, key);
    buf_add_text(out, key->reloadable ? " | reload | " : " | restart | ");
    cell_add(out, slice_text(key->meaning));
    buf_add_text(out, " |\n");
}

bool keys_add(struct buf *out, struct slice first, const struct marks *marks)
{
    size_t i = 0;

    while (i < config_key_count && !slice_is(first, config_keys[i].name))
        i++;
    if (i == config_key_count)
        return false;
    buf_add_text(out, "| key | takes | default | takes effect at | meaning |\n|---|---|---|---|---|\n");
    do {
        key_add(out, &config_keys[i++]);
    } while (i < config_key_count && !marks_have(marks, config_keys[i].name));
    return true;
}

static void field_add(struct buf *out, const struct config_key *key, size_t index)
{
    const struct config_field *field = config_field_at(key, index);
    struct buf words = BUF_INIT;

    buf_add_text(out, "| ");
    cell_add_code(out, slice_text(field->name));
    buf_add_text(out, " | ");
    cell_add(out, slice_text(field->value));
    unit_add(out, field->name);
    config_field_add_words(key, index, &words);
    if (words.len) {
        buf_add_text(out, ": ");
        cell_add_code(out, buf_slice(&words));
    }
    buf_add_text(out, " | ");
    if (field->fallback)
        cell_add_code(out, slice_text(field->fallback));
    else
        buf_add_text(out, "must be there");
    buf_add_text(out, " | ");
    cell_add(out, slice_text(field->meaning));
    buf_add_text(out, " |\n");
    buf_clear(&words);
}

bool fields_add(struct buf *out, struct slice first, const struct marks *marks)
{
    const struct config_key *key = config_key_find(first);

    UNUSED(marks);
    if (!key || !config_field_at(key, 0))
        return false;
    buf_add_text(out, "| field | takes | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; config_field_at(key, i); i++)
        field_add(out, key, i);
    return true;
}

bool members_add(struct buf *out, struct slice first, const struct marks *marks)
{
    UNUSED(marks);
    if (!slice_is(first, "hooks"))
        return false;
    for (int kind = 0; kind < CONFIG_HOOKS; kind++) {
        buf_add_text(out, kind ? ", " : "Members: ");
        cell_add_code(out, slice_text(config_hook_names[kind]));
    }
    buf_add_text(out, ".\n");
    return true;
}

static void condition_add(struct buf *out, const struct rule *rule)
{
    struct buf text = BUF_INIT;

    buf_add_format(&text, "%s %s ", rule_metric_name(rule->metric), rule_op_name(rule->op));
    if (rule->by_max_attempts)
        buf_add_text(&text, "recovery.max_attempts");
    else if (rule->metric == METRIC_STATE)
        buf_add_text(&text, instance_state_name((enum instance_state)rule->threshold));
    else
        buf_add_double(&text, rule->threshold);
    cell_add_code(out, buf_slice(&text));
    buf_clear(&text);
}

static void rule_add(struct buf *out, const struct rule *rule)
{
    const char *separator = "";

    buf_add_text(out, "| ");
    cell_add_code(out, ident_slice(&rule->name));
    buf_add_text(out, " | ");
    condition_add(out, rule);
    buf_add_format(out, " | %" PRId64 " | %s | ", rule->for_ms, severity_name(rule->severity));
    for (int action = 0; action < RULE_ACTIONS; action++) {
        if (!(rule->actions & ACTION_BIT(action)))
            continue;
        buf_add_text(out, separator);
        buf_add_text(out, rule_action_name((enum rule_action)action));
        separator = ", ";
    }
    buf_add_text(out, rule->event == EVENT_NONE ? " | " : " | `");
    if (rule->event != EVENT_NONE)
        buf_add_format(out, "%s` ", event_name(rule->event));
    buf_add_text(out, "|\n");
}

bool rules_add(struct buf *out, struct slice first, const struct marks *marks)
{
    struct rule_set set;

    UNUSED(marks);
    if (!slice_is(first, "default"))
        return false;
    rule_set_init(&set);
    buf_add_text(out,
                 "| rule | condition | `for_ms` | severity | actions | event |\n|---|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < set.count; i++)
        rule_add(out, &set.rules[i]);
    return true;
}
