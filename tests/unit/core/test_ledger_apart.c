/* core/ledger.h where signals and results are kept by a ledger each, and instances by somebody else. */
#include "ledger_fixture.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Of the results; that of the fixture has the signals. */
static struct ledger *results;

static int setup(void **state)
{
    struct hash_key key = {1, 2};
    struct ledger_options options = ledger_fixture_options();
    int r = ledger_fixture_setup(state);
    struct ledger_fixture *f = *state;

    options.results_max_len = 3;
    results = ledger_new(&options, &f->fleet, key);
    return r;
}

static int teardown(void **state)
{
    ledger_free(results);
    return ledger_fixture_teardown(state);
}

static struct result_entry result_of(const char *entry, const char *result_id, const char *signal_id)
{
    return (struct result_entry){.id = entry_id(entry),
                                 .result_id = slice_text(result_id),
                                 .signal_id = slice_text(signal_id),
                                 .status = STATUS_EXECUTED};
}

static bool count(const struct result_entry *result)
{
    return ledger_count_result(results, result, (int64_t)result->id.ms);
}

static void match(struct ledger_fixture *f, const struct result_entry *result)
{
    ledger_match_result(f->ledger, result, (int64_t)result->id.ms, &f->sink.sink);
}

static void test_ledger_results_are_counted_by_one_and_applied_by_the_other(void **state)
{
    struct ledger_fixture *f = *state;
    struct result_entry first = result_of("1010-0", "r1", "s1"), again = result_of("1011-0", "r1", "s1"),
                        further = result_of("1012-0", "r2", "s1");

    feed_signal(f, "1000-0", "s1", "buy", "mt5-1");
    assert_true(count(&first));
    match(f, &first);
    assert_false(count(&again));
    assert_true(count(&further));
    match(f, &further);
    assert_totals(f, "buy", 1, 1, 0, 0, 0, 0);
    assert_unmatched(f, 0, 1, 0, 0, 0);
    ledger_view_results(results, &f->view);
    assert_int_equal(f->view.results[STATUS_EXECUTED], 2);
    assert_int_equal(f->view.unmatched[UNMATCHED_FOLLOWUP], 1);
    assert_int_equal(f->view.unmatched[UNMATCHED_DUPLICATE], 1);
}

static void test_ledger_was_duplicate_tells_of_what_is_kept(void **state)
{
    struct result_entry first = result_of("1010-0", "r1", "s1"), again = result_of("1011-0", "r1", "s1"),
                        other = result_of("1012-0", "r2", "s2"), unknown = result_of("1013-0", "r3", "s3");

    UNUSED(state);
    assert_true(count(&first));
    assert_false(ledger_was_duplicate(results, &first));
    assert_false(count(&again));
    assert_true(count(&other));
    assert_false(ledger_was_duplicate(results, &first));
    assert_true(ledger_was_duplicate(results, &again));
    assert_false(ledger_was_duplicate(results, &other));
    assert_false(ledger_was_duplicate(results, &unknown));
}

static void flush_results(struct ledger_fixture *f)
{
    recording_sink_reset(&f->sink);
    ledger_flush(results, entry_id("0-0"), 2000, &f->sink.sink);
}

/* Each trim is told once, however many flushes follow: a batch that holds nothing new must end. */
static void test_ledger_need_results_holds_the_trims(void **state)
{
    static const char *const entries[] = {"1010-0", "1011-0", "1012-0", "1013-0", "1014-0", "1015-0"};
    static const char *const ids[] = {"r0", "r1", "r2", "r3", "r4", "r5"};
    struct ledger_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        struct result_entry result = result_of(entries[i], ids[i], "s1");
        assert_true(count(&result));
    }
    ledger_need_results(results, entry_id("1011-0"));
    flush_results(f);
    assert_recorded_only(&f->sink, "tr", "trim results 1011-0\n");
    flush_results(f);
    assert_recorded_only(&f->sink, "tr", "");
    ledger_need_results(results, entry_id("1012-0"));
    flush_results(f);
    assert_recorded_only(&f->sink, "tr", "trim results 1012-0\n");
    ledger_need_results(results, entry_id("1020-0"));
    flush_results(f);
    assert_recorded_only(&f->sink, "tr", "trim results 1013-0\n");
    flush_results(f);
    assert_recorded_only(&f->sink, "tr", "");
}

struct told {
    unsigned count;
    enum event_kind kind;
    const struct instance *instance;
};

static void on_event(void *ctx, const struct instance *instance, const struct event *event)
{
    struct told *told = ctx;

    *told = (struct told){told->count + 1, event->kind, instance};
}

static void test_ledger_send_events_tells_no_sink(void **state)
{
    struct ledger_fixture *f = *state;
    struct told told = {0};

    ledger_send_events(f->ledger, on_event, &told);
    feed_signal(f, "1000-0", "s1", "buy", "mt5-1");
    assert_int_equal(end_late(f, 2000, 2000, true), 1);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.kind, EVENT_SIGNAL_DROPPED);
    assert_ptr_equal(told.instance, fleet_find(&f->fleet, slice_text("mt5-1")));
    assert_int_equal(recording_sink_count(&f->sink, "event"), 0);
    ledger_reset(f->ledger);
    feed_signal(f, "3000-0", "s2", "buy", NULL);
    assert_int_equal(end_late(f, 4000, 4000, true), 1);
    assert_int_equal(told.count, 2);
    assert_null(told.instance);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ledger_results_are_counted_by_one_and_applied_by_the_other),
        TEST(test_ledger_was_duplicate_tells_of_what_is_kept),
        TEST(test_ledger_need_results_holds_the_trims),
        TEST(test_ledger_send_events_tells_no_sink),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
