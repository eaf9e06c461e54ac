/* What the files of one run of a backtest share. */
#pragma once

#include "app/backtest_run.h"

static inline struct sink *backtest_sink(struct backtest_run *run)
{
    return &run->account.sink;
}

/* backtest_commands.c */

/* Notes what is commanded here; CTX is the run (app/backtest_account.h). */
void backtest_on_command(void *ctx, struct slice instance_id, enum command_kind kind, uint64_t number);
/* Follows the command that was open when the recording was made, by its events. */
void backtest_follow_command(struct backtest_run *run, const struct recorded_line *line);
/* The command that was answered has another number here, or was never given: REPORT is changed to say so. ID
 * holds what it then refers to. */
void backtest_translate_answer(struct backtest_run *run, struct report *report,
                               char id[IDENT_COMMAND_MAX + 1]);
/* Nobody obeyed what was commanded here alone: the agent is taken to have done it, and REPORT says so. */
void backtest_assume_answer(struct backtest_run *run, struct report *report, char id[IDENT_COMMAND_MAX + 1]);

/* backtest_signals.c */
void backtest_take_signal(struct backtest_run *run, const struct entry *entry);
void backtest_take_result(struct backtest_run *run, const struct entry *entry);
/* A result may be among what is missing: no signal is dropped for it. */
void backtest_hold_signals(struct backtest_run *run);
/* Judges what is late at END_MS, and ends the last batch. */
void backtest_end_signals(struct backtest_run *run, int64_t end_ms);
