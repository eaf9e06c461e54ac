/* batch_cut (codec/batch.h): the groups of one object leave the batch as if they had never been told, and
 * their entries are rejected. */
#include "batch_text.h"

#include "util/macros.h"
#include <stdio.h>

/* A group as a report of instance ID causes it: two records, a move, an event. */
static void add_instance(struct batch *batch, struct cause cause, const char *id)
{
    struct sink *sink = batch_sink(batch);
    struct record_field field = {SLICE("state"), SLICE("running")};
    struct record_field number = {SLICE("cpu_usage"), SLICE("5")};
    struct event event = {.kind = EVENT_INSTANCE_STARTED, .instance_id = s(id), .seq = 1, .cause = cause};

    sink->ops->begin(sink->ctx, &cause);
    sink->ops->record_set(sink->ctx, RECORD_INSTANCE, s(id), &field, 1);
    sink->ops->record_set(sink->ctx, RECORD_METRICS, s(id), &number, 1);
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, s(id), NULL, "running");
    sink->ops->event(sink->ctx, &event);
}

static void add_trade(struct batch *batch, struct cause cause, const char *id)
{
    struct sink *sink = batch_sink(batch);
    struct record_field field = {SLICE("state"), SLICE("pending")};

    sink->ops->begin(sink->ctx, &cause);
    sink->ops->record_set(sink->ctx, RECORD_TRADE, s(id), &field, 1);
    sink->ops->index_move(sink->ctx, INDEX_TRADE_STATE, s(id), NULL, "pending");
}

static struct cause report_of(uint64_t ms)
{
    return (struct cause){CAUSE_REPORT, {ms, 0}};
}

static struct cause trade_of(uint64_t ms)
{
    return (struct cause){CAUSE_TRADE, {ms, 0}};
}

/* Cut before or after sealing: the same comes out. */
static void cut_and_seal(struct batch *batch, bool sealed_first, bool is_trade, const char *id,
                         uint32_t expected)
{
    if (sealed_first)
        batch_seal(batch);
    assert_int_equal(batch_cut(batch, is_trade, s(id), s("why")), expected);
    if (!sealed_first)
        batch_seal(batch);
}

static void test_batch_cut_takes_out_the_groups_of_one_object(void **state)
{
    UNUSED(state);
    for (int sealed_first = 0; sealed_first < 2; sealed_first++) {
        struct batch *batch = batch_text_new();

        add_trade(batch, trade_of(1), "t1");
        add_trade(batch, trade_of(2), "t2");
        add_trade(batch, trade_of(3), "t1");
        add_trade(batch, trade_of(4), "t3");
        batch_set_position(batch, STREAM_TRADES, (struct stream_id){4, 0});
        cut_and_seal(batch, sealed_first, true, "t1", 2);
        batch_text_assert(batch, "HSET trade:t2 state pending\n"
                                 "SADD trade:state:pending t2\n"
                                 "HSET trade:t3 state pending\n"
                                 "SADD trade:state:pending t3\n"
                                 "!reject trades_rejected trades 1-0 why\n"
                                 "!reject trades_rejected trades 3-0 why\n"
                                 "!position trades readers 4-0\n");
        batch_free(batch);
    }
}

static void test_batch_cut_takes_events_along(void **state)
{
    UNUSED(state);
    for (int sealed_first = 0; sealed_first < 2; sealed_first++) {
        struct batch *batch = batch_text_new();

        add_instance(batch, report_of(1), "i1");
        add_instance(batch, report_of(2), "i2");
        add_instance(batch, report_of(3), "i1");
        cut_and_seal(batch, sealed_first, false, "i1", 2);
        assert_int_equal(batch->event_count, 3);
        assert_true(batch->events[0].cut);
        assert_false(batch->events[1].cut);
        assert_true(batch->events[2].cut);
        batch_text_assert(
            batch,
            "HSET instance:i2 state running\n"
            "HSET instance_metrics:i2 cpu_usage 5\n"
            "SADD instance:state:running i2\n"
            "XADD events MAXLEN ~ 500 * event instance_started instance_id i2 seq 1 at 1970-01-01T00:00:00Z"
            " correlation_id report-2-0\n"
            "PUBLISH - instance:events {\"event\":\"instance_started\",\"instance_id\":\"i2\",\"seq\":1,"
            "\"at\":\"1970-01-01T00:00:00Z\",\"correlation_id\":\"report-2-0\"}\n"
            "HSET mt5stated:seq i2 1\n"
            "!reject reports_rejected reports 1-0 why\n"
            "!reject reports_rejected reports 3-0 why\n");
        batch_free(batch);
    }
}

