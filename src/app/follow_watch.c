#include "app/follow_watch.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "codec/keys.h"
#include "util/alloc.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>

/* Two questions, one behind the other: the record, then its alerts. */
struct reading {
    struct daemon *d;
    uint64_t generation; /* of the reconciler: an answer from before a reset is of no use */
    struct ident id;
    struct stored_watch *stored;
};

void stored_watch_free(struct stored_watch *stored)
{
    if (stored)
        free(stored->alerts);
    free(stored);
}

/* IS_READ: else the next look asks again. */
static void finish(struct reading *reading, bool is_read)
{
    struct daemon *d = reading->d;
    is_read = is_read && reading->generation == d->reconcile.generation;
    if (!is_read) {
        stored_watch_free(reading->stored);
        reading->stored = NULL;
    }
    follow_take_watch(&d->follow, ident_slice(&reading->id), reading->stored);
    free(reading);
}

static void on_alerts(void *ctx, void *object)
{
    struct reading *reading = ctx;
    struct stored_watch *stored = reading->stored;
    const redisReply *reply = object;
    const struct rule_set *rules = &reading->d->fleet.watch->options.rules;
    /* Where the key holds something foreign, nothing is stored: the next batch moves that aside. */
    size_t count = reply && reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
    stored->alerts = mem_new(count + 1, sizeof *stored->alerts);
    for (size_t i = 0; i < count && i < rules->count; i++) {
        const redisReply *value = reply->element[i];
        char field[ALERT_FIELD_MAX];
        size_t len = alert_field_format(field, ident_slice(&reading->id), ident_slice(&rules->rules[i].name));
        struct slice id;
        if (value->type == REDIS_REPLY_STRING &&
            alert_record_parse(slice_of(field, len), slice_of(value->str, value->len), &id,
                               &stored->alerts[stored->alert_count]))
            stored->alert_count++;
    }
    finish(reading, reply != NULL);
}

/* One field for each rule; false where it cannot be sent. */
static bool ask_alerts(struct reading *reading)
{
    const struct rule_set *rules = &reading->d->fleet.watch->options.rules;
    struct slice *words = mem_new(rules->count + 2, sizeof *words);
    char(*fields)[ALERT_FIELD_MAX] = mem_new(rules->count + 1, sizeof *fields);
    words[0] = slice_text("HMGET");
    words[1] = slice_text(KEY_ALERTS);
    for (uint32_t i = 0; i < rules->count; i++)
        words[i + 2] = slice_of(fields[i], alert_field_format(fields[i], ident_slice(&reading->id),
                                                              ident_slice(&rules->rules[i].name)));
    bool is_sent = redis_link_command(reading->d->link, words, rules->count + 2, 0, on_alerts, reading) == 0;
    free(fields);
    free(words);
    return is_sent;
}

static void on_record(void *ctx, void *object)
{
    struct reading *reading = ctx;
    struct stored_watch *stored = reading->stored;
    const redisReply *reply = object;
    if (reply && reply->type == REDIS_REPLY_STRING)
        stored->has_record = watch_record_parse(ident_slice(&reading->id), slice_of(reply->str, reply->len),
                                                &stored->scratch, &stored->record);
    bool has_rules = reading->d->fleet.watch->options.rules.count > 0;
    if (!reply || !has_rules || !ask_alerts(reading))
        finish(reading, reply && !has_rules);
}

bool stored_watch_read(struct daemon *d, struct slice id)
{
    struct slice words[] = {slice_text("HGET"), slice_text(KEY_WATCH), id};
    struct reading *reading = mem_new(1, sizeof *reading);
    *reading = (struct reading){
        .d = d, .generation = d->reconcile.generation, .stored = mem_new(1, sizeof *reading->stored)};
    ident_set(&reading->id, id);
    if (redis_link_command(d->link, words, ARRAY_LEN(words), 0, on_record, reading) == 0)
        return true;
    stored_watch_free(reading->stored);
    free(reading);
    return false;
}

