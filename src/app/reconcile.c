#include "app/reconcile.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "app/displace.h"
#include "app/refusal.h"
#include "codec/keys.h"
#include "util/alloc.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Instances looked at in one call: keeps Redis busy for about a millisecond. */
#define LOOK_MAX 100
/* Ids that wait for a look; what does not fit is found by the next pass. */
#define QUEUE_MAX 1000000
/* As many that were looked at are kept in the queue at least before they leave it. */
#define DONE_KEPT 1000
/* Keys that one SCAN looks at, members that one SSCAN or ZSCAN does. */
#define SCAN_COUNT    "500"
#define MEMBERS_COUNT "1000"
/* Instances of the fleet that one turn of the loop adds to a pass. */
#define WALK_MAX 1000
/* From the beginning of a pass to that of one that is wanted ahead of the interval. */
#define APART_MS 1000

static void on_timer(void *ctx);
static void on_soon(void *ctx);
static void on_walk(void *ctx);
static void look_on(struct reconcile *r);
static void scan_on(struct reconcile *r);

const char *repair_kind_name(enum repair_kind kind)
{
    static const char *const names[REPAIR_KINDS] = {"index", "hash",      "adopted", "load",
                                                    "trade", "displaced", "stream"};
    return names[kind];
}

void reconcile_init(struct reconcile *r, struct daemon *d)
{
    *r = (struct reconcile){.d = d};
    r->timer = loop_timer_new(d->loop, on_timer, r);
    r->soon = loop_timer_new(d->loop, on_soon, r);
    r->walk = loop_timer_new(d->loop, on_walk, r);
    id_queue_init(&r->queue);
}

void reconcile_clear(struct reconcile *r)
{
    loop_timer_free(r->timer);
    loop_timer_free(r->soon);
    loop_timer_free(r->walk);
    id_queue_clear(&r->queue);
}

void reconcile_reset(struct reconcile *r)
{
    r->generation++;
    id_queue_reset(&r->queue);
    r->done = r->asked = r->pending = 0;
    r->looking = r->wants_keys = r->walking = r->is_wanted = false;
    for (int p = 0; p < WRITE_BACK_PARTS; p++)
        r->write_back[p].is_on = false;
    loop_timer_stop(r->timer);
    loop_timer_stop(r->soon);
    loop_timer_stop(r->walk);
}

void reconcile_count(struct reconcile *r, enum repair_kind kind)
{
    r->repairs[kind]++;
}

static void set_timer(struct reconcile *r)
{
    r->interval_ms = r->d->config->instances.reconcile_interval_ms;
    loop_timer_set(r->timer, r->interval_ms);
}

static bool is_passing(const struct reconcile *r)
{
    return r->walking || r->looking || r->done < r->queue.count;
}

/* Whoever ends a pass, or makes one possible, comes here. */
static void set_soon(struct reconcile *r)
{
    if (!r->is_wanted || is_passing(r) || !lead_is_active(&r->d->lead) || loop_timer_is_set(r->soon))
        return;
    int64_t left_ms = r->began_ms ? r->began_ms + APART_MS - loop_now_ms() : 0;
    loop_timer_set(r->soon, left_ms > 0 ? left_ms : 0);
}

void reconcile_pause(struct reconcile *r)
{
    r->generation++;
    r->is_wanted = r->is_wanted || r->walking; /* a pass that is cut short is made anew */
    r->looking = r->walking = false;
    r->pending = 0;
    loop_timer_stop(r->walk);
    commit_hold(&r->d->commit, false);
}

void reconcile_start(struct reconcile *r)
{
    /* A look that the link took with it is looked at again. */
    reconcile_pause(r);
    /* Not anew where nothing changed: then reloads in quick succession would put every pass off. */
    if (!loop_timer_is_set(r->timer) || r->interval_ms != r->d->config->instances.reconcile_interval_ms)
        set_timer(r);
    look_on(r);
    set_soon(r);
}

void reconcile_soon(struct reconcile *r)
{
    r->is_wanted = true;
    set_soon(r);
}

void reconcile_later(struct reconcile *r)
{
    r->is_wanted = true;
    r->began_ms = loop_now_ms();
}

void reconcile_look(struct reconcile *r, struct slice id)
{
    if (id_queue_add(&r->queue, id, QUEUE_MAX))
        look_on(r);
}

