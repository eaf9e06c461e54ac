/* A restart at any moment (SPEC §6.2, §6.4): what was handed to the sink, loaded into a fresh fleet, goes on
 * as if nothing had happened. */
#include "util/alloc.h"
#include "util/macros.h"
#include "watch_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define STORED_MAX 64

/* What Redis would hold: the structs as they were handed over last. */
struct store {
    struct sink_ops ops; /* those of the recorder, but for what is kept here */
    struct sink sink;
    struct recording_sink *recorder;
    struct {
        struct ident id;
        struct watch_record record;
    } records[STORED_MAX];
    struct {
        struct ident id;
        struct alert alert;
    } alerts[STORED_MAX];
    struct notice notices[STORED_MAX];
    struct breaker_group groups[STORED_MAX];
    size_t record_count, alert_count, notice_count, group_count;
};

static struct store stored;

static void watch_unset(void *ctx, struct slice id)
{
    for (size_t i = 0; i < stored.record_count; i++) {
        if (!slice_equal(ident_slice(&stored.records[i].id), id))
            continue;
        free(stored.records[i].record.maintenance_reason);
        stored.records[i] = stored.records[--stored.record_count];
        break;
    }
    (void)ctx;
}

static void watch_set(void *ctx, struct slice id, const struct watch_record *record)
{
    const char *reason = record->maintenance_reason;

    watch_unset(ctx, id);
    assert_in_range(stored.record_count, 0, STORED_MAX - 1);
    ident_set(&stored.records[stored.record_count].id, id);
    stored.records[stored.record_count].record = *record;
    stored.records[stored.record_count++].record.maintenance_reason =
        reason ? mem_copy_text(reason, strlen(reason)) : NULL;
    stored.recorder->sink.ops->watch_set(ctx, id, record);
}

static void alert_unset(void *ctx, struct slice id, struct slice rule)
{
    for (size_t i = 0; i < stored.alert_count; i++) {
        if (!slice_equal(ident_slice(&stored.alerts[i].id), id) ||
            !slice_equal(ident_slice(&stored.alerts[i].alert.name), rule))
            continue;
        stored.alerts[i] = stored.alerts[--stored.alert_count];
        break;
    }
    (void)ctx;
}

static void alert_set(void *ctx, struct slice id, const struct alert *alert)
{
    alert_unset(ctx, id, ident_slice(&alert->name));
    assert_in_range(stored.alert_count, 0, STORED_MAX - 1);
    ident_set(&stored.alerts[stored.alert_count].id, id);
    stored.alerts[stored.alert_count++].alert = *alert;
    stored.recorder->sink.ops->alert_set(ctx, id, alert);
}

static void notice_unset(void *ctx, const struct notice *notice)
{
    for (size_t i = 0; i < stored.notice_count; i++) {
        if (slice_equal(notice_key(&stored.notices[i]), notice_key(notice)))
            stored.notices[i--] = stored.notices[--stored.notice_count];
    }
    (void)ctx;
}

static void notice_set(void *ctx, const struct notice *notice)
{
    notice_unset(ctx, notice);
    assert_in_range(stored.notice_count, 0, STORED_MAX - 1);
    stored.notices[stored.notice_count++] = *notice;
}

static void breaker_unset(void *ctx, const struct breaker_group *group)
{
    for (size_t i = 0; i < stored.group_count; i++) {
        if (slice_equal(breaker_group_key(&stored.groups[i]), breaker_group_key(group)))
            stored.groups[i--] = stored.groups[--stored.group_count];
    }
    stored.recorder->sink.ops->breaker_unset(ctx, group);
}

static void breaker_set(void *ctx, const struct breaker_group *group)
{
    assert_in_range(stored.group_count, 0, STORED_MAX - 1);
    stored.groups[stored.group_count++] = *group;
    stored.recorder->sink.ops->breaker_set(ctx, group);
}