void stored_watch_load(struct daemon *d, struct instance *instance, struct follow_blocked *blocked)
{
    const struct stored_watch *stored = blocked->watch;
    struct watched *kept = blocked->kept ? blocked->kept->watched : NULL;
    int64_t now_ms = daemon_now_ms(d);
    if (stored->has_record)
        watch_load(&d->fleet, instance, &stored->record, now_ms);
    for (uint32_t i = 0; i < stored->alert_count; i++)
        watch_load_alert(&d->fleet, instance, &stored->alerts[i], now_ms);
    if (kept && instance->watched && instance->watched->why.count == 0) {
        struct why none = instance->watched->why;
        instance->watched->why = kept->why;
        kept->why = none;
        d->fleet.watch->steps += instance->watched->why.count;
        d->fleet.watch->why_bytes += instance->watched->why.bytes;
    }
}

static void end_notice(struct daemon *d, struct notice *notice, uint64_t seq, const struct cause *cause,
                       struct sink *sink)
{
    struct event event = {.kind = EVENT_ALERT_RESOLVED,
                          .instance_id = ident_slice(&notice->instance_id),
                          .seq = seq,
                          .at_ms = daemon_now_ms(d),
                          .alert = ident_slice(&notice->alert),
                          .reason = slice_text("the instance is gone"),
                          .cause = *cause};
    notice->ends_ms = event.at_ms;
    notice->hook_is_due = d->fleet.watch->options.has_notify_hook;
    notices_touch(&d->fleet.watch->notices, notice);
    d->fleet.watch->stats.resolved++;
    sink->ops->notice_set(sink->ctx, notice);
    sink->ops->notify(sink->ctx, notice, &event);
}

static void end_notices(struct daemon *d, struct slice id, uint64_t seq, const struct cause *cause,
                        struct sink *sink)
{
    struct notices *notices = &d->fleet.watch->notices;
    struct notice *notice;
    for (uint32_t i = 0; (notice = notices_next(notices, i)); i = notices_place_of(notices, notice) + 1)
        if (!notice->group[0] && !notice->ends_ms && slice_equal(ident_slice(&notice->instance_id), id))
            end_notice(d, notice, seq, cause, sink);
}

/* Should it be registered again, its agent must not take a new command for one of before. */
static void keep_used_numbers(struct daemon *d, const struct watch_record *record, struct sink *sink)
{
    watch_load_used_numbers(&d->fleet, record->commands);
    struct watch_record removed = {.commands = d->fleet.watch->used_numbers};
    if (removed.commands)
        sink->ops->watch_set(sink->ctx, slice_text(WATCH_REMOVED), &removed);
}

/* Of its alerts and commands there is no event: Redis knows nothing of the instance any more, so nobody could
 * tell what they belong to. */
void blocked_watch_end(struct daemon *d, const struct follow_blocked *blocked)
{
    const struct watched *watched = blocked->kept ? blocked->kept->watched : NULL;
    const struct stored_watch *stored = blocked->watch;
    const struct watch_record *record = watched                        ? &watched->record
                                        : stored && stored->has_record ? &stored->record
                                                                       : NULL;
    const struct alert *alerts = watched ? watched->alerts : stored ? stored->alerts : NULL;
    uint32_t alert_count = watched ? watched->alert_count : stored ? stored->alert_count : 0;
    struct slice id = ident_slice(&blocked->id);
    struct sink *sink = commit_sink(&d->commit);
    struct cause cause = {CAUSE_RECONCILE, {(uint64_t)daemon_now_ms(d), d->fleet.timers++}};
    sink->ops->begin(sink->ctx, &cause);
    end_notices(d, id, blocked->kept ? blocked->kept->seq : 0, &cause, sink);
    for (uint32_t i = 0; i < alert_count; i++)
        sink->ops->alert_unset(sink->ctx, id, ident_slice(&alerts[i].name));
    if (!record)
        return;
    if (record->is_throttled)
        sink->ops->throttled_set(sink->ctx, id, false);
    sink->ops->watch_unset(sink->ctx, id);
    keep_used_numbers(d, record, sink);
}
