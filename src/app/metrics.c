/* Pages: what they are made for, how they are rendered piece by piece, and who waits for them.
 *
 * A page belongs to the requests that wait for it: when the last of them has gone it is given up. */
#include "app/metrics.h"

#include "adapters/gzip.h"
#include "adapters/http.h"
#include "adapters/loop.h"
#include "app/metrics_instances.h"
#include "metrics_private.h"
#include "util/alloc.h"
#include <stdlib.h>

#define OPENMETRICS_TYPE "application/openmetrics-text"
#define TEXT_TYPE        "text/plain"

/* How long rendering holds the loop at a time, and how many instances go by between two looks at the clock.
 */
#define SLICE_US   2000
#define PIECE_ROWS 256
/* Pages that are rendered or on their way; each may be megabytes that a client does not take. */
#define PAGES_MAX (8 + METRICS_KINDS)
/* How long the newest page of a kind is kept for others. */
#define KEEP_MS 1000
/* How long a client has at least for a page, whoever else wants one. */
#define CUT_AFTER_MS 200
#define GZIP_LEVEL   1

enum page_stage { STAGE_TOTALS, STAGE_IDS, STAGE_COPY, STAGE_ALERTS, STAGE_INSTANCES, STAGE_END, STAGE_DONE };

struct metrics_page {
    struct metrics *metrics;
    struct metrics_kind kind;
    enum page_stage stage;
    size_t id_family; /* to be written next */
    int64_t now_ms;
    struct instance_rows rows;
    struct prom_writer writer;
    struct buf text;   /* what is written, or has yet to be compressed */
    struct buf packed; /* where it is compressed */
    struct gzip *gzip; /* NULL where it is not */
    struct buf labels;
    struct loop_timer *timer; /* until the next slice; NULL while there was one only */
    struct http_request **waiting;
    size_t waiting_count, waiting_cap;
};

static unsigned kind_number(struct metrics_kind kind)
{
    return (kind.format == PROM_OPENMETRICS ? 1U : 0U) + (kind.is_gzipped ? 2U : 0U);
}

struct metrics_kind metrics_negotiate(struct slice accept, struct slice accept_encoding, bool is_local)
{
    struct metrics_kind kind = {.format = PROM_TEXT};

    /* A wildcard wants everything; only who names OpenMetrics knows what to do with it. */
    if (http_accept_prefers(accept, OPENMETRICS_TYPE, TEXT_TYPE))
        kind.format = PROM_OPENMETRICS;
    kind.is_gzipped = !is_local && http_accept_weight(accept_encoding, "gzip") > 0;
    return kind;
}

static void forget_newest(struct metrics *metrics, unsigned kind)
{
    http_body_unref(metrics->newest[kind].body);
    metrics->newest[kind].body = NULL;
}

/* The turn in which a page was made is over, or the moment for which it is kept. */
static void on_keeping(void *ctx)
{
    struct metrics *metrics = ctx;
    int64_t now_ms = loop_now_ms(), oldest_ms = INT64_MAX;

    for (unsigned kind = 0; kind < METRICS_KINDS; kind++) {
        metrics->newest[kind].is_of_this_turn = false;
        if (!metrics->newest[kind].body)
            continue;
        if (now_ms - metrics->newest[kind].made_ms >= KEEP_MS)
            forget_newest(metrics, kind);
        else if (metrics->newest[kind].made_ms < oldest_ms)
            oldest_ms = metrics->newest[kind].made_ms;
    }
    if (oldest_ms != INT64_MAX)
        loop_timer_set(metrics->keeping, oldest_ms + KEEP_MS - now_ms);
}

static void keep_newest(struct metrics *metrics, unsigned kind, struct http_body *body)
{
    forget_newest(metrics, kind);
    metrics->newest[kind].body = http_body_ref(body);
    metrics->newest[kind].made_ms = loop_now_ms();
    metrics->newest[kind].is_of_this_turn = true;
    loop_timer_set(metrics->keeping, 0);
}

void metrics_init(struct metrics *metrics, struct daemon *d)
{
    *metrics = (struct metrics){.d = d};
    metrics->keeping = loop_timer_new(d->loop, on_keeping, metrics);
}

