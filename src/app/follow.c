#include "app/follow.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "app/follow_watch.h"
#include "app/look.h"
#include "codec/batch.h"
#include "codec/keys.h"
#include "util/alloc.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

/* How long to gather before looking: several writes of one agent are one look. */
#define GATHER_MS 50
/* How often blocked instances are looked at. */
#define BLOCKED_MS  1000
#define BLOCKED_MAX 10000
#define DIRTY_MAX   100000
/* Hashes of an instance, each with a pattern of its own. */
#define PATTERNS 3

static void on_up(void *ctx);
static void on_down(void *ctx, const char *reason, bool was_up);
static void on_push(void *ctx, const struct redisReply *message);
static void on_timer(void *ctx);
static void free_blocked(struct follow_blocked *b);

static struct slice blocked_id(const void *owner, uint32_t index)
{
    const struct follow *f = owner;
    return ident_slice(&f->blocked[index].id);
}

void follow_init(struct follow *f, struct daemon *d)
{
    *f = (struct follow){.d = d};
    struct redis_link_options options;
    daemon_link_options(d, "mt5stated-notify", &options);
    struct redis_link_events events = {on_up, on_down, on_push};
    f->link = redis_link_new(d->loop, &options, &events, f);
    f->timer = loop_timer_new(d->loop, on_timer, f);
    id_queue_init(&f->dirty);
    map_init(&f->blocked_map, hash_key_random(), blocked_id, f);
}

void follow_clear(struct follow *f)
{
    follow_reset(f);
    redis_link_free(f->link);
    loop_timer_free(f->timer);
    id_queue_clear(&f->dirty);
    map_clear(&f->blocked_map);
    free(f->blocked);
}

void follow_reset(struct follow *f)
{
    id_queue_reset(&f->dirty);
    for (uint32_t i = 0; i < f->blocked_count; i++)
        free_blocked(&f->blocked[i]);
    map_reset(&f->blocked_map);
    f->blocked_count = 0;
}

void follow_expect_nothing(struct follow *f)
{
    for (struct instance *i = fleet_next(&f->d->fleet, 0); i;
         i = fleet_next(&f->d->fleet, fleet_index_of(&f->d->fleet, i) + 1))
        i->own_writes = 0;
}

static void on_up(void *ctx)
{
    struct follow *f = ctx;
    daemon_hurry_links(f->d);
    char patterns[PATTERNS][64];
    struct slice words[PATTERNS + 1] = {slice_text("PSUBSCRIBE")};
    for (int k = 0; k < PATTERNS; k++) {
        int n = snprintf(patterns[k], sizeof patterns[k], "__keyspace@%d__:%s*", f->d->config->redis.db,
                         key_record_prefix((enum record_kind)k));
        words[k + 1] = slice_of(patterns[k], (size_t)n);
    }
    follow_expect_nothing(f);
    f->hearing = redis_link_subscribe(f->link, words, ARRAY_LEN(words)) == 0;
}

static void on_down(void *ctx, const char *reason, bool was_up)
{
    struct follow *f = ctx;
    f->hearing = false;
    if (was_up)
        LOG_LIMITED(f->d->log, WARN, slice_text("notify"), "redis link for notifications lost",
                    log_text("reason", reason));
}

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

/* [psubscribe, pattern, 3]: from here on every write is heard, and those before may have been missed. */
static bool is_last_confirmation(const redisReply *m)
{
    return m->type == REDIS_REPLY_ARRAY && m->elements == 3 && is_text(m->element[0]) &&
           strcmp(m->element[0]->str, "psubscribe") == 0 && m->element[2]->type == REDIS_REPLY_INTEGER &&
           m->element[2]->integer == PATTERNS;
}

/* [pmessage, pattern, __keyspace@0__:instance:mt5-1, hset] */
static void on_push(void *ctx, const struct redisReply *m)
{
    struct follow *f = ctx;
    if (m->type == REDIS_REPLY_ERROR) {
        LOG_LIMITED(f->d->log, WARN, slice_text("subscribe"),
                    "notifications are refused; writes by others are found by reconciling",
                    log_slice("error", slice_of(m->str, m->len)));
        return;
    }
    if (is_last_confirmation(m)) {
        reconcile_soon(&f->d->reconcile);
        return;
    }
    if (m->type != REDIS_REPLY_ARRAY || m->elements != 4 || !is_text(m->element[2]) ||
        !is_text(m->element[3]))
        return;
    struct slice channel = slice_of(m->element[2]->str, m->element[2]->len);
    const char *colon = memchr(channel.data, ':', channel.len);
    if (!colon)
        return;
    struct slice key = slice_of(colon + 1, channel.len - (size_t)(colon + 1 - channel.data));
    enum record_kind kind;
    struct slice id;
    if (!key_parse_record(key, &kind, &id) || kind == RECORD_TRADE)
        return;
    f->heard++;
    struct instance *instance = fleet_find(&f->d->fleet, id);
    if (instance && instance->own_writes &&
        slice_is(slice_of(m->element[3]->str, m->element[3]->len), "hset")) {
        instance->own_writes--;
        return;
    }
    f->foreign++;
    if (instance && f->d->config->instances.adopt_external_writes)
        fleet_on_heartbeat(&f->d->fleet, id, daemon_now_ms(f->d));
    follow_mark(f, id);
}

