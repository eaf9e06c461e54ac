/* A Redis server with a lease and data, and a batch to be stored there: what the tests of commit.lua and of
 * the transaction share. */
#pragma once

#include "reply_text.h"

#include "codec/batch.h"
#include "codec/resp.h"
#include "util/macros.h"

#define TOKEN "holder-1"
#define EPOCH "epoch-1"

/* A server in which TOKEN holds the lease of data EPOCH, with batch 1 to come. */
struct store {
    struct fixture f;
    struct batch *batch;
    bool whole_script;
};

static inline struct slice s(const char *text)
{
    return slice_text(text);
}

static inline void init_store(struct store *t)
{
    static const struct batch_options options = {
        .names = {.stream = {"reports", "signals", "results", "trades"},
                  .events = "events",
                  .commands = "commands"},
        .group = "readers",
        .events_max_len = 100000,
        .commands_max_len = 100000,
    };

    memset(t, 0, sizeof(*t));
    fixture_init(&t->f);
    t->f.options.max_bytes = 16 << 20;
    fixture_connect(&t->f, NULL);
    give(&t->f, "SET mt5stated:leader " TOKEN);
    give(&t->f, "HSET mt5stated:meta epoch " EPOCH " applied_seq 0 beat 3");
    t->batch = batch_new(&options);
    batch_reset(t->batch, 1);
    t->whole_script = true;
}

static inline void clear_store(struct store *t)
{
    batch_free(t->batch);
    fixture_clear(&t->f);
}

static inline struct sink *sink_of(struct store *t)
{
    return batch_sink(t->batch);
}

static inline void set_state(struct store *t, const char *id, const char *value)
{
    struct record_field field = {SLICE("state"), slice_text(value)};

    sink_of(t)->ops->record_set(sink_of(t)->ctx, RECORD_INSTANCE, s(id), &field, 1);
}

static inline void begin(struct store *t, enum cause_kind kind, uint64_t ms)
{
    struct cause cause = {kind, {ms, 0}};

    sink_of(t)->ops->begin(sink_of(t)->ctx, &cause);
}

/* A group with one of each type of key. */
static inline void fill(struct store *t)
{
    struct sink *sink = sink_of(t);
    struct event event = {.kind = EVENT_INSTANCE_STARTED,
                          .instance_id = s("i1"),
                          .seq = 1,
                          .to = s("running"),
                          .cause = {CAUSE_REPORT, {1, 0}}};

    begin(t, CAUSE_REPORT, 1);
    set_state(t, "i1", "running");
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, s("i1"), "stopped", "running");
    sink->ops->load_set(sink->ctx, s("i1"), 0.25);
    sink->ops->event(sink->ctx, &event);
    sink->ops->total_set(sink->ctx, TOTAL_RECEIVED, s("buy"), 2);
    sink->ops->journal_ended(sink->ctx, s("s1"), OUTCOME_LOST);
    batch_set_position(t->batch, STREAM_REPORTS, (struct stream_id){1, 0});
    batch_set_meta(t->batch, "schema", s("1"));
}

static inline void assert_filled_once(struct store *t)
{
    assert_answer(&t->f, "HGETALL instance:i1", "[state running]");
    assert_answer(&t->f, "SMEMBERS instance:state:running", "[i1]");
    assert_answer(&t->f, "SMEMBERS instance:state:stopped", "[]");
    assert_answer(&t->f, "ZRANGE instance:index:load 0 -1 WITHSCORES", "[i1 0.25]");
    assert_answer(&t->f, "XLEN events", "1");
    assert_answer(&t->f, "HGETALL mt5stated:seq", "[i1 1]");
    assert_answer(&t->f, "HGETALL mt5stated:totals", "[received:buy 2]");
    assert_answer(&t->f, "XLEN mt5stated:journal", "1");
    assert_answer(&t->f, "HMGET mt5stated:meta epoch applied_seq beat schema pos:reports",
                  "[" EPOCH " 1 3 1 1-0]");
}
