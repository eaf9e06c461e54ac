/* One reader per kind of field, for reports and for stored hashes alike. */
#include "codec/report.h"

#include "util/number.h"
#include "util/time_text.h"
#include "util/utf8.h"
#include <assert.h>

#define MS_PER_S         1000
#define STORED_COUNT_MAX (UINT64_C(1) << 53)

static const char *find_id_fault(struct slice text, size_t max)
{
    if (text.len > max)
        return max == IDENT_MAX ? "longer than 64 bytes" : "longer than 160 bytes";
    return ident_is_valid(text, max) ? NULL : "not an id of A-Z a-z 0-9 . _ -";
}

static_assert(IDENT_MAX == 64 && IDENT_COMMAND_MAX == 160, "the texts above say so");

/* Every number of a report is a size, a count, a percentage or a duration (SPEC §3). */
static const char *read_number(struct report *report, enum report_field field, struct slice text)
{
    double value;

    if (!number_parse_decimal(text, &value))
        return "not a finite decimal number";
    if (value < 0)
        return "negative";
    report->number[field] = value;
    report->number_text[field] = text;
    return NULL;
}

static const char *read_id(struct report *report, enum report_field field, struct slice text)
{
    const char *fault = find_id_fault(text, IDENT_MAX);

    if (fault)
        return fault;
    if (field == REPORT_INSTANCE_ID)
        report->instance_id = text;
    else if (field == REPORT_BROKER_ID)
        report->broker_id = text;
    else
        report->host_id = text;
    return NULL;
}

static const char *read_command_id(struct report *report, struct slice text)
{
    const char *fault = find_id_fault(text, IDENT_COMMAND_MAX);

    if (!fault)
        report->command_id = text;
    return fault;
}

/* NUL is a valid character, but no text that is kept may hold one: it is replaced like an invalid byte. No
 * more bytes are looked at than can end up in SCRATCH, and those that complete the last character. */
static struct slice sanitize_text(struct slice text, char scratch[REPORT_TEXT_MAX])
{
    char copy[REPORT_TEXT_MAX + 3];
    size_t len = text.len < sizeof(copy) ? text.len : sizeof(copy);

    for (size_t i = 0; i < len; i++)
        copy[i] = text.data[i] == '\0' ? '\xff' : text.data[i];
    return slice_of(scratch, utf8_sanitize(scratch, REPORT_TEXT_MAX, slice_of(copy, len)));
}

static const char *read_text(struct report *report, enum report_field field, struct slice text,
                             char scratch[REPORT_TEXT_MAX])
{
    struct slice mended = sanitize_text(text, scratch);

    if (field == REPORT_LAST_ERROR)
        report->last_error = mended;
    else
        report->command_error = mended;
    return NULL;
}

/* Reads a value into REPORT, its bit in present aside; what is wrong with it, or NULL. A text goes to
 * SCRATCH.
 */
static const char *read_value(struct report *report, enum report_field field, struct slice text,
                              char scratch[REPORT_TEXT_MAX])
{
    switch (report_field_table[field].kind) {
    case REPORT_FIELD_NUMBER:
        return read_number(report, field, text);
    case REPORT_FIELD_ID:
        return read_id(report, field, text);
    case REPORT_FIELD_STATE:
        return instance_state_parse(text, &report->state) ? NULL
                                                          : "not one of running stopped crashed restarting";
    case REPORT_FIELD_LAUNCH_MODE:
        return launch_mode_parse(text, &report->launch_mode) ? NULL : "not one of auto manual";
    case REPORT_FIELD_HEALTH:
        return health_parse(text, &report->health) ? NULL : "not one of healthy warning critical";
    case REPORT_FIELD_TEXT:
        return read_text(report, field, text, scratch);
    case REPORT_FIELD_COMMAND_ID:
        return read_command_id(report, text);
    case REPORT_FIELD_COMMAND_STATUS:
        break;
    }
    return command_answer_parse(text, &report->command_status) ? NULL : "not one of accepted ok failed";
}

static bool refuse(enum report_field field, const char *what, struct slice *ret_field, struct errmsg *reason)
{
    *ret_field = report_entry_names[field];
    errmsg_set(reason, "%s: %s", report_entry_names[field].data, what);
    return false;
}

bool report_parse(const struct entry *entry, struct report_scratch *scratch, struct report *ret_report,
                  struct slice *ret_field, struct errmsg *reason)
{
    struct report report = {.present = entry->present, .state = STATE_NONE};

