/* Trades whose hash has expired leave their set (SPEC §13). The batch that puts the ttl on a hash notes in
 * KEY_TRADE_EXPIRY when that will be; what is due is looked up and taken out. */
#include "adapters/log.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "app/refusal.h"
#include "codec/keys.h"
#include "util/alloc.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>

/* Trades swept at once; where so many were due the next follow once these are stored. */
#define SWEEP_MAX      500
#define SWEEP_MAX_TEXT "500"

struct swept {
    struct trade_io *io;
    uint64_t generation;
    uint64_t batch; /* of the trades, the first that was not stored when it was asked for */
    struct ident id;
};

/* Takes ID out of the sets of ended trades, but for the one that it belongs to: its hash is GONE, or its id
 * has been given to a new trade. */
static void sweep(struct daemon *d, struct slice id, bool gone, struct sink *sink)
{
    static const enum trade_state ended[] = {TRADE_CLOSED, TRADE_FAILED};
    const struct trade *trade = trade_book_find(&d->trades, id);
    if (!trade && !gone)
        return;
    for (size_t i = 0; i < ARRAY_LEN(ended); i++)
        if (gone || trade->state != ended[i])
            sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, id, trade_state_name(ended[i]), NULL);
    reconcile_count(&d->reconcile, REPAIR_TRADE);
}

/* TTL of a trade that is due: -2 where it is gone. */
static void on_ttl(void *ctx, void *object)
{
    struct swept *swept = ctx;
    struct daemon *d = swept->io->d;
    const redisReply *reply = object;
    struct slice id = ident_slice(&swept->id);
    refusal_tell(d, "TTL", reply);
    const struct trade *trade = trade_book_find(&d->trades, id);
    /* What was touched since it was asked for is left to the next pass. */
    bool touched = trade && trade->batch >= swept->batch;
    if (reply && reply->type == REDIS_REPLY_INTEGER && swept->generation == swept->io->generation &&
        !touched) {
        int64_t now_s = daemon_now_ms(d) / 1000;
        struct sink *sink = commit_sink(&d->commit);
        struct cause cause = {CAUSE_RECONCILE, {(uint64_t)daemon_now_ms(d), 0}};
        sink->ops->begin(sink->ctx, &cause);
        if (reply->integer >= 0) {
            batch_expect_expiry(d->commit.filling, id, now_s + reply->integer + 1);
        } else {
            batch_forget_expiry(d->commit.filling, id);
            sweep(d, id, reply->integer == -2, sink);
        }
        commit_kick(&d->commit);
    }
    free(swept);
}

static void on_due(void *ctx, void *object)
{
    struct trade_io *io = ctx;
    const redisReply *reply = object;
    refusal_tell(io->d, "ZRANGEBYSCORE", reply);
    if (!reply || reply->type != REDIS_REPLY_ARRAY)
        return;
    io->sweep_again = reply->elements == SWEEP_MAX;
    for (size_t i = 0; i < reply->elements; i++) {
        struct slice id = slice_of(reply->element[i]->str, reply->element[i]->len);
        if (!ident_is_valid(id, IDENT_MAX))
            continue;
        struct swept *swept = mem_new(1, sizeof *swept);
        swept->io = io;
        swept->generation = io->generation;
        swept->batch = io->d->trades.batch - (commit_is_settled(&io->d->commit) ? 0 : 1);
        ident_set(&swept->id, id);
        struct key key = key_record(RECORD_TRADE, id);
        struct slice words[] = {slice_text("TTL"), key_slice(&key)};
        if (redis_link_command(io->d->link, words, ARRAY_LEN(words), 0, on_ttl, swept))
            free(swept);
    }
}

void trade_sweep_on_stored(struct trade_io *io)
{
    if (io->sweep_again && commit_is_idle(&io->d->commit))
        trade_sweep_start(io);
}

void trade_sweep_start(struct trade_io *io)
{
    io->sweep_again = false;
    char now[NUMBER_TEXT_MAX];
    size_t len = number_format_i64(now, daemon_now_ms(io->d) / 1000);
    struct slice words[] = {slice_text("ZRANGEBYSCORE"), slice_text(KEY_TRADE_EXPIRY), slice_text("-inf"),
                            slice_of(now, len),          slice_text("LIMIT"),          slice_text("0"),
                            slice_text(SWEEP_MAX_TEXT)};
    (void)redis_link_command(io->d->link, words, ARRAY_LEN(words), 0, on_due,
                             io); /* the next pass asks again */
}
