/* Reports from entries, and records from hashes. */
#include "codec/report.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct entry entry_of(enum report_field field, struct slice value)
{
    struct entry entry = {.stream = STREAM_REPORTS};

    entry.value[REPORT_INSTANCE_ID] = slice_text("mt5-1");
    entry.value[field] = value;
    entry.present = 1U << REPORT_INSTANCE_ID | 1U << field;
    return entry;
}

/* The fault of VALUE in FIELD beside a valid instance_id, behind the name of the field; NULL for none. */
static const char *fault_of(enum report_field field, struct slice value, struct report *ret_report)
{
    static struct errmsg reason;
    static struct report_scratch scratch;
    struct entry entry = entry_of(field, value);
    struct slice wrong = {NULL, 0};
    size_t len;

    if (report_parse(&entry, &scratch, ret_report, &wrong, &reason))
        return NULL;
    assert_true(slice_equal(wrong, report_field_table[field].name));
    len = wrong.len;
    assert_memory_equal(reason.text, wrong.data, len);
    assert_memory_equal(reason.text + len, ": ", 2);
    return reason.text + len + 2;
}

static const struct {
    const char *text, *fault;
    double value;
} numbers[] = {
    {"0", NULL, 0},
    {"12.5", NULL, 12.5},
    {"1e3", NULL, 1000},
    {".5", NULL, 0.5},
    {"-0", NULL, 0},
    {"-1", "negative", 0},
    {"-0.001", "negative", 0},
    {"", "not a finite decimal number", 0},
    {"nan", "not a finite decimal number", 0},
    {"inf", "not a finite decimal number", 0},
    {"-inf", "not a finite decimal number", 0},
    {"0x10", "not a finite decimal number", 0},
    {"1e999", "not a finite decimal number", 0},
    {"5 ", "not a finite decimal number", 0},
    {" 5", "not a finite decimal number", 0},
    {"5%", "not a finite decimal number", 0},
    {"+5", "not a finite decimal number", 0},
    {"1,5", "not a finite decimal number", 0},
};

static void assert_fault(const char *got, const char *expected)
{
    if (expected)
        assert_string_equal(got, expected);
    else
        assert_null(got);
}

static void test_report_parse_of_every_number(void **state)
{
    (void)state;
    for (unsigned field = 0; field < REPORT_NUMBERS; field++) {
        for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
            struct report report = {0};

            assert_fault(fault_of((enum report_field)field, slice_text(numbers[i].text), &report),
                         numbers[i].fault);
            if (!numbers[i].fault) {
                assert_true(report.number[field] == numbers[i].value);
                assert_true(slice_is(report.number_text[field], numbers[i].text));
                assert_true(report_has(&report, (enum report_field)field));
            }
        }
    }
}

static const struct {
    enum report_field field;
    const char *text, *fault;
    int value;
} words[] = {
    {REPORT_STATE, "running", NULL, STATE_RUNNING},
    {REPORT_STATE, "Stopped", NULL, STATE_STOPPED},
    {REPORT_STATE, "FAILED", NULL, STATE_CRASHED},
    {REPORT_STATE, "restarting", NULL, STATE_RESTARTING},
    {REPORT_STATE, "", "not one of running stopped crashed restarting", 0},
    {REPORT_STATE, "dead", "not one of running stopped crashed restarting", 0},
    {REPORT_LAUNCH_MODE, "Auto", NULL, LAUNCH_AUTO},
    {REPORT_LAUNCH_MODE, "MANUAL", NULL, LAUNCH_MANUAL},
    {REPORT_LAUNCH_MODE, "", "not one of auto manual", 0},
    {REPORT_LAUNCH_MODE, "semi", "not one of auto manual", 0},
    {REPORT_HEALTH_STATUS, "healthy", NULL, HEALTH_HEALTHY},
    {REPORT_HEALTH_STATUS, "Warning", NULL, HEALTH_WARNING},
    {REPORT_HEALTH_STATUS, "critical", NULL, HEALTH_CRITICAL},
    {REPORT_HEALTH_STATUS, "", "not one of healthy warning critical", 0},
    {REPORT_HEALTH_STATUS, "ok", "not one of healthy warning critical", 0},
    {REPORT_COMMAND_STATUS, "accepted", NULL, COMMAND_ACCEPTED},
    {REPORT_COMMAND_STATUS, "OK", NULL, COMMAND_OK},
    {REPORT_COMMAND_STATUS, "Failed", NULL, COMMAND_FAILED},
    {REPORT_COMMAND_STATUS, "", "not one of accepted ok failed", 0},
    {REPORT_COMMAND_STATUS, "issued", "not one of accepted ok failed", 0},
    {REPORT_COMMAND_STATUS, "expired", "not one of accepted ok failed", 0},
};

