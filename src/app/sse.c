#include "app/sse.h"
#include "adapters/http.h"
#include "adapters/loop.h"
#include "util/alloc.h"
#include <stdlib.h>

static void on_heartbeat(void *ctx)
{
    struct sse_list *list = ctx;
    struct sse *next;
    for (struct sse *sse = TAILQ_FIRST(&list->clients); sse; sse = next) {
        next = TAILQ_NEXT(sse, link);
        if (sse_is_drained(sse))
            (void)sse_send(sse, slice_text(":\n\n")); /* one that is given up is gone */
    }
    if (!TAILQ_EMPTY(&list->clients))
        loop_timer_set(list->heartbeat, SSE_HEARTBEAT_MS);
}

void sse_list_init(struct sse_list *list, struct loop *loop, uint32_t max, size_t max_bytes,
                   void (*drained)(struct sse *sse))
{
    *list = (struct sse_list){.max = max, .max_bytes = max_bytes, .drained = drained};
    TAILQ_INIT(&list->clients);
    list->heartbeat = loop_timer_new(loop, on_heartbeat, list);
}

void sse_list_clear(struct sse_list *list)
{
    if (!list->heartbeat)
        return;
    sse_list_close(list);
    loop_timer_free(list->heartbeat);
    list->heartbeat = NULL;
    list->max = 0; /* the HTTP server, which goes later, still serves what has come */
}

static void forget(struct sse *sse)
{
    TAILQ_REMOVE(&sse->list->clients, sse, link);
    sse->list->count--;
    free(sse);
}

void sse_list_close(struct sse_list *list)
{
    struct sse *next;
    for (struct sse *sse = TAILQ_FIRST(&list->clients); sse; sse = next) {
        next = TAILQ_NEXT(sse, link);
        http_stream_close(sse->stream);
        forget(sse);
    }
}

static void on_drained(void *ctx, struct http_stream *stream)
{
    struct sse *sse = ctx;
    UNUSED(stream);
    if (sse->list->drained)
        sse->list->drained(sse);
}

static void on_closed(void *ctx, struct http_stream *stream)
{
    UNUSED(stream);
    forget(ctx);
}

struct sse *sse_open(struct sse_list *list, const struct api_call *call, size_t size)
{
    static const struct http_stream_events events = {on_drained, on_closed};
    /* The last one is for proxies that would keep what comes until there is more of it. */
    static const struct http_header headers[] = {
        {"Cache-Control", "no-store"}, {"Vary", "Accept"}, {"X-Accel-Buffering", "no"}};
    struct sse *sse = mem_new(1, size);
    sse->list = list;
    if (list->count < list->max)
        sse->stream = http_stream_new(call->request, SSE_CONTENT_TYPE, headers, ARRAY_LEN(headers),
                                      list->max_bytes, &events, sse);
    if (!sse->stream) {
        free(sse);
        api_refuse(call->request, 503, "too many clients are listening");
        return NULL;
    }
    if (TAILQ_EMPTY(&list->clients))
        loop_timer_set(list->heartbeat, SSE_HEARTBEAT_MS);
    TAILQ_INSERT_TAIL(&list->clients, sse, link);
    list->count++;
    struct buf retry = BUF_INIT;
    buf_add_format(&retry, "retry: %d\n\n", SSE_RETRY_MS);
    bool is_there = sse_send(sse, buf_slice(&retry));
    buf_clear(&retry);
    return is_there ? sse : NULL;
}

bool sse_send(struct sse *sse, struct slice text)
{
    if (http_stream_send(sse->stream, text))
        return true;
    forget(sse);
    return false;
}

bool sse_is_drained(const struct sse *sse)
{
    return http_stream_is_drained(sse->stream);
}