/* From now on what W's fleet tells is kept. */
static void store_attach(struct watch_fixture *w)
{
    stored.recorder = &w->f.recorder;
    stored.ops = *w->f.recorder.sink.ops;
    stored.ops.watch_set = watch_set;
    stored.ops.watch_unset = watch_unset;
    stored.ops.alert_set = alert_set;
    stored.ops.alert_unset = alert_unset;
    stored.ops.notice_set = notice_set;
    stored.ops.notice_unset = notice_unset;
    stored.ops.breaker_set = breaker_set;
    stored.ops.breaker_unset = breaker_unset;
    stored.sink = (struct sink){&stored.ops, &w->f.recorder};
    w->f.sink = &stored.sink;
}

static void store_clear(void)
{
    for (size_t i = 0; i < stored.record_count; i++)
        free(stored.records[i].record.maintenance_reason);
    stored = (struct store){0};
}

static void configure(struct watch_fixture *w)
{
    w->f.fleet.options.heartbeat_timeout_ms = 0; /* a restart excuses silence, and so would differ */
    w->options.recovery.max_concurrent = 1;
    w->options.recovery.timeout_ms = 10000;
    w->options.recovery.cooldown_ms = 9000;
    watch_fixture_rule(w, "HighQueueLength")->keep_firing_ms = 3000;
    watch_fixture_configure(w);
}

/* A daemon that knows no more than what is stored; FROM is the one before it. */
/* The one that takes over has stood by, and read everything once more by now. */
static bool has_followed;

static void load_watched(struct watch_fixture *to, int64_t now_ms)
{
    struct fleet *fleet = &to->f.fleet;

    for (size_t i = 0; i < stored.record_count; i++)
        watch_load(fleet, fleet_find(fleet, ident_slice(&stored.records[i].id)), &stored.records[i].record,
                   now_ms);
    for (size_t i = 0; i < stored.alert_count; i++)
        watch_load_alert(fleet, fleet_find(fleet, ident_slice(&stored.alerts[i].id)), &stored.alerts[i].alert,
                         now_ms);
}

static void load_groups(struct watch_fixture *to)
{
    for (size_t i = 0; i < stored.group_count; i++)
        breaker_load(&to->f.fleet.watch->breaker, breaker_group_key(&stored.groups[i]),
                     stored.groups[i].opened_ms, stored.groups[i].crashed, stored.groups[i].of);
}

/* A notice that is there no more, and one that has changed. */
static void follow_notices(struct fleet *fleet)
{
    struct notice gone = {.severity = SEVERITY_WARNING, .key_len = 6, .key = "x:Gone"};

    watch_load_notice_again(fleet, slice_text("x:Gone"), &gone);
    watch_load_notice_again(fleet, slice_text("x:Gone"), NULL);
    watch_load_notice_again(fleet, slice_text("x:Never"), NULL);
    for (size_t i = 0; i < stored.notice_count; i++)
        watch_load_notice_again(fleet, notice_key(&stored.notices[i]), &stored.notices[i]);
}

static void follow(struct watch_fixture *to, const struct watch_fixture *from, int64_t now_ms)
{
    const struct instance *instance;

    for (uint32_t i = 0; (instance = fleet_next(&from->f.fleet, i));
         i = fleet_index_of(&from->f.fleet, instance) + 1) {
        struct instance_record record = record_of(instance);

        assert_true(fleet_load_again(&to->f.fleet, ident_slice(&instance->id), &record, instance->state,
                                     instance->seq, now_ms));
    }
    load_watched(to, now_ms);
    follow_notices(&to->f.fleet);
    watch_load_groups_begin(&to->f.fleet);
    load_groups(to);
    watch_load_groups_finish(&to->f.fleet);
}

static void restart(struct watch_fixture *to, struct watch_fixture *from, int64_t now_ms)
{
    const struct instance *instance;

    watch_fixture_init(to);
    to->now_ms = now_ms;
    configure(to);
    for (size_t i = 0; i < stored.notice_count; i++)
        watch_load_notice(&to->f.fleet, &stored.notices[i]);
    load_groups(to);
    for (uint32_t i = 0; (instance = fleet_next(&from->f.fleet, i));
         i = fleet_index_of(&from->f.fleet, instance) + 1) {
        struct instance_record record = record_of(instance);

        assert_true(fleet_load(&to->f.fleet, ident_slice(&instance->id), &record, instance->state,
                               instance->seq, now_ms));
    }
    load_watched(to, now_ms);
    if (has_followed)
        follow(to, from, now_ms);
    watch_load_finish(&to->f.fleet, now_ms);
    store_attach(to);
    watch_fixture_clear(from);
}

