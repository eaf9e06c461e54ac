/* What a backtest found, as text for people. */
#pragma once

#include "app/backtest_run.h"
#include <stdio.h>

/* What was read, the same for every configuration. */
struct backtest_summary {
    const char *file;
    int64_t from_ms, until_ms; /* by the IDs in it */
    uint64_t reports, signals, results, events, states;
    uint64_t gaps;
    uint64_t left_out; /* lines that could not be taken */
};

/* The recording, and what is assumed of the world. */
void backtest_report_head(FILE *out, const struct backtest_summary *summary);
/* Each rule, then each time that it fired. NAME is the configuration's. */
void backtest_report_run(FILE *out, const struct backtest_run *run, const char *name, int64_t until_ms);
/* What differs between RUN and OLD. */
void backtest_report_difference(FILE *out, const struct backtest_run *run, const struct backtest_run *old,
                                const char *name, const char *old_name, int64_t until_ms);

/* `1 h 02 min`, `3 min 05 s`, `12.3 s`, `250 ms`. Appends. */
void backtest_add_duration(struct buf *out, int64_t ms);
