/* core/ledger.h: a start from what Redis holds, and the way back after a wipe. */
#include "fleet_fixture.h"
#include "ledger_fixture.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void load_total(struct ledger_fixture *f, enum total_kind kind, const char *label, uint64_t value)
{
    ledger_load_total(f->ledger, kind, slice_text(label), value);
}

static void load_received(struct ledger_fixture *f, const char *signal_id, const char *entry,
                          const char *action)
{
    ledger_load_received(f->ledger, slice_text(signal_id), entry_id(entry), slice_text(action),
                         slice_text("mt5-1"), entry_id(entry).ms);
}

static void load_ended(struct ledger_fixture *f, const char *signal_id, enum signal_outcome outcome,
                       uint64_t at_ms)
{
    ledger_load_ended(f->ledger, slice_text(signal_id), outcome, at_ms);
}

static void load_entry(struct ledger_fixture *f, const char *entry, const char *signal_id, const char *action)
{
    struct signal_entry signal = {
        .id = entry_id(entry),
        .signal_id = slice_text(signal_id),
        .action = slice_text(action),
    };

    ledger_load_entry(f->ledger, &signal);
}

static void load_early(struct ledger_fixture *f, const char *signal_id, enum result_status status,
                       const char *result)
{
    ledger_load_early(f->ledger, slice_text(signal_id), status, entry_id(result));
}

static void write_back_rest(struct ledger_fixture *f)
{
    while (ledger_write_back_on(f->ledger, 1, &f->sink.sink))
        ;
}

static void write_back(struct ledger_fixture *f)
{
    ledger_write_back(f->ledger, &f->sink.sink);
    write_back_rest(f);
}

static void test_ledger_load_finish_of_nothing_yields_nothing(void **state)
{
    struct ledger_fixture *f = *state;

    assert_int_equal(ledger_load_finish(f->ledger, 5000), 0);
    flush(f, "0-0", 9000);
    assert_recorded(&f->sink, "");
}

static void test_ledger_load_finds_what_was_open(void **state)
{
    struct ledger_fixture *f = *state;
    const struct action_counts *counts;

    load_total(f, TOTAL_RECEIVED, "buy", 10);
    load_total(f, TOTAL_PROCESSED, "buy", 5);
    load_total(f, TOTAL_DROPPED, "buy", 3);
    load_total(f, TOTAL_RESULT, "executed", 6);
    load_received(f, "s1", "1000-0", "buy");
    load_received(f, "s2", "1001-0", "buy");
    load_received(f, "s3", "1002-0", "buy");
    ledger_load_accepted(f->ledger, slice_text("s2"), 1500);
    load_ended(f, "s1", OUTCOME_PROCESSED, 1600);
    load_entry(f, "1001-0", "s2", "buy");
    load_entry(f, "1002-0", "s3", "buy");
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 0);
    assert_totals(f, "buy", 10, 5, 0, 3, 0, 0);
    counts = look(f, "buy");
    assert_int_equal(counts->total[TOTAL_RECEIVED] - counts->base[TOTAL_RECEIVED], 2);
    assert_int_equal(counts->total[TOTAL_PROCESSED] - counts->base[TOTAL_PROCESSED], 0);
    assert_int_equal(f->view.results[STATUS_EXECUTED], 0);
    assert_false(is_open(f, "s1"));
    assert_int_equal(ledger_next_deadline(f->ledger), 2002);
    flush(f, "1002-0", 1700);
    assert_recorded(&f->sink, "journal trim 1\n");
    feed_result(f, "1800-0", "r1", "s2", "executed");
    feed_signal(f, "1800-1", "s1", "buy", NULL);
    assert_totals(f, "buy", 10, 6, 0, 3, 0, 1);
    flush(f, "1800-1", 1800);
    assert_non_null(recording_sink_find(&f->sink, "total result executed 7"));
}