/* Sets and load index hold whatever others put there. STATE is NULL for the load index. */
static void remove_stray(struct reconcile *r, struct slice id, const char *state)
{
    struct sink *sink = commit_sink(&r->d->commit);
    struct cause cause = {CAUSE_RECONCILE, {(uint64_t)daemon_now_ms(r->d), r->repairs[REPAIR_INDEX]}};
    sink->ops->begin(sink->ctx, &cause);
    if (state)
        sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, id, state, NULL);
    else
        sink->ops->load_remove(sink->ctx, id);
    reconcile_count(r, state ? REPAIR_INDEX : REPAIR_LOAD);
}

static void fix_indexes(struct reconcile *r, const struct looked *looked, const struct instance *instance)
{
    struct sink *sink = commit_sink(&r->d->commit);
    for (int s = 0; s < INSTANCE_STATES; s++) {
        bool belongs = instance && instance->state == (enum instance_state)s;
        if (looked->member[s] == belongs)
            continue;
        const char *name = instance_state_name((enum instance_state)s);
        sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, looked->id, belongs ? NULL : name,
                              belongs ? name : NULL);
        reconcile_count(r, REPAIR_INDEX);
    }
    bool scored = instance && !isnan(instance->load_score);
    if (scored && (!looked->has_score || looked->score != instance->load_score)) {
        sink->ops->load_set(sink->ctx, looked->id, instance->load_score);
        reconcile_count(r, REPAIR_LOAD);
    } else if (!scored && looked->has_score) {
        sink->ops->load_remove(sink->ctx, looked->id);
        reconcile_count(r, REPAIR_LOAD);
    }
}

void reconcile_take(struct reconcile *r, const struct looked *looked)
{
    struct daemon *d = r->d;
    int64_t now_ms = daemon_now_ms(d);
    for (int k = 0; k < 3; k++) {
        if (!looked->wrong_type[k])
            continue;
        char reason[128];
        struct key key = key_record((enum record_kind)k, looked->id);
        (void)snprintf(reason, sizeof reason, "%.*s: wrong type in Redis", (int)key.len, key.text);
        follow_block(&d->follow, looked->id, slice_text(reason));
        return;
    }
    struct instance *instance = fleet_find(&d->fleet, looked->id);
    if (follow_blocked(&d->follow, looked->id).len) {
        if (!follow_unblock(&d->follow, looked))
            return; /* it is looked at again */
        instance = fleet_find(&d->fleet, looked->id);
    }
    if (instance && instance->batch == d->fleet.batch) {
        follow_mark(&d->follow, looked->id); /* what is being filled has overtaken the look */
        return;
    }
    struct sink *sink = commit_sink(&d->commit);
    struct cause cause = {CAUSE_ADOPTED, {(uint64_t)now_ms, d->fleet.timers++}};
    sink->ops->begin(sink->ctx, &cause);
    enum adopt_result result = fleet_adopt(&d->fleet, looked->id, &looked->record,
                                           d->config->instances.adopt_external_writes, &cause, now_ms, sink);
    if (result == ADOPT_REGISTERED)
        trade_book_tie_instance(&daemon_of(d, LAYER_RTS)->trades, fleet_find(&d->fleet, looked->id));
    if (result == ADOPT_FOLLOWED || result == ADOPT_REGISTERED)
        reconcile_count(r, REPAIR_ADOPTED);
    if (result == ADOPT_REPAIRED)
        reconcile_count(r, REPAIR_HASH);
    if (result == ADOPT_REPAIRED || (looked->record.invalid && result != ADOPT_NOTHING)) {
        LOG_LIMITED(d->log, WARN, looked->id, "a hash that others changed is put back",
                    log_slice("instance_id", looked->id));
    }
    /* A state that was followed has moved the index already, as far as memory knew it. */
    instance = fleet_find(&d->fleet, looked->id);
    if (!instance || result == ADOPT_NOTHING || result == ADOPT_REPAIRED)
        fix_indexes(r, looked, instance);
    else
        follow_mark(&d->follow, looked->id); /* once that is stored */
}

static void on_looked(void *ctx, void *object)
{
    struct reconcile *r = ctx;
    const redisReply *reply = object;
    if (!r->looking)
        return;
    r->looking = false;
    if (reply && reply->type == REDIS_REPLY_ARRAY) {
        struct looked looked;
        for (size_t i = 0; i < reply->elements; i++)
            if (look_parse(reply, i, &looked))
                reconcile_take(r, &looked);
        r->done += r->asked;
    } else if (reply) {
        LOG_LIMITED(
            r->d->log, ERROR, slice_text("look"), "cannot look at instances",
            log_slice("error", slice_of(reply->str, reply->type == REDIS_REPLY_ERROR ? reply->len : 0)));
        r->done += r->asked;
    }
    if (r->done == r->queue.count) {
        id_queue_reset(&r->queue);
        r->done = 0;
    } else if (r->done >= DONE_KEPT && r->done >= r->queue.count / 2) {
        /* Others may write so fast that there is always something left. */
        id_queue_drop(&r->queue, r->done);
        r->done = 0;
    }
    commit_hold(&r->d->commit, false);
    if (reply)
        look_on(r);
    set_soon(r);
}

