/* core/ledger.h: what time does to signals, to results that wait, and to the journal. */
#include "ledger_fixture.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_ledger_end_late_drops_what_is_in_the_stream(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", "mt5-1");
    flush(f, "1000-0", 1000);
    recording_sink_reset(&f->sink);
    assert_int_equal(end_late(f, 1999, 1999, true), 0);
    assert_recorded(&f->sink, "");
    assert_int_equal(end_late(f, 2000, 2005, true), 1);
    assert_recorded(&f->sink, "begin timer-2005-0\n"
                              "drop 1000-0 1005\n"
                              "event signal_dropped instance_id=mt5-1 seq=1 at=1970-01-01T00:00:02Z "
                              "reason=no result came in time signal_id=s1 correlation_id=timer-2005-0\n"
                              "journal ended s1 dropped\n");
    flush(f, "1000-0", 2005);
    assert_recorded_only(&f->sink, "t", "total dropped buy 1\ntrim signals 1000-1\n");
    assert_totals(f, "buy", 1, 0, 0, 1, 0, 0);
    assert_int_equal(f->view.dropped->count, 1);
}

static void test_ledger_end_late_calls_lost_what_is_gone(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", "mt5-1");
    flush(f, "1000-0", 1000);
    recording_sink_reset(&f->sink);
    assert_int_equal(end_late(f, 2000, 2000, false), 1);
    assert_recorded(&f->sink, "begin timer-2000-0\njournal ended s1 lost\n");
    assert_totals(f, "buy", 1, 0, 0, 0, 1, 0);
}

static void test_ledger_end_late_without_addressee_names_none(void **state)
{
    static const char *const addressees[] = {NULL, "mt5-9"};
    struct ledger_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(addressees); i++) {
        struct ledger_options options = ledger_fixture_options();

        ledger_fixture_restart(f, &options);
        feed_signal(f, "1000-0", "s1", "buy", addressees[i]);
        f->fleet.timers = 7;
        end_late(f, 2000, 2000, true);
        assert_recorded_only(&f->sink, "event",
                             "event signal_dropped at=1970-01-01T00:00:02Z reason=no result came in time "
                             "signal_id=s1 correlation_id=timer-2000-7\n");
    }
}

static void test_ledger_end_late_does_not_name_an_addressee_that_left(void **state)
{
    struct ledger_fixture *f = *state;
    struct instance_record record = {
        .exists = {true, true, true},
        .values = {.present = 1U << REPORT_BROKER_ID, .broker_id = SLICE("b1")},
    };

    feed_signal(f, "1000-0", "s1", "buy", "mt5-1");
    fleet_forget(&f->fleet, fleet_find(&f->fleet, slice_text("mt5-1")));
    assert_true(fleet_load(&f->fleet, slice_text("mt5-2"), &record, STATE_RUNNING, 0, 0));
    end_late(f, 2000, 2000, true);
    assert_null(recording_sink_find(&f->sink, "event signal_dropped instance_id"));
    assert_int_equal(recording_sink_count(&f->sink, "event signal_dropped"), 1);
}

static void test_ledger_end_late_counts_from_the_acceptance(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "accepted");
    assert_int_equal(end_late(f, 3499, 3499, true), 0);
    assert_int_equal(end_late(f, 3500, 3500, true), 1);
    assert_non_null(recording_sink_find(&f->sink, "event signal_dropped at=1970-01-01T00:00:03Z "
                                                  "reason=accepted, but no result came in time"));
}

