#include "core/report.h"
#include "core/sink.h"
#include "util/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* SPEC §4 and §5.1: the fields of a report and the hash that holds each. */
static const struct {
    enum report_field field;
    const char *name;
    enum report_field_kind kind;
    enum record_kind record;
} rows[] = {
    {REPORT_ACTIVE_CONNECTIONS, "active_connections", REPORT_FIELD_NUMBER, RECORD_INSTANCE},
    {REPORT_CPU_USAGE, "cpu_usage", REPORT_FIELD_NUMBER, RECORD_METRICS},
    {REPORT_MEMORY_USAGE, "memory_usage", REPORT_FIELD_NUMBER, RECORD_METRICS},
    {REPORT_NETWORK_USAGE, "network_usage", REPORT_FIELD_NUMBER, RECORD_METRICS},
    {REPORT_DISK_USAGE, "disk_usage", REPORT_FIELD_NUMBER, RECORD_METRICS},
    {REPORT_MEMORY_LIMIT, "memory_limit", REPORT_FIELD_NUMBER, RECORD_METRICS},
    {REPORT_NETWORK_LATENCY, "network_latency", REPORT_FIELD_NUMBER, RECORD_METRICS},
    {REPORT_QUEUE_LENGTH, "queue_length", REPORT_FIELD_NUMBER, RECORD_METRICS},
    {REPORT_LOAD_AVERAGE, "load_average", REPORT_FIELD_NUMBER, RECORD_METRICS},
    {REPORT_SOCKET_CONNECTIONS, "socket_connections", REPORT_FIELD_NUMBER, RECORD_METRICS},
    {REPORT_UPTIME_SECONDS, "uptime_seconds", REPORT_FIELD_NUMBER, RECORD_HEALTH},
    {REPORT_RESTART_COUNT, "restart_count", REPORT_FIELD_NUMBER, RECORD_HEALTH},
    {REPORT_INSTANCE_ID, "instance_id", REPORT_FIELD_ID, RECORD_INSTANCE},
    {REPORT_BROKER_ID, "broker_id", REPORT_FIELD_ID, RECORD_INSTANCE},
    {REPORT_HOST_ID, "host_id", REPORT_FIELD_ID, RECORD_INSTANCE},
    {REPORT_STATE, "state", REPORT_FIELD_STATE, RECORD_INSTANCE},
    {REPORT_LAUNCH_MODE, "launch_mode", REPORT_FIELD_LAUNCH_MODE, RECORD_INSTANCE},
    {REPORT_HEALTH_STATUS, "health_status", REPORT_FIELD_HEALTH, RECORD_HEALTH},
    {REPORT_LAST_ERROR, "last_error", REPORT_FIELD_TEXT, RECORD_HEALTH},
    {REPORT_COMMAND_ID, "command_id", REPORT_FIELD_COMMAND_ID, RECORD_INSTANCE},
    {REPORT_COMMAND_STATUS, "command_status", REPORT_FIELD_COMMAND_STATUS, RECORD_INSTANCE},
    {REPORT_COMMAND_ERROR, "command_error", REPORT_FIELD_TEXT, RECORD_INSTANCE},
};

static void test_report_field_table_of_each_field(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_LEN(rows), REPORT_FIELDS);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct report_field_info *info = &report_field_table[rows[i].field];

        assert_true(slice_is(info->name, rows[i].name));
        assert_true(slice_is(report_entry_names[rows[i].field], rows[i].name));
        assert_int_equal(info->kind, rows[i].kind);
        assert_int_equal(info->record, rows[i].record);
        assert_int_equal(rows[i].field < REPORT_KEPT_FIELDS, strncmp(rows[i].name, "command_", 8) != 0);
    }
}

static void test_report_field_table_has_the_numbers_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REPORT_FIELDS; i++)
        assert_int_equal(report_field_table[i].kind == REPORT_FIELD_NUMBER, i < REPORT_NUMBERS);
    assert_true(REPORT_FIELDS <= ENTRY_FIELDS_MAX);
}

static void test_names_of_totals_and_outcomes(void **state)
{
    static const char *const totals[TOTAL_KINDS] = {"received", "processed", "failed", "dropped",
                                                    "lost",     "duplicate", "result"};
    static const char *const outcomes[] = {"processed", "failed", "dropped", "lost"};

    (void)state;
    for (int i = 0; i < TOTAL_KINDS; i++)
        assert_string_equal(total_kind_name((enum total_kind)i), totals[i]);
    for (int i = OUTCOME_PROCESSED; i <= OUTCOME_LOST; i++)
        assert_string_equal(signal_outcome_name((enum signal_outcome)i), outcomes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_field_table_of_each_field),
        cmocka_unit_test(test_report_field_table_has_the_numbers_first),
        cmocka_unit_test(test_names_of_totals_and_outcomes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
