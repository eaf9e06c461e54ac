/* core/ledger.h: the memory of a burst goes back once it is over, and all is as it was. */
#include "../../../src/core/ledger_private.h"
#include "ledger_fixture.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define MANY 70000U

/* The times of all are one: nothing is late. */
static void feed(struct ledger_fixture *f, uint64_t seq, unsigned number, bool is_result)
{
    char id[IDENT_MAX];
    struct signal_entry signal = {.id = {1000, seq}, .action = SLICE("buy")};
    struct result_entry result = {.id = {1000, seq}, .status = STATUS_EXECUTED};

    (void)snprintf(id, sizeof(id), "s%0*u", number % 3 == 0 ? 50 : 1, number); /* some are long */
    signal.signal_id = result.signal_id = result.result_id = slice_text(id);
    if (is_result)
        ledger_on_result(f->ledger, &result, 1000, &f->sink.sink);
    else
        ledger_on_signal(f->ledger, &signal, &f->sink.sink);
    recording_sink_reset(&f->sink);
}

static void start(struct ledger_fixture *f)
{
    struct ledger_options options = ledger_fixture_options();

    options.max_tracked = 4 * MANY;
    ledger_fixture_restart(f, &options);
}

static void test_ledger_flush_gives_back_what_many_signals_took(void **state)
{
    struct ledger_fixture *f = *state;

    start(f);
    for (unsigned i = 0; i < MANY; i++)
        feed(f, i, i, false);
    for (unsigned i = 0; i + 1 < MANY; i++)
        feed(f, i, i, true);
    flush(f, "1000-70000", 1000);
    assert_true(f->ledger->open.cap >= MANY); /* one is open */
    assert_int_equal(f->ledger->removed_signals.cap, 0);
    feed(f, MANY, MANY - 1, true);
    flush(f, "1000-70000", 1000);
    assert_int_equal(f->ledger->open.cap, 0);
    assert_int_equal(f->ledger->open.long_cap, 0);
    feed(f, MANY + 1, MANY, false);
    feed(f, MANY + 1, MANY, true);
    flush(f, "1000-70001", 1000);
    assert_totals(f, "buy", MANY + 1, MANY + 1, 0, 0, 0, 0);
}

static void test_ledger_flush_gives_back_what_many_repetitions_took(void **state)
{
    struct ledger_fixture *f = *state;

    start(f);
    for (unsigned i = 0; i < MANY; i++)
        feed(f, i, 1, false);
    feed(f, MANY, 2, false);
    flush(f, "1000-70000", 1000);
    assert_true(f->ledger->open.duplicate_cap >= MANY - 1);
    feed(f, 1, 1, true);
    feed(f, 2, 2, true);
    flush(f, "1000-70000", 1000);
    assert_int_equal(f->ledger->open.duplicate_cap, 0);
    assert_totals(f, "buy", 2, 2, 0, 0, 0, MANY - 1);
}

static void test_ledger_flush_gives_back_what_many_early_results_took(void **state)
{
    struct ledger_fixture *f = *state;

    start(f);
    for (unsigned i = 0; i < MANY; i++)
        feed(f, i, i, true);
    feed(f, 7, 7, false);
    flush(f, "1000-7", 1000);
    assert_totals(f, "buy", 1, 1, 0, 0, 0, 0);
    assert_true(f->ledger->early.cap >= MANY);
    ledger_expire(f->ledger, 2001, 2001);
    flush(f, "1000-7", 2001);
    assert_int_equal(f->ledger->early.cap, 0);
    assert_unmatched(f, 1, 0, 0, MANY - 1, 0);
    feed(f, MANY, MANY, true);
    feed(f, MANY, MANY, false);
    flush(f, "1000-70000", 2001);
    assert_totals(f, "buy", 2, 2, 0, 0, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ledger_fixture_setup, ledger_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ledger_flush_gives_back_what_many_signals_took),
        TEST(test_ledger_flush_gives_back_what_many_repetitions_took),
        TEST(test_ledger_flush_gives_back_what_many_early_results_took),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
