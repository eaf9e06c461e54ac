/* redis.layers: per layer, what is different about its Redis. A layer that is named has a configuration of
 * its own: all that the whole has, and for `redis` these keys on top. It is made when all sources have been
 * read. */
#include "config_type.h"
#include "config_value.h"

#include "core/stream.h"
#include "util/alloc.h"
#include "util/buf.h"
#include <stdio.h>
#include <stdlib.h>

#define SECTION "redis."

static const char *const layer_names[] = {
    [LAYER_RIS] = "ris", [LAYER_RTSS] = "rtss", [LAYER_RTRS] = "rtrs", [LAYER_RTS] = "rts", [LAYERS] = NULL};

/* The keys that a layer may have. */
static bool is_of_redis(const struct config_key *key)
{
    return key->type != CONFIG_TYPE_LAYERS && strncmp(key->name, SECTION, sizeof(SECTION) - 1) == 0;
}

/* What this source says of one key takes the place of what was said before. */
static void merge(struct cJSON *into, const struct cJSON *object)
{
    for (const cJSON *item = object->child; item; item = item->next) {
        if (cJSON_GetObjectItemCaseSensitive(into, item->string))
            (void)cJSON_ReplaceItemInObjectCaseSensitive(into, item->string, cJSON_Duplicate(item, true));
        else
            (void)cJSON_AddItemToObject(into, item->string, cJSON_Duplicate(item, true));
    }
}

/* The same name twice in one source. */
static bool has_twins(struct loader *loader, const struct key_path *path, const struct cJSON *object)
{
    for (const cJSON *item = object->child; item; item = item->next) {
        for (const cJSON *other = object->child; other != item; other = other->next) {
            struct key_path below = *path;

            if (strcmp(other->string, item->string) != 0)
                continue;
            key_path_add(&below, ".", item->string);
            loader_problem(loader, loader->where, below.text, "is there twice");
            return true;
        }
    }
    return false;
}

static bool layer_apply(struct loader *loader, const struct key_path *path, const cJSON *item)
{
    int layer = choice_find(layer_names, item->string);

    if (layer < 0) {
        tell_wrong_choice(loader, path->text, item->string, layer_names);
        return false;
    }
    if (!cJSON_IsObject(item)) {
        tell_wrong_type(loader, path->text, "an object");
        return false;
    }
    if (has_twins(loader, path, item))
        return false;
    if (cJSON_GetObjectItemCaseSensitive(item, "layers")) {
        loader_problem(loader, loader->where, path->text, "layers have no layers");
        return false;
    }
    if (!loader->layers[layer])
        loader->layers[layer] = cJSON_CreateObject();
    loader->layer_origin[layer] = loader->where;
    merge(loader->layers[layer], item);
    return true;
}

bool layers_apply(struct loader *loader, const struct config_key *key, const cJSON *object)
{
    struct key_path path;
    bool good;

    key_path_set(&path, slice_text(key->name));
    good = !has_twins(loader, &path, object);
    for (const cJSON *item = object->child; item && good; item = item->next) {
        struct key_path below = path;

        key_path_add(&below, ".", item->string);
        good = layer_apply(loader, &below, item);
    }
    return good;
}

/* `rts.url`: the member is rts. */
size_t layers_member_len(struct slice below, const cJSON *item)
{
    const char *dot = memchr(below.data, '.', below.len);

    UNUSED(item);
    return dot ? (size_t)(dot - below.data) : below.len;
}

/* Problems of a layer are told by the name that it has there; those of the other keys have been told. */
struct layer_problems {
    struct loader *whole;
    const char *layer;
};

static void on_layer_problem(void *ctx, const char *where, const char *name, const char *what)
{
    const struct layer_problems *problems = ctx;
    char longer[LOADER_KEY_MAX + 32];

    if (strncmp(name, SECTION, sizeof(SECTION) - 1) != 0)
        return;
    (void)snprintf(longer, sizeof(longer), SECTION "layers.%s.%s", problems->layer,
                   name + sizeof(SECTION) - 1);
    loader_problem(problems->whole, where, longer, "%s", what);
}

static void on_no_problem(void *ctx, const char *where, const char *key, const char *what)
{
    UNUSED(ctx);
    UNUSED(where);
    UNUSED(key);
    UNUSED(what);
}

static void copy_redis(struct loader *loader, struct cJSON *object)
{
    struct cJSON *root = cJSON_CreateObject();

    (void)cJSON_AddItemToObject(root, "redis", object);
    loader_apply_file(loader, root);
    cJSON_Delete(root);
}

static struct config *layer_load(struct loader *whole, const struct config_source *source, int layer)
{
    struct layer_problems problems = {whole, layer_names[layer]};
    struct loader loader;
    struct config *config;

