/* redis.sentinels: where to ask for the master. */
#include "config_type.h"
#include "config_value.h"

#include "config/url.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include <stdlib.h>
#include <string.h>

#define SENTINELS_MAX 16

static void list_free(struct config_sentinel *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].text);
        free(list[i].host);
    }
    free(list);
}

/* One that is there twice would have two votes. */
static bool is_known(const struct config_sentinel *list, const struct config_sentinel *sentinel)
{
    for (; list < sentinel; list++) {
        if (list->host && list->port == sentinel->port && strcmp(list->host, sentinel->host) == 0)
            return true;
    }
    return false;
}

static bool sentinel_read(struct loader *loader, const char *name, const cJSON *item,
                          struct config_sentinel *ret_sentinel)
{
    const char *text = text_read(loader, name, item);
    struct config_sentinel read = {0};
    struct errmsg why;

    if (!text)
        return false;
    if (!sentinel_text_parse(text, &read.scheme, &read.has_scheme, &read.host, &read.port, &why)) {
        loader_problem(loader, loader->where, name, "%s", why.text);
        return false;
    }
    text_replace(&read.text, text);
    *ret_sentinel = read;
    return true;
}

bool sentinels_apply(struct loader *loader, const struct config_key *key, const cJSON *list)
{
    struct config *config = loader->config;
    int count = cJSON_GetArraySize(list);
    struct config_sentinel *sentinels;
    size_t index = 0;
    bool good = true;

    if (count > SENTINELS_MAX) {
        loader_problem(loader, loader->where, key->name, "must hold %d sentinels at most", SENTINELS_MAX);
        return false;
    }
    sentinels = mem_new((size_t)count + 1, sizeof(*sentinels)); /* an empty list has a place, too */
    for (const cJSON *item = list->child; item; item = item->next, index++) {
        struct key_path path;

        key_path_set(&path, slice_text(key->name));
        key_path_add_index(&path, index);
        if (!sentinel_read(loader, path.text, item, &sentinels[index])) {
            good = false;
        } else if (is_known(sentinels, &sentinels[index])) {
            loader_problem(loader, loader->where, path.text, "is there twice");
            good = false;
        }
    }
    if (!good) {
        list_free(sentinels, index);
        return false;
    }
    sentinels_clear(config, key);
    config->redis.sentinels = sentinels;
    config->redis.sentinel_count = index;
    return true;
}

/* Sentinels and the name of what they watch go together, and with a server that has an address. */
void sentinels_check(struct loader *loader, const struct config_key *key)
{
    const struct config *config = loader->config;
    bool has_name = *config->redis.master_name != '\0', has_sentinels = config->redis.sentinel_count > 0;

    if (has_sentinels && !has_name && !loader_left_out(loader, "redis.master_name"))
        loader_problem(loader, loader_origin(loader, key->name), "redis.master_name",
                       "must be set with redis.sentinels");
    if (has_name && !has_sentinels && !loader_left_out(loader, key->name))
        loader_problem(loader, loader_origin(loader, "redis.master_name"), key->name,
                       "must be set with redis.master_name");
    if (has_sentinels && config->redis.host && config->redis.scheme == CONFIG_REDIS_UNIX)
        loader_problem(loader, loader_origin(loader, "redis.url"), "redis.url",
                       "must begin with redis:// or rediss:// where redis.sentinels is set");
}

void sentinels_print(struct buf *out, const struct config *config, const struct config_key *key,
                     size_t indent)
{
    UNUSED(key);
    UNUSED(indent);
    buf_add_char(out, '[');
    for (size_t i = 0; i < config->redis.sentinel_count; i++) {
        if (i)
            buf_add_text(out, ", ");
        print_text(out, config->redis.sentinels[i].text);
    }
    buf_add_char(out, ']');
}

void sentinels_clear(struct config *config, const struct config_key *key)
{
    UNUSED(key);
    list_free(config->redis.sentinels, config->redis.sentinel_count);
    config->redis.sentinels = NULL;
    config->redis.sentinel_count = 0;
}

bool config_same_sentinels(const struct config *a, const struct config *b)
{
    if (a->redis.sentinel_count != b->redis.sentinel_count)
        return false;
    for (size_t i = 0; i < a->redis.sentinel_count; i++)
        if (strcmp(a->redis.sentinels[i].text, b->redis.sentinels[i].text) != 0)
            return false;
    return true;
}
