/* Answers in parts: the body is made while it is sent.
 *
 * The library asks for bytes only once it has written the ones before. Where the next part is not there yet
 * its connection is suspended; asked again for nothing it would spin. One part is held here and handed over
 * whole, by exchanging buffers, so the memory of two is all that an answer of any size takes. */
#include "http_internal.h"

#include "adapters/loop.h"
#include "util/alloc.h"
#include <assert.h>
#include <stdlib.h>

struct http_parts {
    struct http_request *request;
    struct http_parts_events events;
    void *ctx;
    struct buf part;
    size_t taken;     /* of it */
    int64_t taken_ms; /* when the library asked last, or could again */
    bool is_idle;     /* suspended until there is more */
    bool has_end;     /* behind the part */
};

static bool is_shut(const struct http_parts *parts)
{
    return parts->request->connection->state == HTTP_CLOSING;
}

void http_parts_wake(struct http_parts *parts)
{
    struct http_connection *connection = parts->request->connection;

    if (!parts->is_idle)
        return;
    parts->is_idle = false;
    parts->taken_ms = loop_now_ms();
    MHD_resume_connection(connection->mhd);
    http_server_run_soon(connection->server);
}

/* The library wants up to MAX bytes. */
static ssize_t on_read(void *ctx, uint64_t position, char *out, size_t max)
{
    struct http_parts *parts = ctx;
    size_t size;

    UNUSED(position);
    parts->taken_ms = loop_now_ms();
    if (parts->taken == parts->part.len && !parts->has_end && !is_shut(parts))
        parts->events.wanted(parts->ctx, parts);
    if (is_shut(parts))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size = parts->part.len - parts->taken;
    if (size == 0 && parts->has_end)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (size == 0) {
        parts->is_idle = true;
        MHD_suspend_connection(parts->request->connection->mhd);
        return 0;
    }
    size = size < max ? size : max;
    memcpy(out, parts->part.data + parts->taken, size);
    parts->taken += size;
    return (ssize_t)size;
}

struct http_parts *http_parts_new(struct http_request *request, const char *content_type,
                                  const struct http_header *headers, size_t header_count,
                                  const struct http_parts_events *events, void *ctx)
{
    struct http_parts *parts = mem_new(1, sizeof(*parts));

    assert(!request->is_answered);
    parts->request = request;
    parts->events = *events;
    parts->ctx = ctx;
    parts->taken_ms = loop_now_ms();
    request->parts = parts;
    request->status = MHD_HTTP_OK;
    http_request_respond(request, http_response_read(request, on_read, parts), content_type, headers,
                         header_count);
    return parts;
}

void http_parts_send(struct http_parts *parts, struct buf *part)
{
    struct buf taken = parts->part;

    assert(parts->taken == taken.len && !parts->has_end);
    parts->part = *part;
    parts->taken = 0;
    taken.len = 0;
    *part = taken;
    http_request_count_bytes(parts->request, parts->part.cap);
    http_parts_wake(parts);
}

void http_parts_end(struct http_parts *parts)
{
    parts->has_end = true;
    http_parts_wake(parts);
}

int64_t http_parts_waiting_ms(const struct http_parts *parts)
{
    return parts->is_idle || is_shut(parts) ? 0 : loop_now_ms() - parts->taken_ms;
}

void http_parts_cut(struct http_parts *parts)
{
    struct http_connection *connection = parts->request->connection;

    if (is_shut(parts))
        return;
    connection->server->stats.evicted++;
    http_connection_shut(connection);
}

void http_parts_free(struct http_parts *parts)
{
    if (!parts)
        return;
    parts->events.closed(parts->ctx, parts);
    buf_clear(&parts->part);
    free(parts);
}
