/* Parsing of redis.url, http.listen and the URLs of webhooks. Strict: what is not understood is refused, with
 * a reason that names the part and never a credential. */
#include "config/url.h"

#include "url_parts.h"

#include "util/alloc.h"
#include "util/errmsg.h"
#include "util/number.h"
#include <stdlib.h>
#include <sys/un.h>

#define REDIS_PORT     6379
#define REDIS_DB_MAX   1000000
#define CREDENTIAL_MAX 1024
#define UNIX_PATH_MAX  (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static bool db_parse(struct slice text, int *ret_db, struct errmsg *why)
{
    uint64_t db;

    if (!number_parse_u64(text, REDIS_DB_MAX, &db)) {
        errmsg_set(why, "the database must be a number from 0 to %d", REDIS_DB_MAX);
        return false;
    }
    *ret_db = (int)db;
    return true;
}

/* `USER:PASSWORD` or `:PASSWORD`; a lone word could be meant as either, so it is refused. */
static bool credentials_parse(struct slice text, struct redis_url *url, struct errmsg *why)
{
    struct slice username;

    if (text.len > CREDENTIAL_MAX || !cut_at(&text, ':', &username)) {
        errmsg_set(why, "before the @ there must be USER:PASSWORD or :PASSWORD");
        return false;
    }
    url->username = percent_decode(username);
    url->password = percent_decode(text);
    if (!url->username || !url->password) {
        errmsg_set(why, "before the @ there is a broken %%-escape or a control character");
        return false;
    }
    return true;
}

static bool path_is_valid(struct slice path, struct errmsg *why)
{
    if (!slice_begins(path, "/")) {
        errmsg_set(why, "a unix socket needs an absolute path");
        return false;
    }
    if (path.len > UNIX_PATH_MAX) {
        errmsg_set(why, "the path of a unix socket may have %zu bytes at most", UNIX_PATH_MAX);
        return false;
    }
    return true;
}

/* What follows the authority of a unix URL: `/PATH[?db=DB]`. */
static bool unix_rest_parse(struct slice rest, struct redis_url *url, struct errmsg *why)
{
    struct slice path = rest;

    if (cut_at(&rest, '?', &path)) {
        if (!slice_begins(rest, "db=")) {
            errmsg_set(why, "the only parameter known is db");
            return false;
        }
        if (!db_parse(slice_from(rest, strlen("db=")), &url->db, why))
            return false;
    }
    if (!path_is_valid(path, why))
        return false;
    url->host = mem_copy_text(path.data, path.len);
    return true;
}

static bool tcp_rest_parse(struct slice host_port, struct slice rest, struct redis_url *url,
                           struct errmsg *why)
{
    struct slice host;

    url->port = REDIS_PORT;
    if (!host_port_parse(host_port, false, &host, &url->port, why))
        return false;
    if (url->port == 0) {
        errmsg_set(why, "the port must not be 0");
        return false;
    }
    if (rest.len && !slice_begins(rest, "/")) {
        errmsg_set(why, "behind the host there may be a port and /DB only");
        return false;
    }
    if (rest.len > 1 && !db_parse(slice_from(rest, 1), &url->db, why))
        return false;
    url->host = mem_copy_text(host.data, host.len);
    return true;
}

static bool scheme_parse(struct slice *rest, enum config_redis_scheme *ret_scheme)
{
    static const struct {
        const char *prefix;
        enum config_redis_scheme scheme;
    } schemes[] = {
        {"redis://", CONFIG_REDIS_TCP}, {"rediss://", CONFIG_REDIS_TLS}, {"unix://", CONFIG_REDIS_UNIX}};

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (slice_begins(*rest, schemes[i].prefix)) {
            *rest = slice_from(*rest, strlen(schemes[i].prefix));
            *ret_scheme = schemes[i].scheme;
            return true;
        }
    }
    return false;
}

static bool redis_url_fill(const char *text, struct redis_url *url, struct errmsg *why)
{
    struct slice rest = slice_text(text), authority;
    size_t credentials;

    if (!scheme_parse(&rest, &url->scheme)) {
        errmsg_set(why, "must begin with redis://, rediss:// or unix://");
        return false;
    }
    authority = authority_of(rest);
    rest = slice_from(rest, authority.len);
    credentials = credentials_len(authority);
    if (credentials || (slice_begins(authority, "@"))) {
        if (!credentials_parse(slice_of(authority.data, credentials), url, why))
            return false;
        authority = slice_from(authority, credentials + 1);
    }
    if (url->scheme != CONFIG_REDIS_UNIX)
        return tcp_rest_parse(authority, rest, url, why);
    if (authority.len) {
        errmsg_set(why, "a unix socket has no host: write unix:///path");
        return false;
    }
    return unix_rest_parse(rest, url, why);
}

