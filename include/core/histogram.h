/* A histogram with fixed buckets, for Prometheus (SPEC §9.2): counts are not cumulative here, the writer adds
 * them up. Nothing is allocated. */
#pragma once

#include "core/ident.h"
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS_MAX 20

/* The last observation in a bucket that has an id. */
struct exemplar {
    struct ident id; /* empty: none */
    double value;
    int64_t at_ms;
};

struct histogram {
    const double *bounds; /* ascending upper bounds, without +Inf */
    size_t bound_count;
    uint64_t counts[HISTOGRAM_BUCKETS_MAX + 1]; /* the one at bound_count is beyond every bound */
    uint64_t count;
    double sum;
    struct exemplar *exemplars; /* bound_count + 1 of them, or NULL; the user's */
};

/* Empties H, without exemplars. BOUNDS is borrowed for as long as H is used and holds at most
 * HISTOGRAM_BUCKETS_MAX. */
void histogram_init(struct histogram *h, const double *bounds, size_t bound_count);
/* Counts a finite VALUE in the first bucket whose bound is not below it. */
void histogram_observe(struct histogram *h, double value);
/* The same, and remembers ID as the exemplar of its bucket where there are exemplars. */
void histogram_observe_id(struct histogram *h, double value, struct slice id, int64_t at_ms);