static void test_report_parse_of_every_word(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct report report = {.state = STATE_NONE};

        assert_fault(fault_of(words[i].field, slice_text(words[i].text), &report), words[i].fault);
        if (words[i].fault)
            continue;
        assert_int_equal(words[i].field == REPORT_STATE           ? (int)report.state
                         : words[i].field == REPORT_LAUNCH_MODE   ? (int)report.launch_mode
                         : words[i].field == REPORT_HEALTH_STATUS ? (int)report.health
                                                                  : (int)report.command_status,
                         words[i].value);
    }
}

static void test_report_parse_of_every_id(void **state)
{
    static const enum report_field fields[] = {REPORT_INSTANCE_ID, REPORT_BROKER_ID, REPORT_HOST_ID};
    static const char id[] = "1234567890123456789012345678901234567890123456789012345678901234x";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct report report = {0};
        const struct slice *got = fields[i] == REPORT_INSTANCE_ID ? &report.instance_id
                                  : fields[i] == REPORT_BROKER_ID ? &report.broker_id
                                                                  : &report.host_id;

        assert_null(fault_of(fields[i], slice_of(id, 64), &report));
        assert_true(slice_equal(*got, slice_of(id, 64)));
        assert_string_equal(fault_of(fields[i], slice_of(id, 65), &report), "longer than 64 bytes");
        assert_string_equal(fault_of(fields[i], slice_text("a:b"), &report),
                            "not an id of A-Z a-z 0-9 . _ -");
        assert_string_equal(fault_of(fields[i], slice_text(""), &report), "not an id of A-Z a-z 0-9 . _ -");
    }
}

static void test_report_parse_of_a_command_id(void **state)
{
    char id[IDENT_COMMAND_MAX + 1];
    struct report report = {0};

    (void)state;
    memset(id, 'x', sizeof(id));
    assert_null(fault_of(REPORT_COMMAND_ID, slice_of(id, IDENT_COMMAND_MAX), &report));
    assert_true(slice_equal(report.command_id, slice_of(id, IDENT_COMMAND_MAX)));
    assert_true(report_has(&report, REPORT_COMMAND_ID));
    assert_string_equal(fault_of(REPORT_COMMAND_ID, slice_of(id, IDENT_COMMAND_MAX + 1), &report),
                        "longer than 160 bytes");
    assert_string_equal(fault_of(REPORT_COMMAND_ID, slice_text("a b"), &report),
                        "not an id of A-Z a-z 0-9 . _ -");
    assert_string_equal(fault_of(REPORT_COMMAND_ID, slice_text(""), &report),
                        "not an id of A-Z a-z 0-9 . _ -");
}

static void test_report_parse_needs_an_instance_id(void **state)
{
    struct entry entry = entry_of(REPORT_CPU_USAGE, slice_text("nan"));
    struct slice wrong;
    struct errmsg reason;
    struct report report = {.present = 77};
    struct report_scratch scratch;

    (void)state;
    entry.present = 1U << REPORT_CPU_USAGE;
    assert_false(report_parse(&entry, &scratch, &report, &wrong, &reason));
    assert_string_equal(reason.text, "instance_id: required");
    assert_true(slice_is(wrong, "instance_id"));
    assert_int_equal(report.present, 77);
    assert_int_equal(report_find_instance_id(&entry).len, 0);
}

static void test_report_find_instance_id_of_a_rejected_entry(void **state)
{
    struct entry entry = entry_of(REPORT_CPU_USAGE, slice_text("nan"));

    (void)state;
    assert_true(slice_is(report_find_instance_id(&entry), "mt5-1"));
    entry.value[REPORT_INSTANCE_ID] = slice_text("-mt5");
    assert_int_equal(report_find_instance_id(&entry).len, 0);
}

static void test_report_parse_mends_last_error(void **state)
{
    struct report report;

    (void)state;
    assert_null(fault_of(REPORT_LAST_ERROR, slice_of("a\xff\0b", 4), &report));
    assert_true(slice_is(report.last_error, "a\xef\xbf\xbd\xef\xbf\xbd"
                                            "b"));
    assert_null(fault_of(REPORT_LAST_ERROR, slice_text(""), &report));
    assert_int_equal(report.last_error.len, 0);
    assert_true(report_has(&report, REPORT_LAST_ERROR));
}