/* A key that no look covers is not what was stored in it. */
static void mend_key(struct reconcile *r, const char *key)
{
    LOG(r->d->log, WARN, "a key of ours was changed by others and is written back", log_text("key", key));
    reconcile_count(r, REPAIR_HASH);
    reconcile_write_back_key(r, slice_text(key));
}

static void on_totals(void *ctx, void *object)
{
    struct reconcile *r = ctx;
    const redisReply *reply = object;
    size_t right = 0;
    refusal_tell(r->d, "HGETALL", reply);
    if (!r->looking || !reply || reply->type != REDIS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *field = reply->element[i], *text = reply->element[i + 1];
        enum total_kind kind;
        struct slice label;
        uint64_t value;
        if (key_parse_total(slice_of(field->str, field->len), &kind, &label) &&
            number_parse_u64(slice_of(text->str, text->len), UINT64_MAX, &value) && value &&
            ledger_is_stored(r->d->ledger, kind, label, value))
            right++;
    }
    if (right != ledger_count_stored(r->d->ledger))
        mend_key(r, KEY_TOTALS);
}

static void on_journal_exists(void *ctx, void *object)
{
    struct reconcile *r = ctx;
    const redisReply *reply = object;
    struct ledger_view view;
    ledger_view(r->d->ledger, &view);
    refusal_tell(r->d, "EXISTS", reply);
    if (r->looking && reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0 &&
        view.open + view.ended_remembered + view.early_waiting > 0 && ledger_count_stored(r->d->ledger) > 0)
        mend_key(r, KEY_JOURNAL);
}

/* What is only in the batch that is being filled is not stored yet. */
static bool has_stored_seq(const struct fleet *fleet)
{
    for (struct instance *i = fleet_next(fleet, 0); i; i = fleet_next(fleet, fleet_index_of(fleet, i) + 1))
        if (i->seq > 0 && i->batch != fleet->batch)
            return true;
    return false;
}

static void on_seq_exists(void *ctx, void *object)
{
    struct reconcile *r = ctx;
    const redisReply *reply = object;
    if (r->looking && reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0 &&
        has_stored_seq(&r->d->fleet))
        mend_key(r, KEY_SEQ);
}

static bool is_throttled(const struct instance *instance)
{
    return instance && instance->watched && instance->watched->record.is_throttled;
}

static void fix_throttled(struct reconcile *r, struct slice id, bool belongs)
{
    struct sink *sink = commit_sink(&r->d->commit);
    struct cause cause = {CAUSE_RECONCILE, {(uint64_t)daemon_now_ms(r->d), r->repairs[REPAIR_INDEX]}};
    sink->ops->begin(sink->ctx, &cause);
    sink->ops->throttled_set(sink->ctx, id, belongs);
    reconcile_count(r, REPAIR_INDEX);
}

/* Those in the set that are not throttled are taken out, those that are missing are put in: as many as fit
 * into the batch that is being filled, the others with the next pass. What is changed by that batch has
 * overtaken the answer. */
static void on_throttled(void *ctx, void *object)
{
    struct reconcile *r = ctx;
    const redisReply *reply = object;
    const struct fleet *fleet = &r->d->fleet;
    refusal_tell(r->d, "SMEMBERS", reply);
    if (!r->looking || !reply)
        return;
    if (reply->type != REDIS_REPLY_ARRAY) {
        if (redis_error_classify(slice_of(reply->str, reply->len)) == REDIS_ERROR_WRONGTYPE)
            displace(r->d, slice_text(KEY_THROTTLED), slice_text("another"), NULL, NULL);
        return;
    }
    bool *seen = mem_new(fleet->slot_count + 1, sizeof *seen);
    for (size_t i = 0; i < reply->elements; i++) {
        struct slice id = slice_of(reply->element[i]->str, reply->element[i]->len);
        const struct instance *instance = fleet_find(fleet, id);
        if (instance)
            seen[fleet_index_of(fleet, instance)] = true;
        if (!is_throttled(instance) && !(instance && instance->batch == fleet->batch) &&
            !commit_is_full(&r->d->commit))
            fix_throttled(r, id, false);
    }
    for (struct instance *i = fleet_next(fleet, 0); i; i = fleet_next(fleet, fleet_index_of(fleet, i) + 1))
        if (is_throttled(i) && !seen[fleet_index_of(fleet, i)] && i->batch != fleet->batch &&
            !commit_is_full(&r->d->commit))
            fix_throttled(r, ident_slice(&i->id), true);
    free(seen);
}

