/* Loading the trades that are held in memory: every open one, and the newest of those that have ended.
 *
 * Which these are is known from KEY_TRADE_EXPIRY, which each batch that ends a trade or updates an ended one
 * writes along: with the same TTL for all, what expires last was updated last. So one range tells them,
 * however many have ended, and it is no more than the book holds. */
#include "app/daemon.h"
#include "codec/keys.h"
#include "load_private.h"
#include "util/number.h"
#include "util/time_text.h"

/* Trades that are asked for at once. */
#define SLICE_MAX 2000

static void take(struct load *load, const redisReply *reply, struct slice id, bool open)
{
    enum trade_state state;
    int64_t updated_ms = daemon_now_ms(load->d);
    if (reply->elements != 3 || !trade_state_parse(load_text(reply->element[0]), &state) ||
        trade_state_is_open(state) != open)
        return; /* one that has expired has no state */
    struct slice instance = load_text(reply->element[1]);
    (void)time_text_parse(load_text(reply->element[2]), &updated_ms); /* now, where it is missing */
    trade_book_load(&load->d->trades, id, ident_is_valid(instance, IDENT_MAX) ? instance : slice_of("", 0),
                    state, updated_ms);
}

static void on_ended(struct load *load, const redisReply *reply, int i)
{
    take(load, reply, ident_slice(&load->ids->ended.ids[i]), false);
}

void load_trade_again(struct load *load, const redisReply *reply, struct slice id)
{
    struct trade *known = trade_book_find(&load->d->trades, id);
    if (known)
        trade_book_forget(&load->d->trades, known);
    take(load, reply, id, true);
    take(load, reply, id, false);
}

bool load_ask_trade(struct load *load, struct slice id, uint32_t i,
                    void (*fn)(struct load *, const redisReply *, int))
{
    struct key key = key_record(RECORD_TRADE, id);
    struct slice words[] = {slice_text("HMGET"), key_slice(&key), slice_text("state"),
                            slice_text("instance_id"), slice_text("last_updated_at")};
    uint64_t generation = load->generation;
    load_send(load, words, ARRAY_LEN(words), fn, (int)i, slice_of(NULL, 0));
    return generation == load->generation;
}

static bool ask(struct load *load, const struct id_queue *queue, uint32_t i,
                void (*fn)(struct load *, const redisReply *, int))
{
    return load_ask_trade(load, ident_slice(&queue->ids[i]), i, fn);
}

static void on_open(struct load *load, const redisReply *reply, int i)
{
    take(load, reply, ident_slice(&load->ids->trades.ids[i]), true);
}

void load_open_trades(struct load *load)
{
    struct load_ids *ids = load->ids;
    for (int n = 0; n < SLICE_MAX && ids->open_asked < ids->trades.count; n++)
        if (!ask(load, &ids->trades, ids->open_asked++, on_open))
            return;
    if (ids->open_asked < ids->trades.count)
        load->step--; /* comes back here once these have been answered */
}

static void on_ended_ids(struct load *load, const redisReply *reply, int arg)
{
    UNUSED(arg);
    for (size_t i = 0; i < reply->elements; i++)
        (void)id_queue_add(&load->ids->ended, load_text(reply->element[i]), load->d->trades.max_others);
    load->ids->ended_left = load->ids->ended.count;
}

void load_ended_ids(struct load *load)
{
    char last[NUMBER_TEXT_MAX];
    size_t len = number_format_u64(last, load->d->trades.max_others - 1);
    struct slice words[] = {slice_text("ZRANGE"), slice_text(KEY_TRADE_EXPIRY), slice_text("0"),
                            slice_of(last, len), slice_text("REV")};
    load_send(load, words, ARRAY_LEN(words), on_ended_ids, 0, words[1]);
}

/* Newest first in the queue, oldest first into the book. */
void load_ended_trades(struct load *load)
{
    struct load_ids *ids = load->ids;
    if (!ids->ended_left)
        return;
    for (int n = 0; n < SLICE_MAX && ids->ended_left; n++)
        if (!ask(load, &ids->ended, --ids->ended_left, on_ended))
            return;
    load->step--; /* comes back here once these have been answered */
}
