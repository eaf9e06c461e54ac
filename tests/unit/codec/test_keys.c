/* codec/keys.h: how each key is spelled (SPEC §4), and which keys are read as a record's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/keys.h"
#include "core/ident.h"
#include "util/macros.h"
#include <stdio.h>

#define ID_64 "a234567890123456789012345678901234567890123456789012345678901234"

static void assert_key(struct key key, const char *expected)
{
    assert_string_equal(key.text, expected);
    assert_int_equal(key.len, strlen(expected));
    assert_true(slice_is(key_slice(&key), expected));
}

static void test_key_record_is_prefix_and_id(void **state)
{
    static const struct {
        enum record_kind kind;
        const char *id, *expected;
    } rows[] = {
        {RECORD_INSTANCE, "mt5-1", "instance:mt5-1"},
        {RECORD_METRICS, "mt5-1", "instance_metrics:mt5-1"},
        {RECORD_HEALTH, "mt5-1", "instance_health:mt5-1"},
        {RECORD_TRADE, "900001", "trade:900001"},
        {RECORD_METRICS, ID_64, "instance_metrics:" ID_64},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_key(key_record(rows[i].kind, slice_text(rows[i].id)), rows[i].expected);
}

static void test_key_record_takes_no_byte_behind_the_id(void **state)
{
    UNUSED(state);
    assert_key(key_record(RECORD_TRADE, slice_of("t12345", 2)), "trade:t1");
}

static void test_key_index_is_one_set_a_state(void **state)
{
    UNUSED(state);
    assert_key(key_index(INDEX_INSTANCE_STATE, "running"), "instance:state:running");
    assert_key(key_index(INDEX_TRADE_STATE, "closed"), "trade:state:closed");
}

static void test_keys_beside_a_stream(void **state)
{
    UNUSED(state);
    assert_key(key_rejected("trade_updates"), "trade_updates_rejected");
    assert_key(key_dropped("trade_signals"), "trade_signals_dropped");
    assert_key(key_displaced(slice_text("instance:state:running")),
               "mt5stated:displaced:instance:state:running");
}

static void test_key_position_by_stream(void **state)
{
    static const char *const expected[STREAM_KINDS] = {"pos:reports", "pos:signals", "pos:results",
                                                       "pos:trades"};

    UNUSED(state);
    for (int k = 0; k < STREAM_KINDS; k++) {
        assert_key(key_position((enum stream_kind)k), expected[k]);
        assert_string_equal(key_stream_word((enum stream_kind)k), expected[k] + strlen("pos:"));
    }
}

/* The longest name that configuration allows, with the longest that is made of it. */
static void test_key_has_room_for_the_longest_stream(void **state)
{
    char stream[257], expected[KEY_MAX];
    struct key rejected;

    UNUSED(state);
    memset(stream, 's', sizeof(stream) - 1);
    stream[sizeof(stream) - 1] = '\0';
    rejected = key_rejected(stream);
    (void)snprintf(expected, sizeof(expected), "%s_rejected", stream);
    assert_key(rejected, expected);
    (void)snprintf(expected, sizeof(expected), "mt5stated:displaced:%s_rejected", stream);
    assert_key(key_displaced(key_slice(&rejected)), expected);
}

static void test_key_cuts_what_has_no_room(void **state)
{
    char long_text[2 * KEY_MAX];
    struct key key;

    UNUSED(state);
    memset(long_text, 'x', sizeof(long_text));
    key = key_displaced(slice_of(long_text, sizeof(long_text)));
    assert_int_equal(key.len, KEY_MAX - 1);
    assert_int_equal(key.text[KEY_MAX - 1], '\0');
}

static void test_key_parse_record_gives_back_kind_and_id(void **state)
{
    static const char *const ids[] = {"a", "mt5-1", "state", "index", "A.b_C-9", ID_64};

    UNUSED(state);
    for (int kind = 0; kind < RECORD_KINDS; kind++) {
        for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
            struct key key = key_record((enum record_kind)kind, slice_text(ids[i]));
            enum record_kind found;
            struct slice id;

            assert_true(key_parse_record(key_slice(&key), &found, &id));
            assert_int_equal(found, kind);
            assert_true(slice_is(id, ids[i]));
        }
        assert_string_equal(key_record_prefix((enum record_kind)kind),
                            key_record((enum record_kind)kind, slice_text("")).text);
    }
}

static void test_key_parse_record_refuses_all_else(void **state)
{
    static const struct slice rows[] = {
        SLICE(""),
        SLICE("instance"),
        SLICE("instance:"),
        SLICE("instance:state:running"),
        SLICE("instance:index:load"),
        SLICE("instance:index:throttled"),
        SLICE("trade:state:closed"),
        SLICE("trade:"),
        SLICE("trades:1"),
        SLICE("Instance:mt5-1"),
        SLICE("xinstance:mt5-1"),
        SLICE("instance_metrics"),
        SLICE("instance_events"),
        SLICE("instance_other:mt5-1"),
        SLICE("instance:-mt5"),
        SLICE("instance:mt5 1"),
        SLICE("instance:mt5\0"),
        SLICE("instance:mt5\xff"),
        SLICE("instance:" ID_64 "5"),
        SLICE("mt5stated:displaced:instance:mt5-1"),
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum record_kind kind = RECORD_HEALTH;
        struct slice id = SLICE("untouched");

        assert_false(key_parse_record(rows[i], &kind, &id));
        assert_int_equal(kind, RECORD_HEALTH);
        assert_true(slice_is(id, "untouched"));
    }
}

static void test_key_parse_total_gives_back_kind_and_label(void **state)
{
    static const struct {
        const char *field;
        enum total_kind kind;
        const char *label;
    } rows[] = {
        {"received:buy", TOTAL_RECEIVED, "buy"},
        {"lost:other", TOTAL_LOST, "other"},
        {"duplicate:a:b", TOTAL_DUPLICATE, "a:b"},
        {"received:" ID_64, TOTAL_RECEIVED, ID_64},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum total_kind kind;
        struct slice label;

        assert_true(key_parse_total(slice_text(rows[i].field), &kind, &label));
        assert_int_equal(kind, rows[i].kind);
        assert_true(slice_is(label, rows[i].label));
    }
}

/* Whoever writes to the hash of the totals must not make a count of it. */
static void test_key_parse_total_refuses_all_else(void **state)
{
    static const struct slice rows[] = {
        SLICE(""),         SLICE("received"), SLICE("received:"),  SLICE("received:" ID_64 "5"),
        SLICE("beaten:x"), SLICE(":buy"),     SLICE("Received:x"), SLICE("received\0:x"),
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum total_kind kind = TOTAL_LOST;
        struct slice label = SLICE("untouched");

        assert_false(key_parse_total(rows[i], &kind, &label));
        assert_int_equal(kind, TOTAL_LOST);
        assert_true(slice_is(label, "untouched"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_record_is_prefix_and_id),
        cmocka_unit_test(test_key_record_takes_no_byte_behind_the_id),
        cmocka_unit_test(test_key_index_is_one_set_a_state),
        cmocka_unit_test(test_keys_beside_a_stream),
        cmocka_unit_test(test_key_position_by_stream),
        cmocka_unit_test(test_key_has_room_for_the_longest_stream),
        cmocka_unit_test(test_key_cuts_what_has_no_room),
        cmocka_unit_test(test_key_parse_record_gives_back_kind_and_id),
        cmocka_unit_test(test_key_parse_record_refuses_all_else),
        cmocka_unit_test(test_key_parse_total_gives_back_kind_and_label),
        cmocka_unit_test(test_key_parse_total_refuses_all_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
