/* One Sentinel: connected to, asked, listened to. What it says is judged elsewhere (redis_sentinel.c). */
#include "redis_sentinel_internal.h"

#include "adapters/log.h"
#include "adapters/loop.h"
#include "util/alloc.h"
#include "util/errmsg.h"
#include "util/macros.h"
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

/* Tries to reach it: the first delay and every other, so that it is two a second at most. */
#define RECONNECT_MIN_MS 500
#define RECONNECT_MAX_MS 1000

#define ASK_MS        1000 /* as a rule, and always where it is of no use */
#define ASK_HOT_MS    100
#define ASK_OTHERS_MS 10000
#define OTHERS_MAX    64 /* looked at in one answer */

#define INFLIGHT_MAX    16
#define BYTES_MAX       4096
#define REPLY_MAX_BYTES ((size_t)1 << 20) /* a thousand Sentinels */

/* What is told of as it happens: that the master is missed, that a replica has become the master
 * (+switch-master comes when all is done, which may be a second later), that all is done. */
static const char *const channels[] = {"+switch-master", "+sdown",          "+odown",
                                       "+try-failover",  "+promoted-slave", "+failover-state-reconf-slaves",
                                       "+failover-end"};

/* What is told of a Sentinel: once per reason, however often it repeats. */
struct trouble {
    char where[SENTINEL_ADDRESS_TEXT_MAX];
    struct errmsg key;
};

static struct trouble begin_trouble(struct sentinel_peer *peer, struct slice reason)
{
    struct trouble trouble;

    sentinel_address_format(&peer->at, trouble.where);
    errmsg_set(&trouble.key, "sentinel %s: %.*s", trouble.where, (int)reason.len, reason.data);
    peer->owner->trouble(peer->owner->ctx, trouble.key.text);
    return trouble;
}

static void tell_unreached(struct sentinel_peer *peer, struct slice reason)
{
    struct trouble trouble = begin_trouble(peer, reason);

    LOG_LIMITED(peer->owner->log, WARN, slice_text(trouble.key.text), "cannot reach a sentinel",
                log_text("sentinel", trouble.where), log_slice("reason", reason));
}

static void tell_unheard(struct sentinel_peer *peer, struct slice reason)
{
    struct trouble trouble = begin_trouble(peer, reason);

    LOG_LIMITED(peer->owner->log, WARN, slice_text(trouble.key.text),
                "cannot listen to a sentinel; it is asked only", log_text("sentinel", trouble.where),
                log_slice("reason", reason));
}

static void tell_unnamed(struct sentinel_peer *peer, struct slice reason)
{
    struct trouble trouble = begin_trouble(peer, reason);

    LOG_LIMITED(peer->owner->log, ERROR, slice_text(trouble.key.text), "a sentinel does not name the master",
                log_text("sentinel", trouble.where), log_text("master", peer->owner->options.master_name),
                log_slice("reason", reason));
}

static void on_down(void *ctx, const char *reason, bool was_up)
{
    struct sentinel_peer *peer = ctx;

    UNUSED(was_up);
    peer->is_asking = false;
    redis_link_drop(peer->channel, "its sentinel is away", false);
    tell_unreached(peer, slice_text(reason));
    sentinel_arm(peer->owner);
}

static void on_up(void *ctx)
{
    struct sentinel_peer *peer = ctx;

    peer->due_ms = peer->others_due_ms = loop_now_ms();
    sentinel_peer_ask(peer);
}

static void on_channel_up(void *ctx)
{
    struct sentinel_peer *peer = ctx;
    struct slice argv[1 + ARRAY_LEN(channels)] = {SLICE("SUBSCRIBE")};

    for (size_t i = 0; i < ARRAY_LEN(channels); i++)
        argv[1 + i] = slice_text(channels[i]);
    (void)redis_link_subscribe(peer->channel, argv, ARRAY_LEN(argv)); /* where it fails, the link has ended */
}

static void on_channel_down(void *ctx, const char *reason, bool was_up)
{
    struct sentinel_peer *peer = ctx;

    UNUSED(was_up);
    if (redis_link_is_up(peer->link))
        tell_unheard(peer, slice_text(reason));
}

static void on_push(void *ctx, const struct redisReply *message)
{
    struct sentinel_peer *peer = ctx;

    if (message->type == REDIS_REPLY_ERROR)
        tell_unheard(peer, slice_of(message->str, message->len));
    else if (sentinel_message_is_about(message, peer->owner->options.master_name))
        sentinel_on_hint(peer->owner, peer);
}

static struct redis_link *make_link(struct sentinel_peer *peer, const struct redis_link_events *events)
{
    const struct redis_sentinel_options *o = &peer->owner->options;
    struct redis_link_options options = {
        .endpoint = {.scheme = peer->scheme,
                     .host = peer->at.host,
                     .port = peer->at.port,
                     .username = o->username,
                     .password = "",
                     .password_file = o->password_file,
                     .tls_ca_file = o->tls_ca_file,
                     .tls_cert_file = o->tls_cert_file,
                     .tls_key_file = o->tls_key_file},
        .client_name = o->client_name,
        .connect_timeout_ms = o->connect_timeout_ms,
        .command_timeout_ms = o->command_timeout_ms,
        .reconnect_min_ms = RECONNECT_MIN_MS,
        .reconnect_max_ms = RECONNECT_MAX_MS,
        .max_inflight = INFLIGHT_MAX,
        .max_bytes = BYTES_MAX,
        .reply_max_bytes = REPLY_MAX_BYTES,
    };

