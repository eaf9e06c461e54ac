/* core/ledger.h: signals and results as they come. Time and its judgement: test_ledger_late.c; a start:
 * test_ledger_load.c; everything at random: test_ledger_random.c. */
#include "ledger_fixture.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static void test_names_of_reasons(void **state)
{
    static const char *const names[UNMATCHED_REASONS] = {"early", "followup", "late", "unknown", "duplicate"};

    UNUSED(state);
    for (int i = 0; i < UNMATCHED_REASONS; i++)
        assert_string_equal(unmatched_reason_name((enum unmatched_reason)i), names[i]);
}

static void test_ledger_free_takes_none(void **state)
{
    UNUSED(state);
    ledger_free(NULL);
}

static void test_ledger_on_signal_opens_it(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", "mt5-1");
    assert_recorded(&f->sink, "journal received s1 1000-0 buy mt5-1\n");
    flush(f, "1000-0", 1000);
    assert_recorded(&f->sink, "total received buy 1\n");
    assert_true(is_open(f, "s1"));
    assert_totals(f, "buy", 1, 0, 0, 0, 0, 0);
    flush(f, "1000-0", 1000);
    assert_recorded(&f->sink, "");
}

static void test_ledger_on_result_ends_by_status(void **state)
{
    static const struct {
        const char *status, *outcome;
    } rows[] = {
        {"executed", "processed"}, {"partially_filled", "processed"},
        {"closed", "processed"},   {"failed", "failed"},
        {"rejected", "failed"},    {"cancelled", "failed"},
        {"expired", "failed"},
    };
    struct ledger_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char expected[160];
        struct ledger_options options = ledger_fixture_options();

        ledger_fixture_restart(f, &options);
        feed_signal(f, "1000-0", "s1", "buy", NULL);
        recording_sink_reset(&f->sink);
        feed_result(f, "1010-0", "r1", "s1", rows[i].status);
        (void)snprintf(expected, sizeof(expected), "journal ended s1 %s\n", rows[i].outcome);
        assert_recorded(&f->sink, expected);
        flush(f, "1000-0", 1010);
        (void)snprintf(
            expected, sizeof(expected),
            "total received buy 1\ntotal %s buy 1\ntotal result %s 1\ntrim signals 1000-1\njournal trim 10\n",
            rows[i].outcome, rows[i].status);
        assert_recorded(&f->sink, expected);
        assert_false(is_open(f, "s1"));
    }
}

static void test_ledger_on_result_accepted_keeps_it_open(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_result(f, "1500-0", "r1", "s1", "accepted");
    assert_recorded(&f->sink, "journal received s1 1000-0 buy\njournal accepted s1 1500\n");
    assert_int_equal(ledger_next_deadline(f->ledger), 3500);
    feed_result(f, "2500-0", "r2", "s1", "accepted");
    assert_int_equal(ledger_next_deadline(f->ledger), 4500);
    feed_result(f, "2600-0", "r3", "s1", "executed");
    assert_int_equal(ledger_next_deadline(f->ledger), 7600); /* the id leaves the window */
    assert_totals(f, "buy", 1, 1, 0, 0, 0, 0);
    assert_unmatched(f, 0, 0, 0, 0, 0);
}

static void test_ledger_flush_trims_the_ended_prefix(void **state)
{
    struct ledger_fixture *f = *state;

    for (int i = 1; i <= 5; i++) {
        char entry[32], id[32];

        (void)snprintf(entry, sizeof(entry), "100%d-0", i);
        (void)snprintf(id, sizeof(id), "s%d", i);
        feed_signal(f, entry, id, "buy", NULL);
    }
    feed_result(f, "1010-0", "r5", "s5", "executed");
    feed_result(f, "1010-1", "r1", "s1", "executed");
    feed_result(f, "1010-2", "r4", "s4", "executed");
    recording_sink_reset(&f->sink);
    flush(f, "1005-0", 1010);
    assert_recorded(&f->sink, "total received buy 5\ntotal processed buy 3\ntotal result executed 3\n"
                              "trim signals 1002-0\ndelete signals 1004-0 1005-0\njournal trim 2\n");
    feed_result(f, "1020-0", "r3", "s3", "executed");
    recording_sink_reset(&f->sink);
    flush(f, "1005-0", 1020);
    assert_recorded(&f->sink, "total processed buy 4\ntotal result executed 4\ndelete signals 1003-0\n");
    feed_result(f, "1030-0", "r2", "s2", "failed");
    recording_sink_reset(&f->sink);
    flush(f, "1005-0", 1030);
    assert_recorded(&f->sink, "total failed buy 1\ntotal result failed 1\ntrim signals 1005-1\n");
}

