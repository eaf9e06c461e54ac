/* codec/journal.h: what a reader is told is written again, so that text in and text out can be compared. */
#include "codec/journal.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_received(void *ctx, struct slice signal_id, struct stream_id entry, struct slice action,
                        struct slice instance_id)
{
    journal_add_received(ctx, signal_id, entry, action, instance_id);
}

static void on_accepted(void *ctx, struct slice signal_id, uint64_t accepted_ms)
{
    journal_add_accepted(ctx, signal_id, accepted_ms);
}

static void on_ended(void *ctx, struct slice signal_id, enum signal_outcome outcome)
{
    journal_add_ended(ctx, signal_id, outcome);
}

static void on_early(void *ctx, struct slice signal_id, enum result_status status, struct stream_id result)
{
    journal_add_early(ctx, signal_id, slice_text(result_status_name(status)), result);
}

/* Reads TEXT (of exactly its own size, so that a byte too many is noticed) and writes to OUT what was told.
 */
static size_t read_back(const char *text, size_t len, struct buf *out)
{
    struct journal_reader reader = {on_received, on_accepted, on_ended, on_early, out};
    char *copy = malloc(len > 0 ? len : 1);
    size_t bad;

    assert_non_null(copy);
    memcpy(copy, text, len);
    bad = journal_read(slice_of(copy, len), &reader);
    free(copy);
    return bad;
}

static void test_journal_add_writes_each_kind(void **state)
{
    struct buf out = BUF_INIT;

    UNUSED(state);
    journal_add_received(&out, slice_text("s1"), (struct stream_id){12, 3}, slice_text("buy"),
                         slice_text("mt5-1"));
    journal_add_received(&out, slice_text("s2"), (struct stream_id){UINT64_MAX, UINT64_MAX},
                         slice_text("buy"), slice_text(""));
    journal_add_accepted(&out, slice_text("s1"), 15);
    journal_add_ended(&out, slice_text("s1"), OUTCOME_PROCESSED);
    journal_add_ended(&out, slice_text("s2"), OUTCOME_FAILED);
    journal_add_ended(&out, slice_text("s3"), OUTCOME_DROPPED);
    journal_add_ended(&out, slice_text("s4"), OUTCOME_LOST);
    journal_add_early(&out, slice_text("s5"), slice_text("partially_filled"), (struct stream_id){16, 0});
    assert_string_equal(buf_text(&out), "R 12-3 buy mt5-1 s1\n"
                                        "R 18446744073709551615-18446744073709551615 buy - s2\n"
                                        "A 15 s1\n"
                                        "E P s1\n"
                                        "E F s2\n"
                                        "E D s3\n"
                                        "E L s4\n"
                                        "Y 16-0 partially_filled s5\n");
    buf_clear(&out);
}

static void test_journal_read_tells_what_was_written(void **state)
{
    static const char text[] = "R 12-3 buy mt5-1 s1\n"
                               "R 18446744073709551615-18446744073709551615 other - s2\n"
                               "A 18446744073709551615 s1\n"
                               "E P s1\nE F s2\nE D s3\nE L s4\n"
                               "Y 16-0 partially_filled s5\nY 17-0 accepted s5\n";
    struct buf out = BUF_INIT;

    UNUSED(state);
    assert_int_equal(read_back(text, strlen(text), &out), 0);
    assert_string_equal(buf_text(&out), text);
    buf_clear(&out);
}

static void test_journal_read_skips_bad_lines(void **state)
{
    static const char *const rows[] = {
        "",
        " ",
        "R",
        "X P s1",
        "RR 1-0 buy - s1",
        "R 1-0 buy - ",
        "R 1-0 buy s1",
        "R 1-0 buy - s1 x",
        "R  1-0 buy - s1",
        "R 1-0 buy - s1 ",
        "R 1 buy - s1",
        "R 1- buy - s1",
        "R -1-0 buy - s1",
        "R 18446744073709551616-0 buy - s1",
        "R 1-0 Buy - s1",
        "R 1-0 - - s1",
        "R 1-0 buy -- s1",
        "R 1-0 123456789012345678901234567890123 - s1",
        "R 1-0 buy - a:b",
        "A s1",
        "A -1 s1",
        "A 1-0 s1",
        "A 18446744073709551616 s1",
        "A 1 s1 s1",
        "E s1",
        "E X s1",
        "E PP s1",
        "E  s1",
        "E P ",
        "E P s1\r",
        "Y 1-0 done s1",
        "Y 1-0 Executed s1",
        "Y 1 executed s1",
        "Y 1-0 executed",
        "Y 1-0 executed s1 s1",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;
        char text[128];
        int len = snprintf(text, sizeof(text), "E P before\n%s\nE F after\n", rows[i]);

        assert_int_equal(read_back(text, (size_t)len, &out), 1);
        assert_string_equal(buf_text(&out), "E P before\nE F after\n");
        buf_clear(&out);
    }
}

static void test_journal_read_does_not_trust_a_cut_line(void **state)
{
    struct buf out = BUF_INIT;

    UNUSED(state);
    assert_int_equal(read_back("E P s1\nE P s12", 14, &out), 1);
    assert_string_equal(buf_text(&out), "E P s1\n");
    buf_reset(&out, 0);
    assert_int_equal(read_back("", 0, &out), 0);
    assert_int_equal(out.len, 0);
    buf_clear(&out);
}

static void test_journal_read_takes_nul_for_a_byte_like_others(void **state)
{
    struct buf out = BUF_INIT;

    UNUSED(state);
    assert_int_equal(read_back("E P s\0x\nE P s2\n", 15, &out), 1);
    assert_string_equal(buf_text(&out), "E P s2\n");
    buf_clear(&out);
}

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(*seed >> 33);
}

/* Valid text with some bytes changed: whatever is told is written as text that reads back the same. */
static void test_journal_read_survives_damaged_text(void **state)
{
    static const char valid[] = "R 12-3 buy mt5-1 s1\nA 15 s1\nE P s1\nY 16-0 executed s5\nR 1-0 sell - s2\n";
    static const char bytes[] = "RAEY PFDL-0123456789\n\n\0\r\xff s.";
    uint64_t seed = 7;

    UNUSED(state);
    for (int round = 0; round < 20000; round++) {
        char text[sizeof(valid) - 1];
        size_t len = sizeof(text) - draw(&seed) % 8;
        struct buf out = BUF_INIT, again = BUF_INIT;

        memcpy(text, valid, sizeof(text));
        for (uint32_t i = draw(&seed) % 6; i > 0; i--)
            text[draw(&seed) % len] = bytes[draw(&seed) % sizeof(bytes)];
        (void)read_back(text, len, &out);
        assert_int_equal(read_back(out.data ? out.data : "", out.len, &again), 0);
        assert_true(slice_equal(buf_slice(&out), buf_slice(&again)));
        buf_clear(&out);
        buf_clear(&again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal_add_writes_each_kind),
        cmocka_unit_test(test_journal_read_tells_what_was_written),
        cmocka_unit_test(test_journal_read_skips_bad_lines),
        cmocka_unit_test(test_journal_read_does_not_trust_a_cut_line),
        cmocka_unit_test(test_journal_read_takes_nul_for_a_byte_like_others),
        cmocka_unit_test(test_journal_read_survives_damaged_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
