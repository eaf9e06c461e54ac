/* What the files of loading share. */
#pragma once

#include "app/follow.h"
#include "app/load.h"
#include "codec/keys.h"
#include "util/buf.h"
#include "util/map.h"
#include <hiredis/hiredis.h>

/* What a step begins, side by side with the others of the same step. */
struct load_lane {
    int step;
    enum load_part part;
    void (*begin)(struct load *load);
    unsigned layers; /* bits: who serves one of these has it */
};

/* Results that are read newest first and told oldest first. */
struct load_kept {
    struct stream_id id;
    struct ident result_id;
};

/* A field of mt5stated:watch or of mt5stated:alerts, until its instance is known. */
struct load_stored {
    struct ident id;
    bool is_alert, is_taken;
    size_t field, field_len, value, value_len; /* in text */
    uint32_t next;                             /* of the same instance */
};

/* A key that is gone through page by page. */
struct load_walk {
    const char *command;
    struct key key;
    void (*take)(struct load *load, const redisReply *members, int arg);
    int arg;
};
#define LOAD_WALKS_MAX 16

struct load_ids {
    struct load_walk walks[LOAD_WALKS_MAX];
    uint32_t walk_count;
    struct id_queue instances, trades;
    struct id_queue ended;       /* trades, newest first */
    uint32_t looked, ended_left; /* of instances; of ended */
    uint32_t looks;              /* at instances, under way */
    uint32_t open_asked;         /* of trades */
    struct load_kept *kept;
    uint32_t kept_count, kept_cap;
    struct load_stored *stored;
    uint32_t stored_count, stored_cap;
    struct map stored_map; /* the newest by instance */
    struct buf text;
};

/* Sends a command of the part at work; FN gets its answer, which is no error. Where the key is of a wrong
 * type it is moved aside if it is named in DISPLACEABLE, and FN is not called. */
void load_send(struct load *load, const struct slice *words, size_t count,
               void (*fn)(struct load *, const redisReply *, int), int arg, struct slice displaceable);

/* The same for one command that is rendered already. */
void load_send_rendered(struct load *load, struct slice command,
                        void (*fn)(struct load *, const redisReply *, int), int arg);
/* Begins at step 0 of LANES. */
void load_begin(struct load *load, const struct load_lane *lanes);
/* What mt5stated:meta says: the number of the last batch, positions. */
void load_take_meta(struct load *load, const redisReply *reply);
/* It was registered: a set names it, or it has had events. */
struct looked;
bool load_was_known(const struct looked *looked);
/* All that is counted has been read. */
void load_finish_ledger(struct load *load);
/* Lanes: the totals, the groups of the streams. */
void load_totals(struct load *load);
void load_make_groups(struct load *load);

/* load_walk.c: goes through KEY by COMMAND (SSCAN, HSCAN); TAKE gets each page, of a hash with a value behind
 * each field. A member may come twice. Once for each key of a load. */
void load_walk(struct load *load, const char *command, struct slice key,
               void (*take)(struct load *load, const redisReply *members, int arg), int arg);

static inline struct slice load_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? slice_of(reply->str, reply->len) : slice_of("", 0);
}

/* load_watch.c: what watches over instances. A lane reads it, ahead of the instances; each takes its own. */
void load_watch_init(struct load_ids *ids);
void load_watch_clear(struct load_ids *ids);
void load_watch(struct load *load);
void load_watch_take(struct load *load, struct instance *instance);
/* Keeps a field of mt5stated:watch, or where IS_ALERT of mt5stated:alerts, until instance ID takes it. */
void load_watch_keep(struct load_ids *ids, struct slice id, bool is_alert, struct slice field,
                     struct slice value);
/* A lane: the open groups of the breaker, and the numbers of commands of those who are gone. */
void load_watch_shared(struct load *load);
/* All instances are known: what belongs to none is removed. */
void load_watch_finish(struct load *load);

/* load_streams.c: a page of stream K, by COMMAND (XRANGE, XREVRANGE); FN gets its entries. */
struct entry;
void load_send_page(struct load *load, const char *command, enum stream_kind k, struct stream_id from,
                    struct stream_id to, void (*fn)(struct load *, const redisReply *, int));
/* An entry of stream K with its fields by their numbers; false for what is none. */
bool load_entry_of(const struct load *load, const redisReply *reply, enum stream_kind k, struct entry *ret);

/* Lanes (load_streams.c): the journal of signals, the open signals, the kept results. */
void load_journal(struct load *load);
void load_journal_on(struct load *load); /* behind what has been read of it */
void load_signals(struct load *load);
void load_results(struct load *load);

/* Lanes (load_trade.c): the open trades of ids->trades, which of the others are the newest, and these. */
void load_open_trades(struct load *load);
void load_ended_ids(struct load *load);
void load_ended_trades(struct load *load);

/* Asks for trade ID; FN gets I with what it is taken by. False where the load has failed with it. */
bool load_ask_trade(struct load *load, struct slice id, uint32_t i,
                    void (*fn)(struct load *, const redisReply *, int));
/* Forgets what is known of trade ID, and takes what Redis says now. */
void load_trade_again(struct load *load, const redisReply *reply, struct slice id);

/* load_events.c: the newest events; those of signals that are on their way to another server. */
void load_events(struct load *load);
void load_far_events(struct load *load);

/* Lanes (load_again.c) of the second look at a Redis that has gone back: what had ended and is there once
 * more is removed, what nobody has read is taken in, and streams of ours go on behind what was told. */
void load_signals_again(struct load *load);
void load_results_again(struct load *load);
void load_ahead(struct load *load);