static void test_ledger_collect_late_gives_the_oldest_deadline_first(void **state)
{
    struct ledger_fixture *f = *state;
    struct stream_id entries[4];

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1100-0", "s2", "buy", NULL);
    feed_signal(f, "2400-0", "s3", "buy", NULL);
    feed_signal(f, "2600-0", "s4", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s2", "accepted");
    assert_int_equal(ledger_next_deadline(f->ledger), 2000);
    assert_int_equal(ledger_collect_late(f->ledger, 3500, entries, 4), 3);
    assert_int_equal(entries[0].ms, 1000);
    assert_int_equal(entries[1].ms, 2400);
    assert_int_equal(entries[2].ms, 1100);
    assert_int_equal(ledger_collect_late(f->ledger, 3500, entries, 2), 2);
    assert_int_equal(ledger_collect_late(f->ledger, 1999, entries, 4), 0);
}

static void test_ledger_end_late_leaves_what_came_alive_meanwhile(void **state)
{
    struct ledger_fixture *f = *state;
    const bool present[3] = {true, true, true};
    struct stream_id entries[3];

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1000-1", "s2", "buy", NULL);
    feed_signal(f, "1000-2", "s3", "buy", NULL);
    assert_int_equal(ledger_collect_late(f->ledger, 2000, entries, 3), 3);
    feed_result(f, "1999-0", "r1", "s1", "executed");
    feed_result(f, "1999-1", "r2", "s2", "accepted");
    ledger_end_late(f->ledger, entries, present, 3, 2000, 2001, &f->sink.sink);
    assert_totals(f, "buy", 3, 1, 0, 1, 0, 0);
    assert_true(is_open(f, "s2"));
    assert_int_equal(ledger_next_deadline(f->ledger), 3999);
}

static void test_ledger_end_late_judges_no_further_than_the_horizon(void **state)
{
    struct ledger_fixture *f = *state;
    const struct stream_id entry = {1000, 0};
    const bool present = true;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    ledger_end_late(f->ledger, &entry, &present, 1, 1999, 5000, &f->sink.sink);
    assert_true(is_open(f, "s1"));
    ledger_end_late(f->ledger, &entry, &present, 1, 5000, 1999, &f->sink.sink);
    assert_true(is_open(f, "s1"));
}

static void test_ledger_on_result_for_a_dead_signal_is_late(void **state)
{
    static const struct {
        const char *status;
        bool in_stream, is_known, has_event;
    } rows[] = {
        {"executed", true, true, true},   {"executed", true, false, true}, {"closed", false, false, true},
        {"accepted", true, false, false}, {"failed", false, false, false},
    };
    struct ledger_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ledger_options options = ledger_fixture_options();
        struct result_entry result = {
            .id = {2500, 0},
            .result_id = SLICE("r1"),
            .signal_id = SLICE("s1"),
            .instance_id = slice_text(rows[i].is_known ? "mt5-1" : "mt5-9"),
        };

        ledger_fixture_restart(f, &options);
        assert_true(result_status_parse(slice_text(rows[i].status), &result.status));
        feed_signal(f, "1000-0", "s1", "buy", NULL);
        end_late(f, 2000, 2000, rows[i].in_stream);
        recording_sink_reset(&f->sink);
        ledger_on_result(f->ledger, &result, 2501, &f->sink.sink);
        assert_unmatched(f, 0, 0, 1, 0, 0);
        assert_int_equal(f->sink.count, rows[i].has_event);
        if (rows[i].has_event && !rows[i].is_known)
            assert_non_null(
                recording_sink_find(&f->sink, "event late_execution at=1970-01-01T00:00:02Z reason=executed "
                                              "after the signal was "));
        if (rows[i].is_known)
            assert_recorded(&f->sink, "event late_execution instance_id=mt5-1 seq=1 "
                                      "at=1970-01-01T00:00:02Z reason=executed after the signal was dropped "
                                      "signal_id=s1 correlation_id=result-2500-0\n");
    }
}

static void test_ledger_expire_counts_results_without_signal(void **state)
{
    struct ledger_fixture *f = *state;

    feed_result(f, "1000-0", "r1", "s1", "executed");
    feed_result(f, "1001-0", "r2", "s2", "executed");
    assert_int_equal(ledger_next_deadline(f->ledger), 2001);
    ledger_expire(f->ledger, 2000, 9000);
    assert_unmatched(f, 0, 0, 0, 0, 0);
    ledger_expire(f->ledger, 9000, 2000);
    assert_unmatched(f, 0, 0, 0, 0, 0);
    ledger_expire(f->ledger, 2001, 2001);
    assert_unmatched(f, 0, 0, 0, 1, 0);
    assert_int_equal(ledger_next_deadline(f->ledger), 2002);
    ledger_expire(f->ledger, 9000, 9000);
    assert_unmatched(f, 0, 0, 0, 2, 0);
    assert_int_equal(f->view.early_waiting, 0);
}

static void test_ledger_next_deadline_does_not_press_for_the_window(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "executed");
    assert_int_equal(ledger_next_deadline(f->ledger), 6500);
    ledger_expire(f->ledger, 6500, 4000); /* not read so far yet */
    assert_int_equal(ledger_next_deadline(f->ledger), 7500);
    ledger_expire(f->ledger, 7500, 7500);
    assert_int_equal(ledger_next_deadline(f->ledger), INT64_MAX);
}