static struct metrics_page *page_new(struct metrics *metrics, struct metrics_kind kind)
{
    struct metrics_page *page = mem_new(1, sizeof(*page));

    page->metrics = metrics;
    page->kind = kind;
    page->now_ms = daemon_now_ms(metrics->d);
    page->writer = prom_writer_of(&page->text, kind.format);
    page->gzip = kind.is_gzipped ? gzip_new(GZIP_LEVEL) : NULL;
    instance_rows_init(&page->rows, &metrics->d->fleet, metrics->d->config->instances.memory_limit_mb,
                       page->now_ms);
    return page;
}

static void page_free(struct metrics_page *page)
{
    loop_timer_free(page->timer);
    instance_rows_clear(&page->rows);
    gzip_free(page->gzip);
    buf_clear(&page->text);
    buf_clear(&page->packed);
    buf_clear(&page->labels);
    free(page->waiting);
    free(page);
}

static struct scrape scrape_of(struct metrics_page *page)
{
    struct scrape s = {
        .d = page->metrics->d, .writer = &page->writer, .now_ms = page->now_ms, .labels = &page->labels};

    ledger_view(s.d->ledger, &s.view);
    return s;
}

static void write_totals(struct metrics_page *page)
{
    struct scrape s = scrape_of(page);

    process_stats_read(&s.process);
    for (size_t i = 0; i < total_family_count; i++)
        family_write(&total_families[i], &s);
}

static void write_ids(struct metrics_page *page)
{
    struct scrape s = scrape_of(page);

    family_write(&id_families[page->id_family++], &s);
}

/* A buffer that grows by steps would copy megabytes at a time. */
static void page_make_room(struct metrics_page *page)
{
    if (!page->gzip)
        (void)buf_reserve(&page->text, instance_rows_bytes(&page->rows));
    page->stage = STAGE_ALERTS;
}

/* Renders a piece, which is a fraction of a slice. */
static void page_step(struct metrics_page *page)
{
    switch (page->stage) {
    case STAGE_TOTALS:
        write_totals(page);
        page->stage = STAGE_IDS;
        break;
    case STAGE_IDS:
        write_ids(page);
        if (page->id_family == id_family_count)
            page->stage = STAGE_COPY;
        break;
    case STAGE_COPY:
        if (instance_rows_gather(&page->rows, &page->metrics->d->fleet, PIECE_ROWS))
            page_make_room(page);
        break;
    case STAGE_ALERTS:
        instance_rows_write_alerts(&page->rows, &page->writer);
        page->stage = STAGE_INSTANCES;
        break;
    case STAGE_INSTANCES:
        if (instance_rows_write(&page->rows, &page->writer, PIECE_ROWS))
            page->stage = STAGE_END;
        break;
    case STAGE_END:
        prom_end(&page->writer);
        page->stage = STAGE_DONE;
        break;
    case STAGE_DONE:
        break;
    }
}

static void page_pack(struct metrics_page *page)
{
    if (!page->gzip)
        return;
    gzip_add(page->gzip, buf_slice(&page->text), &page->packed);
    page->text.len = 0;
    if (page->stage == STAGE_DONE)
        gzip_finish(page->gzip, &page->packed);
}

/* Renders until all is there (true), or until UNTIL_US. */
static bool page_run(struct metrics_page *page, int64_t until_us)
{
    do {
        page_step(page);
        page_pack(page);
    } while (page->stage != STAGE_DONE && loop_now_us() < until_us);
    return page->stage == STAGE_DONE;
}

static struct buf *page_content(struct metrics_page *page)
{
    return page->gzip ? &page->packed : &page->text;
}

static void on_page_sent(void *ctx)
{
    struct metrics *metrics = ctx;

    metrics->pages--;
}

static void answer(struct http_request *request, struct metrics_kind kind, struct http_body *body)
{
    const struct http_header headers[] = {{"Vary", "Accept, Accept-Encoding"}, {"Content-Encoding", "gzip"}};
    struct http_answer a = {
        .status = 200,
        .content_type =
            kind.format == PROM_OPENMETRICS ? PROM_CONTENT_TYPE_OPENMETRICS : PROM_CONTENT_TYPE_TEXT,
        .shared = body,
        .headers = headers,
        .header_count = kind.is_gzipped ? 2 : 1,
    };

    http_request_answer(request, &a);
}

