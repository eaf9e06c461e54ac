/* Observations are put into the first bucket whose bound is not below them. */
#include "core/histogram.h"

#include <assert.h>

void histogram_init(struct histogram *h, const double *bounds, size_t bound_count)
{
    assert(bound_count <= HISTOGRAM_BUCKETS_MAX);
    *h = (struct histogram){.bounds = bounds, .bound_count = bound_count};
}

static size_t add_value(struct histogram *h, double value)
{
    size_t bucket = 0;

    while (bucket < h->bound_count && value > h->bounds[bucket])
        bucket++;
    h->counts[bucket]++;
    h->count++;
    h->sum += value;
    return bucket;
}

void histogram_observe(struct histogram *h, double value)
{
    (void)add_value(h, value);
}

void histogram_observe_id(struct histogram *h, double value, struct slice id, int64_t at_ms)
{
    size_t bucket = add_value(h, value);
    struct exemplar *exemplar;

    if (!h->exemplars || id.len == 0)
        return;
    exemplar = &h->exemplars[bucket];
    ident_set(&exemplar->id, id);
    exemplar->value = value;
    exemplar->at_ms = at_ms;
}
