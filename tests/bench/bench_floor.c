/* The floor of the drain benchmark: a client that does what any client must do with signals and their results
 * (read both streams, store a batch by the same script with the same commands, cut the streams) and keeps no
 * books: no ids are remembered, nothing is matched, nothing is checked. What the daemon needs beyond this is
 * the price of its guarantees.
 *
 * bench_floor SOCKET COUNT: drains COUNT signals with a result each, one result behind each signal in its
 * stream, then exits.
 * bench_floor SOCKET live: until it is killed, removes each signal whose result has come (results come in the
 * order of their signals), and stores reports, each of which starts or stops an instance that exists.
 * bench_floor SOCKET read: until it is killed, reads both streams over and over, and stores nothing. */
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "adapters/redis_stream.h"
#include "codec/batch.h"
#include "core/signal.h"
#include "util/number.h"
#include "util/time_text.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#define EPOCH "00000000000000000000000000000000"
#define TOKEN "floor"
#define KEPT  10000
#define OPEN  65536 /* signals without a result at one time, live */

enum floor_mode { FLOOR_DRAIN, FLOOR_LIVE, FLOOR_READ };
enum floor_report_field { REPORTED_ID, REPORTED_STATE, REPORTED_CPU, REPORTED_MEMORY };

struct floor {
    enum floor_mode mode;
    struct loop *loop;
    struct redis_link *link;
    struct redis_stream *reader;
    struct batch *filling, *sent;
    struct stream_id read[STREAM_KINDS], stored[STREAM_KINDS];
    struct stream_id *kept; /* a ring of the newest results' IDs */
    struct stream_id *open; /* a ring of the signals' IDs */
    uint64_t signals, results, wanted, batches, told, reports;
    bool busy, whole_script;
    struct buf rendered;
};

static void go_on(struct floor *f);

static void on_stored(void *ctx, void *object)
{
    struct floor *f = ctx;
    const redisReply *reply = object;
    if (!reply)
        exit(1);
    f->busy = false;
    if (reply->type == REDIS_REPLY_ERROR && !f->whole_script) {
        f->whole_script = true;
        buf_reset(&f->rendered, SIZE_MAX);
        batch_render(f->sent, slice_text(TOKEN), slice_text(EPOCH), true, &f->rendered);
        f->busy = redis_link_send(f->link, buf_slice(&f->rendered), 1, 0, on_stored, f) == 0;
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || strcmp(reply->element[0]->str, "ok") != 0) {
        (void)fprintf(stderr, "bench_floor: %s\n",
                      reply->type == REDIS_REPLY_ERROR ? reply->str : reply->element[0]->str);
        exit(1);
    }
    f->whole_script = false;
    batch_reset(f->sent, 0);
    if (f->results == f->wanted && batch_is_empty(f->filling))
        loop_stop(f->loop);
    go_on(f);
}

/* Below which entry the signals are cut: in a drain that is all that was read, as every result is there. */
static struct stream_id cut_below(const struct floor *f)
{
    return stream_id_next(f->mode == FLOOR_LIVE ? f->open[(f->results - 1) % OPEN] : f->read[STREAM_SIGNALS]);
}

static void add_ends(struct floor *f, struct sink *sink)
{
    if (f->told == f->results)
        return;
    f->told = f->results;
    sink->ops->total_set(sink->ctx, TOTAL_RECEIVED, slice_text("buy"), f->results);
    sink->ops->total_set(sink->ctx, TOTAL_PROCESSED, slice_text("buy"), f->results);
    sink->ops->total_set(sink->ctx, TOTAL_RESULT, slice_text("executed"), f->results);
    sink->ops->signals_trim(sink->ctx, cut_below(f));
    if (f->results > KEPT)
        sink->ops->results_trim(sink->ctx, f->kept[(f->results - KEPT) % KEPT]);
}

static void send_batch(struct floor *f)
{
    if (f->busy || batch_is_empty(f->filling))
        return;
    add_ends(f, batch_sink(f->filling));
    for (int k = STREAM_REPORTS; k <= STREAM_RESULTS; k++) {
        if (stream_id_compare(f->stored[k], f->read[k]) != 0)
            batch_set_position(f->filling, (enum stream_kind)k, f->read[k]);
        f->stored[k] = f->read[k];
    }
    struct batch *full = f->filling;
    f->filling = f->sent;
    f->sent = full;
    batch_seal(f->sent);
    f->sent->number = ++f->batches;
    buf_reset(&f->rendered, SIZE_MAX);
    batch_render(f->sent, slice_text(TOKEN), slice_text(EPOCH), false, &f->rendered);
    f->busy = redis_link_send(f->link, buf_slice(&f->rendered), 1, 0, on_stored, f) == 0;
}

