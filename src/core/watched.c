/* The instances that are watched: made when there is first something to watch, kept with when they are to be
 * looked at. */
#include "core/watch.h"

#include "util/alloc.h"
#include "watch_private.h"
#include <stdlib.h>

static int64_t due_of(const void *owner, uint32_t index)
{
    const struct fleet *fleet = owner;

    return fleet->slots[index].watched->due_ms;
}

static uint32_t *place_of(const void *owner, uint32_t index)
{
    const struct fleet *fleet = owner;

    return &fleet->slots[index].watched->due_place;
}

struct watch *watch_new(struct fleet *fleet, struct hash_key key)
{
    struct watch *watch = mem_new(1, sizeof(*watch));

    watch->options.recovery.backoff_count = 1;
    watch->wait_head = watch->wait_tail = MAP_NONE;
    watch->held_ms = INT64_MIN;
    watch->random = key.k0 | 1;
    breaker_init(&watch->breaker, key);
    notices_init(&watch->notices, key);
    heap_init(&watch->due, due_of, place_of, fleet);
    return watch;
}

void watch_free(struct watch *watch)
{
    breaker_clear(&watch->breaker);
    notices_clear(&watch->notices);
    heap_clear(&watch->due);
    why_words_clear(&watch->words);
    free(watch);
}

void watch_reset(struct watch *watch)
{
    breaker_reset(&watch->breaker);
    notices_reset(&watch->notices);
    watch->used_numbers = 0;
    watch->under_way = 0;
    watch->wait_head = watch->wait_tail = MAP_NONE;
}

struct watched *watched_get(struct fleet *fleet, struct instance *instance)
{
    struct watched *watched = instance->watched;

    if (watched)
        return watched;
    watched = mem_new(1, sizeof(*watched));
    watched->due_ms = INT64_MAX;
    watched->due_place = HEAP_NONE;
    watched->named_ms = watched->maintenance_over_ms = INT64_MIN;
    watched->record.recovery.cooldown_until_ms = 0;
    watched->record.commands = fleet->watch->used_numbers;
    watched->why.words = &fleet->watch->words;
    instance->watched = watched;
    return watched;
}

struct watched *watch_detach(struct fleet *fleet, struct instance *instance)
{
    struct watched *watched = instance->watched;

    if (!watched)
        return NULL;
    if (watched->record.recovery.phase == RECOVERY_UNDER_WAY)
        fleet->watch->under_way--;
    recovery_leave_queue(fleet, instance);
    recovery_wake_queue(fleet); /* it may have been its turn */
    heap_remove(&fleet->watch->due, fleet_index_of(fleet, instance));
    fleet->watch->steps -= watched->why.count;
    fleet->watch->why_bytes -= watched->why.bytes;
    instance->watched = NULL;
    return watched;
}

void watched_discard(struct watched *watched)
{
    if (!watched)
        return;
    why_clear(&watched->why);
    free(watched->alerts);
    free(watched->record.maintenance_reason);
    free(watched);
}

void watched_free(struct fleet *fleet, struct instance *instance)
{
    watched_discard(watch_detach(fleet, instance));
}

static void shift(int64_t *time_ms, int64_t delta_ms)
{
    if (*time_ms > 0 && *time_ms < INT64_MAX)
        *time_ms += delta_ms;
}

void watched_shift(struct fleet *fleet, struct instance *instance, int64_t delta_ms)
{
    struct watched *watched = instance->watched;
    struct watch_record *record = &watched->record;
    int64_t *const times[] = {&record->command.issued_ms,
                              &record->command.expires_ms,
                              &record->cancel_hook.issued_ms,
                              &record->recovery.next_ms,
                              &record->recovery.cooldown_until_ms,
                              &record->maintenance_until_ms,
                              &watched->stable_from_ms,
                              &watched->named_ms,
                              &record->owed.expires_ms,
                              &watched->judged_ms,
                              &watched->maintenance_over_ms,
                              &watched->due_ms};

    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        shift(times[i], delta_ms);
    for (uint32_t i = 0; i < watched->alert_count; i++) {
        shift(&watched->alerts[i].since_ms, delta_ms);
        shift(&watched->alerts[i].fired_ms, delta_ms);
        shift(&watched->alerts[i].cleared_ms, delta_ms);
        shift(&watched->alerts[i].next_ms, delta_ms);
    }
    if (watched->due_place != HEAP_NONE)
        heap_put(&fleet->watch->due, fleet_index_of(fleet, instance));
}