static void test_ledger_on_signal_takes_the_same_id_once(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1001-0", "s1", "sell", NULL);
    feed_signal(f, "1002-0", "s2", "buy", NULL);
    assert_recorded_only(&f->sink, "journal",
                         "journal received s1 1000-0 buy\njournal received s2 1002-0 buy\n");
    flush(f, "1002-0", 1002);
    assert_recorded(&f->sink, "total received buy 2\ntotal duplicate sell 1\n");
    assert_totals(f, "sell", 0, 0, 0, 0, 0, 1);
    feed_result(f, "1010-0", "r1", "s1", "executed");
    recording_sink_reset(&f->sink);
    flush(f, "1002-0", 1010);
    /* the duplicate went with its first */
    assert_recorded_only(&f->sink, "trim", "trim signals 1002-0\n");
}

static void test_ledger_on_signal_knows_an_ended_id_for_the_window(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_result(f, "1010-0", "r1", "s1", "executed");
    flush(f, "1000-0", 1010);
    recording_sink_reset(&f->sink);
    feed_signal(f, "6009-0", "s1", "buy", NULL);
    flush(f, "6009-0", 6009);
    assert_recorded_only(&f->sink, "t", "total duplicate buy 1\ntrim signals 6009-1\n");
    feed_signal(f, "6010-0", "s1", "buy", NULL);
    assert_totals(f, "buy", 2, 1, 0, 0, 0, 1);
    assert_true(is_open(f, "s1"));
}

static void test_ledger_on_signal_opens_an_old_id_that_is_still_remembered(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_result(f, "1010-0", "r1", "s1", "executed");
    feed_signal(f, "7000-0", "s1", "buy", NULL);
    feed_result(f, "7010-0", "r2", "s1", "executed");
    /* the window counts from the last end */
    feed_signal(f, "12009-0", "s1", "buy", NULL);
    assert_totals(f, "buy", 2, 2, 0, 0, 0, 1);
    ledger_expire(f->ledger, 12010, 12010);
    ledger_view(f->ledger, &f->view);
    assert_int_equal(f->view.ended_remembered, 0);
}

static void test_ledger_on_signal_ignores_the_entry_it_has(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1000-0", "s1", "buy", NULL);
    assert_totals(f, "buy", 1, 0, 0, 0, 0, 0);
}

static void test_ledger_on_result_counts_a_result_id_once(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1000-1", "s2", "buy", NULL);
    feed_result(f, "1010-0", "r1", "s1", "executed");
    feed_result(f, "1011-0", "r1", "s2", "failed");
    assert_unmatched(f, 0, 0, 0, 0, 1);
    assert_true(is_open(f, "s2"));
    assert_int_equal(f->view.results[STATUS_EXECUTED], 1);
    assert_int_equal(f->view.results[STATUS_FAILED], 0);
}

static void test_ledger_on_result_forgets_result_ids_with_their_entries(void **state)
{
    struct ledger_options options = ledger_fixture_options();
    struct ledger_fixture *f = *state;

    options.results_max_len = 2;
    ledger_fixture_restart(f, &options);
    feed_result(f, "1010-0", "r1", "x1", "executed");
    feed_result(f, "1011-0", "r1", "x1", "executed"); /* keeps r1 known for longer */
    feed_result(f, "1012-0", "r2", "x1", "executed");
    feed_result(f, "1013-0", "r1", "x1", "executed");
    assert_unmatched(f, 0, 0, 0, 0, 2);
    recording_sink_reset(&f->sink);
    flush(f, "0-0", 1013);
    assert_recorded_only(&f->sink, "tr", "trim results 1012-0\n");
    feed_result(f, "1014-0", "r3", "x1", "executed");
    feed_result(f, "1015-0", "r2", "x1", "executed"); /* its entry is gone */
    assert_unmatched(f, 0, 0, 0, 0, 2);
    flush(f, "0-0", 1015);
    assert_recorded_only(&f->sink, "tr", "trim results 1014-0\n");
}