static void test_ledger_survives_entries_of_the_far_future(void **state)
{
    struct ledger_fixture *f = *state;

    feed_result(f, "18446744073709551614-0", "r1", "s0", "executed");
    feed_signal(f, "18446744073709551614-0", "s1", "buy", NULL);
    feed_signal(f, "18446744073709551615-18446744073709551615", "s2", "buy", NULL);
    assert_int_equal(ledger_next_deadline(f->ledger), INT64_MAX);
    assert_int_equal(end_late(f, 5000, 5000, true), 0);
    feed_result(f, "18446744073709551615-1", "r2", "s1", "accepted");
    feed_result(f, "18446744073709551615-2", "r3", "s2", "executed");
    flush(f, "18446744073709551615-18446744073709551615", 5000);
    assert_totals(f, "buy", 2, 1, 0, 0, 0, 0);
}

/* A time of an end has 48 bits; behind them, in the year 10889, an id is still known again. */
static void test_ledger_on_signal_knows_an_id_that_ended_in_the_far_future(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "281474976710700-0", "s1", "buy", NULL);
    feed_result(f, "281474976710701-0", "r1", "s1", "executed");
    feed_signal(f, "281474976710702-0", "s1", "buy", NULL);
    assert_totals(f, "buy", 1, 1, 0, 0, 0, 1);
    assert_false(is_open(f, "s1"));
}

static void test_ledger_flush_trims_the_journal_behind_what_is_remembered(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "10000-0", "s1", "buy", NULL);
    flush(f, "10000-0", 10000);
    assert_recorded_only(&f->sink, "journal trim", "journal trim 9000\n");
    feed_signal(f, "10400-0", "s2", "buy", NULL);
    feed_result(f, "10500-0", "r1", "s1", "executed");
    flush(f, "10400-0", 10999);
    assert_recorded_only(&f->sink, "journal trim", "");
    flush(f, "10400-0", 11000); /* s2 is open */
    assert_recorded_only(&f->sink, "journal trim", "journal trim 9400\n");
    feed_result(f, "11100-0", "r2", "s2", "executed");
    flush(f, "10400-0", 12000); /* the end of s1 is remembered */
    assert_recorded_only(&f->sink, "journal trim", "journal trim 9500\n");
    ledger_expire(f->ledger, 15500, 15500);
    feed_result(f, "15500-0", "r3", "s3", "executed");
    flush(f, "10400-0", 15500); /* the end of s2 is */
    assert_recorded_only(&f->sink, "journal trim", "journal trim 10100\n");
    ledger_expire(f->ledger, 16200, 16200);
    flush(f, "10400-0", 16600); /* r3 waits */
    assert_recorded_only(&f->sink, "journal trim", "journal trim 14500\n");
    ledger_expire(f->ledger, 17000, 17000);
    flush(f, "10400-0", 18000);
    assert_recorded_only(&f->sink, "journal trim", "journal trim 17000\n");
    flush(f, "10400-0", 28000); /* nothing was written since */
    assert_recorded_only(&f->sink, "journal trim", "");
}

/* Else the journal would reach back to the oldest open signal, however long one may be. */
static void test_ledger_flush_tells_anew_what_is_open_for_long(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_options options = ledger_fixture_options();

    options.ttl_ms = 1000000;
    options.retell_ms = 6000; /* more than dedup_ms */
    ledger_fixture_restart(f, &options);
    feed_signal(f, "10000-0", "s1", "buy", "mt5-1");
    feed_signal(f, "10100-0", "s2", "buy", NULL);
    feed_result(f, "10200-0", "r1", "s1", "accepted");
    feed_result(f, "10300-0", "r2", "s2", "accepted");
    feed_signal(f, "13100-0", "s3", "sell", NULL);
    flush(f, "13100-0", 16000);
    assert_recorded_only(&f->sink, "journal trim", "journal trim 9000\n");
    recording_sink_reset(&f->sink);
    feed_signal(f, "17000-0", "s4", "sell", NULL);
    flush(f, "17000-0",
          17000); /* half of the window back nobody is told anew: their lines stay long enough */
    assert_recorded_only(&f->sink, "journal",
                         "journal received s4 17000-0 sell\n"
                         "journal received s1 10000-0 buy mt5-1\njournal accepted s1 10200\n"
                         "journal received s2 10100-0 buy\njournal accepted s2 10300\n"
                         "journal received s3 13100-0 sell\n"
                         "journal trim 13000\n");
    flush(f, "17000-0", 19000);
    assert_recorded_only(&f->sink, "journal", "");
    feed_result(f, "19100-0", "r3", "s1", "executed");
    flush(f, "17000-0", 19999);
    flush(f, "17000-0", 20001);
    assert_recorded_only(&f->sink, "journal received",
                         "journal received s2 10100-0 buy\n"
                         "journal received s3 13100-0 sell\n"
                         "journal received s4 17000-0 sell\n");
}

