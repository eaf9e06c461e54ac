/* What can be said of a family of metrics beforehand (SPEC §9): each of the tables that say who writes it
 * begins with this. docs/METRICS.md is made from it. */
#pragma once

#include "codec/prom_text.h"
#include <stddef.h>

struct metric_info {
    const char *name;
    enum prom_type type;
    const char *labels; /* "instance_id, state"; "" for none. A histogram's le is not among them */
    const char *help;   /* one line, no full stop behind it */
    const char *absent; /* goes on behind "no series where"; "" where there always is one */
};

/* Every family, in the order of the documentation; NULL behind the last. */
const struct metric_info *metric_info_at(size_t index);