/* Both texts of one report are mended, each in a place of its own. */
static void test_report_parse_mends_both_texts(void **state)
{
    struct entry entry = entry_of(REPORT_LAST_ERROR, slice_text("lost\xff"));
    struct report_scratch scratch;
    struct report report;
    struct slice wrong;
    struct errmsg reason;

    (void)state;
    entry.value[REPORT_COMMAND_ERROR] = slice_text("\xffrefused");
    entry.present |= 1U << REPORT_COMMAND_ERROR;
    assert_true(report_parse(&entry, &scratch, &report, &wrong, &reason));
    assert_true(slice_is(report.last_error, "lost\xef\xbf\xbd"));
    assert_true(slice_is(report.command_error, "\xef\xbf\xbdrefused"));
}

/* Of a long text whole characters are kept, wherever the cut falls. */
static void test_report_parse_cuts_last_error_at_a_character(void **state)
{
    static const char *const characters[] = {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(characters); i++) {
        for (size_t shift = 0; shift < 4; shift++) {
            char text[ENTRY_VALUE_MAX];
            size_t size = strlen(characters[i]);
            size_t len = shift;
            struct report report;

            memset(text, '.', shift);
            for (; len + size <= sizeof(text); len += size)
                memcpy(text + len, characters[i], size);
            assert_null(fault_of(REPORT_LAST_ERROR, slice_of(text, len), &report));
            assert_int_equal(report.last_error.len, shift + (REPORT_TEXT_MAX - shift) / size * size);
            assert_memory_equal(report.last_error.data, text, report.last_error.len);
        }
    }
}

static const struct {
    enum record_kind kind;
    const char *name, *value;
    int field; /* of report, or -1 */
    bool is_present, is_invalid;
} stored[] = {
    {RECORD_METRICS, "cpu_usage", "5", REPORT_CPU_USAGE, true, false},
    {RECORD_METRICS, "cpu_usage", "-5", REPORT_CPU_USAGE, false, true},
    {RECORD_METRICS, "cpu_usage", "", REPORT_CPU_USAGE, false, true},
    {RECORD_INSTANCE, "cpu_usage", "5", REPORT_CPU_USAGE, false, false},
    {RECORD_HEALTH, "restart_count", "5", REPORT_RESTART_COUNT, true, false},
    {RECORD_INSTANCE, "active_connections", "x", REPORT_ACTIVE_CONNECTIONS, false, true},
    {RECORD_INSTANCE, "broker_id", "b1", REPORT_BROKER_ID, true, false},
    {RECORD_INSTANCE, "broker_id", "b:1", REPORT_BROKER_ID, false, true},
    {RECORD_INSTANCE, "host_id", "", REPORT_HOST_ID, false, true},
    {RECORD_INSTANCE, "instance_id", "mt5-1", REPORT_INSTANCE_ID, false, false},
    {RECORD_INSTANCE, "state", "running", REPORT_STATE, true, false},
    {RECORD_INSTANCE, "state", "Running", REPORT_STATE, true, true},
    {RECORD_INSTANCE, "state", "failed", REPORT_STATE, true, true},
    {RECORD_INSTANCE, "state", "dead", REPORT_STATE, false, true},
    {RECORD_INSTANCE, "launch_mode", "manual", REPORT_LAUNCH_MODE, true, false},
    {RECORD_INSTANCE, "launch_mode", "MANUAL", REPORT_LAUNCH_MODE, true, true},
    {RECORD_HEALTH, "health_status", "warning", REPORT_HEALTH_STATUS, true, false},
    {RECORD_HEALTH, "health_status", "Warning", REPORT_HEALTH_STATUS, true, true},
    {RECORD_HEALTH, "health_status", "sick", REPORT_HEALTH_STATUS, false, true},
    {RECORD_HEALTH, "last_error", "lost", REPORT_LAST_ERROR, true, false},
    {RECORD_HEALTH, "last_error", "", REPORT_LAST_ERROR, true, false},
    {RECORD_HEALTH, "last_error", "\xff", REPORT_LAST_ERROR, true, true},
    {RECORD_HEALTH, "colour", "blue", -1, false, false},
    {RECORD_INSTANCE, "command_id", "mt5-1.stop.1", -1, false, false},
    {RECORD_INSTANCE, "command_status", "ok", -1, false, false},
    {RECORD_INSTANCE, "command_error", "no", -1, false, false},
};

