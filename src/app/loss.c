#include "app/loss.h"

#include <string.h>

const char *loss_kind_name(enum loss_kind kind)
{
    static const char *const names[LOSS_KINDS] = {
        [LOSS_BATCHES] = "batches",
        [LOSS_STREAMS] = "streams",
        [LOSS_GROUPS] = "groups",
        [LOSS_EVENTS] = "events",
        [LOSS_RESULTS] = "results",
        [LOSS_SIGNALS_GONE] = "signals_gone",
        [LOSS_SIGNALS_ENDED] = "signals_ended",
        [LOSS_UNREAD] = "unread",
    };
    return names[kind];
}

void loss_begin(struct loss *loss)
{
    memset(loss->found, 0, sizeof loss->found);
}

void loss_find(struct loss *loss, enum loss_kind kind, uint64_t count)
{
    if (count > loss->found[kind])
        loss_count(loss, kind, count - loss->found[kind]);
}

void loss_count(struct loss *loss, enum loss_kind kind, uint64_t count)
{
    loss->found[kind] += count;
    loss->total[kind] += count;
}
