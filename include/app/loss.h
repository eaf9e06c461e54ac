/* What was found missing, or there once more, after Redis has lost writes that it had acknowledged (SPEC
 * §10): counted by kind, for metrics and for one line of the log. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum loss_kind {
    LOSS_BATCHES,       /* batches that were acknowledged, and of which Redis knew nothing any more */
    LOSS_STREAMS,       /* streams that ended below what was known of them */
    LOSS_GROUPS,        /* consumer groups of ours that stood below what was handled, or were gone */
    LOSS_EVENTS,        /* events, of those held here, that are in their stream no more */
    LOSS_RESULTS,       /* results, of those kept, that are in their stream no more */
    LOSS_SIGNALS_GONE,  /* open signals that are in their stream no more */
    LOSS_SIGNALS_ENDED, /* entries of signals that had ended and were in the stream again; removed */
    LOSS_UNREAD,        /* signals and results below a position that nobody had read; taken in */
};
#define LOSS_KINDS 8
/* The label, and the name in the log. */
const char *loss_kind_name(enum loss_kind kind);

struct loss {
    uint64_t found[LOSS_KINDS]; /* this time */
    uint64_t total[LOSS_KINDS];
};

/* Another loss: nothing has been found of it. */
void loss_begin(struct loss *loss);
/* COUNT in all are found, as far as is known now: looking again counts nothing twice. */
void loss_find(struct loss *loss, enum loss_kind kind, uint64_t count);
/* COUNT more. */
void loss_count(struct loss *loss, enum loss_kind kind, uint64_t count);
