/* Signals and results of a backtest, in a time of their own (app/backtest_run.h). */
#include "backtest_private.h"
#include "codec/signal_entry.h"

/* Signals and results between two ends of a batch. */
#define FLUSH_STRIDE 500
#define LATE_MAX     500

static int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void end_batch(struct backtest_run *run)
{
    int64_t now_ms = max_i64(run->signals_ms, run->results_ms);
    run->since_flush = 0;
    ledger_flush(run->ledger, (struct stream_id){(uint64_t)now_ms, UINT64_MAX}, now_ms, backtest_sink(run));
}

static void note_taken(struct backtest_run *run)
{
    if (++run->since_flush >= FLUSH_STRIDE)
        end_batch(run);
}

/* Ends what was late before HORIZON_MS. Who took it from its stream is not recorded: nobody. */
static void judge_signals(struct backtest_run *run, int64_t horizon_ms)
{
    static bool present[LATE_MAX];
    struct stream_id late[LATE_MAX];
    size_t count;
    if (ledger_next_deadline(run->ledger) > horizon_ms)
        return;
    memset(present, true, sizeof present);
    ledger_expire(run->ledger, horizon_ms, horizon_ms);
    while ((count = ledger_collect_late(run->ledger, horizon_ms, late, LATE_MAX)) > 0) {
        ledger_end_late(run->ledger, late, present, count, horizon_ms, horizon_ms, backtest_sink(run));
        end_batch(run);
    }
}

static void take_signal(struct backtest_run *run, const struct entry *entry)
{
    struct signal_entry signal;
    struct signal_entry_scratch scratch;
    struct slice field;
    struct errmsg why;
    run->signals_ms = (int64_t)entry->id.ms;
    if (!signal_entry_parse(entry, &scratch, &signal, &field, &why)) {
        run->rejected++;
        ledger_on_rejected(run->ledger, entry->stream, entry->id);
        return;
    }
    ledger_on_signal(run->ledger, &signal, backtest_sink(run));
    /* Nobody answers any more: the time of the signals must do. */
    if (ledger_is_full(run->ledger))
        judge_signals(run, max_i64(run->signals_ms, run->results_ms));
}

static void take_result(struct backtest_run *run, const struct entry *entry)
{
    struct result_entry result;
    struct slice field;
    struct errmsg why;
    judge_signals(run, (int64_t)entry->id.ms - 1);
    run->results_ms = (int64_t)entry->id.ms;
    if (!result_entry_parse(entry, &result, &field, &why)) {
        run->rejected++;
        ledger_on_rejected(run->ledger, entry->stream, entry->id);
        return;
    }
    ledger_on_result(run->ledger, &result, max_i64(run->signals_ms, run->results_ms), backtest_sink(run));
}

void backtest_take_signal(struct backtest_run *run, const struct entry *entry)
{
    take_signal(run, entry);
    note_taken(run);
}

void backtest_take_result(struct backtest_run *run, const struct entry *entry)
{
    take_result(run, entry);
    note_taken(run);
}

void backtest_hold_signals(struct backtest_run *run)
{
    ledger_hold(run->ledger, max_i64(run->signals_ms, run->results_ms) + run->config->signals.ttl_ms);
}

void backtest_end_signals(struct backtest_run *run, int64_t end_ms)
{
    judge_signals(run, end_ms);
    end_batch(run);
}
