/* Notices (SPEC §7.4): who is told what, once, and kept until its end was delivered. */
#include "core/notice.h"
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

static const struct cause cause = {CAUSE_TIMER, {9, 9}};

static struct notice *notice_of(const struct watch_fixture *w, const char *key)
{
    return notices_find(&w->f.fleet.watch->notices, slice_text(key));
}

static void test_store_of_notices(void **state)
{
    struct notices notices;
    char key[NOTICE_KEY_MAX];
    size_t count = 0;

    (void)state;
    notices_init(&notices, (struct hash_key){3, 4});
    for (int i = 0; i < 100; i++) {
        struct notice notice = {.starts_ms = i};
        char owner[16];

        (void)snprintf(owner, sizeof(owner), "i%d", i);
        notice.key_len =
            (unsigned char)notice_key_format(key, slice_text(owner), i % 2 == 0, slice_text("X"));
        memcpy(notice.key, key, notice.key_len);
        assert_int_equal(notices_add(&notices, &notice)->change, i + 1);
    }
    assert_int_equal(notices.count, 100);
    assert_int_equal(notices_find(&notices, slice_text("@i42:X"))->starts_ms, 42);
    assert_int_equal(notices_find(&notices, slice_text("i43:X"))->starts_ms, 43);
    assert_null(notices_find(&notices, slice_text("i42:X")));
    for (int i = 0; i < 100; i += 2) {
        char text[32];

        (void)snprintf(text, sizeof(text), "@i%d:X", i);
        notices_remove(&notices, notices_find(&notices, slice_text(text)));
        assert_null(notices_find(&notices, slice_text(text)));
    }
    for (const struct notice *n = NULL;
         (n = notices_next(&notices, n ? notices_place_of(&notices, n) + 1 : 0));) {
        assert_int_equal(n->starts_ms % 2, 1);
        count++;
    }
    assert_int_equal(count, 50);
    notices_touch(&notices, notices_find(&notices, slice_text("i43:X")));
    assert_int_equal(notices_find(&notices, slice_text("i43:X"))->change, 101);
    notices_clear(&notices);
}

static void test_told_once_and_its_end(void **state)
{
    struct watch_fixture *w = *state;
    const struct notice *notice;

    (void)watch_add(w, 1000, "a", "host_id=h1 queue_length=500");
    watch_tick(w, 1000);
    notice = notice_of(w, "a:HighQueueLength");
    assert_true(slice_is(ident_slice(&notice->broker_id), "b1"));
    assert_true(slice_is(ident_slice(&notice->host_id), "h1"));
    assert_int_equal(notice->severity, SEVERITY_WARNING);
    assert_true(notice->has_value && notice->value == 500);
    assert_true(notice->has_threshold && notice->threshold == 100);
    assert_int_equal(notice->starts_ms, 1000);
    watch_say(w, 2000, "a", "queue_length=600");
    watch_say(w, 3000, "a", "queue_length=700");
    assert_story(w, STORY_NOTICES, "tell(a:HighQueueLength)");
    watch_say(w, 4000, "a", "queue_length=3");
    assert_int_equal(notice->ends_ms, 4000);
    assert_true(notice->value == 3);
    assert_story(w, STORY_NOTICES, "over(a:HighQueueLength)");
    assert_int_equal(w->f.fleet.watch->stats.notified, 1);
    assert_int_equal(w->f.fleet.watch->stats.resolved, 1);
}

static void test_rule_without_notify_is_not_told(void **state)
{
    struct watch_fixture *w = *state;

    watch_fixture_rule(w, "HighQueueLength")->actions = ACTION_BIT(ACTION_THROTTLE);
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_say(w, 2000, "a", "queue_length=5");
    assert_story(w, STORY_NOTICES, "");
    assert_int_equal(recording_sink_count(&w->f.recorder, "notice"), 0);
}

static void test_next_firing_takes_the_place_of_an_end_not_delivered(void **state)
{
    struct watch_fixture *w = *state;

    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    watch_say(w, 2000, "a", "queue_length=5");
    watch_say(w, 3000, "a", "queue_length=500");
    assert_story(w, STORY_NOTICES, "tell(a:HighQueueLength) over(a:HighQueueLength) tell(a:HighQueueLength)");
    assert_int_equal(w->f.fleet.watch->notices.count, 1);
    assert_int_equal(notice_of(w, "a:HighQueueLength")->starts_ms, 3000);
    assert_int_equal(notice_of(w, "a:HighQueueLength")->ends_ms, 0);
    assert_int_equal(notice_of(w, "a:HighQueueLength")->change, w->f.fleet.watch->notices.changes);
}

