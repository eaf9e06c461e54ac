/* Writes the two text formats of Prometheus into a buffer (SPEC §9.1): 0.0.4 and OpenMetrics 1.0.
 *
 * A family is begun with prom_family_begin, then come its samples. Samples of one family stay together; names
 * and label names are ours and taken as they are, label values and help may hold anything. In OpenMetrics a
 * counter's name must end in `_total`: one that does not is exposed as `unknown` under the same name. */
#pragma once

#include "core/histogram.h"
#include "util/buf.h"
#include "util/slice.h"
#include <stdint.h>

enum prom_format { PROM_TEXT, PROM_OPENMETRICS };
enum prom_type { PROM_GAUGE, PROM_COUNTER, PROM_HISTOGRAM, PROM_UNKNOWN };

#define PROM_CONTENT_TYPE_TEXT        "text/plain; version=0.0.4; charset=utf-8"
#define PROM_CONTENT_TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct prom_writer {
    struct buf *out;
    enum prom_format format;
    struct slice name; /* of the family begun last */
};

struct prom_label {
    const char *name;
    struct slice value;
};

/* OUT is borrowed for as long as the writer is used. */
static inline struct prom_writer prom_writer_of(struct buf *out, enum prom_format format)
{
    return (struct prom_writer){.out = out, .format = format};
}

/* "gauge", "counter" or "histogram", as the type is called where it can be named; else "untyped". */
const char *prom_type_name(enum prom_type type);

/* HELP and TYPE. NAME is borrowed until the next family. */
void prom_family_begin(struct prom_writer *writer, const char *name, enum prom_type type, const char *help);

/* Appends `name="value",…` without braces: the form in which samples take their labels, made once where it is
 * needed again and again. Appended to what is there with a comma between. Invalid UTF-8 and control
 * characters other than a newline become U+FFFD. */
void prom_labels_add(struct buf *out, const struct prom_label *labels, size_t count);

/* One sample of the family; LABELS as made by prom_labels_add, empty for none. */
void prom_sample(struct prom_writer *writer, struct slice labels, double value);
void prom_sample_u64(struct prom_writer *writer, struct slice labels, uint64_t value);
/* The same with MORE, made by prom_labels_add as well, behind LABELS: for a label that many samples share. */
void prom_sample_more(struct prom_writer *writer, struct slice labels, struct slice more, double value);
/* The same with one label, not made before. */
void prom_sample_label(struct prom_writer *writer, const char *label, struct slice label_value, double value);

/* Buckets, added up, with `_count` and `_sum` (both left out in OpenMetrics where a bound is negative: it
 * wants no sum then, and no count without a sum). In OpenMetrics a bucket that has an exemplar carries it
 * under the label EXEMPLAR_LABEL (NULL: none do), unless name and id exceed 128 characters. */
void prom_histogram(struct prom_writer *writer, struct slice labels, const struct histogram *h,
                    const char *exemplar_label);

/* The end of the page: `# EOF` in OpenMetrics, nothing in 0.0.4. */
void prom_end(struct prom_writer *writer);

#define PROM_BOUND_MAX 32
/* VALUE as a canonical float, as le and quantile want it: `0.005`, `1.0`, `1e+06`, `+Inf`. Returns the
 * length; a NUL is put behind it. */
size_t prom_format_bound(char out[PROM_BOUND_MAX], double value);
