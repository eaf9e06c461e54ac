/* The address of the master, and those who use it.
 *
 * `choice` is the address that was taken; links connect to it while it `is_confirmed`. A link that ends there
 * raises a doubt: a Sentinel that is asked after that must say it again (or another one) first. `scout` is
 * the one link that tries an address which none has reached yet. */
#include "redis_sentinel_internal.h"

#include "adapters/log.h"
#include "adapters/loop.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOON_MS      10    /* between two questions, whatever happens */
#define HASTE_MS     100   /* where a link has ended */
#define HOT_MS       2000  /* asked often for so long, after a hint */
#define IDLE_MS      1000  /* the timer, where nobody can be asked */
#define NO_MASTER_MS 500   /* between two tries of what says that it is no master */
#define DIFFER_MS    3000  /* Sentinels may differ for so long without a word: news take two seconds */
#define FORGET_MS    60000 /* one that nobody names and that does not answer */

static void move_links(struct redis_sentinel *s)
{
    for (size_t i = 0; i < s->link_count; i++)
        redis_link_move(s->links[i], "the master is elsewhere now");
}

static void wake_links(struct redis_sentinel *s)
{
    for (size_t i = 0; i < s->link_count; i++)
        redis_link_look_again(s->links[i]);
}

static bool is_at_choice(const struct redis_sentinel *s, const struct redis_link *link)
{
    const struct redis_endpoint *endpoint = redis_link_endpoint(link);

    return endpoint->port == s->choice.master.port && strcmp(endpoint->host, s->choice.master.host) == 0;
}

static void on_join(void *ctx, struct redis_link *link)
{
    struct redis_sentinel *s = ctx;

    assert(s->link_count < SENTINEL_LINKS_MAX);
    s->links[s->link_count++] = link;
}

static void on_leave(void *ctx, struct redis_link *link)
{
    struct redis_sentinel *s = ctx;
    size_t i = 0;

    while (i < s->link_count && s->links[i] != link)
        i++;
    if (i == s->link_count)
        return;
    s->links[i] = s->links[--s->link_count];
    if (s->scout == link)
        s->scout = NULL;
}

static bool on_find(void *ctx, const struct redis_link *link, const char **ret_host, uint16_t *ret_port)
{
    struct redis_sentinel *s = ctx;

    if (!s->is_confirmed || loop_now_ms() < s->not_until_ms ||
        (!s->is_reached && s->scout && s->scout != link))
        return false;
    if (!s->is_reached)
        s->scout = link;
    *ret_host = s->choice.master.host;
    *ret_port = s->choice.master.port;
    return true;
}

static void on_reached(void *ctx, const struct redis_link *link)
{
    struct redis_sentinel *s = ctx;

    if (!is_at_choice(s, link))
        return; /* it is being moved */
    s->is_reached = true;
    s->scout = NULL;
    wake_links(s);
}

/* Asks all of them, as soon as may be. */
static void hasten(struct redis_sentinel *s)
{
    for (size_t i = 0; i < s->peer_count; i++) {
        struct sentinel_peer *peer = s->peers[i];

        if (!peer->is_useless && peer->due_ms > peer->asked_ms + HASTE_MS)
            peer->due_ms = peer->asked_ms + HASTE_MS;
    }
    sentinel_arm(s);
}

static void refuse_address(struct redis_sentinel *s)
{
    char where[SENTINEL_ADDRESS_TEXT_MAX];

    s->not_until_ms = loop_now_ms() + NO_MASTER_MS;
    sentinel_address_format(&s->choice.master, where);
    LOG_LIMITED(s->log, WARN, slice_text(where), "what sentinel names as the master says that it is none",
                log_text("address", where), log_text("master", s->options.master_name));
}

static void on_ended(void *ctx, const struct redis_link *link, bool no_master)
{
    struct redis_sentinel *s = ctx;

    if (s->scout == link)
        s->scout = NULL;
    if (!is_at_choice(s, link)) /* it was elsewhere: that says nothing of the address */
        return;
    s->is_reached = s->is_confirmed = false;
    s->doubted_ms = loop_now_ms();
    if (no_master)
        refuse_address(s);
    hasten(s);
}

static void promote(struct redis_sentinel *s, struct sentinel_peer *peer)
{
    size_t i = 0;

    while (s->peers[i] != peer)
        i++;
    for (; i > 0; i--)
        s->peers[i] = s->peers[i - 1];
    s->peers[0] = peer;
}

