/* Everybody but the daemon: producers of signals, executors, agents, those who write where they should not.
 * Remembers all that it made, which is the account that the daemon's is compared with. */
#pragma once

#include "core/ledger.h"
#include "core/state.h"
#include "core/trade.h"
#include "sim.h"
#include "store.h"

#define WORLD_AGENTS  8
#define WORLD_ACTIONS 4
#define WORLD_TRADES  12

extern const char *const world_actions[WORLD_ACTIONS];

enum signal_kind { SIGNAL_FIRST, SIGNAL_REPEATED, SIGNAL_MALFORMED };

/* A result that may have done something to a signal. */
struct answer {
    uint64_t ms;
    enum result_status status;
};

#define ANSWERS_MAX 12

struct made_signal {
    struct stream_id id;
    enum signal_kind kind;
    uint32_t number; /* its signal_id is `s-NUMBER` */
    uint32_t first;  /* of a repeated one: which it repeats */
    uint32_t action;
    bool is_removed; /* by others, or with what the store lost */
    int64_t removed_ms;
    bool is_gone; /* the store lost it, or others took it, before anybody had read it */
    struct answer answers[ANSWERS_MAX];
    uint32_t answer_count;
    /* As the checks have seen it in the journal. */
    bool is_received, is_ended;
    enum signal_outcome outcome;
    int64_t ended_ms;
};

struct made_result {
    struct stream_id id;
    bool is_malformed, is_repeated, is_gone, is_taken; /* the last: by others */
    uint32_t number;                                   /* its result_id is `r-NUMBER` */
    uint32_t signal;                                   /* UINT32_MAX: of none that is known */
    enum result_status status;
};

struct made_report {
    struct stream_id id;
    uint32_t agent; /* UINT32_MAX: without a valid id */
    bool is_malformed, is_gone, is_taken;
    uint64_t value; /* its cpu_usage */
};

struct made_trade {
    struct stream_id id;
    uint32_t number; /* its trade_id is `t-NUMBER`; UINT32_MAX: malformed */
    uint64_t value;  /* its lot_size */
    bool is_gone, is_taken;
};

struct agent {
    bool is_spoiled; /* others have written its keys */
    enum instance_state state;
    bool has_reported;
};

struct world {
    struct sim *sim;
    struct store *store;
    struct made_signal *signals;
    uint32_t signal_count, signal_cap;
    struct made_result *results;
    uint32_t result_count, result_cap;
    struct made_report *reports;
    uint32_t report_count, report_cap;
    struct made_trade *trades;
    uint32_t trade_count, trade_cap;
    uint32_t *lives; /* by number: the latest signal of that id, UINT32_MAX for none yet */
    uint32_t life_count, life_cap;
    uint64_t *last_answer_ms; /* by number */
    int64_t promised_ms;      /* when a result was made for the next number; 0 for none */
    struct answer promised[ANSWERS_MAX];
    uint32_t promised_count;
    struct agent agents[WORLD_AGENTS];
    enum trade_state trade_states[WORLD_TRADES];
    uint32_t trade_numbers[WORLD_TRADES], next_trade;
    bool trade_is_spoiled[WORLD_TRADES];
    uint64_t value;
    uint32_t next_result;
    bool is_planted; /* something of a wrong type is in the way */
    struct key_list {
        char names[16][96];
        uint32_t count;
    } planted;
};

void world_init(struct world *world, struct sim *sim, struct store *store);
void world_clear(struct world *world);
/* One of them does something. Returns the agent whose hashes were written, or UINT32_MAX. */
uint32_t world_act(struct world *world);
/* Takes back what is planted. */
void world_unplant(struct world *world);
void world_format_agent(char out[32], uint32_t agent);

/* Others take all entries of stream K up to TO; what lies behind READ of them nobody will ever see. */
void world_take_entries(struct world *world, enum stream_kind k, struct stream_id to, struct stream_id read);

/* The latest life of the signal NUMBER, or NULL. */
struct made_signal *world_find_signal(const struct world *world, uint32_t number);
/* The signal made as the entry ID, or NULL. */
struct made_signal *world_find_entry(const struct world *world, struct stream_id id);
/* Whether a signal may have ended so by now. */
bool world_allows(const struct world *world, const struct made_signal *signal, enum signal_outcome outcome);
