/* What was stored of the watch, taken back at start, and written again where Redis has lost it. */
#include "core/watch.h"

#include "util/alloc.h"
#include "watch_private.h"
#include <stdlib.h>

static void limit(int64_t *time_ms, int64_t most_ms)
{
    if (*time_ms > most_ms)
        *time_ms = most_ms;
}

static int64_t longest_backoff_ms(const struct recovery_options *options)
{
    int64_t longest = 0;

    for (uint32_t i = 0; i < options->backoff_count; i++) {
        if (options->backoff_ms[i] > longest)
            longest = options->backoff_ms[i];
    }
    return longest + longest / 10;
}

void watch_load(struct fleet *fleet, struct instance *instance, const struct watch_record *record,
                int64_t now_ms)
{
    struct watched *watched = watched_get(fleet, instance);
    const char *reason = record->maintenance_reason;
    const struct recovery_options *options = &fleet->watch->options.recovery;

    free(watched->record.maintenance_reason);
    watched->record = *record;
    watched->record.maintenance_reason = reason ? mem_copy_text(reason, strlen(reason)) : NULL;
    /* By the clock of a server that was ahead they would last for ever. */
    if (watched->record.command.issued_ms > now_ms)
        watched->record.command.expires_ms -= watched->record.command.issued_ms - now_ms;
    limit(&watched->record.recovery.cooldown_until_ms, now_ms + options->cooldown_ms);
    limit(&watched->record.recovery.next_ms, now_ms + longest_backoff_ms(options));
    if (!record->command.is_open && record->recovery.phase == RECOVERY_UNDER_WAY)
        watched->record.recovery.phase = RECOVERY_NONE; /* nothing would ever end it */
    if (watched->record.recovery.phase == RECOVERY_UNDER_WAY)
        fleet->watch->under_way++;
    breaker_add_victim(&fleet->watch->breaker, instance, record->victim_of);
    if (record->crashed_ms > 0)
        breaker_load_crash(&fleet->watch->breaker, fleet, instance, record->crashed_ms);
    watch_wake(fleet, instance, now_ms);
}

void watch_load_alert(struct fleet *fleet, struct instance *instance, const struct alert *alert,
                      int64_t now_ms)
{
    struct watched *watched = watched_get(fleet, instance);
    const struct rule *rule = rule_set_find(&fleet->watch->options.rules, ident_slice(&alert->name));
    struct alert *loaded;

    for (uint32_t i = 0; i < watched->alert_count; i++) {
        if (slice_equal(ident_slice(&watched->alerts[i].name), ident_slice(&alert->name)))
            return;
    }
    if (watched->alert_count == watched->alert_cap) {
        watched->alert_cap = watched->alert_cap ? watched->alert_cap * 2 : 2;
        watched->alerts = mem_resize(watched->alerts, watched->alert_cap, sizeof(*watched->alerts));
    }
    loaded = &watched->alerts[watched->alert_count++];
    *loaded = *alert;
    loaded->rule =
        rule && rule->enabled ? (uint16_t)(rule - fleet->watch->options.rules.rules) : ALERT_NO_RULE;
    watch_wake(fleet, instance, now_ms);
}

void watch_load_used_numbers(struct fleet *fleet, uint64_t commands)
{
    if (commands > fleet->watch->used_numbers)
        fleet->watch->used_numbers = commands;
}

void watch_write_used_numbers(const struct fleet *fleet, struct sink *sink)
{
    struct watch_record record = {.commands = fleet->watch->used_numbers};

    sink->ops->watch_set(sink->ctx, slice_text(WATCH_REMOVED), &record);
}

void watch_load_notice(struct fleet *fleet, const struct notice *notice)
{
    if (!notices_find(&fleet->watch->notices, notice_key(notice)))
        (void)notices_add(&fleet->watch->notices, notice);
}

void watch_reserve_numbers(struct fleet *fleet, struct instance *instance, uint64_t number)
{
    uint64_t *used = instance ? &watched_get(fleet, instance)->record.commands : &fleet->watch->used_numbers;

    if (*used < number)
        *used = number;
}

/* An alert that fires for this notice. */
static bool has_alert(const struct fleet *fleet, const struct notice *notice)
{
    const struct instance *instance = fleet_find(fleet, ident_slice(&notice->instance_id));

    for (uint32_t i = 0; instance && instance->watched && i < instance->watched->alert_count; i++) {
        const struct alert *alert = &instance->watched->alerts[i];

        if (alert->status == ALERT_FIRING &&
            slice_equal(ident_slice(&alert->name), ident_slice(&notice->alert)))
            return true;
    }
    return false;
}

void watch_load_finish(struct fleet *fleet, int64_t now_ms)
{
    struct notices *notices = &fleet->watch->notices;
    struct instance *instance;
    struct notice *notice;

    /* What was told as firing, and has nothing behind it any more, has ended meanwhile: it is told so in the
     * first round. */
    for (uint32_t i = 0; (notice = notices_next(notices, i)); i = notices_place_of(notices, notice) + 1) {
        notice->is_orphan = notice->group[0] == '\0' && notice->ends_ms == 0 && !has_alert(fleet, notice);
    }
    fleet->watch->groups_changed = true;
    breaker_load_finish(&fleet->watch->breaker);
    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        if (instance->state == STATE_CRASHED || instance->recovery_attempts > 0)
            watch_wake(fleet, instance, now_ms);
    }
}

void watch_load_groups_begin(struct fleet *fleet)
{
    struct instance *instance;

    breaker_reset(&fleet->watch->breaker);
    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1)
        breaker_join(&fleet->watch->breaker, instance);
}

void watch_load_groups_finish(struct fleet *fleet)
{
    struct breaker *breaker = &fleet->watch->breaker;
    struct instance *instance;

    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1) {
        const struct watch_record *record = instance->watched ? &instance->watched->record : NULL;

        if (!record)
            continue;
        breaker_add_victim(breaker, instance, record->victim_of);
        if (record->crashed_ms > 0)
            breaker_load_crash(breaker, fleet, instance, record->crashed_ms);
    }
}

void watch_load_notice_again(struct fleet *fleet, struct slice key, const struct notice *notice)
{
    struct notices *notices = &fleet->watch->notices;
    struct notice *known = notices_find(notices, key);

    if (known)
        notices_remove(notices, known);
    if (notice)
        (void)notices_add(notices, notice);
}

void watch_write_back(struct fleet *fleet, struct instance *instance, struct sink *sink)
{
    const struct watched *watched = instance->watched;
    struct slice id = ident_slice(&instance->id);
    const struct rule_set *rules = &fleet->watch->options.rules;

    /* Redis may hold alerts that have ended since what it holds was written. */
    for (uint32_t i = 0; i < rules->count; i++)
        sink->ops->alert_unset(sink->ctx, id, ident_slice(&rules->rules[i].name));
    for (uint32_t i = 0; watched && i < watched->alert_count; i++)
        sink->ops->alert_set(sink->ctx, id, &watched->alerts[i]);
    if (watched)
        sink->ops->watch_set(sink->ctx, id, &watched->record);
    else
        sink->ops->watch_unset(sink->ctx, id);
    sink->ops->throttled_set(sink->ctx, id, watched && watched->record.is_throttled);
}
