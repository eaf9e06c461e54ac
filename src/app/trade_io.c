#include "app/trade_io.h"
#include "adapters/log.h"
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "codec/keys.h"
#include "codec/trade_entry.h"
#include "util/alloc.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>

/* Updates that wait for a look-up; beyond it the trades are not read. */
#define WAITING_MAX 10000
/* How long to wait where Redis refuses a look-up. */
#define REFUSED_MS 200

static const double seconds_bounds[] = {.0001, .00025, .0005, .001, .0025, .005, .01,
                                        .025,  .05,    .1,    .25,  .5,    1,    2.5};

enum look { LOOK_NONE, LOOK_ASKED, LOOK_DONE };

/* One update that waits. Its values are in one piece of memory of its own. */
struct trade_item {
    struct entry entry;
    char *values;
    int64_t read_us;
    enum look look;
    enum trade_state stored_state;
    struct ident stored_instance;
    bool wrong_type;
};

struct look_up {
    struct trade_io *io;
    uint64_t generation;
    uint64_t number;
};

static void on_probe_timer(void *ctx);

void trade_io_init(struct trade_io *io, struct daemon *d)
{
    *io = (struct trade_io){.d = d};
    const struct config *config = d->config;
    trade_stats_init(&io->stats, config->metrics.per_id ? (uint32_t)config->metrics.max_ids_per_family : 0,
                     config->metrics.id_ttl_s * 1000);
    histogram_init(&io->write_seconds, seconds_bounds, ARRAY_LEN(seconds_bounds));
    histogram_init(&io->read_seconds, seconds_bounds, ARRAY_LEN(seconds_bounds));
    io->probe_timer = loop_timer_new(d->loop, on_probe_timer, io);
    trade_io_configure(io);
}

/* While there are no trades it looks for some once a second. */
static void arm_probe(struct trade_io *io)
{
    int64_t per_sec = io->d->config->trades.probe_per_sec;
    if (per_sec <= 0)
        loop_timer_stop(io->probe_timer);
    else if (io->stats.count == 0)
        (void)loop_timer_set_aligned(io->probe_timer, 1000, LOOP_GRAIN_MS);
    else
        loop_timer_set(io->probe_timer, 1000 / per_sec + 1);
}

void trade_io_configure(struct trade_io *io)
{
    const struct config *config = io->d->config;
    trade_stats_resize(&io->stats, config->metrics.per_id ? (uint32_t)config->metrics.max_ids_per_family : 0,
                       config->metrics.id_ttl_s * 1000);
    arm_probe(io);
}

static struct trade_item *item_at(const struct trade_io *io, uint32_t i)
{
    return &io->items[(io->first + i) % io->cap];
}

static void drop_first(struct trade_io *io)
{
    free(item_at(io, 0)->values);
    io->first = (io->first + 1) % io->cap;
    io->count--;
}

void trade_io_reset(struct trade_io *io)
{
    while (io->count)
        drop_first(io);
    io->generation++;
    io->looking = 0;
}

void trade_io_clear(struct trade_io *io)
{
    trade_io_reset(io);
    free(io->items);
    trade_stats_clear(&io->stats);
    loop_timer_free(io->probe_timer);
}

bool trade_io_is_full(const struct trade_io *io)
{
    return io->count >= WAITING_MAX;
}

bool trade_io_has_room(const struct trade_io *io, uint32_t count)
{
    return io->count + count < WAITING_MAX;
}

static void grow(struct trade_io *io)
{
    uint32_t cap = io->cap ? io->cap * 2 : 64;
    struct trade_item *items = mem_new(cap, sizeof *items);
    for (uint32_t i = 0; i < io->count; i++)
        items[i] = *item_at(io, i);
    free(io->items);
    io->items = items;
    io->cap = cap;
    io->first = 0;
}

void trade_io_take(struct trade_io *io, const struct entry *entry)
{
    if (io->count == io->cap)
        grow(io);
    struct trade_item *item = item_at(io, io->count++);
    io->taken++;
    *item = (struct trade_item){.entry = *entry, .read_us = loop_now_us(), .stored_state = TRADE_NONE};
    size_t total = 0;
    for (uint32_t f = 0; f < TRADE_FIELDS; f++)
        if (entry->present & 1U << f)
            total += entry->value[f].len;
    item->values = mem_new(total + 1, 1);
    char *at = item->values;
    for (uint32_t f = 0; f < TRADE_FIELDS; f++) {
        if (!(entry->present & 1U << f))
            continue;
        memcpy(at, entry->value[f].data, entry->value[f].len);
        item->entry.value[f] = slice_of(at, entry->value[f].len);
        at += entry->value[f].len;
    }
}