    if (!((entry->present >> REPORT_INSTANCE_ID) & 1U))
        return refuse(REPORT_INSTANCE_ID, "required", ret_field, reason);
    for (unsigned i = 0; i < REPORT_FIELDS; i++) {
        const char *fault;

        if (!((entry->present >> i) & 1U))
            continue;
        fault = read_value(&report, (enum report_field)i, entry->value[i],
                           i == REPORT_COMMAND_ERROR ? scratch->command_error : scratch->last_error);
        if (fault)
            return refuse((enum report_field)i, fault, ret_field, reason);
    }
    *ret_report = report;
    return true;
}

struct slice report_find_instance_id(const struct entry *entry)
{
    bool is_there = (entry->present >> REPORT_INSTANCE_ID) & 1U;

    return is_there && ident_is_valid(entry->value[REPORT_INSTANCE_ID], IDENT_MAX)
               ? entry->value[REPORT_INSTANCE_ID]
               : slice_text(NULL);
}

void instance_record_init(struct instance_record *record)
{
    *record = (struct instance_record){.values = {.state = STATE_NONE},
                                       .previous_state = STATE_NONE,
                                       .desired_state = STATE_NONE,
                                       .updated_s = {-1, -1, -1}};
}

/* The text in which VALUE, just read, is stored. */
static struct slice canonical_text(const struct report *values, enum report_field field, struct slice value)
{
    switch (report_field_table[field].kind) {
    case REPORT_FIELD_STATE:
        return slice_text(instance_state_name(values->state));
    case REPORT_FIELD_LAUNCH_MODE:
        return slice_text(launch_mode_name(values->launch_mode));
    case REPORT_FIELD_HEALTH:
        return slice_text(health_name(values->health));
    case REPORT_FIELD_TEXT:
        return values->last_error;
    case REPORT_FIELD_NUMBER:
    case REPORT_FIELD_ID:
    case REPORT_FIELD_COMMAND_ID:
    case REPORT_FIELD_COMMAND_STATUS:
        break;
    }
    return value;
}

static void take_reported(struct instance_record *record, enum report_field field, struct slice value,
                          char scratch[REPORT_TEXT_MAX])
{
    uint32_t bit = 1U << field;

    if (read_value(&record->values, field, value, scratch)) {
        record->invalid |= bit;
        return;
    }
    record->values.present |= bit;
    if (!slice_equal(value, canonical_text(&record->values, field, value)))
        record->invalid |= bit;
}

static void take_state(struct slice value, bool *ret_has, enum instance_state *ret_state)
{
    *ret_has = instance_state_parse(value, ret_state) && slice_is(value, instance_state_name(*ret_state));
}

static void take_count(struct slice value, bool *ret_has, uint64_t *ret_count)
{
    *ret_has = number_parse_u64(value, STORED_COUNT_MAX, ret_count);
}

/* The daemon's own fields, which no report brings. One that is not as it was written counts as missing. */
static void take_own(struct instance_record *record, enum record_kind kind, struct slice name,
                     struct slice value)
{
    if (kind == RECORD_INSTANCE && slice_is(name, "previous_state")) {
        take_state(value, &record->has_previous_state, &record->previous_state);
    } else if (kind == RECORD_INSTANCE && slice_is(name, "desired_state")) {
        take_state(value, &record->has_desired_state, &record->desired_state);
    } else if (kind == RECORD_INSTANCE && slice_is(name, "state_changed_at")) {
        record->has_state_changed = time_text_parse(value, &record->state_changed_ms);
    } else if (kind == RECORD_HEALTH && slice_is(name, "reported_health")) {
        record->has_reported_health = health_parse(value, &record->reported_health) &&
                                      slice_is(value, health_name(record->reported_health));
    } else if (kind == RECORD_HEALTH && slice_is(name, "failed_restarts")) {
        take_count(value, &record->has_failed_restarts, &record->failed_restarts);
    } else if (kind == RECORD_HEALTH && slice_is(name, "recovery_attempts")) {
        take_count(value, &record->has_recovery_attempts, &record->recovery_attempts);
    }
}

static void take_updated(struct instance_record *record, enum record_kind kind, struct slice value)
{
    int64_t ms;

    if (time_text_parse(value, &ms))
        record->updated_s[kind] = ms / MS_PER_S;
}

void instance_record_parse_field(struct instance_record *record, enum record_kind kind, struct slice name,
                                 struct slice value, char scratch[REPORT_TEXT_MAX])
{
    record->exists[kind] = true;
    if (slice_is(name, "last_updated_at")) {
        take_updated(record, kind, value);
        return;
    }
    for (unsigned i = 0; i < REPORT_KEPT_FIELDS; i++) {
        if (i != REPORT_INSTANCE_ID && report_field_table[i].record == kind &&
            slice_equal(report_entry_names[i], name)) {
            take_reported(record, (enum report_field)i, value, scratch);
            return;
        }
    }
    take_own(record, kind, name, value);
}