static void take(struct redis_sentinel *s, struct sentinel_peer *peer)
{
    char was[SENTINEL_ADDRESS_TEXT_MAX], now[SENTINEL_ADDRESS_TEXT_MAX], by[SENTINEL_ADDRESS_TEXT_MAX];

    sentinel_address_format(&s->choice.master, was);
    sentinel_address_format(&peer->vote.master, now);
    sentinel_address_format(&peer->at, by);
    LOG(s->log, INFO, "sentinel names the master", log_text("master", s->options.master_name),
        log_text("address", now), log_text("before", s->choice.master.host[0] ? was : "none"),
        log_int("epoch", (int64_t)peer->vote.epoch), log_text("sentinel", by));
    s->switches += s->choice.master.host[0] != '\0';
    s->choice.master = peer->vote.master;
    s->is_confirmed = true;
    s->is_reached = false;
    s->scout = NULL;
    s->not_until_ms = 0;
    promote(s, peer);
    move_links(s);
}

static void tell_difference(struct redis_sentinel *s, const struct sentinel_peer *taken,
                            const struct sentinel_peer *other)
{
    char address[SENTINEL_ADDRESS_TEXT_MAX], theirs[SENTINEL_ADDRESS_TEXT_MAX], by[SENTINEL_ADDRESS_TEXT_MAX];

    sentinel_address_format(&taken->vote.master, address);
    sentinel_address_format(&other->vote.master, theirs);
    sentinel_address_format(&other->at, by);
    LOG_LIMITED(s->log, WARN, slice_text(by), "the sentinels do not agree on the master",
                log_text("master", s->options.master_name), log_text("taken", address),
                log_int("epoch", (int64_t)taken->vote.epoch), log_text("sentinel", by),
                log_text("says", theirs), log_int("its_epoch", (int64_t)other->vote.epoch));
}

static void watch_difference(struct redis_sentinel *s, const struct sentinel_peer *taken,
                             const struct sentinel_peer *other)
{
    int64_t now_ms = loop_now_ms();

    if (taken == other)
        s->differ_since_ms = 0;
    else if (s->differ_since_ms == 0)
        s->differ_since_ms = now_ms;
    else if (now_ms - s->differ_since_ms >= DIFFER_MS)
        tell_difference(s, taken, other);
}

void sentinel_on_vote(struct redis_sentinel *s, struct sentinel_peer *peer)
{
    const struct sentinel_vote *votes[REDIS_SENTINELS_MAX];
    struct sentinel_peer *voters[REDIS_SENTINELS_MAX];
    struct sentinel_result result;
    size_t count = 0;

    for (size_t i = 0; i < s->peer_count; i++) {
        voters[count] = s->peers[i];
        votes[count] = &s->peers[i]->vote;
        count += !s->peers[i]->is_doomed;
    }
    if (!sentinel_choose(votes, count, &s->choice, loop_now_ms(), &result))
        return;

    struct sentinel_peer *taken = voters[result.index];
    bool is_new = !sentinel_address_equal(&taken->vote.master, &s->choice.master);

    if (is_new)
        take(s, taken);
    else if (s->peers[0]->is_useless || !redis_link_is_up(s->peers[0]->link))
        promote(s, taken);
    s->choice.epoch = taken->vote.epoch;
    s->choice.said_ms = taken->vote.said_ms;
    watch_difference(s, taken, voters[result.other]);
    if (!s->is_confirmed && peer->asked_ms >= s->doubted_ms &&
        sentinel_address_equal(&peer->vote.master, &s->choice.master)) {
        s->is_confirmed = true;
        wake_links(s);
    }
}

void sentinel_on_hint(struct redis_sentinel *s, struct sentinel_peer *peer)
{
    int64_t soon_ms = peer->asked_ms + SOON_MS;

    s->hot_until_ms = loop_now_ms() + HOT_MS;
    if (!peer->is_useless && peer->due_ms > soon_ms)
        peer->due_ms = soon_ms;
    hasten(s);
}

bool sentinel_is_hot(const struct redis_sentinel *s)
{
    int64_t now_ms = loop_now_ms();

    if (!s->is_reached || now_ms < s->hot_until_ms)
        return true;
    for (size_t i = 0; i < s->peer_count; i++) {
        const struct sentinel_peer *peer = s->peers[i];

        if (peer->is_in_trouble && now_ms - peer->vote.said_ms <= SENTINEL_VOTE_LIFE_MS)
            return true;
    }
    return false;
}

void sentinel_on_id(struct redis_sentinel *s, struct sentinel_peer *peer)
{
    for (size_t i = 0; i < s->peer_count; i++) {
        struct sentinel_peer *other = s->peers[i];

        if (other == peer || other->is_doomed || strcmp(other->id, peer->id) != 0)
            continue;
        if (other->is_learned)
            other->is_doomed = true;
        else
            peer->is_doomed = peer->is_learned;
    }
}

