/* Taking a request apart before anybody believes it: its target, and the headers by which another program
 * could find the end of the request elsewhere than we do. */
#include "http_internal.h"

#include "util/alloc.h"
#include "util/number.h"
#include <strings.h>

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

/* Decodes LEN bytes in place; false where an escape is broken or stands for NUL. */
static bool decode(char *text, size_t len, bool plus_is_space, struct slice *ret_text)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            int high = len - i > 2 ? hex_value(text[i + 1]) : -1;
            int low = len - i > 2 ? hex_value(text[i + 2]) : -1;

            if (high < 0 || low < 0 || high + low == 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        text[out++] = c;
    }
    *ret_text = slice_of(text, out);
    return true;
}

static bool arg_parse(struct http_request *request, char *text, size_t len)
{
    char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    struct http_arg *arg = &request->args[request->arg_count];

    if (len == 0)
        return true;
    if (request->arg_count == HTTP_ARGS_MAX)
        return false;
    arg->value = slice_of("", 0);
    if (!decode(text, name_len, true, &arg->name))
        return false;
    if (equals && !decode(equals + 1, len - name_len - 1, true, &arg->value))
        return false;
    request->arg_count++;
    return true;
}

static bool query_parse(struct http_request *request, char *query)
{
    while (*query) {
        size_t len = strcspn(query, "&");
        char *next = query + len + (query[len] == '&');

        if (!arg_parse(request, query, len))
            return false;
        query = next;
    }
    return true;
}

bool http_target_parse(struct http_request *request, const char *target)
{
    const char *scheme_end = strncasecmp(target, "http://", 7) == 0 ? target + 7 : NULL;
    size_t path_len;
    char *query;

    /* A proxy's form: the host is looked at as little as the header is. */
    if (scheme_end)
        target = scheme_end + strcspn(scheme_end, "/?");
    request->target = mem_copy_text(target, strlen(target));
    path_len = strcspn(request->target, "?");
    query = request->target + path_len + (request->target[path_len] == '?');
    return decode(request->target, path_len, false, &request->path) && query_parse(request, query);
}

struct header_counts {
    size_t content_lengths, transfer_encodings, hosts;
    bool is_chunked, expects_continue;
    bool has_bad_name, has_bad_length;
    uint64_t content_length;
};

static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!is_plain && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return len > 0;
}

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                    const char *value, size_t value_len)
{
    struct header_counts *counts = ctx;
    struct slice key = slice_of(name, name_len), text = slice_of(value, value_len);

    (void)kind; /* headers were asked for */
    counts->has_bad_name |= !is_token(name, name_len);
    if (slice_is_nocase(key, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
        counts->content_lengths++;
        counts->has_bad_length |= !number_parse_u64(text, UINT64_MAX - 1, &counts->content_length);
    } else if (slice_is_nocase(key, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
        counts->transfer_encodings++;
        counts->is_chunked = slice_is_nocase(text, "chunked");
    } else if (slice_is_nocase(key, MHD_HTTP_HEADER_HOST)) {
        counts->hosts++;
    } else if (slice_is_nocase(key, MHD_HTTP_HEADER_EXPECT)) {
        counts->expects_continue = true;
    }
    return MHD_YES;
}

static void refuse(struct http_request *request, int status, const char *detail, bool close_after)
{
    request->refusal = status;
    request->refusal_detail = detail;
    request->close_after = close_after;
}

/* NULL where the headers say one thing only. */
static const char *ambiguity_of(const struct header_counts *counts)
{
    if (counts->has_bad_name)
        return "a header name is not a token";
    if (counts->content_lengths && counts->transfer_encodings)
        return "Content-Length together with Transfer-Encoding";
    if (counts->content_lengths > 1)
        return "more than one Content-Length";
    if (counts->has_bad_length)
        return "Content-Length is not a number";
    if (counts->transfer_encodings > 1 || (counts->transfer_encodings && !counts->is_chunked))
        return "the only Transfer-Encoding known is chunked";
    if (counts->hosts > 1)
        return "more than one Host";
    return NULL;
}

void http_headers_check(struct http_request *request)
{
    struct MHD_Connection *mhd = request->connection->mhd;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    struct header_counts counts = {0};
    const char *ambiguity;

    (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, count_header, &counts);
    ambiguity = ambiguity_of(&counts);
    if (ambiguity)
        refuse(request, 400, ambiguity, true);
    else if (info && info->header_size > HTTP_HEADER_MAX_BYTES)
        refuse(request, 431, "the request line and headers are limited to 8192 bytes", true);
    else if (counts.content_length > HTTP_BODY_MAX_BYTES)
        /* A client that sends first and reads later sees the answer only if its body was read: so read it,
         * within reason. */
        refuse(request, 413, "the body is limited to 65536 bytes",
               counts.expects_continue || counts.content_length > HTTP_DRAIN_MAX_BYTES);
    else if (request->target_is_bad)
        refuse(request, 400, "the request target has a broken escape or too many arguments", false);
}