static void test_ledger_on_result_of_an_ended_signal(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1000-1", "s2", "buy", NULL);
    feed_result(f, "1010-0", "r1", "s1", "partially_filled");
    feed_result(f, "1010-1", "r2", "s2", "failed");
    feed_result(f, "1020-0", "r3", "s1", "executed");
    feed_result(f, "1020-1", "r4", "s2", "executed");
    assert_unmatched(f, 0, 2, 0, 0, 0);
    assert_totals(f, "buy", 2, 1, 1, 0, 0, 0);
    assert_int_equal(f->view.results[STATUS_EXECUTED], 2);
}

static void test_ledger_on_result_waits_for_its_signal(void **state)
{
    struct ledger_fixture *f = *state;

    feed_result(f, "1000-0", "r1", "s1", "accepted");
    feed_result(f, "1001-0", "r2", "s1", "executed");
    assert_recorded(&f->sink, "journal early s1 accepted 1000-0\njournal early s1 executed 1001-0\n");
    assert_unmatched(f, 0, 0, 0, 0, 0);
    assert_int_equal(f->view.early_waiting, 2);
    feed_signal(f, "2000-0", "s1", "buy", NULL);
    assert_recorded(&f->sink, "journal received s1 2000-0 buy\njournal accepted s1 1000\n"
                              "journal ended s1 processed\n");
    assert_unmatched(f, 2, 0, 0, 0, 0);
    assert_totals(f, "buy", 1, 1, 0, 0, 0, 0);
    assert_int_equal(f->view.early_waiting, 0);
    assert_int_equal(f->view.latency_seconds->counts[0], 1);
}

/* A backlog: nothing was stored for longer than ids are remembered (seed 139 of tests/sim). */
static void test_ledger_on_signal_that_ends_at_once_is_remembered_from_the_time_that_was_set(void **state)
{
    struct ledger_fixture *f = *state;

    feed_result(f, "1000-0", "r1", "s1", "executed");
    ledger_set_time(f->ledger, 9000);
    feed_signal(f, "1100-0", "s1", "buy", NULL);
    feed_signal(f, "8000-0", "s1", "buy", NULL);
    assert_totals(f, "buy", 1, 1, 0, 0, 0, 1);
}

static void test_ledger_on_signal_leaves_results_beyond_the_ttl(void **state)
{
    struct ledger_fixture *f = *state;

    feed_result(f, "1000-0", "r1", "s1", "executed");
    feed_result(f, "1001-0", "r2", "s1", "accepted");
    feed_signal(f, "2001-0", "s1", "buy", NULL);
    assert_unmatched(f, 1, 0, 0, 1, 0);
    assert_true(is_open(f, "s1"));
    assert_int_equal(ledger_next_deadline(f->ledger), 3001);
}

static void test_ledger_on_result_keeps_no_more_early_ones_than_tracked(void **state)
{
    struct ledger_options options = ledger_fixture_options();
    struct ledger_fixture *f = *state;

    options.max_tracked = 2;
    ledger_fixture_restart(f, &options);
    feed_result(f, "1000-0", "r1", "s1", "accepted");
    feed_result(f, "1000-1", "r2", "s1", "executed");
    feed_result(f, "1000-2", "r3", "s2", "executed");
    assert_unmatched(f, 0, 0, 0, 1, 0);
    assert_int_equal(f->view.early_waiting, 2);
    feed_signal(f, "1001-0", "s1", "buy", NULL);
    feed_signal(f, "1001-1", "s2", "buy", NULL);
    assert_totals(f, "buy", 2, 2, 0, 0, 0, 0);
    assert_unmatched(f, 2, 0, 0, 1, 0);
}