/* Regression: a scrape in the middle of a start showed all that had ever been, and it did not add up. */
static void test_ledger_load_shows_nothing_before_its_finish(void **state)
{
    struct ledger_fixture *f = *state;
    const struct action_counts *counts;

    ledger_load_begin(f->ledger);
    load_total(f, TOTAL_RECEIVED, "buy", 10);
    load_total(f, TOTAL_PROCESSED, "buy", 9);
    load_received(f, "s1", "1000-0", "buy");
    counts = look(f, "buy");
    assert_int_equal(counts->total[TOTAL_RECEIVED] - counts->base[TOTAL_RECEIVED], 0);
    assert_int_equal(counts->total[TOTAL_PROCESSED] - counts->base[TOTAL_PROCESSED], 0);
    assert_int_equal(look(f, "other")->total[TOTAL_RECEIVED], 0);
    assert_int_equal(f->view.open, 0);
    assert_int_equal(f->view.oldest_open_ms, 0);
    assert_int_equal(ledger_load_finish(f->ledger, 5000), 0);
    counts = look(f, "buy");
    assert_int_equal(counts->total[TOTAL_RECEIVED] - counts->base[TOTAL_RECEIVED], 1);
    assert_int_equal(f->view.open, 1);
    assert_int_equal(f->view.oldest_open_ms, 1000);
}

/* Regression: the journal was trimmed by the ID of an open signal, not by when its line had been written. */
static void test_ledger_load_knows_when_one_ahead_of_the_clock_was_told(void **state)
{
    struct ledger_fixture *f = *state;

    /* Its ID has been overtaken by the clock since. */
    ledger_load_received(f->ledger, slice_text("s1"), entry_id("104000-0"), slice_text("buy"),
                         slice_text("mt5-1"), 101000);
    ledger_load_finish(f->ledger, 106000);
    flush(f, "104000-0", 106000);
    assert_recorded_only(&f->sink, "journal", "journal trim 100000\n");
    flush(f, "104000-0", 107000);
    assert_recorded_only(&f->sink, "journal",
                         "journal received s1 104000-0 buy mt5-1\njournal trim 103000\n");
}

static void test_ledger_load_tells_the_addressee(void **state)
{
    struct ledger_fixture *f = *state;

    load_received(f, "s1", "1000-0", "buy");
    ledger_load_finish(f->ledger, 1700);
    end_late(f, 2000, 2000, true);
    assert_non_null(recording_sink_find(&f->sink, "event signal_dropped instance_id=mt5-1"));
}

static void load_received_for(struct ledger_fixture *f, const char *signal_id, const char *entry,
                              const char *instance_id)
{
    ledger_load_received(f->ledger, slice_text(signal_id), entry_id(entry), slice_text("buy"),
                         slice_text(instance_id), entry_id(entry).ms);
}

static void load_instance(struct ledger_fixture *f, const char *id)
{
    struct instance_record record = {
        .exists = {true, true, true},
        .values = {.present = 1U << REPORT_BROKER_ID, .broker_id = SLICE("b1")},
    };

    assert_true(fleet_load(&f->fleet, slice_text(id), &record, STATE_RUNNING, 0, 0));
}

/* Regression: the journal is read side by side with the instances, and who had not been read yet when it
 * named him was no addressee any more. */
static void test_ledger_load_tells_addressees_that_are_read_behind_the_journal(void **state)
{
    struct ledger_fixture *f = *state;

    ledger_load_begin(f->ledger);
    load_received_for(f, "s1", "1000-0", "mt5-2");
    load_received_for(f, "s2", "1000-1", "mt5-3");
    load_received_for(f, "s3", "1000-2", "mt5-2");
    load_received_for(f, "s4", "1000-3", "nobody");
    load_received_for(f, "s5", "1000-4", "mt5-1");
    load_received_for(f, "s6", "1000-5", "");
    load_ended(f, "s1", OUTCOME_PROCESSED, 1100);
    load_received_for(f, "s7", "1000-6", "mt5-3"); /* in the place of s1 */
    load_instance(f, "mt5-3");
    load_instance(f, "mt5-2");
    (void)ledger_load_finish(f->ledger, 1700);
    recording_sink_reset(&f->sink);
    write_back(f);
    assert_recorded_only(&f->sink, "journal received",
                         "journal received s2 1000-1 buy mt5-3\n"
                         "journal received s3 1000-2 buy mt5-2\n"
                         "journal received s4 1000-3 buy\n"
                         "journal received s5 1000-4 buy mt5-1\n"
                         "journal received s6 1000-5 buy\n"
                         "journal received s7 1000-6 buy mt5-3\n");
}

