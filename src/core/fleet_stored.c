/* The fields of an instance as its three hashes hold them: which there are, what they say, and how they
 * differ from what was read back. Values are always taken from the instance, so what is stored is what is
 * known. */
#include "fleet_private.h"
#include "util/macros.h"
#include "util/number.h"
#include "util/time_text.h"
#include <assert.h>

#define MS_PER_S        1000
#define HASH_FIELDS_MAX 12

struct own_field {
    struct slice name;
    enum record_kind record;
};

/* The fields that no report brings. */
static const struct own_field own_fields[STORED_FIELDS - REPORT_FIELDS] = {
    [STORED_PREVIOUS_STATE - REPORT_FIELDS] = {SLICE("previous_state"), RECORD_INSTANCE},
    [STORED_STATE_CHANGED_AT - REPORT_FIELDS] = {SLICE("state_changed_at"), RECORD_INSTANCE},
    [STORED_DESIRED_STATE - REPORT_FIELDS] = {SLICE("desired_state"), RECORD_INSTANCE},
    [STORED_REPORTED_HEALTH - REPORT_FIELDS] = {SLICE("reported_health"), RECORD_HEALTH},
    [STORED_FAILED_RESTARTS - REPORT_FIELDS] = {SLICE("failed_restarts"), RECORD_HEALTH},
    [STORED_RECOVERY_ATTEMPTS - REPORT_FIELDS] = {SLICE("recovery_attempts"), RECORD_HEALTH},
    [STORED_UPDATED + RECORD_INSTANCE - REPORT_FIELDS] = {SLICE("last_updated_at"), RECORD_INSTANCE},
    [STORED_UPDATED + RECORD_METRICS - REPORT_FIELDS] = {SLICE("last_updated_at"), RECORD_METRICS},
    [STORED_UPDATED + RECORD_HEALTH - REPORT_FIELDS] = {SLICE("last_updated_at"), RECORD_HEALTH},
};

static_assert(STORED_FIELDS <= 32, "a set of fields is one word");
static_assert(TIME_TEXT_LEN < NUMBER_TEXT_MAX, "a time fits where a number does");

static struct slice stored_name(uint32_t field)
{
    return field < REPORT_FIELDS ? report_field_table[field].name : own_fields[field - REPORT_FIELDS].name;
}

enum record_kind stored_record(uint32_t field)
{
    return field < REPORT_FIELDS ? report_field_table[field].record
                                 : own_fields[field - REPORT_FIELDS].record;
}

static uint32_t bit_if(bool condition, uint32_t field)
{
    return condition ? FIELD_BIT(field) : 0;
}

uint32_t stored_known(const struct instance *instance)
{
    uint32_t known = (instance->known & NUMBER_BITS) | FIELD_BIT(REPORT_BROKER_ID) | FIELD_BIT(REPORT_STATE) |
                     FIELD_BIT(REPORT_LAUNCH_MODE) | FIELD_BIT(REPORT_HEALTH_STATUS) |
                     FIELD_BIT(REPORT_LAST_ERROR) | FIELD_BIT(STORED_STATE_CHANGED_AT) |
                     FIELD_BIT(STORED_FAILED_RESTARTS) | FIELD_BIT(STORED_RECOVERY_ATTEMPTS);

    known |= bit_if(instance->host_id.len > 0, REPORT_HOST_ID);
    known |= bit_if(instance->previous_state != STATE_NONE, STORED_PREVIOUS_STATE);
    known |= bit_if(instance->desired_state != STATE_NONE, STORED_DESIRED_STATE);
    known |= bit_if(instance->known & FIELD_BIT(REPORT_HEALTH_STATUS), STORED_REPORTED_HEALTH);
    for (uint32_t i = 0; i < INSTANCE_RECORDS; i++)
        known |= bit_if(instance->record_updated_s[i] >= 0, STORED_UPDATED + i);
    return known;
}

static struct slice time_value(int64_t ms, char text[NUMBER_TEXT_MAX])
{
    time_text_format(text, ms);
    return slice_of(text, TIME_TEXT_LEN);
}

/* A number as the report has it, where that is its value, else the shortest that reads back as it. */
static struct slice number_value(const struct instance *instance, uint32_t field, const struct report *report,
                                 char text[NUMBER_TEXT_MAX])
{
    if (report && report_has(report, (enum report_field)field))
        return report->number_text[field];
    return slice_of(text, number_format_double(text, instance->number[field]));
}

static struct slice stored_value(const struct instance *instance, uint32_t field, const struct report *report,
                                 char text[NUMBER_TEXT_MAX])
{
    if (field < REPORT_NUMBERS)
        return number_value(instance, field, report, text);
    switch (field) {
    case REPORT_BROKER_ID:
        return ident_slice(&instance->broker_id);
    case REPORT_HOST_ID:
        return ident_slice(&instance->host_id);
    case REPORT_STATE:
        return slice_text(instance_state_name(instance->state));
    case REPORT_LAUNCH_MODE:
        return slice_text(launch_mode_name(instance->launch_mode));
    case REPORT_HEALTH_STATUS:
        return slice_text(health_name(instance->health));
    case REPORT_LAST_ERROR:
        return slice_text(instance->last_error);
    case STORED_PREVIOUS_STATE:
        return slice_text(instance_state_name(instance->previous_state));
    case STORED_STATE_CHANGED_AT:
        return time_value(instance->state_changed_ms, text);
    case STORED_DESIRED_STATE:
        return slice_text(instance_state_name(instance->desired_state));
    case STORED_REPORTED_HEALTH:
        return slice_text(health_name(instance->reported_health));
    case STORED_FAILED_RESTARTS:
        return slice_of(text, number_format_u64(text, instance->failed_restarts));
    case STORED_RECOVERY_ATTEMPTS:
        return slice_of(text, number_format_u64(text, instance->recovery_attempts));
    default:
        return time_value(instance->record_updated_s[field - STORED_UPDATED] * MS_PER_S, text);
    }
}

