/* Trades (SPEC §5.3): fields, states, and the book of those that are held in memory: every open one and the
 * newest 10000 others. */
#pragma once

#include "core/fleet.h"
#include "core/ident.h"
#include "core/sink.h"
#include "core/stream.h"
#include "core/trade_tally.h"

enum trade_field {
    TRADE_TRADE_ID,
    TRADE_ACCOUNT_ID,
    TRADE_BROKER_ID,
    TRADE_INSTANCE_ID,
    TRADE_SYMBOL,
    TRADE_ORDER_TYPE,
    TRADE_DIRECTION,
    TRADE_LOT_SIZE,
    TRADE_REQUESTED_PRICE,
    TRADE_EXECUTION_PRICE,
    TRADE_STOP_LOSS,
    TRADE_TAKE_PROFIT,
    TRADE_PARTIAL_FILL_PERCENTAGE,
    TRADE_STATE,
    TRADE_BALANCE,
    TRADE_EQUITY,
    TRADE_POSITION,
    TRADE_LEVERAGE,
};
#define TRADE_FIELDS (TRADE_LEVERAGE + 1)

enum trade_field_kind {
    TRADE_FIELD_ID,
    TRADE_FIELD_TEXT,
    TRADE_FIELD_NUMBER,
    TRADE_FIELD_SIGNED_NUMBER,
    TRADE_FIELD_STATE
};
struct trade_field_info {
    struct slice name;
    enum trade_field_kind kind;
};
/* By enum trade_field; and the names alone, for the decoder of the stream. */
extern const struct trade_field_info trade_field_table[TRADE_FIELDS];
extern const struct slice trade_entry_names[TRADE_FIELDS];

enum trade_state {
    TRADE_NONE = -1,
    TRADE_PENDING,
    TRADE_EXECUTING,
    TRADE_EXECUTED,
    TRADE_FAILED,
    TRADE_CLOSED
};
#define TRADE_STATES 5
const char *trade_state_name(enum trade_state state);
bool trade_state_parse(struct slice text, enum trade_state *ret_state); /* any case */
/* pending, executing, executed. */
bool trade_state_is_open(enum trade_state state);
/* FROM and TO differ; true where §5.3 allows it. */
bool trade_transition_is_allowed(enum trade_state from, enum trade_state to);

/* A valid update: value[] as text that may be stored (free text sanitised), bits in present. Borrowed. */
struct trade_update {
    struct stream_id id;
    uint32_t present;
    struct slice value[TRADE_FIELDS];
    enum trade_state state; /* TRADE_NONE where not given */
};

/* What Redis holds about a trade that is not in memory: TRADE_NONE for nothing (or nothing valid). */
struct trade_stored {
    enum trade_state state;
    struct slice instance_id;
};

struct trade {
    struct ident id, instance_id;
    enum trade_state state;
    int64_t updated_ms;
    uint64_t batch;      /* that last touched it */
    uint32_t prev, next; /* in the list of open ones or of the others, oldest first */
    bool used;
};

struct trade_book {
    struct trade *slots;
    uint32_t slot_count, slot_cap, free_head;
    struct map map;
    struct trade_tally tally; /* open trades by instance_id */
    uint32_t open_head, open_tail, other_head, other_tail;
    uint32_t open_count, other_count;
    uint32_t by_state[TRADE_STATES]; /* of those in memory */
    uint64_t updates, refused[TRADE_STATES][TRADE_STATES];
    int64_t closed_ttl_s;
    uint32_t max_others;
    struct fleet *fleet; /* for open_trades */
    uint64_t batch;
    void (*on_refused)(void *ctx, const struct trade *trade, enum trade_state to); /* may be NULL */
    void *ctx;
};

#define TRADE_BOOK_MAX_OTHERS 10000

void trade_book_init(struct trade_book *book, struct fleet *fleet, int64_t closed_ttl_s, struct hash_key key);
void trade_book_clear(struct trade_book *book);
void trade_book_reset(struct trade_book *book);

/* What the trades that are in memory need. */
size_t trade_book_bytes(const struct trade_book *book);

struct trade *trade_book_find(const struct trade_book *book, struct slice trade_id);

/* To be called when INSTANCE has become known (registered, loaded): sets its open_trades to the number of
 * open trades that name it already. From then on the book keeps it right. */
void trade_book_tie_instance(const struct trade_book *book, struct instance *instance);

/* Applies a valid update. STORED is what Redis holds where the trade is not in memory (the caller has looked
 * it up; NULL: nothing), else ignored. What is told to SINK belongs to the group that the caller has begun.
 * Each writes the state too, that of a trade that has ended its TTL as well: the hash may have gone since,
 * and must not come back without them. */
void trade_book_on_update(struct trade_book *book, const struct trade_update *update,
                          const struct trade_stored *stored, const struct cause *cause, int64_t at_ms,
                          struct sink *sink);

/* At start: a trade as Redis holds it; those that have ended oldest first. Tells nobody. */
void trade_book_load(struct trade_book *book, struct slice trade_id, struct slice instance_id,
                     enum trade_state state, int64_t updated_ms);

/* After a loss: tells all that is held of TRADE, which is in use: id, instance, state, the one set, and for
 * one that has ended what is left of its TTL at NOW_MS. One whose TTL is over is removed. The group is the
 * caller's. */
void trade_book_write_back(const struct trade_book *book, struct trade *trade, int64_t now_ms,
                           struct sink *sink);

/* It has ended and its TTL is over at NOW_MS: it is held here, and in no key any more. */
bool trade_book_is_over(const struct trade_book *book, const struct trade *trade, int64_t now_ms);

/* Forgets a trade without telling anybody: its effects could not be stored, or its hash has expired. */
void trade_book_forget(struct trade_book *book, struct trade *trade);
