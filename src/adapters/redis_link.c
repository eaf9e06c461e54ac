/* The life of a connection: tries, greeting, up, the end.
 *
 * A connection ends in redis_link_end, which tells the owner, or in redis_link_free; never in the middle of
 * an owner's call: redis_link_drop notes the wish, and the loop fulfils it. Any callback of the owner may
 * free the link, so each function that the loop calls holds it (hold_link, release_link), and whoever has
 * called the owner asks is_gone before touching the connection again. Commands are accepted while up only, so
 * nothing is in flight in any other state. */
#include "redis_link_internal.h"

#include "adapters/loop.h"
#include "redis_dial.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

static void on_dialed(void *ctx, const struct redis_socket *found, const char *error);

static void hold_link(struct redis_link *link)
{
    link->holds++;
}

static void release_link(struct redis_link *link)
{
    if (--link->holds == 0 && link->is_freed)
        free(link);
}

static bool is_connected(const struct redis_link *link)
{
    return link->state == LINK_GREETING || link->state == LINK_UP;
}

static void enter_state(struct redis_link *link, enum link_state state)
{
    link->state = state;
    link->is_unlocated = false;
    loop_timer_stop(link->timer);
}

void redis_link_tend_soon(struct redis_link *link)
{
    event_active(link->tend, EV_WRITE, 0);
}

static void close_connection(struct redis_link *link)
{
    redis_dial_free(link->dial);
    link->dial = NULL;
    redis_wire_close(&link->wire);
    redis_handshake_clear(&link->handshake);
    link->is_subscribed = false;
    link->is_dropping = false;
}

/* Doubles with each failure, spread over its upper half, and never leaves min and max. */
static int64_t next_delay_ms(const struct redis_link *link)
{
    int64_t min_ms = link->options.reconnect_min_ms > 1 ? link->options.reconnect_min_ms : 1;
    int64_t max_ms = link->options.reconnect_max_ms > min_ms ? link->options.reconnect_max_ms : min_ms;
    int64_t top_ms = min_ms;

    for (unsigned i = 0; i < link->failures && top_ms < max_ms; i++)
        top_ms *= 2;
    if (top_ms > max_ms)
        top_ms = max_ms;

    int64_t low_ms = top_ms / 2 > min_ms ? top_ms / 2 : min_ms;

    return low_ms + arc4random_uniform((uint32_t)(top_ms - low_ms + 1));
}

static void await_next_try(struct redis_link *link)
{
    enter_state(link, LINK_WAITING);
    if (link->is_moving)
        link->failures = 0;
    loop_timer_set(link->timer, link->is_moving ? 0 : next_delay_ms(link));
    link->failures += !link->is_moving;
}

static void count_end(struct redis_link *link)
{
    link->is_in_vain = link->state != LINK_UP;
    if (link->state != LINK_UP) {
        link->stats.connect_failures++;
        return;
    }
    link->stats.losses++;
    if (loop_now_ms() - link->up_since_ms >= link->options.reconnect_max_ms)
        link->failures = 0;
}

void redis_link_end(struct redis_link *link, const char *reason, bool reconnect)
{
    const struct redis_locator *locator = link->options.locator;
    bool was_up = link->state == LINK_UP, no_master = link->handshake.no_master;
    struct errmsg why; /* the reason may lie in what is closed now */

    errmsg_set(&why, "%s", reason);
    count_end(link);
    close_connection(link);
    if (reconnect)
        await_next_try(link);
    else
        enter_state(link, LINK_IDLE);
    link->is_moving = false;
    if (locator)
        locator->ended(locator->ctx, link, no_master);
    redis_command_answer_unknown(link);
    if (!link->is_freed && link->events.down)
        link->events.down(link->ctx, why.text, was_up);
}

/* False where the locator does not say where to. */
static bool locate(struct redis_link *link)
{
    const struct redis_locator *locator = link->options.locator;
    const char *host;

    if (!locator)
        return true;
    link->is_unlocated = !locator->find(locator->ctx, link, &host, &link->options.endpoint.port);
    if (link->is_unlocated)
        loop_timer_set(link->timer, link->options.reconnect_min_ms);
    else
        (void)snprintf(link->host, sizeof(link->host), "%s", host);
    return !link->is_unlocated;
}