void watched_set_due(struct fleet *fleet, struct instance *instance, int64_t at_ms)
{
    uint32_t index = fleet_index_of(fleet, instance);

    instance->watched->due_ms = at_ms;
    if (at_ms == INT64_MAX)
        heap_remove(&fleet->watch->due, index);
    else
        heap_put(&fleet->watch->due, index);
}

void watch_wake(struct fleet *fleet, struct instance *instance, int64_t at_ms)
{
    struct watched *watched = watched_get(fleet, instance);

    watched->wants_round = true;
    if (at_ms < watched->due_ms)
        watched_set_due(fleet, instance, at_ms);
}

void watch_touch(struct fleet *fleet, struct instance *instance, int64_t at_ms)
{
    if (fleet->watch->looks_at_trades)
        watch_wake(fleet, instance, at_ms);
}

/* What a restart must know to go on waiting for the victims of open groups. */
void watched_follow_victims(struct instance *instance)
{
    struct watched *watched = instance->watched;

    if (watched->record.victim_of == instance->member.victim_of)
        return;
    watched->record.victim_of = instance->member.victim_of;
    watched->is_dirty = true;
}

void watched_follow_crash(struct instance *instance)
{
    struct watch_record *record = &instance->watched->record;
    int64_t crashed_ms = instance->member.is_recent ? instance->member.crashed_ms : 0;

    if (record->crashed_ms == crashed_ms)
        return;
    record->crashed_ms = crashed_ms;
    instance->watched->is_dirty = true;
}

/* Everybody who has anything going on is looked at, once reports have been read up to AT_MS. */
void watch_wake_group(struct fleet *fleet, int64_t at_ms)
{
    struct instance *instance;

    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        struct watched *watched = instance->watched;

        if (!watched && !instance->member.victim_of)
            continue;
        watch_wake(fleet, instance, at_ms);
        watched_follow_victims(instance);
    }
}

void watched_write(struct instance *instance, struct sink *sink)
{
    struct watched *watched = instance->watched;

    if (!watched->is_dirty)
        return;
    watched->is_dirty = false;
    sink->ops->watch_set(sink->ctx, ident_slice(&instance->id), &watched->record);
}

void watch_write_group(struct fleet *fleet, struct sink *sink)
{
    struct instance *instance;

    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        if (instance->watched)
            watched_write(instance, sink);
    }
}

void watch_step(const struct change *change, const struct why_step *step)
{
    struct watched *watched = watched_get(change->fleet, change->instance);
    uint32_t before = watched->why.count, bytes = watched->why.bytes;

    why_add(&watched->why, step);
    change->fleet->watch->steps += watched->why.count - before;
    change->fleet->watch->why_bytes += (uint64_t)watched->why.bytes - bytes;
}

void watch_tell_given_up(const struct change *change, enum command_kind command, const struct alert *alert,
                         uint32_t tries)
{
    const struct watch *watch = change->fleet->watch;

    if (watch->on_given_up)
        watch->on_given_up(watch->ctx, change->instance, command, alert, tries);
}

void watch_emit(const struct change *change, struct event event)
{
    event.instance_id = ident_slice(&change->instance->id);
    event.seq = ++change->instance->seq;
    event.at_ms = change->at_ms;
    change->sink->ops->event(change->sink->ctx, &event);
}
