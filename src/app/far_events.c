#include "app/far_events.h"
#include "app/daemon.h"
#include "util/alloc.h"
#include <stdlib.h>

#define FAR_EVENTS_MAX 10000U
#define KEPT_MAX       256U

static struct far_event *event_at(const struct far_events *far, uint32_t i)
{
    return &far->items[(far->first + i) % far->cap];
}

static void drop_first(struct far_events *far)
{
    far->first = (far->first + 1) % far->cap;
    far->count--;
}

static void grow(struct far_events *far)
{
    uint32_t cap = far->cap ? far->cap * 2 : 64;
    struct far_event *items = mem_new(cap, sizeof *items);
    for (uint32_t i = 0; i < far->count; i++)
        items[i] = *event_at(far, i);
    free(far->items);
    far->items = items;
    far->cap = cap;
    far->first = 0;
}

/* Reasons of events of signals are static (core/ledger_late.c, ledger_signal.c). */
static void on_event(void *ctx, const struct instance *instance, const struct event *event)
{
    struct far_events *far = ctx;
    if (far->count == FAR_EVENTS_MAX) {
        drop_first(far);
        far->lost++;
    }
    if (far->count == far->cap)
        grow(far);
    struct far_event *item = event_at(far, far->count++);
    *item = (struct far_event){.event = *event, .batch = commit_filling_number(&far->d->commit)};
    ident_set(&item->signal_id, event->signal_id);
    ident_set(&item->instance_id, instance ? ident_slice(&instance->id) : slice_of("", 0));
}

void far_events_init(struct far_events *far, struct daemon *d)
{
    *far = (struct far_events){.d = d};
    if (daemon_serves(d, LAYER_RTSS) && !daemon_is_home(d))
        ledger_send_events(d->ledger, on_event, far);
}

void far_events_reset(struct far_events *far)
{
    far->first = far->count = 0;
}

void far_events_clear(struct far_events *far)
{
    far_events_reset(far);
    free(far->items);
    far->items = NULL;
    far->cap = 0;
}

static void tell(struct daemon *home, const struct far_event *item)
{
    struct event event = item->event;
    struct sink *sink = commit_sink(&home->commit);
    struct instance *instance = fleet_find(&home->fleet, ident_slice(&item->instance_id));
    event.signal_id = ident_slice(&item->signal_id);
    sink->ops->begin(sink->ctx, &event.cause);
    if (instance)
        fleet_emit(instance, event.kind, event.from, event.to, event.reason, event.signal_id, &event.cause,
                   event.at_ms, sink);
    else
        sink->ops->event(sink->ctx, &event);
}

void far_events_go_on(struct far_events *far)
{
    struct daemon *home = daemon_of(far->d, LAYER_RIS);
    uint32_t before = far->count;
    while (far->count && event_at(far, 0)->batch <= far->d->commit.applied && lead_is_active(&home->lead) &&
           !commit_is_full(&home->commit)) {
        tell(home, event_at(far, 0));
        drop_first(far);
    }
    if (far->count < before)
        commit_kick(&home->commit);
    if (!far->count && far->cap > KEPT_MAX)
        far_events_clear(far);
}