static void begin_try(struct redis_link *link)
{
    int timeout_ms = link->options.connect_timeout_ms;

    if (!locate(link))
        return;
    enter_state(link, LINK_DIALING);
    link->connect_deadline_ms = loop_now_ms() + timeout_ms;
    link->dial =
        redis_dial_new(link->loop, &link->options.endpoint, timeout_ms, link->failures, on_dialed, link);
}

static void become_up(struct redis_link *link)
{
    redis_handshake_clear(&link->handshake);
    if (link->options.reply_functions)
        redis_wire_set_functions(&link->wire, link->options.reply_functions, link->options.reply_privdata);
    enter_state(link, LINK_UP);
    link->up_since_ms = loop_now_ms();
    link->stats.connects++;
    if (link->options.locator)
        link->options.locator->reached(link->options.locator->ctx, link);
    if (link->events.up)
        link->events.up(link->ctx);
}

static bool take_greeting(struct redis_link *link, struct redisReply *reply)
{
    struct errmsg why;
    enum redis_handshake_state state = redis_handshake_take(&link->handshake, reply, &why);

    if (state == REDIS_HANDSHAKE_FAILED) {
        redis_link_end(link, why.text, true);
        return false;
    }
    if (state == REDIS_HANDSHAKE_DONE)
        become_up(link);
    return !is_gone(link);
}

static bool on_reply(void *ctx, void *reply)
{
    struct redis_link *link = ctx;

    return link->state == LINK_UP ? redis_command_take(link, reply) : take_greeting(link, reply);
}

static void receive_input(struct redis_link *link)
{
    if (redis_wire_receive(&link->wire) == REDIS_WIRE_BROKEN)
        redis_link_end(link, link->wire.error.text, true);
}

static void send_output(struct redis_link *link)
{
    if (!is_connected(link) || redis_wire_flush(&link->wire))
        return;

    struct errmsg why = link->wire.error;

    /* A server that closes says why before. */
    receive_input(link);
    if (!is_gone(link) && is_connected(link))
        redis_link_end(link, why.text, true);
}

static void on_tend(evutil_socket_t fd, short what, void *arg)
{
    struct redis_link *link = arg;

    UNUSED(fd);
    UNUSED(what);
    hold_link(link);
    if (link->is_dropping)
        redis_link_end(link, link->drop_reason.text, link->drop_reconnects);
    else
        send_output(link);
    release_link(link);
}

static void on_ready(int fd, short what, void *arg)
{
    struct redis_link *link = arg;

    UNUSED(fd);
    if (is_gone(link))
        return;
    hold_link(link);
    if (what & EV_READ)
        receive_input(link);
    if ((what & EV_WRITE) && !is_gone(link))
        send_output(link);
    release_link(link);
}

static void on_dialed(void *ctx, const struct redis_socket *found, const char *error)
{
    struct redis_link *link = ctx;
    struct redis_socket socket = *found;
    struct errmsg why;

    if (is_gone(link)) {
        redis_socket_close(&socket);
        return;
    }
    hold_link(link);
    if (error) {
        redis_link_end(link, error, true);
        release_link(link);
        return;
    }
    redis_dial_free(link->dial);
    link->dial = NULL;
    redis_wire_open(&link->wire, &socket);
    enter_state(link, LINK_GREETING);
    loop_timer_set(link->timer, link->connect_deadline_ms - loop_now_ms());
    if (redis_handshake_begin(&link->handshake, &link->options.endpoint, link->options.client_name,
                              link->options.locator != NULL, &link->wire.out, &why))
        send_output(link);
    else
        redis_link_end(link, why.text, true);
    release_link(link);
}

static void on_link_timer(void *ctx)
{
    struct redis_link *link = ctx;
    struct errmsg why;

    if (is_gone(link))
        return;
    hold_link(link);
    if (link->state == LINK_WAITING) {
        begin_try(link);
    } else if (link->state == LINK_GREETING) {
        errmsg_set(&why, "no answer to %s within %d ms", redis_handshake_step(&link->handshake),
                   link->options.connect_timeout_ms);
        redis_link_end(link, why.text, true);
    } else if (link->state == LINK_UP) {
        redis_command_check_deadline(link);
    }
    release_link(link);
}

