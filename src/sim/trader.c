/* A trade is nothing but its number and its state, which travel in the agenda: the rest follows from the
 * number. */
#include "trader.h"

#include "core/trade.h"
#include "market.h"
#include <stdio.h>

#define STATE_BITS 3
#define STEP_MS    300  /* mean time to be taken up, and to be filled */
#define HOLD_MS    5000 /* mean time that a position is held */
#define FAIL_SHARE 0.03 /* at each of the first two steps */

void trader_init(struct trader *trader, struct sim *sim, struct spoiler *spoiler)
{
    *trader = (struct trader){.sim = sim, .spoiler = spoiler};
    rng_init(&trader->rng, (uint64_t)sim->options->seed, RNG_TRADER);
}

/* STATES: the state that was written, and above it the one before. */
static void on_written(void *ctx, uint64_t states, const struct written *written)
{
    struct trader *trader = ctx;
    struct account *account = &trader->sim->account;
    int before = (int)(states >> STATE_BITS) - 1;

    if (!written->ok)
        return;
    account->trade_updates++;
    account->trade_state[states & ((1 << STATE_BITS) - 1)]++;
    if (before == TRADE_NONE)
        account->trades++;
    else
        account->trade_state[before]--;
}

static void write_new(struct trader *trader, uint64_t number)
{
    struct writer *writer = trader->sim->writer;
    const struct options *options = trader->sim->options;
    const struct market_symbol *symbol = market_symbol(number);
    bool buys = number % 3 != 0;
    char text[64];

    if (options->instances > 0) {
        uint32_t instance = rng_below(&trader->rng, (uint32_t)options->instances);

        (void)snprintf(text, sizeof(text), "mt5-%u", 1 + instance);
        writer_add_text(writer, "instance_id", text);
        (void)snprintf(text, sizeof(text), "broker-%u", 1 + instance % (uint32_t)options->brokers);
        writer_add_text(writer, "broker_id", text);
        writer_add_whole(writer, "account_id", 7000000 + instance);
    }
    writer_add_text(writer, "symbol", symbol->name);
    writer_add_text(writer, "order_type", number % 5 == 0 ? "limit" : "market");
    writer_add_text(writer, "direction", buys ? "buy" : "sell");
    writer_add_number(writer, "lot_size", 0.01 * (double)(1 + number % 50), 2);
    writer_add_number(writer, "requested_price", symbol->price, 4);
    writer_add_number(writer, "stop_loss", symbol->price * (buys ? 0.99 : 1.01), 4);
    writer_add_number(writer, "take_profit", symbol->price * (buys ? 1.02 : 0.98), 4);
    writer_add_whole(writer, "leverage", 100);
}

static void write_step(struct trader *trader, uint64_t number, enum trade_state state)
{
    struct writer *writer = trader->sim->writer;
    const struct market_symbol *symbol = market_symbol(number);
    double gain = 20 * rng_normal(&trader->rng);

    if (state == TRADE_EXECUTED) {
        writer_add_number(writer, "execution_price", symbol->price * (1 + 0.0002 * rng_normal(&trader->rng)),
                          4);
        writer_add_whole(writer, "partial_fill_percentage", 100);
        writer_add_number(writer, "position", number % 3 != 0 ? 0.1 : -0.1, 2);
    }
    if (state == TRADE_EXECUTED || state == TRADE_CLOSED) {
        writer_add_number(writer, "balance", 10000 + gain, 2);
        writer_add_number(writer, "equity", 10000 + 1.5 * gain, 2);
    }
}

static void on_step_due(void *ctx, uint64_t arg, int64_t due_ms);

static void plan_step(struct trader *trader, uint64_t number, enum trade_state state)
{
    double mean_ms = state == TRADE_EXECUTED ? HOLD_MS : STEP_MS;

    if (trade_state_is_open(state))
        agenda_add(&trader->sim->agenda, trader->sim->now_ms + sim_ms(rng_exponential(&trader->rng, mean_ms)),
                   on_step_due, trader, number << STATE_BITS | (uint64_t)state);
}

static void write_update(struct trader *trader, uint64_t number, enum trade_state before,
                         enum trade_state state)
{
    struct writer *writer = trader->sim->writer;
    char text[64];

    (void)snprintf(text, sizeof(text), "t-%s-%llu", trader->sim->run_id, (unsigned long long)number);
    writer_begin(writer, STREAM_TRADES);
    writer_add_text(writer, "trade_id", text);
    if (before == TRADE_NONE)
        write_new(trader, number);
    else
        write_step(trader, number, state);
    writer_add_text(writer, "state", trade_state_name(state));
    writer_end(writer, on_written, trader, (uint64_t)(before + 1) << STATE_BITS | (uint64_t)state);
    spoiler_maybe_add(trader->spoiler, STREAM_TRADES);
    plan_step(trader, number, state);
}

static enum trade_state next_state(struct trader *trader, enum trade_state state)
{
    if (state == TRADE_EXECUTED)
        return TRADE_CLOSED;
    if (rng_chance(&trader->rng, FAIL_SHARE))
        return TRADE_FAILED;
    return state == TRADE_PENDING ? TRADE_EXECUTING : TRADE_EXECUTED;
}

static void on_step_due(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct trader *trader = ctx;
    enum trade_state state = (enum trade_state)(arg & ((1 << STATE_BITS) - 1));

    (void)due_ms;
    if (trader->sim->phase == SIM_RUNNING)
        write_update(trader, arg >> STATE_BITS, state, next_state(trader, state));
}

static void on_due(void *ctx)
{
    struct trader *trader = ctx;

    write_update(trader, ++trader->made, TRADE_NONE, TRADE_PENDING);
}

void trader_start(struct trader *trader)
{
    trader->pacer = (struct pacer){.sim = trader->sim,
                                   .rng = &trader->rng,
                                   .per_sec = trader->sim->options->trades_per_sec,
                                   .fn = on_due,
                                   .ctx = trader};
    pacer_start(&trader->pacer);
}