void stored_write(const struct instance *instance, uint32_t fields, const struct report *report,
                  struct sink *sink)
{
    struct record_field list[INSTANCE_RECORDS][HASH_FIELDS_MAX];
    size_t count[INSTANCE_RECORDS] = {0};
    char text[STORED_FIELDS][NUMBER_TEXT_MAX];

    for (uint32_t rest = fields, field; field_take(&rest, &field);) {
        enum record_kind kind = stored_record(field);

        list[kind][count[kind]++] =
            (struct record_field){stored_name(field), stored_value(instance, field, report, text[field])};
    }
    for (unsigned i = 0; i < INSTANCE_RECORDS; i++) {
        if (count[i] > 0)
            sink->ops->record_set(sink->ctx, (enum record_kind)i, ident_slice(&instance->id), list[i],
                                  count[i]);
    }
}

void stored_unset(const struct instance *instance, uint32_t fields, struct sink *sink)
{
    struct slice list[INSTANCE_RECORDS][HASH_FIELDS_MAX];
    size_t count[INSTANCE_RECORDS] = {0};

    for (uint32_t rest = fields, field; field_take(&rest, &field);) {
        enum record_kind kind = stored_record(field);

        list[kind][count[kind]++] = stored_name(field);
    }
    for (unsigned i = 0; i < INSTANCE_RECORDS; i++) {
        if (count[i] > 0)
            sink->ops->record_unset(sink->ctx, (enum record_kind)i, ident_slice(&instance->id), list[i],
                                    count[i]);
    }
}

/* Whether RECORD, which has a valid value of FIELD, has that of INSTANCE. Times are stored in seconds. */
static bool stored_matches(const struct instance *instance, const struct instance_record *record,
                           uint32_t field)
{
    const struct report *values = &record->values;

    if (field < REPORT_NUMBERS)
        return values->number[field] == instance->number[field];
    switch (field) {
    case REPORT_BROKER_ID:
        return slice_equal(values->broker_id, ident_slice(&instance->broker_id));
    case REPORT_HOST_ID:
        return slice_equal(values->host_id, ident_slice(&instance->host_id));
    case REPORT_STATE:
        return values->state == instance->state;
    case REPORT_LAUNCH_MODE:
        return values->launch_mode == instance->launch_mode;
    case REPORT_HEALTH_STATUS:
        return values->health == instance->health;
    case REPORT_LAST_ERROR:
        return slice_equal(values->last_error, slice_text(instance->last_error));
    case STORED_PREVIOUS_STATE:
        return record->previous_state == instance->previous_state;
    case STORED_STATE_CHANGED_AT:
        return record->state_changed_ms / MS_PER_S == instance->state_changed_ms / MS_PER_S;
    case STORED_DESIRED_STATE:
        return record->desired_state == instance->desired_state;
    case STORED_REPORTED_HEALTH:
        return record->reported_health == instance->reported_health;
    case STORED_FAILED_RESTARTS:
        return record->failed_restarts == instance->failed_restarts;
    case STORED_RECOVERY_ATTEMPTS:
        return record->recovery_attempts == instance->recovery_attempts;
    default:
        return record->updated_s[field - STORED_UPDATED] ==
               instance->record_updated_s[field - STORED_UPDATED];
    }
}

/* The fields of which RECORD has a valid value. */
static uint32_t record_valid(const struct instance_record *record)
{
    uint32_t valid = record->values.present & KEPT_BITS & ~FIELD_BIT(REPORT_INSTANCE_ID);

    valid |= bit_if(record->has_previous_state, STORED_PREVIOUS_STATE);
    valid |= bit_if(record->has_state_changed, STORED_STATE_CHANGED_AT);
    valid |= bit_if(record->has_desired_state, STORED_DESIRED_STATE);
    valid |= bit_if(record->has_reported_health, STORED_REPORTED_HEALTH);
    valid |= bit_if(record->has_failed_restarts, STORED_FAILED_RESTARTS);
    valid |= bit_if(record->has_recovery_attempts, STORED_RECOVERY_ATTEMPTS);
    for (uint32_t i = 0; i < INSTANCE_RECORDS; i++)
        valid |= bit_if(record->updated_s[i] >= 0, STORED_UPDATED + i);
    return valid;
}

uint32_t stored_foreign(const struct instance *instance, const struct instance_record *record)
{
    uint32_t valid = record_valid(record);
    uint32_t foreign = valid & ~stored_known(instance);

    for (uint32_t rest = valid & ~foreign, field; field_take(&rest, &field);)
        foreign |= bit_if(!stored_matches(instance, record, field), field);
    return foreign;
}

uint32_t stored_differing(const struct instance *instance, const struct instance_record *record)
{
    uint32_t good = record_valid(record) & ~record->invalid & ~stored_foreign(instance, record);

    return stored_known(instance) & ~good;
}

uint32_t stored_surplus(const struct instance *instance, const struct instance_record *record)
{
    return (record_valid(record) | record->invalid) & ~stored_known(instance) &
           ~FIELD_BIT(REPORT_INSTANCE_ID);
}