/* Once a pass, ahead of a look, while no batch is under way. What the link does not take is asked with the
 * next pass. */
static void check_keys(struct reconcile *r)
{
    struct slice totals[] = {slice_text("HGETALL"), slice_text(KEY_TOTALS)};
    struct slice journal[] = {slice_text("EXISTS"), slice_text(KEY_JOURNAL)};
    struct slice seq[] = {slice_text("EXISTS"), slice_text(KEY_SEQ)};
    struct slice throttled[] = {slice_text("SMEMBERS"), slice_text(KEY_THROTTLED)};
    r->wants_keys = false;
    (void)redis_link_command(r->d->link, totals, ARRAY_LEN(totals), 0, on_totals, r);
    (void)redis_link_command(r->d->link, journal, ARRAY_LEN(journal), 0, on_journal_exists, r);
    if (!daemon_is_home(r->d))
        return;
    (void)redis_link_command(r->d->link, seq, ARRAY_LEN(seq), 0, on_seq_exists, r);
    (void)redis_link_command(r->d->link, throttled, ARRAY_LEN(throttled), 0, on_throttled, r);
}

static void look_on(struct reconcile *r)
{
    struct daemon *d = r->d;
    if (r->looking || (r->done == r->queue.count && !r->wants_keys) || !lead_is_active(&d->lead) ||
        !redis_link_is_up(d->link))
        return;
    commit_hold(&d->commit, true);
    if (!commit_is_settled(&d->commit))
        return; /* reconcile_on_settled comes back */
    if (r->wants_keys)
        check_keys(r);
    uint32_t left = r->queue.count - r->done;
    r->asked = left < LOOK_MAX ? left : LOOK_MAX;
    struct buf command = BUF_INIT;
    look_render(r->queue.ids + r->done, r->asked, &command);
    /* What is written from now on is another look's. */
    for (uint32_t i = 0; i < r->asked; i++)
        id_queue_let_again(&r->queue, r->done + i);
    r->looking = redis_link_send(d->link, buf_slice(&command), 1, 0, on_looked, r) == 0;
    if (!r->looking)
        commit_hold(&d->commit, false);
    buf_clear(&command);
}

void reconcile_on_settled(struct reconcile *r)
{
    reconcile_write_back_on(r);
    commit_kick(&r->d->commit);
    if (r->d->commit.held && !r->looking)
        look_on(r);
}

/* A pass gathers ids from all that may hold some. */
struct gather {
    struct reconcile *r;
    uint64_t generation;
    const char *state; /* the set that was asked for; NULL: the load index */
    struct key key;
};

static void finish_gathering(struct reconcile *r)
{
    if (--r->pending == 0) {
        r->walking = false;
        r->passes++;
        look_on(r);
        set_soon(r);
    }
}

static void gather_page(struct reconcile *r, struct key key, const char *state, struct slice cursor);

/* Those that are known are looked at once in a pass, for on_walk. */
static void look_at_unknown(struct reconcile *r, struct slice id)
{
    if (!fleet_find(&r->d->fleet, id))
        reconcile_look(r, id);
}

/* Of the load index comes a score behind each member. */
static void take_members(struct reconcile *r, const redisReply *members, const char *state)
{
    for (size_t i = 0; i < members->elements; i += state ? 1 : 2) {
        struct slice id = slice_of(members->element[i]->str, members->element[i]->len);
        if (ident_is_valid(id, IDENT_MAX))
            look_at_unknown(r, id);
        else
            remove_stray(r, id, state);
    }
}

static void on_members(void *ctx, void *object)
{
    struct gather *g = ctx;
    struct reconcile *r = g->r;
    const redisReply *reply = object;
    refusal_tell(r->d, g->state ? "SSCAN" : "ZSCAN", reply);
    if (g->generation == r->generation) {
        if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
            struct slice cursor = slice_of(reply->element[0]->str, reply->element[0]->len);
            if (!slice_is(cursor, "0"))
                gather_page(r, g->key, g->state, cursor);
            take_members(r, reply->element[1], g->state);
        } else if (reply && redis_error_classify(slice_of(reply->str, reply->len)) == REDIS_ERROR_WRONGTYPE) {
            displace(r->d, key_slice(&g->key), slice_text("another"), NULL, NULL);
        }
        finish_gathering(r);
    }
    free(g);
}

