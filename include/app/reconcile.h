/* Holding indexes and hashes against what is known (SPEC §4, §5.4): all of it at start and periodically,
 * single instances when somebody may have written to them. Looks only while no batch is under way, so that
 * what it sees is what was told. */
#pragma once

#include "app/follow.h"
#include "app/look.h"
#include <stdbool.h>

struct daemon;
struct loop_timer;

enum repair_kind {
    REPAIR_INDEX,     /* an id in a set that its hash does not name, or missing from it */
    REPAIR_HASH,      /* a hash, or a field of it, put back */
    REPAIR_ADOPTED,   /* a write of others followed */
    REPAIR_LOAD,      /* instance:index:load */
    REPAIR_TRADE,     /* trade:state:* */
    REPAIR_DISPLACED, /* a foreign type on a key of ours moved aside */
    REPAIR_STREAM,    /* a stream that was made anew */
};
#define REPAIR_KINDS 7
const char *repair_kind_name(enum repair_kind kind);

/* What is written again in parts, batch by batch. */
enum write_back_part {
    WRITE_BACK_SIGNALS,    /* mt5stated:journal, after mt5stated:totals */
    WRITE_BACK_ALL,        /* of every instance, what any key holds */
    WRITE_BACK_WATCH,      /* mt5stated:watch */
    WRITE_BACK_ALERTS,     /* mt5stated:alerts */
    WRITE_BACK_NOTICES,    /* mt5stated:notices */
    WRITE_BACK_THROTTLED,  /* instance:index:throttled */
    WRITE_BACK_SEQ,        /* mt5stated:seq */
    WRITE_BACK_INDEX,      /* instance:state:*, instance:index:load */
    WRITE_BACK_TRADES,     /* trade:*, of those that are held */
    WRITE_BACK_TRADE_SETS, /* trade:state:*, of the same */
};
#define WRITE_BACK_PARTS 10

struct write_back {
    bool is_on;
    uint32_t next; /* slot of the fleet or of the trades, place of the notices */
};

struct reconcile {
    struct daemon *d;
    struct loop_timer *timer;
    int64_t interval_ms; /* that the timer was set to */
    struct loop_timer *soon, *walk;
    bool is_wanted;        /* a pass ahead of the interval */
    int64_t began_ms;      /* monotonic: the last pass */
    struct id_queue queue; /* to be looked at */
    uint32_t done;         /* of it */
    bool looking;          /* a look is under way */
    bool wants_keys;       /* the keys that all share are looked at with the next look */
    uint32_t asked;        /* ids of the look under way */
    uint64_t generation;
    struct write_back write_back[WRITE_BACK_PARTS];
    bool walking;     /* a full pass gathers ids */
    uint32_t pending; /* answers that gathering waits for, and the walk through the fleet */
    uint32_t walked;  /* slots of the fleet */
    char cursor[32];
    uint64_t repairs[REPAIR_KINDS];
    uint64_t passes;
};

void reconcile_init(struct reconcile *r, struct daemon *d);
void reconcile_clear(struct reconcile *r);
void reconcile_reset(struct reconcile *r);
/* Active: passes begin. */
void reconcile_start(struct reconcile *r);
/* Nothing is looked at until it is started again, and no batch waits for a look. */
void reconcile_pause(struct reconcile *r);
/* Something may have been missed: a pass as soon as the one under way is over, and at least a second after
 * its beginning, however often it is asked for. */
void reconcile_soon(struct reconcile *r);
/* The same before it is active: a second from now, and not in the way of what has waited. */
void reconcile_later(struct reconcile *r);
/* Looks at instance ID soon. */
void reconcile_look(struct reconcile *r, struct slice id);
/* A batch has been stored: a look that waited may begin, a write-back goes on. */
void reconcile_on_settled(struct reconcile *r);
void reconcile_count(struct reconcile *r, enum repair_kind kind);
/* Follows, repairs or loads what was looked at. */
void reconcile_take(struct reconcile *r, const struct looked *looked);
/* KEY is gone from Redis: what it held is written back, where it is of a kind that no pass repairs. Begins
 * with it now; what does not fit into one batch follows. */
void reconcile_write_back_key(struct reconcile *r, struct slice key);
/* After a loss: everything that is held here goes into batches again, one after the other. */
void reconcile_write_back(struct reconcile *r);
/* Puts as much of what is to be written back as it takes into the batch that is being filled. */
void reconcile_write_back_on(struct reconcile *r);
/* Not all of it has been put into a batch yet. */
bool reconcile_is_writing_back(const struct reconcile *r);
