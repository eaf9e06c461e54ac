/* Entries of the four streams: the first byte says of which (its value modulo four), then fields, parted by
 * 0x1e, their names ended by 0x1f. What is accepted keeps the rules of SPEC §3; what is not names its field.
 */
#include "fuzz.h"

#include "codec/report.h"
#include "codec/signal_entry.h"
#include "codec/trade_entry.h"
#include "util/number.h"
#include "util/utf8.h"
#include <math.h>

struct fields {
    const struct slice *names;
    size_t count;
};

static const struct fields by_stream[STREAM_KINDS] = {
    [STREAM_REPORTS] = {report_entry_names, REPORT_FIELDS},
    [STREAM_SIGNALS] = {signal_field_names, SIGNAL_FIELDS},
    [STREAM_RESULTS] = {result_field_names, RESULT_FIELDS},
    [STREAM_TRADES] = {trade_entry_names, TRADE_FIELDS},
};

static void add_field(struct entry *entry, struct slice name, struct slice value)
{
    const struct fields *fields = &by_stream[entry->stream];

    for (uint32_t i = 0; i < fields->count; i++) {
        if (!slice_equal(fields->names[i], name))
            continue;
        entry->present |= 1U << i;
        entry->oversize &= ~(1U << i);
        if (value.len > ENTRY_VALUE_MAX) {
            value.len = ENTRY_VALUE_MAX;
            entry->oversize |= 1U << i;
        }
        entry->value[i] = value;
    }
}

static bool has(const struct entry *entry, uint32_t field)
{
    return entry->present >> field & 1U;
}

/* An id that is there is valid, one that is not is empty. */
static void check_id(const struct entry *entry, uint32_t field, struct slice id)
{
    if (has(entry, field))
        CHECK(ident_is_valid(id, IDENT_MAX));
    else
        CHECK(id.len == 0);
}

static void check_number(struct slice text, bool may_be_negative)
{
    double value;

    CHECK(number_parse_decimal(text, &value));
    CHECK(isfinite(value) && (may_be_negative || value >= 0));
}

static void check_refusal(const struct entry *entry, struct slice field, const struct errmsg *reason)
{
    const struct fields *fields = &by_stream[entry->stream];
    bool known = false;

    for (size_t i = 0; i < fields->count; i++)
        known = known || slice_equal(fields->names[i], field);
    CHECK(known);
    CHECK(strncmp(reason->text, field.data, field.len) == 0);
    CHECK(strncmp(reason->text + field.len, ": ", 2) == 0 && reason->text[field.len + 2]);
    CHECK(utf8_is_valid(slice_text(reason->text)));
}

static void check_text(struct slice text)
{
    CHECK(text.len <= REPORT_TEXT_MAX && utf8_is_valid(text));
    CHECK(text.len == 0 || !memchr(text.data, '\0', text.len));
}

static void check_report(const struct entry *entry)
{
    struct report_scratch scratch;
    struct report report;
    struct slice field, id = report_find_instance_id(entry);
    struct errmsg reason;

    CHECK(id.len == 0 || ident_is_valid(id, IDENT_MAX));
    if (!report_parse(entry, &scratch, &report, &field, &reason)) {
        check_refusal(entry, field, &reason);
        return;
    }
    CHECK(report.present == entry->present);
    CHECK(slice_equal(report.instance_id, id) && id.len > 0);
    check_id(entry, REPORT_BROKER_ID, report.broker_id);
    check_id(entry, REPORT_HOST_ID, report.host_id);
    for (uint32_t i = 0; i < REPORT_NUMBERS; i++) {
        if (has(entry, i)) {
            check_number(report.number_text[i], false);
            CHECK(isfinite(report.number[i]) && report.number[i] >= 0);
        }
    }
    check_text(report.last_error);
    check_text(report.command_error);
    CHECK(!has(entry, REPORT_COMMAND_ID) || ident_is_valid(report.command_id, IDENT_COMMAND_MAX));
    CHECK(!has(entry, REPORT_COMMAND_STATUS) ||
          (report.command_status >= COMMAND_ACCEPTED && report.command_status <= COMMAND_FAILED));
    CHECK(!has(entry, REPORT_STATE) || (unsigned)report.state < INSTANCE_STATES);
    CHECK(!has(entry, REPORT_HEALTH_STATUS) || (unsigned)report.health < HEALTHS);
}

