/* The words of the core that the configuration may use, for one way of reading, listing and printing them. */
#include "config_value.h"

#include "core/rule.h"
#include "util/buf.h"
#include <assert.h>
#include <cjson/cJSON.h>

/* The words that WORD_parse reads and WORD_name gives, numbered from 0 to MANY - 1. */
#define VOCABULARY(what, many, type, word)                                                                   \
    static_assert((many) <= VOCABULARY_MAX, "a set of them is an uint32_t");                                 \
    static bool parse_##what(struct slice text, unsigned *ret_value)                                         \
    {                                                                                                        \
        type value;                                                                                          \
                                                                                                             \
        if (!word##_parse(text, &value))                                                                     \
            return false;                                                                                    \
        *ret_value = (unsigned)value;                                                                        \
        return true;                                                                                         \
    }                                                                                                        \
    static const char *name_##what(unsigned value)                                                           \
    {                                                                                                        \
        return word##_name((type)value);                                                                     \
    }                                                                                                        \
    const struct vocabulary vocabulary_##what = {many, parse_##what, name_##what}

/* Rules may use some events only; all have a name. */
static const char *rule_event_name(enum event_kind kind)
{
    return event_name(kind);
}

VOCABULARY(metrics, RULE_METRICS, enum rule_metric, rule_metric);
VOCABULARY(ops, RULE_OPS, enum rule_op, rule_op);
VOCABULARY(severities, SEVERITIES, enum severity, severity);
VOCABULARY(actions, RULE_ACTIONS, enum rule_action, rule_action);
VOCABULARY(rule_events, EVENT_KINDS, enum event_kind, rule_event);
VOCABULARY(states, INSTANCE_STATES, enum instance_state, instance_state);
VOCABULARY(launch_modes, LAUNCH_MANUAL + 1, enum launch_mode, launch_mode);

static void tell_wrong_word(struct loader *loader, const char *name, const char *text,
                            const struct vocabulary *vocabulary)
{
    const char *choices[VOCABULARY_MAX + 1] = {NULL};
    unsigned count = 0, value;

    for (unsigned i = 0; i < vocabulary->count; i++) {
        if (vocabulary->parse(slice_text(vocabulary->name(i)), &value))
            choices[count++] = vocabulary->name(i);
    }
    tell_wrong_choice(loader, name, text, choices);
}

bool word_read(struct loader *loader, const char *name, const cJSON *item,
               const struct vocabulary *vocabulary, unsigned *ret_value)
{
    if (!cJSON_IsString(item)) {
        tell_wrong_type(loader, name, "text");
        return false;
    }
    if (!vocabulary->parse(slice_text(item->valuestring), ret_value)) {
        tell_wrong_word(loader, name, item->valuestring, vocabulary);
        return false;
    }
    return true;
}

static bool add_word(struct loader *loader, const char *name, const cJSON *item,
                     const struct vocabulary *vocabulary, uint32_t *bits)
{
    unsigned value;

    if (!word_read(loader, name, item, vocabulary, &value))
        return false;
    if (*bits & (1U << value)) {
        loader_problem(loader, loader->where, name, "is there twice");
        return false;
    }
    *bits |= 1U << value;
    return true;
}

bool words_read(struct loader *loader, const char *name, const cJSON *list,
                const struct vocabulary *vocabulary, uint32_t *ret_bits)
{
    uint32_t bits = 0;
    size_t index = 0;
    bool good = true;

    if (!cJSON_IsArray(list)) {
        tell_wrong_type(loader, name, "a list of names");
        return false;
    }
    for (const cJSON *item = list->child; item && loader->problems < LOADER_PROBLEMS_MAX;
         item = item->next, index++) {
        struct key_path path;

        key_path_set(&path, slice_text(name));
        key_path_add_index(&path, index);
        good &= add_word(loader, path.text, item, vocabulary, &bits);
    }
    if (good)
        *ret_bits = bits;
    return good;
}

void words_print(struct buf *out, const struct vocabulary *vocabulary, uint32_t bits)
{
    const char *separator = "";

    buf_add_char(out, '[');
    for (unsigned i = 0; i < vocabulary->count; i++) {
        if (!(bits & (1U << i)))
            continue;
        buf_add_text(out, separator);
        print_text(out, vocabulary->name(i));
        separator = ", ";
    }
    buf_add_char(out, ']');
}
