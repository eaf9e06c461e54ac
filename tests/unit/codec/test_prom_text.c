/* The pages of both formats, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/prom_text.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void expect_text(struct buf *out, const char *expected)
{
    assert_string_equal(buf_text(out), expected);
    assert_int_equal(out->len, strlen(expected));
    buf_clear(out);
}

static void test_prom_family_begin_rows(void **state)
{
    static const struct {
        enum prom_format format;
        const char *name;
        enum prom_type type;
        const char *help, *expected;
    } rows[] = {
        {PROM_TEXT, "a", PROM_GAUGE, "Help.", "# HELP a Help.\n# TYPE a gauge\n"},
        {PROM_TEXT, "a_total", PROM_COUNTER, "H", "# HELP a_total H\n# TYPE a_total counter\n"},
        {PROM_TEXT, "keyspace_hits", PROM_COUNTER, "H",
         "# HELP keyspace_hits H\n# TYPE keyspace_hits counter\n"},
        {PROM_TEXT, "a", PROM_HISTOGRAM, "H", "# HELP a H\n# TYPE a histogram\n"},
        {PROM_TEXT, "a", PROM_UNKNOWN, "H", "# HELP a H\n# TYPE a untyped\n"},
        {PROM_TEXT, "a", PROM_GAUGE, "x\\y\n\"z\"", "# HELP a x\\\\y\\n\"z\"\n# TYPE a gauge\n"},
        {PROM_OPENMETRICS, "a", PROM_GAUGE, "H", "# HELP a H\n# TYPE a gauge\n"},
        {PROM_OPENMETRICS, "a_total", PROM_GAUGE, "H", "# HELP a_total H\n# TYPE a_total gauge\n"},
        {PROM_OPENMETRICS, "a_total", PROM_COUNTER, "H", "# HELP a H\n# TYPE a counter\n"},
        {PROM_OPENMETRICS, "keyspace_hits", PROM_COUNTER, "H",
         "# HELP keyspace_hits H\n# TYPE keyspace_hits unknown\n"},
        {PROM_OPENMETRICS, "_total", PROM_COUNTER, "H", "# HELP _total H\n# TYPE _total unknown\n"},
        {PROM_OPENMETRICS, "a", PROM_HISTOGRAM, "H", "# HELP a H\n# TYPE a histogram\n"},
        {PROM_OPENMETRICS, "a", PROM_UNKNOWN, "H", "# HELP a H\n# TYPE a unknown\n"},
        {PROM_OPENMETRICS, "a", PROM_GAUGE, "x\\y\n\"z\"", "# HELP a x\\\\y\\n\\\"z\\\"\n# TYPE a gauge\n"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;
        struct prom_writer writer = prom_writer_of(&out, rows[i].format);

        prom_family_begin(&writer, rows[i].name, rows[i].type, rows[i].help);
        expect_text(&out, rows[i].expected);
    }
}

static void test_prom_labels_add_escapes(void **state)
{
    static const struct {
        struct slice in;
        const char *out;
    } rows[] = {
        {SLICE(""), "a=\"\""},
        {SLICE("mt5-1"), "a=\"mt5-1\""},
        {SLICE("x\"y\\z\n"), "a=\"x\\\"y\\\\z\\n\""},
        {SLICE("\xc3\xa4"), "a=\"\xc3\xa4\""},
        {SLICE("\xc3"), "a=\"\xef\xbf\xbd\""},
        {SLICE("x\xff\"y"), "a=\"x\xef\xbf\xbd\\\"y\""},
        {SLICE("\r\x7f\0"), "a=\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {SLICE("{},= #"), "a=\"{},= #\""},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct prom_label label = {"a", rows[i].in};
        struct buf out = BUF_INIT;

        prom_labels_add(&out, &label, 1);
        expect_text(&out, rows[i].out);
    }
}

static void test_prom_labels_add_joins(void **state)
{
    const struct prom_label labels[] = {{"a", SLICE("1")}, {"b", SLICE("2")}};
    struct buf out = BUF_INIT;

    UNUSED(state);
    prom_labels_add(&out, labels, 2);
    prom_labels_add(&out, labels, 0);
    prom_labels_add(&out, labels, 1);
    expect_text(&out, "a=\"1\",b=\"2\",a=\"1\"");
}

static void test_prom_sample_values(void **state)
{
    static const struct {
        double value;
        const char *expected;
    } rows[] = {
        {0, "m 0\n"},     {1, "m 1\n"},           {-2.5, "m -2.5\n"},      {0.1, "m 0.1\n"},
        {NAN, "m NaN\n"}, {INFINITY, "m +Inf\n"}, {-INFINITY, "m -Inf\n"}, {1e15, "m 1000000000000000\n"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;
        struct prom_writer writer = {.out = &out, .name = SLICE("m")};

        prom_sample(&writer, slice_of(NULL, 0), rows[i].value);
        expect_text(&out, rows[i].expected);
    }
}

static void test_prom_sample_forms(void **state)
{
    struct buf out = BUF_INIT;
    struct prom_writer writer = prom_writer_of(&out, PROM_OPENMETRICS);

    UNUSED(state);
    prom_family_begin(&writer, "x_total", PROM_COUNTER, "H");
    buf_reset(&out, SIZE_MAX);
    prom_sample(&writer, slice_text("a=\"1\",b=\"2\""), 3);
    prom_sample_u64(&writer, slice_text("a=\"1\""), UINT64_MAX);
    prom_sample_u64(&writer, slice_of(NULL, 0), 0);
    prom_sample_more(&writer, slice_text("a=\"1\""), slice_text("b=\"2\""), 4);
    prom_sample_more(&writer, slice_of(NULL, 0), slice_text("b=\"2\""), 5);
    prom_sample_label(&writer, "id", slice_text("q\"q"), 0.5);
    expect_text(&out, "x_total{a=\"1\",b=\"2\"} 3\n"
                      "x_total{a=\"1\"} 18446744073709551615\n"
                      "x_total 0\n"
                      "x_total{a=\"1\",b=\"2\"} 4\n"
                      "x_total{b=\"2\"} 5\n"
                      "x_total{id=\"q\\\"q\"} 0.5\n");
}

static void test_prom_sample_long_labels_grow_the_buffer(void **state)
{
    struct buf out = BUF_INIT;
    struct prom_writer writer = {.out = &out, .name = SLICE("m")};
    char *labels = mem_new(100001, 1);

    UNUSED(state);
    memset(labels, 'x', 100000);
    prom_sample(&writer, slice_of(labels, 100000), 1);
    assert_int_equal(out.len, 100000 + strlen("m{} 1\n"));
    assert_int_equal(out.data[out.len - 1], '\n');
    buf_clear(&out);
    free(labels);
}

static const double seconds_bounds[] = {0.005, 1, 1000000};

/* Counts 1, 2, 0 and 1 beyond the last bound. */
static struct histogram make_histogram(const double *bounds, size_t bound_count)
{
    struct histogram h;

