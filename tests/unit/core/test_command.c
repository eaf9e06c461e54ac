/* Commands: names and ids, and what becomes of answers (SPEC §7.2). */
#include "core/command.h"
#include "util/macros.h"
#include "watch_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct watch_fixture w;

    watch_fixture_init(&w);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    watch_fixture_clear(*state);
    return 0;
}

static void test_names_read_back(void **state)
{
    enum command_kind kind;
    enum command_status status;

    (void)state;
    for (int i = 0; i < COMMAND_KINDS; i++) {
        assert_true(command_kind_parse(slice_text(command_kind_name((enum command_kind)i)), &kind));
        assert_int_equal(kind, i);
    }
    assert_false(command_kind_parse(slice_text("Recover"), &kind));
    assert_false(command_kind_parse(slice_of(NULL, 0), &kind));
    for (int i = 0; i < COMMAND_STATUSES; i++)
        assert_int_equal(
            command_answer_parse(slice_text(command_status_name((enum command_status)i)), &status),
            i >= COMMAND_ACCEPTED && i <= COMMAND_FAILED);
    assert_true(command_answer_parse(slice_text("OK"), &status));
    assert_int_equal(status, COMMAND_OK);
}

static void test_command_id_names_instance_kind_and_number(void **state)
{
    char text[IDENT_COMMAND_MAX + 1], longest[IDENT_MAX + 1];
    enum command_kind kind;
    uint64_t number;
    size_t len;

    (void)state;
    len = command_id_format(text, slice_text("mt5-1"), COMMAND_RECOVER, 7);
    assert_string_equal(text, "mt5-1.recover.7");
    assert_int_equal(len, 15);
    memset(longest, 'x', IDENT_MAX);
    longest[IDENT_MAX] = '\0';
    len = command_id_format(text, slice_text(longest), COMMAND_REDISTRIBUTE, UINT64_MAX);
    assert_int_equal(strlen(text), len);
    assert_true(ident_is_valid(slice_of(text, len), IDENT_COMMAND_MAX));
    assert_true(command_id_parse(slice_of(text, len), slice_text(longest), &kind, &number));
    assert_int_equal(kind, COMMAND_REDISTRIBUTE);
    assert_true(number == UINT64_MAX);
}

