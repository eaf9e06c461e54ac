/* The addresses of the configuration (SPEC §2): redis.url, http.listen, and the URLs of notify.webhooks. */
#pragma once

#include "config/config.h"
#include "util/slice.h"

struct buf;
struct errmsg;

struct redis_url {
    enum config_redis_scheme scheme;
    char *host; /* name or address without brackets; the path of a unix socket */
    uint16_t port;
    int db;
    char *username, *password; /* percent-decoded, "" for none */
};

/* Reads `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]`, the same with `rediss` for TLS, or
 * `unix://[[USER]:PASSWORD@]/PATH[?db=DB]`. HOST is a name, an IPv4 address or an IPv6 address in brackets.
 * The texts of *ret_url are the caller's (redis_url_clear). False with WHY, which never repeats a credential,
 * for all else. */
bool redis_url_parse(const char *text, struct redis_url *ret_url, struct errmsg *why);
void redis_url_clear(struct redis_url *url);
/* Reads `HOST:PORT` of a Sentinel, with `redis://` or `rediss://` in front or without. HOST is as above and
 * the caller's. *ret_has_scheme is false where none is given; then *ret_scheme is left alone. */
bool sentinel_text_parse(const char *text, enum config_redis_scheme *ret_scheme, bool *ret_has_scheme,
                         char **ret_host, uint16_t *ret_port, struct errmsg *why);

struct listen_address {
    enum config_listen_kind kind;
    char *host;    /* or the path of a unix socket */
    uint16_t port; /* 0: the system picks one */
};

/* Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:/PATH`. */
bool listen_address_parse(const char *text, struct listen_address *ret_address, struct errmsg *why);
void listen_address_clear(struct listen_address *address);

/* True for `http://[USER[:PASSWORD]@]HOST[:PORT][/PATH][?QUERY]` and the same with `https`: at most
 * HTTP_URL_MAX printable ASCII characters, HOST as above. What is sent there goes through libcurl, which is
 * given the text as it is: nothing is let through here that it might read in another way. False with WHY,
 * which never repeats a credential, for all else. */
#define HTTP_URL_MAX 2048
bool http_url_check(const char *text, struct errmsg *why);

/* Appends TEXT, an URL of any kind, with its credentials part as `<redacted>`. */
void url_redact(const char *text, struct buf *out);
