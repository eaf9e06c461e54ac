/* One configuration tried on a recording (SPEC §11): the core of the daemon under the recorded clock, without
 * Redis, and what it found.
 *
 * The model (docs/decisions/0012-backtest.md): entries come as they were recorded, whatever is commanded
 * here. A recorded answer is heard as one to the command of its kind that is open here. A command that was
 * not given in the recording is answered `ok` by the next report, where that can be. What operators did is
 * done again. Where something is missing, silence is excused and samples from before say nothing, as behind
 * the guard.
 *
 * Time is that of the reports: before one is taken in, all that was due before it is done, each at its own
 * time, so every report of one millisecond is there before anything is decided in it. Signals and results
 * have a time of their own, for nothing in one depends on the other and a recording may have them apart. */
#pragma once

#include "app/backtest_account.h"
#include "codec/recording.h"
#include "config/config.h"
#include "core/fleet.h"
#include "core/ledger.h"

/* What an operator did, for when its time comes. */
enum backtest_act_kind { ACT_COMMAND, ACT_MAINTENANCE, ACT_REMOVE };
struct backtest_act {
    enum backtest_act_kind kind;
    struct ident instance_id;
    struct cause cause;
    enum command_kind command;
    bool is_on; /* maintenance */
};
#define BACKTEST_ACTS_MAX 1024

/* Commands of an instance: the last ones that were given here, and the one of the recording. */
#define BACKTEST_GIVEN 8
struct backtest_given {
    uint64_t number[BACKTEST_GIVEN]; /* 0: none */
    enum command_kind kind[BACKTEST_GIVEN];
    uint32_t generation, next;
    bool is_recorded_open;
    enum command_kind recorded_kind;
    uint64_t recorded_number;
    int64_t recorded_until_ms; /* when it has ended at the latest */
    uint64_t paired;           /* the number of ours that has one in the recording, which tells its answer */
};

struct backtest_run {
    const struct config *config; /* borrowed */
    struct fleet fleet;
    struct ledger *ledger;
    struct account account;
    int64_t now_ms; /* of the reports; 0: none has come */
    int64_t signals_ms, results_ms;
    bool is_loading;              /* states have come, and nothing else since */
    bool has_gap;                 /* something is missing up to the next report or state */
    struct backtest_given *given; /* by the slot of the instance */
    uint32_t given_count;
    struct backtest_act *acts; /* in the order of their times */
    uint32_t act_count;
    uint64_t since_flush;
    uint64_t rejected, answers_heard, answers_unheard, answers_assumed, unevaluable;
};

/* CONFIG is borrowed. RUN must stay where it is. */
void backtest_run_init(struct backtest_run *run, const struct config *config);
void backtest_run_clear(struct backtest_run *run);
/* Takes in the next line, whose IDs ascend within a stream. False where a state could not be read. */
bool backtest_run_take(struct backtest_run *run, const struct recorded_line *line);
/* The recording ends at END_MS, by the latest ID in it. */
void backtest_run_finish(struct backtest_run *run, int64_t end_ms);
