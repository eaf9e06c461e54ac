#include "codec/http_head.h"

#include "util/number.h"

#define CHUNK_DIGITS_MAX   16
#define CHUNK_LINE_MAX     1024 /* extensions included */
#define TRAILERS_MAX_BYTES HTTP_HEAD_MAX_BYTES

static const char long_line[] = "the body: the line with the length of a chunk has no end";
static const char too_long[] = "the body is limited to 65536 bytes";

static bool is_token_char(char c)
{
    bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

    return is_plain || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_char(text.data[i]))
            return false;
    }
    return text.len > 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A length beyond all numbers is a length too: too great a one. */
static bool read_length(struct slice text, uint64_t *ret_length)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return false;
    }
    if (!number_parse_u64(text, UINT64_MAX, ret_length))
        *ret_length = UINT64_MAX;
    return text.len > 0;
}

void http_framing_add(struct http_framing *framing, struct slice name, struct slice value)
{
    framing->has_bad_name |= !is_token(name);
    if (slice_is_nocase(name, "Content-Length")) {
        framing->content_lengths++;
        framing->has_bad_length |= !read_length(value, &framing->content_length);
    } else if (slice_is_nocase(name, "Transfer-Encoding")) {
        framing->transfer_encodings++;
        framing->is_chunked = slice_is_nocase(value, "chunked");
    } else if (slice_is_nocase(name, "Host")) {
        framing->hosts++;
    } else if (slice_is_nocase(name, "Expect")) {
        framing->expects_continue = true;
        framing->has_bad_expectation |= !slice_is_nocase(value, "100-continue");
    }
}

const char *http_framing_fault(const struct http_framing *framing)
{
    if (framing->has_bad_name)
        return "a header name is not a token";
    if (framing->content_lengths && framing->transfer_encodings)
        return "Content-Length together with Transfer-Encoding";
    if (framing->content_lengths > 1)
        return "more than one Content-Length";
    if (framing->has_bad_length)
        return "Content-Length is not a number";
    if (framing->transfer_encodings > 1 || (framing->transfer_encodings && !framing->is_chunked))
        return "the only Transfer-Encoding known is chunked";
    if (framing->hosts > 1)
        return "more than one Host";
    return NULL;
}

static enum http_verdict refuse(struct http_head *head, int status, const char *detail)
{
    head->status = status;
    head->detail = detail;
    return HTTP_REFUSED;
}

static size_t count_char(struct slice text, char c)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == c;
    return count;
}

/* Takes a line off *REST, without its end. False where it has none yet. */
static bool take_line(struct slice *rest, struct slice *ret_line)
{
    const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->data) : 0;

    if (!end)
        return false;
    *ret_line = slice_of(rest->data, len > 0 && end[-1] == '\r' ? len - 1 : len);
    *rest = slice_of(end + 1, rest->len - len - 1);
    return true;
}

/* Cuts what is before the next space off *REST; all of it where there is none. */
static struct slice take_word(struct slice *rest)
{
    const char *space = rest->len ? memchr(rest->data, ' ', rest->len) : NULL;
    size_t len = space ? (size_t)(space - rest->data) : rest->len;
    struct slice word = slice_of(rest->data, len);

    *rest = slice_of(rest->data + len + (space != NULL), rest->len - len - (space != NULL));
    return word;
}

static const char *find_target_fault(struct slice target)
{
    static const struct slice scheme = SLICE("http://");

    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.data[i];

        if (c <= ' ' || c >= 0x7f)
            return "the request target holds a byte that must be escaped";
    }
    if (target.len > scheme.len && slice_is_nocase(slice_of(target.data, scheme.len), scheme.data))
        return NULL;
    if (!slice_is(target, "*") && (target.len == 0 || target.data[0] != '/'))
        return "the request target is neither a path nor an http:// address";
    return NULL;
}

static enum http_verdict read_request_line(struct http_head *head, struct slice line)
{
    struct slice method = take_word(&line), target = take_word(&line), version = line;
    const char *fault = find_target_fault(target);

