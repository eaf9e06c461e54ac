/* hooks: per command, or for notifications, what is executed. Each source sets those that it names. */
#include "config_type.h"
#include "config_value.h"

#include "util/alloc.h"
#include "util/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOOK_ARGS_MAX 64

const char *const config_hook_names[CONFIG_HOOKS + 1] = {
    [CONFIG_HOOK_STOP] = "stop",           [CONFIG_HOOK_RECOVER] = "recover",
    [CONFIG_HOOK_RESTART] = "restart",     [CONFIG_HOOK_START] = "start",
    [CONFIG_HOOK_RECONNECT] = "reconnect", [CONFIG_HOOK_REDISTRIBUTE] = "redistribute",
    [CONFIG_HOOK_THROTTLE] = "throttle",   [CONFIG_HOOK_UNTHROTTLE] = "unthrottle",
    [CONFIG_HOOK_CANCEL] = "cancel",       [CONFIG_HOOK_NOTIFY] = "notify",
};

static void hook_name(enum config_hook_kind kind, struct key_path *ret_path)
{
    key_path_set(ret_path, slice_text("hooks"));
    key_path_add(ret_path, ".", config_hook_names[kind]);
}

static void hook_clear(struct config_hook *hook)
{
    for (size_t i = 0; hook->argv && hook->argv[i]; i++)
        free(hook->argv[i]);
    free(hook->argv);
    hook->argv = NULL;
}

/* What is wrong with the text at INDEX. A script that is handed to a shell may have more than one line. */
static const char *arg_fault(const cJSON *item, size_t index)
{
    const char *fault = cJSON_IsString(item) ? text_fault(item->valuestring, index > 0) : "must be text";

    if (!fault && index == 0 && *item->valuestring != '/')
        return "must be an absolute path";
    return fault;
}

/* The COUNT texts of LIST; the caller clears HOOK where they are not good. */
static bool args_read(struct loader *loader, const char *name, const cJSON *list, size_t count,
                      struct config_hook *hook)
{
    size_t index = 0;

    hook->argv = mem_new(count + 1, sizeof(char *));
    for (const cJSON *item = list->child; item; item = item->next, index++) {
        const char *fault = arg_fault(item, index);
        struct key_path path;

        if (fault) {
            key_path_set(&path, slice_text(name));
            key_path_add_index(&path, index);
            loader_problem(loader, loader->where, path.text, "%s", fault);
            return false;
        }
        hook->argv[index] = mem_copy_text(item->valuestring, strlen(item->valuestring));
    }
    return true;
}

static bool hook_apply(struct loader *loader, const char *name, const cJSON *list, enum config_hook_kind kind)
{
    struct config_hook *hook = &loader->config->hooks[kind], read = {NULL};
    int count = cJSON_GetArraySize(list);

    if (!cJSON_IsNull(list) && (!cJSON_IsArray(list) || count == 0)) {
        tell_wrong_type(loader, name, "a list: the path of a file, and its arguments; or null for no hook");
        return false;
    }
    if (count > HOOK_ARGS_MAX) {
        loader_problem(loader, loader->where, name, "may hold %d texts at most", HOOK_ARGS_MAX);
        return false;
    }
    if (count > 0 && !args_read(loader, name, list, (size_t)count, &read)) {
        hook_clear(&read);
        return false;
    }
    hook_clear(hook);
    *hook = read;
    loader->hook_origin[kind] = loader->where;
    return true;
}

bool hooks_apply(struct loader *loader, const struct config_key *key, const cJSON *object)
{
    uint32_t seen = 0;
    bool good = true;

    for (const cJSON *item = object->child; item && loader->problems < LOADER_PROBLEMS_MAX;
         item = item->next) {
        int kind = choice_find(config_hook_names, item->string);
        struct key_path path;

        key_path_set(&path, slice_text(key->name));
        key_path_add(&path, ".", item->string);
        if (kind < 0) {
            tell_wrong_choice(loader, path.text, item->string, config_hook_names);
            good = false;
        } else if (seen & (1U << kind)) {
            loader_problem(loader, loader->where, path.text, "is there twice");
            good = false;
        } else {
            seen |= 1U << kind;
            good &= hook_apply(loader, path.text, item, (enum config_hook_kind)kind);
        }
    }
    return good;
}

static const char *file_fault(const char *path)
{
    struct stat found;

    if (stat(path, &found) < 0)
        return strerror(errno);
    if (!S_ISREG(found.st_mode))
        return "is no regular file";
    if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
        return errno == EACCES ? "is not executable" : strerror(errno);
    return NULL;
}

void hooks_check(struct loader *loader, const struct config_key *key)
{
    UNUSED(key);
    for (enum config_hook_kind kind = 0; kind < CONFIG_HOOKS; kind++) {
        const struct config_hook *hook = &loader->config->hooks[kind];
        const char *fault = hook->argv ? file_fault(hook->argv[0]) : NULL;
        struct key_path path;

        if (!fault)
            continue;
        hook_name(kind, &path);
        loader_problem(loader, loader->hook_origin[kind], path.text, "%s: %s", hook->argv[0], fault);
    }
}

void hooks_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent)
{
    const char *separator = "";

    UNUSED(key);
    buf_add_char(out, '{');
    for (enum config_hook_kind kind = 0; kind < CONFIG_HOOKS; kind++) {
        const struct config_hook *hook = &config->hooks[kind];

        if (!hook->argv)
            continue;
        buf_add_text(out, separator);
        print_break(out, indent + 2);
        print_text(out, config_hook_names[kind]);
        buf_add_text(out, ": ");
        for (size_t i = 0; hook->argv[i]; i++) {
            buf_add_text(out, i ? ", " : "[");
            print_text(out, hook->argv[i]);
        }
        buf_add_char(out, ']');
        separator = ",";
    }
    if (*separator)
        print_break(out, indent);
    buf_add_char(out, '}');
}

void hooks_clear(struct config *config, const struct config_key *key)
{
    UNUSED(key);
    for (size_t i = 0; i < CONFIG_HOOKS; i++)
        hook_clear(&config->hooks[i]);
}

/* No hook has fields. */
size_t hooks_member_len(struct slice below, const cJSON *item)
{
    UNUSED(item);
    return below.len;
}