static void test_ledger_load_entry_opens_what_the_journal_does_not_know(void **state)
{
    struct ledger_fixture *f = *state;

    load_total(f, TOTAL_RECEIVED, "buy", 1);
    load_received(f, "s2", "1001-0", "buy");
    load_entry(f, "1000-0", "s1", "buy");
    load_entry(f, "1001-0", "s2", "buy");
    load_entry(f, "1002-0", "s3", "sell");
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 2);
    assert_totals(f, "buy", 2, 0, 0, 0, 0, 0);
    assert_totals(f, "sell", 1, 0, 0, 0, 0, 0);
    assert_int_equal(f->view.oldest_open_ms, 1000);
    assert_int_equal(ledger_next_deadline(f->ledger), 2000);
    feed_result(f, "1800-0", "r1", "s3", "accepted");
    recording_sink_reset(&f->sink);
    flush(f, "1002-0", 1800);
    /* the next start is to know them, the acceptance too */
    assert_recorded_only(&f->sink, "journal r",
                         "journal received s1 1000-0 buy\njournal received s3 1002-0 sell\n");
    flush(f, "1002-0", 1800);
    assert_recorded_only(&f->sink, "journal r", "");
}

static void test_ledger_load_journals_an_acceptance_behind_what_it_found(void **state)
{
    struct ledger_fixture *f = *state;

    load_entry(f, "1000-0", "s1", "buy");
    load_entry(f, "1001-0", "s2", "buy");
    ledger_load_finish(f->ledger, 1700);
    feed_result(f, "1800-0", "r1", "s1", "accepted");
    feed_result(f, "1800-1", "r2", "s2", "executed");
    flush(f, "1001-0", 1800);
    assert_recorded_only(&f->sink, "journal ",
                         "journal accepted s1 1800\njournal ended s2 processed\n"
                         "journal received s1 1000-0 buy\njournal accepted s1 1800\n");
}

static void test_ledger_load_entry_of_the_same_id_waits_with_its_first(void **state)
{
    struct ledger_fixture *f = *state;

    load_total(f, TOTAL_RECEIVED, "buy", 2);
    load_total(f, TOTAL_DUPLICATE, "buy", 1);
    load_received(f, "s1", "1000-0", "buy");
    load_received(f, "s2", "1002-0", "buy");
    load_entry(f, "1000-0", "s1", "buy");
    load_entry(f, "1001-0", "s1", "buy");
    load_entry(f, "1002-0", "s2", "buy");
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 0);
    assert_totals(f, "buy", 2, 0, 0, 0, 0, 1);
    feed_result(f, "1800-0", "r1", "s1", "executed");
    flush(f, "1002-0", 1800);
    assert_recorded_only(&f->sink, "trim", "trim signals 1002-0\n");
}

static void test_ledger_load_entry_of_an_ended_id_is_removed(void **state)
{
    struct ledger_fixture *f = *state;

    load_received(f, "s1", "1000-0", "buy");
    load_ended(f, "s1", OUTCOME_DROPPED, 1500);
    load_received(f, "s2", "1001-0", "buy");
    load_total(f, TOTAL_RECEIVED, "buy", 2);
    load_total(f, TOTAL_DROPPED, "buy", 1);
    load_entry(f, "1001-0", "s2", "buy");
    load_entry(f, "1600-0", "s1", "buy");
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 0);
    flush(f, "1600-0", 1700);
    assert_recorded_only(&f->sink, "delete", "delete signals 1600-0\n");
}

static void test_ledger_load_keeps_open_what_left_the_stream(void **state)
{
    struct ledger_fixture *f = *state;

    load_total(f, TOTAL_RECEIVED, "buy", 1);
    load_received(f, "s1", "1000-0", "buy");
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 0);
    assert_true(is_open(f, "s1"));
    end_late(f, 2000, 2000, false);
    assert_totals(f, "buy", 1, 0, 0, 0, 1, 0);
}

