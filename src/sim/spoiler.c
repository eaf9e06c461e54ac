/* One row per kind of bad entry; a share of ids is made unique so that no two are alike by chance. */
#include "spoiler.h"

#include "util/macros.h"
#include <stdio.h>

#define X8     "xxxxxxxx"
#define X64    X8 X8 X8 X8 X8 X8 X8 X8
#define HUGE   5000
#define FIELDS 5
#define VALUE(t)                                                                                             \
    {                                                                                                        \
        t, sizeof(t) - 1                                                                                     \
    }

/* A value of NULL is a name made up at the time; one of HUGE bytes is marked by its length. */
struct bad_entry {
    struct {
        const char *name;
        struct slice value;
    } fields[FIELDS];
};

#define UNIQUE                                                                                               \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }
#define TOO_LONG                                                                                             \
    {                                                                                                        \
        NULL, HUGE                                                                                           \
    }

static const struct bad_entry bad_reports[] = {
    {{{"state", VALUE("running")}, {"broker_id", VALUE("broker-1")}}},
    {{{"instance_id", VALUE("mt5:1")}, {"state", VALUE("running")}, {"broker_id", VALUE("broker-1")}}},
    {{{"instance_id", VALUE("mt5-1")}, {"state", VALUE("flying")}}},
    {{{"instance_id", VALUE("mt5-1")}, {"cpu_usage", VALUE("-1")}}},
    {{{"instance_id", VALUE("mt5-1")}, {"memory_usage", VALUE("inf")}}},
    {{{"instance_id", VALUE("mt5-1")}, {"queue_length", VALUE("0x10")}}},
    {{{"instance_id", VALUE("mt5-1")}, {"broker_id", VALUE("broker 1")}}},
    {{{"instance_id", VALUE("mt5-1")}, {"health_status", VALUE("fine")}}},
    {{{"instance_id", VALUE("mt5-1\nlevel=error")}, {"state", VALUE("running")}}},
    {{{"instance_id", TOO_LONG}, {"state", VALUE("running")}}},
    {{{"instance_id", UNIQUE}, {"state", VALUE("running")}}}, /* a first report without a broker */
    {{{"note", VALUE("no field that is known")}}},
};

static const struct bad_entry bad_signals[] = {
    {{{"action", VALUE("buy")}}},
    {{{"signal_id", VALUE("bad\nid")}, {"action", VALUE("buy")}}},
    {{{"signal_id", VALUE("bad:id")}, {"action", VALUE("buy")}}},
    {{{"signal_id", VALUE("bad\0id")}, {"action", VALUE("buy")}}},
    {{{"signal_id", VALUE("\"bad\"")}, {"action", VALUE("buy")}}},
    {{{"signal_id", VALUE(X64 "x")}, {"action", VALUE("buy")}}},
    {{{"signal_id", TOO_LONG}, {"action", VALUE("buy")}}},
    {{{"signal_id", UNIQUE}}},
    {{{"signal_id", UNIQUE}, {"action", VALUE("")}}},
    {{{"signal_id", UNIQUE}, {"action", VALUE("buy now")}}},
    {{{"signal_id", UNIQUE}, {"action", VALUE("b\xfcy")}}},
    {{{"signal_id", UNIQUE}, {"action", VALUE(X8 X8 X8 X8 "x")}}},
    {{{"signal_id", UNIQUE}, {"action", VALUE("buy")}, {"instance_id", VALUE("mt5 1")}}},
    {{{"note", VALUE("no field that is known")}}},
};