/* What the daemon writes for a report of a state and two numbers. */
static void store_report(struct floor *f, struct sink *sink, const struct entry *entry)
{
    static const char *const states[2] = {"stopped", "running"};
    bool is_running = slice_equal(entry->value[REPORTED_STATE], slice_text("running"));
    const char *from = states[!is_running], *to = states[is_running];
    struct slice id = entry->value[REPORTED_ID];
    struct cause cause = {CAUSE_REPORT, entry->id};
    struct event event = {.kind = is_running ? EVENT_INSTANCE_STARTED : EVENT_INSTANCE_STOPPED,
                          .instance_id = id,
                          .seq = ++f->reports,
                          .at_ms = (int64_t)entry->id.ms,
                          .from = slice_text(from),
                          .to = slice_text(to),
                          .cause = cause};
    char now[TIME_TEXT_LEN + 1];
    time_text_format(now, (int64_t)entry->id.ms);
    const struct record_field instance[] = {{SLICE("state"), slice_text(to)},
                                            {SLICE("previous_state"), slice_text(from)},
                                            {SLICE("state_changed_at"), slice_text(now)},
                                            {SLICE("last_updated_at"), slice_text(now)}};
    const struct record_field metrics[] = {{SLICE("cpu_usage"), entry->value[REPORTED_CPU]},
                                           {SLICE("memory_usage"), entry->value[REPORTED_MEMORY]},
                                           {SLICE("last_updated_at"), slice_text(now)}};
    sink->ops->begin(sink->ctx, &cause);
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, id, from, to);
    sink->ops->event(sink->ctx, &event);
    if (is_running)
        sink->ops->load_set(sink->ctx, id, 0.4);
    else
        sink->ops->load_remove(sink->ctx, id);
    sink->ops->record_set(sink->ctx, RECORD_INSTANCE, id, instance, ARRAY_LEN(instance));
    sink->ops->record_set(sink->ctx, RECORD_METRICS, id, metrics, ARRAY_LEN(metrics));
}

static void ask(struct floor *f, const struct stream_id after[STREAM_KINDS], int64_t block_ms)
{
    struct redis_read read = {
        .mask = 1U << STREAM_SIGNALS | 1U << STREAM_RESULTS, .count = 1000, .block_ms = block_ms};
    if (f->mode == FLOOR_LIVE)
        read.mask |= 1U << STREAM_REPORTS;
    memcpy(read.after, after, sizeof read.after);
    (void)redis_stream_read(f->reader, &read);
}

static bool may_read(const struct floor *f)
{
    return batch_bytes(f->filling) < (160U << 10);
}

static void on_begin(void *ctx, const struct redis_read_result *result)
{
    struct floor *f = ctx;
    if (result->is_whole && redis_read_is_full(result) && may_read(f))
        ask(f, result->last, 0);
}

static void on_entry(void *ctx, const struct entry *entry)
{
    struct floor *f = ctx;
    struct sink *sink = batch_sink(f->filling);
    f->read[entry->stream] = entry->id;
    if (f->mode == FLOOR_READ)
        return;
    if (entry->stream == STREAM_REPORTS) {
        store_report(f, sink, entry);
    } else if (entry->stream == STREAM_SIGNALS) {
        f->open[f->signals++ % OPEN] = entry->id;
        sink->ops->journal_received(sink->ctx, entry->value[SIGNAL_SIGNAL_ID], entry->id,
                                    entry->value[SIGNAL_ACTION], entry->value[SIGNAL_INSTANCE_ID]);
    } else {
        sink->ops->journal_ended(sink->ctx, entry->value[RESULT_SIGNAL_ID], OUTCOME_PROCESSED);
        f->kept[f->results++ % KEPT] = entry->id;
    }
}

static void on_done(void *ctx, const struct redis_read_result *result)
{
    struct floor *f = ctx;
    if (result->outcome != REDIS_READ_DONE)
        exit(1);
    if (f->mode == FLOOR_READ && result->entries[STREAM_SIGNALS] + result->entries[STREAM_RESULTS] == 0)
        memset(f->read, 0, sizeof(f->read));
    send_batch(f);
    go_on(f);
}

