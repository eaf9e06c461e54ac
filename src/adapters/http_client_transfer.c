/* One POST: the options of libcurl's easy handle, what is kept of the answer, and how its end is told.
 *
 * libcurl's own words for an error may quote the URL, or what it took for the host in a URL whose password
 * was not encoded. So they are used for errors of TLS only, which come once a server was reached; the others
 * are told by their kind. */
#include "http_client_internal.h"

#include "util/alloc.h"
#include "util/buf.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* libcurl keeps the headers of an answer, however many come. */
#define HEAD_MAX_BYTES 262144

static size_t on_head(char *data, size_t size, size_t count, void *ctx)
{
    struct http_transfer *transfer = ctx;
    size_t len = size * count;

    (void)data;
    transfer->head_bytes += len;
    transfer->head_is_too_long = transfer->head_bytes > HEAD_MAX_BYTES;
    return transfer->head_is_too_long ? 0 : len;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct http_transfer *transfer = ctx;
    size_t len = size * count, room = sizeof(transfer->kept) - transfer->kept_bytes;
    size_t kept = len < room ? len : room;

    memcpy(transfer->kept + transfer->kept_bytes, data, kept);
    transfer->kept_bytes += kept;
    transfer->body_bytes += len;
    transfer->body_is_cut = transfer->body_bytes > HTTP_CLIENT_READ_MAX_BYTES;
    return transfer->body_is_cut ? 0 : len;
}

static struct curl_slist *make_headers(const struct curl_library *curl, const char *content_type)
{
    struct buf line = BUF_INIT;
    struct curl_slist *headers, *more = NULL;

    buf_add_text(&line, "Content-Type: ");
    buf_add_text(&line, content_type);
    headers = curl->slist_append(NULL, buf_text(&line));
    if (headers)
        more = curl->slist_append(headers, "Expect:"); /* no waiting for a 100 before a long body */
    buf_clear(&line);
    if (!more)
        curl->slist_free_all(headers);
    return more;
}

static bool set_limits(struct http_transfer *t, int64_t timeout_ms)
{
    long total_ms = timeout_ms < INT_MAX ? (long)timeout_ms : INT_MAX;

    return t->curl->easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, total_ms) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, total_ms / 2 + 1) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_NOPROXY, "*") == CURLE_OK;
}

static bool set_callbacks(struct http_transfer *t)
{
    return t->curl->easy_setopt(t->easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->said) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_head) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_HEADERDATA, t) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_WRITEDATA, t) == CURLE_OK;
}

static bool set_request(struct http_transfer *t, const struct http_client_request *request)
{
    curl_off_t len = (curl_off_t)request->body.len;

    return t->curl->easy_setopt(t->easy, CURLOPT_URL, request->url) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_USERAGENT, "mt5stated") == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, len) == CURLE_OK &&
           t->curl->easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS, len ? request->body.data : "") == CURLE_OK;
}

int http_transfer_new(const struct curl_library *curl, const struct http_client_request *request,
                      struct http_transfer **ret_transfer)
{
    struct http_transfer *transfer = mem_new(1, sizeof(*transfer));
    int error = 0;

    transfer->curl = curl;
    transfer->done = request->done;
    transfer->ctx = request->ctx;
    transfer->easy = curl->easy_init();
    transfer->headers = make_headers(curl, request->content_type);
    if (!transfer->easy || !transfer->headers)
        error = -ENOMEM;
    else if (!set_limits(transfer, request->timeout_ms) || !set_callbacks(transfer) ||
             !set_request(transfer, request))
        error = -EINVAL;
    if (error)
        http_transfer_free(transfer);
    else
        *ret_transfer = transfer;
    return error;
}

void http_transfer_free(struct http_transfer *transfer)
{
    transfer->curl->easy_cleanup(transfer->easy);
    transfer->curl->slist_free_all(transfer->headers);
    free(transfer);
}

/* Number INFO of libcurl's about the request, 0 where it has none. */
static long read_info(const struct http_transfer *transfer, CURLINFO info)
{
    long value = 0;

    return transfer->curl->easy_getinfo(transfer->easy, info, &value) == CURLE_OK ? value : 0;
}

static const char *describe_error(const struct http_transfer *transfer, CURLcode code)
{
    long system_error = read_info(transfer, CURLINFO_OS_ERRNO);

    if (transfer->head_is_too_long)
        return "the headers of the answer are too long";
    if (code == CURLE_OPERATION_TIMEDOUT)
        return read_info(transfer, CURLINFO_REQUEST_SIZE) > 0 ? "timed out" : "timed out while connecting";
    if (code == CURLE_COULDNT_CONNECT && system_error > 0)
        return strerror((int)system_error);
    if ((code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION) && transfer->said[0])
        return transfer->said;
    return transfer->curl->easy_strerror(code);
}

void http_transfer_tell(const struct http_transfer *transfer, CURLcode code)
{
    struct http_client_result result = {
        .status = (int)read_info(transfer, CURLINFO_RESPONSE_CODE),
        .body = slice_of(transfer->kept, transfer->kept_bytes),
    };

    if (code != CURLE_OK && !transfer->body_is_cut)
        result.error = describe_error(transfer, code);
    transfer->done(transfer->ctx, &result);
}
