/* codec/signal_entry.h: entries are given as `name=value` texts, by the names of their stream. */
#include "codec/signal_entry.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define FIELDS_MAX 8
#define ID_64      "a123456789b123456789c123456789d123456789e123456789f123456789g123"

static void set_field(struct entry *entry, const struct slice *names, size_t count, const char *text)
{
    const char *equals = strchr(text, '=');
    struct slice name = slice_of(text, (size_t)(equals - text));

    for (size_t i = 0; i < count; i++) {
        if (slice_equal(names[i], name)) {
            entry->value[i] = slice_text(equals + 1);
            entry->present |= 1U << i;
        }
    }
}

static struct entry make_entry(const struct slice *names, size_t count, const char *const fields[FIELDS_MAX])
{
    struct entry entry = {.id = {1700000000000, 3}};

    for (size_t i = 0; i < FIELDS_MAX && fields[i]; i++)
        set_field(&entry, names, count, fields[i]);
    return entry;
}

static struct entry make_signal(const char *const fields[FIELDS_MAX])
{
    return make_entry(signal_field_names, SIGNAL_FIELDS, fields);
}

static struct entry make_result(const char *const fields[FIELDS_MAX])
{
    return make_entry(result_field_names, RESULT_FIELDS, fields);
}

static void test_signal_entry_parse_takes_all_fields(void **state)
{
    static const char *const fields[FIELDS_MAX] = {"signal_id=s.1_x-Y", "action=Buy_LIMIT",
                                                   "instance_id=mt5-1"};
    struct entry entry = make_signal(fields);
    struct signal_entry_scratch scratch;
    struct signal_entry signal;
    struct slice field;

    UNUSED(state);
    assert_true(signal_entry_parse(&entry, &scratch, &signal, &field, NULL));
    assert_int_equal(signal.id.ms, 1700000000000);
    assert_int_equal(signal.id.seq, 3);
    assert_true(slice_is(signal.signal_id, "s.1_x-Y"));
    assert_true(slice_is(signal.action, "buy_limit"));
    assert_true(slice_is(signal.instance_id, "mt5-1"));
}

