/* The simulator's ledger: what it has written, counted when Redis has confirmed it. */
#pragma once

#include "core/signal.h"
#include "core/state.h"
#include "core/stream.h"
#include "core/trade.h"
#include "trouble.h"
#include "util/buf.h"
#include <stdint.h>

/* The actions of the signals that are produced here. */
enum action { ACTION_BUY, ACTION_SELL, ACTION_CLOSE, ACTION_MODIFY };
#define ACTIONS 4
extern const char *const action_names[ACTIONS];

struct action_account {
    uint64_t written;           /* unique valid signals */
    uint64_t duplicate;         /* the same once more */
    uint64_t processed, failed; /* by their first final result */
};

struct instance_account {
    enum instance_state state; /* last reported; STATE_NONE: nothing reported */
    uint64_t reports;
    bool silent;
};

/* Commands to agents: each that was read is in one of the counts before `late`. */
struct command_account {
    uint64_t read;
    uint64_t missed;            /* the agent was silent */
    uint64_t expired, repeated; /* not looked at further */
    uint64_t refused, ignored;  /* by the shares that were asked for */
    uint64_t obeyed, failed;    /* as answered, or as it would have been by an agent that fell silent */
    uint64_t under_way;         /* not ended yet */
    uint64_t late;              /* put off until they may have expired; counted above too */
};

/* What reports say about commands. */
enum reply_kind {
    REPLY_NONE,
    REPLY_ACCEPTED,
    REPLY_OK,
    REPLY_FAILED,
    REPLY_TWICE,  /* the same once more */
    REPLY_UNKNOWN /* about a command that nobody has issued */
};
#define REPLIES 6

struct trouble_account {
    uint64_t begun;
    uint64_t cured;  /* by a command or a restart */
    uint64_t passed; /* by themselves */
};

struct account {
    struct action_account action[ACTIONS];
    uint64_t result[RESULT_STATUSES]; /* valid ones, each result_id once */
    uint64_t results_duplicate;       /* a result_id once more */
    uint64_t results_followup, results_early;
    struct {
        uint64_t taken, processed, failed; /* written by somebody else; their results are in the above */
    } foreign;
    uint64_t abandoned_signals; /* left pending by an earlier run, not executed */
    uint64_t malformed[STREAM_KINDS];
    uint64_t reports, trades, trade_updates;
    uint64_t trade_state[TRADE_STATES]; /* of the trades of this run, by the last update */
    struct command_account commands;
    uint64_t replies[REPLIES];
    struct trouble_account troubles[TROUBLES];
    uint64_t crashes;
    int64_t
        slowest_answer_ms; /* longest from a signal to its first result, or from accepted to the final one */
    struct instance_account *instances;
    uint32_t instance_count;
};

void account_init(struct account *account, uint32_t instance_count);
void account_clear(struct account *account);

/* Signals written that have no final result. */
uint64_t account_unanswered(const struct account *account);

/* What the ledger says besides the counts. */
struct account_frame {
    const char *run_id;
    int64_t seed;
    int64_t ran_ms;
    const char *fault;              /* NULL: the ledger is exact */
    uint64_t entries[STREAM_KINDS]; /* of every kind, invalid ones too */
    uint64_t refused, resent, connects;
};

/* The ledger as one JSON object and a newline. */
void account_print(const struct account *account, const struct account_frame *frame, struct buf *out);
