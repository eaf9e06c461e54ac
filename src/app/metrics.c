/* Who gets a metrics page, and when it is rendered: all pages share one slice in each turn of the loop. */
#include "app/metrics.h"

#include "adapters/http.h"
#include "adapters/loop.h"
#include "app/daemon.h"
#include "metrics_page.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <stdlib.h>

#define OPENMETRICS_TYPE "application/openmetrics-text"
#define TEXT_TYPE        "text/plain"

/* How long rendering holds the loop at a time: about as long as a turn takes while signals are drained. */
#define SLICE_US 1000
/* Of a page, so much is rendered ahead of what its client takes, and so much is on its way. */
#define PART_BYTES ((size_t)128 << 10)
#define COPIES_MAX 8
/* Clients that take nothing for so long are sent away where others want a copy. */
#define STALLED_MS 200
/* How old a copy is that still serves others, where there is no other way. */
#define SHARED_MS 1000

struct metrics_copy {
    TAILQ_ENTRY(metrics_copy) link;
    struct metrics_snapshot snapshot;
    int64_t begun_ms;
    uint32_t client_count; /* 0: it is freed */
};

struct metrics_client {
    TAILQ_ENTRY(metrics_client) link, rendered_link;
    struct metrics *metrics;
    struct http_request *request;
    struct http_parts *parts; /* NULL until the first part of several is there */
    struct metrics_kind kind;
    struct metrics_copy *copy; /* NULL once it is not needed any more */
    struct metrics_page page;
    bool is_rendered; /* it is in that list */
    bool is_wanted;   /* a further part */
};

struct metrics_kind metrics_negotiate(struct slice accept, struct slice accept_encoding, bool is_local)
{
    struct metrics_kind kind = {.format = PROM_TEXT};

    /* A wildcard wants everything; only who names OpenMetrics knows what to do with it. */
    if (http_accept_prefers(accept, OPENMETRICS_TYPE, TEXT_TYPE))
        kind.format = PROM_OPENMETRICS;
    kind.is_gzipped = !is_local && http_accept_weight(accept_encoding, "gzip") > 0;
    return kind;
}

/* ---- copies ---- */

static struct metrics_copy *copy_new(struct metrics *metrics)
{
    struct metrics_copy *copy = mem_new(1, sizeof(*copy));

    metrics_snapshot_init(&copy->snapshot, metrics->d);
    copy->begun_ms = loop_now_ms();
    TAILQ_INSERT_TAIL(&metrics->copies, copy, link);
    metrics->copy_count++;
    return copy;
}

static void client_drop_copy(struct metrics_client *client)
{
    struct metrics *metrics = client->metrics;
    struct metrics_copy *copy = client->copy;

    client->copy = NULL;
    if (!copy || --copy->client_count > 0)
        return;
    TAILQ_REMOVE(&metrics->copies, copy, link);
    metrics->copy_count--;
    metrics_snapshot_clear(&copy->snapshot);
    free(copy);
}

/* For how long none of its clients has taken anything. */
static int64_t copy_stalled_ms(const struct metrics *metrics, const struct metrics_copy *copy)
{
    const struct metrics_client *client;
    int64_t stalled_ms = INT64_MAX;

    TAILQ_FOREACH(client, &metrics->clients, link)
    {
        int64_t waiting_ms = client->parts ? http_parts_waiting_ms(client->parts) : 0;

        if (client->copy == copy && waiting_ms < stalled_ms)
            stalled_ms = waiting_ms;
    }
    return stalled_ms;
}

/* NULL where all take what they get. */
static struct metrics_copy *find_stalled(const struct metrics *metrics)
{
    struct metrics_copy *copy, *found = NULL;
    int64_t longest_ms = STALLED_MS - 1;

    TAILQ_FOREACH(copy, &metrics->copies, link)
    {
        int64_t stalled_ms = copy_stalled_ms(metrics, copy);

        if (stalled_ms <= longest_ms)
            continue;
        longest_ms = stalled_ms;
        found = copy;
    }
    return found;
}

static void client_stop_rendering(struct metrics_client *client)
{
    if (client->is_rendered)
        TAILQ_REMOVE(&client->metrics->rendered, client, rendered_link);
    client->is_rendered = false;
}

/* Sends away all who take it. False where somebody has no part of it yet. */
static bool copy_give_up(struct metrics *metrics, const struct metrics_copy *copy)
{
    struct metrics_client *client;

    TAILQ_FOREACH(client, &metrics->clients, link)
    {
        if (client->copy == copy && !client->parts)
            return false;
    }
    TAILQ_FOREACH(client, &metrics->clients, link)
    {
        if (client->copy != copy)
            continue;
        http_parts_cut(client->parts);
        client_stop_rendering(client);
        client_drop_copy(client); /* the last one frees it */
    }
    return true;
}

/* The copy for who comes now; NULL where none can be had. */
static struct metrics_copy *find_copy(struct metrics *metrics)
{
    struct metrics_copy *newest = TAILQ_LAST(&metrics->copies, metrics_copies);
    struct metrics_copy *stalled;

    if (newest && !newest->snapshot.is_whole)
        return newest;
    if (metrics->copy_count < COPIES_MAX)
        return copy_new(metrics);
    if (loop_now_ms() - newest->begun_ms < SHARED_MS)
        return newest;
    stalled = find_stalled(metrics);
    if (stalled && copy_give_up(metrics, stalled))
        return copy_new(metrics);
    return copy_give_up(metrics, TAILQ_FIRST(&metrics->copies)) ? copy_new(metrics) : NULL;
}