/* `order` in place of a report: an operator's command; `work`: maintenance until 95000. Samples stand at
 * whole seconds, which is what the hashes tell of their time. */
static const struct {
    int64_t at_ms;
    const char *id, *text;
} script[] = {
    {2000, "a", "queue_length=500 cpu_usage=90"},
    {2003, "b", "socket_connections=0"},
    {4000, "b", "command_id=b.reconnect.1 command_status=ok"},
    {5000, "c", "state=crashed"},
    {5001, "d", "state=crashed"}, /* waits for c */
    {5500, "c", "command_id=c.recover.1 command_status=accepted"},
    {6000, "c", "state=restarting command_id=c.recover.1 command_status=failed"},
    {7000, "c", "state=crashed"},
    {9000, "d", "command_id=d.recover.1 command_status=ok"},
    {9500, "d", "state=running"},
    {13000, "b", "socket_connections=3 command_id=b.reconnect.2 command_status=failed"},
    {14000, "a", "command_id=a.recover.3 command_status=ok cpu_usage=91 queue_length=1"},
    {16000, "a", "cpu_usage=92"},
    {17000, "a", "state=running queue_length=0"},
    {19000, "e", "order"},
    {20000, "e", "state=stopped"},
    {21000, "e", "work"},
    {22000, "e", "state=running socket_connections=0"},
    {30000, "a", "cpu_usage=50"},
    {50000, "c", "state=running"}, /* given up and stopped by then */
    {60000, "a", "state=crashed"},
    {60000, "b", "state=crashed"},
    {60000, "c", "state=crashed"},
    {61000, "d", "state=crashed"}, /* the breaker */
    {70000, "a", "state=running"},
    {71000, "b", "state=running"},
    {80000, "c", "state=running"},
    {96000, "e", "socket_connections=1"},
};

static void act(struct watch_fixture *w, size_t step)
{
    struct cause cause = {CAUSE_OPERATOR, {(uint64_t)script[step].at_ms, 0}};

    watch_run(w, script[step].at_ms);
    if (strcmp(script[step].text, "order") == 0)
        (void)watch_order(w, script[step].at_ms, script[step].id, COMMAND_STOP);
    else if (strcmp(script[step].text, "work") == 0)
        watch_set_maintenance(&w->f.fleet, watch_find(w, script[step].id), 95000, slice_text("disk"), &cause,
                              script[step].at_ms, w->f.sink);
    else
        assert_true(fixture_report(&w->f, script[step].at_ms, script[step].id, script[step].text));
}

/* Plays the script with a restart behind step CUT and, WAIT_MS later, its round (none where CUT is behind the
 * end); appends the story and how it looks in the end. */
static void play(size_t cut, int64_t wait_ms, struct buf *story)
{
    static struct watch_fixture fleets[2];
    struct watch_fixture *w = &fleets[0];
    const struct instance *instance;

    store_clear();
    watch_fixture_init(w);
    configure(w);
    store_attach(w);
    for (const char *id = "abcde"; *id; id++) {
        const char name[] = {*id, '\0'};

        (void)watch_add(w, 1000, name, "");
    }
    for (size_t i = 0; i < ARRAY_LEN(script); i++) {
        act(w, i);
        if (i != cut)
            continue;
        if (wait_ms > 0)
            watch_run(w, script[i].at_ms + wait_ms - 1);
        watch_story(w, STORY_ALL & ~STORY_STATES, story);
        restart(&fleets[1], w, script[i].at_ms + wait_ms);
        w = &fleets[1];
    }
    watch_run(w, 500000);
    watch_story(w, STORY_ALL & ~STORY_STATES, story);
    for (uint32_t i = 0; (instance = fleet_next(&w->f.fleet, i));
         i = fleet_index_of(&w->f.fleet, instance) + 1)
        buf_add_format(story, "\n%.*s: state %d desired %d attempts %llu health %d seq %llu under way %u",
                       (int)instance->id.len, instance->id.text, instance->state, instance->desired_state,
                       (unsigned long long)instance->recovery_attempts, instance->health,
                       (unsigned long long)instance->seq, w->f.fleet.watch->under_way);
    assert_int_equal(w->f.fleet.watch->notices.count, stored.notice_count);
    watch_fixture_clear(w);
    store_clear();
}

