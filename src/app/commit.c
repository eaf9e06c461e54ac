#include "app/commit.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "app/displace.h"
#include "app/far_results.h"
#include "app/told.h"
#include "app/transaction.h"
#include "codec/keys.h"
#include "codec/resp.h"
#include "util/alloc.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>

/* A batch above this is sent before more is read: larger writes stall in the socket's buffer, and hold Redis
 * up for others. */
#define FULL_BYTES ((size_t)160 << 10)
#define RETRY_MS   200
/* Of the text of a batch, which the link has copied. */
#define RENDERED_KEEP_BYTES ((size_t)256 << 10)

static const double roundtrip_bounds[] = {.0001, .00025, .0005, .001, .0025, .005, .01,
                                          .025,  .05,    .1,    .25,  .5,    1,    2.5};

static void on_retry(void *ctx);
static void send_batch(struct commit *c);

static struct batch_options options_of(const struct daemon *d)
{
    return (struct batch_options){.names = d->names,
                                  .group = d->boot_config->streams.group,
                                  .events_max_len = d->config->streams.events_max_len,
                                  .commands_max_len = d->config->streams.commands_max_len};
}

void commit_init(struct commit *c, struct daemon *d)
{
    *c = (struct commit){.d = d};
    struct batch_options options = options_of(d);
    c->filling = batch_new(&options);
    c->sent = batch_new(&options);
    c->retry = loop_timer_new(d->loop, on_retry, c);
    changes_init(&c->changes);
    histogram_init(&c->roundtrip, roundtrip_bounds, ARRAY_LEN(roundtrip_bounds));
}

void commit_clear(struct commit *c)
{
    batch_free(c->filling);
    batch_free(c->sent);
    changes_clear(&c->changes);
    free(c->filling_notes.items);
    free(c->sent_notes.items);
    buf_clear(&c->rendered);
    loop_timer_free(c->retry);
    waiters_tell_lost(&c->waiters);
    waiters_clear(&c->waiters);
}

void commit_configure(struct commit *c)
{
    struct batch_options options = options_of(c->d);
    batch_configure(c->filling, &options);
    batch_configure(c->sent, &options);
}

void commit_give_back(struct commit *c)
{
    batch_give_back(c->filling);
    if (!c->has_sent)
        batch_give_back(c->sent);
    buf_clear(&c->rendered);
}

void commit_reset(struct commit *c, uint64_t applied)
{
    batch_reset(c->filling, 0);
    batch_reset(c->sent, 0);
    changes_reset(&c->changes);
    c->filling_notes.count = c->sent_notes.count = 0;
    c->has_sent = c->in_flight = false;
    c->attempt++;
    c->displacing = 0;
    c->applied = applied;
    c->refusal = NULL;
    loop_timer_stop(c->retry);
    waiters_tell_lost(&c->waiters);
}

struct sink *commit_sink(struct commit *c)
{
    return changes_sink(&c->changes, batch_sink(c->filling));
}

uint64_t commit_filling_number(const struct commit *c)
{
    return c->applied + (c->has_sent ? 1 : 0) + 1;
}

bool commit_is_idle(const struct commit *c)
{
    return !c->has_sent && batch_is_empty(c->filling) && !ingest_has_news(&c->d->ingest);
}

bool commit_is_settled(const struct commit *c)
{
    return !c->has_sent;
}

bool commit_is_full(const struct commit *c)
{
    return batch_bytes(c->filling) >= FULL_BYTES;
}

bool commit_on_stored(struct commit *c, waiter_fn fn, void *ctx)
{
    uint64_t newest = c->applied + (c->has_sent ? 1 : 0) + (batch_is_empty(c->filling) ? 0 : 1);
    if (newest == c->applied) {
        fn(ctx, true);
        return true;
    }
    return waiters_add(&c->waiters, newest, fn, ctx);
}

void commit_hold(struct commit *c, bool hold)
{
    c->held = hold;
    if (!hold)
        commit_kick(c);
}

void commit_note_trade(struct commit *c, struct slice trade_id, int64_t read_us)
{
    struct trade_notes *notes = &c->filling_notes;
    if (notes->count == notes->cap) {
        notes->cap = notes->cap ? notes->cap * 2 : 64;
        notes->items = mem_resize(notes->items, notes->cap, sizeof *notes->items);
    }
    struct trade_note *note = &notes->items[notes->count++];
    ident_set(&note->id, trade_id);
    note->read_us = read_us;
}

