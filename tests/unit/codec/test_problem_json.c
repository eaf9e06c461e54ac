/* The bytes of a problem. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/problem_json.h"
#include "util/macros.h"
#include <cmocka.h>

static void test_problem_json_add_rows(void **state)
{
    static const struct {
        int status;
        const char *title, *detail, *expected;
    } rows[] = {
        {404, "Not Found", "", "{\"title\":\"Not Found\",\"status\":404}\n"},
        {400, "Bad Request", "no \"x\"",
         "{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"no \\\"x\\\"\"}\n"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;

        problem_json_add(&out, rows[i].status, rows[i].title, slice_text(rows[i].detail));
        assert_string_equal(buf_text(&out), rows[i].expected);
        buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_problem_json_add_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