void follow_expect(struct follow *f, const struct batch *batch)
{
    if (!f->hearing)
        return;
    for (uint32_t i = 0; i < batch->key_count; i++) {
        enum record_kind kind;
        struct slice id;
        const struct batch_key *key = &batch->keys[i];
        if (!key->is_record || !key->writes ||
            !key_parse_record(slice_of(batch->key_text.data + key->offset, key->len), &kind, &id) ||
            kind == RECORD_TRADE)
            continue;
        struct instance *instance = fleet_find(&f->d->fleet, id);
        if (instance)
            instance->own_writes += key->writes;
    }
}

void follow_mark(struct follow *f, struct slice id)
{
    if (id_queue_add(&f->dirty, id, DIRTY_MAX) && !loop_timer_is_set(f->timer))
        loop_timer_set(f->timer, GATHER_MS);
}

static void on_config_set(void *ctx, void *object)
{
    struct follow *f = ctx;
    const redisReply *reply = object;
    if (!reply)
        return;
    if (reply->type != REDIS_REPLY_ERROR) { /* nobody told until now */
        reconcile_soon(&f->d->reconcile);
        return;
    }
    f->hearing = false; /* subscribed, but nobody tells */
    follow_expect_nothing(f);
    if (f->refused_told)
        return;
    f->refused_told = true;
    LOG(f->d->log, WARN,
        "redis does not let its keyspace notifications be switched on; writes by others are found by "
        "reconciling",
        log_slice("error", slice_of(reply->str, reply->len)));
}

/* Adds the classes that are needed to those that are on: K (by key), g (DEL, RENAME), h (hashes), x
 * (expired), e (evicted). */
static void on_config_get(void *ctx, void *object)
{
    struct follow *f = ctx;
    const redisReply *reply = object;
    if (!reply)
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 || !is_text(reply->element[1])) {
        on_config_set(f, object);
        return;
    }
    char flags[64];
    (void)snprintf(flags, sizeof flags, "%s", reply->element[1]->str);
    bool all = strchr(flags, 'A') != NULL, changed = false;
    for (const char *need = "Kghxe"; *need; need++) {
        size_t len = strlen(flags);
        if (strchr(flags, *need) || (all && *need != 'K') || len + 1 >= sizeof flags)
            continue;
        flags[len] = *need;
        flags[len + 1] = '\0';
        changed = true;
    }
    if (!changed)
        return;
    struct slice words[] = {slice_text("CONFIG"), slice_text("SET"), slice_text("notify-keyspace-events"),
                            slice_text(flags)};
    (void)redis_link_command(f->d->link, words, ARRAY_LEN(words), 0, on_config_set,
                             f); /* at the next start otherwise */
}

static void listen(struct follow *f)
{
    if (!f->is_caught_up || !f->d->config->instances.adopt_external_writes)
        return;
    redis_link_start(f->link);
    struct slice words[] = {slice_text("CONFIG"), slice_text("GET"), slice_text("notify-keyspace-events")};
    (void)redis_link_command(f->d->link, words, ARRAY_LEN(words), 0, on_config_get,
                             f); /* at the next start otherwise */
}

void follow_go_on(struct follow *f)
{
    if (f->blocked_count || f->dirty.count)
        loop_timer_set(f->timer, GATHER_MS);
    listen(f);
}

void follow_on_caught_up(struct follow *f)
{
    if (f->is_caught_up)
        return;
    f->is_caught_up = true;
    listen(f);
}

static void on_timer(void *ctx)
{
    struct follow *f = ctx;
    if (!lead_is_active(&f->d->lead))
        return;
    for (uint32_t i = 0; i < f->blocked_count; i++)
        reconcile_look(&f->d->reconcile, ident_slice(&f->blocked[i].id));
    for (uint32_t i = 0; i < f->dirty.count; i++)
        reconcile_look(&f->d->reconcile, ident_slice(&f->dirty.ids[i]));
    id_queue_reset(&f->dirty);
    if (f->blocked_count)
        loop_timer_set(f->timer, BLOCKED_MS);
}

static uint32_t find_blocked(const struct follow *f, struct slice id)
{
    return f->blocked_count ? map_find(&f->blocked_map, id) : MAP_NONE;
}