static void check_signal(const struct entry *entry)
{
    struct signal_entry_scratch scratch;
    struct signal_entry signal;
    struct slice field;
    struct errmsg reason;

    if (!signal_entry_parse(entry, &scratch, &signal, &field, &reason)) {
        check_refusal(entry, field, &reason);
        return;
    }
    CHECK(stream_id_compare(signal.id, entry->id) == 0);
    CHECK(ident_is_valid(signal.signal_id, IDENT_MAX));
    CHECK(ident_is_valid(signal.action, IDENT_ACTION_MAX));
    for (size_t i = 0; i < signal.action.len; i++)
        CHECK(signal.action.data[i] < 'A' || signal.action.data[i] > 'Z');
    check_id(entry, SIGNAL_INSTANCE_ID, signal.instance_id);
}

static void check_result(const struct entry *entry)
{
    struct result_entry result;
    struct slice field;
    struct errmsg reason;

    if (!result_entry_parse(entry, &result, &field, &reason)) {
        check_refusal(entry, field, &reason);
        return;
    }
    CHECK(ident_is_valid(result.result_id, IDENT_MAX) && ident_is_valid(result.signal_id, IDENT_MAX));
    check_id(entry, RESULT_TRADE_ID, result.trade_id);
    check_id(entry, RESULT_INSTANCE_ID, result.instance_id);
    CHECK((unsigned)result.status < RESULT_STATUSES);
    CHECK(result.has_slippage == has(entry, RESULT_SLIPPAGE));
    CHECK(result.has_execution_time == has(entry, RESULT_EXECUTION_TIME));
    CHECK(!result.has_slippage || isfinite(result.slippage));
    CHECK(!result.has_execution_time ||
          (isfinite(result.execution_time_ms) && result.execution_time_ms >= 0));
}

static void check_trade(const struct entry *entry)
{
    struct trade_entry_scratch scratch;
    struct trade_update update;
    struct slice field;
    struct errmsg reason;

    if (!trade_entry_parse(entry, &scratch, &update, &field, &reason)) {
        check_refusal(entry, field, &reason);
        return;
    }
    CHECK(update.present == entry->present);
    CHECK((update.state != TRADE_NONE) == has(entry, TRADE_STATE));
    for (uint32_t i = 0; i < TRADE_FIELDS; i++) {
        if (!has(entry, i))
            continue;
        switch (trade_field_table[i].kind) {
        case TRADE_FIELD_ID:
            CHECK(ident_is_valid(update.value[i], IDENT_MAX));
            break;
        case TRADE_FIELD_TEXT:
            CHECK(update.value[i].len > 0 && update.value[i].len <= TRADE_TEXT_MAX);
            CHECK(utf8_is_valid(update.value[i]));
            break;
        case TRADE_FIELD_NUMBER:
        case TRADE_FIELD_SIGNED_NUMBER:
            check_number(update.value[i], trade_field_table[i].kind == TRADE_FIELD_SIGNED_NUMBER);
            break;
        case TRADE_FIELD_STATE:
            CHECK(slice_is_nocase(update.value[i], trade_state_name(update.state)));
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[STREAM_KINDS])(const struct entry *) = {check_report, check_signal,
                                                                       check_result, check_trade};

    if (size < 1)
        return 0;

    struct entry entry = {.stream = (enum stream_kind)(data[0] % STREAM_KINDS), .id = {1742638530123, 4}};
    struct slice rest = slice_of((const char *)data + 1, size - 1);

    while (rest.len > 0) {
        struct slice value = fuzz_take(&rest, 0x1e);
        struct slice name = fuzz_take(&value, 0x1f);

        add_field(&entry, name, value);
    }
    checks[entry.stream](&entry);
    return 0;
}
