#include "core/stream.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    struct cause cause;
    const char *text;
    bool is_entry;
} rows[] = {
    {{CAUSE_REPORT, {1690000000000, 0}}, "report-1690000000000-0", true},
    {{CAUSE_SIGNAL, {5, 7}}, "signal-5-7", true},
    {{CAUSE_RESULT, {5, 7}}, "result-5-7", true},
    {{CAUSE_TRADE, {5, 7}}, "trade-5-7", true},
    {{CAUSE_TIMER, {1690000000000, 3}}, "timer-1690000000000-3", false},
    {{CAUSE_ADOPTED, {5, 7}}, "adopted-5-7", false},
    {{CAUSE_RECONCILE, {UINT64_MAX, UINT64_MAX}},
     "reconcile-18446744073709551615-18446744073709551615",
     false},
    {{CAUSE_OPERATOR, {0, 0}}, "operator-0-0", false},
};

static void test_layer_name_of_each_layer(void **state)
{
    static const char *const names[LAYERS] = {"ris", "rtss", "rtrs", "rts"};

    UNUSED(state);
    for (int layer = 0; layer < LAYERS; layer++)
        assert_string_equal(layer_name((enum layer)layer), names[layer]);
}

static void test_cause_format_of_each_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[CAUSE_TEXT_MAX];
        size_t len = cause_format(text, &rows[i].cause);

        assert_string_equal(text, rows[i].text);
        assert_int_equal(len, strlen(rows[i].text));
    }
}

static void test_cause_parse_of_what_is_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cause cause;

        assert_true(cause_parse(slice_text(rows[i].text), &cause));
        assert_int_equal(cause.kind, rows[i].cause.kind);
        assert_int_equal(stream_id_compare(cause.id, rows[i].cause.id), 0);
    }
}

static void test_cause_parse_refuses_all_else(void **state)
{
    static const char *const wrong[] = {
        "",
        "-",
        "report",
        "report-",
        "report-5",
        "report-5-",
        "report-05-7",
        "report-5-07",
        "Report-5-7",
        "reports-5-7",
        "report--5-7",
        "report-5-7 ",
        " report-5-7",
        "report-5-7-9",
        "-5-7",
        "5-7",
        "report-18446744073709551616-0",
        "report-+5-7",
    };
    struct cause cause = {CAUSE_TRADE, {77, 78}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(cause_parse(slice_text(wrong[i]), &cause));
    assert_false(cause_parse(slice_of("report-5-7\0", 11), &cause));
    assert_int_equal(cause.kind, CAUSE_TRADE);
    assert_int_equal(cause.id.ms, 77);
}

static void test_cause_is_entry_of_each_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(cause_is_entry(&rows[i].cause), rows[i].is_entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cause_format_of_each_kind),
        cmocka_unit_test(test_layer_name_of_each_layer),
        cmocka_unit_test(test_cause_parse_of_what_is_written),
        cmocka_unit_test(test_cause_parse_refuses_all_else),
        cmocka_unit_test(test_cause_is_entry_of_each_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
