/* maintenance_windows: times that come again each week. */
#include "config_type.h"
#include "config_value.h"

#include "core/maintenance.h"
#include "util/buf.h"

/* Of which ids are made, and what stands for others. */
#define GLOB_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-*?"

static bool name_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct maintenance_window *window = record;
    const char *text = text_read(loader, name, item);
    const char *fault = text ? ident_fault(text) : NULL;

    if (fault)
        loader_problem(loader, loader->where, name, "%s", fault);
    if (!text || fault)
        return false;
    ident_set(&window->name, slice_text(text));
    return true;
}

static bool glob_apply(struct loader *loader, const char *name, const cJSON *item, char *glob)
{
    const char *text = text_read(loader, name, item);

    if (!text)
        return false;
    if (!glob_is_valid(slice_text(text))) {
        loader_problem(loader, loader->where, name, "must have 1 to %d bytes; * stands for all",
                       WINDOW_GLOB_MAX);
        return false;
    }
    if (text[strspn(text, GLOB_CHARACTERS)]) {
        loader_problem(
            loader, loader->where, name,
            "matches no id: those are letters, digits, dots, underscores and dashes; * and ? stand "
            "for others");
        return false;
    }
    memcpy(glob, text, strlen(text) + 1);
    return true;
}

static bool instances_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct maintenance_window *window = record;

    return glob_apply(loader, name, item, window->instances);
}

static bool brokers_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct maintenance_window *window = record;

    return glob_apply(loader, name, item, window->brokers);
}

static bool weekly_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct maintenance_window *window = record;
    const char *text = text_read(loader, name, item);

    if (!text)
        return false;
    if (strlen(text) > WINDOW_TEXT_MAX ||
        !window_parse_weekly(slice_text(text), &window->from_min, &window->until_min)) {
        loader_problem(
            loader, loader->where, name,
            "must be two times of the week that differ, such as Fri 22:00-Sun 22:05 (UTC); the second "
            "day may be left out where it is the first");
        return false;
    }
    memcpy(window->weekly, text, strlen(text) + 1);
    return true;
}

static void window_init(void *record)
{
    struct maintenance_window *window = record;

    window->instances[0] = '*';
    window->brokers[0] = '*';
}

static const struct field window_fields[] = {
    {{"name", "identifier", NULL, "what it is called in the log and to people"}, name_apply, NULL},
    {{"instances", "glob", "*", "whose instance_id is meant; * stands for any characters"},
     instances_apply,
     NULL},
    {{"brokers", "glob", "*", "whose broker_id is meant; both have to fit"}, brokers_apply, NULL},
    {{"weekly", "two times of the week", NULL,
      "such as Fri 22:00-Sun 22:05, in UTC; the second day may be left out where it is the first"},
     weekly_apply,
     NULL},
};
const struct field_table window_table = {window_fields, ARRAY_LEN(window_fields)};

static const struct list_kind window_kind = {
    .plural = "windows",
    .max = WINDOWS_MAX,
    .size = sizeof(struct maintenance_window),
    .table = {window_fields, ARRAY_LEN(window_fields)},
    .init = window_init,
};

bool windows_apply(struct loader *loader, const struct config_key *key, const cJSON *list)
{
    struct config *config = loader->config;
    void *windows;
    size_t count;

    if (!records_read(loader, key->name, list, &window_kind, &windows, &count))
        return false;
    windows_clear(config, key);
    config->maintenance_windows = windows;
    config->maintenance_window_count = count;
    return true;
}

static void window_print(struct buf *out, const struct maintenance_window *window)
{
    buf_add_text(out, "{\"name\": \"");
    buf_add_slice(out, ident_slice(&window->name)); /* an identifier: nothing to escape */
    buf_add_text(out, "\", \"instances\": ");
    print_text(out, window->instances);
    buf_add_text(out, ", \"brokers\": ");
    print_text(out, window->brokers);
    buf_add_text(out, ", \"weekly\": ");
    print_text(out, window->weekly);
    buf_add_char(out, '}');
}

void windows_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent)
{
    UNUSED(key);
    buf_add_char(out, '[');
    for (size_t i = 0; i < config->maintenance_window_count; i++) {
        if (i)
            buf_add_char(out, ',');
        print_break(out, indent + 2);
        window_print(out, &config->maintenance_windows[i]);
    }
    if (config->maintenance_window_count)
        print_break(out, indent);
    buf_add_char(out, ']');
}

void windows_clear(struct config *config, const struct config_key *key)
{
    UNUSED(key);
    records_free(&window_kind, config->maintenance_windows, config->maintenance_window_count);
}
