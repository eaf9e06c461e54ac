#include "metrics_page.h"

#include "metrics_private.h"

/* Pieces of some ten microseconds: so many instances are copied or written, so many bytes compressed. */
#define PIECE_ROWS  256
#define PIECE_BYTES 8192
#define GZIP_LEVEL  1

void metrics_snapshot_init(struct metrics_snapshot *snapshot, const struct daemon *d)
{
    snapshot->is_whole = false;
    instance_rows_init(&snapshot->rows, &d->fleet, d->config->instances.memory_limit_mb, daemon_now_ms(d));
}

void metrics_snapshot_clear(struct metrics_snapshot *snapshot)
{
    instance_rows_clear(&snapshot->rows);
}

void metrics_page_init(struct metrics_page *page, const struct daemon *d, struct metrics_snapshot *snapshot,
                       enum prom_format format, bool is_gzipped)
{
    *page = (struct metrics_page){.d = d, .snapshot = snapshot, .now_ms = daemon_now_ms(d)};
    page->writer = prom_writer_of(&page->text, format);
    page->gzip = is_gzipped ? gzip_new(GZIP_LEVEL) : NULL;
}

void metrics_page_clear(struct metrics_page *page)
{
    gzip_free(page->gzip);
    buf_clear(&page->text);
    buf_clear(&page->packed);
    buf_clear(&page->labels);
    page->gzip = NULL;
    page->snapshot = NULL;
}

static struct scrape scrape_of(struct metrics_page *page)
{
    struct scrape s = {
        .d = page->d, .writer = &page->writer, .now_ms = page->now_ms, .labels = &page->labels};

    daemon_view_ledger(s.d, &s.view);
    return s;
}

static void write_totals(struct metrics_page *page)
{
    struct scrape s = scrape_of(page);

    process_stats_read(&s.process);
    for (size_t i = 0; i < total_family_count; i++)
        family_write(&total_families[i], &s);
    page->stage = STAGE_IDS;
}

static void write_ids(struct metrics_page *page)
{
    struct scrape s = scrape_of(page);

    family_write(&id_families[page->id_family++], &s);
    if (page->id_family == id_family_count)
        page->stage = STAGE_COPY;
}

/* Another page may have copied it meanwhile. */
static void copy_instances(struct metrics_page *page)
{
    struct metrics_snapshot *snapshot = page->snapshot;

    if (!snapshot->is_whole)
        snapshot->is_whole = instance_rows_gather(&snapshot->rows, &page->d->fleet, PIECE_ROWS);
    if (snapshot->is_whole)
        page->stage = STAGE_ALERTS;
}

static void render(struct metrics_page *page)
{
    switch (page->stage) {
    case STAGE_TOTALS:
        write_totals(page);
        break;
    case STAGE_IDS:
        write_ids(page);
        break;
    case STAGE_COPY:
        copy_instances(page);
        break;
    case STAGE_ALERTS:
        instance_rows_write_alerts(&page->snapshot->rows, &page->writer);
        page->stage = STAGE_INSTANCES;
        break;
    case STAGE_INSTANCES:
        if (instance_rows_write(&page->snapshot->rows, &page->cursor, &page->writer, PIECE_ROWS))
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

static void pack(struct metrics_page *page)
{
    struct slice rest = slice_of(page->text.data + page->packed_from, page->text.len - page->packed_from);

    if (rest.len > PIECE_BYTES)
        rest.len = PIECE_BYTES;
    gzip_add(page->gzip, rest, &page->packed);
    page->packed_from += rest.len;
    if (page->packed_from == page->text.len)
        page->packed_from = page->text.len = 0;
}

void metrics_page_step(struct metrics_page *page)
{
    if (page->gzip && page->text.len > 0)
        pack(page);
    else
        render(page);
    page->is_done = page->stage == STAGE_DONE && (!page->gzip || page->text.len == 0);
    if (page->is_done && page->gzip)
        gzip_finish(page->gzip, &page->packed);
}

struct buf *metrics_page_content(struct metrics_page *page)
{
    return page->gzip ? &page->packed : &page->text;
}
