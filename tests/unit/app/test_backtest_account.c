/* What a backtest finds, told as the core tells it. */
#include "app/backtest_account.h"
#include "core/breaker.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct hash_key key = {1, 2};

struct fixture {
    struct rule_set rules;
    struct account account;
};

static void init(struct fixture *f)
{
    rule_set_init(&f->rules);
    rule_set_find(&f->rules, slice_text("SocketFailure"))->enabled = false;
    account_init(&f->account, &f->rules, key);
}

static void tell(struct fixture *f, enum event_kind kind, const char *id, const char *alert, int64_t at_ms)
{
    struct event event = {.kind = kind,
                          .instance_id = slice_text(id),
                          .alert = slice_text(alert),
                          .at_ms = at_ms,
                          .has_value = true,
                          .value = 5};

    f->account.sink.ops->event(f->account.sink.ctx, &event);
}

static void command(struct fixture *f, const char *id, const char *command_id, const char *alert)
{
    struct event event = {.kind = EVENT_COMMAND_ISSUED,
                          .instance_id = slice_text(id),
                          .command_id = slice_text(command_id),
                          .alert = slice_text(alert)};

    f->account.sink.ops->event(f->account.sink.ctx, &event);
}

static const struct account_rule *row_of(const struct fixture *f, const char *name)
{
    for (uint32_t i = 0; i < f->account.rule_count; i++)
        if (slice_is(ident_slice(&f->account.rules[i].name), name))
            return &f->account.rules[i];
    return NULL;
}

static void test_account_counts_firings(void **state)
{
    struct fixture f;

    UNUSED(state);
    init(&f);
    tell(&f, EVENT_ALERT_FIRING, "a", "InstanceCrash", 1000);
    tell(&f, EVENT_ALERT_FIRING, "b", "InstanceCrash", 1500);
    tell(&f, EVENT_ALERT_RESOLVED, "a", "InstanceCrash", 3000);
    tell(&f, EVENT_ALERT_RESOLVED, "a", "InstanceCrash", 9000); /* it does not fire */
    tell(&f, EVENT_ALERT_FIRING, "a", "InstanceCrash", 4000);
    tell(&f, EVENT_ALERT_FIRING, "a", "SocketFailure", 4000); /* no rule of ours */
    account_finish(&f.account, 5000);
    const struct account_rule *row = row_of(&f, "InstanceCrash");
    assert_int_equal(row->firings, 3);
    assert_int_equal(row->owners, 2);
    assert_int_equal(row->total_ms, 2000 + 1000 + 3500);
    assert_int_equal(row->longest_ms, 3500);
    assert_null(row_of(&f, "SocketFailure"));
    assert_int_equal(f.account.firing_count, 3);
    assert_int_equal(f.account.firings[0].to_ms, 3000);
    assert_int_equal(f.account.firings[2].to_ms, ACCOUNT_OPEN);
    assert_int_equal(account_length_ms(&f.account.firings[2], 5000), 1000);
    account_clear(&f.account);
}

static void test_account_counts_deeds(void **state)
{
    struct fixture f;

    UNUSED(state);
    init(&f);
    tell(&f, EVENT_ALERT_FIRING, "a", "InstanceCrash", 1000);
    command(&f, "a", "a.recover.1", "InstanceCrash");
    command(&f, "a", "a.recover.2", "InstanceCrash");
    command(&f, "a", "a.unthrottle.3", "");
    command(&f, "a", "something", "InstanceCrash");
    account_note_hold(&f.account, slice_text("a"), COMMAND_RECOVER, HOLD_COOLDOWN,
                      slice_text("InstanceCrash"));
    account_note_hold(&f.account, slice_text("a"), COMMAND_RECOVER, HOLD_COOLDOWN,
                      slice_text("InstanceCrash"));
    account_note_hold(&f.account, slice_text("b"), COMMAND_UNTHROTTLE, HOLD_BREAKER, slice_text(""));
    const struct account_rule *row = row_of(&f, "InstanceCrash");
    assert_int_equal(row->commands[COMMAND_RECOVER], 2);
    assert_int_equal(row->held[COMMAND_RECOVER][HOLD_COOLDOWN], 2);
    assert_int_equal(f.account.firings[0].deeds.commands[COMMAND_RECOVER], 2);
    assert_int_equal(f.account.firings[0].deeds.held[COMMAND_RECOVER], 1U << HOLD_COOLDOWN);
    row = row_of(&f, "");
    assert_int_equal(row->commands[COMMAND_UNTHROTTLE], 1);
    assert_int_equal(row->held[COMMAND_UNTHROTTLE][HOLD_BREAKER], 1);
    account_clear(&f.account);
}