static void test_ledger_load_finish_books_what_is_missing(void **state)
{
    struct ledger_fixture *f = *state;

    load_total(f, TOTAL_RECEIVED, "buy", 10);
    load_total(f, TOTAL_PROCESSED, "buy", 6);
    load_total(f, TOTAL_RECEIVED, "sell", 1);
    load_total(f, TOTAL_FAILED, "sell", 3);
    load_received(f, "s1", "1000-0", "buy");
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 5);
    assert_totals(f, "buy", 10, 6, 0, 0, 3, 0);
    assert_totals(f, "sell", 3, 0, 3, 0, 0, 0);
    flush(f, "1000-0", 1700);
    assert_recorded_only(&f->sink, "total", "total lost buy 3\ntotal received sell 3\n");
}

static void test_ledger_load_total_ignores_what_is_no_total(void **state)
{
    struct ledger_fixture *f = *state;

    load_total(f, TOTAL_RECEIVED, "b u y", 10);
    load_total(f, TOTAL_RECEIVED, "", 10);
    load_total(f, TOTAL_RESULT, "done", 10);
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 0);
    assert_totals(f, "other", 0, 0, 0, 0, 0, 0);
    assert_int_equal(f->view.actions->count, 0);
}

static void test_ledger_load_total_goes_on_with_other(void **state)
{
    struct ledger_fixture *f = *state;

    load_total(f, TOTAL_RECEIVED, "other", 4);
    load_total(f, TOTAL_LOST, "other", 3);
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 1);
    assert_totals(f, "other", 4, 0, 0, 0, 4, 0);
    /* What was counted before does not count from the daemon's start. */
    assert_int_equal(look(f, "other")->base[TOTAL_RECEIVED], 4);
    assert_int_equal(look(f, "other")->base[TOTAL_LOST], 4);
}

static void test_ledger_load_early_waits_on(void **state)
{
    struct ledger_fixture *f = *state;

    load_early(f, "s1", STATUS_ACCEPTED, "1500-0");
    load_early(f, "s1", STATUS_EXECUTED, "1501-0");
    load_early(f, "s2", STATUS_EXECUTED, "1502-0");
    load_received(f, "s2", "1510-0", "buy"); /* it had found its signal */
    load_ended(f, "s2", OUTCOME_PROCESSED, 1520);
    load_total(f, TOTAL_RECEIVED, "buy", 1);
    load_total(f, TOTAL_PROCESSED, "buy", 1);
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 0);
    ledger_view(f->ledger, &f->view);
    assert_int_equal(f->view.early_waiting, 2);
    feed_signal(f, "1800-0", "s1", "buy", NULL);
    assert_totals(f, "buy", 2, 2, 0, 0, 0, 0);
    assert_unmatched(f, 2, 0, 0, 0, 0);
}

/* A write-back tells what the journal may still hold, and what comes meanwhile ahead of its turn. */
static void test_ledger_load_early_takes_a_line_that_comes_twice_once(void **state)
{
    struct ledger_fixture *f = *state;

    load_early(f, "s1", STATUS_ACCEPTED, "1500-0");
    load_early(f, "s2", STATUS_EXECUTED, "1501-0");
    load_early(f, "s1", STATUS_EXECUTED, "1503-0");
    load_early(f, "s1", STATUS_ACCEPTED, "1500-0");
    load_early(f, "s2", STATUS_EXECUTED, "1501-0");
    load_early(f, "s3", STATUS_EXECUTED, "1502-0");
    load_early(f, "s1", STATUS_EXECUTED, "1503-0");
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 0);
    ledger_view(f->ledger, &f->view);
    assert_int_equal(f->view.early_waiting, 4);
    write_back(f);
    assert_recorded_only(&f->sink, "journal",
                         "journal early s1 accepted 1500-0\njournal early s2 executed 1501-0\n"
                         "journal early s3 executed 1502-0\njournal early s1 executed 1503-0\n");
    feed_signal(f, "1800-0", "s1", "buy", NULL);
    assert_totals(f, "buy", 1, 1, 0, 0, 0, 0);
    assert_unmatched(f, 2, 0, 0, 0, 0);
    ledger_expire(f->ledger, 9000, 9000);
    assert_unmatched(f, 2, 0, 0, 2, 0);
}

