#include "app/readiness.h"
#include "app/daemon.h"
#include <stdio.h>

void readiness_look(const struct daemon *d, struct readiness *ret)
{
    *ret = (struct readiness){.layers = ""};
    for (size_t i = 0; i < d->store_count && !ret->word; i++) {
        ret->store = d->stores[i];
        ret->word = lead_unready(&ret->store->lead);
    }
    ret->is_ready = !ret->word;
    if (ret->is_ready) {
        ret->store = d;
        return;
    }
    if (ret->store != d || d->lead.phase != PHASE_STANDBY) /* another daemon has all of them */
        ret->layers = ret->store->layers_text;
    (void)snprintf(ret->text, sizeof ret->text, "%s%s%s", ret->word, *ret->layers ? " " : "", ret->layers);
}
