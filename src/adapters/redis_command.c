/* Commands and answers of a link that is up: bounds, order, deadlines. */
#include "redis_link_internal.h"

#include "adapters/loop.h"
#include "redis_format.h"
#include <errno.h>
#include <hiredis/hiredis.h>

/* A timer that comes later than this was not late by chance. */
#define HELD_UP_MS 20

static void free_answer(const struct redis_link *link, void *answer)
{
    const redisReplyObjectFunctions *functions = link->options.reply_functions;

    if (functions && functions->freeObject)
        functions->freeObject(answer);
}

bool redis_command_take(struct redis_link *link, void *answer)
{
    redis_reply_fn fn;
    void *ctx;

    if (redis_inflight_take(&link->inflight, &fn, &ctx)) {
        if (fn)
            fn(ctx, answer);
    } else if (link->is_subscribed) {
        if (link->events.push)
            link->events.push(link->ctx, answer);
    } else {
        free_answer(link, answer);
        redis_link_end(link, "protocol error: a reply that nothing asked for", true);
        return false;
    }
    free_answer(link, answer);
    return !is_gone(link);
}

void redis_command_answer_unknown(struct redis_link *link)
{
    redis_reply_fn fn;
    void *ctx;

    while (redis_inflight_take(&link->inflight, &fn, &ctx)) {
        if (fn)
            fn(ctx, NULL);
    }
}

static void await_answer(struct redis_link *link, int64_t deadline_ms, int64_t now_ms)
{
    link->timer_due_ms = deadline_ms;
    loop_timer_set(link->timer, deadline_ms - now_ms);
}

void redis_command_check_deadline(struct redis_link *link)
{
    struct errmsg why;
    int64_t now_ms = loop_now_ms();
    int64_t deadline_ms = redis_inflight_deadline(&link->inflight);
    int64_t late_ms = now_ms - link->timer_due_ms;

    if (deadline_ms == INT64_MAX)
        return;
    if (deadline_ms > now_ms) {
        await_answer(link, deadline_ms, now_ms);
        return;
    }
    /* Time in which this process did not run does not count: the answer may lie in the socket. */
    if (late_ms > HELD_UP_MS) {
        int timeout_ms = link->options.command_timeout_ms;

        await_answer(link, now_ms + (late_ms < timeout_ms ? late_ms : timeout_ms), now_ms);
        return;
    }
    link->stats.timeouts++;
    errmsg_set(&why, "no answer within %d ms", link->options.command_timeout_ms);
    redis_link_end(link, why.text, true);
}

/* 0 where COUNT commands of SIZE bytes may be sent now. */
static int admit_commands(struct redis_link *link, size_t size, size_t count)
{
    size_t unsent = redis_wire_unsent(&link->wire);

    if (!redis_link_is_up(link))
        return -ENOTCONN;
    if (count > link->options.max_inflight || link->inflight.commands > link->options.max_inflight - count ||
        size > link->options.max_bytes || unsent > link->options.max_bytes - size) {
        link->stats.refused += count;
        return -ENOBUFS;
    }
    return 0;
}

/* For commands whose bytes are in the output already. */
static void expect_answers(struct redis_link *link, size_t count, int64_t extra_ms, redis_reply_fn fn,
                           void *ctx)
{
    int64_t now_ms = loop_now_ms();
    int64_t deadline_ms = now_ms + link->options.command_timeout_ms + extra_ms;
    bool is_first = link->inflight.commands == 0;

    redis_inflight_add(&link->inflight, fn, ctx, count, deadline_ms);
    if (is_first && (!loop_timer_is_set(link->timer) || deadline_ms < link->timer_due_ms))
        await_answer(link, deadline_ms, now_ms);
    redis_link_tend_soon(link);
}

static int send_command(struct redis_link *link, const struct slice *argv, size_t argc, int64_t extra_ms,
                        redis_reply_fn fn, void *ctx)
{
    int r = admit_commands(link, redis_format_size(argv, argc), 1);

    if (r < 0)
        return r;
    redis_format_command(&link->wire.out, argv, argc);
    expect_answers(link, 1, extra_ms, fn, ctx);
    return 0;
}

int redis_link_command(struct redis_link *link, const struct slice *argv, size_t argc, int64_t extra_ms,
                       redis_reply_fn fn, void *ctx)
{
    return link->is_subscribed ? -EBUSY : send_command(link, argv, argc, extra_ms, fn, ctx);
}

int redis_link_send(struct redis_link *link, struct slice resp, size_t count, int64_t extra_ms,
                    redis_reply_fn fn, void *ctx)
{
    int r = link->is_subscribed ? -EBUSY : admit_commands(link, resp.len, count);

    if (r < 0)
        return r;
    buf_add_slice(&link->wire.out, resp);
    expect_answers(link, count, extra_ms, fn, ctx);
    return 0;
}

static void on_subscribed(void *ctx, void *reply)
{
    struct redis_link *link = ctx;

    if (reply && link->events.push)
        link->events.push(link->ctx, reply);
}

int redis_link_subscribe(struct redis_link *link, const struct slice *argv, size_t argc)
{
    /* The confirmation of the first name has a deadline; the others follow it as messages do. */
    int r = link->options.reply_functions ? -EINVAL : send_command(link, argv, argc, 0, on_subscribed, link);

    if (r == 0)
        link->is_subscribed = true;
    return r;
}
