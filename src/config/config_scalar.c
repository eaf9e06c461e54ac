/* The types of one value each: texts, numbers, true or false, names. Where the value is, the table of keys
 * says. */
#include "config_type.h"
#include "config_value.h"

#include "config/url.h"
#include "util/buf.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define STREAM_MAX     256
#define FILE_MAX_BYTES 1048576

void text_set_default(struct loader *loader, const struct config_key *key)
{
    text_replace(config_text_at(loader->config, key), key->text_default);
}

static const char *stream_fault(const char *text)
{
    if (!*text || strlen(text) > STREAM_MAX)
        return "must have 1 to 256 characters";
    for (const char *c = text; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f)
            return "must be printable ASCII without spaces";
    }
    return NULL;
}

/* What the two addresses hold is looked at when they are taken apart. */
bool text_apply(struct loader *loader, const struct config_key *key, const cJSON *item)
{
    const char *text = text_read(loader, key->name, item);
    const char *fault = NULL;

    if (text && key->type == CONFIG_TYPE_ID)
        fault = ident_fault(text);
    else if (text && key->type == CONFIG_TYPE_STREAM)
        fault = stream_fault(text);
    if (fault)
        loader_problem(loader, loader->where, key->name, "%s", fault);
    if (!text || fault)
        return false;
    text_replace(config_text_at(loader->config, key), text);
    return true;
}

void text_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent)
{
    const char *text = *config_text_at(config, key);
    struct buf shown = BUF_INIT;

    UNUSED(indent);
    if (key->secret)
        url_redact(text, &shown);
    else
        buf_add_text(&shown, text);
    print_text(out, buf_text(&shown));
    buf_clear(&shown);
}

void text_clear(struct config *config, const struct config_key *key)
{
    char *text = *config_text_at(config, key);

    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void path_check(struct loader *loader, const struct config_key *key)
{
    const char *path = *config_text_at(loader->config, key);
    struct buf content = BUF_INIT;
    int error = *path ? loader_read_file(path, FILE_MAX_BYTES, &content) : 0;

    if (error)
        loader_problem(loader, loader_origin(loader, key->name), key->name, "%s: %s", path, strerror(-error));
    loader_wipe(&content);
}

static void set_number(struct config *config, const struct config_key *key, double value)
{
    if (key->type == CONFIG_TYPE_INTEGER)
        *config_integer_at(config, key) = (int64_t)value;
    else
        *config_number_at(config, key) = value;
}

void number_set_default(struct loader *loader, const struct config_key *key)
{
    set_number(loader->config, key, key->number_default);
}

bool number_apply(struct loader *loader, const struct config_key *key, const cJSON *item)
{
    struct number_range range = {key->min, key->max, key->above_min, key->type == CONFIG_TYPE_INTEGER};
    double value;

    if (!number_read(loader, key->name, item, &range, &value))
        return false;
    set_number(loader->config, key, value);
    return true;
}

void number_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent)
{
    UNUSED(indent);
    if (key->type == CONFIG_TYPE_INTEGER)
        buf_add_i64(out, *config_integer_at(config, key));
    else
        buf_add_double(out, *config_number_at(config, key));
}

void bool_set_default(struct loader *loader, const struct config_key *key)
{
    *config_bool_at(loader->config, key) = key->number_default != 0;
}

bool bool_apply(struct loader *loader, const struct config_key *key, const cJSON *item)
{
    *config_bool_at(loader->config, key) = cJSON_IsTrue(item);
    return true;
}

void bool_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent)
{
    UNUSED(indent);
    buf_add_text(out, *config_bool_at(config, key) ? "true" : "false");
}

void enum_set_default(struct loader *loader, const struct config_key *key)
{
    *config_enum_at(loader->config, key) = choice_find(key->choices, key->text_default);
}

bool enum_apply(struct loader *loader, const struct config_key *key, const cJSON *item)
{
    int value = choice_find(key->choices, item->valuestring);

    if (value < 0) {
        tell_wrong_choice(loader, key->name, item->valuestring, key->choices);
        return false;
    }
    *config_enum_at(loader->config, key) = value;
    return true;
}

void enum_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent)
{
    UNUSED(indent);
    print_text(out, key->choices[*config_enum_at(config, key)]);
}