/* Up to the last word that both begin with. */
static size_t common_length(const char *a, const char *b)
{
    size_t len = 0, word = 0;

    for (; a[len] && a[len] == b[len]; len++)
        word = a[len] == ' ' ? len : word;
    return word;
}

static void test_restart_behind_each_step_changes_nothing(void **state)
{
    static const int64_t waits_ms[] = {0, 1, 4, 7, 12};
    struct buf expected = BUF_INIT;
    size_t failed = 0;

    (void)state;
    play(SIZE_MAX, 0, &expected);
    assert_non_null(strstr(buf_text(&expected), "tell(@all:FleetFailure)"));
    assert_non_null(strstr(buf_text(&expected), "c.stop."));
    for (size_t cut = 0; cut < ARRAY_LEN(script); cut++) {
        for (size_t k = 0; k < ARRAY_LEN(waits_ms); k++) {
            struct buf story = BUF_INIT;
            int64_t gap_ms = cut + 1 < ARRAY_LEN(script) ? script[cut + 1].at_ms - script[cut].at_ms : 100;

            if (waits_ms[k] < gap_ms || waits_ms[k] == 0) {
                play(cut, waits_ms[k], &story);
                if (strcmp(buf_text(&story), buf_text(&expected)) != 0) {
                    size_t same = common_length(buf_text(&story), buf_text(&expected));

                    print_error("restart behind step %zu, %lld ms later: …%s\nexpected: …%s\n", cut,
                                (long long)waits_ms[k], buf_text(&story) + same, buf_text(&expected) + same);
                    failed++;
                }
            }
            buf_clear(&story);
        }
    }
    buf_clear(&expected);
    assert_int_equal(failed, 0);
}

static void test_taking_over_behind_each_step_changes_nothing(void **state)
{
    has_followed = true;
    test_restart_behind_each_step_changes_nothing(state);
    has_followed = false;
}

/* ---- what does not fit together any more ---- */

static int setup(void **state)
{
    static struct watch_fixture fleets[2];

    store_clear();
    watch_fixture_init(&fleets[0]);
    store_attach(&fleets[0]);
    *state = fleets;
    return 0;
}

static int teardown(void **state)
{
    struct watch_fixture *fleets = *state;

    watch_fixture_clear(&fleets[1]);
    store_clear();
    return 0;
}

static void test_silent_one_that_comes_back_behind_a_restart_is_told_not_to(void **state)
{
    struct watch_fixture *fleets = *state;

    (void)watch_add(&fleets[0], 1000, "a", "");
    watch_run(&fleets[0], 31001);
    restart(&fleets[1], &fleets[0], 32000);
    watch_say(&fleets[1], 33000, "a", "state=running");
    assert_story(&fleets[1], STORY_ACTS | STORY_NOTICES,
                 "a.cancel.2>a.recover.1 a.recover.1=cancelled over(a:InstanceCrash)");
}

static void test_rule_that_is_gone_by_the_start_ends_its_alert(void **state)
{
    struct watch_fixture *fleets = *state, *w = &fleets[1];

    (void)watch_add(&fleets[0], 1000, "a", "queue_length=500 cpu_usage=90");
    watch_run(&fleets[0], 2000);
    restart(w, &fleets[0], 3000);
    watch_fixture_rule(w, "HighQueueLength")->enabled = false;
    watch_fixture_rule(w, "HighCpuUsage")->enabled = false;
    watch_fixture_configure(w);
    watch_run(w, 3000);
    assert_story(w, STORY_ALERTS | STORY_NOTICES, "a-HighQueueLength over(a:HighQueueLength)");
    assert_int_equal(stored.alert_count, 0);
}

static void test_notice_with_nothing_behind_it_has_ended(void **state)
{
    struct watch_fixture *fleets = *state, *w = &fleets[1];
    const struct notice *notice;

    (void)watch_add(&fleets[0], 1000, "a", "queue_length=500");
    watch_run(&fleets[0], 2000);
    stored.alert_count = 0;
    restart(w, &fleets[0], 9000);
    notice = notices_find(&w->f.fleet.watch->notices, slice_text("a:HighQueueLength"));
    assert_true(notice->is_orphan);
    watch_run(w, 9500);
    assert_story(w, STORY_ALERTS | STORY_NOTICES,
                 "a-HighQueueLength over(a:HighQueueLength) a+HighQueueLength tell(a:HighQueueLength)");
}

