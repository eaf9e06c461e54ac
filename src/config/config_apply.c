/* From JSON to struct config: walks an object along the dotted names and puts each value where the table
 * says. A value that is wrong is told and left out. */
#include "config/loader.h"

#include "config/json_comments.h"
#include "core/ident.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include "util/number.h"
#include "util/utf8.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#define TEXT_MAX    4096
#define STREAM_MAX  256
#define TOKENS_MAX  1000
#define EXACT_LIMIT 9007199254740992.0 /* 2^53 */

/* The dotted name of what is being read. */
struct key_path {
    char text[LOADER_KEY_MAX];
    size_t len;
};

static void key_path_add(struct key_path *path, const char *separator, const char *name)
{
    struct errmsg joined;

    errmsg_set(&joined, "%.*s%s%s", (int)path->len, path->text, path->len ? separator : "", name);
    path->len = utf8_sanitize(path->text, sizeof(path->text) - 1, slice_text(joined.text));
    path->text[path->len] = '\0';
}

static size_t key_index(const struct config_key *key)
{
    return (size_t)(key - config_keys);
}

static void text_replace(char **at, const char *text)
{
    free(*at);
    *at = mem_copy_text(text, strlen(text));
}

static int choice_find(const char *const *choices, const char *name)
{
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], name) == 0)
            return i;
    }
    return -1;
}

static void choices_list(const char *const *choices, struct buf *out)
{
    for (size_t i = 0; choices[i]; i++) {
        if (i)
            buf_add_text(out, choices[i + 1] ? ", " : " or ");
        buf_add_text(out, choices[i]);
    }
}

static void tell_wrong_choice(struct loader *loader, const char *name, const char *const *choices)
{
    struct buf list = BUF_INIT;

    choices_list(choices, &list);
    loader_problem(loader, loader->where, name, "must be one of %s", buf_text(&list));
    buf_clear(&list);
}

/* What no text of the configuration may hold; NULL where TEXT is fine. */
static const char *text_fault(const char *text)
{
    if (strlen(text) > TEXT_MAX)
        return "is too long";
    if (!utf8_is_valid(slice_text(text)))
        return "is not valid UTF-8";
    if (json_text_is_marked(text))
        return "must not hold a NUL character";
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return "must not hold a control character";
    }
    return NULL;
}

/* The rule of a text key's own type; what the two addresses hold is looked at when they are taken apart. */
static const char *text_type_fault(enum config_type type, const char *text)
{
    if (type == CONFIG_TYPE_ID && !ident_is_valid(slice_text(text), IDENT_MAX))
        return "must be 1 to 64 letters, digits, dots, underscores and dashes, with a letter or digit at "
               "both ends";
    if (type != CONFIG_TYPE_STREAM)
        return NULL;
    if (!*text || strlen(text) > STREAM_MAX)
        return "must have 1 to 256 characters";
    for (const char *c = text; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f)
            return "must be printable ASCII without spaces";
    }
    return NULL;
}

static bool apply_text(struct loader *loader, const struct config_key *key, const char *text)
{
    const char *fault = text_fault(text);

    if (!fault)
        fault = text_type_fault(key->type, text);
    if (fault) {
        loader_problem(loader, loader->where, key->name, "%s", fault);
        return false;
    }
    text_replace(config_text_at(loader->config, key), text);
    return true;
}

static bool apply_enum(struct loader *loader, const struct config_key *key, const char *text)
{
    int value = choice_find(key->choices, text);

    if (value < 0) {
        tell_wrong_choice(loader, key->name, key->choices);
        return false;
    }
    *config_enum_at(loader->config, key) = value;
    return true;
}

static bool apply_number(struct loader *loader, const struct config_key *key, double value)
{
    char least[NUMBER_TEXT_MAX], most[NUMBER_TEXT_MAX];

    if (key->type == CONFIG_TYPE_INTEGER && isfinite(value) && fabs(value) < EXACT_LIMIT &&
        floor(value) != value) {
        loader_problem(loader, loader->where, key->name, "must be a whole number");
        return false;
    }
    if (!(value >= key->min && value <= key->max)) {
        (void)number_format_double(least, key->min);
        (void)number_format_double(most, key->max);
        loader_problem(loader, loader->where, key->name, "must be from %s to %s", least, most);
        return false;
    }
    if (key->type == CONFIG_TYPE_INTEGER)
        *config_integer_at(loader->config, key) = (int64_t)value;
    else
        *config_number_at(loader->config, key) = value + 0.0;
    return true;
}

