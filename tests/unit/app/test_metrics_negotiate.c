/* Which page a client gets. */
#include "app/metrics.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PROMETHEUS                                                                                           \
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"          \
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

static void test_metrics_negotiate_format(void **state)
{
    static const struct {
        struct slice accept;
        enum prom_format expected;
    } rows[] = {
        {{NULL, 0}, PROM_TEXT},
        {SLICE(""), PROM_TEXT},
        {SLICE("*/*"), PROM_TEXT},
        {SLICE("text/html,application/xhtml+xml,*/*;q=0.8"), PROM_TEXT},
        {SLICE("application/*"), PROM_TEXT},
        {SLICE("text/plain"), PROM_TEXT},
        {SLICE("text/plain;version=0.0.4;q=1,*/*;q=0.1"), PROM_TEXT},
        {SLICE("application/openmetrics-text;q=0.3, text/plain"), PROM_TEXT},
        {SLICE("application/openmetrics-text;q=0"), PROM_TEXT},
        {SLICE("application/openmetrics"), PROM_TEXT},
        {SLICE("application/json"), PROM_TEXT},
        {SLICE(PROMETHEUS), PROM_OPENMETRICS},
        {SLICE("application/openmetrics-text"), PROM_OPENMETRICS},
        {SLICE("APPLICATION/OpenMetrics-Text; version=1.0.0; charset=utf-8"), PROM_OPENMETRICS},
        {SLICE("application/openmetrics-text, */*"), PROM_OPENMETRICS},
        {SLICE("text/plain;q=0.5, application/openmetrics-text"), PROM_OPENMETRICS},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(metrics_negotiate(rows[i].accept, slice_of(NULL, 0), true).format, rows[i].expected);
}

static void test_metrics_negotiate_gzip(void **state)
{
    static const struct {
        struct slice accept_encoding;
        bool is_local, expected;
    } rows[] = {
        {{NULL, 0}, false, false},        {SLICE("gzip"), false, true},
        {SLICE("gzip, br"), false, true}, {SLICE("deflate, gzip;q=0.5"), false, true},
        {SLICE("*"), false, true},        {SLICE("gzip;q=0"), false, false},
        {SLICE("deflate"), false, false}, {SLICE("identity"), false, false},
        {SLICE("gzip"), true, false},     {SLICE("*"), true, false},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(
            metrics_negotiate(slice_of(NULL, 0), rows[i].accept_encoding, rows[i].is_local).is_gzipped,
            rows[i].expected);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_negotiate_format),
        cmocka_unit_test(test_metrics_negotiate_gzip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
