/* In the draining phase nothing new is begun, but what was begun (the signal behind an early result, the
 * second of two) is written. */
#include "producer.h"

#include "market.h"
#include <stdio.h>

#define EARLY_GAP_MS 40
#define TWICE_GAP_MS 200

void producer_init(struct producer *producer, struct sim *sim, struct signals *signals,
                   struct answers *answers, struct spoiler *spoiler)
{
    *producer = (struct producer){.sim = sim, .signals = signals, .answers = answers, .spoiler = spoiler};
    rng_init(&producer->rng, (uint64_t)sim->options->seed, RNG_PRODUCER);
}

static void on_signal_written(void *ctx, uint64_t number, const struct written *written)
{
    struct producer *producer = ctx;
    struct planned_signal *signal = signals_find(producer->signals, number);

    producer->pending--;
    signal->pending--;
    signal->written = written->ok;
    signal->refused = !written->ok;
    if (!written->ok)
        return;
    producer->sim->account.action[signal->action].written++;
    if (signal->waiting_since == 0 && !signal->answered)
        signal->waiting_since = written->ms;
    signals_settle(producer->signals, signal);
}

static void on_second_written(void *ctx, uint64_t number, const struct written *written)
{
    struct producer *producer = ctx;
    struct planned_signal *signal = signals_find(producer->signals, number);

    producer->pending--;
    signal->pending--;
    producer->sim->account.action[signal->action].duplicate += written->ok;
}

static void write_signal(struct producer *producer, const struct planned_signal *signal, uint64_t number,
                         written_fn fn)
{
    static const char *const shouted[ACTIONS] = {"BUY", "Sell", "CLOSE", "Modify"};
    struct writer *writer = producer->sim->writer;
    const char *const *names = number % 10 == 0 ? shouted : action_names;
    const struct market_symbol *symbol = market_symbol(number);
    char text[SIGNAL_ID_MAX];
    size_t len = signals_format_id(producer->signals, number, text);

    writer_begin(writer, STREAM_SIGNALS);
    writer_add(writer, "signal_id", slice_of(text, len));
    writer_add_text(writer, "action", names[signal->action]);
    if (signal->instance > 0) {
        len = (size_t)snprintf(text, sizeof(text), "mt5-%u", signal->instance);
        writer_add(writer, "instance_id", slice_of(text, len));
    }
    writer_add_text(writer, "symbol", symbol->name);
    writer_add_number(writer, "price", symbol->price, 4);
    writer_add_text(writer, "volume", "0.10");
    writer_end(writer, fn, producer, number);
}

static void on_signal_due(void *ctx, uint64_t number, int64_t due_ms)
{
    struct producer *producer = ctx;

    (void)due_ms;
    write_signal(producer, signals_find(producer->signals, number), number, on_signal_written);
}

static void on_second_due(void *ctx, uint64_t number, int64_t due_ms)
{
    struct producer *producer = ctx;

    (void)due_ms;
    write_signal(producer, signals_find(producer->signals, number), number, on_second_written);
}

static void make_signal(struct producer *producer)
{
    struct agenda *agenda = &producer->sim->agenda;
    int64_t first_ms = producer->sim->now_ms;
    uint64_t number;
    struct planned_signal *signal = signals_plan(producer->signals, NULL, &number);

    producer->made++;
    producer->pending++;
    signal->pending++;
    if (signal->is_early) {
        first_ms += EARLY_GAP_MS;
        signal->taken = true; /* by whoever wrote that result */
        answers_write_early(producer->answers, signal, number);
        agenda_add(agenda, first_ms, on_signal_due, producer, number);
    } else {
        write_signal(producer, signal, number, on_signal_written);
    }
    if (signal->is_written_twice) {
        producer->pending++;
        signal->pending++;
        agenda_add(agenda, first_ms + 1 + rng_below(&producer->rng, TWICE_GAP_MS), on_second_due, producer,
                   number);
    }
    spoiler_maybe_add(producer->spoiler, STREAM_SIGNALS);
}

bool producer_is_done(const struct producer *producer)
{
    return producer->sim->options->signals > 0 && producer->made >= (uint64_t)producer->sim->options->signals;
}

static void on_due(void *ctx)
{
    struct producer *producer = ctx;

    if (!producer_is_done(producer))
        make_signal(producer);
}

void producer_start(struct producer *producer)
{
    producer->pacer = (struct pacer){.sim = producer->sim,
                                     .rng = &producer->rng,
                                     .per_sec = producer->sim->options->signals_per_sec,
                                     .fn = on_due,
                                     .ctx = producer};
    pacer_start(&producer->pacer);
}