/* Nothing was stored of the watch, or it was lost: what is known of the instance is enough. */
static void test_crashed_one_with_nothing_stored_is_recovered(void **state)
{
    struct watch_fixture *fleets = *state, *w = &fleets[1];

    (void)watch_add(&fleets[0], 1000, "a", "");
    watch_say(&fleets[0], 2000, "a", "state=crashed");
    watch_unset(NULL, slice_text("a"));
    stored.alert_count = stored.notice_count = 0;
    restart(w, &fleets[0], 3000);
    watch_run(w, 3005);
    assert_story(w, STORY_ALERTS | STORY_ACTS | STORY_NOTICES,
                 "a+InstanceCrash tell(a:InstanceCrash) a.recover.1");
}

static void test_recovery_under_way_without_a_command_is_none(void **state)
{
    struct watch_fixture *fleets = *state, *w = &fleets[1];

    (void)watch_add(&fleets[0], 1000, "a", "");
    watch_say(&fleets[0], 2000, "a", "state=crashed");
    stored.records[0].record.command.is_open = false;
    restart(w, &fleets[0], 3000);
    assert_int_equal(w->f.fleet.watch->under_way, 0);
    watch_run(w, 3005);
    assert_story(w, STORY_ACTS, "a.recover.2");
}

static void test_write_back_tells_all_of_it_again(void **state)
{
    struct watch_fixture *fleets = *state, *w = &fleets[1];
    struct cause cause = {CAUSE_OPERATOR, {1500, 0}};

    (void)watch_add(&fleets[0], 1000, "a", "queue_length=500 cpu_usage=90");
    (void)watch_add(&fleets[0], 1000, "b", "");
    watch_run(&fleets[0], 1500);
    watch_set_maintenance(&fleets[0].f.fleet, watch_find(&fleets[0], "a"), 5000, slice_text("disk"), &cause,
                          1500, fleets[0].f.sink);
    restart(w, &fleets[0], 2000);
    watch_write_back(&w->f.fleet, watch_find(w, "a"), w->f.sink);
    watch_write_back(&w->f.fleet, watch_find(w, "b"), w->f.sink);
    assert_int_equal(stored.alert_count, 2);
    assert_int_equal(stored.notice_count, 1);
    assert_recorded(&w->f.recorder,
                    "alert a HighCpuUsage pending since=1000 value=90\n"
                    "alert a HighQueueLength firing since=1000 fired=1000 value=500 done=8 next=1000\n"
                    "watch a commands=1 open=throttle.1 expires=31000 throttled owes_unthrottle "
                    "maintenance_until=5000 maintenance_reason=disk\n"
                    "throttled a\n"
                    "unthrottled b\n");
}

/* By the clock of a server that was ahead, all of it would last longer than it may. */
static void test_times_to_come_are_no_longer_than_they_can_be(void **state)
{
    struct watch_fixture *fleets = *state, *w = &fleets[1];
    struct watch_record *record;

    (void)watch_add(&fleets[0], 1000000, "a", "");
    watch_say(&fleets[0], 1000000, "a", "state=crashed");
    record = &stored.records[0].record;
    record->recovery.cooldown_until_ms = record->recovery.next_ms = 9000000;
    restart(w, &fleets[0], 400000);
    record = &watch_find(w, "a")->watched->record;
    assert_true(record->command.is_open);
    assert_int_equal(record->command.expires_ms, 400000 + 30000);
    assert_int_equal(record->recovery.cooldown_until_ms, 400000 + 9000);
    assert_int_equal(record->recovery.next_ms, 400000 + 9);
}

