#include "app/route.h"
#include <arpa/inet.h>
#include <netinet/in.h>

bool route_matches(const char *pattern, struct slice path, struct slice *ret_parameter)
{
    const char *open = strchr(pattern, '{');
    if (!open) {
        if (!slice_is(path, pattern))
            return false;
        *ret_parameter = slice_of("", 0);
        return true;
    }
    struct slice head = slice_of(pattern, (size_t)(open - pattern));
    struct slice tail = slice_text(strchr(open, '}') + 1);
    if (path.len <= head.len + tail.len || !slice_equal(slice_of(path.data, head.len), head) ||
        !slice_equal(slice_of(path.data + path.len - tail.len, tail.len), tail))
        return false;
    struct slice parameter = slice_of(path.data + head.len, path.len - head.len - tail.len);
    if (memchr(parameter.data, '/', parameter.len))
        return false;
    *ret_parameter = parameter;
    return true;
}

bool route_allows_arg(const char *allowed, struct slice name)
{
    while (*allowed) {
        size_t len = strcspn(allowed, " ");
        if (slice_equal(name, slice_of(allowed, len)))
            return true;
        allowed += len + (allowed[len] == ' ');
    }
    return false;
}

static bool is_port(struct slice text)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.len == 0 || text.data[0] == ':';
}

/* Without the port, and without the brackets of an IPv6 address; empty where it is no host and port. */
static struct slice cut_port(struct slice host)
{
    bool has_bracket = host.len && host.data[0] == '[';
    const char *end = host.len ? memchr(host.data, has_bracket ? ']' : ':', host.len) : NULL;
    size_t len = end ? (size_t)(end - host.data) : host.len;
    struct slice port = slice_of(host.data + len, host.len - len);

    if (!has_bracket)
        return is_port(port) ? slice_of(host.data, len) : slice_of("", 0);
    if (!end || !is_port(slice_of(port.data + 1, port.len - 1)))
        return slice_of("", 0);
    return slice_of(host.data + 1, len - 1);
}

static bool is_address(struct slice name)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (name.len >= sizeof text || memchr(name.data, '\0', name.len))
        return false;
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* `fleet`: a name that no page from elsewhere can have, for it is looked up in the local network only. */
static bool is_local_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_char(name.data[i]))
            return false;
    }
    return name.len > 0;
}

/* `fleet.localhost`, which is looked up nowhere. */
static bool is_below_localhost(struct slice name)
{
    static const struct slice below = SLICE(".localhost");
    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_char(name.data[i]) && name.data[i] != '.')
            return false;
    }
    return name.len > below.len &&
           slice_is_nocase(slice_of(name.data + name.len - below.len, below.len), below.data);
}

bool route_host_is_ours(struct slice host, const char *listen_host)
{
    if (host.len == 0)
        return true;
    struct slice name = cut_port(host);
    if (is_address(name) || is_local_name(name) || (name.len && slice_is_nocase(name, listen_host)))
        return true;
    return is_below_localhost(name);
}