static void go_on(struct floor *f)
{
    send_batch(f);
    if (f->results < f->wanted && !redis_stream_is_reading(f->reader) && may_read(f))
        ask(f, f->read, f->mode == FLOOR_READ ? 0 : 1000);
}

static void on_up(void *ctx)
{
    struct floor *f = ctx;
    if (redis_link_is_up(f->link) && redis_link_is_up(redis_stream_link(f->reader)))
        go_on(f);
}

static void on_prepared(void *ctx, void *reply)
{
    if (!reply)
        exit(1);
    on_up(ctx);
}

static void on_link_up(void *ctx)
{
    struct floor *f = ctx;
    struct slice lease[] = {slice_text("SET"), slice_text(KEY_LEADER), slice_text(TOKEN)};
    struct slice meta[] = {slice_text("HSET"), slice_text(KEY_META),      slice_text("epoch"),
                           slice_text(EPOCH),  slice_text("applied_seq"), slice_text("0")};
    (void)redis_link_command(f->link, lease, ARRAY_LEN(lease), 0, NULL, NULL);
    (void)redis_link_command(f->link, meta, ARRAY_LEN(meta), 0, on_prepared, f);
}

static void on_down(void *ctx, const char *reason, bool was_up)
{
    UNUSED(ctx);
    UNUSED(was_up);
    (void)fprintf(stderr, "bench_floor: %s\n", reason);
    exit(1);
}

static bool take_mode(struct floor *f, const char *text)
{
    f->mode = strcmp(text, "live") == 0 ? FLOOR_LIVE : strcmp(text, "read") == 0 ? FLOOR_READ : FLOOR_DRAIN;
    f->wanted = UINT64_MAX;
    return f->mode != FLOOR_DRAIN || number_parse_u64(slice_text(text), UINT32_MAX, &f->wanted);
}

int main(int argc, char **argv)
{
    struct floor f = {.loop = loop_new()};
    if (argc != 3 || !f.loop || !take_mode(&f, argv[2])) {
        (void)fputs("usage: bench_floor SOCKET COUNT|live|read\n", stderr);
        return 64;
    }
    static const struct slice no_fields[1] = {SLICE("-")};
    static const struct slice report_fields[] = {SLICE("instance_id"), SLICE("state"), SLICE("cpu_usage"),
                                                 SLICE("memory_usage")};
    const struct redis_stream_names names[STREAM_KINDS] = {
        {"instance_reports", report_fields, ARRAY_LEN(report_fields)},
        {"trade_signals", signal_field_names, SIGNAL_FIELDS},
        {"trade_results", result_field_names, RESULT_FIELDS},
        {"trade_updates", no_fields, 1},
    };
    struct redis_link_options options = {
        .endpoint = {.scheme = REDIS_UNIX,
                     .host = argv[1],
                     .username = "",
                     .password = "",
                     .password_file = "",
                     .tls_ca_file = "",
                     .tls_cert_file = "",
                     .tls_key_file = ""},
        .client_name = "floor",
        .connect_timeout_ms = 2000,
        .command_timeout_ms = 10000,
        .reconnect_min_ms = 50,
        .reconnect_max_ms = 1000,
        .max_inflight = 1000,
        .max_bytes = 64U << 20,
    };
    struct batch_options batch = {.names = {.events = "instance_events", .commands = "instance_commands"},
                                  .group = "mt5stated",
                                  .events_max_len = 1000,
                                  .commands_max_len = 1000};
    for (int k = 0; k < STREAM_KINDS; k++)
        batch.names.stream[k] = names[k].stream;
    f.filling = batch_new(&batch);
    f.sent = batch_new(&batch);
    f.kept = calloc(KEPT, sizeof *f.kept);
    f.open = calloc(OPEN, sizeof *f.open);
    struct redis_link_events link_events = {.up = on_link_up, .down = on_down};
    struct redis_stream_events stream_events = {on_up, on_down, on_begin, on_entry, on_done};
    f.link = redis_link_new(f.loop, &options, &link_events, &f);
    f.reader = redis_stream_new(f.loop, &options, names, &stream_events, &f);
    redis_link_start(f.link);
    redis_link_start(redis_stream_link(f.reader));
    int r = loop_run(f.loop);
    redis_link_free(f.link);
    redis_stream_free(f.reader);
    batch_free(f.filling);
    batch_free(f.sent);
    buf_clear(&f.rendered);
    free(f.kept);
    free(f.open);
    loop_free(f.loop);
    return r ? 70 : 0;
}
