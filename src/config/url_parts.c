/* The parts of addresses. Strict: what is not understood is refused. */
#include "url_parts.h"

#include "config/url.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include "util/number.h"
#include <arpa/inet.h>
#include <stdlib.h>

#define HOST_MAX 253

bool slice_begins(struct slice s, const char *prefix)
{
    size_t len = strlen(prefix);

    return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

bool cut_at(struct slice *text, char separator, struct slice *ret_head)
{
    const char *found = text->len ? memchr(text->data, separator, text->len) : NULL;

    if (!found)
        return false;
    *ret_head = slice_of(text->data, (size_t)(found - text->data));
    *text = slice_from(*text, ret_head->len + 1);
    return true;
}

char *percent_decode(struct slice text)
{
    char *out = mem_new(text.len + 1, 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '%') {
            bool is_whole = text.len - i > 2;
            int high = is_whole ? number_hex_digit(text.data[i + 1]) : -1;
            int low = is_whole ? number_hex_digit(text.data[i + 2]) : -1;

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

bool host_port_parse(struct slice text, bool need_port, struct slice *ret_host, uint16_t *port,
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

struct slice authority_of(struct slice rest)
{
    size_t len = 0;

    while (len < rest.len && !memchr("/?#", rest.data[len], 3))
        len++;
    return slice_of(rest.data, len);
}

size_t credentials_len(struct slice authority)
{
    const char *at = authority.len ? memrchr(authority.data, '@', authority.len) : NULL;

    return at ? (size_t)(at - authority.data) : 0;
}

void url_redact(const char *text, struct buf *out)
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
