/* The floor of the drain benchmark: a client that does what any client must do with signals and their results
 * (read both streams, store a batch by the same script with the same commands, cut the streams) and keeps no
 * books: no ids are remembered, nothing is matched, nothing is checked. What the daemon needs beyond this is
 * the price of its guarantees.
 *
 * bench_floor SOCKET COUNT: drains COUNT signals with a result each, one result behind each signal in its
 * stream, then exits. */
#include "adapters/loop.h"
#include "adapters/redis_link.h"
#include "adapters/redis_stream.h"
#include "codec/batch.h"
#include "core/signal.h"
#include "util/number.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#define EPOCH "00000000000000000000000000000000"
#define TOKEN "floor"
#define KEPT  10000

struct floor {
    struct loop *loop;
    struct redis_link *link;
    struct redis_stream *reader;
    struct batch *filling, *sent;
    struct stream_id read[STREAM_KINDS], stored[STREAM_KINDS];
    struct stream_id *kept; /* a ring of the newest results' IDs */
    uint64_t results, wanted, batches;
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

static void send_batch(struct floor *f)
{
    if (f->busy || batch_is_empty(f->filling))
        return;
    struct sink *sink = batch_sink(f->filling);
    char count[NUMBER_TEXT_MAX];
    number_format_u64(count, f->results);
    sink->ops->total_set(sink->ctx, TOTAL_RECEIVED, slice_text("buy"), f->results);
    sink->ops->total_set(sink->ctx, TOTAL_PROCESSED, slice_text("buy"), f->results);
    sink->ops->total_set(sink->ctx, TOTAL_RESULT, slice_text("executed"), f->results);
    sink->ops->signals_trim(sink->ctx, stream_id_next(f->read[STREAM_SIGNALS]));
    if (f->results > KEPT)
        sink->ops->results_trim(sink->ctx, f->kept[(f->results - KEPT) % KEPT]);
    for (int k = STREAM_SIGNALS; k <= STREAM_RESULTS; k++) {
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

static void on_entry(void *ctx, const struct entry *entry)
{
    struct floor *f = ctx;
    struct sink *sink = batch_sink(f->filling);
    f->read[entry->stream] = entry->id;
    if (entry->stream == STREAM_SIGNALS) {
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
    send_batch(f);
    go_on(f);
}

static void go_on(struct floor *f)
{
    send_batch(f);
    if (f->results < f->wanted && !redis_stream_is_reading(f->reader) &&
        batch_bytes(f->filling) < (160U << 10))
        (void)redis_stream_read(f->reader, 1U << STREAM_SIGNALS | 1U << STREAM_RESULTS, f->read, 1000, 1000);
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

int main(int argc, char **argv)
{
    struct floor f = {.loop = loop_new()};
    if (argc != 3 || !f.loop || !number_parse_u64(slice_text(argv[2]), UINT32_MAX, &f.wanted)) {
        (void)fputs("usage: bench_floor SOCKET COUNT\n", stderr);
        return 64;
    }
    static const struct slice no_fields[1] = {SLICE("-")};
    const struct redis_stream_names names[STREAM_KINDS] = {
        {"instance_reports", no_fields, 1},
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
    struct redis_link_events link_events = {.up = on_link_up, .down = on_down};
    struct redis_stream_events stream_events = {on_up, on_down, on_entry, on_done};
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
    loop_free(f.loop);
    return r ? 70 : 0;
}