static void test_ledger_forgets_ended_ids_beyond_four_times_tracked(void **state)
{
    struct ledger_options options = ledger_fixture_options();
    struct ledger_fixture *f = *state;

    options.max_tracked = 2;
    ledger_fixture_restart(f, &options);
    for (int i = 0; i < 10; i++) {
        char entry[32], id[32], result[32];

        (void)snprintf(entry, sizeof(entry), "10%d0-0", i);
        (void)snprintf(id, sizeof(id), "s%d", i);
        (void)snprintf(result, sizeof(result), "r%d", i);
        feed_signal(f, entry, id, "buy", NULL);
        feed_result(f, entry, result, id, "executed");
    }
    ledger_view(f->ledger, &f->view);
    assert_int_equal(f->view.ended_remembered, 8);
    assert_int_equal(f->view.ended_evicted, 2);
    feed_signal(f, "1100-0", "s1", "buy", NULL);
    feed_signal(f, "1100-1", "s2", "buy", NULL);
    assert_totals(f, "buy", 11, 10, 0, 0, 0, 1);
}

static void test_ledger_is_full_counts_duplicates_that_wait(void **state)
{
    struct ledger_options options = ledger_fixture_options();
    struct ledger_fixture *f = *state;

    options.max_tracked = 3;
    ledger_fixture_restart(f, &options);
    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1000-1", "s1", "buy", NULL);
    assert_false(ledger_is_full(f->ledger));
    feed_signal(f, "1000-2", "s2", "buy", NULL);
    assert_true(ledger_is_full(f->ledger));
    feed_result(f, "1010-0", "r1", "s1", "executed");
    assert_false(ledger_is_full(f->ledger));
    options.max_tracked = 1;
    ledger_configure(f->ledger, &options);
    assert_true(ledger_is_full(f->ledger));
}

static void test_ledger_on_rejected_removes_with_the_next_flush(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1001-0", "s1", "buy", NULL);
    ledger_on_rejected(f->ledger, STREAM_SIGNALS, entry_id("1000-0"));
    ledger_on_rejected(f->ledger, STREAM_SIGNALS, entry_id("1002-0"));
    ledger_on_rejected(f->ledger, STREAM_RESULTS, entry_id("1003-0"));
    ledger_on_rejected(f->ledger, STREAM_REPORTS, entry_id("1004-0"));
    recording_sink_reset(&f->sink);
    flush(f, "1002-0", 1010);
    assert_recorded(&f->sink, "total received buy 1\ntrim signals 1001-0\ndelete signals 1002-0\n"
                              "delete results 1003-0\njournal trim 1\n");
    assert_totals(f, "buy", 1, 0, 0, 0, 0, 0);
}

static void test_ledger_calls_the_65th_action_other(void **state)
{
    struct ledger_fixture *f = *state;

    for (int i = 0; i < 66; i++) {
        char entry[32], id[32], action[32];

        (void)snprintf(entry, sizeof(entry), "1000-%d", i);
        (void)snprintf(id, sizeof(id), "s%d", i);
        (void)snprintf(action, sizeof(action), "action-%d", i);
        feed_signal(f, entry, id, action, NULL);
    }
    assert_totals(f, "other", 2, 0, 0, 0, 0, 0);
    flush(f, "1000-65", 1000);
    assert_non_null(recording_sink_find(&f->sink, "total received other 2"));
    assert_non_null(recording_sink_find(&f->sink, "journal received s65 1000-65 other"));
}

