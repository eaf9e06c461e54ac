/* The chain of causes (SPEC §8.2): its bound, and what stands in it. */
#include "core/why.h"
#include "util/errmsg.h"
#include "util/macros.h"
#include "watch_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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

static struct why_step get(const struct why *why, uint32_t number)
{
    struct why_place place = {0};
    struct why_step step;

    for (uint32_t i = 0; i <= number; i++)
        assert_true(why_next(why, &place, &step));
    return step;
}

static void test_newest_64_steps_are_kept(void **state)
{
    struct why why = {0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char alert[32], reason[16];
        struct why_step step = {.at_ms = i, .status = "x"};

        (void)snprintf(alert, sizeof(alert), "alert%d", i);
        (void)snprintf(reason, sizeof(reason), "%d", i);
        step.alert = slice_text(alert);
        step.reason = slice_text(reason);
        why_add(&why, &step);
        assert_int_equal(why.count, i < WHY_STEPS ? i + 1 : WHY_STEPS);
        assert_int_equal(get(&why, why.count - 1).at_ms, i);
        assert_true(why.len <= why.bytes);
        assert_int_equal(get(&why, 0).at_ms, i < WHY_STEPS ? 0 : i - WHY_STEPS + 1);
    }
    for (uint32_t i = 0; i < why.count; i++) {
        char reason[16];

        (void)snprintf(reason, sizeof(reason), "%d", 1000 - WHY_STEPS + (int)i);
        assert_true(slice_is(get(&why, i).reason, reason));
        assert_int_equal(get(&why, i).alert.len, strlen(reason) + 5);
        assert_int_equal(get(&why, i).command_id.len, 0);
    }
    why_clear(&why);
    assert_int_equal(why.count, 0);
}

static void assert_step(const struct why_step *step, const struct why_step *expected)
{
    assert_int_equal(step->kind, expected->kind);
    assert_int_equal(step->at_ms, expected->at_ms);
    assert_string_equal(step->status, expected->status ? expected->status : "");
    assert_int_equal(step->has_value, expected->has_value);
    assert_int_equal(step->has_threshold, expected->has_threshold);
    assert_memory_equal(&step->value, &expected->value, sizeof(double));
    assert_memory_equal(&step->threshold, &expected->threshold, sizeof(double));
    assert_int_equal(step->cause.kind, expected->cause.kind);
    assert_int_equal(step->cause.id.ms, expected->cause.id.ms);
    assert_int_equal(step->cause.id.seq, expected->cause.id.seq);
    assert_true(slice_equal(step->alert, expected->alert));
    assert_true(slice_equal(step->command_id, expected->command_id));
    assert_true(slice_equal(step->reason, expected->reason));
}

/* What comes from outside may be anything: IDs of entries, clocks, values. */
static void test_what_was_added_is_there(void **state)
{
    const struct why_step steps[] = {
        {.kind = WHY_SAMPLE, .at_ms = 1700000000000, .has_value = true, .value = -0.0},
        {.kind = WHY_ANSWER,
         .at_ms = INT64_MAX,
         .status = "ok",
         .cause = {CAUSE_OPERATOR, {0, UINT64_MAX}},
         .has_threshold = true,
         .threshold = 1e308},
        {.kind = WHY_COMMAND,
         .at_ms = INT64_MIN,
         .status = "",
         .cause = {CAUSE_REPORT, {UINT64_MAX, 127}},
         .alert = SLICE("a"),
         .command_id = SLICE("b.recover.1"),
         .reason = SLICE("c")},
        {.kind = WHY_DECISION,
         .at_ms = 0,
         .has_value = true,
         .has_threshold = true,
         .value = 1,
         .threshold = -2.5,
         .cause = {CAUSE_TIMER, {1, 128}},
         .reason = SLICE("with a \0 in it")},
        {.kind = WHY_ALERT, .at_ms = 1699999999999, .cause = {CAUSE_ADOPTED, {1699999999999, 0}}},
    };
    struct why_words words = {0};

    (void)state;
    for (int round = 0; round < 2; round++) {
        struct why why = {.words = round == 0 ? NULL : &words};

        for (size_t i = 0; i < 3 * WHY_STEPS; i++) {
            why_add(&why, &steps[i % ARRAY_LEN(steps)]);
            for (uint32_t k = 0; k < why.count; k++) {
                struct why_step step = get(&why, k);

                assert_step(&step, &steps[(i + 1 - why.count + k) % ARRAY_LEN(steps)]);
            }
        }
        why_clear(&why);
    }
    assert_int_equal(words.count, 4); /* ok, a, c, and the one with a NUL */
    why_words_clear(&words);
}