static void test_command_id_parse(void **state)
{
    static const struct {
        const char *id, *instance;
        bool is_valid;
    } rows[] = {
        {"a.recover.1", "a", true},
        {"a.b.stop.12", "a.b", true},
        {"recover.1.stop.2", "recover.1", true},
        {"a.recover.18446744073709551615", "a", true},
        {"a.recover.18446744073709551616", "a", false},
        {"a.recover.1", "b", false},
        {"a.recover.1", "a.recover", false},
        {"a.recover.", "a", false},
        {"a.recover.x", "a", false},
        {"a.recover.-1", "a", false},
        {"a.recover.01", "a", false},
        {"a.Recover.1", "a", false},
        {"a.explode.1", "a", false},
        {"a.1", "a", false},
        {"recover.1", "", false},
        {"a", "a", false},
        {".", "", false},
        {"", "", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum command_kind kind;
        uint64_t number;
        bool is_valid =
            command_id_parse(slice_text(rows[i].id), slice_text(rows[i].instance), &kind, &number);

        if (is_valid != rows[i].is_valid)
            print_error("%s\n", rows[i].id);
        assert_int_equal(is_valid, rows[i].is_valid);
    }
}

/* What a report answers while a.restart.2 is under way, and a.restart.1 has ended. */
static void test_answers(void **state)
{
    static const struct {
        const char *report, *story;
        unsigned unknown, late;
        bool is_open;
    } rows[] = {
        {"command_id=a.restart.2 command_status=ok", "a.restart.2=ok", 0, 0, false},
        {"command_id=a.restart.2 command_status=failed command_error=why", "a.restart.2=failed", 0, 0, false},
        {"command_id=a.restart.2 command_status=failed", "a.restart.2=failed", 0, 0, false},
        {"command_id=a.restart.2 command_status=accepted", "", 0, 0, true},
        {"command_id=a.restart.1 command_status=ok", "", 0, 1, true},
        {"command_id=a.restart.1 command_status=failed", "", 0, 1, true},
        {"command_id=a.restart.3 command_status=ok", "", 1, 0, true},
        {"command_id=a.restart.0 command_status=ok", "", 1, 0, true},
        {"command_id=b.restart.2 command_status=ok", "", 1, 0, true},
        {"command_id=nonsense command_status=failed", "", 1, 0, true},
        {"command_id=a.restart.2", "", 0, 0, true},
        {"command_status=ok", "", 0, 0, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watch_fixture w;
        const struct watch_stats *stats;

        watch_fixture_init(&w);
        stats = &w.f.fleet.watch->stats;
        (void)watch_add(&w, 1000, "a", "");
        assert_true(watch_order(&w, 2000, "a", COMMAND_RESTART));
        watch_say(&w, 2500, "a", "command_id=a.restart.1 command_status=ok");
        assert_true(watch_order(&w, 3000, "a", COMMAND_RESTART));
        recording_sink_reset(&w.f.recorder);
        watch_say(&w, 4000, "a", rows[i].report);
        assert_story(&w, STORY_ACTS, rows[i].story);
        assert_int_equal(stats->answers_unknown, rows[i].unknown);
        assert_int_equal(stats->answers_late, rows[i].late);
        assert_int_equal(watch_find(&w, "a")->watched->record.command.is_open, rows[i].is_open);
        watch_fixture_clear(&w);
    }
}

static void test_answer_of_one_that_was_never_commanded_is_unknown(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "command_id=a.stop.1 command_status=ok");
    assert_int_equal(w->f.fleet.watch->stats.answers_unknown, 1);
    assert_true(
        fixture_report(&w->f, 3000, "b", "broker_id=b1 state=running command_id=b.stop.1 command_status=ok"));
    assert_int_equal(w->f.fleet.watch->stats.answers_unknown, 2);
}

static void test_each_answer_counts_once(void **state)
{
    struct watch_fixture *w = *state;
    const uint64_t *counts = w->f.fleet.watch->stats.commands[COMMAND_RECOVER];

    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "state=crashed");
    watch_say(w, 3000, "a", "command_id=a.recover.1 command_status=accepted");
    watch_say(w, 4000, "a", "command_id=a.recover.1 command_status=accepted");
    watch_say(w, 5000, "a", "command_id=a.recover.1 command_status=ok");
    watch_say(w, 6000, "a", "command_id=a.recover.1 command_status=ok");
    watch_say(w, 7000, "a", "state=running");
    watch_say(w, 8000, "a", "command_id=a.recover.1 command_status=ok");
    assert_story(w, STORY_ACTS, "a.recover.1 a.recover.1=ok");
    assert_int_equal(counts[COMMAND_ISSUED], 1);
    assert_int_equal(counts[COMMAND_ACCEPTED], 1);
    assert_int_equal(counts[COMMAND_OK], 1);
    assert_int_equal(w->f.fleet.watch->stats.answers_late, 1);
}

static void test_command_expires_when_nobody_answers(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    w->f.fleet.options.heartbeat_timeout_ms = 0;
    assert_true(watch_order(w, 2000, "a", COMMAND_RESTART));
    watch_run(w, 31999);
    assert_true(watch_find(w, "a")->watched->record.command.is_open);
    watch_run(w, 32000);
    assert_story(w, STORY_ACTS, "a.restart.1 a.restart.1=expired");
    watch_say(w, 33000, "a", "command_id=a.restart.1 command_status=ok");
    assert_int_equal(w->f.fleet.watch->stats.answers_late, 1);
}

