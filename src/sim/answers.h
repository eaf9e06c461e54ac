/* Writing results: one place for those of the executors and for those that come before their signal. */
#pragma once

#include "signals.h"
#include "spoiler.h"

enum answer_kind { ANSWER_ACCEPTED, ANSWER_FINAL, ANSWER_AGAIN, ANSWER_FOLLOWUP };
#define ANSWER_WINDOW_MAX 10000

struct answers {
    struct sim *sim;
    struct signals *signals;
    struct spoiler *spoiler;
    struct rng rng;
    struct {
        uint64_t number;
        enum answer_kind kind;
    } * window; /* answers that wait to be shuffled */
    size_t window_count;
    bool flush_is_due;
    size_t pending; /* answers that were begun and are not confirmed yet */
};

void answers_init(struct answers *answers, struct sim *sim, struct signals *signals, struct spoiler *spoiler);
void answers_clear(struct answers *answers);

/* Everything that the plan of SIGNAL says, from now on: accepted first, the final result after its latency,
 * what follows. */
void answers_begin(struct answers *answers, struct planned_signal *signal, uint64_t number);
/* The final result, at once. */
void answers_write_early(struct answers *answers, struct planned_signal *signal, uint64_t number);
