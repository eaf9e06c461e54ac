/* The silent sink: whoever begins with it has an answer to everything that the core can say. */
#include "core/sink.h"
#include "fleet_fixture.h"
#include "util/macros.h"
#include "watch_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef void (*any_function)(void);

/* One that was forgotten would be called all the same. */
static void test_sink_ops_silent_has_every_function(void **state)
{
    any_function functions[sizeof(sink_ops_silent) / sizeof(any_function)];

    UNUSED(state);
    memcpy(functions, &sink_ops_silent, sizeof(functions));
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        assert_true(functions[i] != NULL);
}

static void test_sink_ops_silent_takes_everything(void **state)
{
    const struct sink_ops *ops = &sink_ops_silent;
    struct slice none = {NULL, 0};
    struct stream_id id = {1, 2};

    UNUSED(state);
    ops->begin(NULL, NULL);
    ops->record_set(NULL, RECORD_TRADE, none, NULL, 0);
    ops->record_unset(NULL, RECORD_TRADE, none, NULL, 0);
    ops->record_remove(NULL, RECORD_TRADE, none);
    ops->record_expire(NULL, RECORD_TRADE, none, 1);
    ops->index_move(NULL, INDEX_TRADE_STATE, none, NULL, NULL);
    ops->load_set(NULL, none, 0.5);
    ops->load_remove(NULL, none);
    ops->event(NULL, NULL);
    ops->seq_set(NULL, none, 1);
    ops->seq_forget(NULL, none);
    ops->reject(NULL, NULL, none);
    ops->watch_set(NULL, none, NULL);
    ops->watch_unset(NULL, none);
    ops->alert_set(NULL, none, NULL);
    ops->alert_unset(NULL, none, none);
    ops->notice_set(NULL, NULL);
    ops->notice_unset(NULL, NULL);
    ops->breaker_set(NULL, NULL);
    ops->breaker_unset(NULL, NULL);
    ops->throttled_set(NULL, none, true);
    ops->command(NULL, NULL);
    ops->notify(NULL, NULL, NULL);
    ops->journal_received(NULL, none, id, none, none);
    ops->journal_accepted(NULL, none, 1);
    ops->journal_ended(NULL, none, OUTCOME_LOST);
    ops->journal_early(NULL, none, none, id);
    ops->journal_trim(NULL, 1);
    ops->signal_drop(NULL, id, 1);
    ops->signals_delete(NULL, NULL, 0);
    ops->signals_trim(NULL, id);
    ops->signals_left(NULL, id);
    ops->results_delete(NULL, NULL, 0);
    ops->results_trim(NULL, id);
    ops->total_set(NULL, TOTAL_LOST, none, 1);
}

/* What the core does is the same, whoever listens. */
static void test_sink_ops_silent_changes_nothing(void **state)
{
    struct sink silent = {&sink_ops_silent, NULL};
    struct watch_fixture fleets[2];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(fleets); i++) {
        struct watch_fixture *w = &fleets[i];

        watch_fixture_init(w);
        if (i == 1)
            w->f.sink = &silent;
        (void)watch_add(w, 1000, "a", "queue_length=500 cpu_usage=90");
        (void)watch_add(w, 1000, "b", "");
        watch_say(w, 2000, "b", "state=crashed");
        watch_say(w, 3000, "a", "command_id=a.throttle.1 command_status=ok queue_length=1");
        watch_run(w, 40000);
    }
    for (const char *id = "ab"; *id; id++) {
        const char name[] = {*id, '\0'};
        const struct instance *x = watch_find(&fleets[0], name), *y = watch_find(&fleets[1], name);

        assert_int_equal(x->state, y->state);
        assert_int_equal(x->health, y->health);
        assert_int_equal(x->seq, y->seq);
        assert_int_equal(x->watched->record.commands, y->watched->record.commands);
    }
    assert_int_equal(fleets[1].f.recorder.count, 0);
    for (size_t i = 0; i < ARRAY_LEN(fleets); i++)
        watch_fixture_clear(&fleets[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sink_ops_silent_has_every_function),
        cmocka_unit_test(test_sink_ops_silent_takes_everything),
        cmocka_unit_test(test_sink_ops_silent_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
