/* codec/batch.h: a large batch as a look and a transaction, read back from the protocol. What Redis makes of
 * them is in adapters/test_script_transaction.c. */
#include "batch_text.h"

#include "codec/scripts.h"
#include "util/macros.h"
#include <stdio.h>

static const struct cause report_cause = {CAUSE_REPORT, {10, 1}};

static void set_one(struct sink *sink, const char *id, const char *name, const char *value)
{
    struct record_field field = {s(name), s(value)};

    sink->ops->record_set(sink->ctx, RECORD_INSTANCE, s(id), &field, 1);
}

/* COUNT commands as lines; the script by its name. */
static struct buf lines_of(struct slice bytes, size_t count)
{
    struct buf out = BUF_INIT;
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        size_t words = batch_words_head(bytes, &at, '*');

        for (size_t w = 0; w < words; w++) {
            size_t len = batch_words_head(bytes, &at, '$');
            struct slice word = slice_of(bytes.data + at, len);

            assert_true(at + len + 2 <= bytes.len);
            buf_add_text(&out, w ? " " : "");
            if (slice_equal(word, script_word(&script_commit, true)))
                buf_add_text(&out, "commit.lua");
            else if (memmem(word.data, word.len, "acl_check_cmd", 13))
                buf_add_text(&out, "may-transact");
            else
                buf_add_slice(&out, word);
            at += len + 2;
        }
        buf_add_char(&out, '\n');
    }
    assert_int_equal(at, bytes.len);
    return out;
}

static void assert_transaction(struct batch *batch, const char *expected)
{
    struct buf rendered = BUF_INIT, lines;
    size_t count = batch_render_transaction(batch, &rendered);

    lines = lines_of(buf_slice(&rendered), count);
    assert_string_equal(buf_text(&lines), expected);
    buf_clear(&lines);
    buf_clear(&rendered);
}

static void fill(struct batch *batch, int instances)
{
    struct sink *sink = batch_sink(batch);
    char id[16];

    sink->ops->begin(sink->ctx, &report_cause);
    for (int i = 0; i < instances; i++) {
        (void)snprintf(id, sizeof(id), "i%d", i);
        set_one(sink, id, "state", "running");
    }
}

static void test_batch_suits_transaction_once_it_is_large(void **state)
{
    struct batch *batch = batch_text_new();

    UNUSED(state);
    fill(batch, 99);
    assert_false(batch_suits_transaction(batch));
    fill(batch, 100);
    assert_true(batch_suits_transaction(batch));
    batch_trim(batch, STREAM_REPORTS, (struct stream_id){7, 0}, (struct stream_id){9, 9});
    batch_trim(batch, STREAM_TRADES, (struct stream_id){7, 0}, (struct stream_id){9, 9});
    assert_true(batch_suits_transaction(batch));
    batch_free(batch);
}

/* These have to be refused with all the rest where a right is missing, which the script sees to. */
static void test_batch_suits_no_transaction(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);

    UNUSED(state);
    for (int which = 0; which < 5; which++) {
        batch_reset(batch, 1);
        fill(batch, 200);
        assert_true(batch_suits_transaction(batch));
        switch (which) {
        case 0:
            sink->ops->reject(sink->ctx, &report_cause, s("bad"));
            break;
        case 1:
            sink->ops->signal_drop(sink->ctx, (struct stream_id){1, 0}, 30000);
            break;
        case 2:
            sink->ops->signals_trim(sink->ctx, (struct stream_id){1, 0});
            break;
        case 3:
            sink->ops->results_trim(sink->ctx, (struct stream_id){1, 0});
            break;
        default: /* what is cut is rejected */
            assert_int_equal(batch_cut(batch, false, s("i3"), s("wrong type")), 1);
        }
        assert_false(batch_suits_transaction(batch));
    }
    batch_free(batch);
}

static void test_batch_render_look(void **state)
{
    struct batch *batch = batch_text_new();
    struct buf rendered = BUF_INIT, lines;
    size_t count;

    UNUSED(state);
    fill(batch, 2);
    batch_sink(batch)->ops->load_set(batch_sink(batch)->ctx, s("i1"), 0.25);
    batch_sink(batch)->ops->index_move(batch_sink(batch)->ctx, INDEX_INSTANCE_STATE, s("i1"), NULL,
                                       "running");
    batch_set_position(batch, STREAM_REPORTS, (struct stream_id){10, 1});
    batch_seal(batch);
    count = batch_render_look(batch, &rendered);
    assert_int_equal(count, BATCH_LOOK_HEAD + 5);
    lines = lines_of(buf_slice(&rendered), count);
    assert_string_equal(buf_text(&lines),
                        "EVAL may-transact 1 mt5stated:meta\n"
                        "UNWATCH\n"
                        "WATCH mt5stated:leader mt5stated:meta instance:index:load instance:state:running\n"
                        "GET mt5stated:leader\n"
                        "HMGET mt5stated:meta epoch applied_seq\n"
                        "TYPE instance:i0\n"
                        "TYPE instance:i1\n"
                        "TYPE instance:index:load\n"
                        "TYPE instance:state:running\n"
                        "TYPE reports\n");
    buf_clear(&lines);
    buf_clear(&rendered);
    batch_free(batch);
}