/* Takes the entry out; the last one takes its place. */
static struct follow_blocked take_blocked(struct follow *f, uint32_t i)
{
    struct follow_blocked taken = f->blocked[i];
    uint32_t last = f->blocked_count - 1;
    (void)map_remove(&f->blocked_map, i); /* every entry is in it */
    if (i != last) {
        (void)map_remove(&f->blocked_map, last);
        f->blocked[i] = f->blocked[last];
        map_insert(&f->blocked_map, i);
    }
    f->blocked_count = last;
    return taken;
}

static struct instance *keep(struct fleet *fleet, struct instance *instance)
{
    struct instance *kept = mem_new(1, sizeof *kept);
    struct watched *watched = watch_detach(fleet, instance);
    *kept = *instance;
    kept->watched = watched;
    if (instance->last_error)
        kept->last_error = mem_copy_text(instance->last_error, strlen(instance->last_error));
    return kept;
}

static void free_blocked(struct follow_blocked *b)
{
    if (b->kept) {
        free(b->kept->last_error);
        watched_discard(b->kept->watched);
    }
    free(b->kept);
    stored_watch_free(b->watch);
    free(b->reason);
}

void follow_block(struct follow *f, struct slice id, struct slice reason)
{
    struct instance *instance = fleet_find(&f->d->fleet, id);
    if (find_blocked(f, id) == MAP_NONE && f->blocked_count < BLOCKED_MAX) {
        if (f->blocked_count == f->blocked_cap) {
            f->blocked_cap = f->blocked_cap ? f->blocked_cap * 2 : 16;
            f->blocked = mem_resize(f->blocked, f->blocked_cap, sizeof *f->blocked);
        }
        struct follow_blocked *b = &f->blocked[f->blocked_count++];
        ident_set(&b->id, id);
        b->reason = mem_copy_text(reason.data, reason.len);
        b->kept = instance ? keep(&f->d->fleet, instance) : NULL;
        b->watch = NULL;
        b->is_reading = false;
        map_insert(&f->blocked_map, f->blocked_count - 1);
        LOG(f->d->log, WARN, "a record cannot be stored; the instance is set aside until it can",
            log_slice("instance_id", id), log_slice("reason", reason));
    }
    if (instance)
        fleet_forget(&f->d->fleet, instance);
    if (!loop_timer_is_set(f->timer))
        loop_timer_set(f->timer, BLOCKED_MS);
}

struct slice follow_blocked(const struct follow *f, struct slice id)
{
    uint32_t i = find_blocked(f, id);
    return i == MAP_NONE ? slice_of("", 0) : slice_text(f->blocked[i].reason);
}

void follow_take_watch(struct follow *f, struct slice id, struct stored_watch *watch)
{
    uint32_t i = find_blocked(f, id);
    if (i == MAP_NONE) {
        stored_watch_free(watch);
        return;
    }
    struct follow_blocked *b = &f->blocked[i];
    b->is_reading = false;
    if (!watch)
        return;
    stored_watch_free(b->watch);
    b->watch = watch;
    reconcile_look(&f->d->reconcile, id);
}

/* Without its alerts they would begin again. What was kept has been changed by what was rejected, and the
 * stored is as told. */
static bool has_watch(struct follow *f, struct follow_blocked *b)
{
    if (!b->watch && !b->is_reading)
        b->is_reading = stored_watch_read(f->d, ident_slice(&b->id));
    return b->watch;
}

bool follow_unblock(struct follow *f, const struct looked *looked)
{
    struct daemon *d = f->d;
    uint32_t i = find_blocked(f, looked->id);
    if (i == MAP_NONE)
        return true;
    if (!has_watch(f, &f->blocked[i]))
        return false;
    struct follow_blocked b = take_blocked(f, i);
    int64_t now_ms = daemon_now_ms(d);
    enum instance_state indexed = looked_index_state(looked);
    bool back = fleet_load(&d->fleet, looked->id, &looked->record, indexed, looked->seq, now_ms);
    bool was_lost = !back && b.kept && (looked->seq || indexed != STATE_NONE); /* it had been stored before */
    if (was_lost) {
        struct instance_record record;
        instance_record_of(b.kept, &record);
        back = fleet_load(&d->fleet, looked->id, &record, indexed, looked->seq, now_ms);
    }
    struct instance *instance = back ? fleet_find(&d->fleet, looked->id) : NULL;
    if (back)
        stored_watch_load(d, instance, &b);
    else
        blocked_watch_end(d, &b);
    if (back && was_lost) { /* with its alerts */
        struct cause cause = {CAUSE_RECONCILE, {(uint64_t)now_ms, 0}};
        struct sink *sink = commit_sink(&d->commit);
        sink->ops->begin(sink->ctx, &cause);
        fleet_write_back(&d->fleet, instance, sink);
    }
    if (back)
        trade_book_tie_instance(&daemon_of(d, LAYER_RTS)->trades, instance);
    LOG(d->log, INFO, "a record can be stored again", log_slice("instance_id", looked->id));
    free_blocked(&b);
    return true;
}