static void test_ledger_load_early_does_not_count_twice_what_was_due(void **state)
{
    struct ledger_fixture *f = *state;

    load_early(f, "s1", STATUS_EXECUTED, "1500-0");
    load_early(f, "s2", STATUS_EXECUTED, "2000-0");
    load_early(f, "s3", STATUS_EXECUTED, "1500-1");
    assert_int_equal(ledger_load_finish(f->ledger, 2600), 0);
    feed_signal(f, "2450-0", "s3", "buy", NULL); /* read late */
    ledger_expire(f->ledger, 4000, 4000);
    assert_unmatched(f, 1, 0, 0, 1, 0);
    assert_totals(f, "buy", 1, 1, 0, 0, 0, 0);
}

static void test_ledger_load_result_knows_its_id_again(void **state)
{
    struct ledger_options options = ledger_fixture_options();
    struct ledger_fixture *f = *state;

    options.results_max_len = 2;
    ledger_fixture_restart(f, &options);
    ledger_load_result(f->ledger, entry_id("1000-0"), slice_text("r1"));
    ledger_load_result(f->ledger, entry_id("1001-0"), slice_of(NULL, 0));
    ledger_load_result(f->ledger, entry_id("1002-0"), slice_text("r2"));
    assert_int_equal(ledger_load_finish(f->ledger, 1700), 0);
    feed_result(f, "1800-0", "r2", "s1", "executed");
    assert_unmatched(f, 0, 0, 0, 0, 1);
    flush(f, "0-0", 1800);
    assert_recorded_only(&f->sink, "trim", "trim results 1002-0\n");
    feed_result(f, "1801-0", "r1", "s1", "executed");
    assert_unmatched(f, 0, 0, 0, 0, 1);
}

static void test_ledger_write_back_tells_all_that_a_start_needs(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", "mt5-1");
    feed_signal(f, "1001-0", "s2", "buy", NULL);
    feed_signal(f, "1002-0", "s3", "sell", NULL);
    feed_result(f, "1500-0", "r1", "s1", "accepted");
    feed_result(f, "1500-1", "r2", "s2", "failed");
    feed_result(f, "1500-2", "r3", "s4", "executed");
    flush(f, "1002-0", 1500);
    recording_sink_reset(&f->sink);
    write_back(f);
    assert_recorded(&f->sink, "total received buy 2\ntotal failed buy 1\ntotal received sell 1\n"
                              "total result accepted 1\ntotal result executed 1\ntotal result failed 1\n"
                              "journal received s1 1000-0 buy mt5-1\njournal accepted s1 1500\n"
                              "journal received s3 1002-0 sell\n"
                              "journal early s4 executed 1500-2\n"
                              "journal ended s2 failed\n");
    flush(f, "1002-0", 1500);
    assert_recorded_only(&f->sink, "total", "");
}

/* What ends, is opened anew or finds its signal between two parts is told by that, and not once more. */
static void test_ledger_write_back_goes_on_while_signals_change(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signals(f, 1000, 0, 6);
    feed_result(f, "1500-0", "r0", "s0", "executed");
    feed_result(f, "1500-1", "r1", "e1", "executed");
    feed_result(f, "1500-2", "r2", "e2", "executed");
    flush(f, "1000-5", 1500);
    ledger_write_back(f->ledger, &f->sink.sink);
    recording_sink_reset(&f->sink);
    assert_true(ledger_write_back_on(f->ledger, 1, &f->sink.sink));
    assert_recorded_only(&f->sink, "journal", "journal received s1 1000-1 buy\n");
    feed_result(f, "1600-0", "r3", "s1", "executed");
    feed_result(f, "1600-1", "r4", "s2", "executed"); /* the next in turn */
    feed_signal(f, "1601-0", "e1", "buy", NULL);      /* its result, likewise */
    recording_sink_reset(&f->sink);
    write_back_rest(f);
    assert_recorded_only(&f->sink, "journal",
                         "journal received s3 1000-3 buy\njournal received s4 1000-4 buy\n"
                         "journal received s5 1000-5 buy\njournal early e2 executed 1500-2\n"
                         "journal ended s0 processed\njournal ended s1 processed\n"
                         "journal ended s2 processed\njournal ended e1 processed\n");
    recording_sink_reset(&f->sink);
    assert_false(ledger_write_back_on(f->ledger, 100, &f->sink.sink));
    assert_recorded(&f->sink, "");
}

