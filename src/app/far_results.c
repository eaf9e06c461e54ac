#include "app/far_results.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include "codec/signal_entry.h"

static struct daemon *signals_of(const struct ingest *in)
{
    return daemon_of(in->d, LAYER_RTSS);
}

static void take_halves(struct ingest *in, const struct entry *entry, int64_t now_ms, bool is_counted,
                        bool is_applied)
{
    struct daemon *signals = signals_of(in);
    struct result_entry result;
    struct slice field;
    struct errmsg why;
    bool is_valid = result_entry_parse(entry, &result, &field, &why);
    if (!is_valid && is_counted)
        ingest_reject(in, entry, field.data, slice_text(why.text));
    bool is_first = is_valid && (is_counted ? ledger_count_result(in->d->ledger, &result, now_ms)
                                            : !ledger_was_duplicate(in->d->ledger, &result));
    if (!is_first || !is_applied)
        return;
    struct cause cause = {CAUSE_RESULT, entry->id};
    struct sink *sink = commit_sink(&signals->commit);
    sink->ops->begin(sink->ctx, &cause);
    ledger_match_result(signals->ledger, &result, daemon_now_ms(signals), sink);
}

void far_results_take(struct ingest *in, const struct entry *entry, int64_t now_ms)
{
    struct daemon *signals = signals_of(in);
    struct ingest_stream *applied = &signals->ingest.streams[STREAM_RESULTS];
    bool is_new = stream_id_compare(entry->id, in->streams[STREAM_RESULTS].handled) > 0;
    bool is_due = stream_id_compare(entry->id, applied->handled) > 0;
    in->results_wait = in->results_wait || (is_due && !lead_is_active(&signals->lead));
    is_due = is_due && !in->results_wait;
    take_halves(in, entry, now_ms, is_new, is_due);
    if (!is_due)
        return;
    applied->handled = applied->read = entry->id;
    if (commit_is_full(&signals->commit))
        commit_kick(&signals->commit);
}

void far_results_take_unread(struct ingest *in, const struct entry *entry, int64_t now_ms)
{
    take_halves(in, entry, now_ms, true, lead_is_active(&signals_of(in)->lead));
}

bool far_results_must_wait(const struct ingest *in)
{
    return in->is_far && lead_is_active(&signals_of(in)->lead) && commit_is_full(&signals_of(in)->commit);
}

static void read_again(struct ingest *in)
{
    struct ingest_stream *s = &in->streams[STREAM_RESULTS];
    struct stream_id applied = signals_of(in)->ingest.streams[STREAM_RESULTS].handled;
    if (!lead_is_active(&in->d->lead) || !lead_is_active(&signals_of(in)->lead))
        return;
    in->results_wait = false;
    s->read = stream_id_compare(applied, s->handled) < 0 ? applied : s->handled;
    /* A read that is under way was asked for behind another position, and would be of no use. */
    if (redis_stream_is_reading(in->reader) && stream_id_compare(s->read, s->handled) < 0)
        redis_link_drop(redis_stream_link(in->reader), "results are read again", true);
    ingest_go_on(in);
}

void far_results_read(struct ingest *in)
{
    struct daemon *signals = signals_of(in);
    const struct ingest_stream *results = &in->streams[STREAM_RESULTS];
    if (!in->is_far)
        return;
    if (in->results_wait)
        read_again(in);
    else if (results->at_end)
        signals->ingest.streams[STREAM_RESULTS].horizon_ms =
            results->horizon_ms + (daemon_now_ms(signals) - daemon_now_ms(in->d));
    ingest_judge(&signals->ingest);
    commit_kick(&signals->commit);
}

void far_results_need(struct ingest *in)
{
    if (in->is_far)
        ledger_need_results(in->d->ledger, stream_id_next(signals_of(in)->ingest.results_applied));
}

void far_results_go_on(const struct daemon *d)
{
    struct daemon *results = daemon_of(d, LAYER_RTRS);
    if (results->ingest.is_far)
        read_again(&results->ingest);
}

void far_results_stored(struct daemon *d, struct stream_id position)
{
    struct daemon *results = daemon_of(d, LAYER_RTRS);
    if (!results->ingest.is_far || !daemon_serves(d, LAYER_RTSS) ||
        stream_id_compare(d->ingest.results_applied, position) == 0)
        return;
    d->ingest.results_applied = position;
    commit_kick(&results->commit); /* there may be something to trim by now */
    ingest_go_on(&results->ingest);
}
