/* From JSON to struct config: walks an object along the dotted names and hands each value to its type. A
 * value that is wrong is told and left out. */
#include "config_type.h"
#include "config_value.h"

#include "util/alloc.h"
#include <stdlib.h>

static size_t key_index(const struct config_key *key)
{
    return (size_t)(key - config_keys);
}

static bool apply_item(struct loader *loader, const struct config_key *key, const cJSON *item)
{
    const struct config_type_row *type = &config_types[key->type];

    if (!type->accepts(item)) {
        tell_wrong_type(loader, key->name, type->expected);
        return false;
    }
    return type->apply(loader, key, item);
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
    else
        loader->bad[index] = true;
}

static void tell_unknown(struct loader *loader, const char *name)
{
    const struct config_key *nearest = config_key_nearest(slice_text(name));

    if (nearest)
        loader_problem(loader, loader->where, name, "unknown key; did you mean %s?", nearest->name);
    else
        loader_problem(loader, loader->where, name, "unknown key");
}

/* True where NAME is that of a member of an object: `hooks.recover`. */
static bool is_below(struct slice name)
{
    const struct config_key *above = config_key_above(name);

    return above && config_types[above->type].member_len;
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
    } else if (!is_nested && (config_key_find(slice_text(path->text)) || is_below(slice_text(path->text)))) {
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

/* The object {NAME: ITEM}, with ITEM's members and texts borrowed; MEMBER is where its one member is. */
static cJSON wrap(char *name, const cJSON *item, cJSON *member)
{
    *member = *item;
    member->next = NULL;
    member->prev = NULL;
    member->string = name;
    return (cJSON){.type = cJSON_Object, .child = member};
}

/* `--set KEY.MEMBER=…` and `--set KEY.MEMBER.FIELD=…` are an object with that alone. */
static void apply_below(struct loader *loader, const struct config_key *key, struct slice below,
                        const cJSON *item)
{
    size_t len = config_types[key->type].member_len(below, item);
    size_t behind = len < below.len ? len + 1 : len;
    char *member_name = mem_copy_text(below.data, len);
    char *field_name = mem_copy_text(below.data + behind, below.len - behind);
    cJSON field, member, fields, object;

    if (len < below.len) {
        fields = wrap(field_name, item, &field);
        item = &fields;
    }
    object = wrap(member_name, item, &member);
    apply_key(loader, key, &object);
    free(member_name);
    free(field_name);
}

/* For a key of text, anything but a JSON string is the text as it was typed: streams.group=5. */
static bool is_typed_text(const struct config_key *key, const cJSON *item)
{
    return key && (config_type_is_text(key->type) || key->type == CONFIG_TYPE_ENUM) &&
           !cJSON_IsString(item) && !cJSON_IsObject(item) && !cJSON_IsArray(item);
}

void loader_apply_set(struct loader *loader, struct slice name, const struct cJSON *item, const char *raw)
{
    struct key_path path;
    const struct config_key *key = config_key_find(name);
    cJSON *text = NULL;

    forget_seen(loader);
    key_path_set(&path, name);
    if (!item || is_typed_text(key, item)) {
        text = cJSON_CreateStringReference(raw);
        item = text;
    }
    if (!key && is_below(name)) {
        key = config_key_above(name);
        apply_below(loader, key,
                    slice_of(name.data + strlen(key->name) + 1, name.len - strlen(key->name) - 1), item);
    } else {
        apply_named(loader, &path, true, item);
    }
    cJSON_Delete(text);
}

void loader_apply_defaults(struct loader *loader)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_type_row *type = &config_types[config_keys[i].type];

        if (type->set_default)
            type->set_default(loader, &config_keys[i]);
        loader->origin[i] = loader->where;
    }
    for (size_t i = 0; i < CONFIG_HOOKS; i++)
        loader->hook_origin[i] = loader->where;
}
