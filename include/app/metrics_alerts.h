/* The alerts on a page (SPEC §9.2): copied together with the instances that have them, so that the counts by
 * rule and the series by instance are of the same moments.
 *
 * Rules are those of the moment at which the page was begun. An alert of a rule that a reload brings
 * meanwhile is left out. */
#pragma once

#include "app/metric_info.h"
#include "codec/prom_text.h"
#include "core/fleet.h"

enum mark_kind { MARK_PENDING, MARK_FIRING, MARK_UNEVALUABLE };

struct alert_mark {
    uint16_t rule; /* in alert_marks.rules */
    uint16_t kind; /* enum mark_kind */
};

/* Those of one instance. */
struct mark_range {
    uint32_t first, count;
};

struct marked_rule {
    struct rule rule;
    struct buf label; /* `alert="…"` */
    uint32_t counts[ALERT_STATUSES];
};

struct alert_marks {
    struct marked_rule *rules;
    uint32_t rule_count;
    struct alert_mark *items;
    uint32_t count, cap;
    uint32_t next_group; /* of the breaker, to be looked at */
    uint32_t told_groups;
};

/* Copies the rules of WATCH. */
void alert_marks_init(struct alert_marks *marks, const struct watch *watch);
void alert_marks_clear(struct alert_marks *marks);

/* Copies and counts what there is of INSTANCE. */
struct mark_range alert_marks_add(struct alert_marks *marks, const struct fleet *fleet,
                                  const struct instance *instance);
/* The instance is left out of the page: its alerts do not count. */
void alert_marks_drop(struct alert_marks *marks, struct mark_range range);
/* Looks at up to MAX further groups of the breaker; true once there are no more. */
bool alert_marks_count_groups(struct alert_marks *marks, const struct watch *watch, uint32_t max);

/* How many of that kind are in RANGE. */
uint32_t alert_marks_count(const struct alert_marks *marks, struct mark_range range, enum mark_kind kind);
/* A sample of value 1 for each of that kind in RANGE; ID_LABELS name the instance. */
void alert_marks_write(const struct alert_marks *marks, struct mark_range range, enum mark_kind kind,
                       struct slice id_labels, struct prom_writer *writer);
/* The family mt5stated_alerts: each enabled rule and FleetFailure. */
void alert_marks_write_counts(const struct alert_marks *marks, struct prom_writer *writer);
extern const struct metric_info alerts_family_info;