bool redis_url_parse(const char *text, struct redis_url *ret_url, struct errmsg *why)
{
    struct redis_url url = {0};

    if (!redis_url_fill(text, &url, why)) {
        redis_url_clear(&url);
        return false;
    }
    if (!url.username) {
        url.username = mem_copy_text("", 0);
        url.password = mem_copy_text("", 0);
    }
    *ret_url = url;
    return true;
}

bool sentinel_text_parse(const char *text, enum config_redis_scheme *ret_scheme, bool *ret_has_scheme,
                         char **ret_host, uint16_t *ret_port, struct errmsg *why)
{
    struct slice rest = slice_text(text), host;
    enum config_redis_scheme scheme = CONFIG_REDIS_TCP;
    bool has_scheme = scheme_parse(&rest, &scheme);
    uint16_t port;

    if (has_scheme && scheme == CONFIG_REDIS_UNIX) {
        errmsg_set(why, "a sentinel is reached by host and port");
        return false;
    }
    if (strchr(text, '@')) { /* what is before it may be a password: it is not repeated */
        errmsg_set(why, "user and password belong in redis.sentinel_username and "
                        "redis.sentinel_password_file");
        return false;
    }
    if (!host_port_parse(rest, true, &host, &port, why))
        return false;
    if (port == 0) {
        errmsg_set(why, "the port must not be 0");
        return false;
    }
    if (has_scheme)
        *ret_scheme = scheme;
    *ret_has_scheme = has_scheme;
    *ret_host = mem_copy_text(host.data, host.len);
    *ret_port = port;
    return true;
}

void redis_url_clear(struct redis_url *url)
{
    if (url->password)
        explicit_bzero(url->password, strlen(url->password));
    free(url->host);
    free(url->username);
    free(url->password);
    *url = (struct redis_url){0};
}

bool listen_address_parse(const char *text, struct listen_address *ret_address, struct errmsg *why)
{
    struct slice rest = slice_text(text), host;
    struct listen_address address = {.kind = CONFIG_LISTEN_TCP};

    if (slice_begins(rest, "unix:")) {
        address.kind = CONFIG_LISTEN_UNIX;
        host = slice_from(rest, strlen("unix:"));
        if (!path_is_valid(host, why))
            return false;
    } else if (!host_port_parse(rest, true, &host, &address.port, why)) {
        return false;
    }
    address.host = mem_copy_text(host.data, host.len);
    *ret_address = address;
    return true;
}

void listen_address_clear(struct listen_address *address)
{
    free(address->host);
    *address = (struct listen_address){0};
}

/* RFC 3986's userinfo, so that a `<redacted>` that was printed is not taken for a password. */
static bool userinfo_is_valid(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!is_alnum && !memchr("-._~!$&'()*+,;=:%", c, strlen("-._~!$&'()*+,;=:%")))
            return false;
    }
    return text.len > 0 && text.len <= CREDENTIAL_MAX;
}

static bool http_characters_are_valid(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c <= ' ' || c >= 0x7f || c == '\\' || c == '<' || c == '>' || c == '"' || c == '#')
            return false;
    }
    return text.len <= HTTP_URL_MAX;
}

static bool http_authority_check(struct slice authority, uint16_t default_port, struct errmsg *why)
{
    struct slice userinfo = slice_of(authority.data, credentials_len(authority)), host;
    uint16_t port = default_port;
    char *decoded;

    if (authority.len && memchr(authority.data, '@', authority.len)) {
        decoded = userinfo_is_valid(userinfo) ? percent_decode(userinfo) : NULL;
        if (!decoded) {
            errmsg_set(why, "before the @ there must be USER:PASSWORD, other characters as %%-escapes");
            return false;
        }
        explicit_bzero(decoded, strlen(decoded));
        free(decoded);
        authority = slice_from(authority, userinfo.len + 1);
    }
    if (!host_port_parse(authority, false, &host, &port, why))
        return false;
    if (port == 0)
        errmsg_set(why, "the port must not be 0");
    return port != 0;
}

bool http_url_check(const char *text, struct errmsg *why)
{
    struct slice rest = slice_text(text);
    bool is_tls = slice_begins(rest, "https://");

    if (!is_tls && !slice_begins(rest, "http://")) {
        errmsg_set(why, "must begin with http:// or https://");
        return false;
    }
    rest = slice_from(rest, strlen(is_tls ? "https://" : "http://"));
    if (!http_authority_check(authority_of(rest), is_tls ? 443 : 80, why))
        return false;
    if (!http_characters_are_valid(slice_text(text))) {
        errmsg_set(why, "must be at most %d characters of those that an URL may hold, without a #",
                   HTTP_URL_MAX);
        return false;
    }
    return true;
}
