/* One page of metrics as it is rendered, piece by piece: what is in it and in which order.
 *
 * The pieces are small against what the loop may be held for, and the page is the same however they fall. It
 * takes the instances from a snapshot, which it may share with other pages. */
#pragma once

#include "adapters/gzip.h"
#include "app/metrics_instances.h"
#include "codec/prom_text.h"

struct daemon;

/* The instances and their alerts, copied once for all pages that are begun until that is done. */
struct metrics_snapshot {
    struct instance_rows rows;
    bool is_whole;
};

enum metrics_stage {
    STAGE_TOTALS,
    STAGE_IDS,
    STAGE_COPY,
    STAGE_ALERTS,
    STAGE_INSTANCES,
    STAGE_END,
    STAGE_DONE
};

struct metrics_page {
    const struct daemon *d;
    struct metrics_snapshot *snapshot; /* borrowed */
    enum metrics_stage stage;
    size_t id_family; /* to be written next */
    struct instance_cursor cursor;
    int64_t now_ms; /* of the Redis clock */
    struct prom_writer writer;
    struct buf labels; /* scratch */
    struct buf text;   /* rendered, or yet to be compressed from packed_from on */
    size_t packed_from;
    struct gzip *gzip; /* NULL where it is not compressed */
    struct buf packed;
    bool is_done;
};

void metrics_snapshot_init(struct metrics_snapshot *snapshot, const struct daemon *d);
void metrics_snapshot_clear(struct metrics_snapshot *snapshot);

/* PAGE must not be moved afterwards; SNAPSHOT is used until it is done. */
void metrics_page_init(struct metrics_page *page, const struct daemon *d, struct metrics_snapshot *snapshot,
                       enum prom_format format, bool is_gzipped);
void metrics_page_clear(struct metrics_page *page);
/* Renders or compresses a further piece, and sets is_done behind the last. */
void metrics_page_step(struct metrics_page *page);
/* What is ready to be sent. The caller may take it away at any time; the page goes on behind it. */
struct buf *metrics_page_content(struct metrics_page *page);
