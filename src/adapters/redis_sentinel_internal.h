/* What redis_sentinel.c (the address, and who uses it) and redis_sentinel_peer.c (one Sentinel) share. */
#pragma once

#include "adapters/redis_sentinel.h"

#include "redis_sentinel_vote.h"

struct loop_timer;

#define SENTINEL_LINKS_MAX 8

/* One Sentinel: a link for questions, another for what it tells by itself. */
struct sentinel_peer {
    struct redis_sentinel *owner;
    struct sentinel_address at;
    enum redis_scheme scheme;
    char id[SENTINEL_ID_LEN + 1]; /* "" while not known */
    bool is_learned;              /* named by others, not by the options */
    int64_t named_ms;             /* when it was, last */
    bool is_doomed;               /* another entry is the same one: removed soon */

    struct redis_link *link, *channel;
    bool is_asking;
    int64_t asked_ms, due_ms; /* the last question, the next */
    int64_t others_due_ms;    /* for whom else it knows */
    struct sentinel_address heard;
    struct sentinel_vote vote;
    bool is_in_trouble; /* the master, as it sees it */
    bool is_useless;    /* what it answered last was no address */
};

struct redis_sentinel {
    struct loop *loop;
    struct log *log;
    struct redis_sentinel_options options;
    struct redis_locator locator;
    redis_sentinel_trouble_fn trouble;
    void *ctx;

    struct sentinel_peer *peers[REDIS_SENTINELS_MAX]; /* the most useful first */
    size_t peer_count;
    struct loop_timer *timer;
    int64_t hot_until_ms; /* something goes on: asked often */

    struct sentinel_choice choice;
    bool is_confirmed;       /* said by a Sentinel since a link has ended there */
    int64_t doubted_ms;      /* when that was */
    bool is_reached;         /* a link is up there, and none has ended since */
    int64_t not_until_ms;    /* it said that it is no master: no try before */
    int64_t differ_since_ms; /* 0: all agree */
    uint64_t switches;

    struct redis_link *links[SENTINEL_LINKS_MAX];
    size_t link_count;
    const struct redis_link *scout; /* tries it while the others wait */
};

/* redis_sentinel_peer.c */
struct sentinel_peer *sentinel_peer_new(struct redis_sentinel *owner, const struct sentinel_address *at,
                                        enum redis_scheme scheme, bool is_learned);
void sentinel_peer_free(struct sentinel_peer *peer);
void sentinel_peer_start(struct sentinel_peer *peer);
bool sentinel_peer_may_be_asked(const struct sentinel_peer *peer);
void sentinel_peer_ask(struct sentinel_peer *peer);

/* redis_sentinel.c */
bool sentinel_is_hot(const struct redis_sentinel *s);
/* PEER has answered: its vote is new. */
void sentinel_on_vote(struct redis_sentinel *s, struct sentinel_peer *peer);
/* Something has happened to the master, as PEER says. */
void sentinel_on_hint(struct redis_sentinel *s, struct sentinel_peer *peer);
/* PEER knows of another Sentinel, or (OTHER has an id, at its own address) knows who it is itself. */
void sentinel_on_other(struct redis_sentinel *s, struct sentinel_peer *peer,
                       const struct sentinel_other *other);
void sentinel_on_id(struct redis_sentinel *s, struct sentinel_peer *peer);
/* Sets the timer for the next question. */
void sentinel_arm(struct redis_sentinel *s);
