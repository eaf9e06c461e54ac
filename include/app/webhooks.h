/* Webhooks (SPEC §7.4): each is told, in Alertmanager's terms, which alerts fire and which have ended.
 *
 * What is sent is made from core's notices each time: all that fire once a minute, and whatever has changed
 * at once. A notice that has ended is forgotten when every webhook has taken that (and hook `notify` has
 * ended), or after a quarter of an hour. So nothing is queued: what could not be delivered is still there.
 *
 * The quarter of an hour bounds what is kept for a webhook that is down for long, and loses nothing at an
 * Alertmanager: what it is not told of any more it resolves by itself, by default after 5 minutes. Other
 * receivers that were away for longer never hear of such an end. */
#pragma once

#include "adapters/http_client.h"
#include "core/notice.h"
#include "util/errmsg.h"
#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct http_client;
struct loop_timer;

#define WEBHOOKS_MAX 8

struct webhook {
    struct webhooks *all;
    uint64_t taken; /* changes up to here have been taken by it */
    bool is_in_flight;
    bool is_full; /* this pass tells everything, not only what has changed */
    bool is_passing;
    uint64_t pass_end; /* taken becomes it with the end of this pass */
    uint32_t place;    /* of the next notice */
    uint32_t sent_from, sent_until,
        single_until; /* below single_until one at a time: one of them was refused */
    uint32_t sent_count;
    struct ident sent_alert, sent_instance; /* of the last alert in what was sent */
    char sent_group[GROUP_TEXT_MAX + 1];
    uint64_t failures;                           /* posts that it did not take since it took one */
    struct errmsg error;                         /* of the last of these */
    int64_t full_at_ms, retry_at_ms, backoff_ms; /* monotonic */
};

struct webhooks {
    struct daemon *d;
    struct http_client *client;
    struct loop_timer *timer;
    struct webhook items[WEBHOOKS_MAX];
    size_t count;
    uint64_t stored;                /* changes up to here are stored: what is not is told to nobody */
    bool may_forget;                /* since notices were last looked at for it */
    int64_t forget_at_ms;           /* monotonic: they are looked at in any case */
    uint64_t sent, failed, dropped; /* alerts taken; in posts that failed; refused or too old */
};

/* False where there are some, and no HTTP client can be had, which has been logged. */
bool webhooks_init(struct webhooks *webhooks, struct daemon *d);
void webhooks_clear(struct webhooks *webhooks);
/* A new configuration: everything is told again. False where no HTTP client can be had, which has been
 * logged: it is tried again with each POST. */
bool webhooks_configure(struct webhooks *webhooks);
/* The state has been loaded, with all of its notices. */
void webhooks_start(struct webhooks *webhooks);
/* A batch is stored that holds the notice of KEY as of CHANGE. */
void webhooks_on_stored(struct webhooks *webhooks, struct slice key, uint64_t change);
/* How many do not take alerts now. RET_ERROR is set to what the first of them said; untouched where there is
 * none. */
size_t webhooks_count_failing(const struct webhooks *webhooks, struct errmsg *ret_error);
/* Something may be to be told or forgotten. */
void webhooks_poke(struct webhooks *webhooks);
