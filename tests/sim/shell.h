/* A daemon without I/O: the same calls of core and codec in the same order as src/app makes them, over links
 * that may lose what they carry. Each function is named after the one of src/app that it stands for. */
#pragma once

#include "codec/batch.h"
#include "codec/report.h"
#include "core/trade.h"
#include "script.h"
#include "sim.h"
#include "store.h"

enum phase { PHASE_CONNECTING, PHASE_STANDBY, PHASE_LOADING, PHASE_ROLLBACK, PHASE_ACTIVE };

enum call_kind {
    CALL_LEASE,
    CALL_RELEASE,
    CALL_EPOCH,
    CALL_BATCH,
    CALL_PROBE,
    CALL_LOOK,
    CALL_TRADE,
    CALL_MOVE_ASIDE,
    CALL_KEYS,
    CALL_GATHER,
    CALL_DUE,
    CALL_POLL,
    CALL_LOAD,
    CALL_READ, /* on the link for reading, so no call */
    CALL_BATCH_LOOK,
    CALL_BATCH_EXEC,
};
#define CALL_KINDS (CALL_BATCH_EXEC + 1)
/* Those that a run without transactions has; the seeds of regressions count on the number. */
#define CALL_KINDS_BY_SCRIPT CALL_BATCH_LOOK

/* An instance as the store holds it at one moment. */
struct look {
    struct ident id;
    struct store_key hash[3];
    bool is_wrong[3], member[INSTANCE_STATES], has_score;
    double score;
    uint64_t seq;
};

#define PROBE_MAX 20
#define LOOK_MAX  8

/* A command on its way to the store, then its answer on its way back. */
struct call {
    enum call_kind kind;
    bool is_executed;
    int64_t sent_ms;
    uint64_t generation, number;
    struct buf bytes;
    struct key key;
    struct ident id;
    /* The answer. */
    bool is_refused, hangs_up;
    struct commit_answer commit;
    struct look_answer batch_look;
    bool is_no_look;
    struct lease_answer lease;
    struct stream_id entries[PROBE_MAX];
    bool present[PROBE_MAX];
    size_t count;
    struct look looks[LOOK_MAX];
    enum trade_state trade_state;
    struct ident trade_instance;
    bool is_wrong;
    struct ident *ids;
    int64_t *ttl_s;
    uint32_t id_count, id_cap;
    struct stream_id last[STREAM_KINDS], read[STREAM_KINDS], delivered[STREAM_KINDS];
    bool is_stream[STREAM_KINDS];
    struct store_key totals;
    bool has_journal, has_seq;
    bool is_for_batch, is_moved;
    char wrong_sets[INSTANCE_STATES + 1]; /* 1: that index is no set */
};

#define CALLS_MAX 256

struct shell_stream {
    struct stream_id read, handled, stored;
    int64_t horizon_ms;
    bool at_end;
    struct stream_id *marks;
    uint32_t mark_count, mark_cap, unmarked;
    bool has_old;
};

struct reading {
    bool is_going, is_executed, is_refused, is_begun, is_skipping;
    uint32_t mask;
    struct stream_id after[STREAM_KINDS];
    int64_t asked_ms, until_ms;
    struct store_entry **entries;
    enum stream_kind *kinds;
    uint32_t count, cap, next;
    uint32_t counts[STREAM_KINDS];
};

enum trade_look { TRADE_UNASKED, TRADE_ASKED, TRADE_LOOKED };

struct trade_item {
    struct store_entry *entry;
    enum trade_look look;
    enum trade_state state;
    struct ident instance;
    bool is_wrong;
};

struct id_list {
    struct ident *ids;
    uint32_t count, cap;
};

struct blocked {
    struct ident id;
    char reason[200];
    struct instance *kept; /* NULL where it was not known */
};

struct shell {
    struct sim *sim;
    struct store *store;
    const char *name;
    unsigned incarnation;
    bool is_running, is_up, is_stopping, is_released;
    int64_t skew_ms;

    /* lead */
    enum phase phase;
    bool has_state, is_asking, is_restoring, is_rescanned;
    char token[SCRIPT_TEXT_MAX], epoch[SCRIPT_TEXT_MAX], new_epoch[SCRIPT_TEXT_MAX];
    char dead_holder[SCRIPT_TEXT_MAX];
    uint64_t beat;
    int64_t lease_at_ms, reconnect_at_ms;

    /* the link for commands, in order */
    struct call *calls[CALLS_MAX];
    uint32_t call_count;

    /* the core */
    struct fleet fleet;
    struct ledger *ledger;
    struct trade_book trades;

    /* commit */
    struct batch *filling, *sent;
    bool has_sent, in_flight, is_held;
    uint64_t attempt;
    struct key_watch watch; /* of its connection */
    uint32_t displacing;
    uint64_t applied;
    int64_t commit_retry_ms;

    /* ingest */
    struct shell_stream streams[STREAM_KINDS];
    struct reading reading, ahead; /* ahead: asked for while the other is taken in */
    int64_t read_retry_ms, read_stuck_until_ms;
    bool is_probing;
    struct stream_id late[PROBE_MAX];
    size_t late_count;
    struct trade_item *items;
    uint32_t item_count, item_cap, looking;
    uint64_t taken, trade_generation;
    int64_t look_again_ms;

    /* load */
    uint64_t load_generation;
    void (*const *load_steps)(struct shell *sh); /* ends with NULL */
    uint32_t load_step, looked, ended_loaded;
    bool is_rescanning;
    bool has_position[STREAM_KINDS];
    struct id_list found, found_trades, found_ended; /* the last: oldest first */

    /* reconcile and follow */
    struct id_list queue, marked;
    uint32_t done, asked;
    bool is_looking, is_walking, wants_keys, is_writing_back;
    uint32_t restore_next, restore_trade; /* slots of the fleet, of the trades */
    uint64_t passes, repairs;
    int64_t reconcile_at_ms, follow_at_ms, poll_at_ms;
    struct blocked *blocked;
    uint32_t blocked_count, blocked_cap;
};

void shell_init(struct shell *sh, struct sim *sim, struct store *store, const char *name);
void shell_clear(struct shell *sh);
int64_t shell_now_ms(const struct shell *sh);

/* The process starts, dies, or is asked to stop. */
void shell_start(struct shell *sh, const char *dead_token);
void shell_kill(struct shell *sh);
void shell_stop(struct shell *sh);
/* The link for commands, or that for reading, is lost: what is on its way either reached the store or did
 * not. */
void shell_lose_link(struct shell *sh);
void shell_lose_reading(struct shell *sh);
/* Nothing moves on the link for reading for so long, or until it is lost. */
void shell_stall_reading(struct shell *sh, int64_t ms);
/* The store carries out the next command that was sent; the daemon takes the next answer; timers. False where
 * there is nothing to do. */
bool shell_execute(struct shell *sh);
bool shell_answer(struct shell *sh);
bool shell_execute_read(struct shell *sh);
bool shell_deliver_read(struct shell *sh, uint32_t most);
void shell_tick(struct shell *sh);
/* The configuration is loaded again. */
void shell_configure(struct shell *sh);
/* Others have written a hash of ID, and the store notifies of it. */
void shell_notify(struct shell *sh, struct slice id);
bool shell_is_idle(const struct shell *sh);
