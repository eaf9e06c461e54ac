/* core/ledger.h where nothing is to be removed (observe_only): ended signals stay, are known again by a
 * start, and leave once they may. */
#include "ledger_fixture.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static struct ledger_options observing(void)
{
    struct ledger_options options = ledger_fixture_options();

    options.removes_nothing = true;
    return options;
}

static int setup(void **state)
{
    struct ledger_options options = observing();
    int r = ledger_fixture_setup(state);

    ledger_fixture_restart(*state, &options);
    return r;
}

static void allow(struct ledger_fixture *f, bool removes)
{
    struct ledger_options options = ledger_fixture_options();

    options.removes_nothing = !removes;
    ledger_configure(f->ledger, &options);
}

static void load_entry(struct ledger_fixture *f, const char *entry, const char *signal_id)
{
    struct signal_entry signal = {
        .id = entry_id(entry), .signal_id = slice_text(signal_id), .action = slice_text("buy")};

    ledger_load_entry(f->ledger, &signal);
}

static void load_received(struct ledger_fixture *f, const char *entry, const char *signal_id)
{
    ledger_load_received(f->ledger, slice_text(signal_id), entry_id(entry), slice_text("buy"),
                         slice_of(NULL, 0), entry_id(entry).ms);
}

static void load_total(struct ledger_fixture *f, enum total_kind kind, uint64_t value)
{
    ledger_load_total(f->ledger, kind, slice_text("buy"), value);
}

/* Of the lines with PREFIX since the last reset there is one, WANT; none for "". */
static void assert_told(const struct ledger_fixture *f, const char *prefix, const char *want)
{
    assert_int_equal(recording_sink_count(&f->sink, prefix), want[0] ? 1 : 0);
    if (want[0])
        assert_string_equal(recording_sink_find(&f->sink, prefix), want);
}

static void assert_id(struct stream_id id, const char *text)
{
    assert_int_equal(stream_id_compare(id, entry_id(text)), 0);
}

/* Everything that ends or rejects an entry of the signals behind 1000-0, which stays open. */

static void end_processed(struct ledger_fixture *f)
{
    feed_signal(f, "1001-0", "s1", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "executed");
}

static void end_failed(struct ledger_fixture *f)
{
    feed_signal(f, "1001-0", "s1", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "rejected");
}

static void end_with_duplicate(struct ledger_fixture *f)
{
    feed_signal(f, "1000-5", "s1", "buy", NULL);
    feed_signal(f, "1001-0", "s1", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "executed");
}

static void repeat_ended(struct ledger_fixture *f)
{
    feed_signal(f, "1000-5", "s1", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "executed");
    flush(f, "1000-5", 1500);
    feed_signal(f, "1001-0", "s1", "buy", NULL);
}

static void reject_entry(struct ledger_fixture *f)
{
    ledger_on_rejected(f->ledger, STREAM_SIGNALS, entry_id("1001-0"));
}

static void end_early(struct ledger_fixture *f)
{
    feed_result(f, "1000-5", "r1", "s1", "executed");
    feed_signal(f, "1001-0", "s1", "buy", NULL);
}

static const struct {
    const char *name;
    void (*fn)(struct ledger_fixture *f);
} ends[] = {
    {"processed", end_processed},
    {"failed", end_failed},
    {"with a duplicate", end_with_duplicate},
    {"repeated when ended", repeat_ended},
    {"rejected", reject_entry},
    {"by an early result", end_early},
};

static void test_ledger_flush_leaves_what_has_ended(void **state)
{
    struct ledger_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct ledger_options options = observing();

        print_message("%s\n", ends[i].name);
        ledger_fixture_restart(f, &options);
        feed_signal(f, "1000-0", "s0", "buy", NULL);
        ends[i].fn(f);
        flush(f, "1001-0", 1600);
        assert_int_equal(recording_sink_count(&f->sink, "trim signals"), 0);
        assert_int_equal(recording_sink_count(&f->sink, "delete signals"), 0);
        assert_non_null(recording_sink_find(&f->sink, "left signals 1001-0"));
        recording_sink_reset(&f->sink);
        flush(f, "1001-0", 1600);
        assert_told(f, "left", "");
    }
}

