/* Parsing of redis.url and http.listen. Strict: what is not understood is refused, with a reason that names
 * the part and never a credential. */
#include "config/url.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include "util/number.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/un.h>

#define REDIS_PORT     6379
#define REDIS_DB_MAX   1000000
#define HOST_MAX       253
#define CREDENTIAL_MAX 1024
#define UNIX_PATH_MAX  (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static struct slice slice_from(struct slice s, size_t at)
{
    return slice_of(s.data + at, s.len - at);
}

static bool slice_begins(struct slice s, const char *prefix)
{
    size_t len = strlen(prefix);

    return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

/* Cuts what is before the first SEPARATOR off *text into *ret_head; false, with nothing changed, where there
 * is none. */
static bool cut_at(struct slice *text, char separator, struct slice *ret_head)
{
    const char *found = text->len ? memchr(text->data, separator, text->len) : NULL;

    if (!found)
        return false;
    *ret_head = slice_of(text->data, (size_t)(found - text->data));
    *text = slice_from(*text, ret_head->len + 1);
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A percent-decoded copy, or NULL where an escape is broken or a byte is a control character. */
static char *percent_decode(struct slice text)
{
    char *out = mem_new(text.len + 1, 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '%') {
            bool is_whole = text.len - i > 2;
            int high = is_whole ? hex_value(text.data[i + 1]) : -1;
            int low = is_whole ? hex_value(text.data[i + 2]) : -1;

            c = high < 0 || low < 0 ? '\0' : (char)(high * 16 + low);
            i += 2;
        }
        if ((unsigned char)c < ' ' || c == 0x7f) {
            free(out);
            return NULL;
        }
        out[len++] = c;
    }
    return out;
}

/* The content of an IPv6 address in brackets, a dotted IPv4 address or a host name. */
static bool host_is_valid(struct slice host, bool in_brackets)
{
    char text[HOST_MAX + 1];
    struct in6_addr v6;
    struct in_addr v4;
    bool has_letter = false;

    if (host.len == 0 || host.len > HOST_MAX)
        return false;
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    if (in_brackets)
        return inet_pton(AF_INET6, text, &v6) == 1;
    for (size_t i = 0; i < host.len; i++) {
        char c = text[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';

        has_letter |= is_letter;
        if (!is_letter && !(c >= '0' && c <= '9') && c != '.')
            return false;
    }
    return has_letter || inet_pton(AF_INET, text, &v4) == 1;
}

/* Splits `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`. *port is left alone where none is given and NEED_PORT is
 * false. */
static bool host_port_parse(struct slice text, bool need_port, struct slice *ret_host, uint16_t *port,
                            struct errmsg *why)
{
    struct slice host = text, rest = text;
    bool in_brackets = text.len && text.data[0] == '[';
    bool has_port;
    uint64_t number;

    if (in_brackets) {
        rest = slice_from(text, 1);
        if (!cut_at(&rest, ']', &host) || (rest.len && rest.data[0] != ':')) {
            errmsg_set(why, "an IPv6 address must be in brackets: [::1]:port");
            return false;
        }
        has_port = rest.len > 0;
        if (has_port)
            rest = slice_from(rest, 1);
    } else {
        has_port = cut_at(&rest, ':', &host);
    }
    if (!host_is_valid(host, in_brackets)) {
        errmsg_set(why, host.len ? "the host is neither a name nor an address" : "has no host");
        return false;
    }
    if (!has_port && need_port) {
        errmsg_set(why, "has no port");
        return false;
    }
    if (has_port && !number_parse_u64(rest, UINT16_MAX, &number)) {
        errmsg_set(why, "the port must be a number up to 65535");
        return false;
    }
    if (has_port)
        *port = (uint16_t)number;
    *ret_host = host;
    return true;
}

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

/* The part between `//` and the path; the last @ in it ends the credentials. */
static struct slice authority_of(struct slice rest)
{
    size_t len = 0;

    while (len < rest.len && !memchr("/?#", rest.data[len], 3))
        len++;
    return slice_of(rest.data, len);
}

static size_t credentials_len(struct slice authority)
{
    const char *at = authority.len ? memrchr(authority.data, '@', authority.len) : NULL;

    return at ? (size_t)(at - authority.data) : 0;
}

static bool path_is_valid(struct slice path, struct errmsg *why)
{
    if (path.len == 0 || path.data[0] != '/') {
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
    if (rest.len && rest.data[0] != '/') {
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
    if (credentials || (authority.len && authority.data[0] == '@')) {
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

void redis_url_clear(struct redis_url *url)
{
    if (url->password)
        explicit_bzero(url->password, strlen(url->password));
    free(url->host);
    free(url->username);
    free(url->password);
    *url = (struct redis_url){0};
}

void redis_url_redact(const char *text, struct buf *out)
{
    const char *slashes = strstr(text, "//");
    struct slice rest, authority;
    size_t credentials;

    if (!slashes) {
        buf_add_text(out, text);
        return;
    }
    rest = slice_text(slashes + 2);
    authority = authority_of(rest);
    credentials = credentials_len(authority);
    buf_add(out, text, (size_t)(rest.data - text));
    if (credentials)
        buf_add_text(out, "<redacted>");
    buf_add_slice(out, slice_from(rest, credentials));
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