static void gather_page(struct reconcile *r, struct key key, const char *state, struct slice cursor)
{
    struct gather *g = mem_new(1, sizeof *g);
    *g = (struct gather){r, r->generation, state, key};
    struct slice words[] = {slice_text(state ? "SSCAN" : "ZSCAN"), key_slice(&g->key), cursor,
                            slice_text("COUNT"), slice_text(MEMBERS_COUNT)};
    if (redis_link_command(r->d->link, words, ARRAY_LEN(words), 0, on_members, g))
        free(g);
    else
        r->pending++;
}

static void gather(struct reconcile *r, struct key key, const char *state)
{
    gather_page(r, key, state, slice_text("0"));
}

static void on_scanned(void *ctx, void *object)
{
    struct gather *g = ctx;
    struct reconcile *r = g->r;
    const redisReply *reply = object;
    bool current = g->generation == r->generation;
    free(g);
    refusal_tell(r->d, "SCAN", reply);
    if (!current)
        return;
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        finish_gathering(r);
        return;
    }
    (void)snprintf(r->cursor, sizeof r->cursor, "%s", reply->element[0]->str);
    for (size_t i = 0; i < reply->element[1]->elements; i++) {
        const redisReply *key = reply->element[1]->element[i];
        enum record_kind kind;
        struct slice id;
        if (key_parse_record(slice_of(key->str, key->len), &kind, &id) && kind == RECORD_INSTANCE)
            look_at_unknown(r, id);
    }
    if (strcmp(r->cursor, "0") != 0)
        scan_on(r);
    finish_gathering(r);
}

/* Hashes that are in no set: written by others. */
static void scan_on(struct reconcile *r)
{
    struct gather *g = mem_new(1, sizeof *g);
    *g = (struct gather){.r = r, .generation = r->generation};
    struct slice words[] = {slice_text("SCAN"),       slice_text(r->cursor), slice_text("MATCH"),
                            slice_text("instance:*"), slice_text("COUNT"),   slice_text(SCAN_COUNT),
                            slice_text("TYPE"),       slice_text("hash")};
    if (redis_link_command(r->d->link, words, ARRAY_LEN(words), 0, on_scanned, g))
        free(g);
    else
        r->pending++;
}

/* The instances that are known, some in each turn of the loop. */
static void on_walk(void *ctx)
{
    struct reconcile *r = ctx;
    const struct fleet *fleet = &r->d->fleet;
    struct instance *instance = NULL;
    for (int n = 0; n < WALK_MAX && (instance = fleet_next(fleet, r->walked)); n++) {
        r->walked = fleet_index_of(fleet, instance) + 1;
        reconcile_look(r, ident_slice(&instance->id));
    }
    if (instance)
        loop_timer_set(r->walk, 0);
    else
        finish_gathering(r);
}

static void gather_instances(struct reconcile *r)
{
    follow_expect_nothing(&r->d->follow);
    for (int s = 0; s < INSTANCE_STATES; s++) {
        const char *name = instance_state_name((enum instance_state)s);
        gather(r, key_index(INDEX_INSTANCE_STATE, name), name);
    }
    struct key load = {.len = sizeof KEY_LOAD - 1, .text = KEY_LOAD};
    gather(r, load, NULL);
    (void)snprintf(r->cursor, sizeof r->cursor, "0");
    scan_on(r);
}

static void begin_pass(struct reconcile *r)
{
    r->walking = true;
    r->is_wanted = false;
    r->began_ms = loop_now_ms();
    r->pending = 1; /* the walk */
    r->walked = 0;
    if (daemon_is_home(r->d))
        gather_instances(r);
    r->wants_keys = true;
    if (daemon_serves(r->d, LAYER_RTS))
        trade_sweep_start(&r->d->trade_io);
    on_walk(r);
}

/* What is mended while nothing can be stored would only pile up. */
static bool may_pass(const struct reconcile *r)
{
    return !r->walking && lead_is_active(&r->d->lead) && !r->d->commit.refusal;
}

static void on_timer(void *ctx)
{
    struct reconcile *r = ctx;
    set_timer(r);
    if (may_pass(r))
        begin_pass(r);
}

static void on_soon(void *ctx)
{
    struct reconcile *r = ctx;
    if (!r->is_wanted || is_passing(r))
        return;
    if (may_pass(r))
        begin_pass(r);
    else
        loop_timer_set(r->soon, APART_MS);
}
