/* Streams: answers whose body stays open.
 *
 * The library asks for bytes only once it has written the ones before. Where there are none its connection is
 * suspended, and costs nothing until something is sent; asked again for nothing it would spin. So a stream is
 * idle exactly while its connection is suspended, and being asked is the sign that the client takes
 * something. */
#include "http_internal.h"

#include "util/alloc.h"
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#define COMPACT_BYTES 65536 /* of what was taken, before the rest moves to the front */
#define SILENCE_MS    30000
#define SOCKET_BYTES  65536
#define KEEP_BYTES    4096 /* of memory while idle */

struct http_stream {
    struct http_request *request;
    struct http_stream_events events;
    void *ctx;
    struct buf out;
    size_t taken; /* of out */
    size_t max_bytes;
    bool is_idle;
    bool is_released; /* the application does not know it any more */
    bool has_end;     /* behind what was sent */
};

static bool is_shut(const struct http_stream *stream)
{
    return stream->request->connection->state == HTTP_CLOSING;
}

static void wake(struct http_stream *stream)
{
    struct http_connection *connection = stream->request->connection;

    if (!stream->is_idle)
        return;
    stream->is_idle = false;
    if (!is_shut(stream))
        http_connection_enter(connection, HTTP_STREAM_SENDING);
    MHD_resume_connection(connection->mhd);
    http_server_run_soon(connection->server);
}

static void ask_application(struct http_stream *stream)
{
    buf_reset(&stream->out, KEEP_BYTES);
    stream->taken = 0;
    if (!stream->is_released && !is_shut(stream))
        stream->events.drained(stream->ctx, stream);
}

/* The library wants up to MAX bytes. */
static ssize_t on_read(void *ctx, uint64_t position, char *out, size_t max)
{
    struct http_stream *stream = ctx;
    struct http_connection *connection = stream->request->connection;
    size_t size;

    UNUSED(position);
    if (stream->taken == stream->out.len)
        ask_application(stream);
    if (is_shut(stream))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size = stream->out.len - stream->taken;
    if (!size && stream->has_end)
        return MHD_CONTENT_READER_END_OF_STREAM;
    http_connection_enter(connection, size ? HTTP_STREAM_SENDING : HTTP_STREAMING);
    if (!size) {
        stream->is_idle = true;
        MHD_suspend_connection(connection->mhd);
        return 0;
    }
    size = size < max ? size : max;
    memcpy(out, stream->out.data + stream->taken, size);
    stream->taken += size;
    return (ssize_t)size;
}

/* A peer whose machine is gone answers nothing. The system finds out, well behind our own deadline: it takes
 * a client that is merely slow for a dead one as well. */
static void limit_socket(const struct http_connection *connection)
{
    unsigned limit_ms = (unsigned)connection->server->limits_ms[HTTP_STREAM_SENDING] + SILENCE_MS;

    int send_bytes = SOCKET_BYTES;

    /* What waits for a client waits with us, where it is bounded; the system would hold megabytes. */
    (void)setsockopt(connection->fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
    /* On a unix socket there is no such peer. */
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof(limit_ms));
}

struct http_stream *http_stream_new(struct http_request *request, const char *content_type,
                                    const struct http_header *headers, size_t header_count, size_t max_bytes,
                                    const struct http_stream_events *events, void *ctx)
{
    struct http_connection *connection = request->connection;
    struct http_stream *stream;

    assert(!request->is_answered && !request->is_suspended && connection->state == HTTP_HANDLING);
    if (connection->server->stats.streams >= connection->server->max_streams)
        return NULL;
    stream = mem_new(1, sizeof(*stream));
    request->response = http_response_read(request, on_read, stream);
    if (!request->response) {
        free(stream);
        return NULL;
    }
    stream->request = request;
    stream->events = *events;
    stream->ctx = ctx;
    stream->max_bytes = max_bytes;
    http_response_add_header(request->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (size_t i = 0; i < header_count; i++)
        http_response_add_header(request->response, headers[i].name, headers[i].value);
    limit_socket(connection);
    connection->server->stats.streams++;
    request->stream = stream;
    request->is_answered = true;
    request->status = MHD_HTTP_OK;
    return stream;
}

bool http_stream_send(struct http_stream *stream, struct slice bytes)
{
    struct buf *out = &stream->out;

    if (out->len - stream->taken + bytes.len > stream->max_bytes) {
        stream->request->connection->server->stats.streams_slow++;
        stream->is_released = true;
        http_connection_shut(stream->request->connection);
        wake(stream);
        return false;
    }
    if (stream->taken >= COMPACT_BYTES) {
        memmove(out->data, out->data + stream->taken, out->len - stream->taken);
        out->len -= stream->taken;
        stream->taken = 0;
    }
    buf_add_slice(out, bytes);
    wake(stream);
    return true;
}

bool http_stream_is_drained(const struct http_stream *stream)
{
    return stream->taken == stream->out.len;
}

void http_stream_close(struct http_stream *stream)
{
    stream->is_released = true;
    stream->has_end = true;
    wake(stream);
}

static void tell_closed(struct http_stream *stream)
{
    if (stream->is_released)
        return;
    stream->is_released = true;
    stream->events.closed(stream->ctx, stream);
}

void http_stream_cancel(struct http_stream *stream)
{
    tell_closed(stream);
    http_connection_shut(stream->request->connection);
    wake(stream);
}

void http_stream_free(struct http_stream *stream)
{
    if (!stream)
        return;
    tell_closed(stream);
    stream->request->connection->server->stats.streams--;
    buf_clear(&stream->out);
    free(stream);
}