static void test_state_that_was_asked_for_is_an_answer(void **state)
{
    static const struct {
        enum command_kind kind;
        const char *before, *after, *story;
    } rows[] = {
        {COMMAND_STOP, "state=running", "state=stopped", "a.stop.1=ok"},
        {COMMAND_STOP, "state=running", "state=restarting", ""},
        {COMMAND_START, "state=stopped", "state=running", "a.start.1=ok"},
        {COMMAND_START, "state=stopped", "state=restarting", ""},
        {COMMAND_RESTART, "state=restarting", "state=running", "a.restart.1=ok"},
        {COMMAND_RESTART, "state=running", "cpu_usage=1", ""},
        {COMMAND_RECOVER, "state=crashed", "state=running", "a.recover.1=ok"},
        {COMMAND_RECOVER, "state=running", "cpu_usage=1", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watch_fixture w;

        watch_fixture_init(&w);
        w.options.rules.count = 0;
        watch_fixture_configure(&w);
        (void)watch_add(&w, 1000, "a", rows[i].before);
        assert_true(watch_order(&w, 2000, "a", rows[i].kind));
        recording_sink_reset(&w.f.recorder);
        watch_say(&w, 3000, "a", rows[i].after);
        assert_story(&w, STORY_ACTS, rows[i].story);
        watch_fixture_clear(&w);
    }
}

static void test_entry_has_every_field(void **state)
{
    struct watch_fixture *w = *state;
    struct instance *a = watch_add(w, 1000, "a", "");

    a->open_trades = 3;
    watch_say(w, 2000, "a", "state=crashed");
    assert_recorded_only(
        &w->f.recorder, "command ",
        "command recover command_id=a.recover.1 instance_id=a reason=InstanceCrash: recovery "
        "attempt 1 of 3 attempt=1 issued=2000 expires=32000 open_trades=3\n");
    watch_order(w, 3000, "a", COMMAND_STOP);
    assert_recorded_only(&w->f.recorder, "command ",
                         "command cancel command_id=a.cancel.2 instance_id=a reason=replaced by stop "
                         "issued=3000 expires=33000 open_trades=3 cancels=a.recover.1\n"
                         "command stop command_id=a.stop.3 instance_id=a reason=asked for by an operator "
                         "issued=3000 expires=33000 open_trades=3\n");
    watch_say(w, 4000, "a", "command_id=a.cancel.2 command_status=accepted");
    watch_say(w, 4000, "a", "command_id=a.cancel.2 command_status=ok");
    assert_story(w, STORY_ACTS, "a.cancel.2=ok");
    watch_say(w, 4000, "a", "command_id=a.cancel.2 command_status=ok");
    assert_story(w, STORY_ACTS, "");
    assert_int_equal(w->f.fleet.watch->stats.answers_late, 1);
}

static void test_operators_command_shares_its_cause(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    assert_true(watch_order(w, 2000, "a", COMMAND_STOP));
    assert_recorded(
        &w->f.recorder,
        "begin operator-2000-0\n"
        "command stop command_id=a.stop.1 instance_id=a reason=asked for by an operator issued=2000 "
        "expires=32000\n"
        "event command_issued instance_id=a seq=3 at=1970-01-01T00:00:02Z reason=asked for by an "
        "operator command_id=a.stop.1 correlation_id=operator-2000-0\n"
        "watch a commands=1 open=stop.1 by_operator expires=32000\n"
        "set instance a desired_state=stopped last_updated_at=1970-01-01T00:00:02Z\n");
    watch_say(w, 3000, "a", "command_id=a.stop.1 command_status=failed command_error=busy");
    assert_recorded_only(&w->f.recorder, "event command_completed",
                         "event command_completed instance_id=a seq=4 at=1970-01-01T00:00:03Z reason=failed: "
                         "busy command_id=a.stop.1 correlation_id=operator-2000-0\n");
}

static void test_write_by_others_is_a_sign_of_life(void **state)
{
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_ADOPTED, {32000, 0}};
    struct instance_record record;

    (void)watch_add(w, 1000, "a", "");
    watch_run(w, 31001);
    record = record_of(watch_find(w, "a"));
    record_write(&record, "state=running");
    assert_int_equal(fleet_adopt(&w->f.fleet, slice_text("a"), &record, true, &cause, 32000, w->f.sink),
                     ADOPT_FOLLOWED);
    assert_story(w, STORY_ACTS, "a.recover.1 a.cancel.2>a.recover.1 a.recover.1=cancelled");
    assert_false(watch_find(w, "a")->watched->record.is_silent);
}

static void test_removed_instance_is_left_alone(void **state)
{
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_OPERATOR, {3000, 0}};

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_run(w, 2000);
    recording_sink_reset(&w->f.recorder);
    fleet_remove(&w->f.fleet, watch_find(w, "a"), slice_text("gone"), &cause, 3000, w->f.sink);
    assert_int_equal(recording_sink_count(&w->f.recorder, "unset_watch a"), 1);
    assert_int_equal(recording_sink_count(&w->f.recorder, "unset_alert a HighQueueLength"), 1);
    assert_story(w, STORY_ACTS | STORY_ALERTS | STORY_NOTICES,
                 "a.cancel.2>a.throttle.1 a.throttle.1=cancelled a-HighQueueLength over(a:HighQueueLength) "
                 "unthrottled(a)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_read_back),
        cmocka_unit_test(test_command_id_names_instance_kind_and_number),
        cmocka_unit_test(test_command_id_parse),
        cmocka_unit_test(test_answers),
        cmocka_unit_test_setup_teardown(test_answer_of_one_that_was_never_commanded_is_unknown, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_each_answer_counts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_command_expires_when_nobody_answers, setup, teardown),
        cmocka_unit_test(test_state_that_was_asked_for_is_an_answer),
        cmocka_unit_test_setup_teardown(test_entry_has_every_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_operators_command_shares_its_cause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_by_others_is_a_sign_of_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removed_instance_is_left_alone, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