/* A command that has ended must not be tried again. */
static void forget_hook(struct commit *c, const struct batch_event *event)
{
    struct slice command_id = slice_of(NULL, 0);
    bool is_done = false;
    for (uint32_t f = 0; f < event->fields; f++) {
        struct slice name, value;
        batch_get_field(c->sent, event->first_field + f, &name, &value);
        if (slice_is(name, "command_id"))
            command_id = value;
        else if (slice_is(name, "reason")) /* `ok`, or `ok: ` and more */
            is_done = slice_is(value, "ok") || (value.len > 2 && memcmp(value.data, "ok:", 3) == 0);
    }
    if (command_id.len > 0)
        hook_calls_forget(&c->d->hook_calls, command_id, is_done);
}

/* Tells what a stored batch has brought about. */
static void announce(struct commit *c)
{
    const struct batch *b = c->sent;
    uint64_t events = 0;
    for (uint32_t i = 0; i < b->event_count; i++) {
        const struct batch_event *event = &b->events[i];
        if (event->cut)
            continue;
        c->d->event_counts[event->kind]++;
        events++;
        told_event(c->d->log, b, event);
        if (event->kind == EVENT_COMMAND_COMPLETED)
            forget_hook(c, event);
    }
    if (events)
        event_feed_on_stored(&c->d->event_feed, events);
    for (uint32_t i = 0; i < b->command_count; i++)
        if (!b->commands[i].cut)
            hook_calls_command(&c->d->hook_calls, b, &b->commands[i]);
    for (uint32_t i = 0; i < b->notice_count; i++) {
        if (b->notices[i].cut)
            continue;
        hook_calls_notice(&c->d->hook_calls, b, &b->notices[i]);
        webhooks_on_stored(&c->d->webhooks, batch_notice_key(b, &b->notices[i]), b->notices[i].change);
    }
}

static void on_stored(struct commit *c, bool measured)
{
    int64_t now_us = loop_now_us();
    if (measured)
        histogram_observe(&c->roundtrip, (double)(now_us - c->sent_us) / 1e6);
    if (c->refusal) {
        log_tell_repeats(c->d->log);
        LOG(c->d->log, INFO, "redis takes writes again", log_text("after", c->refusal));
        c->refusal = NULL;
    }
    c->applied = c->sent->number;
    standby_on_stored(&c->d->standby);
    c->has_sent = false;
    c->batches++;
    announce(c);
    waiters_tell_stored(&c->waiters, c->applied);
    for (uint32_t i = 0; i < c->sent_notes.count; i++)
        trade_io_stored(&c->d->trade_io, ident_slice(&c->sent_notes.items[i].id),
                        c->sent_notes.items[i].read_us, c->sent_us, now_us);
    c->sent_notes.count = 0;
    batch_reset(c->sent, 0);
    far_results_stored(c->d, c->sent_results);
    c->d->far_told.stored = c->d->far_told.sent;
    far_events_go_on(&daemon_of(c->d, LAYER_RTSS)->far_events);
    commit_kick(c);
    reconcile_on_settled(&c->d->reconcile);
    trade_sweep_on_stored(&c->d->trade_io);
    lead_on_settled(&c->d->lead);
    ingest_go_on(&c->d->ingest);
}

/* A stream of ours whose IDs somebody has used up takes nothing any more: it is moved aside like a foreign
 * value. TEXT is `3 XADD instance_events: ERR The stream has exhausted ...`. */
static void mend_exhausted(struct commit *c, struct slice text)
{
    static const char command[] = "XADD ";
    const char *key = memmem(text.data, text.len, command, sizeof command - 1);
    const char *end = key ? memmem(key, text.len - (size_t)(key - text.data), ": ERR", 5) : NULL;
    if (!end || !memmem(end, text.len - (size_t)(end - text.data), "exhausted", 9))
        return;
    key += sizeof command - 1;
    struct slice name = slice_of(key, (size_t)(end - key));
    if (!ingest_owns_stream(&c->d->ingest, name))
        displace(c->d, name, slice_text("stream without IDs left"), NULL, NULL);
}