/* The totals count them as ended, so they may not be stored without these lines. */
static void test_ledger_write_back_newest_tells_the_ends_of_late_at_once(void **state)
{
    struct ledger_options options = ledger_fixture_options();
    struct ledger_fixture *f = *state;
    const uint32_t many = 60000;

    options.max_tracked = many;
    ledger_fixture_restart(f, &options);
    for (uint32_t i = 0; i < many; i++) {
        char id[64];

        (void)snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012u", i);
        load_ended(f, id, OUTCOME_PROCESSED, 1000 + i / 100);
    }
    assert_int_equal(ledger_load_finish(f->ledger, 2000), 0);
    ledger_write_back(f->ledger, &f->sink.sink);
    recording_sink_reset(&f->sink);
    ledger_write_back_newest(f->ledger, &f->sink.sink);
    assert_in_range(recording_sink_count(&f->sink, "journal ended"), 15000, 30000);
    assert_int_equal(recording_sink_count(&f->sink, "journal ended 00000000-0000-4000-8000-000000059999"), 1);
    assert_int_equal(recording_sink_count(&f->sink, "journal ended 00000000-0000-4000-8000-000000045000"), 1);
    /* The others, and these again, come in their turn. */
    recording_sink_reset(&f->sink);
    assert_true(ledger_write_back_on(f->ledger, 1, &f->sink.sink));
    assert_recorded_only(&f->sink, "journal",
                         "journal ended 00000000-0000-4000-8000-000000000000 processed\n");
}

static void test_ledger_write_back_ends_with_a_reset(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1000-1", "s2", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "executed");
    feed_result(f, "1500-1", "r2", "s3", "executed");
    ledger_write_back(f->ledger, &f->sink.sink);
    ledger_reset(f->ledger);
    assert_false(ledger_write_back_on(f->ledger, 1, &f->sink.sink));
}

/* What comes back with an older stream is not kept a second time. */
static void test_ledger_write_back_trims_results_before_the_oldest_kept(void **state)
{
    struct ledger_fixture *f = *state;

    feed_result(f, "1500-0", "r1", "s1", "executed");
    feed_result(f, "1501-0", "r2", "s2", "executed");
    flush(f, "0-0", 1600);
    recording_sink_reset(&f->sink);
    write_back(f);
    flush(f, "0-0", 1700);
    assert_recorded_only(&f->sink, "trim results", "trim results 1500-0\n");
}

static enum ledger_found find_entry(struct ledger_fixture *f, const char *entry, const char *signal_id,
                                    bool *ret_is_first)
{
    struct signal_entry signal = {
        .id = entry_id(entry),
        .signal_id = slice_text(signal_id),
        .action = slice_text("buy"),
    };

    return ledger_find_entry(f->ledger, &signal, ret_is_first);
}

static void test_ledger_find_entry_tells_whose_it_is(void **state)
{
    struct ledger_fixture *f = *state;
    bool is_first = false;

    feed_signal(f, "1000-0", "open", "buy", NULL);
    feed_signal(f, "1000-1", "ended", "buy", NULL);
    feed_result(f, "1500-0", "r1", "ended", "executed");
    assert_int_equal(find_entry(f, "1000-0", "open", &is_first), FOUND_OPEN);
    assert_true(is_first);
    assert_int_equal(find_entry(f, "1000-7", "open", &is_first), FOUND_OPEN);
    assert_false(is_first);
    assert_int_equal(find_entry(f, "1000-1", "ended", &is_first), FOUND_ENDED);
    assert_false(is_first);
    is_first = true;
    assert_int_equal(find_entry(f, "1000-2", "other", &is_first), FOUND_UNKNOWN);
    assert_false(is_first);
}

