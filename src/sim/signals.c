/* A ring of signals by number. */
#include "signals.h"

#include "util/alloc.h"
#include "util/macros.h"
#include "util/number.h"
#include <stdio.h>
#include <stdlib.h>

#define FORGET_MS 300000

void signals_init(struct signals *signals, struct sim *sim)
{
    *signals = (struct signals){.sim = sim, .cap = 1024, .base = 1};
    signals->slots = mem_new(signals->cap, sizeof(*signals->slots));
}

static struct planned_signal *slot_at(struct signals *signals, size_t offset)
{
    return &signals->slots[(signals->head + offset) & (signals->cap - 1)];
}

void signals_clear(struct signals *signals)
{
    for (size_t i = 0; i < signals->count; i++)
        free(slot_at(signals, i)->foreign_id);
    free(signals->slots);
    signals->slots = NULL;
    signals->count = 0;
}

static void grow(struct signals *signals)
{
    struct planned_signal *larger = mem_new(signals->cap * 2, sizeof(*larger));

    for (size_t i = 0; i < signals->count; i++)
        larger[i] = *slot_at(signals, i);
    free(signals->slots);
    signals->slots = larger;
    signals->cap *= 2;
    signals->head = 0;
}

static enum action draw_action(struct rng *rng)
{
    double at = rng_unit(rng);

    if (at < 0.8)
        return at < 0.4 ? ACTION_BUY : ACTION_SELL;
    return at < 0.95 ? ACTION_CLOSE : ACTION_MODIFY;
}

/* Leaves the plan unanswered where the draw says so. */
static void draw_status(struct planned_signal *signal, const struct options *options, struct rng *rng)
{
    static const enum result_status failures[] = {STATUS_FAILED, STATUS_REJECTED, STATUS_CANCELLED,
                                                  STATUS_EXPIRED};
    double at = rng_unit(rng);
    uint32_t failure = rng_below(rng, ARRAY_LEN(failures));
    bool closes = rng_chance(rng, 0.05);

    signal->is_answered = at >= options->unanswered_share;
    at -= options->unanswered_share;
    if (at < options->fail_share)
        signal->status = (uint8_t)failures[failure];
    else if (at < options->fail_share + options->partial_share)
        signal->status = STATUS_PARTIALLY_FILLED;
    else
        signal->status = closes ? STATUS_CLOSED : STATUS_EXECUTED;
}

static void draw_plan(struct planned_signal *signal, const struct options *options, struct rng *rng)
{
    bool addressed = rng_chance(rng, 0.8) && options->instances > 0;

    signal->action = (uint8_t)draw_action(rng);
    signal->instance = addressed ? 1 + rng_below(rng, (uint32_t)options->instances) : 0;
    signal->latency_ms = (uint32_t)rng_lognormal(rng, (double)options->latency_ms);
    draw_status(signal, options, rng);
    signal->is_written_twice = rng_chance(rng, options->duplicate_share);
    signal->result_twice = rng_chance(rng, options->duplicate_result_share);
    signal->has_followup = rng_chance(rng, options->followup_share) && signal->is_answered &&
                           result_status_effect((enum result_status)signal->status) == RESULT_PROCESSES;
    signal->is_early = rng_chance(rng, options->early_share) && signal->is_answered && options->executors > 0;
    signal->is_accepted = rng_chance(rng, options->accepted_share) && !signal->is_early;
}

struct planned_signal *signals_plan(struct signals *signals, const char *foreign_id, uint64_t *ret_number)
{
    uint64_t number = signals->base + signals->count;
    struct planned_signal *signal;
    struct rng rng;

    if (signals->count == signals->cap)
        grow(signals);
    signal = slot_at(signals, signals->count++);
    *signal = (struct planned_signal){0};
    rng_init(&rng, (uint64_t)signals->sim->options->seed, (foreign_id ? RNG_FOREIGN : RNG_SIGNAL) + number);
    draw_plan(signal, signals->sim->options, &rng);
    if (foreign_id) {
        signal->foreign_id = mem_copy_text(foreign_id, strlen(foreign_id));
        signal->is_early = false;
        signal->is_written_twice = false;
    }
    *ret_number = number;
    return signal;
}

struct planned_signal *signals_find(struct signals *signals, uint64_t number)
{
    if (number < signals->base || number - signals->base >= signals->count)
        return NULL;
    return slot_at(signals, (size_t)(number - signals->base));
}

bool signals_parse_id(const struct signals *signals, struct slice id, uint64_t *ret_number)
{
    size_t run_len = strlen(signals->sim->run_id);

    if (id.len < run_len + 4 || memcmp(id.data, "s-", 2) != 0 || id.data[2 + run_len] != '-' ||
        memcmp(id.data + 2, signals->sim->run_id, run_len) != 0)
        return false;
    return number_parse_u64(slice_of(id.data + run_len + 3, id.len - run_len - 3), UINT64_MAX, ret_number);
}

size_t signals_format_id(const struct signals *signals, uint64_t number, char out[SIGNAL_ID_MAX])
{
    return (size_t)snprintf(out, SIGNAL_ID_MAX, "s-%s-%llu", signals->sim->run_id,
                            (unsigned long long)number);
}

void signals_settle(struct signals *signals, struct planned_signal *signal)
{
    struct account *account = &signals->sim->account;
    bool processed = result_status_effect((enum result_status)signal->status) == RESULT_PROCESSES;

    if (signal->settled || !signal->written || !signal->answered)
        return;
    signal->settled = true;
    if (signal->foreign_id) {
        account->foreign.processed += processed;
        account->foreign.failed += !processed;
    } else {
        account->action[signal->action].processed += processed;
        account->action[signal->action].failed += !processed;
    }
}

static bool is_done_with(const struct planned_signal *signal, bool nobody_reads, int64_t wall_ms)
{
    if (signal->pending > 0 || !(signal->written || signal->refused))
        return false;
    return signal->taken || signal->refused || nobody_reads ||
           (signal->waiting_since > 0 && wall_ms - signal->waiting_since > FORGET_MS);
}

void signals_release(struct signals *signals, int64_t wall_ms)
{
    while (signals->count > 0) {
        struct planned_signal *first = slot_at(signals, 0);

        if (!is_done_with(first, signals->sim->options->executors == 0, wall_ms))
            return;
        free(first->foreign_id);
        signals->head = (signals->head + 1) & (signals->cap - 1);
        signals->count--;
        signals->base++;
    }
}