static void test_survives_instance_and_rule_until_it_is_delivered(void **state)
{
    struct watch_fixture *w = *state;
    struct notice *notice;

    (void)watch_add(w, 1000, "a", "queue_length=500 socket_connections=0");
    watch_tick(w, 1000);
    recording_sink_reset(&w->f.recorder);
    watch_fixture_rule(w, "HighQueueLength")->enabled = false;
    watch_fixture_configure(w);
    watch_tick(w, 2000);
    assert_story(w, STORY_NOTICES, "over(a:HighQueueLength)");
    fleet_remove(&w->f.fleet, watch_find(w, "a"), slice_text("gone"), &cause, 3000, w->f.sink);
    assert_story(w, STORY_NOTICES, "over(a:SocketFailure)");
    notice = notice_of(w, "a:SocketFailure");
    assert_int_equal(notice->ends_ms, 3000);
    assert_true(slice_is(ident_slice(&notice->instance_id), "a"));
    watch_forget_notice(&w->f.fleet, notice, &cause, w->f.sink);
    assert_recorded(&w->f.recorder, "begin timer-9-9\nunset_notice a:SocketFailure\n");
    assert_null(notice_of(w, "a:SocketFailure"));
    assert_non_null(notice_of(w, "a:HighQueueLength"));
}

static void test_hook_is_due_for_each_change(void **state)
{
    struct watch_fixture *w = *state;
    struct notice *notice;
    uint64_t first;

    w->options.has_notify_hook = true;
    watch_fixture_configure(w);
    (void)watch_add(w, 1000, "a", "queue_length=500");
    watch_tick(w, 1000);
    notice = notice_of(w, "a:HighQueueLength");
    first = notice->change;
    assert_true(notice->hook_is_due);
    watch_say(w, 2000, "a", "queue_length=5");
    recording_sink_reset(&w->f.recorder);
    /* That of the beginning ends late: the end is still to be told. */
    watch_on_notified(&w->f.fleet, notice, first, &cause, w->f.sink);
    assert_true(notice->hook_is_due);
    assert_recorded(&w->f.recorder, "");
    watch_on_notified(&w->f.fleet, notice, notice->change, &cause, w->f.sink);
    assert_false(notice->hook_is_due);
    assert_recorded(&w->f.recorder, "begin timer-9-9\nnotice a:HighQueueLength starts=1000 ends=2000\n");
    watch_on_notified(&w->f.fleet, notice, notice->change, &cause, w->f.sink);
    assert_recorded(&w->f.recorder, "");
}

static void test_alert_that_still_fires_behind_the_breaker_is_told_then(void **state)
{
    struct watch_fixture *w = *state;
    static const char *const ids[] = {"a", "b", "c", "d"};

    w->f.fleet.options.heartbeat_timeout_ms = 0;
    for (int i = 0; i < 4; i++)
        (void)watch_add(w, 1000, ids[i], "");
    for (int i = 0; i < 4; i++)
        assert_true(fixture_report(&w->f, 2000, ids[i], "state=crashed"));
    watch_tick(w, 2000);
    assert_story(w, STORY_NOTICES, "tell(@all:FleetFailure)");
    /* One that ends while it is open was never told, and is not told to be over. */
    watch_say(w, 3000, "a", "state=running");
    assert_story(w, STORY_NOTICES, "");
    watch_say(w, 4000, "b", "state=running");
    assert_int_equal(recording_sink_count(&w->f.recorder, "notify c:InstanceCrash alert_firing"), 1);
    assert_int_equal(recording_sink_count(&w->f.recorder, "notify d:InstanceCrash alert_firing"), 1);
    assert_int_equal(recording_sink_count(&w->f.recorder, "notify @all:FleetFailure alert_resolved"), 1);
    assert_int_equal(recording_sink_count(&w->f.recorder, "notify "), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_of_notices),
        cmocka_unit_test_setup_teardown(test_told_once_and_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rule_without_notify_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_next_firing_takes_the_place_of_an_end_not_delivered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_survives_instance_and_rule_until_it_is_delivered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_hook_is_due_for_each_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alert_that_still_fires_behind_the_breaker_is_told_then, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
