/* codec/event_pack.h: what is packed comes out byte for byte, whoever wrote it, and is small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/event_json.h"
#include "codec/event_pack.h"
#include "core/event.h"
#include "util/macros.h"
#include <cmocka.h>
#include <stdlib.h>

static const struct stream_id entry = {1742638530123, 4};

static void assert_same(struct slice is, struct slice expected)
{
    assert_int_equal(is.len, expected.len);
    if (is.len)
        assert_memory_equal(is.data, expected.data, is.len);
}

/* Packs, unpacks, compares the fields and the JSON; returns how many bytes it was. */
static size_t check(struct stream_id id, const struct slice *names, const struct slice *values, size_t count)
{
    struct buf packed = BUF_INIT, json = BUF_INIT, expected = BUF_INIT;
    struct event_unpacked event;
    size_t len;

    event_pack(&packed, id, names, values, count);
    event_unpack(buf_slice(&packed), id, &event);
    assert_int_equal(event.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_same(event.names[i], names[i]);
        assert_same(event.values[i], values[i]);
    }
    event_json_add(&expected, names, values, count);
    event_json_add(&json, event.names, event.values, event.count);
    assert_same(buf_slice(&json), buf_slice(&expected));
    len = packed.len;
    buf_clear(&packed);
    buf_clear(&json);
    buf_clear(&expected);
    return len;
}

static size_t check_event(const struct event *event)
{
    struct slice names[EVENT_FIELDS_MAX], values[EVENT_FIELDS_MAX];
    char scratch[EVENT_SCRATCH_SIZE];

    return check(entry, names, values, event_fields(event, names, values, scratch));
}

static void test_event_pack_of_each_kind(void **state)
{
    UNUSED(state);
    for (int kind = 0; kind < EVENT_KINDS; kind++) {
        struct event event = {.kind = (enum event_kind)kind,
                              .instance_id = slice_text("mt5-00000042"),
                              .seq = 17,
                              .at_ms = 1742638530000,
                              .from = slice_text("running"),
                              .to = slice_text("crashed"),
                              .reason = slice_text("said \"no\"\n\xff"),
                              .alert = slice_text("cpu_high"),
                              .has_value = true,
                              .value = 91.25,
                              .has_threshold = true,
                              .threshold = 90,
                              .command_id = slice_text("c-1"),
                              .signal_id = slice_text("s-1"),
                              .cause = {CAUSE_REPORT, {1742638530120, 0}}};

        (void)check_event(&event);
    }
}

/* What a fleet has by the thousand. */
static void test_event_pack_of_a_transition_is_small(void **state)
{
    struct event event = {.kind = EVENT_INSTANCE_STARTED,
                          .instance_id = slice_text("mt5-00000042"),
                          .seq = 17,
                          .at_ms = 1742638529000,
                          .from = slice_text("stopped"),
                          .to = slice_text("running"),
                          .cause = {CAUSE_REPORT, {1742638529120, 0}}};

    UNUSED(state);
    assert_true(check_event(&event) <= 40);
}

/* Values that look like what is packed in another form, and are not. */
static void test_event_pack_of_what_others_write(void **state)
{
    static const char *const values[] = {
        "",
        "0",
        "007",
        "+7",
        "-7",
        "7.0",
        "18446744073709551615",
        "18446744073709551616",
        "2025-03-22T10:15:30Z",
        "2025-03-22T10:15:30.000Z",
        "2025-02-30T10:15:30Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2025-03-22t10:15:30z",
        "timer-1742638530123-4",
        "timer-1742638530123",
        "timer-01-0",
        "operator-0-0",
        "report-18446744073709551615-18446744073709551615",
        "nobody-1-1",
        "instance_started",
        "Instance_started",
        "running",
        "failed",
        "maintenance_changed",
        "a value that has no form of its own, and is longer than a hundred and twenty-seven bytes, so that "
        "its length takes "
        "two bytes of its own",
    };
    static const char *const names[] = {"event", "seq", "at", "correlation_id", "own_name", "x"};
    static const struct stream_id ids[] = {{0, 0},
                                           {1, 0},
                                           {1742638530123, 4},
                                           {INT64_MAX, 1},
                                           {(uint64_t)INT64_MAX + 1, 1},
                                           {UINT64_MAX, UINT64_MAX}};

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        for (size_t n = 0; n < ARRAY_LEN(names); n++) {
            for (size_t v = 0; v < ARRAY_LEN(values); v++) {
                struct slice name = slice_text(names[n]), value = slice_text(values[v]);

                (void)check(ids[i], &name, &value, 1);
            }
        }
    }
}

