/* An answer is pending from the moment it is put on the agenda to its confirmation. In the closing phase
 * answers that are due are dropped: their signals stay unanswered. */
#include "answers.h"

#include "util/alloc.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WINDOW_MS       200
#define AGAIN_MS        5
#define KIND_BITS       2
#define SYMBOL_SLIPPAGE 0.8

void answers_init(struct answers *answers, struct sim *sim, struct signals *signals, struct spoiler *spoiler)
{
    *answers = (struct answers){.sim = sim, .signals = signals, .spoiler = spoiler};
    answers->window = mem_new((size_t)sim->options->shuffle, sizeof(*answers->window));
    rng_init(&answers->rng, (uint64_t)sim->options->seed, RNG_SHUFFLE);
}

void answers_clear(struct answers *answers)
{
    free(answers->window);
    answers->window = NULL;
}

static void end_answer(struct answers *answers, struct planned_signal *signal)
{
    answers->pending--;
    signal->pending--;
}

static void on_due(void *ctx, uint64_t arg, int64_t due_ms);

static void plan_answer(struct answers *answers, struct planned_signal *signal, uint64_t number,
                        enum answer_kind kind, int64_t delay_ms)
{
    signal->pending++;
    answers->pending++;
    agenda_add(&answers->sim->agenda, answers->sim->now_ms + delay_ms, on_due, answers,
               number << KIND_BITS | (uint64_t)kind);
}

static void note_wait(struct answers *answers, struct planned_signal *signal, int64_t ms)
{
    int64_t waited = ms - signal->waiting_since;

    if (signal->waiting_since > 0 && waited > answers->sim->account.slowest_answer_ms)
        answers->sim->account.slowest_answer_ms = waited;
    signal->waiting_since = ms;
}

static void count_answer(struct answers *answers, struct planned_signal *signal, enum answer_kind kind,
                         int64_t ms)
{
    struct account *account = &answers->sim->account;

    switch (kind) {
    case ANSWER_ACCEPTED:
        account->result[STATUS_ACCEPTED]++;
        if (!signal->answered)
            note_wait(answers, signal, ms);
        return;
    case ANSWER_FINAL:
        account->result[signal->status]++;
        account->results_early += signal->is_early;
        signal->answered = true;
        note_wait(answers, signal, ms);
        signals_settle(answers->signals, signal);
        return;
    case ANSWER_AGAIN:
        account->results_duplicate++;
        return;
    case ANSWER_FOLLOWUP:
        account->result[STATUS_EXECUTED]++;
        account->results_followup++;
        return;
    }
}

static void on_written(void *ctx, uint64_t arg, const struct written *written)
{
    struct answers *answers = ctx;
    struct planned_signal *signal = signals_find(answers->signals, arg >> KIND_BITS);

    if (written->ok)
        count_answer(answers, signal, (enum answer_kind)(arg & ((1 << KIND_BITS) - 1)), written->ms);
    end_answer(answers, signal);
}

static void write_ids(struct answers *answers, const struct planned_signal *signal, uint64_t number,
                      char kind)
{
    struct writer *writer = answers->sim->writer;
    char text[SIGNAL_ID_MAX];
    size_t len;

    len = (size_t)snprintf(text, sizeof(text), "r-%s-%llu-%c", answers->sim->run_id,
                           (unsigned long long)number, kind);
    writer_add(writer, "result_id", slice_of(text, len));
    len = signals_format_id(answers->signals, number, text);
    writer_add(writer, "signal_id",
               signal->foreign_id ? slice_text(signal->foreign_id) : slice_of(text, len));
    if (signal->instance > 0) {
        len = (size_t)snprintf(text, sizeof(text), "mt5-%u", signal->instance);
        writer_add(writer, "instance_id", slice_of(text, len));
    }
}

static void write_execution(struct answers *answers, const struct planned_signal *signal, uint64_t number)
{
    struct writer *writer = answers->sim->writer;
    struct rng rng;
    char text[SIGNAL_ID_MAX];
    size_t len = (size_t)snprintf(text, sizeof(text), "%" PRIu64, 50000000 + number);

    rng_init(&rng, number, (uint64_t)answers->sim->options->seed);
    writer_add(writer, "trade_id", slice_of(text, len));
    writer_add_number(writer, "slippage", SYMBOL_SLIPPAGE * rng_normal(&rng), 2);
    writer_add_whole(writer, "execution_time", signal->latency_ms);
}