/* The number in letters, so that it may be a word. */
static struct slice spell(char out[8], unsigned number)
{
    size_t len = 0;

    do
        out[len++] = (char)('a' + number % 26);
    while ((number /= 26) > 0);
    return slice_of(out, len);
}

static void test_words_are_shared_and_bounded(void **state)
{
    struct why_words words = {0};
    struct why first = {.words = &words}, second = {.words = &words};
    char text[8];

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        why_add(&first, &(struct why_step){.status = "firing", .reason = spell(text, i)});
        why_add(&second, &(struct why_step){.status = "firing", .reason = spell(text, i / 2)});
        assert_true(slice_equal(get(&first, first.count - 1).reason, spell(text, i)));
        assert_true(slice_equal(get(&second, second.count - 1).reason, spell(text, i / 2)));
    }
    assert_int_equal(words.count, WHY_WORDS);
    for (unsigned i = 0; i < WHY_STEPS; i++) {
        assert_string_equal(get(&first, i).status, "firing");
        assert_true(slice_equal(get(&first, i).reason, spell(text, 2000 - WHY_STEPS + i)));
    }
    why_clear(&first);
    why_clear(&second);
    why_words_clear(&words);
}

/* What is said once takes no place of a word. */
static void test_numbers_and_long_texts_are_no_words(void **state)
{
    struct why_words words = {0};
    struct why why = {.words = &words};
    char text[100];

    (void)state;
    memset(text, 'x', sizeof(text));
    why_add(&why, &(struct why_step){.status = "a1",
                                     .alert = slice_of(text, 63),
                                     .command_id = SLICE("mt"),
                                     .reason = slice_of(text, sizeof(text))});
    assert_int_equal(words.count, 0);
    why_add(&why, &(struct why_step){.alert = slice_of(text, 62)});
    assert_int_equal(words.count, 1);
    assert_int_equal(get(&why, 0).reason.len, sizeof(text));
    assert_int_equal(get(&why, 1).alert.len, 62);
    why_clear(&why);
    why_words_clear(&words);
}

static void test_memory_of_long_reasons_is_given_back(void **state)
{
    char reason[1024];
    struct why why = {0};

    (void)state;
    memset(reason, 'r', sizeof(reason));
    for (int i = 0; i < WHY_STEPS; i++)
        why_add(&why, &(struct why_step){.status = "x", .reason = slice_of(reason, sizeof(reason))});
    assert_true(why.bytes > WHY_STEPS * sizeof(reason));
    for (int i = 0; i < WHY_STEPS; i++)
        why_add(&why, &(struct why_step){.status = "x"});
    assert_true(why.bytes < 4096);
    why_clear(&why);
}

static void test_names(void **state)
{
    static const char *const kinds[] = {"sample", "alert", "decision", "command", "answer"};
    static const char *const holds[] = {"",         "maintenance",    "guard",       "breaker",
                                        "cooldown", "max_concurrent", "launch_mode", "observe_only",
                                        "disarmed", "no_target",      "under_way"};

    (void)state;
    assert_int_equal(ARRAY_LEN(kinds), WHY_KINDS);
    assert_int_equal(ARRAY_LEN(holds), HOLDS);
    for (int i = 0; i < WHY_KINDS; i++)
        assert_string_equal(why_kind_name((enum why_kind)i), kinds[i]);
    for (int i = 0; i < HOLDS; i++)
        assert_string_equal(hold_name((enum hold)i), holds[i]);
}