/* Regression: the line of an open signal was trimmed as if it had been written at the time in its ID, and a
 * start took the signal for ended. */
static void test_ledger_flush_keeps_the_lines_of_what_is_ahead_of_the_clock(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "3700000-0", "s1", "buy", "mt5-1");
    flush(f, "3700000-0", 100000);
    assert_recorded_only(&f->sink, "journal trim", "journal trim 99000\n");
    feed_signal(f, "3700001-0", "s2", "buy", NULL);
    flush(f, "3700001-0", 103000);
    flush(f, "3700001-0", 105000);
    assert_recorded_only(&f->sink, "journal trim", "");
    flush(f, "3700001-0", 105001); /* not a second later */
    recording_sink_reset(&f->sink);
    flush(f, "3700001-0", 106000);
    assert_recorded_only(&f->sink, "journal",
                         "journal received s2 3700001-0 buy\n"
                         "journal received s1 3700000-0 buy mt5-1\n"
                         "journal trim 105000\n");
    feed_result(f, "3700002-0", "r1", "s1", "executed");
    flush(f, "3700001-0", 108000);
    assert_recorded_only(&f->sink, "journal trim", "");
}

/* The look at it may come when its ID is not ahead any more. */
static void test_ledger_flush_keeps_the_lines_of_what_was_ahead_of_the_clock(void **state)
{
    struct ledger_fixture *f = *state;

    flush(f, "0-0", 100000);
    feed_signal(f, "104000-0", "s1", "buy", "mt5-1");
    flush(f, "104000-0", 100500);
    recording_sink_reset(&f->sink);
    flush(f, "104000-0", 105400);
    assert_recorded_only(&f->sink, "journal", "journal trim 99500\n");
    flush(f, "104000-0", 106400);
    assert_recorded_only(&f->sink, "journal",
                         "journal received s1 104000-0 buy mt5-1\njournal trim 103000\n");
}

/* A few in each look, also while they end and others come. */
static void test_ledger_flush_tells_many_that_are_ahead_of_the_clock_in_turns(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_options options = ledger_fixture_options();

    options.max_tracked = 10000;
    ledger_fixture_restart(f, &options);
    feed_signals(f, 3700000, 0, 1200);
    flush(f, "3700000-1199", 100000);
    for (int look = 0; look < 3; look++) {
        recording_sink_reset(&f->sink);
        flush(f, "3700000-1199", 106000 + look * 1000);
        assert_int_equal(recording_sink_count(&f->sink, "journal received"), look < 2 ? 500 : 199);
        assert_int_equal(recording_sink_count(&f->sink, "journal trim 105000"), look == 2);
        if (look == 0) /* the next one in turn */
            feed_result(f, "3700000-1200", "r1", "s699", "executed");
    }
}

static void test_ledger_hold_postpones_what_is_due(void **state)
{
    static const struct {
        int64_t holds[2], due_ms;
    } rows[] = {
        {{INT64_MIN, INT64_MIN}, 2000}, /* none */
        {{1500, INT64_MIN}, 2000},      /* over before anything is due */
        {{2000, INT64_MIN}, 2000},      {{2600, INT64_MIN}, 2600},
        {{2600, 2300}, 2600}, /* an earlier one changes nothing */
        {{2300, 2600}, 2600}, /* a later one extends */
    };
    struct ledger_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ledger_options options = ledger_fixture_options();

        ledger_fixture_restart(f, &options);
        feed_signal(f, "1000-0", "s1", "buy", NULL);
        for (size_t k = 0; k < 2; k++)
            ledger_hold(f->ledger, rows[i].holds[k]);
        assert_int_equal(ledger_next_deadline(f->ledger), rows[i].due_ms);
        assert_int_equal(end_late(f, rows[i].due_ms - 1, 9000, true), 0);
        assert_int_equal(end_late(f, rows[i].due_ms, rows[i].due_ms, true), 1);
        assert_totals(f, "buy", 1, 0, 0, 1, 0, 0);
    }
}