static void test_ledger_count_results_behind_an_entry(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_options options = ledger_fixture_options();

    assert_int_equal(ledger_count_results(f->ledger, entry_id("0-0")), 0);
    assert_int_equal(ledger_kept_from(f->ledger).ms, 0);
    feed_result(f, "1500-0", "r1", "s1", "executed");
    feed_result(f, "1501-0", "r2", "s2", "executed");
    feed_result(f, "1502-0", "r3", "s3", "executed");
    assert_int_equal(ledger_count_results(f->ledger, entry_id("0-0")), 3);
    assert_int_equal(ledger_count_results(f->ledger, entry_id("1501-0")), 1);
    assert_true(ledger_keeps_result(f->ledger, slice_text("r1")));
    assert_false(ledger_keeps_result(f->ledger, slice_text("r4")));
    assert_int_equal(ledger_kept_from(f->ledger).ms, 0);
    options.results_max_len = 2;
    ledger_configure(f->ledger, &options);
    flush(f, "0-0", 1600);
    assert_false(ledger_keeps_result(f->ledger, slice_text("r1")));
    assert_int_equal(ledger_kept_from(f->ledger).ms, 1501);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ledger_fixture_setup, ledger_fixture_teardown)

/* ---- following another daemon ---- */

static void test_ledger_load_follow_goes_on_in_order(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_place start = {0};
    struct ledger_signal listed[8];
    struct instance_record record = record_empty();

    ledger_load_begin(f->ledger);
    ledger_load_received(f->ledger, slice_text("s2"), entry_id("1002-0"), slice_text("buy"),
                         slice_text("mt5-9"), 1002);
    ledger_load_received(f->ledger, slice_text("s0"), entry_id("1000-0"), slice_text("buy"),
                         slice_text("mt5-8"), 1000);
    ledger_load_follow(f->ledger); /* nobody of them is known so far */
    record_write(&record, "broker_id=b1");
    assert_true(fleet_load(&f->fleet, slice_text("mt5-9"), &record, STATE_RUNNING, 0, 0));
    ledger_load_follow(f->ledger);
    load_received(f, "s3", "1003-0", "buy");
    ledger_load_accepted(f->ledger, slice_text("s0"), 1500);
    load_received(f, "s1", "1001-0", "buy");
    load_total(f, TOTAL_RECEIVED, "buy", 4);
    look(f, "buy");
    assert_int_equal(f->view.open, 0); /* it is another one's so far */
    assert_int_equal(ledger_load_finish(f->ledger, 2000), 0);
    assert_int_equal(ledger_list_open(f->ledger, &start, listed, 8), 4);
    for (size_t i = 0; i < 4; i++) {
        char name[] = {'s', (char)('0' + i), '\0'};

        assert_true(slice_is(listed[i].place.signal_id, name));
    }
    assert_true(listed[0].is_accepted);
    assert_true(slice_is(listed[2].instance_id, "mt5-9"));
    assert_int_equal(listed[0].instance_id.len, 0);
    look(f, "buy");
    assert_int_equal(f->view.open, 4);
}

