/* Loading: defaults, then the file, then `--set`, then the checks (SPEC §1.1, §2). A configuration with any
 * problem is not handed out. */
#include "config/config.h"

#include "config/json_comments.h"
#include "config/loader.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include "util/utf8.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX_BYTES 1048576
#define WHERE_SET      "--set"

void loader_problem(struct loader *loader, const char *where, const char *key, const char *format, ...)
{
    char what[512], name[LOADER_KEY_MAX];
    size_t len = utf8_sanitize(name, sizeof(name) - 1, slice_text(key));
    va_list args;

    name[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            name[i] = '?';
    }
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args); /* cut where it is too long */
    va_end(args);
    loader->problems++;
    loader->on_problem(loader->ctx, where, name, what);
}

static int read_all(int fd, size_t max, struct buf *out)
{
    for (;;) {
        size_t room = max + 1 - out->len;
        ssize_t got = read(fd, buf_reserve(out, room < 65536 ? room : 65536), room < 65536 ? room : 65536);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0;
        out->len += (size_t)got;
        if (out->len > max)
            return -EFBIG;
    }
}

int loader_read_file(const char *path, size_t max, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    int error;

    if (fd < 0)
        return -errno;
    error = read_all(fd, max, out);
    (void)close(fd); /* only read from */
    if (!error)
        (void)buf_text(out);
    return error;
}

static void tell_syntax(struct loader *loader, const char *text, size_t at, const char *what)
{
    char line[32];

    (void)snprintf(line, sizeof(line), "line %zu", json_line_of(text, at));
    loader_problem(loader, loader->where, line, "%s", what);
}

/* TEXT with a NUL behind it; it is blanked and marked in place. */
static void apply_file_text(struct loader *loader, char *text, size_t len)
{
    const char *nul = len ? memchr(text, '\0', len) : NULL, *end = text;
    size_t bad;
    cJSON *root;

    if (nul) {
        tell_syntax(loader, text, (size_t)(nul - text), "holds a NUL byte");
        return;
    }
    if (!json_blank_comments(text, len, &bad)) {
        tell_syntax(loader, text, bad, "this comment does not end");
        return;
    }
    json_mark_nuls(text, len);
    root = cJSON_ParseWithLengthOpts(text, len + 1, &end, true);
    if (!root)
        tell_syntax(loader, text, (size_t)(end - text), "syntax error: this is not JSON");
    else if (!cJSON_IsObject(root))
        loader_problem(loader, loader->where, "line 1", "must be an object");
    else
        loader_apply_file(loader, root);
    cJSON_Delete(root);
}

static void apply_file(struct loader *loader, const char *path, bool may_be_missing)
{
    struct buf text = BUF_INIT;
    int error = loader_read_file(path, FILE_MAX_BYTES, &text);

    loader->where = path;
    if (error == -EFBIG)
        loader_problem(loader, path, "file", "is longer than %d bytes", FILE_MAX_BYTES);
    else if (error && !(may_be_missing && error == -ENOENT))
        loader_problem(loader, path, "file", "cannot be read: %s", strerror(-error));
    else if (!error)
        apply_file_text(loader, text.data, text.len);
    buf_clear(&text);
}

static void apply_set(struct loader *loader, const char *set)
{
    const char *equals = strchr(set, '='), *end;
    struct buf json = BUF_INIT;
    cJSON *item;

    if (!equals || equals == set) {
        loader_problem(loader, WHERE_SET, set, "must be KEY=VALUE");
        return;
    }
    buf_add_text(&json, equals + 1);
    (void)buf_text(&json);
    json_mark_nuls(json.data, json.len);
    item = cJSON_ParseWithLengthOpts(json.data, json.len + 1, &end, true);
    loader_apply_set(loader, slice_of(set, (size_t)(equals - set)), item, equals + 1);
    cJSON_Delete(item);
    buf_clear(&json);
}

struct config *config_load(const struct config_source *source, config_problem_fn on_problem, void *ctx)
{
    struct loader loader = {.config = mem_new(1, sizeof(struct config)),
                            .where = LOADER_DEFAULTS,
                            .origin = mem_new(config_key_count, sizeof(char *)),
                            .seen = mem_new(config_key_count, sizeof(bool)),
                            .on_problem = on_problem,
                            .ctx = ctx};

    loader_apply_defaults(&loader);
    apply_file(&loader, source->file ? source->file : CONFIG_DEFAULT_FILE, !source->file);
    loader.where = WHERE_SET;
    for (size_t i = 0; i < source->set_count; i++)
        apply_set(&loader, source->sets[i]);
    loader_check(&loader);
    if (loader.problems) {
        config_free(loader.config);
        loader.config = NULL;
    }
    free(loader.origin);
    free(loader.seen);
    return loader.config;
}

static void secret_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config_key_count; i++) {
        if (config_type_is_text(config_keys[i].type))
            secret_free(*config_text_at(config, &config_keys[i]));
    }
    for (size_t i = 0; i < config->http.token_count; i++) {
        free(config->http.tokens[i].name);
        free(config->http.tokens[i].file);
        secret_free(config->http.tokens[i].secret);
    }
    free(config->http.tokens);
    free(config->redis.host);
    free(config->redis.url_username);
    secret_free(config->redis.url_password);
    free(config->http.host);
    free(config);
}

/* A list may not differ where it cannot be reloaded; there is no such list. */
static bool value_differs(const struct config *a, const struct config *b, const struct config_key *key)
{
    switch (key->type) {
    case CONFIG_TYPE_INTEGER:
        return *config_integer_at(a, key) != *config_integer_at(b, key);
    case CONFIG_TYPE_NUMBER:
        return *config_number_at(a, key) != *config_number_at(b, key);
    case CONFIG_TYPE_BOOL:
        return *config_bool_at(a, key) != *config_bool_at(b, key);
    case CONFIG_TYPE_ENUM:
        return *config_enum_at(a, key) != *config_enum_at(b, key);
    case CONFIG_TYPE_TOKENS:
        return false;
    default:
        return strcmp(*config_text_at(a, key), *config_text_at(b, key)) != 0;
    }
}

const char *config_find_frozen_change(const struct config *old_config, const struct config *new_config)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];

        if (!key->reloadable && value_differs(old_config, new_config, key))
            return key->name;
    }
    return NULL;
}