struct redis_link *redis_link_new(struct loop *loop, const struct redis_link_options *options,
                                  const struct redis_link_events *events, void *ctx)
{
    struct redis_link *link = mem_new(1, sizeof(*link));

    link->loop = loop;
    link->options = *options;
    link->events = *events;
    link->ctx = ctx;
    link->timer = loop_timer_new(loop, on_link_timer, link);
    link->tend = event_new(loop_event_base(loop), -1, 0, on_tend, link);
    if (!link->tend)
        mem_fail();
    redis_wire_init(&link->wire, loop_event_base(loop), on_ready, on_reply, link);
    if (options->reply_max_bytes)
        link->wire.reply_max_bytes = options->reply_max_bytes;
    if (options->locator) {
        link->options.endpoint.host = link->host;
        options->locator->join(options->locator->ctx, link);
    }
    return link;
}

void redis_link_free(struct redis_link *link)
{
    if (!link || link->is_freed)
        return;
    hold_link(link);
    link->is_freed = true;
    if (link->options.locator)
        link->options.locator->leave(link->options.locator->ctx, link);
    close_connection(link);
    enter_state(link, LINK_IDLE);
    redis_command_answer_unknown(link);
    redis_inflight_clear(&link->inflight);
    redis_wire_clear(&link->wire);
    event_free(link->tend);
    loop_timer_free(link->timer);
    release_link(link);
}

void redis_link_start(struct redis_link *link)
{
    link->drop_reconnects = true; /* where a drop is still to be fulfilled */
    if (link->is_freed || link->state != LINK_IDLE)
        return;
    enter_state(link, LINK_WAITING);
    loop_timer_set(link->timer, 0);
}

void redis_link_drop(struct redis_link *link, const char *reason, bool reconnect)
{
    if (link->state == LINK_WAITING && !reconnect)
        enter_state(link, LINK_IDLE);
    if (link->state == LINK_IDLE || link->state == LINK_WAITING)
        return;
    if (link->is_dropping) {
        link->drop_reconnects = link->drop_reconnects && reconnect;
        return;
    }
    errmsg_set(&link->drop_reason, "%s", reason);
    link->drop_reconnects = reconnect;
    link->is_dropping = true;
    redis_link_tend_soon(link);
}

void redis_link_hurry(struct redis_link *link)
{
    if (link->state == LINK_WAITING && (link->is_in_vain || link->is_unlocated))
        loop_timer_set(link->timer, 0);
}

void redis_link_move(struct redis_link *link, const char *reason)
{
    if (link->state == LINK_WAITING) {
        link->failures = 0;
        loop_timer_set(link->timer, 0);
        return;
    }
    link->is_moving = link->state != LINK_IDLE;
    redis_link_drop(link, reason, true);
}

void redis_link_look_again(struct redis_link *link)
{
    if (link->state == LINK_WAITING && link->is_unlocated)
        loop_timer_set(link->timer, 0);
}

const struct redis_endpoint *redis_link_endpoint(const struct redis_link *link)
{
    return &link->options.endpoint;
}

bool redis_link_is_up(const struct redis_link *link)
{
    return link->state == LINK_UP && !is_gone(link);
}

void redis_link_set_backoff(struct redis_link *link, int min_ms, int max_ms)
{
    link->options.reconnect_min_ms = min_ms;
    link->options.reconnect_max_ms = max_ms;
}

void redis_link_give_back(struct redis_link *link)
{
    redis_wire_give_back(&link->wire);
}

void redis_link_get_stats(const struct redis_link *link, struct redis_link_stats *ret_stats)
{
    *ret_stats = link->stats;
    ret_stats->bytes_in = link->wire.bytes_in;
    ret_stats->bytes_out = link->wire.bytes_out;
}

void redis_link_flush(struct redis_link *link)
{
    if (link->state == LINK_UP && !is_gone(link))
        (void)redis_wire_flush(&link->wire); /* what fails fails again, where the loop tends to it */
}

size_t redis_link_inflight(const struct redis_link *link)
{
    return link->inflight.commands;
}
