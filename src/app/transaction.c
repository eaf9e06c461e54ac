#include "app/transaction.h"
#include "adapters/log.h"
#include "adapters/redis_link.h"
#include "app/commit.h"
#include "app/daemon.h"
#include "codec/keys.h"
#include "util/alloc.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>

/* One round trip: all answers go to it, and it is freed with the last. */
struct round {
    struct commit *c;
    uint64_t attempt; /* of the commit, when it was sent */
    size_t next, count;
    bool is_exec;
    bool is_as_expected;
};

static void on_answer(void *ctx, void *object);

static bool send_round(struct commit *c, bool is_exec, size_t count)
{
    struct round *round = mem_new(1, sizeof *round);
    *round = (struct round){c, c->attempt, 0, count, is_exec, true};
    int r = redis_link_send(c->d->link, buf_slice(&c->rendered), count, 0, on_answer, round);
    commit_drop_rendered(c);
    if (r)
        free(round);
    return r == 0;
}

bool transaction_begin(struct commit *c)
{
    return send_round(c, false, batch_render_look(c->sent, &c->rendered));
}

static struct slice text_of(const redisReply *reply)
{
    bool has_text = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ||
                    reply->type == REDIS_REPLY_ERROR;
    return has_text ? slice_of(reply->str, reply->len) : slice_of(NULL, 0);
}

static bool is_ours(const struct commit *c, const redisReply *known)
{
    char number[NUMBER_TEXT_MAX];
    if (known->type != REDIS_REPLY_ARRAY || known->elements != 2)
        return false;
    struct slice applied = slice_of(number, number_format_u64(number, c->sent->number - 1));
    return slice_equal(text_of(known->element[0]), lead_epoch(&c->d->lead)) &&
           slice_equal(text_of(known->element[1]), applied);
}

/* A user who may do no transactions is not asked again on this connection. */
static bool is_allowed(struct commit *c, struct slice answer)
{
    if (slice_is(answer, "OK") || c->no_transactions)
        return !c->no_transactions;
    c->no_transactions = true;
    LOG(c->d->log, WARN,
        "the Redis user may not do transactions: large batches are stored by script, which costs Redis twice "
        "as much",
        log_slice("may_not", answer));
    return false;
}

static bool is_as_looked_for(struct commit *c, const redisReply *reply, size_t place)
{
    switch (place) {
    case 0:
        return is_allowed(c, text_of(reply));
    case 1:
    case 2:
        return slice_is(text_of(reply), "OK"); /* UNWATCH, WATCH */
    case 3:
        return slice_equal(text_of(reply), lead_token(&c->d->lead));
    case 4:
        return is_ours(c, reply);
    default:
        return batch_type_suits(c->sent, (uint32_t)(place - BATCH_LOOK_HEAD), text_of(reply));
    }
}

static void on_looked(struct commit *c, bool is_as_expected)
{
    if (!lead_may_write(&c->d->lead)) {
        c->in_flight = false;
        return; /* sent again once it may */
    }
    if (!is_as_expected || !send_round(c, true, batch_render_transaction(c->sent, &c->rendered)))
        commit_send_script(c);
}

/* REPLY answers EXEC. */
static void on_executed(struct commit *c, const redisReply *reply)
{
    static const char aborted[] = "EXECABORT";
    struct slice text = text_of(reply);
    if (reply->type == REDIS_REPLY_ARRAY)
        commit_on_transacted(c, reply);
    else if (reply->type == REDIS_REPLY_NIL ||
             (text.len >= sizeof aborted - 1 && memcmp(text.data, aborted, sizeof aborted - 1) == 0))
        commit_send_script(c);
    else /* the connection may still be in the transaction */
        redis_link_drop(c->d->link, "a transaction was not carried out", true);
}

static void take(struct round *round, const redisReply *reply, bool is_last)
{
    struct commit *c = round->c;
    if (c->attempt != round->attempt || !c->has_sent)
        return;
    if (!reply) {
        c->in_flight = false; /* unknown: sent again when the link is back */
        return;
    }
    if (round->is_exec) {
        if (is_last)
            on_executed(c, reply);
        return;
    }
    if (round->is_as_expected)
        round->is_as_expected = is_as_looked_for(c, reply, round->next);
    if (is_last)
        on_looked(c, round->is_as_expected);
}

static void on_answer(void *ctx, void *object)
{
    struct round *round = ctx;
    bool is_last = round->next + 1 == round->count;
    take(round, object, is_last);
    round->next++;
    if (is_last)
        free(round);
}
