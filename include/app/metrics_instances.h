/* The families by instance (SPEC §9.2): mt5_instance_* and those of its alerts, copied from the fleet and
 * written in pieces.
 *
 * First every instance is copied (instance_rows_gather, until it says that it is done), then all is written
 * from the copy, family by family: so a page shows each instance once and with values of one moment, whatever
 * happens to the fleet meanwhile. Several pages may be written from one copy, each with a cursor of its own;
 * what they hold does not depend on the pieces in which they are written. What was never reported, or is too
 * old, is not written; a family without any series is left out. */
#pragma once

#include "app/metric_info.h"
#include "app/metrics_alerts.h"
#include "codec/prom_text.h"
#include "core/fleet.h"

#define INSTANCE_FAMILIES 21

/* One instance. NAN: no series. */
struct instance_row {
    uint32_t slot, generation;   /* where it was copied from */
    uint32_t labels;             /* offset of its labels in instance_rows.labels */
    uint16_t id_len, info_len;   /* instance_id="…" alone, and with what info adds */
    unsigned char state, health; /* enum instance_state, enum health */
    struct mark_range marks;
    double value[INSTANCE_FAMILIES];
};

struct instance_rows {
    struct instance_row *rows;
    uint32_t count, cap;
    struct buf labels;
    struct alert_marks marks;
    uint32_t next_slot; /* of the fleet, to be copied */
    bool is_copied;     /* all that there was */
    double memory_limit_mb;
    int64_t now_ms;
    uint32_t kept, next_row; /* of those that were copied: are still there, to be looked at */
    struct buf state_labels[INSTANCE_STATES], health_labels[HEALTHS];
};

/* How far a page is written. Begins zeroed. */
struct instance_cursor {
    uint32_t family, next_row;
    bool has_begun; /* the family */
};

/* Rules are those of FLEET now. Values are judged by NOW_MS of the Redis clock; MEMORY_LIMIT_MB stands in for
 * agents that report none, 0 for nothing. */
void instance_rows_init(struct instance_rows *rows, const struct fleet *fleet, double memory_limit_mb,
                        int64_t now_ms);
void instance_rows_clear(struct instance_rows *rows);

/* Copies the instances in up to MAX further slots of FLEET, then counts its groups, then looks who has gone
 * meanwhile; true once all is done. FLEET is the same in all calls, and may change between them. */
bool instance_rows_gather(struct instance_rows *rows, const struct fleet *fleet, uint32_t max);
/* Writes mt5stated_alerts, once all is copied. */
void instance_rows_write_alerts(const struct instance_rows *rows, struct prom_writer *writer);
/* Writes up to MAX further rows of a family, once all is copied; true once all is written. */
bool instance_rows_write(const struct instance_rows *rows, struct instance_cursor *cursor,
                         struct prom_writer *writer, uint32_t max);
/* The families in the order of the page; NULL behind the last. mt5stated_alerts is none of them. */
const struct metric_info *instance_family_info(uint32_t family);
