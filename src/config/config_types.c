/* The table of types. */
#include "config_type.h"
#include "config_value.h"

#include "util/buf.h"

static const char an_object[] = "an object", some_text[] = "text";

/* The types that are held as text differ in what they take only. */
#define TEXT_ROW(its_name)                                                                                   \
    .name = its_name, .expected = some_text, .accepts = cJSON_IsString, .set_default = text_set_default,     \
    .apply = text_apply, .print = text_print, .clear = text_clear
#define NUMBER_ROW(its_name, what)                                                                           \
    .name = its_name, .expected = what, .accepts = cJSON_IsNumber, .set_default = number_set_default,        \
    .apply = number_apply, .print = number_print

const struct config_type_row config_types[] = {
    [CONFIG_TYPE_TEXT] = {TEXT_ROW("text")},
    [CONFIG_TYPE_PATH] = {TEXT_ROW("path"), .check = path_check},
    [CONFIG_TYPE_URL] = {TEXT_ROW("URL")},
    [CONFIG_TYPE_LISTEN] = {TEXT_ROW("address")},
    [CONFIG_TYPE_STREAM] = {TEXT_ROW("stream name")},
    [CONFIG_TYPE_ID] = {TEXT_ROW("identifier")},
    [CONFIG_TYPE_INTEGER] = {NUMBER_ROW("integer", CONFIG_WHOLE_NUMBER)},
    [CONFIG_TYPE_NUMBER] = {NUMBER_ROW("number", "a number")},
    [CONFIG_TYPE_BOOL] = {.name = "true or false",
                          .expected = "true or false",
                          .accepts = cJSON_IsBool,
                          .set_default = bool_set_default,
                          .apply = bool_apply,
                          .print = bool_print},
    [CONFIG_TYPE_ENUM] = {.name = "name",
                          .expected = some_text,
                          .accepts = cJSON_IsString,
                          .set_default = enum_set_default,
                          .apply = enum_apply,
                          .print = enum_print},
    [CONFIG_TYPE_BACKOFF] = {.name = "list of integers",
                             .expected = CONFIG_BACKOFF_EXPECTED,
                             .accepts = cJSON_IsArray,
                             .set_default = backoff_set_default,
                             .apply = backoff_apply,
                             .print = backoff_print},
    [CONFIG_TYPE_LAUNCH_MODES] = {.name = "list of names",
                                  .expected = "a list of launch modes, such as [\"auto\", \"manual\"]",
                                  .accepts = cJSON_IsArray,
                                  .set_default = launch_modes_set_default,
                                  .apply = launch_modes_apply,
                                  .print = launch_modes_print},
    [CONFIG_TYPE_SENTINELS] = {.name = "list of addresses",
                               .expected = "a list of addresses, such as [\"10.0.0.1:26379\"]",
                               .accepts = cJSON_IsArray,
                               .apply = sentinels_apply,
                               .check = sentinels_check,
                               .print = sentinels_print,
                               .clear = sentinels_clear},
    [CONFIG_TYPE_LAYERS] = {.name = "object by layer",
                            .expected = an_object,
                            .accepts = cJSON_IsObject,
                            .apply = layers_apply,
                            .print = layers_print,
                            .clear = layers_clear,
                            .member_len = layers_member_len},
    [CONFIG_TYPE_RULES] = {.name = "object by rule",
                           .expected = an_object,
                           .accepts = cJSON_IsObject,
                           .set_default = rules_set_default,
                           .apply = rules_apply,
                           .fields = &rule_table,
                           .check = rules_check,
                           .print = rules_print,
                           .member_len = rules_member_len},
    [CONFIG_TYPE_WINDOWS] = {.name = "list of objects",
                             .expected = "a list of objects with name, instances, brokers and weekly",
                             .accepts = cJSON_IsArray,
                             .apply = windows_apply,
                             .fields = &window_table,
                             .print = windows_print,
                             .clear = windows_clear},
    [CONFIG_TYPE_WEBHOOKS] = {.name = "list of objects",
                              .expected = "a list of objects with url and timeout_ms",
                              .accepts = cJSON_IsArray,
                              .apply = webhooks_apply,
                              .fields = &webhook_table,
                              .print = webhooks_print,
                              .clear = webhook_list_clear},
    [CONFIG_TYPE_HOOKS] = {.name = "object by hook",
                           .expected = an_object,
                           .accepts = cJSON_IsObject,
                           .apply = hooks_apply,
                           .check = hooks_check,
                           .print = hooks_print,
                           .clear = hooks_clear,
                           .member_len = hooks_member_len},
    [CONFIG_TYPE_TOKENS] = {.name = "list of objects",
                            .expected = "a list of objects with name, role and file",
                            .accepts = cJSON_IsArray,
                            .apply = tokens_apply,
                            .fields = &token_table,
                            .check = tokens_check,
                            .print = tokens_print,
                            .clear = tokens_clear},
};

const char *config_type_name(enum config_type type)
{
    return config_types[type].name;
}

const struct config_field *config_field_at(const struct config_key *key, size_t index)
{
    const struct field_table *table = config_types[key->type].fields;

    return table && index < table->count ? &table->fields[index].about : NULL;
}

void config_field_add_words(const struct config_key *key, size_t index, struct buf *out)
{
    const struct field_table *table = config_types[key->type].fields;
    const struct vocabulary *words = table && index < table->count ? table->fields[index].words : NULL;
    const char *separator = "";
    unsigned value;

    for (unsigned i = 0; words && i < words->count; i++) {
        if (!words->parse(slice_text(words->name(i)), &value))
            continue;
        buf_add_text(out, separator);
        print_text(out, words->name(i));
        separator = ", ";
    }
}