static void tell_wrong_type(struct loader *loader, const char *name, enum config_type type)
{
    static const char *const expected[] = {
        [CONFIG_TYPE_INTEGER] = "a whole number",
        [CONFIG_TYPE_NUMBER] = "a number",
        [CONFIG_TYPE_BOOL] = "true or false",
        [CONFIG_TYPE_TOKENS] = "a list",
    };
    const char *what = type < ARRAY_LEN(expected) ? expected[type] : NULL;

    loader_problem(loader, loader->where, name, "must be %s", what ? what : "text");
}

static void token_clear(struct config_token *token)
{
    free(token->name);
    free(token->file);
    free(token->secret);
}

static void tokens_free(struct config_token *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++)
        token_clear(&tokens[i]);
    free(tokens);
}

static bool token_apply_role(struct loader *loader, struct config_token *token, const char *name,
                             const char *text)
{
    int role = choice_find(config_role_names, text);

    if (role < 0) {
        tell_wrong_choice(loader, name, config_role_names);
        return false;
    }
    token->role = (enum config_role)role;
    return true;
}

/* One field of a token; HAS tells which were there: name, role, file. */
static bool token_apply_field(struct loader *loader, struct config_token *token, bool has[3],
                              const char *name, const cJSON *item)
{
    static const char *const fields[] = {"name", "role", "file", NULL};
    int field = choice_find(fields, item->string);
    const char *fault;

    if (field < 0) {
        loader_problem(loader, loader->where, name, "unknown key; a token has name, role and file");
        return false;
    }
    if (has[field]) {
        loader_problem(loader, loader->where, name, "is there twice");
        return false;
    }
    has[field] = true;
    if (!cJSON_IsString(item)) {
        tell_wrong_type(loader, name, CONFIG_TYPE_TEXT);
        return false;
    }
    fault = text_fault(item->valuestring);
    if (!fault && field == 0)
        fault = text_type_fault(CONFIG_TYPE_ID, item->valuestring);
    if (!fault && field == 2 && !*item->valuestring)
        fault = "must not be empty";
    if (fault) {
        loader_problem(loader, loader->where, name, "%s", fault);
        return false;
    }
    if (field == 1)
        return token_apply_role(loader, token, name, item->valuestring);
    text_replace(field == 0 ? &token->name : &token->file, item->valuestring);
    return true;
}

static bool token_apply(struct loader *loader, struct config_token *token, const struct key_path *path,
                        const cJSON *object)
{
    bool has[3] = {false};
    bool good = true;

    if (!cJSON_IsObject(object)) {
        loader_problem(loader, loader->where, path->text, "must be an object with name, role and file");
        return false;
    }
    for (const cJSON *item = object->child; item; item = item->next) {
        struct key_path field = *path;

        key_path_add(&field, ".", item->string);
        good &= token_apply_field(loader, token, has, field.text, item);
    }
    if (!has[0] || !has[1] || !has[2]) {
        loader_problem(loader, loader->where, path->text, "must have name, role and file");
        good = false;
    }
    return good;
}

static bool apply_tokens(struct loader *loader, const struct config_key *key, const cJSON *list)
{
    size_t count = (size_t)cJSON_GetArraySize(list), index = 0;
    struct config_token *tokens;
    bool good = true;

    if (count > TOKENS_MAX) {
        loader_problem(loader, loader->where, key->name, "may hold %d tokens at most", TOKENS_MAX);
        return false;
    }
    tokens = count ? mem_new(count, sizeof(*tokens)) : NULL;
    for (const cJSON *item = list->child; item; item = item->next, index++) {
        struct key_path path = {.len = 0};
        struct errmsg name;

        errmsg_set(&name, "%s[%zu]", key->name, index);
        key_path_add(&path, "", name.text);
        good &= token_apply(loader, &tokens[index], &path, item);
    }
    if (!good) {
        tokens_free(tokens, count);
        return false;
    }
    tokens_free(loader->config->http.tokens, loader->config->http.token_count);
    loader->config->http.tokens = tokens;
    loader->config->http.token_count = count;
    return true;
}

static bool item_has_type(const cJSON *item, enum config_type type)
{
    switch (type) {
    case CONFIG_TYPE_INTEGER:
    case CONFIG_TYPE_NUMBER:
        return cJSON_IsNumber(item);
    case CONFIG_TYPE_BOOL:
        return cJSON_IsBool(item);
    case CONFIG_TYPE_TOKENS:
        return cJSON_IsArray(item);
    default:
        return cJSON_IsString(item);
    }
}

static bool apply_item(struct loader *loader, const struct config_key *key, const cJSON *item)
{
    if (!item_has_type(item, key->type)) {
        tell_wrong_type(loader, key->name, key->type);
        return false;
    }
    switch (key->type) {
    case CONFIG_TYPE_INTEGER:
    case CONFIG_TYPE_NUMBER:
        return apply_number(loader, key, item->valuedouble);
    case CONFIG_TYPE_BOOL:
        *config_bool_at(loader->config, key) = cJSON_IsTrue(item);
        return true;
    case CONFIG_TYPE_TOKENS:
        return apply_tokens(loader, key, item);
    case CONFIG_TYPE_ENUM:
        return apply_enum(loader, key, item->valuestring);
    default:
        return apply_text(loader, key, item->valuestring);
    }
}