static void page_finish(struct metrics_page *page)
{
    struct metrics *metrics = page->metrics;
    struct http_body *body = http_body_new(page_content(page));

    http_body_watch(body, on_page_sent, metrics);
    metrics->rendering[kind_number(page->kind)] = NULL;
    for (size_t i = 0; i < page->waiting_count; i++)
        answer(page->waiting[i], page->kind, body);
    keep_newest(metrics, kind_number(page->kind), body);
    http_body_unref(body);
    page_free(page);
}

static void page_give_up(struct metrics_page *page)
{
    page->metrics->rendering[kind_number(page->kind)] = NULL;
    page->metrics->pages--;
    page_free(page);
}

static void on_slice(void *ctx)
{
    struct metrics_page *page = ctx;

    if (page_run(page, loop_now_us() + SLICE_US))
        page_finish(page);
    else
        loop_timer_set(page->timer, 0);
}

static void on_cancel(void *ctx, struct http_request *request)
{
    struct metrics_page *page = ctx;

    for (size_t i = 0; i < page->waiting_count; i++) {
        if (page->waiting[i] == request) {
            page->waiting[i] = page->waiting[--page->waiting_count];
            break;
        }
    }
    if (page->waiting_count == 0)
        page_give_up(page);
}

/* There are never more of them than connections. */
static void page_add_waiting(struct metrics_page *page, struct http_request *request)
{
    if (page->waiting_count == page->waiting_cap) {
        page->waiting_cap = page->waiting_cap ? page->waiting_cap * 2 : 4;
        page->waiting = mem_resize(page->waiting, page->waiting_cap, sizeof(struct http_request *));
    }
    page->waiting[page->waiting_count++] = request;
}

/* Begins a page for REQUEST; a small one is done at once. */
static void page_start(struct metrics *metrics, struct metrics_kind kind, struct http_request *request)
{
    struct metrics_page *page = page_new(metrics, kind);

    metrics->pages++;
    page_add_waiting(page, request);
    if (page_run(page, loop_now_us() + SLICE_US)) {
        page_finish(page);
        return;
    }
    metrics->rendering[kind_number(kind)] = page;
    http_request_suspend(request, on_cancel, page);
    page->timer = loop_timer_new(metrics->d->loop, on_slice, page);
    loop_timer_set(page->timer, 0);
}

/* True where a page may be made: there is room, or somebody has taken too long over another. */
static bool may_start(const struct metrics *metrics)
{
    return metrics->pages < PAGES_MAX || http_server_cut_slowest(metrics->d->server.http, CUT_AFTER_MS);
}

void metrics_answer(struct metrics *metrics, struct http_request *request)
{
    struct metrics_kind kind =
        metrics_negotiate(http_request_header(request, "Accept"),
                          http_request_header(request, "Accept-Encoding"), http_request_is_local(request));
    struct metrics_page *page = metrics->rendering[kind_number(kind)];
    const unsigned number = kind_number(kind);

    metrics->scrapes++;
    if (page) {
        page_add_waiting(page, request);
        http_request_suspend(request, on_cancel, page);
    } else if (!(metrics->newest[number].body && metrics->newest[number].is_of_this_turn) &&
               may_start(metrics)) {
        page_start(metrics, kind, request);
    } else if (metrics->newest[number].body) {
        answer(request, kind, metrics->newest[number].body);
    } else {
        metrics->refused++;
        http_request_answer_problem(request, 503,
                                    "too many pages are on their way to clients that do not take them");
    }
}

void metrics_clear(struct metrics *metrics)
{
    for (unsigned i = 0; i < METRICS_KINDS; i++) {
        if (metrics->rendering[i])
            page_give_up(metrics->rendering[i]);
        forget_newest(metrics, i);
    }
    loop_timer_free(metrics->keeping);
    metrics->keeping = NULL;
}
