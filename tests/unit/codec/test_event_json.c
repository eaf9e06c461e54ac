/* codec/event_json.h: the object on the channel has the fields of the stream (SPEC §7.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/event_json.h"
#include "core/event.h"
#include "util/macros.h"

static void assert_json(const struct event *event, const char *expected)
{
    struct slice names[EVENT_FIELDS_MAX], values[EVENT_FIELDS_MAX];
    char scratch[EVENT_SCRATCH_SIZE];
    struct buf out = BUF_INIT;

    event_json_add(&out, names, values, event_fields(event, names, values, scratch));
    assert_string_equal(buf_text(&out), expected);
    buf_clear(&out);
}

static void test_event_json_of_a_transition(void **state)
{
    struct event event = {
        .kind = EVENT_INSTANCE_FAILED,
        .instance_id = slice_text("mt5-1"),
        .seq = 7,
        .at_ms = 1742638530123,
        .from = slice_text("running"),
        .to = slice_text("crashed"),
        .reason = slice_text("heartbeat lost for 30 s"),
        .cause = {CAUSE_TIMER, {1742638530123, 4}},
    };

    UNUSED(state);
    assert_json(&event,
                "{\"event\":\"instance_failed\",\"instance_id\":\"mt5-1\",\"seq\":7,"
                "\"at\":\"2025-03-22T10:15:30Z\",\"from\":\"running\",\"to\":\"crashed\","
                "\"reason\":\"heartbeat lost for 30 s\",\"correlation_id\":\"timer-1742638530123-4\"}");
}

/* Events are read back from a stream to which others may write. */
static void test_event_json_seq_is_a_number_or_text(void **state)
{
    static const struct {
        const char *seq, *expected;
    } rows[] = {
        {"18446744073709551615", "{\"seq\":18446744073709551615}"},
        {"007", "{\"seq\":7}"},
        {"", "{\"seq\":\"\"}"},
        {"-1", "{\"seq\":\"-1\"}"},
        {"1}", "{\"seq\":\"1}\"}"},
        {"18446744073709551616", "{\"seq\":\"18446744073709551616\"}"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice name = slice_text("seq"), value = slice_text(rows[i].seq);
        struct buf out = BUF_INIT;

        event_json_add(&out, &name, &value, 1);
        assert_string_equal(buf_text(&out), rows[i].expected);
        buf_clear(&out);
    }
}

static void test_event_json_leaves_out_what_does_not_apply(void **state)
{
    struct event event = {
        .kind = EVENT_SIGNAL_DROPPED, .signal_id = slice_text("s1"), .cause = {CAUSE_SIGNAL, {5, 6}}};

    UNUSED(state);
    assert_json(&event, "{\"event\":\"signal_dropped\",\"at\":\"1970-01-01T00:00:00Z\",\"signal_id\":\"s1\","
                        "\"correlation_id\":\"signal-5-6\"}");
}

static void test_event_json_has_the_largest_seq_as_a_number(void **state)
{
    struct event event = {.kind = EVENT_INSTANCE_STARTED,
                          .instance_id = slice_text("i"),
                          .seq = UINT64_MAX,
                          .cause = {CAUSE_REPORT, {1, 0}}};

    UNUSED(state);
    assert_json(&event, "{\"event\":\"instance_started\",\"instance_id\":\"i\",\"seq\":18446744073709551615,"
                        "\"at\":\"1970-01-01T00:00:00Z\",\"correlation_id\":\"report-1-0\"}");
}

static void test_event_json_escapes_values(void **state)
{
    struct slice names[] = {SLICE("event"), SLICE("reason")};
    struct slice values[] = {SLICE("instance_failed"), SLICE("said \"no\"\n\xff")};
    struct buf out = BUF_INIT;

    UNUSED(state);
    event_json_add(&out, names, values, ARRAY_LEN(names));
    assert_string_equal(buf_text(&out),
                        "{\"event\":\"instance_failed\",\"reason\":\"said \\\"no\\\"\\u000a\xef\xbf\xbd\"}");
    buf_reset(&out, 0);
    event_json_add(&out, names, values, 0);
    assert_string_equal(buf_text(&out), "{}");
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_json_of_a_transition),
        cmocka_unit_test(test_event_json_seq_is_a_number_or_text),
        cmocka_unit_test(test_event_json_leaves_out_what_does_not_apply),
        cmocka_unit_test(test_event_json_has_the_largest_seq_as_a_number),
        cmocka_unit_test(test_event_json_escapes_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