static void apply_key(struct loader *loader, const struct config_key *key, const cJSON *item)
{
    size_t index = key_index(key);

    if (loader->seen[index]) {
        loader_problem(loader, loader->where, key->name, "is there twice");
        return;
    }
    loader->seen[index] = true;
    if (apply_item(loader, key, item))
        loader->origin[index] = loader->where;
}

static void tell_unknown(struct loader *loader, const char *name)
{
    const struct config_key *nearest = config_key_nearest(slice_text(name));

    if (nearest)
        loader_problem(loader, loader->where, name, "unknown key; did you mean %s?", nearest->name);
    else
        loader_problem(loader, loader->where, name, "unknown key");
}

static void apply_object(struct loader *loader, const struct key_path *path, const cJSON *object);

/* What is named PATH: a key, or a section with keys below it. A name that holds a dot is neither: files nest.
 */
static void apply_named(struct loader *loader, const struct key_path *path, bool is_nested, const cJSON *item)
{
    const struct config_key *key = is_nested ? config_key_find(slice_text(path->text)) : NULL;

    if (key) {
        apply_key(loader, key, item);
    } else if (is_nested && config_section_exists(slice_text(path->text))) {
        if (cJSON_IsObject(item))
            apply_object(loader, path, item);
        else
            loader_problem(loader, loader->where, path->text, "must be an object");
    } else if (!is_nested && config_key_find(slice_text(path->text))) {
        loader_problem(loader, loader->where, path->text,
                       "unknown key; names nest at the dots: {\"a\": {\"b\": …}}");
    } else {
        tell_unknown(loader, path->text);
    }
}

/* True where a section has been there before in the same object (keys are told by loader->seen). */
static bool section_is_repeated(const cJSON *object, const cJSON *section, const char *name)
{
    if (!config_section_exists(slice_text(name)))
        return false;
    for (const cJSON *item = object->child; item != section; item = item->next) {
        if (strcmp(item->string, section->string) == 0)
            return true;
    }
    return false;
}

static void apply_object(struct loader *loader, const struct key_path *path, const cJSON *object)
{
    for (const cJSON *item = object->child; item && loader->problems < LOADER_PROBLEMS_MAX;
         item = item->next) {
        struct key_path below = *path;

        key_path_add(&below, ".", item->string);
        if (section_is_repeated(object, item, below.text))
            loader_problem(loader, loader->where, below.text, "is there twice");
        else
            apply_named(loader, &below, !strchr(item->string, '.'), item);
    }
}

static void forget_seen(struct loader *loader)
{
    memset(loader->seen, 0, config_key_count * sizeof(*loader->seen));
}

void loader_apply_file(struct loader *loader, const struct cJSON *root)
{
    struct key_path path = {.len = 0};

    forget_seen(loader);
    apply_object(loader, &path, root);
}

void loader_apply_set(struct loader *loader, struct slice name, const struct cJSON *item, const char *raw)
{
    struct key_path path = {.len = 0};
    const struct config_key *key = config_key_find(name);
    cJSON *text = NULL;

    forget_seen(loader);
    path.len = utf8_sanitize(path.text, sizeof(path.text) - 1, name);
    path.text[path.len] = '\0';
    /* For a key of text, anything but a JSON string is the text as it was typed: streams.group=5. */
    if (!item || (key && (config_type_is_text(key->type) || key->type == CONFIG_TYPE_ENUM) &&
                  !cJSON_IsString(item) && !cJSON_IsObject(item) && !cJSON_IsArray(item))) {
        text = cJSON_CreateStringReference(raw);
        item = text;
    }
    apply_named(loader, &path, true, item);
    cJSON_Delete(text);
}

void loader_apply_defaults(struct loader *loader)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];

        if (config_type_is_text(key->type))
            text_replace(config_text_at(loader->config, key), key->text_default);
        else if (key->type == CONFIG_TYPE_INTEGER)
            *config_integer_at(loader->config, key) = (int64_t)key->number_default;
        else if (key->type == CONFIG_TYPE_NUMBER)
            *config_number_at(loader->config, key) = key->number_default;
        else if (key->type == CONFIG_TYPE_BOOL)
            *config_bool_at(loader->config, key) = key->number_default != 0;
        else if (key->type == CONFIG_TYPE_ENUM)
            *config_enum_at(loader->config, key) = choice_find(key->choices, key->text_default);
        loader->origin[i] = loader->where;
    }
}