static void test_account_knows_groups(void **state)
{
    struct breaker_group group = {.key_len = 9, .key = "broker:b1", .opened_ms = 400, .crashed = 5};
    struct fixture f;

    UNUSED(state);
    init(&f);
    f.account.sink.ops->breaker_set(f.account.sink.ctx, &group);
    f.account.sink.ops->breaker_set(f.account.sink.ctx, &group);
    f.account.now_ms = 900;
    f.account.sink.ops->breaker_unset(f.account.sink.ctx, &group);
    assert_int_equal(f.account.firing_count, 1);
    assert_true(f.account.firings[0].from_ms == 400 && f.account.firings[0].to_ms == 900);
    assert_true(slice_is(account_owner(&f.account.tracks[0]), "broker:b1"));
    assert_int_equal(row_of(&f, "FleetFailure")->total_ms, 500);
    account_clear(&f.account);
}

/* What fired before is counted from when it became known, and no earlier. */
static void test_account_counts_from_when_it_knows(void **state)
{
    struct breaker_group group = {.key_len = 9, .key = "broker:b1"};
    struct alert alert = {.status = ALERT_FIRING, .fired_ms = 100, .value = STATE_CRASHED};
    struct fixture f;

    UNUSED(state);
    init(&f);
    ident_set(&alert.name, slice_text("InstanceCrash"));
    f.account.now_ms = 5000;
    account_add_loaded(&f.account, slice_text("a"), &alert);
    account_add_loaded_group(&f.account, slice_of(group.key, group.key_len), 200, 5);
    account_finish(&f.account, 6000);
    assert_int_equal(row_of(&f, "InstanceCrash")->total_ms, 1000);
    assert_int_equal(row_of(&f, "FleetFailure")->longest_ms, 1000);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(f.account.firings[i].was_there);
        assert_int_equal(account_length_ms(&f.account.firings[i], 6000), 1000);
    }
    assert_true(row_of(&f, "InstanceCrash")->is_about_state && !row_of(&f, "FleetFailure")->is_about_state);
    account_clear(&f.account);
}

static void test_account_sort_orders(void **state)
{
    struct fixture f;
    uint32_t *places;

    UNUSED(state);
    init(&f);
    tell(&f, EVENT_ALERT_FIRING, "b", "InstanceCrash", 10);
    tell(&f, EVENT_ALERT_FIRING, "a", "InstanceCrash", 20);
    tell(&f, EVENT_ALERT_FIRING, "a", "HighCpuUsage", 30);
    tell(&f, EVENT_ALERT_FIRING, "a", "NetworkFailure", 5);
    static const uint32_t by_rule[] = {2, 3, 0, 1}, by_name[] = {2, 1, 0, 3};
    places = account_sort(&f.account, false);
    assert_memory_equal(places, by_rule, sizeof by_rule);
    free(places);
    places = account_sort(&f.account, true);
    assert_memory_equal(places, by_name, sizeof by_name);
    free(places);
    account_clear(&f.account);
}

static void test_account_is_bounded(void **state)
{
    struct fixture f;

    UNUSED(state);
    init(&f);
    for (uint32_t i = 0; i < ACCOUNT_FIRINGS_MAX + 10; i++) {
        tell(&f, EVENT_ALERT_FIRING, "a", "InstanceCrash", 2 * (int64_t)i);
        command(&f, "a", "a.recover.1", "InstanceCrash");
        tell(&f, EVENT_ALERT_RESOLVED, "a", "InstanceCrash", 2 * (int64_t)i + 1);
    }
    assert_int_equal(f.account.firing_count, ACCOUNT_FIRINGS_MAX);
    assert_int_equal(f.account.left_out, 10);
    assert_int_equal(row_of(&f, "InstanceCrash")->firings, ACCOUNT_FIRINGS_MAX + 10);
    assert_int_equal(row_of(&f, "InstanceCrash")->total_ms, ACCOUNT_FIRINGS_MAX + 10);
    assert_int_equal(row_of(&f, "InstanceCrash")->commands[COMMAND_RECOVER], ACCOUNT_FIRINGS_MAX + 10);
    account_clear(&f.account);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_account_counts_firings),
        cmocka_unit_test(test_account_counts_deeds),
        cmocka_unit_test(test_account_knows_groups),
        cmocka_unit_test(test_account_sort_orders),
        cmocka_unit_test(test_account_is_bounded),
        cmocka_unit_test(test_account_counts_from_when_it_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