/* ---- clients ---- */

static void client_render(struct metrics_client *client)
{
    struct metrics *metrics = client->metrics;

    if (client->is_rendered)
        return;
    client->is_rendered = true;
    TAILQ_INSERT_TAIL(&metrics->rendered, client, rendered_link);
    if (!loop_timer_is_set(metrics->timer))
        loop_timer_set(metrics->timer, 0);
}

static void client_free(struct metrics_client *client)
{
    client_stop_rendering(client);
    metrics_page_clear(&client->page);
    client_drop_copy(client);
    TAILQ_REMOVE(&client->metrics->clients, client, link);
    client->metrics->client_count--;
    free(client);
}

static void on_cancel(void *ctx, struct http_request *request)
{
    UNUSED(request);
    client_free(ctx);
}

static void on_closed(void *ctx, struct http_parts *parts)
{
    UNUSED(parts);
    client_free(ctx);
}

static bool has_room(struct metrics_client *client)
{
    return !client->page.is_done && metrics_page_content(&client->page)->len < PART_BYTES;
}

/* Hands over a part that is full, or the last one. */
static void client_send(struct metrics_client *client)
{
    struct buf *content = metrics_page_content(&client->page);

    if (!client->is_wanted || has_room(client))
        return;
    if (content->len > 0) {
        client->is_wanted = false;
        http_parts_send(client->parts, content);
    }
    if (!client->page.is_done)
        return;
    http_parts_end(client->parts);
    metrics_page_clear(&client->page);
    client_drop_copy(client);
}

static void client_go_on(struct metrics_client *client)
{
    client_send(client);
    if (has_room(client))
        client_render(client);
}

static void on_wanted(void *ctx, struct http_parts *parts)
{
    struct metrics_client *client = ctx;

    UNUSED(parts);
    client->is_wanted = true;
    client_go_on(client);
}

static void client_answer(struct metrics_client *client)
{
    static const struct http_parts_events events = {on_wanted, on_closed};
    static const struct http_header headers[] = {{"Vary", "Accept, Accept-Encoding"},
                                                 {"Content-Encoding", "gzip"}};
    struct http_answer whole = {
        .status = 200,
        .content_type =
            client->kind.format == PROM_OPENMETRICS ? PROM_CONTENT_TYPE_OPENMETRICS : PROM_CONTENT_TYPE_TEXT,
        .body = metrics_page_content(&client->page),
        .headers = headers,
        .header_count = client->kind.is_gzipped ? 2 : 1,
    };

    if (client->page.is_done) {
        http_request_answer(client->request, &whole);
        client_free(client);
        return;
    }
    client->parts =
        http_parts_new(client->request, whole.content_type, headers, whole.header_count, &events, client);
    client->is_wanted = true;
    client_go_on(client);
}

/* Renders until a part is full, the page is done, or UNTIL_US. CLIENT may be freed then. */
static void client_run(struct metrics_client *client, int64_t until_us)
{
    client_stop_rendering(client);
    do
        metrics_page_step(&client->page);
    while (has_room(client) && loop_now_us() < until_us);
    if (!client->parts && !has_room(client))
        client_answer(client);
    else
        client_go_on(client);
}

/* Each client has one turn at most: who wants more comes behind those who have had none. */
static void on_slice(void *ctx)
{
    struct metrics *metrics = ctx;
    int64_t until_us = loop_now_us() + SLICE_US;
    const struct metrics_client *last = TAILQ_LAST(&metrics->rendered, metrics_rendered);
    struct metrics_client *client = TAILQ_FIRST(&metrics->rendered), *next;

    for (; client && loop_now_us() < until_us; client = next) {
        next = client == last ? NULL : TAILQ_NEXT(client, rendered_link);
        client_run(client, until_us);
    }
    if (!TAILQ_EMPTY(&metrics->rendered))
        loop_timer_set(metrics->timer, 0);
}

void metrics_answer(struct metrics *metrics, struct http_request *request)
{
    struct metrics_copy *copy = find_copy(metrics);
    struct metrics_client *client;

    metrics->scrapes++;
    if (!copy) {
        metrics->refused++;
        http_request_answer_problem(request, 503,
                                    "too many pages are on their way to clients that do not take them");
        return;
    }
    client = mem_new(1, sizeof(*client));
    client->metrics = metrics;
    client->request = request;
    client->copy = copy;
    copy->client_count++;
    client->kind =
        metrics_negotiate(http_request_header(request, "Accept"),
                          http_request_header(request, "Accept-Encoding"), http_request_is_local(request));
    metrics_page_init(&client->page, metrics->d, &copy->snapshot, client->kind.format,
                      client->kind.is_gzipped);
    TAILQ_INSERT_TAIL(&metrics->clients, client, link);
    metrics->client_count++;
    http_request_suspend(request, on_cancel, client);
    client_render(client);
}

void metrics_init(struct metrics *metrics, struct daemon *d)
{
    *metrics = (struct metrics){.d = d};
    TAILQ_INIT(&metrics->clients);
    TAILQ_INIT(&metrics->rendered);
    TAILQ_INIT(&metrics->copies);
    metrics->timer = loop_timer_new(d->loop, on_slice, metrics);
}

void metrics_clear(struct metrics *metrics)
{
    loop_timer_free(metrics->timer);
    metrics->timer = NULL;
}