    histogram_init(&h, bounds, bound_count);
    h.counts[0] = 1;
    h.counts[1] = 2;
    h.counts[bound_count] = 1;
    h.count = 4;
    h.sum = 2000003.25;
    return h;
}

static void test_prom_histogram_adds_up(void **state)
{
    static const char expected[] = "# HELP h H\n# TYPE h histogram\n"
                                   "h_bucket{le=\"0.005\"} 1\n"
                                   "h_bucket{le=\"1.0\"} 3\n"
                                   "h_bucket{le=\"1e+06\"} 3\n"
                                   "h_bucket{le=\"+Inf\"} 4\n"
                                   "h_sum 2000003.25\n"
                                   "h_count 4\n";
    struct histogram h = make_histogram(seconds_bounds, ARRAY_LEN(seconds_bounds));

    UNUSED(state);
    for (int format = PROM_TEXT; format <= PROM_OPENMETRICS; format++) {
        struct buf out = BUF_INIT;
        struct prom_writer writer = prom_writer_of(&out, (enum prom_format)format);

        prom_family_begin(&writer, "h", PROM_HISTOGRAM, "H");
        prom_histogram(&writer, slice_of(NULL, 0), &h, "signal_id");
        expect_text(&out, expected);
    }
}

static void test_prom_histogram_negative_bounds_without_sum_in_openmetrics(void **state)
{
    static const double bounds[] = {-1, 0.5};
    struct histogram h = make_histogram(bounds, ARRAY_LEN(bounds));
    struct buf out = BUF_INIT;
    struct prom_writer writer = {.out = &out, .format = PROM_OPENMETRICS, .name = SLICE("h")};

    UNUSED(state);
    prom_histogram(&writer, slice_text("a=\"b\""), &h, NULL);
    expect_text(&out, "h_bucket{a=\"b\",le=\"-1.0\"} 1\n"
                      "h_bucket{a=\"b\",le=\"0.5\"} 3\n"
                      "h_bucket{a=\"b\",le=\"+Inf\"} 4\n");
    writer.format = PROM_TEXT;
    prom_histogram(&writer, slice_of(NULL, 0), &h, NULL);
    assert_non_null(strstr(buf_text(&out), "\nh_sum 2000003.25\nh_count 4\n"));
    buf_clear(&out);
}

