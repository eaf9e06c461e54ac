/* The families of /metrics. */
#include "app/metric_info.h"
#include "tables.h"

static void labels_add(struct buf *out, const char *labels)
{
    buf_add_text(out, " | ");
    cell_add(out, slice_text(labels));
    buf_add_text(out, *labels ? " | " : "| ");
}

bool families_add(struct buf *out, struct slice first, const struct marks *marks)
{
    const struct metric_info *info;
    size_t i = 0;

    while ((info = metric_info_at(i)) && !slice_is(first, info->name))
        i++;
    if (!info)
        return false;
    buf_add_text(out, "| family | type | labels | meaning | no series where |\n|---|---|---|---|---|\n");
    for (; (info = metric_info_at(i)) && (slice_is(first, info->name) || !marks_have(marks, info->name));
         i++) {
        buf_add_text(out, "| ");
        cell_add_code(out, slice_text(info->name));
        buf_add_text(out, " | ");
        buf_add_text(out, prom_type_name(info->type));
        labels_add(out, info->labels);
        cell_add(out, slice_text(info->help));
        buf_add_text(out, " | ");
        cell_add(out, slice_text(info->absent));
        buf_add_text(out, *info->absent ? " |\n" : "|\n");
    }
    return true;
}