static void test_ledger_observes_what_results_say(void **state)
{
    struct ledger_fixture *f = *state;
    struct result_entry result = {
        .id = {1250, 0},
        .result_id = SLICE("r1"),
        .signal_id = SLICE("s1"),
        .status = STATUS_EXECUTED,
        .has_slippage = true,
        .has_execution_time = true,
        .slippage = -0.5,
        .execution_time_ms = 40,
    };

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    ledger_on_result(f->ledger, &result, 1251, &f->sink.sink);
    ledger_view(f->ledger, &f->view);
    assert_true(f->view.latency_seconds->sum == 0.25);
    assert_int_equal(f->view.latency_seconds->counts[7], 1);
    assert_true(slice_is(ident_slice(&f->view.latency_seconds->exemplars[7].id), "s1"));
    assert_true(f->view.slippage->sum == -0.5);
    assert_true(f->view.execution_seconds->sum == 0.04);
    assert_true(f->view.latency->items[0].value == 250);
    assert_true(f->view.result_slippage->items[0].value == -0.5);
    assert_true(f->view.result_execution->items[0].value == 40);
    assert_int_equal(f->view.result->items[0].label, STATUS_EXECUTED);
    assert_int_equal(f->view.received->count, 1);
    assert_int_equal(f->view.processed->count, 1);
    assert_int_equal(f->view.failed->count, 0);
}

static void count_item(void *ctx, const struct recent_item *item)
{
    size_t *count = ctx;

    UNUSED(item);
    (*count)++;
}

static size_t count_shown(const struct recent *recent, int64_t now_ms)
{
    size_t count = 0;

    recent_each(recent, now_ms, count_item, &count);
    return count;
}

/* Families labelled by the id alone must not show it twice. */
static void test_ledger_shows_an_id_used_again_once(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_result(f, "1001-0", "r1", "s1", "executed");
    feed_signal(f, "9000-0", "s1", "sell", NULL);
    feed_result(f, "9001-0", "r2", "s1", "executed");
    ledger_view(f->ledger, &f->view);
    assert_int_equal(f->view.latency->count, 2);
    assert_int_equal(count_shown(f->view.latency, 9001), 1);
    assert_int_equal(count_shown(f->view.processed, 9001), 2);
}

static void test_ledger_view_shows_the_oldest_open(void **state)
{
    struct ledger_fixture *f = *state;

    ledger_view(f->ledger, &f->view);
    assert_int_equal(f->view.oldest_open_ms, 0);
    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1001-0", "s2", "buy", NULL);
    feed_result(f, "1002-0", "r1", "s1", "executed");
    ledger_view(f->ledger, &f->view);
    assert_int_equal(f->view.open, 1);
    assert_int_equal(f->view.oldest_open_ms, 1001);
}

static void test_ledger_reset_forgets_everything(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "1000-0", "s1", "buy", NULL);
    feed_signal(f, "1000-1", "s2", "buy", NULL);
    feed_result(f, "1010-0", "r1", "s1", "executed");
    feed_result(f, "1010-1", "r2", "x", "executed");
    ledger_reset(f->ledger);
    recording_sink_reset(&f->sink);
    flush(f, "1000-1", 1010);
    assert_recorded(&f->sink, "");
    assert_totals(f, "buy", 0, 0, 0, 0, 0, 0);
    assert_false(is_open(f, "s2"));
    assert_int_equal(f->view.early_waiting + f->view.ended_remembered + f->view.open, 0);
    assert_int_equal(ledger_next_deadline(f->ledger), INT64_MAX);
    feed_result(f, "1011-0", "r1", "s1", "executed");
    assert_unmatched(f, 0, 0, 0, 0, 0);
}

static void test_ledger_remembers_many_and_gives_back(void **state)
{
    struct ledger_options options = ledger_fixture_options();
    struct ledger_fixture *f = *state;
    enum { MANY = 30000 };

    options.max_tracked = MANY;
    ledger_fixture_restart(f, &options);
    for (int i = 0; i < MANY; i++) {
        char entry[24], id[64], result[24];

        (void)snprintf(entry, sizeof(entry), "%d-0", 1000 + i / 30);
        (void)snprintf(id, sizeof(id), "signal-with-an-id-of-some-length-%d", i);
        (void)snprintf(result, sizeof(result), "r%d", i);
        feed_signal(f, entry, id, "buy", NULL);
        feed_result(f, entry, result, id, "executed");
        if (i % 1000 == 999) {
            recording_sink_reset(&f->sink);
            flush(f, entry, 1000 + i / 30);
        }
    }
    ledger_view(f->ledger, &f->view);
    assert_int_equal(f->view.ended_remembered, MANY);
    feed_signal(f, "6500-0", "signal-with-an-id-of-some-length-14999", "buy", NULL);
    feed_signal(f, "6500-1", "signal-with-an-id-of-some-length-15030", "buy", NULL);
    assert_totals(f, "buy", MANY + 1, MANY, 0, 0, 0, 1);
    ledger_expire(f->ledger, 6999, 6500);
    ledger_view(f->ledger, &f->view);
    assert_int_equal(f->view.ended_remembered, 14970);
    ledger_expire(f->ledger, 6999, 6999);
    ledger_view(f->ledger, &f->view);
    assert_int_equal(f->view.ended_remembered, 0);
}