/* Reads what HMGET state instance_id answered. */
static void take_stored(struct trade_item *item, const redisReply *reply)
{
    item->look = LOOK_DONE;
    item->stored_state = TRADE_NONE;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING)
        return;
    (void)trade_state_parse(slice_of(reply->element[0]->str, reply->element[0]->len), &item->stored_state);
    if (reply->element[1]->type == REDIS_REPLY_STRING) {
        struct slice instance = slice_of(reply->element[1]->str, reply->element[1]->len);
        if (ident_is_valid(instance, IDENT_MAX))
            ident_set(&item->stored_instance, instance);
    }
}

/* The item that was the NUMBERth to be taken in, if it still waits. */
static struct trade_item *find_item(struct trade_io *io, uint64_t number)
{
    uint64_t first = io->taken - io->count;
    return number >= first && number < io->taken ? item_at(io, (uint32_t)(number - first)) : NULL;
}

static void on_looked_up(void *ctx, void *object)
{
    struct look_up *look = ctx;
    struct trade_io *io = look->io;
    const redisReply *reply = object;
    bool current = look->generation == io->generation;
    struct trade_item *item = current ? find_item(io, look->number) : NULL;
    free(look);
    if (!current)
        return;
    io->looking--;
    if (!item)
        return;
    if (!reply) {
        item->look = LOOK_NONE;
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        struct slice text = slice_of(reply->str, reply->len);
        item->wrong_type = redis_error_classify(text) == REDIS_ERROR_WRONGTYPE;
        item->look = item->wrong_type ? LOOK_DONE : LOOK_NONE;
        if (!item->wrong_type) {
            io->look_again_ms = loop_now_ms() + REFUSED_MS;
            LOG_LIMITED(io->d->log, ERROR, slice_text("trade"), "cannot look up a trade",
                        log_slice("error", text));
        }
    } else {
        take_stored(item, reply);
    }
    if (!io->looking) {
        trade_io_go_on(io);
        commit_kick(&io->d->commit);
    }
}

static bool look_up(struct trade_io *io, uint32_t i, struct slice trade_id)
{
    struct key key = key_record(RECORD_TRADE, trade_id);
    struct slice words[] = {slice_text("HMGET"), key_slice(&key), slice_text("state"),
                            slice_text("instance_id")};
    struct look_up *look = mem_new(1, sizeof *look);
    *look = (struct look_up){io, io->generation, io->taken - io->count + i};
    if (redis_link_command(io->d->link, words, ARRAY_LEN(words), 0, on_looked_up, look)) {
        free(look);
        return false;
    }
    io->looking++;
    item_at(io, i)->look = LOOK_ASKED;
    return true;
}

void trade_io_unindex(struct trade_io *io, struct slice trade_id)
{
    struct sink *sink = commit_sink(&io->d->commit);
    struct cause cause = {CAUSE_RECONCILE, {(uint64_t)daemon_now_ms(io->d), 0}};
    sink->ops->begin(sink->ctx, &cause);
    for (int s = 0; s < TRADE_STATES; s++)
        sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, trade_id, trade_state_name((enum trade_state)s),
                              NULL);
}

static void apply(struct trade_io *io, struct trade_item *item)
{
    struct daemon *d = io->d;
    struct trade_entry_scratch scratch;
    struct trade_update update;
    struct slice field;
    struct errmsg why;
    if (!trade_entry_parse(&item->entry, &scratch, &update, &field, &why)) {
        ingest_reject(&d->ingest, &item->entry, field.data, slice_text(why.text));
        return;
    }
    struct slice id = update.value[TRADE_TRADE_ID];
    /* One that came to be held since is stored by a batch, which finds out itself what its key is by then. */
    if (item->wrong_type && !trade_book_find(&d->trades, id)) {
        struct buf reason = BUF_INIT;
        buf_add_format(&reason, "trade:%.*s: wrong type in Redis", (int)id.len, id.data);
        ingest_reject(&d->ingest, &item->entry, "wrong_type", buf_slice(&reason));
        buf_clear(&reason);
        trade_io_unindex(io, id);
        return;
    }
    struct cause cause = {CAUSE_TRADE, item->entry.id};
    struct sink *sink = commit_sink(&d->commit);
    sink->ops->begin(sink->ctx, &cause);
    struct trade_stored stored = {item->stored_state, ident_slice(&item->stored_instance)};
    int64_t now_ms = daemon_now_ms(d);
    int64_t at_ms = item->entry.id.ms < (uint64_t)now_ms ? (int64_t)item->entry.id.ms : now_ms;
    trade_book_on_update(&d->trades, &update, &stored, &cause, at_ms, sink);
    commit_note_trade(&d->commit, id, item->read_us);
}

