/* The text of an event that waits for another server (app/far_events.h). */
#include "app/far_events.h"
#include "util/buf.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_far_event_is_read_as_it_was_written(void **state)
{
    static const char *const texts[] = {
        "signal_dropped 1742638530123 timer-1742638530123-4 sig001 mt5-1 no result came in time",
        "late_execution 0 result-5-6 s.1 - executed after the signal was dropped",
        "signal_dropped 1 timer-1-0 s1 - ",
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct far_event item;
        struct buf text = BUF_INIT;

        assert_true(far_event_parse(slice_text("17"), slice_text(texts[i]), &item));
        assert_int_equal(item.number, 17);
        far_event_format(&item, &text);
        assert_string_equal(buf_text(&text), texts[i]);
        buf_clear(&text);
    }
}

static void test_far_event_of_others_is_refused(void **state)
{
    static const struct {
        const char *number, *text;
    } rows[] = {
        {"", "signal_dropped 1 timer-1-0 s1 - x"},
        {"0", "signal_dropped 1 timer-1-0 s1 - x"},
        {"-1", "signal_dropped 1 timer-1-0 s1 - x"},
        {"x", "signal_dropped 1 timer-1-0 s1 - x"},
        {"18446744073709551615", "signal_dropped 1 timer-1-0 s1 - x"},
        {"1", ""},
        {"1", "instance_started 1 timer-1-0 s1 - x"},
        {"1", "signal_dropped"},
        {"1", "signal_dropped -1 timer-1-0 s1 - x"},
        {"1", "signal_dropped 9223372036854775808 timer-1-0 s1 - x"},
        {"1", "signal_dropped 1 timer s1 - x"},
        {"1", "signal_dropped 1 timer-1-0 -s1 - x"},
        {"1", "signal_dropped 1 timer-1-0 s1"},
        {"1", "signal_dropped 1 timer-1-0 s1 mt5_ x"},
        {"1", "signal_dropped 1 timer-1-0 s1 - "
              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct far_event item = {.number = 5};

        if (far_event_parse(slice_text(rows[i].number), slice_text(rows[i].text), &item))
            fail_msg("%s: %s", rows[i].number, rows[i].text);
        assert_int_equal(item.number, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_far_event_is_read_as_it_was_written),
        cmocka_unit_test(test_far_event_of_others_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