static void write_answer(struct answers *answers, struct planned_signal *signal, uint64_t number,
                         enum answer_kind kind)
{
    static const char kinds[] = {
        [ANSWER_ACCEPTED] = 'a', [ANSWER_FINAL] = 'f', [ANSWER_AGAIN] = 'f', [ANSWER_FOLLOWUP] = 'u'};
    struct writer *writer = answers->sim->writer;
    enum result_status status = (enum result_status)signal->status;

    if (kind == ANSWER_ACCEPTED)
        status = STATUS_ACCEPTED;
    else if (kind == ANSWER_FOLLOWUP)
        status = STATUS_EXECUTED;
    writer_begin(writer, STREAM_RESULTS);
    write_ids(answers, signal, number, kinds[kind]);
    writer_add_text(writer, "status", result_status_name(status));
    if (result_status_effect(status) == RESULT_PROCESSES)
        write_execution(answers, signal, number);
    writer_end(writer, on_written, answers, number << KIND_BITS | (uint64_t)kind);
    spoiler_maybe_add(answers->spoiler, STREAM_RESULTS);

    if (kind != ANSWER_FINAL)
        return;
    if (signal->entry.ms > 0)
        writer_ack(writer, signal->entry);
    if (signal->result_twice)
        plan_answer(answers, signal, number, ANSWER_AGAIN, AGAIN_MS);
    if (signal->has_followup)
        plan_answer(answers, signal, number, ANSWER_FOLLOWUP, sim_ms(signal->latency_ms * 0.5));
}

static void write_window(struct answers *answers)
{
    for (size_t i = answers->window_count; i > 1; i--) {
        size_t other = rng_below(&answers->rng, (uint32_t)i);
        uint64_t number = answers->window[i - 1].number;
        enum answer_kind kind = answers->window[i - 1].kind;

        answers->window[i - 1] = answers->window[other];
        answers->window[other].number = number;
        answers->window[other].kind = kind;
    }
    for (size_t i = 0; i < answers->window_count; i++) {
        uint64_t number = answers->window[i].number;

        write_answer(answers, signals_find(answers->signals, number), number, answers->window[i].kind);
    }
    answers->window_count = 0;
}

static void on_window_due(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct answers *answers = ctx;

    (void)arg;
    (void)due_ms;
    answers->flush_is_due = false;
    if (answers->sim->phase != SIM_CLOSING)
        write_window(answers);
}

static void on_due(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct answers *answers = ctx;
    uint64_t number = arg >> KIND_BITS;
    enum answer_kind kind = (enum answer_kind)(arg & ((1 << KIND_BITS) - 1));
    struct planned_signal *signal = signals_find(answers->signals, number);

    (void)due_ms;
    if (answers->sim->phase == SIM_CLOSING) {
        end_answer(answers, signal);
        return;
    }
    if (answers->sim->options->shuffle == 1 || kind == ANSWER_AGAIN) {
        write_answer(answers, signal, number, kind);
        return;
    }
    answers->window[answers->window_count].number = number;
    answers->window[answers->window_count++].kind = kind;
    if (answers->window_count == (size_t)answers->sim->options->shuffle) {
        write_window(answers);
    } else if (!answers->flush_is_due) {
        answers->flush_is_due = true;
        agenda_add(&answers->sim->agenda, answers->sim->now_ms + WINDOW_MS, on_window_due, answers, 0);
    }
}

void answers_begin(struct answers *answers, struct planned_signal *signal, uint64_t number)
{
    if (signal->is_accepted)
        plan_answer(answers, signal, number, ANSWER_ACCEPTED, sim_ms(signal->latency_ms * 0.2));
    if (signal->is_answered)
        plan_answer(answers, signal, number, ANSWER_FINAL, signal->latency_ms);
}

void answers_write_early(struct answers *answers, struct planned_signal *signal, uint64_t number)
{
    signal->pending++;
    answers->pending++;
    write_answer(answers, signal, number, ANSWER_FINAL);
}
