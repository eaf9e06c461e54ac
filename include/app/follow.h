/* Writes of others to the hashes of instances (SPEC §5.4): hears of them by keyspace notifications, reads the
 * hashes and lets the fleet follow. Also keeps the instances aside whose records cannot be stored.
 *
 * Notifications are hints only: what they miss is found by the reconciler. Our own writes cause them as well;
 * each instance counts those that are still to come (instance.own_writes). */
#pragma once

#include "app/id_queue.h"
#include "core/fleet.h"
#include "util/map.h"
#include <stdbool.h>

struct batch;
struct daemon;
struct looked;
struct loop_timer;
struct redis_link;
struct stored_watch;

struct follow_blocked {
    struct ident id;
    char *reason;
    struct instance *kept;      /* as it was known, its last_error included; NULL where it was not */
    struct stored_watch *watch; /* as read from Redis; NULL: not yet */
    bool is_reading;            /* that */
};

struct follow {
    struct daemon *d;
    struct redis_link *link;
    bool is_caught_up;
    bool hearing;      /* subscribed, and Redis sends them */
    bool refused_told; /* said once that CONFIG SET was refused */
    struct id_queue dirty;
    struct loop_timer *timer;
    struct follow_blocked *blocked;
    uint32_t blocked_count, blocked_cap;
    struct map blocked_map; /* by id */
    uint64_t heard, foreign;
};

void follow_init(struct follow *f, struct daemon *d);
void follow_clear(struct follow *f);
void follow_reset(struct follow *f);
/* Active: asks for notifications, where it is caught up. */
void follow_go_on(struct follow *f);
/* The reports have been read to their end. While a backlog is read nobody listens: hearing of each of our own
 * writes would cost Redis a third more. What was missed is found by the reconciler, once it is heard. */
void follow_on_caught_up(struct follow *f);
/* A batch goes out: these notifications are our own. */
void follow_expect(struct follow *f, const struct batch *batch);
/* Notifications of our own writes may have been missed, or will never come: none is waited for any more. */
void follow_expect_nothing(struct follow *f);
/* ID's hashes should be looked at. */
void follow_mark(struct follow *f, struct slice id);

/* Instance ID cannot be stored: it leaves the fleet until it can. What was known of it is kept. */
void follow_block(struct follow *f, struct slice id, struct slice reason);
/* Why ID is kept aside; empty where it is not. */
struct slice follow_blocked(const struct follow *f, struct slice id);
/* It can be stored again: it comes back as Redis holds it (LOOKED), or where that is nothing as it was kept.
 * False where what watches over it has to be read first: it is looked at again then. */
bool follow_unblock(struct follow *f, const struct looked *looked);
/* What stored_watch_read has read of ID, which is taken over; NULL where that failed. */
void follow_take_watch(struct follow *f, struct slice id, struct stored_watch *watch);