static void take_failed_operation(struct commit *c, struct slice text)
{
    c->failed_operations++;
    LOG_LIMITED(c->d->log, ERROR, slice_text("operation"), "redis refused an operation of a batch",
                log_slice("what", text));
    mend_exhausted(c, text);
    if (memmem(text.data, text.len, KEY_CHANGES, sizeof KEY_CHANGES - 1))
        changes_begin_anew(&c->changes); /* somebody has used up the numbers */
}

static void take_failed_operations(struct commit *c, const redisReply *reply)
{
    for (size_t i = 1; i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            take_failed_operation(c, slice_of(reply->element[i]->str, reply->element[i]->len));
}

/* The batch goes out again once everything that stood in its way was moved. */
static void on_moved(void *ctx, bool moved)
{
    struct commit *c = ctx;
    if (c->displacing)
        c->displacing--;
    if (!moved) {
        c->refusal = redis_error_name(REDIS_ERROR_WRONGTYPE);
        loop_timer_set(c->retry, RETRY_MS);
    } else if (!c->displacing) {
        send_batch(c);
    }
}

/* The record of an object holds something else: what concerns it is cut out of both batches, its entries are
 * rejected, and it is left alone until it can be stored again. */
static void cut_record(struct commit *c, struct slice key, struct slice type)
{
    enum record_kind kind;
    struct slice id;
    if (!key_parse_record(key, &kind, &id))
        return;
    struct ident owner;
    ident_set(&owner, id);
    struct buf reason = BUF_INIT;
    buf_add_format(&reason, "%.*s: wrong type in Redis (%.*s where a hash belongs)", (int)key.len, key.data,
                   (int)type.len, type.data);
    bool is_trade = kind == RECORD_TRADE;
    uint32_t cut = batch_cut(c->sent, is_trade, ident_slice(&owner), buf_slice(&reason));
    cut += batch_cut(c->filling, is_trade, ident_slice(&owner), buf_slice(&reason));
    c->cut_groups += cut;
    ingest_count_rejected(&c->d->ingest, is_trade ? STREAM_TRADES : STREAM_REPORTS, "wrong_type", cut);
    if (is_trade) {
        LOG_LIMITED(c->d->log, WARN, key, "a record cannot be stored",
                    log_slice("reason", buf_slice(&reason)));
        struct trade *trade = trade_book_find(&c->d->trades, ident_slice(&owner));
        if (trade)
            trade_book_forget(&c->d->trades, trade);
        trade_io_unindex(&c->d->trade_io, ident_slice(&owner));
    } else {
        follow_block(&c->d->follow, ident_slice(&owner), buf_slice(&reason));
    }
    buf_clear(&reason);
}

static void on_wrong_types(struct commit *c, const redisReply *reply)
{
    for (size_t i = 1; i + 1 < reply->elements; i += 2) {
        if (reply->element[i]->type != REDIS_REPLY_INTEGER ||
            reply->element[i + 1]->type != REDIS_REPLY_STRING)
            continue;
        struct slice key, type = slice_of(reply->element[i + 1]->str, reply->element[i + 1]->len);
        bool is_record;
        if (!batch_key_by_number(c->sent, (uint64_t)reply->element[i]->integer, &key, &is_record))
            continue;
        if (is_record) {
            struct key copy;
            copy.len = key.len < KEY_MAX ? key.len : KEY_MAX;
            memcpy(copy.text, key.data, copy.len);
            cut_record(c, key_slice(&copy), type);
        } else if (!ingest_owns_stream(&c->d->ingest, key)) {
            c->displacing++;
            displace(c->d, key, type, on_moved, c);
        } else {
            ingest_stream_is_wrong(&c->d->ingest, key, type);
            batch_ignore_key(c->sent, key);
        }
    }
    if (!c->displacing)
        send_batch(c);
}

static void on_refused(struct commit *c, const redisReply *reply)
{
    struct slice text = slice_of(reply->str, reply->len);
    enum redis_error error = redis_error_classify(text);
    if (error == REDIS_ERROR_NOSCRIPT) {
        c->whole_script = true;
        send_batch(c);
        return;
    }
    c->refusal = redis_error_name(error);
    lead_note_error(&c->d->lead, text);
    LOG_LIMITED(c->d->log, ERROR, slice_text(c->refusal), "redis takes no writes", log_slice("error", text));
    if (error == REDIS_ERROR_READONLY || error == REDIS_ERROR_NOAUTH) {
        redis_link_drop(c->d->link, c->refusal, true);
        return;
    }
    loop_timer_set(c->retry, RETRY_MS);
}

static void on_answer(void *ctx, void *object)
{
    struct commit *c = ctx;
    const redisReply *reply = object;
    c->in_flight = false;
    if (!reply || !c->has_sent)
        return; /* unknown: sent again when the link is back */
    if (reply->type == REDIS_REPLY_ERROR) {
        on_refused(c, reply);
        return;
    }
    c->whole_script = false;
    const char *word =
        reply->type == REDIS_REPLY_ARRAY && reply->elements && reply->element[0]->type == REDIS_REPLY_STRING
            ? reply->element[0]->str
            : "";
    if (strcmp(word, "ok") == 0) {
        take_failed_operations(c, reply);
        on_stored(c, true);
    } else if (strcmp(word, "again") == 0) {
        on_stored(c, false);
    } else if (strcmp(word, "types") == 0) {
        on_wrong_types(c, reply);
    } else if (strcmp(word, "fenced") == 0) {
        lead_on_fenced(&c->d->lead);
    } else {
        lead_on_behind(&c->d->lead);
    }
}

void commit_on_transacted(struct commit *c, const redisReply *replies)
{
    struct buf text = BUF_INIT;
    c->in_flight = false;
    for (size_t i = 0; i < replies->elements; i++) {
        const redisReply *reply = replies->element[i];
        if (reply->type == REDIS_REPLY_ARRAY)
            take_failed_operations(c, reply); /* of the script, which does what no command does */
        if (reply->type != REDIS_REPLY_ERROR)
            continue;
        buf_reset(&text, SIZE_MAX);
        batch_name_operation(c->sent, i, &text);
        buf_add(&text, reply->str, reply->len);
        take_failed_operation(c, buf_slice(&text));
    }
    buf_clear(&text);
    on_stored(c, true);
}

void commit_drop_rendered(struct commit *c)
{
    buf_reset(&c->rendered, RENDERED_KEEP_BYTES);
}

void commit_send_script(struct commit *c)
{
    batch_render(c->sent, lead_token(&c->d->lead), lead_epoch(&c->d->lead), c->whole_script, &c->rendered);
    c->in_flight = redis_link_send(c->d->link, buf_slice(&c->rendered), 1, 0, on_answer, c) == 0;
    if (!c->in_flight)
        loop_timer_set(c->retry, RETRY_MS);
    commit_drop_rendered(c);
}

static void send_batch(struct commit *c)
{
    if (!c->has_sent || c->in_flight || !lead_may_write(&c->d->lead))
        return;
    c->attempt++;
    c->sent_us = loop_now_us();
    c->in_flight = !c->no_transactions && batch_suits_transaction(c->sent) && transaction_begin(c);
    if (!c->in_flight)
        commit_send_script(c);
}

static void on_retry(void *ctx)
{
    struct commit *c = ctx;
    c->displacing = 0;
    if (c->has_sent)
        send_batch(c);
    else
        commit_kick(c);
}

void commit_kick(struct commit *c)
{
    if (c->has_sent || c->held || !lead_may_write(&c->d->lead))
        return;
    ingest_finish_batch(&c->d->ingest, c->filling);
    if (batch_is_empty(c->filling))
        return;
    changes_seal(&c->changes, c->filling, c->applied + 1);
    batch_seal(c->filling);
    struct batch *full = c->filling;
    c->filling = c->sent;
    c->sent = full;
    c->sent->number = c->applied + 1;
    c->sent_results = c->d->ingest.streams[STREAM_RESULTS].stored;
    c->d->far_told.sent = c->d->far_told.given;
    struct trade_notes notes = c->filling_notes;
    c->filling_notes = c->sent_notes;
    c->sent_notes = notes;
    c->has_sent = true;
    c->d->fleet.batch++;
    c->d->trades.batch++;
    follow_expect(&c->d->follow, c->sent);
    send_batch(c);
}

void commit_resume(struct commit *c)
{
    c->in_flight = false;
    c->attempt++;
    if (c->has_sent)
        send_batch(c);
    else
        commit_kick(c);
}

void commit_link_lost(struct commit *c)
{
    c->in_flight = c->no_transactions = false;
    c->attempt++;
    c->displacing = 0;
    loop_timer_stop(c->retry);
}
