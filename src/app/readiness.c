#include "app/readiness.h"
#include "app/daemon.h"
#include <stdio.h>

void readiness_look(const struct daemon *d, struct readiness *ret)
{
    *ret = (struct readiness){.is_ready = true};
    for (size_t i = 0; i < d->store_count && ret->is_ready; i++) {
        const struct daemon *store = d->stores[i];
        const char *word = lead_unready(&store->lead);
        if (!word)
            continue;
        bool is_all = d->store_count == 1 || (i == 0 && store->lead.phase == PHASE_STANDBY);
        ret->is_ready = false;
        (void)snprintf(ret->text, sizeof ret->text, is_all ? "%s" : "%s %s", word, store->layers_text);
    }
}