static void test_instance_record_parse_field_of_a_report(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stored); i++) {
        struct instance_record record;
        char scratch[REPORT_TEXT_MAX];

        instance_record_init(&record);
        instance_record_parse_field(&record, stored[i].kind, slice_text(stored[i].name),
                                    slice_text(stored[i].value), scratch);
        assert_int_equal(record.values.present, stored[i].is_present ? 1U << stored[i].field : 0);
        assert_int_equal(record.invalid, stored[i].is_invalid ? 1U << stored[i].field : 0);
        for (int kind = 0; kind <= RECORD_HEALTH; kind++)
            assert_int_equal(record.exists[kind], kind == (int)stored[i].kind);
    }
}

static struct instance_record record_with(enum record_kind kind, const char *name, const char *value)
{
    struct instance_record record;
    char scratch[REPORT_TEXT_MAX];

    instance_record_init(&record);
    instance_record_parse_field(&record, kind, slice_text(name), slice_text(value), scratch);
    return record;
}

static void test_instance_record_parse_field_of_the_daemon(void **state)
{
    struct instance_record record;

    (void)state;
    record = record_with(RECORD_INSTANCE, "previous_state", "crashed");
    assert_true(record.has_previous_state);
    assert_int_equal(record.previous_state, STATE_CRASHED);
    record = record_with(RECORD_INSTANCE, "desired_state", "stopped");
    assert_true(record.has_desired_state);
    assert_int_equal(record.desired_state, STATE_STOPPED);
    record = record_with(RECORD_INSTANCE, "state_changed_at", "2025-03-22T10:15:30Z");
    assert_true(record.has_state_changed);
    assert_int_equal(record.state_changed_ms, 1742638530000);
    record = record_with(RECORD_HEALTH, "reported_health", "critical");
    assert_true(record.has_reported_health);
    assert_int_equal(record.reported_health, HEALTH_CRITICAL);
    record = record_with(RECORD_HEALTH, "failed_restarts", "3");
    assert_true(record.has_failed_restarts);
    assert_int_equal(record.failed_restarts, 3);
    record = record_with(RECORD_HEALTH, "recovery_attempts", "4");
    assert_true(record.has_recovery_attempts);
    assert_int_equal(record.recovery_attempts, 4);
}

static void test_instance_record_own_fields_as_nobody_wrote_them_are_missing(void **state)
{
    (void)state;
    assert_false(record_with(RECORD_INSTANCE, "previous_state", "Crashed").has_previous_state);
    assert_false(record_with(RECORD_INSTANCE, "previous_state", "").has_previous_state);
    assert_false(record_with(RECORD_INSTANCE, "desired_state", "failed").has_desired_state);
    assert_false(record_with(RECORD_INSTANCE, "state_changed_at", "yesterday").has_state_changed);
    assert_false(record_with(RECORD_HEALTH, "reported_health", "Healthy").has_reported_health);
    assert_false(record_with(RECORD_HEALTH, "failed_restarts", "-1").has_failed_restarts);
    assert_false(record_with(RECORD_HEALTH, "recovery_attempts", "1.5").has_recovery_attempts);
    assert_false(record_with(RECORD_METRICS, "failed_restarts", "1").has_failed_restarts);
}

static void test_instance_record_last_updated_at_of_each_hash(void **state)
{
    (void)state;
    for (int kind = 0; kind <= RECORD_HEALTH; kind++) {
        struct instance_record record =
            record_with((enum record_kind)kind, "last_updated_at", "1970-01-01T00:01:00.500Z");

        for (int other = 0; other <= RECORD_HEALTH; other++)
            assert_int_equal(record.updated_s[other], other == kind ? 60 : -1);
        assert_int_equal(record_with((enum record_kind)kind, "last_updated_at", "now").updated_s[kind], -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_parse_of_every_number),
        cmocka_unit_test(test_report_parse_of_every_word),
        cmocka_unit_test(test_report_parse_of_every_id),
        cmocka_unit_test(test_report_parse_of_a_command_id),
        cmocka_unit_test(test_report_parse_needs_an_instance_id),
        cmocka_unit_test(test_report_find_instance_id_of_a_rejected_entry),
        cmocka_unit_test(test_report_parse_mends_last_error),
        cmocka_unit_test(test_report_parse_mends_both_texts),
        cmocka_unit_test(test_report_parse_cuts_last_error_at_a_character),
        cmocka_unit_test(test_instance_record_parse_field_of_a_report),
        cmocka_unit_test(test_instance_record_parse_field_of_the_daemon),
        cmocka_unit_test(test_instance_record_own_fields_as_nobody_wrote_them_are_missing),
        cmocka_unit_test(test_instance_record_last_updated_at_of_each_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