/* Each step of ID as a line. */
static void assert_chain(const struct watch_fixture *w, const char *id, const char *expected)
{
    const struct why *why = &watch_find(w, id)->watched->why;
    struct why_place place = {0};
    struct why_step next, *step = &next;
    char text[8192];
    size_t len = 0;

    text[0] = '\0';
    while (why_next(why, &place, &next)) {
        char cause[CAUSE_TEXT_MAX], value[64] = "";

        (void)cause_format(cause, &step->cause);
        if (step->has_value)
            (void)snprintf(value, sizeof(value), " %g/%g", step->value, step->threshold);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%lld %s %s%s %.*s %.*s [%.*s] %s\n",
                                (long long)step->at_ms, why_kind_name(step->kind), step->status, value,
                                (int)step->alert.len, step->alert.data ? step->alert.data : "",
                                (int)step->command_id.len, step->command_id.data ? step->command_id.data : "",
                                (int)step->reason.len, step->reason.data ? step->reason.data : "", cause);
    }
    if (strcmp(text, expected) != 0)
        print_error("chain:\n%sexpected:\n%s", text, expected);
    assert_string_equal(text, expected);
}

static void test_chain_from_sample_to_answer(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "cpu_usage=92.5");
    watch_run(w, 12001);
    watch_say(w, 13000, "a", "command_id=a.recover.1 command_status=accepted");
    watch_say(w, 14000, "a", "command_id=a.recover.1 command_status=ok cpu_usage=7");
    assert_chain(w, "a",
                 "2000 sample pending 92.5/80 HighCpuUsage  [] report-2000-0\n"
                 "12001 alert firing 92.5/80 HighCpuUsage  [cpu_usage > 80 for 10000 ms] report-2000-0\n"
                 "12001 decision recover HighCpuUsage  [attempt 1 of 3 now] report-2000-0\n"
                 "12001 command issued HighCpuUsage a.recover.1 [HighCpuUsage: recovery attempt 1 of 3] "
                 "report-2000-0\n"
                 "13000 answer accepted HighCpuUsage a.recover.1 [] report-2000-0\n"
                 "14000 answer ok HighCpuUsage a.recover.1 [] report-2000-0\n"
                 "14000 alert resolved 7/80 HighCpuUsage  [the condition does not hold any more] "
                 "report-2000-0\n");
}

static void test_chain_of_giving_up(void **state)
{
    struct watch_fixture *w = *state;

    w->options.recovery.max_attempts = 1;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "");
    watch_say(w, 2000, "a", "state=crashed");
    watch_say(w, 3000, "a", "command_id=a.recover.1 command_status=failed command_error=broken");
    assert_int_equal(count_why(w, "a", "failed", "broken"), 1);
    assert_int_equal(count_why(w, "a", "give up", "after 1 attempts"), 1);
    assert_int_equal(count_why(w, "a", "stop", NULL), 1);
    assert_int_equal(count_why(w, "a", "issued", "RecoveryFailure"), 1);
    watch_run(w, 40000);
    assert_true(watch_order(w, 40000, "a", COMMAND_RECOVER));
    assert_int_equal(count_why(w, "a", "armed", NULL), 1);
}

/* However often it is looked at, a hold is noted when it begins, and again when it is another. */
static void test_hold_is_noted_once_for_each_change(void **state)
{
    struct watch_fixture *w = *state;
    struct cause cause = {CAUSE_OPERATOR, {2500, 0}};

    (void)watch_add(w, 1000, "a", "launch_mode=manual");
    watch_say(w, 2000, "a", "state=crashed");
    for (int i = 0; i < 10; i++) {
        watch_fixture_configure(w); /* looks at everybody */
        watch_tick(w, 2001 + i);
    }
    assert_int_equal(count_why(w, "a", "no recover", NULL), 1);
    assert_int_equal(w->f.fleet.watch->stats.held[HOLD_LAUNCH_MODE], 1);
    watch_set_maintenance(&w->f.fleet, watch_find(w, "a"), 3000, slice_text("x"), &cause, 2500, w->f.sink);
    watch_run(w, 2600);
    assert_int_equal(count_why(w, "a", "no recover", "maintenance"), 1);
    watch_run(w, 4000);
    assert_int_equal(count_why(w, "a", "no recover", "launch_mode"), 2);
    assert_int_equal(count_why(w, "a", "maintenance on", "x"), 1);
    assert_int_equal(w->f.fleet.watch->stats.held[HOLD_MAINTENANCE], 1);
    assert_int_equal(w->f.fleet.watch->stats.held[HOLD_LAUNCH_MODE], 2);
}

