/* A list that is searched from its front: there are few, and the usual ones come first. */
#include "core/labels.h"

static const struct slice other = SLICE("other");

uint32_t labels_intern(struct labels *labels, struct slice name)
{
    /* A value that is called `other` would be a second series of that name. */
    if (slice_equal(name, other))
        return LABELS_OTHER;
    for (uint32_t i = 0; i < labels->count; i++) {
        if (slice_equal(ident_slice(&labels->names[i]), name))
            return i;
    }
    if (labels->count == LABELS_MAX)
        return LABELS_OTHER;
    ident_set(&labels->names[labels->count], name);
    return labels->count++;
}

struct slice labels_name(const struct labels *labels, uint32_t number)
{
    return number < labels->count ? ident_slice(&labels->names[number]) : other;
}
