/* One request and its answer, as libmicrohttpd's callbacks see them: target, headers, body, final call,
 * completion. */
#include "http_internal.h"

#include "adapters/loop.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <assert.h>
#include <stdlib.h>

/* How long requests are handled in one turn of the loop: the others of that turn come in the next. */
#define RUN_US 500

static struct http_connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info->socket_context;
}

void *http_on_target(void *ctx, const char *target, struct MHD_Connection *mhd)
{
    struct http_connection *connection = connection_of(mhd);
    struct http_request *request = mem_new(1, sizeof(*request));

    UNUSED(ctx);
    if (connection->state == HTTP_WAITING)
        http_connection_enter(connection, HTTP_READING);
    request->connection = connection;
    request->target_fault = http_target_parse(&request->target, target ? target : "");
    request->close_after = connection->closes_after;
    connection->request = request;
    return request;
}

static enum http_method method_of(const char *text)
{
    static const struct {
        const char *text;
        enum http_method method;
    } methods[] = {{"GET", HTTP_GET},
                   {"HEAD", HTTP_HEAD},
                   {"POST", HTTP_POST},
                   {"PUT", HTTP_PUT},
                   {"DELETE", HTTP_DELETE}};

    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (strcmp(text, methods[i].text) == 0)
            return methods[i].method;
    }
    return HTTP_OTHER;
}

static enum MHD_Result send_answer(struct http_request *request)
{
    struct http_connection *connection = request->connection;

    http_connection_enter(connection, request->stream ? HTTP_STREAM_SENDING : HTTP_SENDING);
    return MHD_queue_response(connection->mhd, request->status, request->response);
}

static enum MHD_Result send_refusal(struct http_request *request)
{
    request->connection->server->stats.refused++;
    http_request_answer_problem(request, request->refusal, request->refusal_detail);
    return send_answer(request);
}

/* Keeps a part of the body, or lets it go where it will not be looked at. False: enough of it. */
static bool take_body(struct http_request *request, const char *data, size_t size)
{
    request->body_seen += size;
    if (request->body_seen > HTTP_DRAIN_MAX_BYTES)
        return false;
    if (!request->refusal && request->body_seen > HTTP_BODY_MAX_BYTES) {
        request->refusal = 413;
        request->refusal_detail = "the body is limited to 65536 bytes";
        buf_clear(&request->body);
    }
    if (!request->refusal)
        buf_add(&request->body, data, size);
    return true;
}

/* One request at least is handled in each run, and no more once that has taken its time. */
static bool may_handle(const struct http_server *server)
{
    return server->stats.requests == server->requests_at_run || loop_now_us() - server->run_began_us < RUN_US;
}

/* Its last call comes again, when its turn has come. */
static enum MHD_Result postpone(struct http_request *request)
{
    struct http_connection *connection = request->connection;

    http_connection_enter(connection, HTTP_HANDLING);
    request->is_postponed = true;
    TAILQ_INSERT_TAIL(&connection->server->postponed, request, postponed);
    MHD_suspend_connection(connection->mhd);
    return MHD_YES;
}

/* One at a time, so that who has just come is served beside those who wait. */
void http_postponed_resume(struct http_server *server)
{
    struct http_request *request = TAILQ_FIRST(&server->postponed);

    if (!request)
        return;
    TAILQ_REMOVE(&server->postponed, request, postponed);
    request->is_postponed = false;
    MHD_resume_connection(request->connection->mhd);
}

static enum MHD_Result handle(struct http_request *request)
{
    struct http_connection *connection = request->connection;
    struct http_server *server = connection->server;

    if (!request->refusal && !may_handle(server))
        return postpone(request);
    request->was_handled = true;
    if (request->refusal)
        return send_refusal(request);
    server->stats.requests++;
    http_connection_enter(connection, HTTP_HANDLING);
    server->handler(server->ctx, request);
    if (request->is_suspended) {
        MHD_suspend_connection(connection->mhd);
        return MHD_YES;
    }
    if (!request->is_answered)
        http_request_answer_problem(request, 500, "nobody answered");
    return send_answer(request);
}

/* Called with the headers, with each part of the body, at the end, and once more after a resumption. */
enum MHD_Result http_on_request(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
                                const char *version, const char *data, size_t *size, void **context)
{
    struct http_request *request = *context;
    size_t part = *size;

    UNUSED(ctx);
    UNUSED(mhd);
    UNUSED(url);
    UNUSED(version);
    if (!request)
        return MHD_NO;
    if (!request->method) {
        request->method = method_of(method);
        http_headers_check(request);
        return request->refusal && request->close_after ? send_refusal(request) : MHD_YES;
    }
    if (part) {
        *size = 0;
        return take_body(request, data, part) ? MHD_YES : MHD_NO;
    }
    if (!request->was_handled)
        return handle(request);
    return request->is_answered ? send_answer(request) : MHD_NO;
}

void http_on_completed(void *ctx, struct MHD_Connection *mhd, void **context,
                       enum MHD_RequestTerminationCode code)
{
    struct http_request *request = *context;
    struct http_connection *connection;

    UNUSED(ctx);
    UNUSED(mhd);
    UNUSED(code);
    if (!request)
        return;
    *context = NULL;
    connection = request->connection;
    connection->request = NULL;
    http_stream_free(request->stream);
    http_parts_free(request->parts);
    if (request->response)
        MHD_destroy_response(request->response);
    buf_clear(&request->body);
    connection->server->stats.answer_bytes -= request->own_bytes;
    http_target_clear(&request->target);
    free(request);
    if (connection->state == HTTP_CLOSING)
        return;
    http_connection_enter(connection, connection->has_more ? HTTP_READING : HTTP_WAITING);
    connection->has_more = false;
    if (connection->is_piped || connection->has_completed)
        return;
    connection->has_completed = true;
    TAILQ_INSERT_TAIL(&connection->server->completed, connection, completed_link);
}

void http_request_suspend(struct http_request *request, http_cancel_fn cancel, void *ctx)
{
    assert(!request->is_answered && !request->is_suspended);
    request->is_suspended = true;
    request->cancel = cancel;
    request->cancel_ctx = ctx;
}

/* The last call of http_on_request comes out of the run that follows. */
void http_request_wake(struct http_request *request)
{
    struct http_connection *connection = request->connection;

    request->is_suspended = false;
    MHD_resume_connection(connection->mhd);
    http_server_run_soon(connection->server);
}

void http_request_cancel(struct http_request *request)
{
    request->connection->server->stats.cancelled++;
    request->cancel(request->cancel_ctx, request);
    http_request_wake(request);
}
