/* core/signal.h */
#include "core/signal.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_result_status_parse_knows_each_status(void **state)
{
    static const struct {
        const char *text, *name;
        enum result_effect effect;
    } rows[] = {
        {"accepted", "accepted", RESULT_ACCEPTS},
        {"Executed", "executed", RESULT_PROCESSES},
        {"PARTIALLY_FILLED", "partially_filled", RESULT_PROCESSES},
        {"closed", "closed", RESULT_PROCESSES},
        {"failed", "failed", RESULT_FAILS},
        {"rejected", "rejected", RESULT_FAILS},
        {"cancelled", "cancelled", RESULT_FAILS},
        {"eXPIRED", "expired", RESULT_FAILS},
    };

    UNUSED(state);
    assert_int_equal(ARRAY_LEN(rows), RESULT_STATUSES);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum result_status status;

        assert_true(result_status_parse(slice_text(rows[i].text), &status));
        assert_string_equal(result_status_name(status), rows[i].name);
        assert_int_equal(result_status_effect(status), rows[i].effect);
    }
}

static void test_result_status_parse_refuses_all_else(void **state)
{
    static const char *const rows[] = {"", "done", "execute", "executed ", "canceled", "partially-filled"};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum result_status status = STATUS_CLOSED;

        assert_false(result_status_parse(slice_text(rows[i]), &status));
        assert_int_equal(status, STATUS_CLOSED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result_status_parse_knows_each_status),
        cmocka_unit_test(test_result_status_parse_refuses_all_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