    return redis_link_new(peer->owner->loop, &options, events, peer);
}

struct sentinel_peer *sentinel_peer_new(struct redis_sentinel *owner, const struct sentinel_address *at,
                                        enum redis_scheme scheme, bool is_learned)
{
    static const struct redis_link_events link_events = {.up = on_up, .down = on_down};
    static const struct redis_link_events channel_events = {on_channel_up, on_channel_down, on_push};
    struct sentinel_peer *peer = mem_new(1, sizeof(*peer));

    peer->owner = owner;
    peer->at = *at;
    peer->scheme = scheme;
    peer->is_learned = is_learned;
    peer->named_ms = loop_now_ms();
    peer->link = make_link(peer, &link_events);
    peer->channel = make_link(peer, &channel_events);
    return peer;
}

void sentinel_peer_free(struct sentinel_peer *peer)
{
    if (!peer)
        return;
    redis_link_free(peer->channel);
    redis_link_free(peer->link);
    free(peer);
}

void sentinel_peer_start(struct sentinel_peer *peer)
{
    redis_link_start(peer->link);
}

bool sentinel_peer_may_be_asked(const struct sentinel_peer *peer)
{
    return !peer->is_asking && !peer->is_doomed && redis_link_is_up(peer->link);
}

/* The first half of an answer: the address. NULL here and below: the link ended, and tells of it. */
static void on_address(void *ctx, void *object)
{
    struct sentinel_peer *peer = ctx;
    const redisReply *reply = object;

    peer->heard.host[0] = '\0';
    if (!reply || sentinel_parse_address(reply, &peer->heard))
        return;
    if (reply->type == REDIS_REPLY_NIL)
        tell_unnamed(peer, slice_text("it knows no master of that name"));
    else if (reply->type == REDIS_REPLY_ERROR)
        tell_unnamed(peer, slice_of(reply->str, reply->len));
    else
        tell_unnamed(peer, slice_text("its answer cannot be understood"));
}

/* The second half. One that may not be asked for it counts as having the lowest epoch. */
static void on_state(void *ctx, void *object)
{
    struct sentinel_peer *peer = ctx;
    struct sentinel_state state = {0};

    peer->is_asking = false;
    if (!object)
        return;
    (void)sentinel_parse_state(object, &state);
    peer->vote = (struct sentinel_vote){peer->heard, state.epoch, loop_now_ms()};
    peer->is_useless = !peer->heard.host[0];
    peer->is_in_trouble = state.is_in_trouble;
    if (!peer->is_useless)
        redis_link_start(peer->channel);
    sentinel_on_vote(peer->owner, peer);
    peer->due_ms = peer->asked_ms + (!peer->is_useless && sentinel_is_hot(peer->owner) ? ASK_HOT_MS : ASK_MS);
    sentinel_arm(peer->owner);
}

static void on_id(void *ctx, void *object)
{
    struct sentinel_peer *peer = ctx;

    if (object && sentinel_parse_id(object, peer->id))
        sentinel_on_id(peer->owner, peer);
}

static void on_others(void *ctx, void *object)
{
    struct sentinel_peer *peer = ctx;
    const redisReply *reply = object;
    struct sentinel_other other;

    if (!reply || reply->type != REDIS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i < reply->elements && i < OTHERS_MAX; i++) {
        if (sentinel_parse_other(reply->element[i], &other))
            sentinel_on_other(peer->owner, peer, &other);
    }
}

static void ask_for_others(struct sentinel_peer *peer)
{
    struct slice id[] = {SLICE("SENTINEL"), SLICE("MYID")};
    struct slice others[] = {SLICE("SENTINEL"), SLICE("SENTINELS"),
                             slice_text(peer->owner->options.master_name)};

    if (!peer->id[0])
        (void)redis_link_command(peer->link, id, ARRAY_LEN(id), 0, on_id, peer);
    (void)redis_link_command(peer->link, others, ARRAY_LEN(others), 0, on_others, peer);
    peer->others_due_ms = loop_now_ms() + ASK_OTHERS_MS;
}

void sentinel_peer_ask(struct sentinel_peer *peer)
{
    struct slice name = slice_text(peer->owner->options.master_name);
    struct slice address[] = {SLICE("SENTINEL"), SLICE("GET-MASTER-ADDR-BY-NAME"), name};
    struct slice state[] = {SLICE("SENTINEL"), SLICE("MASTER"), name};

    peer->asked_ms = loop_now_ms();
    peer->due_ms = peer->asked_ms + ASK_MS;
    peer->is_asking = redis_link_command(peer->link, address, ARRAY_LEN(address), 0, on_address, peer) == 0 &&
                      redis_link_command(peer->link, state, ARRAY_LEN(state), 0, on_state, peer) == 0;
    if (peer->is_asking && peer->asked_ms >= peer->others_due_ms && !peer->is_useless)
        ask_for_others(peer);
}
