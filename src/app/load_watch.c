/* Reading what watches over instances. Its hashes are read ahead of the instances, since an instance that was
 * changed by others meanwhile is judged as soon as it is known: with its alerts, or they would begin again.
 */
#include "adapters/log.h"
#include "app/daemon.h"
#include "codec/keys.h"
#include "codec/watch_record.h"
#include "load_private.h"
#include "util/alloc.h"
#include <stdlib.h>

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct load_ids *ids = owner;
    return ident_slice(&ids->stored[index].id);
}

void load_watch_init(struct load_ids *ids)
{
    map_init(&ids->stored_map, hash_key_random(), key_of, ids);
}

void load_watch_clear(struct load_ids *ids)
{
    free(ids->stored);
    ids->stored = NULL;
    ids->stored_count = ids->stored_cap = 0;
    map_clear(&ids->stored_map);
    load_watch_init(ids);
    buf_clear(&ids->text);
}

static struct slice text_of(const struct load_ids *ids, size_t at, size_t len)
{
    return slice_of(ids->text.data + at, len);
}

static bool is_kept(const struct load_ids *ids, uint32_t first, bool is_alert, struct slice field)
{
    for (uint32_t i = first; i != MAP_NONE; i = ids->stored[i].next)
        if (ids->stored[i].is_alert == is_alert &&
            slice_equal(text_of(ids, ids->stored[i].field, ids->stored[i].field_len), field))
            return true;
    return false;
}

/* Keeps a field for its instance, once. The map finds the first of them; the others hang on it. */
void load_watch_keep(struct load_ids *ids, struct slice id, bool is_alert, struct slice field,
                     struct slice value)
{
    uint32_t first = map_find(&ids->stored_map, id);
    if (is_kept(ids, first, is_alert, field))
        return;
    if (ids->stored_count == ids->stored_cap) {
        ids->stored_cap = ids->stored_cap ? ids->stored_cap * 2 : 64;
        ids->stored = mem_resize(ids->stored, ids->stored_cap, sizeof *ids->stored);
    }
    uint32_t index = ids->stored_count++;
    struct load_stored *stored = &ids->stored[index];
    *stored = (struct load_stored){.is_alert = is_alert, .next = MAP_NONE};
    ident_set(&stored->id, id);
    stored->field = ids->text.len;
    stored->field_len = field.len;
    buf_add_slice(&ids->text, field);
    stored->value = ids->text.len;
    stored->value_len = value.len;
    buf_add_slice(&ids->text, value);
    if (first == MAP_NONE) {
        map_insert(&ids->stored_map, index);
    } else {
        stored->next = ids->stored[first].next;
        ids->stored[first].next = index;
    }
}

static void tell_bad(struct load *load, const char *key, struct slice field)
{
    LOG_LIMITED(load->d->log, WARN, slice_text(key), "a field of ours cannot be read; it is ignored",
                log_text("key", key), log_slice("field", field));
}

static void take_used_numbers(struct load *load, struct slice value)
{
    struct watch_record_scratch scratch;
    struct watch_record record;
    if (watch_record_parse(slice_text("removed"), value, &scratch, &record))
        watch_load_used_numbers(&load->d->fleet, record.commands);
    else
        tell_bad(load, KEY_WATCH, slice_text(WATCH_REMOVED));
}

static void on_watch(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct slice field = load_text(reply->element[i]), value = load_text(reply->element[i + 1]);
        if (slice_is(field, WATCH_REMOVED))
            take_used_numbers(load, value);
        else if (ident_is_valid(field, IDENT_MAX))
            load_watch_keep(load->ids, field, false, field, value);
    }
}

static void on_alerts(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct slice field = load_text(reply->element[i]), value = load_text(reply->element[i + 1]), id, rule;
        if (alert_field_parse(field, &id, &rule))
            load_watch_keep(load->ids, id, true, field, value);
    }
}

static void on_notices(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct slice field = load_text(reply->element[i]);
        struct notice notice;
        if (notice_record_parse(field, load_text(reply->element[i + 1]), &notice))
            watch_load_notice(&load->d->fleet, &notice);
        else
            tell_bad(load, KEY_NOTICES, field);
    }
}

static void on_breaker(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct slice field = load_text(reply->element[i]);
        struct breaker_group group;
        if (breaker_record_parse(field, load_text(reply->element[i + 1]), &group))
            breaker_load(&load->d->fleet.watch->breaker, breaker_group_key(&group), group.opened_ms,
                         group.crashed, group.of);
        else
            tell_bad(load, KEY_BREAKER, field);
    }
}

static void on_removed(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    if (reply->type == REDIS_REPLY_STRING)
        take_used_numbers(load, load_text(reply));
}