static void test_ledger_load_duplicate_waits_with_its_first(void **state)
{
    struct ledger_fixture *f = *state;

    ledger_load_begin(f->ledger);
    load_received(f, "s1", "1000-0", "buy");
    load_received(f, "s2", "1001-0", "buy");
    ledger_load_follow(f->ledger);
    ledger_load_duplicate(f->ledger, slice_text("s1"), entry_id("1002-0"));
    ledger_load_duplicate(f->ledger, slice_text("s2"), entry_id("1003-0"));
    ledger_load_duplicate(f->ledger, slice_text("s1"), entry_id("1000-0")); /* the same entry */
    ledger_load_duplicate(f->ledger, slice_text("s9"), entry_id("1004-0")); /* ended since */
    load_ended(f, "s2", OUTCOME_PROCESSED, 1005);                           /* and its duplicate with it */
    load_total(f, TOTAL_RECEIVED, "buy", 2);
    load_total(f, TOTAL_PROCESSED, "buy", 1);
    assert_int_equal(ledger_load_finish(f->ledger, 2000), 0);
    feed_result(f, "1006-0", "r1", "s1", "executed");
    flush(f, "1004-0", 2000);
    /* All have ended: nothing is left to be named. */
    assert_recorded_only(&f->sink, "trim", "trim signals 1004-1\n");
    assert_recorded_only(&f->sink, "delete", "");
}

static void test_ledger_load_forget_keeps_to_what_a_start_would_find(void **state)
{
    struct ledger_fixture *f = *state;

    ledger_load_begin(f->ledger);
    load_ended(f, "s1", OUTCOME_PROCESSED, 1000);
    load_ended(f, "s2", OUTCOME_PROCESSED, 2000);
    load_early(f, "s3", STATUS_EXECUTED, "1500-0");
    load_early(f, "s4", STATUS_EXECUTED, "3000-0");
    ledger_load_follow(f->ledger);
    ledger_load_forget(f->ledger, 1000, entry_id("2500-0")); /* a signal of 2500 may still be s3 */
    look(f, "buy");
    assert_int_equal(f->view.ended_remembered, 2);
    assert_int_equal(f->view.early_waiting, 2);
    ledger_load_forget(f->ledger, 1001, entry_id("2501-0"));
    look(f, "buy");
    assert_int_equal(f->view.ended_remembered, 1);
    assert_int_equal(f->view.early_waiting, 1);
    assert_unmatched(f, 0, 0, 0, 0, 0);
    ledger_load_forget(f->ledger, UINT64_MAX, entry_id("9000-0"));
    look(f, "buy");
    assert_int_equal(f->view.ended_remembered + f->view.early_waiting, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ledger_load_finish_of_nothing_yields_nothing),
        TEST(test_ledger_load_finds_what_was_open),
        TEST(test_ledger_load_shows_nothing_before_its_finish),
        TEST(test_ledger_load_knows_when_one_ahead_of_the_clock_was_told),
        TEST(test_ledger_load_tells_the_addressee),
        TEST(test_ledger_load_tells_addressees_that_are_read_behind_the_journal),
        TEST(test_ledger_load_entry_opens_what_the_journal_does_not_know),
        TEST(test_ledger_load_journals_an_acceptance_behind_what_it_found),
        TEST(test_ledger_load_entry_of_the_same_id_waits_with_its_first),
        TEST(test_ledger_load_entry_of_an_ended_id_is_removed),
        TEST(test_ledger_load_keeps_open_what_left_the_stream),
        TEST(test_ledger_load_finish_books_what_is_missing),
        TEST(test_ledger_load_total_ignores_what_is_no_total),
        TEST(test_ledger_load_total_goes_on_with_other),
        TEST(test_ledger_load_early_waits_on),
        TEST(test_ledger_load_early_takes_a_line_that_comes_twice_once),
        TEST(test_ledger_load_early_does_not_count_twice_what_was_due),
        TEST(test_ledger_load_result_knows_its_id_again),
        TEST(test_ledger_load_follow_goes_on_in_order),
        TEST(test_ledger_load_duplicate_waits_with_its_first),
        TEST(test_ledger_load_forget_keeps_to_what_a_start_would_find),
        TEST(test_ledger_write_back_tells_all_that_a_start_needs),
        TEST(test_ledger_write_back_goes_on_while_signals_change),
        TEST(test_ledger_write_back_newest_tells_the_ends_of_late_at_once),
        TEST(test_ledger_write_back_ends_with_a_reset),
        TEST(test_ledger_write_back_trims_results_before_the_oldest_kept),
        TEST(test_ledger_find_entry_tells_whose_it_is),
        TEST(test_ledger_count_results_behind_an_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