static void test_ledger_flush_leaves_what_was_dropped(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    flush(f, "1000-0", 1000);
    recording_sink_reset(&f->sink);
    assert_int_equal(end_late(f, 2000, 2000, true), 1);
    flush(f, "1000-0", 2000);
    assert_told(f, "drop", "drop 1000-0 1000");
    assert_int_equal(recording_sink_count(&f->sink, "event signal_dropped"), 1);
    assert_told(f, "left", "left signals 1000-0");
    assert_told(f, "trim", "");
    assert_totals(f, "buy", 1, 0, 0, 1, 0, 0);
}

static void test_ledger_flush_without_an_end_leaves_nothing(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1001-0", "s1", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "accepted");
    flush(f, "1001-0", 1600);
    assert_told(f, "left", "");
}

static void test_ledger_flush_removes_what_was_left_once_it_may(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1001-0", "s2", "buy", NULL);
    feed_signal(f, "1002-0", "s3", "buy", NULL);
    feed_signal(f, "1003-0", "s4", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "executed");
    feed_result(f, "1500-1", "r3", "s3", "executed");
    flush(f, "1003-0", 1500);
    allow(f, true);
    recording_sink_reset(&f->sink);
    flush(f, "1003-0", 1501);
    /* s3 lies behind s2, which is open */
    assert_recorded(&f->sink, "trim signals 1001-0\n");
    recording_sink_reset(&f->sink);
    flush(f, "1003-0", 1502);
    assert_recorded(&f->sink, "");
    feed_result(f, "1600-0", "r4", "s4", "executed");
    flush(f, "1003-0", 1600);
    assert_told(f, "delete", "delete signals 1003-0");
    recording_sink_reset(&f->sink);
    feed_result(f, "1601-0", "r2", "s2", "executed");
    flush(f, "1003-0", 1601);
    assert_told(f, "trim", "trim signals 1003-1");
    assert_told(f, "left", "left signals 0-0");
    recording_sink_reset(&f->sink);
    flush(f, "1003-0", 1602);
    assert_recorded(&f->sink, "");
}

static void test_ledger_configure_takes_back_removals_not_yet_told(void **state)
{
    struct ledger_fixture *f = *state;

    allow(f, true);
    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "executed");
    ledger_on_rejected(f->ledger, STREAM_RESULTS, entry_id("1501-0"));
    allow(f, false);
    flush(f, "1000-0", 1600);
    assert_told(f, "trim", "");
    assert_told(f, "delete", "");
    assert_told(f, "left", "left signals 1000-0");
}

/* Its signals of old have IDs above those of the new stream. */
static void test_ledger_flush_leaves_nothing_beyond_the_position(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1001-0", "s2", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "executed");
    flush(f, "1001-0", 1500);
    recording_sink_reset(&f->sink);
    feed_signal(f, "5-0", "s3", "buy", NULL);
    feed_result(f, "1501-0", "r2", "s2", "executed");
    flush(f, "5-0", 1501);
    assert_told(f, "left", "left signals 5-0");
    allow(f, true);
    recording_sink_reset(&f->sink);
    feed_result(f, "1502-0", "r3", "s3", "executed");
    flush(f, "5-0", 1502);
    assert_told(f, "trim", "trim signals 5-1");
    assert_told(f, "left", "left signals 0-0");
}

/* Neither journal nor dedup window knows the one that ended. */
static void test_ledger_load_entry_that_was_left_is_not_received_again(void **state)
{
    static const bool removes[] = {false, true};
    struct ledger_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(removes); i++) {
        struct ledger_options options = ledger_fixture_options();

        options.removes_nothing = !removes[i];
        ledger_fixture_restart(f, &options);
        load_total(f, TOTAL_RECEIVED, 2);
        load_total(f, TOTAL_PROCESSED, 1);
        ledger_load_left(f->ledger, entry_id("1001-0"));
        load_received(f, "1000-0", "s1");
        load_entry(f, "1000-0", "s1");
        load_entry(f, "1001-0", "s2");
        assert_int_equal(ledger_load_finish(f->ledger, 900000), 0);
        assert_false(is_open(f, "s2"));
        assert_totals(f, "buy", 2, 1, 0, 0, 0, 0);
        flush(f, "1001-0", 900000);
        assert_told(f, "left", "");
        assert_told(f, "trim", removes[i] ? "trim signals 1000-0" : "");
        feed_result(f, "900000-0", "r1", "s1", "executed");
        flush(f, "1001-0", 900000);
        assert_int_equal(recording_sink_count(&f->sink, "trim signals 1001-1"), removes[i]);
        assert_int_equal(recording_sink_count(&f->sink, "left signals 0-0"), removes[i]);
        assert_totals(f, "buy", 2, 2, 0, 0, 0, 0);
    }
}