    if (!is_token(method))
        return refuse(head, 400, "the request does not begin with a method");
    head->is_head = slice_is(method, "HEAD");
    if (!target.len || !version.len)
        return refuse(head, 400, "the request line is not a method, a target and HTTP/1.1");
    if (fault)
        return refuse(head, 400, fault);
    if (count_char(target, '&') >= HTTP_HEAD_MAX_ARGS)
        return refuse(head, 400, "the query has too many arguments");
    if (version.len != 8 || memcmp(version.data, "HTTP/", 5) != 0 || !is_digit(version.data[5]) ||
        version.data[6] != '.' || !is_digit(version.data[7]))
        return refuse(head, 400, "the request line does not end in HTTP/1.1");
    if (version.data[5] != '1')
        return refuse(head, 505, "this is HTTP/1.1, and no other version");
    head->is_old = version.data[7] == '0';
    return HTTP_WHOLE;
}

/* What has come of a line without an end: enough to see that it is no request at all. */
static bool begins_with_method(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len && bytes.data[i] != ' '; i++) {
        if (!is_token_char(bytes.data[i]))
            return bytes.data[i] == '\r' && i + 1 == bytes.len;
    }
    return bytes.len == 0 || bytes.data[0] != ' ';
}

static bool has_control(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static const char *find_field_fault(struct slice line, struct slice *ret_name, struct slice *ret_value)
{
    const char *colon = memchr(line.data, ':', line.len);

    if (line.data[0] == ' ' || line.data[0] == '\t')
        return "a header is folded, or its name begins with a space";
    if (!colon)
        return "a header line has no colon";
    *ret_name = slice_of(line.data, (size_t)(colon - line.data));
    *ret_value = slice_trim(slice_of(colon + 1, line.len - ret_name->len - 1));
    if (!is_token(*ret_name))
        return "a header name is not a token";
    return has_control(*ret_value) ? "a header value holds a control character" : NULL;
}

static enum http_verdict read_field(struct http_head *head, struct slice line)
{
    struct slice name, value;
    const char *fault = find_field_fault(line, &name, &value);

    if (fault)
        return refuse(head, 400, fault);
    if (slice_is_nocase(name, "Cookie") && count_char(value, ';') >= HTTP_HEAD_MAX_COOKIES)
        return refuse(head, 431, "there are too many cookies");
    http_framing_add(&head->framing, name, value);
    return HTTP_WHOLE;
}

static enum http_verdict judge_framing(struct http_head *head)
{
    const char *fault = http_framing_fault(&head->framing);

    if (fault)
        return refuse(head, 400, fault);
    if (head->is_old && head->framing.transfer_encodings)
        return refuse(head, 400, "Transfer-Encoding in a request of HTTP/1.0");
    if (head->framing.content_length > HTTP_CHUNK_MAX_BYTES)
        return refuse(head, 413, too_long);
    if (head->framing.has_bad_expectation)
        return refuse(head, 417, "the only Expect known is 100-continue");
    return HTTP_WHOLE;
}

/* The request line, behind empty ones. */
static enum http_verdict read_first_line(struct http_head *head, struct slice *rest)
{
    struct slice line = slice_of("", 0);

    while (line.len == 0) {
        if (take_line(rest, &line))
            continue;
        if (begins_with_method(*rest))
            return HTTP_PARTIAL;
        return refuse(head, 400, "the request does not begin with a method");
    }
    return read_request_line(head, line);
}

static enum http_verdict read_fields(struct http_head *head, struct slice bytes, struct slice rest)
{
    struct slice line;
    size_t fields = 0;

    while (take_line(&rest, &line)) {
        head->bytes = bytes.len - rest.len;
        if (head->bytes > HTTP_HEAD_MAX_BYTES)
            return HTTP_PARTIAL;
        if (line.len == 0)
            return judge_framing(head);
        if (read_field(head, line) == HTTP_REFUSED)
            return HTTP_REFUSED;
        if (++fields > HTTP_HEAD_MAX_FIELDS)
            return refuse(head, 431, "there are more than 100 headers");
    }
    return HTTP_PARTIAL;
}

enum http_verdict http_head_read(struct http_head *head, struct slice bytes)
{
    struct slice rest = bytes;
    enum http_verdict verdict;

    *head = (struct http_head){0};
    verdict = read_first_line(head, &rest);
    if (verdict == HTTP_WHOLE)
        verdict = read_fields(head, bytes, rest);
    if (verdict == HTTP_PARTIAL && bytes.len > HTTP_HEAD_MAX_BYTES)
        return refuse(head, 431, "the request line and headers are limited to 8192 bytes");
    return verdict;
}

/* The length at the beginning of LINE, which an extension may follow. */
static const char *find_size_fault(struct slice line, uint64_t *ret_size)
{
    uint64_t size = 0;
    size_t digits = 0;

    while (digits < line.len && digits < CHUNK_DIGITS_MAX && number_hex_digit(line.data[digits]) >= 0)
        size = size << 4 | (uint64_t)number_hex_digit(line.data[digits++]);
    if (digits == 0 || (digits < line.len && digits < CHUNK_DIGITS_MAX && line.data[digits] != ';' &&
                        line.data[digits] != ' ' && line.data[digits] != '\t'))
        return "the body: the length of a chunk is not a hex number";
    *ret_size = digits == CHUNK_DIGITS_MAX ? UINT64_MAX : size;
    return has_control(line) ? "the body: a control character behind the length of a chunk" : NULL;
}

static enum http_verdict refuse_body(int status, const char *detail, int *ret_status, const char **ret_detail)
{
    *ret_status = status;
    *ret_detail = detail;
    return HTTP_REFUSED;
}

static enum http_verdict read_trailers(struct slice rest, int *ret_status, const char **ret_detail)
{
    struct slice line, name, value;
    size_t len = rest.len;

    while (take_line(&rest, &line)) {
        const char *fault = line.len ? find_field_fault(line, &name, &value) : NULL;

        if (len - rest.len > TRAILERS_MAX_BYTES)
            break;
        if (line.len == 0)
            return HTTP_WHOLE;
        if (fault)
            return refuse_body(400, fault, ret_status, ret_detail);
    }
    if (len > TRAILERS_MAX_BYTES)
        return refuse_body(431, "the trailers are limited to 8192 bytes", ret_status, ret_detail);
    return HTTP_PARTIAL;
}

/* What lies between the data of a chunk and the next one's length. */
static enum http_verdict end_chunk(struct slice *rest)
{
    struct slice line;

    if (rest->len == 0 || (rest->len == 1 && rest->data[0] == '\r'))
        return HTTP_PARTIAL;
    return take_line(rest, &line) && line.len == 0 ? HTTP_WHOLE : HTTP_REFUSED;
}

enum http_verdict http_chunks_read(struct slice bytes, int *ret_status, const char **ret_detail)
{
    struct slice rest = bytes, line;
    uint64_t size;

    for (;;) {
        const char *fault;

        if (!take_line(&rest, &line)) {
            if (rest.len > CHUNK_LINE_MAX + 1) /* a CR may be the last of it */
                return refuse_body(400, long_line, ret_status, ret_detail);
            return HTTP_PARTIAL;
        }
        fault = line.len > CHUNK_LINE_MAX ? long_line : find_size_fault(line, &size);
        if (fault)
            return refuse_body(400, fault, ret_status, ret_detail);
        if (size > HTTP_CHUNK_MAX_BYTES)
            return refuse_body(413, too_long, ret_status, ret_detail);
        if (size == 0)
            return read_trailers(rest, ret_status, ret_detail);
        if (size >= rest.len)
            return HTTP_PARTIAL;
        rest = slice_of(rest.data + size, rest.len - size);
        switch (end_chunk(&rest)) {
        case HTTP_PARTIAL:
            return HTTP_PARTIAL;
        case HTTP_REFUSED:
            return refuse_body(400, "the body: a chunk is longer than its length says", ret_status,
                               ret_detail);
        case HTTP_WHOLE:
            break;
        }
    }
}
