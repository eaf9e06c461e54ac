/* Short lists: the delays before attempts of recovery, and the launch modes that are recovered. */
#include "config_type.h"
#include "config_value.h"

#include "core/state.h"
#include "util/buf.h"

static const int64_t default_backoff_ms[] = {0, 5000, 15000};

void backoff_set_default(struct loader *loader, const struct config_key *key)
{
    UNUSED(key);
    memcpy(loader->config->recovery.backoff_ms, default_backoff_ms, sizeof(default_backoff_ms));
    loader->config->recovery.backoff_count = ARRAY_LEN(default_backoff_ms);
}

static bool backoff_read(struct loader *loader, const struct config_key *key, const cJSON *list,
                         int64_t *backoff_ms)
{
    struct number_range range = {.min = key->min, .max = key->max, .is_whole = true};
    size_t index = 0;
    bool good = true;

    for (const cJSON *item = list->child; item; item = item->next, index++) {
        struct key_path path;
        double value = 0;

        key_path_set(&path, slice_text(key->name));
        key_path_add_index(&path, index);
        good &= number_read(loader, path.text, item, &range, &value);
        backoff_ms[index] = (int64_t)value;
    }
    return good;
}

bool backoff_apply(struct loader *loader, const struct config_key *key, const cJSON *list)
{
    struct config *config = loader->config;
    int64_t backoff_ms[ARRAY_LEN(config->recovery.backoff_ms)] = {0};
    int count = cJSON_GetArraySize(list);

    if (count < 1 || count > (int)ARRAY_LEN(backoff_ms)) {
        tell_wrong_type(loader, key->name, CONFIG_BACKOFF_EXPECTED);
        return false;
    }
    if (!backoff_read(loader, key, list, backoff_ms))
        return false;
    memcpy(config->recovery.backoff_ms, backoff_ms, sizeof(backoff_ms));
    config->recovery.backoff_count = (uint32_t)count;
    return true;
}

void backoff_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent)
{
    UNUSED(key);
    UNUSED(indent);
    for (uint32_t i = 0; i < config->recovery.backoff_count; i++) {
        buf_add_text(out, i ? ", " : "[");
        buf_add_i64(out, config->recovery.backoff_ms[i]);
    }
    buf_add_char(out, ']');
}

void launch_modes_set_default(struct loader *loader, const struct config_key *key)
{
    UNUSED(key);
    loader->config->recovery.launch_modes = 1U << LAUNCH_AUTO;
}

bool launch_modes_apply(struct loader *loader, const struct config_key *key, const cJSON *list)
{
    return words_read(loader, key->name, list, &vocabulary_launch_modes,
                      &loader->config->recovery.launch_modes);
}

void launch_modes_print(struct buf *out, const struct config *config, const struct config_key *key,
                        size_t indent)
{
    UNUSED(key);
    UNUSED(indent);
    words_print(out, &vocabulary_launch_modes, config->recovery.launch_modes);
}
