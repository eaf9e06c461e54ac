/* ledger_list_open: pages of open signals hold still, wherever they begin. */
#include "ledger_fixture.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#define SIGNALS 60

static void feed(struct ledger_fixture *f, unsigned number)
{
    char entry[32], id[16];

    (void)snprintf(entry, sizeof(entry), "%u-%u", 1000 + number / 3, number % 3);
    (void)snprintf(id, sizeof(id), "s%u", number);
    feed_signal(f, entry, id, number % 2 ? "buy" : "sell", number % 5 ? NULL : "mt5-1");
}

static void end(struct ledger_fixture *f, unsigned number)
{
    char entry[32], id[16], result_id[16];

    (void)snprintf(entry, sizeof(entry), "1100-%u", number);
    (void)snprintf(id, sizeof(id), "s%u", number);
    (void)snprintf(result_id, sizeof(result_id), "r%u", number);
    feed_result(f, entry, result_id, id, "executed");
}

static unsigned number_of(const struct ledger_signal *signal)
{
    return (unsigned)(signal->place.entry.ms - 1000) * 3 + (unsigned)signal->place.entry.seq;
}

/* What is listed behind NUMBER, found by its place with or without the id, is every open one, in order. */
static void assert_behind(const struct ledger_fixture *f, unsigned number, bool with_id, const bool *is_open)
{
    struct ledger_signal found[SIGNALS];
    char id[16];
    struct ledger_place after = {.entry = {1000 + number / 3, number % 3}};
    size_t count, next = 0;

    (void)snprintf(id, sizeof(id), "s%u", number);
    after.signal_id = slice_text(with_id ? id : "");
    count = ledger_list_open(f->ledger, &after, found, SIGNALS);
    for (unsigned i = number + 1; i < SIGNALS; i++) {
        if (!is_open[i])
            continue;
        assert_true(next < count);
        assert_int_equal(number_of(&found[next++]), i);
    }
    assert_int_equal(next, count);
}

static void test_ledger_list_open_from_anywhere(void **state)
{
    struct ledger_fixture *f = *state;
    bool is_open[SIGNALS];

    for (unsigned i = 0; i < SIGNALS; i++) {
        feed(f, i);
        is_open[i] = i % 7 != 3 && i > 4 && i < SIGNALS - 2;
    }
    for (unsigned i = 0; i < SIGNALS; i++) {
        if (!is_open[i])
            end(f, i);
    }
    for (unsigned i = 0; i < SIGNALS; i++) {
        assert_behind(f, i, true, is_open);
        assert_behind(f, i, false, is_open);
    }
}

static void test_ledger_list_open_tells_all(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_place begin = {.entry = {0, 0}};
    struct ledger_signal found[4];

    assert_int_equal(ledger_list_open(f->ledger, &begin, found, 4), 0);
    feed_signal(f, "1000-0", "s1", "buy", "mt5-1");
    feed_signal(f, "1001-0", "s2", "sell", "nobody");
    feed_signal(f, "1002-0", "s3", "sell", NULL);
    feed_result(f, "1003-0", "r1", "s2", "accepted");
    assert_int_equal(ledger_list_open(f->ledger, &begin, found, 2), 2);
    assert_true(slice_is(found[0].place.signal_id, "s1"));
    assert_true(slice_is(found[0].action, "buy"));
    assert_true(slice_is(found[0].instance_id, "mt5-1"));
    assert_false(found[0].is_accepted);
    assert_true(slice_is(found[1].action, "sell"));
    assert_int_equal(found[1].instance_id.len, 0);
    assert_true(found[1].is_accepted);
    begin.entry = (struct stream_id){UINT64_MAX, UINT64_MAX};
    assert_int_equal(ledger_list_open(f->ledger, &begin, found, 4), 0);
    begin = found[1].place; /* under another's id: its entry counts */
    begin.signal_id = slice_text("s1");
    assert_int_equal(ledger_list_open(f->ledger, &begin, found, 4), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ledger_list_open_from_anywhere, ledger_fixture_setup,
                                        ledger_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ledger_list_open_tells_all, ledger_fixture_setup,
                                        ledger_fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