static void test_alert_that_is_stored_twice_is_one(void **state)
{
    struct watch_fixture *fleets = *state, *w = &fleets[1];
    struct alert alert;

    (void)watch_add(&fleets[0], 1000, "a", "queue_length=500");
    watch_run(&fleets[0], 2000);
    restart(w, &fleets[0], 3000);
    alert = *watch_alert(w, "a", "HighQueueLength");
    alert.status = ALERT_PENDING;
    watch_load_alert(&w->f.fleet, watch_find(w, "a"), &alert, 3000);
    assert_int_equal(watch_find(w, "a")->watched->alert_count, 1);
    assert_int_equal(watch_alert(w, "a", "HighQueueLength")->status, ALERT_FIRING);
}

/* A number that an agent has seen is never given to another command. */
static void test_reserved_numbers_are_not_given_again(void **state)
{
    struct watch_fixture *fleets = *state, *w = &fleets[1];

    (void)watch_add(&fleets[0], 1000, "a", "");
    restart(w, &fleets[0], 1500);
    watch_reserve_numbers(&w->f.fleet, watch_find(w, "a"), 7);
    watch_reserve_numbers(&w->f.fleet, watch_find(w, "a"), 5);
    watch_reserve_numbers(&w->f.fleet, NULL, 20);
    watch_reserve_numbers(&w->f.fleet, NULL, 12);
    (void)watch_add(w, 1000, "b", "");
    assert_true(watch_order(w, 2000, "a", COMMAND_RESTART));
    assert_true(watch_order(w, 2000, "b", COMMAND_RESTART));
    assert_story(w, STORY_COMMANDS, "a.restart.8 b.restart.21");
}

/* Where the alert behind it was lost. */
static void test_one_that_was_loaded_throttled_leaves_the_set_when_it_is_removed(void **state)
{
    struct watch_fixture *fleets = *state, *w = &fleets[1];
    struct cause cause = {CAUSE_OPERATOR, {3000, 0}};

    (void)watch_add(&fleets[0], 1000, "a", "queue_length=500");
    watch_run(&fleets[0], 2000);
    stored.alert_count = 0;
    restart(w, &fleets[0], 3000);
    fleet_remove(&w->f.fleet, watch_find(w, "a"), slice_text("gone"), &cause, 3000, w->f.sink);
    assert_int_equal(recording_sink_count(&w->f.recorder, "unthrottled a"), 1);
}

static void test_alert_of_no_rule_is_resolved_in_the_first_round(void **state)
{
    struct watch_fixture *fleets = *state, *w = &fleets[1];

    (void)watch_add(&fleets[0], 1000, "a", "queue_length=500");
    watch_run(&fleets[0], 2000);
    ident_set(&stored.alerts[0].alert.name, slice_text("Gone"));
    restart(w, &fleets[0], 3000);
    watch_run(w, 3000);
    assert_story(w, STORY_ALERTS, "a-HighQueueLength a-Gone a+HighQueueLength");
    assert_null(watch_alert(w, "a", "Gone"));
    assert_int_equal(stored.alert_count, 1);
}

static void test_notice_that_is_stored_twice_is_one(void **state)
{
    struct watch_fixture *fleets = *state, *w = &fleets[1];
    struct notice notice;

    (void)watch_add(&fleets[0], 1000, "a", "queue_length=500");
    watch_run(&fleets[0], 2000);
    restart(w, &fleets[0], 3000);
    notice = stored.notices[0];
    notice.starts_ms = 5;
    watch_load_notice(&w->f.fleet, &notice);
    assert_int_equal(w->f.fleet.watch->notices.count, 1);
    assert_true(notices_find(&w->f.fleet.watch->notices, notice_key(&notice))->starts_ms > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart_behind_each_step_changes_nothing),
        cmocka_unit_test(test_taking_over_behind_each_step_changes_nothing),
        cmocka_unit_test_setup_teardown(test_silent_one_that_comes_back_behind_a_restart_is_told_not_to,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_rule_that_is_gone_by_the_start_ends_its_alert, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notice_with_nothing_behind_it_has_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crashed_one_with_nothing_stored_is_recovered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recovery_under_way_without_a_command_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_back_tells_all_of_it_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times_to_come_are_no_longer_than_they_can_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alert_that_is_stored_twice_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reserved_numbers_are_not_given_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_was_loaded_throttled_leaves_the_set_when_it_is_removed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_alert_of_no_rule_is_resolved_in_the_first_round, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_notice_that_is_stored_twice_is_one, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