static void test_what_is_being_done_in_words(void **state)
{
    struct watch_fixture *w = *state;
    struct errmsg text;

    (void)watch_add(w, 1000, "a", "");
    watch_describe(&w->f.fleet, watch_find(w, "a"), &text);
    assert_string_equal(text.text, "nothing");
    watch_say(w, 2000, "a", "state=crashed");
    watch_describe(&w->f.fleet, watch_find(w, "a"), &text);
    assert_string_equal(text.text, "recovery attempt 1 of 3 is under way");
    watch_say(w, 3000, "a", "command_id=a.recover.1 command_status=failed");
    watch_describe(&w->f.fleet, watch_find(w, "a"), &text);
    assert_string_equal(text.text, "recovery attempt 2 of 3 waits for its backoff");
    watch_say(w, 4000, "a", "command_id=a.recover.2 command_status=failed");
    watch_run(w, 4100);
    watch_say(w, 5000, "a", "command_id=a.recover.3 command_status=failed");
    watch_describe(&w->f.fleet, watch_find(w, "a"), &text);
    assert_string_equal(text.text, "stop is under way");
    watch_run(w, 60000);
    watch_describe(&w->f.fleet, watch_find(w, "a"), &text);
    assert_string_equal(text.text,
                        "nothing: recovery was given up after 3 attempts, until it is armed again");
    assert_true(watch_order(w, 60000, "a", COMMAND_RECOVER));
    watch_say(w, 60000, "a", "command_id=a.recover.5 command_status=ok state=running");
    assert_true(watch_order(w, 60000, "a", COMMAND_STOP));
    watch_say(w, 60000, "a", "command_id=a.stop.6 command_status=failed state=crashed");
    watch_describe(&w->f.fleet, watch_find(w, "a"), &text);
    assert_string_equal(text.text,
                        "nothing: an operator has stopped it, automatic recovery rests until it is started");
    (void)watch_add(w, 60000, "b", "launch_mode=manual queue_length=500");
    watch_tick(w, 60000);
    watch_describe(&w->f.fleet, watch_find(w, "b"), &text);
    assert_string_equal(text.text, "nothing: launch_mode");
}

static void test_alerts_are_counted_by_rule_and_status(void **state)
{
    static uint32_t counts[RULES_MAX][ALERT_STATUSES];
    struct watch_fixture *w = *state;
    size_t queue = (size_t)(watch_fixture_rule(w, "HighQueueLength") - w->options.rules.rules);

    (void)watch_add(w, 1000, "a", "cpu_usage=90 queue_length=500");
    (void)watch_add(w, 1000, "b", "cpu_usage=90");
    watch_count_alerts(&w->f.fleet, counts);
    assert_int_equal(counts[0][ALERT_PENDING], 2);
    assert_int_equal(counts[0][ALERT_FIRING], 0);
    assert_int_equal(counts[queue][ALERT_FIRING], 1);
}

static void test_throttled_in_words(void **state)
{
    struct watch_fixture *w = *state;
    struct errmsg text;

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    watch_describe(&w->f.fleet, watch_find(w, "a"), &text);
    assert_string_equal(text.text, "throttle is under way");
    watch_say(w, 2000, "a", "command_id=a.throttle.1 command_status=ok");
    watch_describe(&w->f.fleet, watch_find(w, "a"), &text);
    assert_string_equal(text.text, "it is throttled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_64_steps_are_kept),
        cmocka_unit_test(test_what_was_added_is_there),
        cmocka_unit_test(test_words_are_shared_and_bounded),
        cmocka_unit_test(test_numbers_and_long_texts_are_no_words),
        cmocka_unit_test(test_memory_of_long_reasons_is_given_back),
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_chain_from_sample_to_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chain_of_giving_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hold_is_noted_once_for_each_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_being_done_in_words, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alerts_are_counted_by_rule_and_status, setup, teardown),
        cmocka_unit_test_setup_teardown(test_throttled_in_words, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
