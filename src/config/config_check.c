/* What one value alone does not show: addresses are taken apart, files read, names compared. */
#include "config/loader.h"

#include "config_type.h"

#include "config/url.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CREDENTIALS_VARIABLE "CREDENTIALS_DIRECTORY"
#define PASSWORD_MAX_BYTES   4096

/* Keys of the daemon's own: no stream may be among them. */
static const char *const own_prefixes[] = {
    "mt5stated:", "instance:", "instance_metrics:", "instance_health:", "trade:"};

const char *loader_origin(const struct loader *loader, const char *key)
{
    return loader->origin[config_key_find(slice_text(key)) - config_keys];
}

bool loader_left_out(const struct loader *loader, const char *key)
{
    return loader->bad[config_key_find(slice_text(key)) - config_keys];
}

void loader_wipe(struct buf *content)
{
    if (content->data)
        explicit_bzero(content->data, content->cap);
    buf_clear(content);
}

static void check_redis_url(struct loader *loader)
{
    struct config *config = loader->config;
    struct redis_url url;
    struct errmsg why;

    if (!redis_url_parse(config->redis.url, &url, &why)) {
        loader_problem(loader, loader_origin(loader, "redis.url"), "redis.url", "%s", why.text);
        return;
    }
    config->redis.scheme = url.scheme;
    config->redis.host = url.host;
    config->redis.port = url.port;
    config->redis.db = url.db;
    config->redis.url_username = url.username;
    config->redis.url_password = url.password;
}

static void check_listen(struct loader *loader)
{
    struct config *config = loader->config;
    struct listen_address address;
    struct errmsg why;

    if (!listen_address_parse(config->http.listen, &address, &why)) {
        loader_problem(loader, loader_origin(loader, "http.listen"), "http.listen", "%s", why.text);
        return;
    }
    config->http.kind = address.kind;
    config->http.host = address.host;
    config->http.port = address.port;
}

/* Files with a password, and the credentials that stand for them. */
static const struct {
    const char *key, *credential;
} passwords[] = {{"redis.password_file", "redis-password"},
                 {"redis.sentinel_password_file", "redis-sentinel-password"}};

/* systemd hands the password over as a credential; a file that is named wins. */
static void find_password_credential(char **file, const char *credential)
{
    const char *directory = getenv(CREDENTIALS_VARIABLE);
    struct buf path = BUF_INIT;

    if (!directory || !*directory || **file)
        return;
    buf_add_format(&path, "%s/%s", directory, credential);
    if (access(buf_text(&path), F_OK) == 0) {
        free(*file);
        *file = mem_copy_text(path.data, path.len);
    }
    buf_clear(&path);
}

static void find_password_credentials(struct config *config)
{
    for (size_t i = 0; i < ARRAY_LEN(passwords); i++)
        find_password_credential(config_text_at(config, config_key_find(slice_text(passwords[i].key))),
                                 passwords[i].credential);
}

/* The text of the password file must be something that AUTH can send and a person meant. */
static void check_password(struct loader *loader, const char *key)
{
    const char *path = *config_text_at(loader->config, config_key_find(slice_text(key)));
    struct buf content = BUF_INIT;
    int error = *path ? loader_read_file(path, PASSWORD_MAX_BYTES, &content) : 0;

    if (*path && error == -EFBIG)
        loader_problem(loader, loader_origin(loader, key), key, "%s: a password has %d bytes at most", path,
                       PASSWORD_MAX_BYTES);
    else if (*path && !error && (content.len == 0 || content.data[0] == '\n'))
        loader_problem(loader, loader_origin(loader, key), key, "%s: is empty", path);
    loader_wipe(&content);
}

static void check_tls_pair(struct loader *loader)
{
    const struct config *config = loader->config;

    if (*config->redis.tls_cert_file && !*config->redis.tls_key_file)
        loader_problem(loader, loader_origin(loader, "redis.tls_cert_file"), "redis.tls_key_file",
                       "must be set with redis.tls_cert_file");
    if (*config->redis.tls_key_file && !*config->redis.tls_cert_file)
        loader_problem(loader, loader_origin(loader, "redis.tls_key_file"), "redis.tls_cert_file",
                       "must be set with redis.tls_key_file");
}

/* Of two values that do not go together, the one to tell about: that which somebody set. */
static const struct config_key *key_to_blame(const struct loader *loader, const struct config_key *a,
                                             const struct config_key *b)
{
    return strcmp(loader->origin[a - config_keys], LOADER_DEFAULTS) == 0 ? b : a;
}

static void check_reconnect(struct loader *loader)
{
    const struct config_key *min = config_key_find(slice_text("redis.reconnect_min_ms"));
    const struct config_key *max = config_key_find(slice_text("redis.reconnect_max_ms"));
    const struct config_key *blamed = key_to_blame(loader, min, max);

    if (loader->config->redis.reconnect_min_ms > loader->config->redis.reconnect_max_ms)
        loader_problem(loader, loader->origin[blamed - config_keys], blamed->name, "must not be %s",
                       blamed == min ? "above redis.reconnect_max_ms" : "below redis.reconnect_min_ms");
}

/* True where NAME is that of a stream which the daemon makes beside BASE (SPEC §4). */
static bool is_derived(const char *name, const char *base)
{
    size_t len = strlen(base);

    return strncmp(name, base, len) == 0 &&
           (strcmp(name + len, "_rejected") == 0 || strcmp(name + len, "_dropped") == 0);
}

static void check_stream_pair(struct loader *loader, const struct config_key *a, const struct config_key *b)
{
    const char *name = *config_text_at(loader->config, a), *other = *config_text_at(loader->config, b);
    const struct config_key *blamed = key_to_blame(loader, a, b);
    const char *origin = loader->origin[blamed - config_keys];

    if (strcmp(name, other) == 0)
        loader_problem(loader, origin, blamed->name, "must differ from %s", (blamed == a ? b : a)->name);
    else if (is_derived(name, other))
        loader_problem(loader, origin, blamed->name, "%s would be a stream that the daemon makes for %s",
                       a->name, b->name);
    else if (is_derived(other, name))
        loader_problem(loader, origin, blamed->name, "%s would be a stream that the daemon makes for %s",
                       b->name, a->name);
}

static void check_streams(struct loader *loader)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];

        if (key->type != CONFIG_TYPE_STREAM)
            continue;
        for (size_t p = 0; p < ARRAY_LEN(own_prefixes); p++) {
            if (strncmp(*config_text_at(loader->config, key), own_prefixes[p], strlen(own_prefixes[p])) == 0)
                loader_problem(loader, loader->origin[i], key->name, "must not begin with %s",
                               own_prefixes[p]);
        }
        for (size_t j = 0; j < i; j++) {
            if (config_keys[j].type == CONFIG_TYPE_STREAM)
                check_stream_pair(loader, key, &config_keys[j]);
        }
    }
}

/* What the types look at, each key by itself: files, and rules that are whole. */
static void check_keys(struct loader *loader)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_type_row *type = &config_types[config_keys[i].type];

        if (type->check)
            type->check(loader, &config_keys[i]);
    }
}

void loader_check(struct loader *loader)
{
    check_redis_url(loader);
    find_password_credentials(loader->config);
    check_keys(loader);
    for (size_t i = 0; i < ARRAY_LEN(passwords); i++)
        check_password(loader, passwords[i].key);
    check_tls_pair(loader);
    check_reconnect(loader);
    check_streams(loader);
    check_listen(loader);
}
