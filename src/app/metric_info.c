/* All families in one row: those by instance, the counts of alerts, everything else, and those by id. */
#include "metrics_private.h"

#include "app/metrics_instances.h"

const struct metric_info *metric_info_at(size_t index)
{
    if (index < INSTANCE_FAMILIES)
        return instance_family_info((uint32_t)index);
    index -= INSTANCE_FAMILIES;
    if (index == 0)
        return &alerts_family_info;
    index--;
    if (index < total_family_count)
        return &total_families[index].info;
    index -= total_family_count;
    return index < id_family_count ? &id_families[index].info : NULL;
}
