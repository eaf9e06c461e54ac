/* What the sink of a batch makes of the watch (codec/batch.h): the daemon's own hashes, commands, and what is
 * kept to be done once the batch is stored. */
#include "batch_text.h"

#include "core/watch.h"
#include "util/macros.h"

static const struct cause timer_cause = {CAUSE_TIMER, {14, 0}};

static struct ident id_of(const char *text)
{
    struct ident id = {0};

    ident_set(&id, s(text));
    return id;
}

static struct notice notice_of(const char *id, const char *alert, uint64_t change)
{
    struct notice notice = {.instance_id = id_of(id), .alert = id_of(alert), .change = change};

    notice.key_len = (unsigned char)notice_key_format(notice.key, s(id), false, s(alert));
    return notice;
}

static void test_sink_writes_the_watch(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    char reason[] = "a b\r\n*1";
    struct watch_record record = {.commands = 3, .maintenance_reason = reason};
    struct alert alert = {.name = id_of("HighCpuUsage"), .status = ALERT_FIRING, .value = 92.5};
    struct notice notice = notice_of("i1", "HighCpuUsage", 1);
    struct breaker_group group = {.key_len = 9, .key = "broker:b1", .crashed = 5, .of = 8};
    struct batch_words w;

    UNUSED(state);
    sink->ops->begin(sink->ctx, &timer_cause);
    sink->ops->watch_set(sink->ctx, s("i1"), &record);
    sink->ops->watch_unset(sink->ctx, s("i2"));
    sink->ops->alert_set(sink->ctx, s("i1"), &alert);
    sink->ops->alert_unset(sink->ctx, s("i1"), s("InstanceCrash"));
    sink->ops->notice_set(sink->ctx, &notice);
    sink->ops->notice_unset(sink->ctx, &notice);
    sink->ops->breaker_set(sink->ctx, &group);
    sink->ops->breaker_unset(sink->ctx, &group);
    sink->ops->throttled_set(sink->ctx, s("i1"), true);
    sink->ops->throttled_set(sink->ctx, s("i2"), false);
    batch_seal(batch);
    batch_text_assert(batch,
                      "HSET mt5stated:watch i1 commands=3 recovery=none maintenance_reason=a b%0D%0A*1\n"
                      "HDEL mt5stated:watch i2\n"
                      "HSET mt5stated:alerts i1:HighCpuUsage status=firing value=92.5\n"
                      "HDEL mt5stated:alerts i1:InstanceCrash\n"
                      "HSET mt5stated:notices i1:HighCpuUsage severity=info\n"
                      "HDEL mt5stated:notices i1:HighCpuUsage\n"
                      "HSET mt5stated:breaker broker:b1 crashed=5 of=8\n"
                      "HDEL mt5stated:breaker broker:b1\n"
                      "SADD instance:index:throttled i1\n"
                      "SREM instance:index:throttled i2\n");
    batch_words_init(&w, batch, false);
    assert_true(slice_is(batch_words_arg(&w, 4), "hhhhs"));
    batch_words_clear(&w);
    batch_free(batch);
}

static void test_sink_writes_commands(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct command_order full = {.command_id = s("i1.redistribute.7"),
                                 .instance_id = s("i1"),
                                 .kind = COMMAND_REDISTRIBUTE,
                                 .reason = s("HighLoadAverage 2.5 > 2\r\n"),
                                 .attempt = 2,
                                 .issued_ms = 1742638530999,
                                 .expires_ms = 1742638590001,
                                 .open_trades = 12,
                                 .target_instance_id = s("i2"),
                                 .cancels = s("i1.recover.6")};
    struct command_order least = {.command_id = s("i1.stop.8"),
                                  .instance_id = s("i1"),
                                  .kind = COMMAND_STOP,
                                  .issued_ms = 1742638530000,
                                  .expires_ms = 1742638590000};
    struct batch_words w;

    UNUSED(state);
    sink->ops->begin(sink->ctx, &timer_cause);
    sink->ops->command(sink->ctx, &full);
    sink->ops->command(sink->ctx, &least);
    batch_seal(batch);
    batch_text_assert(
        batch, "XADD commands MAXLEN ~ 300 * command_id i1.redistribute.7 instance_id i1 command redistribute"
               " reason HighLoadAverage 2.5 > 2\r\n attempt 2 issued_at 2025-03-22T10:15:30Z"
               " expires_at 2025-03-22T10:16:31Z open_trades 12 target_instance_id i2"
               " cancels i1.recover.6\n"
               "XADD commands MAXLEN ~ 300 * command_id i1.stop.8 instance_id i1 command stop"
               " issued_at 2025-03-22T10:15:30Z expires_at 2025-03-22T10:16:30Z open_trades 0\n");
    batch_words_init(&w, batch, false);
    assert_true(slice_is(batch_words_arg(&w, 4), "t"));
    batch_words_clear(&w);
    batch_free(batch);
}