static const struct bad_entry bad_results[] = {
    {{{"signal_id", UNIQUE}, {"status", VALUE("executed")}}},
    {{{"result_id", UNIQUE}, {"status", VALUE("executed")}}},
    {{{"result_id", UNIQUE}, {"signal_id", UNIQUE}}},
    {{{"result_id", UNIQUE}, {"signal_id", UNIQUE}, {"status", VALUE("filled")}}},
    {{{"result_id", UNIQUE}, {"signal_id", UNIQUE}, {"status", VALUE("")}}},
    {{{"result_id", VALUE("bad\"id")}, {"signal_id", UNIQUE}, {"status", VALUE("executed")}}},
    {{{"result_id", UNIQUE}, {"signal_id", VALUE("")}, {"status", VALUE("executed")}}},
    {{{"result_id", UNIQUE},
      {"signal_id", UNIQUE},
      {"status", VALUE("executed")},
      {"slippage", VALUE("nan")}}},
    {{{"result_id", UNIQUE},
      {"signal_id", UNIQUE},
      {"status", VALUE("executed")},
      {"execution_time", VALUE("-5")}}},
    {{{"result_id", UNIQUE},
      {"signal_id", UNIQUE},
      {"status", VALUE("executed")},
      {"trade_id", VALUE("t 1")}}},
    {{{"result_id", TOO_LONG}, {"signal_id", UNIQUE}, {"status", VALUE("executed")}}},
    {{{"note", VALUE("no field that is known")}}},
};

static const struct bad_entry bad_trades[] = {
    {{{"symbol", VALUE("EURUSD")}}},
    {{{"trade_id", VALUE("t 1")}, {"state", VALUE("pending")}}},
    {{{"trade_id", VALUE("")}, {"state", VALUE("pending")}}},
    {{{"trade_id", UNIQUE}, {"state", VALUE("open")}}},
    {{{"trade_id", UNIQUE}, {"lot_size", VALUE("-1")}}},
    {{{"trade_id", UNIQUE}, {"balance", VALUE("much")}}},
    {{{"trade_id", UNIQUE}, {"execution_price", VALUE("1e999")}}},
    {{{"trade_id", UNIQUE}, {"symbol", VALUE("")}}},
    {{{"trade_id", UNIQUE}, {"direction", VALUE(X64 "x")}}},
    {{{"trade_id", UNIQUE}, {"order_type", TOO_LONG}}},
    {{{"note", VALUE("no field that is known")}}},
};

static const struct {
    const struct bad_entry *entries;
    size_t count;
} bad_entries[STREAM_KINDS] = {
    [STREAM_REPORTS] = {bad_reports, ARRAY_LEN(bad_reports)},
    [STREAM_SIGNALS] = {bad_signals, ARRAY_LEN(bad_signals)},
    [STREAM_RESULTS] = {bad_results, ARRAY_LEN(bad_results)},
    [STREAM_TRADES] = {bad_trades, ARRAY_LEN(bad_trades)},
};

void spoiler_init(struct spoiler *spoiler, struct sim *sim)
{
    *spoiler = (struct spoiler){.sim = sim};
    rng_init(&spoiler->rng, (uint64_t)sim->options->seed, RNG_SPOILER);
}

static void on_written(void *ctx, uint64_t stream, const struct written *written)
{
    struct spoiler *spoiler = ctx;

    spoiler->sim->account.malformed[stream] += written->ok;
}

static void add_field(struct spoiler *spoiler, const char *name, struct slice value)
{
    char text[HUGE];

    if (!value.data && value.len == 0)
        value.len = (size_t)snprintf(text, sizeof(text), "bad-%s-%llu", spoiler->sim->run_id,
                                     (unsigned long long)spoiler->count);
    else if (!value.data)
        memset(text, 'x', value.len);
    writer_add(spoiler->sim->writer, name, slice_of(value.data ? value.data : text, value.len));
}

void spoiler_maybe_add(struct spoiler *spoiler, enum stream_kind stream)
{
    const struct bad_entry *bad;

    if (!rng_chance(&spoiler->rng, spoiler->sim->options->malformed_share))
        return;
    bad = &bad_entries[stream].entries[rng_below(&spoiler->rng, (uint32_t)bad_entries[stream].count)];
    spoiler->count++;
    writer_begin(spoiler->sim->writer, stream);
    for (size_t i = 0; i < FIELDS && bad->fields[i].name; i++)
        add_field(spoiler, bad->fields[i].name, bad->fields[i].value);
    writer_end(spoiler->sim->writer, on_written, spoiler, stream);
}
