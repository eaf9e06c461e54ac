/* Entries of trade updates (SPEC §3, §5.3, §13): every field with what it takes and what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/trade_entry.h"
#include "util/macros.h"

#define REPEAT_8(s) s s s s s s s s
#define REPEAT_64(s)                                                                                         \
    REPEAT_8(s) REPEAT_8(s) REPEAT_8(s) REPEAT_8(s) REPEAT_8(s) REPEAT_8(s) REPEAT_8(s) REPEAT_8(s)
#define BYTES(text)                                                                                          \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

static struct entry entry_of(enum trade_field field, struct slice value)
{
    struct entry entry = {
        .stream = STREAM_TRADES, .id = {5, 6}, .present = 1U << TRADE_TRADE_ID | 1U << field};

    entry.value[TRADE_TRADE_ID] = slice_text("t1");
    entry.value[field] = value;
    return entry;
}

static void assert_rejected(const struct entry *entry, enum trade_field field, const char *what)
{
    struct trade_entry_scratch scratch;
    struct trade_update update = {.present = 0xdead};
    struct slice name = {NULL, 0};
    struct errmsg reason, expected;

    errmsg_set(&expected, "%s: %s", trade_field_table[field].name.data, what);
    assert_false(trade_entry_parse(entry, &scratch, &update, &name, &reason));
    assert_string_equal(reason.text, expected.text);
    assert_true(slice_equal(name, trade_field_table[field].name));
    assert_int_equal(update.present, 0xdead);
}

static void test_trade_entry_names_are_those_of_the_table(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < TRADE_FIELDS; i++)
        assert_true(slice_equal(trade_entry_names[i], trade_field_table[i].name));
    assert_true(TRADE_FIELDS <= ENTRY_FIELDS_MAX);
}

static void test_trade_entry_parse_value_taken(void **state)
{
    static const struct {
        enum trade_field field;
        struct slice value, expected;
    } rows[] = {
        {TRADE_TRADE_ID, BYTES("A.z_0-9"), BYTES("A.z_0-9")},
        {TRADE_TRADE_ID, BYTES(REPEAT_64("x")), BYTES(REPEAT_64("x"))},
        {TRADE_ACCOUNT_ID, BYTES("9007199254740993"), BYTES("9007199254740993")},
        {TRADE_BROKER_ID, BYTES("b"), BYTES("b")},
        {TRADE_INSTANCE_ID, BYTES("mt5-1"), BYTES("mt5-1")},
        {TRADE_SYMBOL, BYTES("EURUSD"), BYTES("EURUSD")},
        {TRADE_SYMBOL, BYTES(REPEAT_64("x")), BYTES(REPEAT_64("x"))},
        {TRADE_ORDER_TYPE, BYTES("buy limit"), BYTES("buy limit")},
        {TRADE_ORDER_TYPE,
         BYTES("a\xff"
               "b"),
         BYTES("a\xef\xbf\xbd"
               "b")},
        {TRADE_DIRECTION, BYTES("\xe2\x86\x91"), BYTES("\xe2\x86\x91")},
        {TRADE_DIRECTION, BYTES(REPEAT_64("\xff")),
         BYTES(REPEAT_8("\xef\xbf\xbd")
                   REPEAT_8("\xef\xbf\xbd") "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                                            "\xef\xbf\xbd")},
        {TRADE_LOT_SIZE, BYTES("0.01"), BYTES("0.01")},
        {TRADE_REQUESTED_PRICE, BYTES("1.10000"), BYTES("1.10000")},
        {TRADE_EXECUTION_PRICE, BYTES("0"), BYTES("0")},
        {TRADE_STOP_LOSS, BYTES("1e2"), BYTES("1e2")},
        {TRADE_TAKE_PROFIT, BYTES("-0"), BYTES("-0")},
        {TRADE_PARTIAL_FILL_PERCENTAGE, BYTES("100"), BYTES("100")},
        {TRADE_BALANCE, BYTES("-12.5"), BYTES("-12.5")},
        {TRADE_EQUITY, BYTES("-1"), BYTES("-1")},
        {TRADE_POSITION, BYTES("-0.3"), BYTES("-0.3")},
        {TRADE_LEVERAGE, BYTES("500"), BYTES("500")},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct entry entry = entry_of(rows[i].field, rows[i].value);
        struct trade_entry_scratch scratch;
        struct trade_update update;
        struct slice name;
        struct errmsg reason;

        assert_true(trade_entry_parse(&entry, &scratch, &update, &name, &reason));
        assert_true(slice_equal(update.value[rows[i].field], rows[i].expected));
        assert_int_equal(update.present, entry.present);
        assert_int_equal(update.state, TRADE_NONE);
        assert_int_equal(stream_id_compare(update.id, (struct stream_id){5, 6}), 0);
    }
}

#define NOT_AN_ID    "not an id of A-Z a-z 0-9 . _ -"
#define NOT_A_NUMBER "not a finite decimal number"
#define NOT_A_STATE  "not one of pending executing executed failed closed"

static void test_trade_entry_parse_value_rejected(void **state)
{
    static const struct {
        enum trade_field field;
        struct slice value;
        const char *what;
    } rows[] = {
        {TRADE_TRADE_ID, BYTES(""), NOT_AN_ID},
        {TRADE_TRADE_ID, BYTES("a:b"), NOT_AN_ID},
        {TRADE_TRADE_ID, BYTES("a\nb"), NOT_AN_ID},
        {TRADE_TRADE_ID, BYTES("a\0b"), NOT_AN_ID},
        {TRADE_TRADE_ID, BYTES("-a"), NOT_AN_ID},
        {TRADE_TRADE_ID, BYTES("a."), NOT_AN_ID},
        {TRADE_TRADE_ID, BYTES(REPEAT_64("x") "x"), "longer than 64 bytes"},
        {TRADE_ACCOUNT_ID, BYTES(""), NOT_AN_ID},
        {TRADE_ACCOUNT_ID, BYTES("a b"), NOT_AN_ID},
        {TRADE_BROKER_ID, BYTES("b\"x"), NOT_AN_ID},
        {TRADE_INSTANCE_ID, BYTES(""), NOT_AN_ID},
        {TRADE_INSTANCE_ID, BYTES("m\xc3\xa9"), NOT_AN_ID},
        {TRADE_SYMBOL, BYTES(""), "empty"},
        {TRADE_SYMBOL, BYTES(REPEAT_64("x") "x"), "longer than 64 bytes"},
        {TRADE_ORDER_TYPE, BYTES(""), "empty"},
        {TRADE_ORDER_TYPE, BYTES(REPEAT_64("x") "x"), "longer than 64 bytes"},
        {TRADE_DIRECTION, BYTES(""), "empty"},
        {TRADE_DIRECTION, BYTES(REPEAT_64("x") "x"), "longer than 64 bytes"},
        {TRADE_LOT_SIZE, BYTES("-0.1"), "negative"},
        {TRADE_LOT_SIZE, BYTES(""), NOT_A_NUMBER},
        {TRADE_LOT_SIZE, BYTES("nan"), NOT_A_NUMBER},
        {TRADE_LOT_SIZE, BYTES("1e999"), NOT_A_NUMBER},
        {TRADE_REQUESTED_PRICE, BYTES("-1"), "negative"},
        {TRADE_REQUESTED_PRICE, BYTES("0x10"), NOT_A_NUMBER},
        {TRADE_EXECUTION_PRICE, BYTES("-1e-9"), "negative"},
        {TRADE_EXECUTION_PRICE, BYTES("1,5"), NOT_A_NUMBER},
        {TRADE_STOP_LOSS, BYTES("-1"), "negative"},
        {TRADE_STOP_LOSS, BYTES("1 "), NOT_A_NUMBER},
        {TRADE_TAKE_PROFIT, BYTES("-1"), "negative"},
        {TRADE_TAKE_PROFIT, BYTES("inf"), NOT_A_NUMBER},
        {TRADE_PARTIAL_FILL_PERCENTAGE, BYTES("-1"), "negative"},
        {TRADE_PARTIAL_FILL_PERCENTAGE, BYTES("50%"), NOT_A_NUMBER},
        {TRADE_STATE, BYTES(""), NOT_A_STATE},
        {TRADE_STATE, BYTES("open"), NOT_A_STATE},
        {TRADE_STATE, BYTES("closed\0"), NOT_A_STATE},
        {TRADE_BALANCE, BYTES("+1"), NOT_A_NUMBER},
        {TRADE_EQUITY, BYTES("-inf"), NOT_A_NUMBER},
        {TRADE_POSITION, BYTES("1-"), NOT_A_NUMBER},
        {TRADE_LEVERAGE, BYTES("-1"), "negative"},
        {TRADE_LEVERAGE, BYTES("1:100"), NOT_A_NUMBER},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct entry entry = entry_of(rows[i].field, rows[i].value);

        assert_rejected(&entry, rows[i].field, rows[i].what);
    }
}

static void test_trade_entry_parse_state(void **state)
{
    static const struct {
        const char *text;
        enum trade_state expected;
    } rows[] = {
        {"pending", TRADE_PENDING}, {"Executing", TRADE_EXECUTING}, {"EXECUTED", TRADE_EXECUTED},
        {"failed", TRADE_FAILED},   {"closed", TRADE_CLOSED},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct entry entry = entry_of(TRADE_STATE, slice_text(rows[i].text));
        struct trade_entry_scratch scratch;
        struct trade_update update;
        struct slice name;
        struct errmsg reason;

        assert_true(trade_entry_parse(&entry, &scratch, &update, &name, &reason));
        assert_int_equal(update.state, rows[i].expected);
    }
}

static void test_trade_entry_parse_without_trade_id(void **state)
{
    struct entry entry = entry_of(TRADE_SYMBOL, slice_text("EURUSD"));
    struct entry empty = {.stream = STREAM_TRADES};

    UNUSED(state);
    entry.present &= ~(1U << TRADE_TRADE_ID);
    assert_rejected(&entry, TRADE_TRADE_ID, "missing");
    assert_rejected(&empty, TRADE_TRADE_ID, "missing");
}

static void test_trade_entry_parse_oversize_value(void **state)
{
    UNUSED(state);
    for (unsigned i = 0; i < TRADE_FIELDS; i++) {
        struct entry entry = entry_of((enum trade_field)i, slice_text("1"));

        entry.oversize = 1U << i;
        assert_rejected(&entry, (enum trade_field)i, "longer than 4096 bytes");
    }
}

static void test_trade_entry_parse_three_texts_at_once(void **state)
{
    struct entry entry = entry_of(TRADE_SYMBOL, slice_text("s\xff"));
    struct trade_entry_scratch scratch;
    struct trade_update update;
    struct slice name;
    struct errmsg reason;

    UNUSED(state);
    entry.present |= 1U << TRADE_ORDER_TYPE | 1U << TRADE_DIRECTION;
    entry.value[TRADE_ORDER_TYPE] = slice_text("o");
    entry.value[TRADE_DIRECTION] = slice_text("d");
    assert_true(trade_entry_parse(&entry, &scratch, &update, &name, &reason));
    assert_true(slice_is(update.value[TRADE_SYMBOL], "s\xef\xbf\xbd"));
    assert_true(slice_is(update.value[TRADE_ORDER_TYPE], "o"));
    assert_true(slice_is(update.value[TRADE_DIRECTION], "d"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trade_entry_names_are_those_of_the_table),
        cmocka_unit_test(test_trade_entry_parse_value_taken),
        cmocka_unit_test(test_trade_entry_parse_value_rejected),
        cmocka_unit_test(test_trade_entry_parse_state),
        cmocka_unit_test(test_trade_entry_parse_without_trade_id),
        cmocka_unit_test(test_trade_entry_parse_oversize_value),
        cmocka_unit_test(test_trade_entry_parse_three_texts_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