static void test_ledger_load_entry_behind_what_was_left_is_opened(void **state)
{
    struct ledger_fixture *f = *state;

    ledger_load_left(f->ledger, entry_id("1001-0"));
    load_entry(f, "1001-0", "s1");
    load_entry(f, "1001-1", "s2");
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 1);
    assert_false(is_open(f, "s1"));
    assert_true(is_open(f, "s2"));
}

/* An id was used again after its window: the older entry is no duplicate of the open one. */
static void test_ledger_load_entry_before_an_open_one_of_its_id_was_left(void **state)
{
    struct ledger_options options = observing();
    struct ledger_fixture *f = *state;

    options.max_tracked = 3;
    ledger_fixture_restart(f, &options);
    load_total(f, TOTAL_RECEIVED, 2);
    load_total(f, TOTAL_PROCESSED, 1);
    ledger_load_left(f->ledger, entry_id("1001-0"));
    load_received(f, "9001-0", "s1");
    load_entry(f, "1001-0", "s1");
    load_entry(f, "9001-0", "s1");
    load_entry(f, "9002-0", "s1");
    assert_int_equal(ledger_load_finish(f->ledger, 9500), 0);
    assert_false(ledger_is_full(f->ledger));
    feed_result(f, "9600-0", "r1", "s1", "executed");
    flush(f, "9002-0", 9600);
    assert_told(f, "left", "left signals 9002-0");
}

static void test_ledger_load_leaves_what_the_window_knows_and_nobody_noted(void **state)
{
    struct ledger_fixture *f = *state;

    load_received(f, "1000-0", "s1");
    ledger_load_ended(f->ledger, slice_text("s1"), OUTCOME_PROCESSED, 1500);
    load_total(f, TOTAL_RECEIVED, 1);
    load_total(f, TOTAL_PROCESSED, 1);
    load_entry(f, "1600-0", "s1");
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 0);
    flush(f, "1600-0", 1700);
    assert_told(f, "left", "left signals 1600-0");
    assert_told(f, "delete", "");
}

static void test_ledger_find_unsettled_begins_at_the_first_open_one(void **state)
{
    static const struct {
        const char *left, *open[2], *want;
    } rows[] = {
        {"0-0", {NULL, NULL}, "0-0"},
        {"0-0", {"1000-0", NULL}, "0-0"},
        {"1000-5", {NULL, NULL}, "1000-6"},
        {"1000-5", {"2000-0", NULL}, "1000-6"},
        {"1000-5", {"2000-0", "900-0"}, "900-0"},
        {"1000-5", {"900-1", "900-2"}, "900-1"},
    };
    struct ledger_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ledger_options options = observing();

        ledger_fixture_restart(f, &options);
        ledger_load_left(f->ledger, entry_id(rows[i].left));
        for (size_t k = 0; k < 2 && rows[i].open[k]; k++)
            load_received(f, rows[i].open[k], k ? "s1" : "s0");
        assert_id(ledger_find_unsettled(f->ledger), rows[i].want);
    }
}

static void test_ledger_reset_forgets_what_was_left(void **state)
{
    struct ledger_fixture *f = *state;

    end_processed(f);
    flush(f, "1001-0", 1500);
    ledger_reset(f->ledger);
    assert_id(ledger_find_unsettled(f->ledger), "0-0");
}

static void test_ledger_write_back_tells_what_was_left(void **state)
{
    struct ledger_fixture *f = *state;

    end_processed(f);
    flush(f, "1001-0", 1500);
    recording_sink_reset(&f->sink);
    ledger_write_back(f->ledger, &f->sink.sink);
    assert_told(f, "left", "left signals 1001-0");
    recording_sink_reset(&f->sink);
    flush(f, "1001-0", 1500);
    assert_told(f, "left", "");
}

/* What Redis lost may have been that it was trimmed. */
static void test_ledger_write_back_has_what_was_left_trimmed_again(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s0", "buy", NULL);
    feed_signal(f, "1001-0", "s1", "buy", NULL);
    feed_signal(f, "1002-0", "s2", "buy", NULL);
    feed_result(f, "1500-0", "r0", "s0", "executed");
    feed_result(f, "1500-1", "r2", "s2", "executed");
    flush(f, "1002-0", 1500);
    allow(f, true);
    flush(f, "1002-0", 1501);
    recording_sink_reset(&f->sink);
    ledger_write_back(f->ledger, &f->sink.sink);
    flush(f, "1002-0", 1502);
    assert_told(f, "trim signals", "trim signals 1001-0");
}

