/* Maintenance of instances: by an operator, until a time or without end, and by the windows that come again
 * each week. */
#include "util/alloc.h"
#include "watch_private.h"
#include <stdlib.h>

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool watch_in_own_maintenance(const struct instance *instance, int64_t now_ms)
{
    return instance->watched && instance->watched->record.maintenance_until_ms > now_ms;
}

const struct maintenance_window *watch_open_window(const struct fleet *fleet, const struct instance *instance,
                                                   int64_t now_ms, int64_t *ret_until_ms)
{
    const struct watch_options *options = &fleet->watch->options;

    for (size_t i = 0; i < options->window_count; i++) {
        const struct maintenance_window *window = &options->windows[i];

        if (!window_covers(window, ident_slice(&instance->id), ident_slice(&instance->broker_id)) ||
            !window_is_open(window, now_ms))
            continue;
        *ret_until_ms = window_next_change(window, now_ms);
        return window;
    }
    return NULL;
}

bool watch_in_maintenance(const struct fleet *fleet, const struct instance *instance, int64_t now_ms,
                          struct slice *ret_reason, int64_t *ret_until_ms)
{
    const struct maintenance_window *window;
    int64_t until_ms;

    if (watch_in_own_maintenance(instance, now_ms)) {
        if (ret_reason)
            *ret_reason = slice_text(instance->watched->record.maintenance_reason);
        if (ret_until_ms)
            *ret_until_ms = instance->watched->record.maintenance_until_ms;
        return true;
    }
    window = watch_open_window(fleet, instance, now_ms, &until_ms);
    if (window && ret_reason)
        *ret_reason = ident_slice(&window->name);
    if (window && ret_until_ms)
        *ret_until_ms = until_ms;
    return window != NULL;
}

int64_t watch_was_in_maintenance(const struct fleet *fleet, const struct instance *instance, int64_t from_ms,
                                 int64_t now_ms)
{
    const struct watch_options *options = &fleet->watch->options;
    int64_t last_ms = INT64_MIN;

    if (watch_in_maintenance(fleet, instance, now_ms, NULL, NULL))
        return now_ms;
    if (instance->watched)
        last_ms = instance->watched->maintenance_over_ms;
    for (size_t i = 0; i < options->window_count; i++) {
        const struct maintenance_window *window = &options->windows[i];

        if (!window_covers(window, ident_slice(&instance->id), ident_slice(&instance->broker_id)))
            continue;
        for (int64_t at_ms = from_ms, next_ms; at_ms <= now_ms; at_ms = next_ms) {
            next_ms = window_next_change(window, at_ms);
            if (window_is_open(window, at_ms) && next_ms <= now_ms && next_ms > last_ms)
                last_ms = next_ms;
        }
    }
    return last_ms;
}

void watch_set_maintenance(struct fleet *fleet, struct instance *instance, int64_t until_ms,
                           struct slice reason, const struct cause *cause, int64_t now_ms, struct sink *sink)
{
    struct watch_record *record = &watched_get(fleet, instance)->record;
    struct change change = change_of(fleet, instance, cause, now_ms, sink);
    struct event event = {.kind = EVENT_MAINTENANCE_CHANGED,
                          .from = slice_text(record->maintenance_until_ms > now_ms ? "on" : "off"),
                          .to = slice_text(until_ms > now_ms ? "on" : "off"),
                          .until_ms = until_ms > now_ms ? until_ms : 0,
                          .reason = reason,
                          .cause = *cause};
    struct why_step step = {.kind = WHY_DECISION,
                            .at_ms = now_ms,
                            .status = until_ms > now_ms ? "maintenance on" : "maintenance off",
                            .cause = *cause,
                            .reason = reason};

    sink->ops->begin(sink->ctx, cause);
    instance->batch = fleet->batch;
    watch_emit(&change, event);
    watch_step(&change, &step);
    free(record->maintenance_reason);
    record->maintenance_reason =
        until_ms > now_ms && reason.len > 0 ? mem_copy_text(reason.data, reason.len) : NULL;
    if (until_ms <= now_ms && record->maintenance_until_ms > 0)
        instance->watched->maintenance_over_ms = now_ms;
    record->maintenance_until_ms = until_ms > now_ms ? until_ms : 0;
    instance->watched->is_dirty = instance->watched->wants_round = true;
    change_finish(&change);
}

void maintenance_end(struct change *change)
{
    struct watch_record *record = &change->instance->watched->record;
    struct event event = {.kind = EVENT_MAINTENANCE_CHANGED,
                          .from = slice_text("on"),
                          .to = slice_text("off"),
                          .reason = slice_text(record->maintenance_reason),
                          .cause = *change->cause};

    if (record->maintenance_until_ms == 0 || record->maintenance_until_ms > change->at_ms)
        return;
    watch_emit(change, event);
    change->instance->watched->maintenance_over_ms = record->maintenance_until_ms;
    record->maintenance_until_ms = 0;
    free(record->maintenance_reason);
    record->maintenance_reason = NULL;
    change->instance->watched->is_dirty = true;
}

int64_t maintenance_next_ms(const struct fleet *fleet, const struct instance *instance, int64_t now_ms)
{
    const struct watched *watched = instance->watched;
    int64_t until_ms = INT64_MAX;

    if (watched->record.maintenance_until_ms > 0)
        until_ms = watched->record.maintenance_until_ms;
    if ((watched_first_hold(watched) == HOLD_MAINTENANCE || watched->alert_count > 0) &&
        fleet->watch->options.window_count > 0) {
        int64_t window_ms = INT64_MAX;

        if (watch_in_maintenance(fleet, instance, now_ms, NULL, &window_ms))
            until_ms = min_i64(until_ms, window_ms);
    }
    return until_ms;
}