    loader_init(&loader, on_no_problem, NULL);
    loader_read(&loader, source);
    loader.problems = 0;
    loader.on_problem = on_layer_problem;
    loader.ctx = &problems;
    loader.where = whole->layer_origin[layer];
    copy_redis(&loader, whole->layers[layer]);
    whole->layers[layer] = NULL;
    loader_check(&loader);
    config = loader.config;
    loader.config = NULL;
    loader_clear(&loader);
    return config;
}

/* One server has one lease: layers on it must agree about the way there. */
static bool is_same_server(const struct config *a, const struct config *b)
{
    if (a->redis.db != b->redis.db || !a->redis.sentinel_count != !b->redis.sentinel_count)
        return false;
    if (a->redis.sentinel_count)
        return strcmp(a->redis.master_name, b->redis.master_name) == 0 && config_same_sentinels(a, b);
    return a->redis.scheme == b->redis.scheme && a->redis.port == b->redis.port && a->redis.host &&
           b->redis.host && strcmp(a->redis.host, b->redis.host) == 0;
}

static const char *find_difference(const struct config *a, const struct config *b)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (is_of_redis(&config_keys[i]) && strcmp(config_keys[i].name, "redis.instance_id") != 0 &&
            config_value_differs(a, b, &config_keys[i]))
            return config_keys[i].name;
    }
    return NULL;
}

const struct config *config_of_layer(const struct config *config, enum layer layer)
{
    return config->redis.layers[layer] ? config->redis.layers[layer] : config;
}

bool config_share_redis(const struct config *config, enum layer a, enum layer b)
{
    return is_same_server(config_of_layer(config, a), config_of_layer(config, b));
}

/* The first of the others that LAYER has its server in common with, and yet not all of the way there. */
static const char *find_conflict(const struct config *config, int layer, const char **ret_key)
{
    for (int other = 0; other < LAYERS; other++) {
        bool is_told = other >= layer && config->redis.layers[other]; /* by that one */

        if (is_told || !config_share_redis(config, (enum layer)layer, (enum layer)other))
            continue;
        *ret_key = find_difference(config->redis.layers[layer], config_of_layer(config, (enum layer)other));
        if (*ret_key)
            return layer_names[other];
    }
    return NULL;
}

static void check_layer(struct loader *loader, int layer)
{
    const char *key, *other = find_conflict(loader->config, layer, &key);
    struct key_path path;

    if (!other)
        return;
    key_path_set(&path, slice_text(SECTION "layers"));
    key_path_add(&path, ".", layer_names[layer]);
    loader_problem(loader, loader->layer_origin[layer], path.text,
                   "is the same Redis as that of %s, but differs in %s", other, key);
}

void loader_make_layers(struct loader *loader, const struct config_source *source)
{
    for (int layer = 0; layer < LAYERS; layer++)
        if (loader->layers[layer])
            loader->config->redis.layers[layer] = layer_load(loader, source, layer);
    for (int layer = 0; layer < LAYERS && !loader->problems; layer++)
        if (loader->config->redis.layers[layer])
            check_layer(loader, layer);
}

static void print_layer(struct buf *out, const struct config *config, size_t indent)
{
    const char *separator = "";

    buf_add_char(out, '{');
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];

        if (!is_of_redis(key))
            continue;
        buf_add_text(out, separator);
        print_break(out, indent + 2);
        print_text(out, key->name + sizeof(SECTION) - 1);
        buf_add_text(out, ": ");
        config_types[key->type].print(out, config, key, indent + 2);
        separator = ",";
    }
    print_break(out, indent);
    buf_add_char(out, '}');
}

void layers_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent)
{
    const char *separator = "";

    UNUSED(key);
    buf_add_char(out, '{');
    for (int layer = 0; layer < LAYERS; layer++) {
        if (!config->redis.layers[layer])
            continue;
        buf_add_text(out, separator);
        print_break(out, indent + 2);
        print_text(out, layer_names[layer]);
        buf_add_text(out, ": ");
        print_layer(out, config->redis.layers[layer], indent + 2);
        separator = ",";
    }
    if (*separator)
        print_break(out, indent);
    buf_add_char(out, '}');
}

void layers_clear(struct config *config, const struct config_key *key)
{
    UNUSED(key);
    for (int layer = 0; layer < LAYERS; layer++)
        config_free(config->redis.layers[layer]);
}

bool layers_have_frozen_change(const struct config *old_config, const struct config *new_config)
{
    for (int layer = 0; layer < LAYERS; layer++) {
        const struct config *a = old_config->redis.layers[layer], *b = new_config->redis.layers[layer];

        if (!a != !b)
            return true;
        for (size_t i = 0; a && i < config_key_count; i++)
            if (is_of_redis(&config_keys[i]) && !config_keys[i].reloadable &&
                config_value_differs(a, b, &config_keys[i]))
                return true;
    }
    return false;
}