/* Any of its three hashes makes a group one of the instance. */
static void test_batch_cut_looks_at_every_record_of_an_instance(void **state)
{
    UNUSED(state);
    for (int kind = 0; kind < 3; kind++) {
        for (int op = 0; op < 4; op++) {
            struct batch *batch = batch_text_new();
            struct sink *sink = batch_sink(batch);
            struct cause cause = report_of(1);
            struct record_field field = {SLICE("name"), SLICE("value")};
            enum record_kind record = (enum record_kind)kind;

            sink->ops->begin(sink->ctx, &cause);
            if (op == 0)
                sink->ops->record_set(sink->ctx, record, s("i1"), &field, 1);
            else if (op == 1)
                sink->ops->record_unset(sink->ctx, record, s("i1"), &field.name, 1);
            else if (op == 2)
                sink->ops->record_remove(sink->ctx, record, s("i1"));
            else
                sink->ops->record_expire(sink->ctx, record, s("i1"), 5);
            cut_and_seal(batch, op % 2 == 0, false, "i1", 1);
            batch_text_assert(batch, "!reject reports_rejected reports 1-0 why\n");
            batch_free(batch);
        }
    }
}

static void test_batch_cut_tells_a_trade_from_an_instance_of_the_same_id(void **state)
{
    struct batch *batch = batch_text_new();

    UNUSED(state);
    add_trade(batch, trade_of(1), "x");
    add_instance(batch, (struct cause){CAUSE_TIMER, {2, 0}}, "x");
    assert_int_equal(batch_cut(batch, false, s("x"), s("why")), 1);
    assert_int_equal(batch_cut(batch, false, s("x"), s("why")), 0); /* not twice */
    assert_int_equal(batch_cut(batch, true, s("y"), s("why")), 0);
    batch_seal(batch);
    batch_text_assert(batch, "HSET trade:x state pending\nSADD trade:state:pending x\n");
    assert_int_equal(batch_cut(batch, true, s("x"), s("why")), 1);
    batch_text_assert(batch, "!reject trades_rejected trades 1-0 why\n");
    batch_free(batch);
}

/* A timer's group is nobody's entry: there is nothing to reject. */
static void test_batch_cut_rejects_entries_only(void **state)
{
    static const enum cause_kind kinds[] = {CAUSE_TIMER, CAUSE_ADOPTED, CAUSE_RECONCILE, CAUSE_OPERATOR};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct batch *batch = batch_text_new();

        add_instance(batch, (struct cause){kinds[i], {2, 0}}, "i1");
        cut_and_seal(batch, i % 2 == 0, false, "i1", 1);
        batch_text_assert(batch, "");
        assert_true(batch_is_empty(batch));
        batch_free(batch);
    }
}

static void test_batch_cut_of_every_group_leaves_the_rest(void **state)
{
    UNUSED(state);
    for (int sealed_first = 0; sealed_first < 2; sealed_first++) {
        struct batch *batch = batch_text_new();
        struct sink *sink = batch_sink(batch);

        add_instance(batch, report_of(1), "i1");
        add_instance(batch, report_of(2), "i1");
        sink->ops->journal_ended(sink->ctx, s("s1"), OUTCOME_PROCESSED);
        sink->ops->total_set(sink->ctx, TOTAL_PROCESSED, s("buy"), 8);
        batch_set_position(batch, STREAM_REPORTS, (struct stream_id){2, 0});
        cut_and_seal(batch, sealed_first, false, "i1", 2);
        assert_false(batch_is_empty(batch));
        batch_text_assert(batch, "!reject reports_rejected reports 1-0 why\n"
                                 "!reject reports_rejected reports 2-0 why\n"
                                 "!position reports readers 2-0\n"
                                 "XADD mt5stated:journal * lines E P s1\n\n"
                                 "HSET mt5stated:totals processed:buy 8\n");
        assert_int_equal(batch->body.len, 0);
        assert_int_equal(batch->body_args, 0);
        batch_free(batch);
    }
}

static void test_batch_cut_of_a_batch_without_groups(void **state)
{
    struct batch *batch = batch_text_new();

    UNUSED(state);
    assert_int_equal(batch_cut(batch, false, s("i1"), s("why")), 0);
    batch_seal(batch);
    assert_int_equal(batch_cut(batch, true, s("i1"), s("why")), 0);
    assert_true(batch_is_empty(batch));
    batch_free(batch);
}

static void test_batch_cut_leaves_what_belongs_to_no_group(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct record_field field = {SLICE("state"), SLICE("stopped")};

    UNUSED(state);
    sink->ops->record_set(sink->ctx, RECORD_INSTANCE, s("i2"), &field, 1);
    batch_expect_expiry(batch, s("t1"), 9);
    add_trade(batch, trade_of(1), "t1");
    assert_int_equal(batch_cut(batch, true, s("t1"), s("why")), 1);
    batch_forget_expiry(batch, s("t1")); /* behind a group that is closed: in none either */
    assert_int_equal(batch_cut(batch, true, s("t1"), s("why")), 0);
    batch_seal(batch);
    batch_text_assert(batch, "HSET instance:i2 state stopped\n"
                             "ZADD mt5stated:trade_expiry 9 t1\n"
                             "ZREM mt5stated:trade_expiry t1\n"
                             "!reject trades_rejected trades 1-0 why\n");
    batch_free(batch);
}