/* The results. */

static void feed_results(struct ledger_fixture *f, int from, int to)
{
    for (int i = from; i < to; i++) {
        char entry[32], id[32];

        (void)snprintf(entry, sizeof(entry), "%d-0", 2000 + i);
        (void)snprintf(id, sizeof(id), "r%d", i);
        feed_result(f, entry, id, "nobody", "executed");
    }
}

static void test_ledger_flush_keeps_all_results_until_it_may_cut(void **state)
{
    struct ledger_options options = observing();
    struct ledger_fixture *f = *state;

    options.results_max_len = 5;
    ledger_fixture_restart(f, &options);
    feed_results(f, 0, 8);
    ledger_on_rejected(f->ledger, STREAM_RESULTS, entry_id("2008-0"));
    flush(f, "0-0", 2100);
    assert_told(f, "trim results", "");
    assert_told(f, "delete results", "");
    options.removes_nothing = false;
    ledger_configure(f->ledger, &options);
    flush(f, "0-0", 2101);
    /* the rejected one is in the stream, and one of the newest five */
    assert_told(f, "trim results", "trim results 2004-0");
    assert_told(f, "delete results", "");
    recording_sink_reset(&f->sink);
    flush(f, "0-0", 2102);
    assert_told(f, "trim results", "");
}

static void test_ledger_on_result_forgets_ids_beyond_those_kept(void **state)
{
    struct ledger_options options = observing();
    struct ledger_fixture *f = *state;

    options.results_max_len = 5;
    ledger_fixture_restart(f, &options);
    feed_results(f, 0, 8);
    feed_result(f, "2100-0", "r7", "nobody", "executed");
    assert_unmatched(f, 0, 0, 0, 0, 1);
    feed_result(f, "2101-0", "r0", "nobody", "executed");
    assert_unmatched(f, 0, 0, 0, 0, 1);
}

/* A start is told of no more than are kept, and there may be older ones. */
static void test_ledger_load_finish_cuts_results_where_as_many_are_there(void **state)
{
    static const struct {
        bool removes_nothing;
        int count;
        const char *want;
    } rows[] = {{false, 2, ""}, {false, 3, "trim results 2000-0"}, {true, 3, ""}};
    struct ledger_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ledger_options options = ledger_fixture_options();

        options.removes_nothing = rows[i].removes_nothing;
        options.results_max_len = 3;
        ledger_fixture_restart(f, &options);
        for (int k = 0; k < rows[i].count; k++)
            ledger_load_result(f->ledger, (struct stream_id){2000 + (uint64_t)k, 0}, slice_of(NULL, 0));
        ledger_load_finish(f->ledger, 3000);
        flush(f, "0-0", 3000);
        assert_told(f, "trim results", rows[i].want);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, ledger_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ledger_flush_leaves_what_has_ended),
        TEST(test_ledger_flush_leaves_what_was_dropped),
        TEST(test_ledger_flush_without_an_end_leaves_nothing),
        TEST(test_ledger_flush_removes_what_was_left_once_it_may),
        TEST(test_ledger_configure_takes_back_removals_not_yet_told),
        TEST(test_ledger_flush_leaves_nothing_beyond_the_position),
        TEST(test_ledger_load_entry_that_was_left_is_not_received_again),
        TEST(test_ledger_load_entry_behind_what_was_left_is_opened),
        TEST(test_ledger_load_entry_before_an_open_one_of_its_id_was_left),
        TEST(test_ledger_load_leaves_what_the_window_knows_and_nobody_noted),
        TEST(test_ledger_find_unsettled_begins_at_the_first_open_one),
        TEST(test_ledger_reset_forgets_what_was_left),
        TEST(test_ledger_write_back_tells_what_was_left),
        TEST(test_ledger_write_back_has_what_was_left_trimmed_again),
        TEST(test_ledger_flush_keeps_all_results_until_it_may_cut),
        TEST(test_ledger_on_result_forgets_ids_beyond_those_kept),
        TEST(test_ledger_load_finish_cuts_results_where_as_many_are_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