static void test_sink_writes_what_an_alert_is_about_into_its_event(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    struct event event = {.kind = EVENT_ALERT_FIRING,
                          .alert = s("HighCpuUsage"),
                          .has_value = true,
                          .value = 92.5,
                          .has_threshold = true,
                          .threshold = 80,
                          .command_id = s("i1.recover.1"),
                          .cause = timer_cause};

    UNUSED(state);
    sink->ops->event(sink->ctx, &event);
    batch_seal(batch);
    batch_text_assert(batch,
                      "XADD events MAXLEN ~ 500 * event alert_firing at 1970-01-01T00:00:00Z"
                      " alert HighCpuUsage value 92.5 threshold 80 command_id i1.recover.1"
                      " correlation_id timer-14-0\n"
                      "PUBLISH - instance:events {\"event\":\"alert_firing\",\"at\":\"1970-01-01T00:00:00Z\","
                      "\"alert\":\"HighCpuUsage\",\"value\":\"92.5\",\"threshold\":\"80\","
                      "\"command_id\":\"i1.recover.1\",\"correlation_id\":\"timer-14-0\"}\n");
    batch_free(batch);
}

static void assert_fields(const struct batch *batch, uint32_t first, uint32_t count, const char *expected)
{
    struct buf out = BUF_INIT;

    for (uint32_t i = 0; i < count; i++) {
        struct slice name, value;

        batch_get_field(batch, first + i, &name, &value);
        buf_add_slice(&out, name);
        buf_add_char(&out, '=');
        buf_add_slice(&out, value);
        buf_add_char(&out, ' ');
    }
    assert_string_equal(buf_text(&out), expected);
    buf_clear(&out);
}

static void add_command(struct sink *sink, const char *id, const char *command_id)
{
    struct command_order order = {.command_id = s(command_id),
                                  .instance_id = s(id),
                                  .kind = COMMAND_RECOVER,
                                  .reason = s("InstanceCrash"),
                                  .expires_ms = 1};

    sink->ops->command(sink->ctx, &order);
}

static void add_notice(struct sink *sink, const char *id, const char *alert, uint64_t change)
{
    struct notice notice = notice_of(id, alert, change);
    struct event event = {
        .kind = EVENT_ALERT_FIRING, .instance_id = s(id), .seq = 4, .alert = s(alert), .cause = timer_cause};

    sink->ops->notify(sink->ctx, &notice, &event);
}

/* What is done once the batch is stored outlives the texts that were handed over, however many there are. */
static void test_sink_keeps_commands_and_notices_to_be_done_later(void **state)
{
    struct batch *batch = batch_text_new();
    struct sink *sink = batch_sink(batch);
    char id[] = "i1", command_id[] = "i1.recover.1", alert[] = "InstanceCrash";

    UNUSED(state);
    for (int i = 0; i < 200; i++) {
        sink->ops->begin(sink->ctx, &timer_cause);
        add_command(sink, id, command_id);
        add_notice(sink, id, alert, 70);
    }
    id[0] = command_id[0] = alert[0] = 'X';
    batch_seal(batch);
    assert_int_equal(batch->event_count, 0);
    assert_int_equal(batch->command_count, 200);
    assert_int_equal(batch->notice_count, 200);
    for (uint32_t i = 0; i < 200; i++) {
        const struct batch_command *command = &batch->commands[i];
        const struct batch_notice *notice = &batch->notices[i];

        assert_int_equal(command->kind, COMMAND_RECOVER);
        assert_false(command->cut || notice->cut);
        assert_fields(batch, command->first_field, command->fields,
                      "command_id=i1.recover.1 instance_id=i1 command=recover reason=InstanceCrash "
                      "issued_at=1970-01-01T00:00:00Z expires_at=1970-01-01T00:00:01Z open_trades=0 ");
        assert_true(slice_is(batch_notice_key(batch, notice), "i1:InstanceCrash"));
        assert_int_equal(notice->change, 70);
        assert_fields(batch, notice->first_field, notice->fields,
                      "event=alert_firing instance_id=i1 seq=4 at=1970-01-01T00:00:00Z alert=InstanceCrash "
                      "correlation_id=timer-14-0 ");
    }
    batch_reset(batch, 2);
    assert_int_equal(batch->command_count, 0);
    assert_int_equal(batch->notice_count, 0);
    batch_free(batch);
}

