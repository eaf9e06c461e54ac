/* Who is active: the link's life, the lease, and whether Redis still holds the data that we left (SPEC §10).
 *
 * Phases: connecting → (lease held by another: standby) → loading → active. A link that comes back leads from
 * connecting straight to active where lease, epoch and applied_seq are as we left them; to a write-back where
 * the data is gone or older; else to loading. */
#pragma once

#include "app/left_epochs.h"
#include "app/loss.h"
#include "app/yield.h"
#include "util/errmsg.h"
#include "util/slice.h"
#include "util/stream_id.h"
#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct loop_timer;

enum lead_phase { PHASE_CONNECTING, PHASE_STANDBY, PHASE_LOADING, PHASE_ROLLBACK, PHASE_ACTIVE };
enum rollback_kind { ROLLBACK_WIPED, ROLLBACK_ROLLED_BACK };
#define ROLLBACK_KINDS 2

#define LEAD_TOKEN_MAX 256
#define LEAD_EPOCH_LEN EPOCH_LEN
/* Numbers of batches beyond it were not given by us; the scripts count in doubles, exactly up to 2^53. */
#define LEAD_APPLIED_MAX ((uint64_t)1 << 52)

enum settling { SETTLING_NOT, SETTLING_STORING, SETTLING_ASKED, SETTLING_DONE };

struct lead {
    struct daemon *d;
    enum lead_phase phase;
    bool has_state;      /* core holds what belongs to epoch */
    bool server_loading; /* Redis reads its data from disk */
    bool asking, released;
    char token[LEAD_TOKEN_MAX];
    char epoch[LEAD_EPOCH_LEN + 1];
    char new_epoch[LEAD_EPOCH_LEN + 1]; /* sent; epoch becomes it with the answer */
    struct left_epochs left;            /* before it */
    bool restoring;                     /* Redis has lost data, and not all of ours is on its way back */
    bool rescanned;                     /* nothing that had ended is in the streams any more */
    char dead_holder[LEAD_TOKEN_MAX];   /* a holder whose process is gone */
    char holder[LEAD_TOKEN_MAX];
    uint64_t beat;                    /* the last that was seen */
    int64_t asked_ms, lease_until_ms; /* monotonic */
    struct loop_timer *timer;
    void (*on_released)(void *ctx); /* while the lease is being given up for good */
    void *released_ctx;
    uint64_t rollbacks[ROLLBACK_KINDS];
    struct loss loss;         /* what was found of these */
    struct yield yield;       /* who gets the lease before us */
    struct stream_id left_id; /* no entry that a server made before the link was lost has a higher one */
    bool was_down;            /* the link, since we were active */
    enum settling settling;   /* that others are told that this server's data is in order */
    char settled[48];         /* its replication ID, as they were told */
    const char *told;         /* the word of readiness that was logged last; "" for ready */
    int64_t told_ms;          /* since when, in Redis time */
    bool told_why;            /* that line said what is behind it */
    const char *trouble;      /* why asking failed; NULL while it does not */
    struct errmsg error;      /* what Redis, or the way to it, said last; emptied once ready */
};

void lead_init(struct lead *lead, struct daemon *d);
void lead_clear(struct lead *lead);

void lead_link_up(struct lead *lead);
void lead_link_down(struct lead *lead);
/* The state has been read: active from now on. */
void lead_on_loaded(struct lead *lead);
/* A batch is stored: with the last of a write-back the daemon is active again. */
void lead_on_settled(struct lead *lead);
/* Reading the state failed; it is tried again. */
void lead_on_load_failed(struct lead *lead, const char *why);
/* A batch was refused: the lease is not ours any more / the data is not what we left. */
void lead_on_fenced(struct lead *lead);
void lead_on_behind(struct lead *lead);
/* Gives up the lease; FN is called once that is answered or cannot be. */
void lead_release(struct lead *lead, void (*fn)(void *ctx), void *ctx);

/* Nobody seems to hold the lease: one that stands by asks for it at once. */
void lead_ask_soon(struct lead *lead);
bool lead_stands_by(const struct lead *lead);
bool lead_is_active(const struct lead *lead);
/* Active or writing back, and the link is up. */
bool lead_may_write(const struct lead *lead);
/* For how long Redis has owed an answer about the lease; 0 where none is under way. */
int64_t lead_waiting_ms(const struct lead *lead);
struct slice lead_token(const struct lead *lead);
struct slice lead_epoch(const struct lead *lead);
/* What streams of ours go on behind, after Redis has gone back; 0-0 where no link was lost. */
struct stream_id lead_ids_left(const struct lead *lead);
/* Logs readiness where it has changed since it was logged last. To be called now and then. */
void lead_tell_readiness(struct lead *lead);
/* Redis has refused something that all depends on, or there is no way to it: TEXT says so, for people. */
void lead_note_error(struct lead *lead, struct slice text);
/* Of these the last, while not ready; NULL where there is none. */
const char *lead_error(const struct lead *lead);
/* NULL where ready, else the word of SPEC §8.1. */
const char *lead_unready(const struct lead *lead);