/* What Redis holds about it must be known first: it has a valid id, and is not in memory. */
static bool must_be_looked_up(const struct trade_io *io, const struct trade_item *item)
{
    struct slice id = item->entry.value[TRADE_TRADE_ID];
    return item->look != LOOK_DONE && item->entry.present & 1U << TRADE_TRADE_ID &&
           ident_is_valid(id, IDENT_MAX) && !trade_book_find(&io->d->trades, id);
}

static void look_up_all(struct trade_io *io)
{
    if (loop_now_ms() < io->look_again_ms)
        return; /* the next read that ends comes back */
    for (uint32_t i = 0; i < io->count; i++) {
        const struct trade_item *item = item_at(io, i);
        if (item->look == LOOK_NONE && must_be_looked_up(io, item) &&
            !look_up(io, i, item->entry.value[TRADE_TRADE_ID]))
            return;
    }
}

void trade_io_go_on(struct trade_io *io)
{
    struct daemon *d = io->d;
    bool has_news = false;
    look_up_all(io);
    while (io->count && !io->looking) {
        struct trade_item *item = item_at(io, 0);
        if (must_be_looked_up(io, item))
            break; /* Redis does not say: it is asked again */
        apply(io, item);
        ingest_trade_handled(&d->ingest, item->entry.id);
        drop_first(io);
        if (commit_is_full(&d->commit))
            commit_kick(&d->commit);
        has_news = true;
    }
    if (has_news && !daemon_is_home(d)) /* there may be a rule about open trades */
        ingest_wake(&daemon_of(d, LAYER_RIS)->ingest);
}

void trade_io_stored(struct trade_io *io, struct slice trade_id, int64_t read_us, int64_t sent_us,
                     int64_t stored_us)
{
    histogram_observe(&io->write_seconds, (double)(stored_us - sent_us) / 1e6);
    struct trade_stat *stat = trade_stats_touch(&io->stats, trade_id, daemon_now_ms(io->d));
    if (!stat)
        return;
    stat->latency_us = (double)(stored_us - read_us);
    stat->set_latency_us = (double)(stored_us - sent_us);
    trade_stat_count(stat, daemon_now_ms(io->d));
}

static void on_probed(void *ctx, void *object)
{
    struct trade_io *io = ctx;
    const redisReply *reply = object;
    io->probing = false;
    if (!reply || reply->type != REDIS_REPLY_ARRAY)
        return;
    double us = (double)(loop_now_us() - io->probe_sent_us);
    histogram_observe(&io->read_seconds, us / 1e6);
    struct trade_stat *stat = trade_stats_find(&io->stats, ident_slice(&io->probe_id));
    if (stat)
        stat->retrieval_latency_us = us;
}

/* Reads back one of the newest trades in turn. */
static void probe(struct trade_io *io)
{
    int64_t now_ms = daemon_now_ms(io->d);
    for (uint32_t tried = 0; tried < io->stats.count; tried++) {
        const struct trade_stat *stat = &io->stats.items[io->probe_next++ % io->stats.count];
        if (!trade_stat_is_young(&io->stats, stat, now_ms))
            continue;
        io->probe_id = stat->id;
        struct key key = key_record(RECORD_TRADE, ident_slice(&stat->id));
        struct slice words[] = {slice_text("HGETALL"), key_slice(&key)};
        io->probe_sent_us = loop_now_us();
        io->probing = redis_link_command(io->d->link, words, ARRAY_LEN(words), 0, on_probed, io) == 0;
        io->probes++;
        return;
    }
}

static void on_probe_timer(void *ctx)
{
    struct trade_io *io = ctx;
    if (!io->probing && lead_is_active(&io->d->lead))
        probe(io);
    arm_probe(io);
}