/* To tell somebody writes nothing. */
static void test_sink_notify_leaves_the_batch_empty(void **state)
{
    struct batch *batch = batch_text_new();

    UNUSED(state);
    add_notice(batch_sink(batch), "i1", "InstanceCrash", 1);
    assert_true(batch_is_empty(batch));
    add_command(batch_sink(batch), "i1", "i1.recover.1");
    assert_false(batch_is_empty(batch));
    batch_free(batch);
}

static void add_group(struct batch *batch, const char *id, const char *command_id)
{
    struct sink *sink = batch_sink(batch);
    struct record_field field = {SLICE("recovery_attempts"), SLICE("1")};
    struct watch_record record = {.commands = 1};

    sink->ops->begin(sink->ctx, &timer_cause);
    sink->ops->record_set(sink->ctx, RECORD_HEALTH, s(id), &field, 1);
    sink->ops->watch_set(sink->ctx, s(id), &record);
    add_command(sink, id, command_id);
    add_notice(sink, id, "InstanceCrash", 1);
    add_notice(sink, id, "HighCpuUsage", 2);
}

static void test_batch_cut_takes_commands_and_notices_along(void **state)
{
    UNUSED(state);
    for (int sealed_first = 0; sealed_first < 2; sealed_first++) {
        struct batch *batch = batch_text_new();

        add_command(batch_sink(batch), "i0", "i0.recover.1");
        add_group(batch, "i1", "i1.recover.1");
        add_group(batch, "i2", "i2.recover.1");
        add_group(batch, "i1", "i1.recover.2");
        add_group(batch, "i3", "i3.recover.1");
        if (sealed_first)
            batch_seal(batch);
        assert_int_equal(batch_cut(batch, false, s("i1"), s("why")), 2);
        if (!sealed_first)
            batch_seal(batch);
        batch_text_assert(
            batch, "XADD commands MAXLEN ~ 300 * command_id i0.recover.1 instance_id i0 command recover"
                   " reason InstanceCrash issued_at 1970-01-01T00:00:00Z"
                   " expires_at 1970-01-01T00:00:01Z open_trades 0\n"
                   "HSET instance_health:i2 recovery_attempts 1\n"
                   "HSET mt5stated:watch i2 commands=1 recovery=none\n"
                   "XADD commands MAXLEN ~ 300 * command_id i2.recover.1 instance_id i2 command recover"
                   " reason InstanceCrash issued_at 1970-01-01T00:00:00Z"
                   " expires_at 1970-01-01T00:00:01Z open_trades 0\n"
                   "HSET instance_health:i3 recovery_attempts 1\n"
                   "HSET mt5stated:watch i3 commands=1 recovery=none\n"
                   "XADD commands MAXLEN ~ 300 * command_id i3.recover.1 instance_id i3 command recover"
                   " reason InstanceCrash issued_at 1970-01-01T00:00:00Z"
                   " expires_at 1970-01-01T00:00:01Z open_trades 0\n");
        assert_int_equal(batch->command_count, 5);
        assert_int_equal(batch->notice_count, 8);
        for (uint32_t i = 0; i < 5; i++)
            assert_int_equal(batch->commands[i].cut, i == 1 || i == 3);
        for (uint32_t i = 0; i < 8; i++)
            assert_int_equal(batch->notices[i].cut, i / 2 == 0 || i / 2 == 2);
        batch_free(batch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sink_writes_the_watch),
        cmocka_unit_test(test_sink_writes_commands),
        cmocka_unit_test(test_sink_writes_what_an_alert_is_about_into_its_event),
        cmocka_unit_test(test_sink_keeps_commands_and_notices_to_be_done_later),
        cmocka_unit_test(test_sink_notify_leaves_the_batch_empty),
        cmocka_unit_test(test_batch_cut_takes_commands_and_notices_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