/* The records of what was cut may hold anything; all others are still looked at. */
static void test_batch_cut_asks_for_no_type_of_its_records(void **state)
{
    struct batch *batch = batch_text_new();
    struct batch_words w;

    UNUSED(state);
    add_instance(batch, (struct cause){CAUSE_TIMER, {1, 0}}, "i1");
    add_instance(batch, (struct cause){CAUSE_TIMER, {2, 0}}, "i2");
    batch_seal(batch);
    assert_int_equal(batch_cut(batch, false, s("i1"), s("why")), 1);
    batch_words_init(&w, batch, false);
    /* i1's two hashes, the set, the events, the seqs, i2's two hashes */
    assert_true(slice_is(batch_words_arg(&w, 4), "--sthhh"));
    assert_int_equal(batch->keys[0].writes, 0); /* none of ours will be notified */
    batch_words_clear(&w);
    batch_free(batch);
}

/* A batch that is still filled may get another group of the object: its type is asked for again, so that the
 * group can be cut in its turn instead of failing half way. */
static void test_batch_cut_asks_for_the_type_of_what_is_written_anew(void **state)
{
    struct batch *batch = batch_text_new();
    struct batch_words w;

    UNUSED(state);
    add_trade(batch, trade_of(1), "t1");
    assert_int_equal(batch_cut(batch, true, s("t1"), s("why")), 1);
    add_trade(batch, trade_of(2), "t1");
    batch_seal(batch);
    batch_words_init(&w, batch, false);
    /* the hash, the set, and for the rejected entry its stream and where it goes */
    assert_true(slice_is(batch_words_arg(&w, 4), "hstt"));
    assert_int_equal(batch->keys[0].writes, 1);
    batch_words_clear(&w);
    batch_text_assert(batch, "HSET trade:t1 state pending\n"
                             "SADD trade:state:pending t1\n"
                             "!reject trades_rejected trades 1-0 why\n");
    assert_int_equal(batch_cut(batch, true, s("t1"), s("why")), 1);
    batch_text_assert(batch, "!reject trades_rejected trades 1-0 why\n"
                             "!reject trades_rejected trades 2-0 why\n");
    batch_free(batch);
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(*seed >> 33) % below;
}

/* Against a batch that was never told of the objects that are cut. */
static void test_batch_cut_is_as_if_never_told(void **state)
{
    enum { IDS = 4, GROUPS = 12 };
    uint64_t seed = 3;

    UNUSED(state);
    for (int round = 0; round < 500; round++) {
        struct batch *cut = batch_text_new(), *never = batch_text_new();
        struct buf cut_text = BUF_INIT, never_text = BUF_INIT;
        bool is_cut[IDS];
        uint32_t groups = draw(&seed, GROUPS), expected = 0, count = 0;

        for (int id = 0; id < IDS; id++)
            is_cut[id] = draw(&seed, 2);
        for (uint32_t g = 0; g < groups; g++) {
            uint32_t i = draw(&seed, IDS);
            struct cause cause = {CAUSE_TIMER, {g + 1, 0}};
            char id[16];

            (void)snprintf(id, sizeof(id), "i%u", i);
            add_instance(cut, cause, id);
            if (!is_cut[i])
                add_instance(never, cause, id);
            expected += is_cut[i];
        }
        if (draw(&seed, 2))
            batch_seal(cut);
        for (int i = 0; i < IDS; i++) {
            char id[16];

            (void)snprintf(id, sizeof(id), "i%d", i);
            if (is_cut[i])
                count += batch_cut(cut, false, s(id), s("why"));
        }
        assert_int_equal(count, expected);
        if (!cut->sealed)
            batch_seal(cut);
        batch_seal(never);
        batch_text_add(cut, &cut_text);
        batch_text_add(never, &never_text);
        assert_string_equal(buf_text(&cut_text), buf_text(&never_text));
        buf_clear(&cut_text);
        buf_clear(&never_text);
        batch_free(cut);
        batch_free(never);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_cut_takes_out_the_groups_of_one_object),
        cmocka_unit_test(test_batch_cut_takes_events_along),
        cmocka_unit_test(test_batch_cut_looks_at_every_record_of_an_instance),
        cmocka_unit_test(test_batch_cut_tells_a_trade_from_an_instance_of_the_same_id),
        cmocka_unit_test(test_batch_cut_rejects_entries_only),
        cmocka_unit_test(test_batch_cut_of_every_group_leaves_the_rest),
        cmocka_unit_test(test_batch_cut_of_a_batch_without_groups),
        cmocka_unit_test(test_batch_cut_leaves_what_belongs_to_no_group),
        cmocka_unit_test(test_batch_cut_asks_for_no_type_of_its_records),
        cmocka_unit_test(test_batch_cut_asks_for_the_type_of_what_is_written_anew),
        cmocka_unit_test(test_batch_cut_is_as_if_never_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
