/* A report becomes a change of its instance (SPEC §5.1, §5.2). Nothing is allocated, a changed last_error
 * excepted. */
#include "watch_private.h"

#define UPTIME_INTERVAL_MS 10000 /* a derived uptime is stored no more often */

static const struct slice none = {NULL, 0};

static void take_number(struct change *change, enum report_field field, double value)
{
    struct instance *instance = change->instance;

    if (field == REPORT_UPTIME_SECONDS)
        instance->uptime_reported = true;
    if (field == REPORT_RESTART_COUNT)
        instance->restarts_reported = true;
    instance->sampled_ms[field] = change->at_ms;
    if ((instance->known & FIELD_BIT(field)) && instance->number[field] == value)
        return;
    instance->known |= FIELD_BIT(field);
    instance->number[field] = value;
    change_mark(change, field);
}

/* Whether it was another before. */
static bool take_ident(struct change *change, enum report_field field, struct ident *ident,
                       struct slice value)
{
    if (slice_equal(ident_slice(ident), value))
        return false;
    ident_set(ident, value);
    change_mark(change, field);
    return true;
}

static void take_health(struct change *change, enum health health)
{
    struct instance *instance = change->instance;

    if ((instance->known & FIELD_BIT(REPORT_HEALTH_STATUS)) && instance->reported_health == health)
        return;
    instance->known |= FIELD_BIT(REPORT_HEALTH_STATUS);
    instance->reported_health = health;
    change_mark(change, STORED_REPORTED_HEALTH);
}

void change_take_values(struct change *change, const struct report *report)
{
    struct instance *instance = change->instance;
    bool regroups = false;

    for (uint32_t rest = report->present & NUMBER_BITS, field; field_take(&rest, &field);)
        take_number(change, (enum report_field)field, report->number[field]);
    if (report_has(report, REPORT_BROKER_ID))
        regroups |= take_ident(change, REPORT_BROKER_ID, &instance->broker_id, report->broker_id);
    if (report_has(report, REPORT_HOST_ID))
        regroups |= take_ident(change, REPORT_HOST_ID, &instance->host_id, report->host_id);
    if (regroups && instance->member.is_counted) {
        breaker_leave(&change->fleet->watch->breaker, instance);
        breaker_join(&change->fleet->watch->breaker, instance);
    }
    if (report_has(report, REPORT_LAUNCH_MODE) && instance->launch_mode != report->launch_mode) {
        instance->launch_mode = report->launch_mode;
        change_mark(change, REPORT_LAUNCH_MODE);
        regroups = true;
    }
    if (regroups && instance->watched)
        instance->watched->wants_round = true; /* what held it back may not any more */
    if (report_has(report, REPORT_HEALTH_STATUS))
        take_health(change, report->health);
    if (report_has(report, REPORT_LAST_ERROR) && instance_set_last_error(instance, report->last_error))
        change_mark(change, REPORT_LAST_ERROR);
}

static struct slice crash_reason(const struct report *report)
{
    return report_has(report, REPORT_LAST_ERROR) && report->last_error.len > 0
               ? report->last_error
               : slice_text("reported by the agent");
}

static void take_state(struct change *change, enum instance_state to)
{
    struct instance *instance = change->instance;
    struct fleet *fleet = change->fleet;
    enum event_kind event;

    if (instance->state == to)
        return;
    if (transition_find(instance->state, to, instance->was_crashed, &event)) {
        instance_move(change, to, event,
                      event == EVENT_INSTANCE_FAILED ? crash_reason(change->report) : none);
        return;
    }
    fleet->stats.refused[instance->state][to]++;
    if (fleet->on_refused)
        fleet->on_refused(fleet->ctx, instance, to);
}

static void refresh_derived_uptime(struct change *change)
{
    struct instance *instance = change->instance;
    double uptime;

    if (instance->uptime_reported || instance->state != STATE_RUNNING ||
        change->at_ms - instance->sampled_ms[REPORT_UPTIME_SECONDS] < UPTIME_INTERVAL_MS)
        return;
    uptime = instance_uptime_seconds(instance, change->at_ms);
    instance->sampled_ms[REPORT_UPTIME_SECONDS] = change->at_ms;
    if (instance->number[REPORT_UPTIME_SECONDS] == uptime)
        return;
    instance->number[REPORT_UPTIME_SECONDS] = uptime;
    change_mark(change, REPORT_UPTIME_SECONDS);
}

const char *fleet_find_refusal(const struct fleet *fleet, const struct report *report)
{
    if (!report_has(report, REPORT_BROKER_ID))
        return "broker_id: required in the first report";
    if (!report_has(report, REPORT_STATE))
        return "state: required in the first report";
    return fleet->count >= fleet->options.max ? "instance_id: instances.max is reached" : NULL;
}

/* Everything but what only a first report does. Each hash of which the report has a field gets a new
 * last_updated_at; that of instance_id, which is always there, is RECORD_INSTANCE. */
static void apply(struct change *change, const struct report *report)
{
    change->report = report;
    for (uint32_t rest = report->present & KEPT_BITS, field; field_take(&rest, &field);)
        change->stamped |= 1U << stored_record(field);
    change_take_values(change, report);
    if (report_has(report, REPORT_STATE))
        take_state(change, report->state);
    refresh_derived_uptime(change);
    watch_on_report(change, report);
}

static void register_instance(struct fleet *fleet, const struct report *report, const struct cause *cause,
                              int64_t sampled_ms, struct sink *sink)
{
    struct instance *instance = fleet_add(fleet, report->instance_id, sampled_ms);
    struct change change = change_of(fleet, instance, cause, sampled_ms, sink);

    fleet->stats.registered++;
    fleet_emit(instance, EVENT_INSTANCE_REGISTERED, none, none, none, none, cause, sampled_ms, sink);
    apply(&change, report);
    /* It may be in one: by hand, or since Redis went back to when it was known. */
    fleet_leave_other_sets(instance, sink);
    change_settle(&change);
    stored_write(instance, stored_known(instance), report, sink);
}

bool fleet_on_report(struct fleet *fleet, const struct report *report, const struct cause *cause,
                     int64_t sampled_ms, struct sink *sink)
{
    struct instance *instance = fleet_find(fleet, report->instance_id);
    struct change change;

    if (!instance) {
        const char *refusal = fleet_find_refusal(fleet, report);

        if (refusal)
            sink->ops->reject(sink->ctx, cause, slice_text(refusal));
        else
            register_instance(fleet, report, cause, sampled_ms, sink);
        return !refusal;
    }
    watch_advance(fleet, instance, sampled_ms, sink);
    change = change_of(fleet, instance, cause, sampled_ms, sink);
    fleet_touch(fleet, instance, sampled_ms);
    apply(&change, report);
    change_finish(&change);
    return true;
}