static void test_signal_entry_parse_makes_each_letter_small(void **state)
{
    static const char *const rows[][2] = {
        {"action=ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"},
        {"action=abcxyz.0-9_AZ", "abcxyz.0-9_az"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *const fields[FIELDS_MAX] = {"signal_id=s1", rows[i][0]};
        struct entry entry = make_signal(fields);
        struct signal_entry_scratch scratch;
        struct signal_entry signal;
        struct slice field;

        assert_true(signal_entry_parse(&entry, &scratch, &signal, &field, NULL));
        assert_true(slice_is(signal.action, rows[i][1]));
    }
}

static void test_signal_entry_parse_needs_no_addressee(void **state)
{
    static const char *const fields[FIELDS_MAX] = {"signal_id=" ID_64, "action=b"};
    struct entry entry = make_signal(fields);
    struct signal_entry_scratch scratch;
    struct signal_entry signal;
    struct slice field;

    UNUSED(state);
    assert_true(signal_entry_parse(&entry, &scratch, &signal, &field, NULL));
    assert_int_equal(signal.signal_id.len, 64);
    assert_int_equal(signal.instance_id.len, 0);
}

struct refusal {
    const char *fields[FIELDS_MAX];
    const char *field, *reason;
};

static void test_signal_entry_parse_refuses(void **state)
{
    static const struct refusal rows[] = {
        {{"action=buy"}, "signal_id", "signal_id: missing"},
        {{"signal_id=s1"}, "action", "action: missing"},
        {{"signal_id=", "action=buy"}, "signal_id", "signal_id: not an id of A-Z a-z 0-9 . _ -"},
        {{"signal_id=a:b", "action=buy"}, "signal_id", "signal_id: not an id of A-Z a-z 0-9 . _ -"},
        {{"signal_id=" ID_64 "x", "action=buy"}, "signal_id", "signal_id: longer than 64 bytes"},
        {{"signal_id=s1", "action=buy now"}, "action", "action: not an id of A-Z a-z 0-9 . _ -"},
        {{"signal_id=s1", "action=123456789012345678901234567890123"},
         "action",
         "action: longer than 32 bytes"},
        {{"signal_id=s1", "action=buy", "instance_id="},
         "instance_id",
         "instance_id: not an id of A-Z a-z 0-9 . _ -"},
        {{"signal_id=s1", "action=buy", "instance_id=-x"},
         "instance_id",
         "instance_id: not an id of A-Z a-z 0-9 . _ -"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct entry entry = make_signal(rows[i].fields);
        struct signal_entry_scratch scratch;
        struct signal_entry signal = {.signal_id = SLICE("untouched")};
        struct slice field;
        struct errmsg reason;

        assert_false(signal_entry_parse(&entry, &scratch, &signal, &field, &reason));
        assert_string_equal(field.data, rows[i].field);
        assert_string_equal(reason.text, rows[i].reason);
        assert_true(slice_is(signal.signal_id, "untouched"));
    }
}

static void test_signal_entry_parse_refuses_what_was_cut(void **state)
{
    static const char *const fields[FIELDS_MAX] = {"signal_id=s1", "action=buy"};
    struct entry entry = make_signal(fields);
    struct signal_entry_scratch scratch;
    struct signal_entry signal;
    struct slice field;
    struct errmsg reason;

    UNUSED(state);
    entry.oversize = 1U << SIGNAL_ACTION;
    assert_false(signal_entry_parse(&entry, &scratch, &signal, &field, &reason));
    assert_string_equal(reason.text, "action: longer than 4096 bytes");
}

static void test_result_entry_parse_takes_all_fields(void **state)
{
    static const char *const fields[FIELDS_MAX] = {"result_id=r1",       "signal_id=s1",   "status=Executed",
                                                   "trade_id=t1",        "instance_id=i1", "slippage=-0.25",
                                                   "execution_time=12.5"};
    struct entry entry = make_result(fields);
    struct result_entry result;
    struct slice field;

    UNUSED(state);
    assert_true(result_entry_parse(&entry, &result, &field, NULL));
    assert_true(slice_is(result.result_id, "r1"));
    assert_true(slice_is(result.signal_id, "s1"));
    assert_true(slice_is(result.trade_id, "t1"));
    assert_true(slice_is(result.instance_id, "i1"));
    assert_int_equal(result.status, STATUS_EXECUTED);
    assert_true(result.has_slippage && result.slippage == -0.25);
    assert_true(result.has_execution_time && result.execution_time_ms == 12.5);
}

static void test_result_entry_parse_takes_the_required_fields_alone(void **state)
{
    static const char *const fields[FIELDS_MAX] = {"result_id=r1", "signal_id=s1", "status=expired"};
    struct entry entry = make_result(fields);
    struct result_entry result;
    struct slice field;

    UNUSED(state);
    assert_true(result_entry_parse(&entry, &result, &field, NULL));
    assert_false(result.has_slippage);
    assert_false(result.has_execution_time);
    assert_int_equal(result.trade_id.len, 0);
    assert_int_equal(result.instance_id.len, 0);
}

#define RESULT_BASE "result_id=r1", "signal_id=s1", "status=closed"

static void test_result_entry_parse_refuses(void **state)
{
    static const struct refusal rows[] = {
        {{"signal_id=s1", "status=closed"}, "result_id", "result_id: missing"},
        {{"result_id=r1", "status=closed"}, "signal_id", "signal_id: missing"},
        {{"result_id=r1", "signal_id=s1"}, "status", "status: missing"},
        {{"result_id=r 1", "signal_id=s1", "status=closed"},
         "result_id",
         "result_id: not an id of A-Z a-z 0-9 . _ -"},
        {{"result_id=r1", "signal_id=s1", "status=done"},
         "status",
         "status: not one of accepted executed partially_filled closed failed rejected cancelled expired"},
        {{RESULT_BASE, "trade_id="}, "trade_id", "trade_id: not an id of A-Z a-z 0-9 . _ -"},
        {{RESULT_BASE, "instance_id=a/b"}, "instance_id", "instance_id: not an id of A-Z a-z 0-9 . _ -"},
        {{RESULT_BASE, "slippage=nan"}, "slippage", "slippage: not a finite decimal number"},
        {{RESULT_BASE, "slippage=1.5 "}, "slippage", "slippage: not a finite decimal number"},
        {{RESULT_BASE, "execution_time=0x10"},
         "execution_time",
         "execution_time: not a finite decimal number"},
        {{RESULT_BASE, "execution_time=-1"}, "execution_time", "execution_time: negative"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct entry entry = make_result(rows[i].fields);
        struct result_entry result = {.result_id = SLICE("untouched")};
        struct slice field;
        struct errmsg reason;

        assert_false(result_entry_parse(&entry, &result, &field, &reason));
        assert_string_equal(field.data, rows[i].field);
        assert_string_equal(reason.text, rows[i].reason);
        assert_true(slice_is(result.result_id, "untouched"));
    }
}

static void test_result_entry_parse_refuses_what_was_cut(void **state)
{
    static const char *const fields[FIELDS_MAX] = {RESULT_BASE, "trade_id=t1"};
    struct entry entry = make_result(fields);
    struct result_entry result;
    struct slice field;
    struct errmsg reason;

    UNUSED(state);
    entry.oversize = 1U << RESULT_TRADE_ID;
    assert_false(result_entry_parse(&entry, &result, &field, &reason));
    assert_true(slice_is(field, "trade_id"));
    assert_string_equal(reason.text, "trade_id: longer than 4096 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signal_entry_parse_takes_all_fields),
        cmocka_unit_test(test_signal_entry_parse_makes_each_letter_small),
        cmocka_unit_test(test_signal_entry_parse_needs_no_addressee),
        cmocka_unit_test(test_signal_entry_parse_refuses),
        cmocka_unit_test(test_signal_entry_parse_refuses_what_was_cut),
        cmocka_unit_test(test_result_entry_parse_takes_all_fields),
        cmocka_unit_test(test_result_entry_parse_takes_the_required_fields_alone),
        cmocka_unit_test(test_result_entry_parse_refuses),
        cmocka_unit_test(test_result_entry_parse_refuses_what_was_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