static void test_ledger_hold_postpones_an_accepted_one_and_a_loss(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_result(f, "1100-0", "r1", "s1", "accepted");
    ledger_hold(f->ledger, 5000);
    assert_int_equal(ledger_next_deadline(f->ledger), 5000);
    assert_int_equal(end_late(f, 4999, 4999, false), 0);
    assert_int_equal(end_late(f, 5000, 5000, false), 1);
    assert_totals(f, "buy", 1, 0, 0, 0, 1, 0);
}

/* It was asked for while the entries were being looked up. */
static void test_ledger_end_late_respects_a_hold_that_came_meanwhile(void **state)
{
    struct ledger_fixture *f = *state;
    struct stream_id entry;
    bool present = true;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    assert_int_equal(ledger_collect_late(f->ledger, 2000, &entry, 1), 1);
    ledger_hold(f->ledger, 2500);
    recording_sink_reset(&f->sink);
    ledger_end_late(f->ledger, &entry, &present, 1, 2000, 2000, &f->sink.sink);
    assert_recorded(&f->sink, "");
    assert_true(is_open(f, "s1"));
}

static void test_ledger_hold_keeps_a_result_that_waits(void **state)
{
    struct ledger_fixture *f = *state;

    feed_result(f, "1000-0", "r1", "s1", "executed");
    feed_result(f, "1000-1", "r2", "s2", "executed");
    ledger_hold(f->ledger, 3000);
    assert_int_equal(ledger_next_deadline(f->ledger), 3000);
    ledger_expire(f->ledger, 2999, 2999);
    ledger_expire(f->ledger, 3500, 2999);
    assert_unmatched(f, 0, 0, 0, 0, 0);
    feed_signal(f, "1900-0", "s1", "buy", NULL);
    assert_totals(f, "buy", 1, 1, 0, 0, 0, 0);
    ledger_expire(f->ledger, 3000, 3000);
    assert_unmatched(f, 1, 0, 0, 1, 0);
}

static void test_ledger_hold_holds_up_no_result(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    ledger_hold(f->ledger, 9000);
    feed_result(f, "2500-0", "r1", "s1", "executed");
    assert_totals(f, "buy", 1, 1, 0, 0, 0, 0);
}

static void test_ledger_reset_ends_a_hold_and_configure_does_not(void **state)
{
    struct ledger_options options = ledger_fixture_options();
    struct ledger_fixture *f = *state;

    ledger_hold(f->ledger, 9000);
    ledger_configure(f->ledger, &options);
    feed_signal(f, "1000-0", "s1", "buy", NULL);
    assert_int_equal(ledger_next_deadline(f->ledger), 9000);
    ledger_reset(f->ledger);
    feed_signal(f, "1000-0", "s1", "buy", NULL);
    assert_int_equal(ledger_next_deadline(f->ledger), 2000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ledger_fixture_setup, ledger_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ledger_end_late_drops_what_is_in_the_stream),
        TEST(test_ledger_end_late_calls_lost_what_is_gone),
        TEST(test_ledger_end_late_without_addressee_names_none),
        TEST(test_ledger_end_late_does_not_name_an_addressee_that_left),
        TEST(test_ledger_end_late_counts_from_the_acceptance),
        TEST(test_ledger_collect_late_gives_the_oldest_deadline_first),
        TEST(test_ledger_end_late_leaves_what_came_alive_meanwhile),
        TEST(test_ledger_end_late_judges_no_further_than_the_horizon),
        TEST(test_ledger_on_result_for_a_dead_signal_is_late),
        TEST(test_ledger_expire_counts_results_without_signal),
        TEST(test_ledger_next_deadline_does_not_press_for_the_window),
        TEST(test_ledger_survives_entries_of_the_far_future),
        TEST(test_ledger_on_signal_knows_an_id_that_ended_in_the_far_future),
        TEST(test_ledger_flush_trims_the_journal_behind_what_is_remembered),
        TEST(test_ledger_flush_tells_anew_what_is_open_for_long),
        TEST(test_ledger_flush_keeps_the_lines_of_what_is_ahead_of_the_clock),
        TEST(test_ledger_flush_keeps_the_lines_of_what_was_ahead_of_the_clock),
        TEST(test_ledger_flush_tells_many_that_are_ahead_of_the_clock_in_turns),
        TEST(test_ledger_hold_postpones_what_is_due),
        TEST(test_ledger_hold_postpones_an_accepted_one_and_a_loss),
        TEST(test_ledger_end_late_respects_a_hold_that_came_meanwhile),
        TEST(test_ledger_hold_keeps_a_result_that_waits),
        TEST(test_ledger_hold_holds_up_no_result),
        TEST(test_ledger_reset_ends_a_hold_and_configure_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
