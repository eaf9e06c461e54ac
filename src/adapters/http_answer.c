/* Answers whose body is there as a whole, problems, 405. */
#include "http_internal.h"

#include "codec/problem_json.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <assert.h>
#include <stdlib.h>

#define BLOCK_BYTES       16384 /* asked for at a time where the client wants no chunks */
#define ANSWERS_MAX_BYTES ((size_t)64 << 20)

/* Takes the content of BODY, which may be NULL. */
static struct MHD_Response *response_of(struct buf *body)
{
    struct MHD_Response *response;

    if (!body || body->len == 0)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    response =
        MHD_create_response_from_buffer_with_free_callback_cls(body->len, body->data, free, body->data);
    if (!response)
        buf_clear(body);
    *body = (struct buf)BUF_INIT;
    return response;
}

struct MHD_Response *http_response_read(const struct http_request *request, MHD_ContentReaderCallback read,
                                        void *ctx)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read, ctx, NULL);

    /* The library ends an answer in chunks even where that has no body, and the client would take its last
     * chunk for the beginning of the next answer. */
    if (response && request->method == HTTP_HEAD &&
        MHD_set_response_options(response, MHD_RF_HTTP_VERSION_1_0_ONLY, MHD_RO_END) != MHD_YES)
        abort(); /* it knows the option */
    return response;
}

void http_response_add_header(struct MHD_Response *response, const char *name, const char *value)
{
    /* Names and values are ours, so it fails for want of memory only; an answer does not go without its
     * headers. */
    if (MHD_add_response_header(response, name, value) != MHD_YES)
        mem_fail();
}

void http_request_count_bytes(struct http_request *request, size_t bytes)
{
    struct http_server *server = request->connection->server;

    server->stats.answer_bytes += bytes - request->own_bytes;
    request->own_bytes = bytes;
    if (server->stats.answer_bytes > ANSWERS_MAX_BYTES)
        http_answers_limit(server, ANSWERS_MAX_BYTES);
}

void http_request_respond(struct http_request *request, struct MHD_Response *response,
                          const char *content_type, const struct http_header *headers, size_t header_count)
{
    assert(!request->is_answered);
    request->is_answered = true;
    request->response = response;
    if (response && content_type)
        http_response_add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (size_t i = 0; response && i < header_count; i++)
        http_response_add_header(response, headers[i].name, headers[i].value);
    if (response && request->close_after)
        http_response_add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (request->is_suspended)
        http_request_wake(request);
}

void http_request_answer(struct http_request *request, const struct http_answer *answer)
{
    size_t own_bytes = answer->body ? answer->body->cap : 0; /* what it takes */
    struct MHD_Response *response = response_of(answer->body);

    http_request_count_bytes(request, own_bytes);
    request->status = (unsigned)answer->status;
    http_request_respond(request, response, answer->content_type, answer->headers, answer->header_count);
}

const char *http_status_title(int status)
{
    return MHD_get_reason_phrase_for((unsigned)status);
}

static void answer_problem(struct http_request *request, int status, const char *detail,
                           const struct http_header *headers, size_t header_count)
{
    struct buf body = BUF_INIT;
    struct http_answer answer = {.status = status,
                                 .content_type = PROBLEM_CONTENT_TYPE,
                                 .body = &body,
                                 .headers = headers,
                                 .header_count = header_count};

    problem_json_add(&body, status, http_status_title(status), slice_text(detail));
    http_request_answer(request, &answer);
}

void http_request_answer_problem(struct http_request *request, int status, const char *detail)
{
    answer_problem(request, status, detail, NULL, 0);
}

void http_request_answer_not_allowed(struct http_request *request, unsigned methods)
{
    static const struct {
        unsigned bits;
        const char *text;
    } names[] = {{HTTP_GET, "GET, HEAD"}, {HTTP_POST, "POST"}, {HTTP_PUT, "PUT"}, {HTTP_DELETE, "DELETE"}};
    struct buf allow = BUF_INIT, detail = BUF_INIT;
    struct http_header header = {MHD_HTTP_HEADER_ALLOW, NULL};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!(methods & names[i].bits))
            continue;
        buf_add_text(&allow, allow.len ? ", " : "");
        buf_add_text(&allow, names[i].text);
    }
    header.value = buf_text(&allow);
    buf_add_format(&detail, "what may be done at this path: %s", header.value);
    answer_problem(request, 405, buf_text(&detail), &header, 1);
    buf_clear(&allow);
    buf_clear(&detail);
}