static void test_batch_type_suits(void **state)
{
    static const char *const names[] = {"hash", "set", "zset", "stream"};
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);

    UNUSED(state);
    sink->ops->begin(sink->ctx, &report_cause);
    set_one(sink, "i1", "state", "running");
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, s("i1"), NULL, "running");
    sink->ops->load_set(sink->ctx, s("i1"), 0.25);
    batch_set_position(batch, STREAM_REPORTS, (struct stream_id){10, 1});
    for (uint32_t key = 0; key < 4; key++) {
        for (uint32_t type = 0; type < 4; type++)
            assert_int_equal(batch_type_suits(batch, key, s(names[type])), key == type);
        assert_true(batch_type_suits(batch, key, s("none")));
        assert_false(batch_type_suits(batch, key, s("string")));
        assert_false(batch_type_suits(batch, key, slice_of(NULL, 0)));
    }
    batch_ignore_key(batch, s("reports"));
    assert_true(batch_type_suits(batch, 3, s("string")));
    batch_free(batch);
}

static void fill_one_of_each(struct batch *batch)
{
    struct sink *sink = batch_sink(batch);

    sink->ops->begin(sink->ctx, &report_cause);
    set_one(sink, "i1", "state", "running");
    sink->ops->index_move(sink->ctx, INDEX_INSTANCE_STATE, s("i1"), "stopped", "running");
    sink->ops->record_remove(sink->ctx, RECORD_HEALTH, s("i1"));
    sink->ops->total_set(sink->ctx, TOTAL_RESULT, s("executed"), 7);
    batch_set_meta(batch, "schema", s("1"));
    batch_set_position(batch, STREAM_REPORTS, (struct stream_id){10, 1});
    batch_trim(batch, STREAM_TRADES, (struct stream_id){7, 0}, (struct stream_id){9, 9});
    batch_seal(batch);
}

static void test_batch_render_transaction(void **state)
{
    static const char expected[] =
        "MULTI\n"
        "HSET instance:i1 state running\n"
        "SREM instance:state:stopped i1\n"
        "SADD instance:state:running i1\n"
        "DEL instance_health:i1\n"
        "HSET mt5stated:totals result:executed 7\n"
        "HSET mt5stated:meta applied_seq 1 schema 1 pos:reports 10-1\n"
        "EVAL commit.lua 4 mt5stated:leader mt5stated:meta reports trades   0 -- 0 "
        "2 !position 3 readers 10-1 2 !trim 4 7-0 9-9\n"
        "EXEC\n";
    struct batch *batch = batch_text_new();

    UNUSED(state);
    fill_one_of_each(batch);
    assert_transaction(batch, expected);
    assert_transaction(batch, expected); /* the same each time */
    batch_free(batch);
}

static void test_batch_render_transaction_without_what_is_cut(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);

    UNUSED(state);
    sink->ops->begin(sink->ctx, &report_cause);
    set_one(sink, "i1", "state", "running");
    sink->ops->begin(sink->ctx, &report_cause);
    set_one(sink, "i2", "state", "stopped");
    batch_seal(batch);
    assert_int_equal(batch_cut(batch, false, s("i1"), s("wrong type")), 1);
    assert_transaction(batch, "MULTI\n"
                              "HSET instance:i2 state stopped\n"
                              "HSET mt5stated:meta applied_seq 1\n"
                              "EXEC\n");
    batch_free(batch);
}

static void test_batch_name_operation(void **state)
{
    static const char *const names[] = {"1 HSET instance:i1: ",
                                        "2 SREM instance:state:stopped: ",
                                        "3 SADD instance:state:running: ",
                                        "4 DEL instance_health:i1: ",
                                        "5 HSET mt5stated:totals: ",
                                        "6 HSET mt5stated:meta: ",
                                        "7 EVAL: "};
    struct batch *batch = batch_text_new();

    UNUSED(state);
    fill_one_of_each(batch);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct buf name = BUF_INIT;

        batch_name_operation(batch, i, &name);
        assert_string_equal(buf_text(&name), names[i]);
        buf_clear(&name);
    }
    batch_free(batch);
}

static void test_batch_name_of_an_operation_without_a_key(void **state)
{
    struct event event = {.kind = EVENT_INSTANCE_STARTED, .instance_id = s("i1"), .at_ms = 1000};
    struct batch *batch = batch_text_new();
    struct buf name = BUF_INIT;

    UNUSED(state);
    batch_sink(batch)->ops->event(batch_sink(batch)->ctx, &event);
    batch_seal(batch);
    batch_name_operation(batch, 1, &name);
    assert_string_equal(buf_text(&name), "2 PUBLISH : ");
    buf_clear(&name);
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_suits_transaction_once_it_is_large),
        cmocka_unit_test(test_batch_suits_no_transaction),
        cmocka_unit_test(test_batch_render_look),
        cmocka_unit_test(test_batch_type_suits),
        cmocka_unit_test(test_batch_render_transaction),
        cmocka_unit_test(test_batch_render_transaction_without_what_is_cut),
        cmocka_unit_test(test_batch_name_operation),
        cmocka_unit_test(test_batch_name_of_an_operation_without_a_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
