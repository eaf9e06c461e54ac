/* Loading: defaults, then the file, then `--set`, then the checks (SPEC §1.1, §2). A configuration with any
 * problem is not handed out. */
#include "config/config.h"

#include "config_type.h"

#include "codec/json_object.h"
#include "config/json_comments.h"
#include "config/loader.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include "util/utf8.h"
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
    loader_problem(loader, loader->where, line, "column %zu: %s", json_column_of(text, at), what);
}

/* The parser says no more than about where; the strict one says what. */
static void tell_not_json(struct loader *loader, const char *text, size_t len, size_t at)
{
    struct errmsg what, syntax;

    if (!json_find_fault(slice_of(text, len), &at, &what))
        errmsg_set(&what, "this is not JSON");
    errmsg_set(&syntax, "syntax error: %s", what.text);
    tell_syntax(loader, text, at, syntax.text);
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
        tell_not_json(loader, text, len, (size_t)(end - text));
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

void loader_init(struct loader *loader, config_problem_fn on_problem, void *ctx)
{
    *loader = (struct loader){.config = mem_new(1, sizeof(struct config)),
                              .where = LOADER_DEFAULTS,
                              .origin = mem_new(config_key_count, sizeof(char *)),
                              .seen = mem_new(config_key_count, sizeof(bool)),
                              .bad = mem_new(config_key_count, sizeof(bool)),
                              .rules = mem_new(RULES_MAX, sizeof(struct rule_draft)),
                              .on_problem = on_problem,
                              .ctx = ctx};
}

void loader_clear(struct loader *loader)
{
    config_free(loader->config);
    for (size_t i = 0; i < LAYERS; i++)
        cJSON_Delete(loader->layers[i]);
    free(loader->origin);
    free(loader->seen);
    free(loader->bad);
    free(loader->rules);
}

void loader_read(struct loader *loader, const struct config_source *source)
{
    loader_apply_defaults(loader);
    apply_file(loader, source->file ? source->file : CONFIG_DEFAULT_FILE, !source->file);
    loader->where = WHERE_SET;
    for (size_t i = 0; i < source->set_count; i++)
        apply_set(loader, source->sets[i]);
}

struct config *config_load(const struct config_source *source, config_problem_fn on_problem, void *ctx)
{
    struct loader loader;
    struct config *config = NULL;

    loader_init(&loader, on_problem, ctx);
    loader_read(&loader, source);
    loader_check(&loader);
    loader_make_layers(&loader, source);
    if (!loader.problems) {
        config = loader.config;
        loader.config = NULL;
    }
    loader_clear(&loader);
    return config;
}

void config_print_default(const struct config_key *key, struct buf *out)
{
    struct loader loader;

    loader_init(&loader, NULL, NULL);
    loader_apply_defaults(&loader);
    config_types[key->type].print(out, loader.config, key, 0);
    loader_clear(&loader);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_type_row *type = &config_types[config_keys[i].type];

        if (type->clear)
            type->clear(config, &config_keys[i]);
    }
    free(config->redis.host);
    free(config->redis.url_username);
    if (config->redis.url_password)
        explicit_bzero(config->redis.url_password, strlen(config->redis.url_password));
    free(config->redis.url_password);
    free(config->http.host);
    free(config);
}

/* Credentials print alike, but only texts hold some that a reload may not change. */
bool config_value_differs(const struct config *a, const struct config *b, const struct config_key *key)
{
    struct buf printed_a = BUF_INIT, printed_b = BUF_INIT;
    bool differs;

    if (config_type_is_text(key->type))
        return strcmp(*config_text_at(a, key), *config_text_at(b, key)) != 0;
    config_types[key->type].print(&printed_a, a, key, 0);
    config_types[key->type].print(&printed_b, b, key, 0);
    differs = !slice_equal(buf_slice(&printed_a), buf_slice(&printed_b));
    buf_clear(&printed_a);
    buf_clear(&printed_b);
    return differs;
}

/* What prints alike and is not the same: the secrets in files and URLs. */
static bool secrets_differ(const struct config *a, const struct config *b, const struct config_key *key)
{
    if (key->type == CONFIG_TYPE_TOKENS) /* prints alike: as many, with the same names */
        for (size_t i = 0; i < a->http.token_count; i++)
            if (strcmp(a->http.tokens[i].secret, b->http.tokens[i].secret) != 0)
                return true;
    if (key->type == CONFIG_TYPE_WEBHOOKS)
        for (size_t i = 0; i < a->notify.webhook_count; i++)
            if (strcmp(a->notify.webhooks[i].url, b->notify.webhooks[i].url) != 0)
                return true;
    return false;
}

void config_list_changes(const struct config *old_config, const struct config *new_config, struct buf *out)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];

        if (config_value_differs(old_config, new_config, key) || secrets_differ(old_config, new_config, key))
            buf_add_format(out, "%s%s", out->len ? "," : "", key->name);
    }
}

const char *config_find_frozen_change(const struct config *old_config, const struct config *new_config)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];

        bool differs = key->type == CONFIG_TYPE_LAYERS
                           ? layers_have_frozen_change(old_config, new_config)
                           : !key->reloadable && config_value_differs(old_config, new_config, key);

        if (differs)
            return key->name;
    }
    return NULL;
}