void load_watch_shared(struct load *load)
{
    struct slice removed[] = {slice_text("HGET"), slice_text(KEY_WATCH), slice_text(WATCH_REMOVED)};
    struct slice groups[] = {slice_text("HGETALL"), slice_text(KEY_BREAKER)};
    uint64_t generation = load->generation;
    load_send(load, removed, ARRAY_LEN(removed), on_removed, 0, removed[1]);
    if (load->generation == generation)
        load_send(load, groups, ARRAY_LEN(groups), on_breaker, 0, groups[1]);
}

void load_watch(struct load *load)
{
    static const struct {
        const char *key;
        void (*fn)(struct load *load, const redisReply *reply, int arg);
    } hashes[] = {
        {KEY_WATCH, on_watch}, {KEY_ALERTS, on_alerts}, {KEY_NOTICES, on_notices}, {KEY_BREAKER, on_breaker}};
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        uint64_t generation = load->generation;
        load_walk(load, "HSCAN", slice_text(hashes[i].key), hashes[i].fn, 0);
        if (generation != load->generation)
            return;
    }
}

static void take(struct load *load, struct instance *instance, struct load_stored *stored)
{
    struct daemon *d = load->d;
    struct slice field = text_of(load->ids, stored->field, stored->field_len), id;
    struct slice value = text_of(load->ids, stored->value, stored->value_len);
    struct watch_record_scratch scratch;
    struct watch_record record;
    struct alert alert;
    bool is_good = stored->is_alert ? alert_record_parse(field, value, &id, &alert)
                                    : watch_record_parse(field, value, &scratch, &record);
    stored->is_taken = is_good;
    if (!is_good && !stored->is_alert) /* each command is an event at least */
        watch_reserve_numbers(&d->fleet, instance, instance->seq);
    if (!is_good)
        tell_bad(load, stored->is_alert ? KEY_ALERTS : KEY_WATCH, field);
    else if (stored->is_alert)
        watch_load_alert(&d->fleet, instance, &alert, daemon_now_ms(d));
    else
        watch_load(&d->fleet, instance, &record, daemon_now_ms(d));
}

void load_watch_take(struct load *load, struct instance *instance)
{
    struct load_ids *ids = load->ids;
    for (uint32_t i = map_find(&ids->stored_map, ident_slice(&instance->id)); i != MAP_NONE;
         i = ids->stored[i].next)
        if (!ids->stored[i].is_taken)
            take(load, instance, &ids->stored[i]);
}

/* Of one that is not known: it may come back, and its agent knows what it has done. */
static void reserve_numbers(struct load *load, const struct load_stored *stored)
{
    struct watch_record_scratch scratch;
    struct watch_record record;
    if (watch_record_parse(text_of(load->ids, stored->field, stored->field_len),
                           text_of(load->ids, stored->value, stored->value_len), &scratch, &record))
        watch_reserve_numbers(&load->d->fleet, NULL, record.commands);
}

/* Nobody's: the instance went while nobody was there, or the text is not ours. */
static void remove_rest(struct load *load)
{
    struct daemon *d = load->d;
    struct sink *sink = commit_sink(&d->commit);
    struct cause cause = {CAUSE_RECONCILE, {(uint64_t)daemon_now_ms(d), d->fleet.timers++}};
    uint64_t used = d->fleet.watch->used_numbers;
    sink->ops->begin(sink->ctx, &cause);
    for (uint32_t i = 0; i < load->ids->stored_count; i++) {
        const struct load_stored *stored = &load->ids->stored[i];
        struct slice field = text_of(load->ids, stored->field, stored->field_len), id, rule;
        if (stored->is_taken)
            continue;
        if (!stored->is_alert)
            reserve_numbers(load, stored);
        if (follow_blocked(&d->follow, ident_slice(&stored->id)).len)
            continue;
        if (!stored->is_alert)
            sink->ops->watch_unset(sink->ctx, field);
        else if (alert_field_parse(field, &id, &rule))
            sink->ops->alert_unset(sink->ctx, id, rule);
    }
    if (d->fleet.watch->used_numbers > used)
        watch_write_used_numbers(&d->fleet, sink);
}

/* Those who are set aside have their alerts in Redis: nothing of them has ended by that. */
static void keep_notices_of_blocked(struct daemon *d)
{
    struct notices *notices = &d->fleet.watch->notices;
    struct notice *notice;
    for (uint32_t i = 0; (notice = notices_next(notices, i)); i = notices_place_of(notices, notice) + 1)
        if (notice->is_orphan && follow_blocked(&d->follow, ident_slice(&notice->instance_id)).len)
            notice->is_orphan = false;
}

void load_watch_finish(struct load *load)
{
    watch_load_finish(&load->d->fleet, daemon_now_ms(load->d));
    keep_notices_of_blocked(load->d);
    remove_rest(load);
}
