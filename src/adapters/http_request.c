/* What a handler may ask of a request. */
#include "http_internal.h"

#include "util/number.h"
#include <strings.h>

enum http_method http_request_method(const struct http_request *request)
{
    return request->method;
}

struct slice http_request_path(const struct http_request *request)
{
    return request->target.path;
}

bool http_request_arg(const struct http_request *request, const char *name, struct slice *ret_value)
{
    for (size_t i = 0; i < request->target.arg_count; i++) {
        if (slice_is(request->target.args[i].name, name)) {
            *ret_value = request->target.args[i].value;
            return true;
        }
    }
    return false;
}

size_t http_request_arg_count(const struct http_request *request)
{
    return request->target.arg_count;
}

struct slice http_request_arg_name(const struct http_request *request, size_t index)
{
    return request->target.args[index].name;
}

struct slice http_request_header(const struct http_request *request, const char *name)
{
    struct slice value = {NULL, 0};

    if (MHD_lookup_connection_value_n(request->connection->mhd, MHD_HEADER_KIND, name, strlen(name),
                                      &value.data, &value.len) != MHD_YES)
        return slice_of(NULL, 0);
    return slice_trim(value); /* the library leaves what is behind it */
}

struct slice http_request_host(const struct http_request *request)
{
    return request->target.authority.data ? request->target.authority : http_request_header(request, "Host");
}

struct slice http_request_body(const struct http_request *request)
{
    return buf_slice(&request->body);
}

bool http_request_is_local(const struct http_request *request)
{
    return request->connection->is_local;
}

/* Cuts what is before SEPARATOR off *rest, trimmed. */
static struct slice next_part(struct slice *rest, char separator)
{
    const char *end = memchr(rest->data, separator, rest->len);
    size_t len = end ? (size_t)(end - rest->data) : rest->len;
    struct slice part = slice_of(rest->data, len);

    *rest = slice_of(rest->data + len + (end != NULL), rest->len - len - (end != NULL));
    return slice_trim(part);
}

/* The q among the parameters of a list item, in thousandths; 0 where it is no weight. */
static int weight_of(struct slice parameters)
{
    while (parameters.len) {
        struct slice parameter = next_part(&parameters, ';');
        struct slice name = next_part(&parameter, '=');
        double q;

        if (!slice_is_nocase(name, "q"))
            continue;
        return number_parse_decimal(slice_trim(parameter), &q) && q >= 0 && q <= 1 ? (int)(q * 1000 + 0.5)
                                                                                   : 0;
    }
    return 1000;
}

/* How exactly RANGE speaks of NAME: 3 by name, 2 by its kind (`text/` with a star), 1 by the star for all, 0
 * not. */
static int match_of(struct slice range, const char *name)
{
    const char *slash = strchr(name, '/');
    size_t kind_len = slash ? (size_t)(slash - name) + 1 : 0;

    if (slice_is_nocase(range, name))
        return 3;
    if (slice_is(range, slash ? "*/*" : "*"))
        return 1;
    return kind_len && range.len == kind_len + 1 && range.data[kind_len] == '*' &&
                   strncasecmp(range.data, name, kind_len) == 0
               ? 2
               : 0;
}

int http_accept_weight(struct slice header, const char *name)
{
    int best_match = 0, weight = 0;

    while (header.len) {
        struct slice parameters = next_part(&header, ',');
        struct slice range = parameters.len ? next_part(&parameters, ';') : parameters;
        int match = match_of(range, name);
        int item_weight = match ? weight_of(parameters) : 0;

        if (match > best_match || (match && match == best_match && item_weight > weight)) {
            best_match = match;
            weight = item_weight;
        }
    }
    return weight;
}

bool http_accept_prefers(struct slice header, const char *name, const char *other)
{
    size_t len = strlen(name);
    bool is_named = false;

    for (size_t i = 0; i + len <= header.len && !is_named; i++)
        is_named = slice_is_nocase(slice_of(header.data + i, len), name);
    return is_named && http_accept_weight(header, name) > 0 &&
           http_accept_weight(header, name) >= http_accept_weight(header, other);
}