static void test_prom_histogram_exemplars(void **state)
{
    struct histogram h = make_histogram(seconds_bounds, ARRAY_LEN(seconds_bounds));
    struct exemplar exemplars[4] = {{.value = 0}};
    struct buf out = BUF_INIT;
    struct prom_writer writer = {.out = &out, .format = PROM_OPENMETRICS, .name = SLICE("h")};
    char long_label[130];

    UNUSED(state);
    h.exemplars = exemplars;
    ident_set(&exemplars[1].id, slice_text("sig-1"));
    exemplars[1].value = 0.25;
    exemplars[1].at_ms = 1742638530123;
    prom_histogram(&writer, slice_of(NULL, 0), &h, "signal_id");
    expect_text(&out, "h_bucket{le=\"0.005\"} 1\n"
                      "h_bucket{le=\"1.0\"} 3 # {signal_id=\"sig-1\"} 0.25 1742638530.123\n"
                      "h_bucket{le=\"1e+06\"} 3\n"
                      "h_bucket{le=\"+Inf\"} 4\n"
                      "h_sum 2000003.25\n"
                      "h_count 4\n");
    writer.format = PROM_TEXT;
    prom_histogram(&writer, slice_of(NULL, 0), &h, "signal_id");
    assert_null(strchr(buf_text(&out), '#'));
    buf_reset(&out, SIZE_MAX);

    /* 128 characters may be there, 129 may not. */
    writer.format = PROM_OPENMETRICS;
    memset(long_label, 'l', sizeof(long_label));
    long_label[128 - 5] = '\0';
    prom_histogram(&writer, slice_of(NULL, 0), &h, long_label);
    assert_non_null(strchr(buf_text(&out), '#'));
    buf_reset(&out, SIZE_MAX);
    long_label[128 - 5] = 'l';
    long_label[129 - 5] = '\0';
    prom_histogram(&writer, slice_of(NULL, 0), &h, long_label);
    assert_null(strchr(buf_text(&out), '#'));
    buf_clear(&out);
}

static void test_prom_end_by_format(void **state)
{
    struct buf out = BUF_INIT;
    struct prom_writer writer = prom_writer_of(&out, PROM_TEXT);

    UNUSED(state);
    prom_end(&writer);
    assert_int_equal(out.len, 0);
    writer.format = PROM_OPENMETRICS;
    prom_end(&writer);
    expect_text(&out, "# EOF\n");
}

static void test_prom_format_bound_rows(void **state)
{
    static const struct {
        double value;
        const char *expected;
    } rows[] = {
        {0, "0.0"},
        {1, "1.0"},
        {-1, "-1.0"},
        {10, "10.0"},
        {2.5, "2.5"},
        {0.1, "0.1"},
        {0.001, "0.001"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {0.000025, "2.5e-05"},
        {100000, "100000.0"},
        {999999, "999999.0"},
        {1e6, "1e+06"},
        {2500000, "2.5e+06"},
        {1e10, "1e+10"},
        {0.3, "0.3"},
        {1.0 / 3, "0.3333333333333333"},
        {INFINITY, "+Inf"},
        {123456.789, "123456.789"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[PROM_BOUND_MAX];

        assert_int_equal(prom_format_bound(out, rows[i].value), strlen(rows[i].expected));
        assert_string_equal(out, rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prom_family_begin_rows),
        cmocka_unit_test(test_prom_labels_add_escapes),
        cmocka_unit_test(test_prom_labels_add_joins),
        cmocka_unit_test(test_prom_sample_values),
        cmocka_unit_test(test_prom_sample_forms),
        cmocka_unit_test(test_prom_sample_long_labels_grow_the_buffer),
        cmocka_unit_test(test_prom_histogram_adds_up),
        cmocka_unit_test(test_prom_histogram_negative_bounds_without_sum_in_openmetrics),
        cmocka_unit_test(test_prom_histogram_exemplars),
        cmocka_unit_test(test_prom_end_by_format),
        cmocka_unit_test(test_prom_format_bound_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