void sentinel_on_other(struct redis_sentinel *s, struct sentinel_peer *peer,
                       const struct sentinel_other *other)
{
    for (size_t i = 0; i < s->peer_count; i++) {
        struct sentinel_peer *known = s->peers[i];
        bool is_same = other->id[0] && strcmp(known->id, other->id) == 0;

        if (!is_same && !sentinel_address_equal(&known->at, &other->at))
            continue;
        known->named_ms = loop_now_ms();
        return;
    }
    if (s->peer_count == REDIS_SENTINELS_MAX)
        return;

    struct sentinel_peer *learned = sentinel_peer_new(s, &other->at, peer->scheme, true);
    char where[SENTINEL_ADDRESS_TEXT_MAX];

    memcpy(learned->id, other->id, sizeof(learned->id));
    s->peers[s->peer_count++] = learned;
    sentinel_address_format(&other->at, where);
    LOG(s->log, DEBUG, "another sentinel", log_text("sentinel", where));
    sentinel_peer_start(learned);
}

/* Nobody has said for a long time that it is one of them, itself included. */
static bool is_forgotten(const struct sentinel_peer *peer)
{
    int64_t since_ms = peer->named_ms > peer->vote.said_ms ? peer->named_ms : peer->vote.said_ms;

    return peer->is_learned && !redis_link_is_up(peer->link) && loop_now_ms() - since_ms > FORGET_MS;
}

static void sweep_peers(struct redis_sentinel *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->peer_count; i++) {
        struct sentinel_peer *peer = s->peers[i];

        if (peer->is_doomed || is_forgotten(peer))
            sentinel_peer_free(peer);
        else
            s->peers[kept++] = peer;
    }
    s->peer_count = kept;
}

void sentinel_arm(struct redis_sentinel *s)
{
    int64_t now_ms = loop_now_ms(), due_ms = now_ms + IDLE_MS;

    for (size_t i = 0; i < s->peer_count; i++) {
        if (sentinel_peer_may_be_asked(s->peers[i]) && s->peers[i]->due_ms < due_ms)
            due_ms = s->peers[i]->due_ms;
    }
    loop_timer_set(s->timer, due_ms - now_ms);
}

static void on_timer(void *ctx)
{
    struct redis_sentinel *s = ctx;
    int64_t now_ms = loop_now_ms();

    sweep_peers(s);
    for (size_t i = 0; i < s->peer_count; i++) {
        if (sentinel_peer_may_be_asked(s->peers[i]) && s->peers[i]->due_ms <= now_ms)
            sentinel_peer_ask(s->peers[i]);
    }
    sentinel_arm(s);
}

struct redis_sentinel *redis_sentinel_new(struct loop *loop, struct log *log,
                                          const struct redis_sentinel_options *options,
                                          redis_sentinel_trouble_fn trouble, void *ctx)
{
    struct redis_sentinel *s = mem_new(1, sizeof(*s));

    assert(options->place_count > 0 && options->place_count <= REDIS_SENTINELS_MAX);
    s->loop = loop;
    s->log = log;
    s->options = *options;
    s->trouble = trouble;
    s->ctx = ctx;
    s->locator = (struct redis_locator){s, on_join, on_leave, on_find, on_reached, on_ended};
    s->timer = loop_timer_new(loop, on_timer, s);
    for (size_t i = 0; i < options->place_count; i++) {
        const struct redis_sentinel_place *place = &options->places[i];
        struct sentinel_address at = {.port = place->port};

        (void)snprintf(at.host, sizeof(at.host), "%s", place->host);
        s->peers[s->peer_count++] = sentinel_peer_new(s, &at, place->scheme, false);
    }
    return s;
}

void redis_sentinel_free(struct redis_sentinel *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->peer_count; i++)
        sentinel_peer_free(s->peers[i]);
    loop_timer_free(s->timer);
    free(s);
}

void redis_sentinel_start(struct redis_sentinel *s)
{
    for (size_t i = 0; i < s->peer_count; i++)
        sentinel_peer_start(s->peers[i]);
    sentinel_arm(s);
}

const struct redis_locator *redis_sentinel_locator(struct redis_sentinel *s)
{
    return &s->locator;
}

void redis_sentinel_get_stats(const struct redis_sentinel *s, struct redis_sentinel_stats *ret_stats)
{
    *ret_stats = (struct redis_sentinel_stats){.known = s->peer_count, .switches = s->switches};
    for (size_t i = 0; i < s->peer_count; i++)
        ret_stats->answering += s->peers[i]->vote.master.host[0] &&
                                loop_now_ms() - s->peers[i]->vote.said_ms <= SENTINEL_VOTE_LIFE_MS;
}