/* A stream that was deleted and made anew under a clock that was set back: what lies before the open signal
 * of the old one has not all been read. */
static void test_ledger_flush_trims_nothing_of_a_stream_made_anew(void **state)
{
    struct ledger_fixture *f = *state;

    feed_signal(f, "5000-0", "s1", "buy", NULL);
    flush(f, "5000-0", 5000);
    recording_sink_reset(&f->sink);
    feed_signal(f, "1000-0", "s2", "buy", NULL);
    feed_signal(f, "1000-1", "s3", "buy", NULL);
    feed_result(f, "5001-0", "r2", "s2", "executed");
    feed_result(f, "5001-1", "r3", "s3", "executed");
    flush(f, "1000-1", 5001);
    assert_int_equal(recording_sink_count(&f->sink, "trim signals"), 0);
    assert_int_equal(recording_sink_count(&f->sink, "delete signals 1000-0 1000-1"), 1);
    feed_result(f, "5002-0", "r1", "s1", "executed");
    recording_sink_reset(&f->sink);
    flush(f, "1000-1", 5002);
    assert_int_equal(recording_sink_count(&f->sink, "trim signals 1000-2"), 0);
    assert_int_equal(recording_sink_count(&f->sink, "delete signals 5000-0"), 1);
    assert_totals(f, "buy", 3, 3, 0, 0, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ledger_fixture_setup, ledger_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_reasons),
        cmocka_unit_test(test_ledger_free_takes_none),
        TEST(test_ledger_on_signal_opens_it),
        TEST(test_ledger_on_result_ends_by_status),
        TEST(test_ledger_on_result_accepted_keeps_it_open),
        TEST(test_ledger_flush_trims_the_ended_prefix),
        TEST(test_ledger_on_signal_takes_the_same_id_once),
        TEST(test_ledger_on_signal_knows_an_ended_id_for_the_window),
        TEST(test_ledger_on_signal_opens_an_old_id_that_is_still_remembered),
        TEST(test_ledger_on_signal_ignores_the_entry_it_has),
        TEST(test_ledger_on_result_counts_a_result_id_once),
        TEST(test_ledger_on_result_forgets_result_ids_with_their_entries),
        TEST(test_ledger_on_result_of_an_ended_signal),
        TEST(test_ledger_on_result_waits_for_its_signal),
        TEST(test_ledger_on_signal_that_ends_at_once_is_remembered_from_the_time_that_was_set),
        TEST(test_ledger_on_signal_leaves_results_beyond_the_ttl),
        TEST(test_ledger_on_result_keeps_no_more_early_ones_than_tracked),
        TEST(test_ledger_forgets_ended_ids_beyond_four_times_tracked),
        TEST(test_ledger_is_full_counts_duplicates_that_wait),
        TEST(test_ledger_on_rejected_removes_with_the_next_flush),
        TEST(test_ledger_calls_the_65th_action_other),
        TEST(test_ledger_observes_what_results_say),
        TEST(test_ledger_shows_an_id_used_again_once),
        TEST(test_ledger_view_shows_the_oldest_open),
        TEST(test_ledger_reset_forgets_everything),
        TEST(test_ledger_remembers_many_and_gives_back),
        TEST(test_ledger_flush_trims_nothing_of_a_stream_made_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
