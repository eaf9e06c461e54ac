/* Values are read by the functions that read them from Redis, so an invalid one in a test fails it. */
#include "fleet_fixture.h"

#include "util/number.h"
#include <assert.h>

static void on_refused(void *ctx, const struct instance *instance, enum instance_state to)
{
    struct fleet_fixture *f = ctx;

    (void)instance;
    f->refused_to = to;
    f->refused_count++;
}

void fleet_fixture_init(struct fleet_fixture *f)
{
    static const struct fleet_options options = {.heartbeat_timeout_ms = 30000,
                                                 .restarting_timeout_ms = 120000,
                                                 .metric_max_age_ms = 60000,
                                                 .max = 100};

    *f = (struct fleet_fixture){.refused_to = STATE_NONE};
    fleet_init(&f->fleet, &options, (struct hash_key){1, 2});
    f->fleet.on_refused = on_refused;
    f->fleet.ctx = f;
    recording_sink_init(&f->recorder);
    f->sink = &f->recorder.sink;
}

void fleet_fixture_clear(struct fleet_fixture *f)
{
    fleet_clear(&f->fleet);
    recording_sink_clear(&f->recorder);
}

static enum report_field field_named(struct slice name)
{
    unsigned i = 0;

    while (i < REPORT_FIELDS && !slice_equal(report_entry_names[i], name))
        i++;
    assert(i < REPORT_FIELDS);
    return (enum report_field)i;
}

static void field_set(struct report *report, enum report_field field, struct slice value)
{
    bool is_valid = true;

    report->present |= 1U << field;
    if (field < REPORT_NUMBERS) {
        is_valid = number_parse_decimal(value, &report->number[field]);
        report->number_text[field] = value;
    } else if (field == REPORT_BROKER_ID) {
        report->broker_id = value;
    } else if (field == REPORT_HOST_ID) {
        report->host_id = value;
    } else if (field == REPORT_STATE) {
        is_valid = instance_state_parse(value, &report->state);
    } else if (field == REPORT_LAUNCH_MODE) {
        is_valid = launch_mode_parse(value, &report->launch_mode);
    } else if (field == REPORT_HEALTH_STATUS) {
        is_valid = health_parse(value, &report->health);
    } else if (field == REPORT_COMMAND_ID) {
        report->command_id = value;
    } else if (field == REPORT_COMMAND_STATUS) {
        is_valid = command_answer_parse(value, &report->command_status);
    } else if (field == REPORT_COMMAND_ERROR) {
        report->command_error = value;
    } else {
        report->last_error = value;
    }
    assert(is_valid);
}

static void fields_set(struct report *report, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, " ");
        size_t name_len = strcspn(text, "=");

        assert(name_len < len);
        field_set(report, field_named(slice_of(text, name_len)),
                  slice_of(text + name_len + 1, len - name_len - 1));
        text += len;
        text += strspn(text, " ");
    }
}

struct report report_of(const char *id, const char *text)
{
    struct report report = {.present = 1U << REPORT_INSTANCE_ID, .instance_id = slice_text(id)};

    fields_set(&report, text);
    return report;
}

bool fixture_report(struct fleet_fixture *f, int64_t at_ms, const char *id, const char *text)
{
    struct report report = report_of(id, text);
    struct cause cause = {CAUSE_REPORT, {(uint64_t)at_ms, 0}};

    return fleet_on_report(&f->fleet, &report, &cause, at_ms, f->sink);
}

struct instance *fixture_register(struct fleet_fixture *f, int64_t at_ms, const char *id, const char *state)
{
    struct report report = report_of(id, "broker_id=b1");
    struct cause cause = {CAUSE_REPORT, {(uint64_t)at_ms, 0}};
    bool applied;

    field_set(&report, REPORT_STATE, slice_text(state));
    applied = fleet_on_report(&f->fleet, &report, &cause, at_ms, f->sink);
    assert(applied);
    recording_sink_reset(&f->recorder);
    return applied ? fleet_find(&f->fleet, slice_text(id)) : NULL;
}

struct instance_record record_empty(void)
{
    return (struct instance_record){.previous_state = STATE_NONE,
                                    .desired_state = STATE_NONE,
                                    .values = {.state = STATE_NONE},
                                    .updated_s = {-1, -1, -1}};
}

struct instance_record record_of(const struct instance *instance)
{
    uint32_t numbers = instance->known & ((1U << REPORT_NUMBERS) - 1);
    struct instance_record record = {
        .exists = {true, true, true},
        .values = {.present = numbers | 1U << REPORT_BROKER_ID | 1U << REPORT_STATE |
                              1U << REPORT_LAUNCH_MODE | 1U << REPORT_HEALTH_STATUS | 1U << REPORT_LAST_ERROR,
                   .broker_id = ident_slice(&instance->broker_id),
                   .host_id = ident_slice(&instance->host_id),
                   .state = instance->state,
                   .launch_mode = instance->launch_mode,
                   .health = instance->health,
                   .last_error = slice_text(instance->last_error)},
        .has_previous_state = instance->previous_state != STATE_NONE,
        .has_desired_state = instance->desired_state != STATE_NONE,
        .has_state_changed = true,
        .previous_state = instance->previous_state,
        .desired_state = instance->desired_state,
        .state_changed_ms = instance->state_changed_ms,
        .has_reported_health = instance->known & 1U << REPORT_HEALTH_STATUS,
        .reported_health = instance->reported_health,
        .has_failed_restarts = true,
        .failed_restarts = instance->failed_restarts,
        .has_recovery_attempts = true,
        .recovery_attempts = instance->recovery_attempts,
    };

    if (instance->host_id.len > 0)
        record.values.present |= 1U << REPORT_HOST_ID;
    memcpy(record.values.number, instance->number, sizeof(instance->number));
    memcpy(record.updated_s, instance->record_updated_s, sizeof(record.updated_s));
    return record;
}

void record_write(struct instance_record *record, const char *text)
{
    fields_set(&record->values, text);
    record->invalid &= ~record->values.present;
}

void record_lose(struct instance_record *record, enum report_field field)
{
    record->values.present &= ~(1U << field);
}

void record_spoil(struct instance_record *record, enum report_field field)
{
    record_lose(record, field);
    record->invalid |= 1U << field;
}