/* Distances around the ends of 64 bits. */
static void test_event_pack_of_distant_causes(void **state)
{
    static const uint64_t times[] = {0,
                                     1,
                                     1000,
                                     INT64_MAX - 1,
                                     INT64_MAX,
                                     (uint64_t)INT64_MAX + 1,
                                     (uint64_t)INT64_MAX + 2,
                                     UINT64_MAX - 1,
                                     UINT64_MAX};

    UNUSED(state);
    for (size_t a = 0; a < ARRAY_LEN(times); a++) {
        for (size_t b = 0; b < ARRAY_LEN(times); b++) {
            struct cause cause = {CAUSE_TRADE, {times[b], times[a]}};
            char text[CAUSE_TEXT_MAX];
            struct slice name = slice_text("correlation_id"),
                         value = slice_of(text, cause_format(text, &cause));

            (void)check((struct stream_id){times[a], 0}, &name, &value, 1);
        }
    }
}

static void test_event_pack_has_a_bound(void **state)
{
    struct slice names[EVENT_PACK_FIELDS_MAX + 1], values[EVENT_PACK_FIELDS_MAX + 1];
    struct event_unpacked event;
    struct buf packed = BUF_INIT;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        names[i] = slice_text(i % 2 ? "from" : "own");
        values[i] = slice_text(i % 3 ? "timer-1-2" : "12");
    }
    (void)check(entry, names, values, 0);
    (void)check(entry, names, values, EVENT_PACK_FIELDS_MAX);
    event_pack(&packed, entry, names, values, ARRAY_LEN(names));
    event_unpack(buf_slice(&packed), entry, &event);
    assert_int_equal(event.count, EVENT_PACK_FIELDS_MAX);
    buf_clear(&packed);
}

/* Any bytes, from a seed. */
static void test_event_pack_of_any_bytes(void **state)
{
    static const char some[] = "0123456789-tTzZ:.reportimed_\0\x80\xff";
    unsigned int seed = 1;

    UNUSED(state);
    for (int round = 0; round < 20000; round++) {
        char text[EVENT_PACK_FIELDS_MAX][24];
        struct slice names[EVENT_PACK_FIELDS_MAX], values[EVENT_PACK_FIELDS_MAX];
        size_t count = (size_t)rand_r(&seed) % (EVENT_PACK_FIELDS_MAX + 1);

        for (size_t i = 0; i < count; i++) {
            size_t len = (size_t)rand_r(&seed) % sizeof text[i];

            for (size_t c = 0; c < len; c++)
                text[i][c] = some[(size_t)rand_r(&seed) % (sizeof some - 1)];
            names[i] = rand_r(&seed) % 2 ? slice_text("at") : slice_of(text[i], len);
            values[i] = slice_of(text[i], len);
        }
        (void)check((struct stream_id){(uint64_t)rand_r(&seed), 0}, names, values, count);
    }
}

static void test_event_find_ident(void **state)
{
    const struct slice names[] = {SLICE("event"), SLICE("to"), SLICE("event"), SLICE("event")};
    const struct slice values[] = {SLICE("a"), SLICE("b"), SLICE("c"), SLICE("no ident")};

    UNUSED(state);
    assert_same(event_find_ident(names, values, ARRAY_LEN(names), "event"), slice_text("c"));
    assert_same(event_find_ident(names, values, ARRAY_LEN(names), "to"), slice_text("b"));
    assert_int_equal(event_find_ident(names, values, ARRAY_LEN(names), "from").len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_pack_of_each_kind),
        cmocka_unit_test(test_event_pack_of_a_transition_is_small),
        cmocka_unit_test(test_event_pack_of_what_others_write),
        cmocka_unit_test(test_event_pack_of_distant_causes),
        cmocka_unit_test(test_event_pack_has_a_bound),
        cmocka_unit_test(test_event_pack_of_any_bytes),
        cmocka_unit_test(test_event_find_ident),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
