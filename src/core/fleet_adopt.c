/* Instances as Redis holds them: loaded at start, and compared with what is known, to follow what others have
 * written or to put it back (SPEC §5.4). What is to be written is always the difference between the two once
 * all has been followed. */
#include "watch_private.h"

#define MS_PER_S 1000

static const struct slice none = {NULL, 0};

static bool has_value(const struct instance_record *record, uint32_t field)
{
    return record->values.present & FIELD_BIT(field);
}

/* A new instance takes everything from RECORD but its state. */
static void take_record(struct instance *instance, const struct instance_record *record)
{
    const struct report *values = &record->values;

    for (uint32_t rest = values->present & NUMBER_BITS, field; field_take(&rest, &field);) {
        int64_t updated_s = record->updated_s[stored_record(field)];

        instance->known |= FIELD_BIT(field);
        instance->number[field] = values->number[field];
        instance->sampled_ms[field] = updated_s >= 0 ? updated_s * MS_PER_S : 0;
    }
    ident_set(&instance->broker_id, values->broker_id);
    if (has_value(record, REPORT_HOST_ID))
        ident_set(&instance->host_id, values->host_id);
    if (has_value(record, REPORT_LAUNCH_MODE))
        instance->launch_mode = values->launch_mode;
    if (has_value(record, REPORT_LAST_ERROR))
        (void)instance_set_last_error(instance,
                                      values->last_error); /* whether it differs from none is no matter */
    if (record->has_previous_state)
        instance->previous_state = record->previous_state;
    if (record->has_desired_state)
        instance->desired_state = record->desired_state;
    if (record->has_reported_health) {
        instance->known |= FIELD_BIT(REPORT_HEALTH_STATUS);
        instance->reported_health = record->reported_health;
    }
    if (record->has_failed_restarts)
        instance->failed_restarts = record->failed_restarts;
    if (record->has_recovery_attempts)
        instance->recovery_attempts = record->recovery_attempts;
    memcpy(instance->record_updated_s, record->updated_s, sizeof(instance->record_updated_s));
}

/* A time to come would keep a restart from ever timing out. */
static int64_t entered_at(const struct instance_record *record, int64_t now_ms)
{
    return record->has_state_changed && record->state_changed_ms < now_ms ? record->state_changed_ms : now_ms;
}

void instance_record_of(const struct instance *instance, struct instance_record *ret_record)
{
    *ret_record = (struct instance_record){
        .exists = {true, true, true},
        .values = {.present = (instance->known & NUMBER_BITS) | FIELD_BIT(REPORT_BROKER_ID) |
                              FIELD_BIT(REPORT_STATE) | FIELD_BIT(REPORT_LAUNCH_MODE),
                   .broker_id = ident_slice(&instance->broker_id),
                   .state = instance->state,
                   .launch_mode = instance->launch_mode},
        .has_previous_state = instance->previous_state != STATE_NONE,
        .previous_state = instance->previous_state,
        .has_desired_state = instance->desired_state != STATE_NONE,
        .desired_state = instance->desired_state,
        .has_state_changed = true,
        .state_changed_ms = instance->state_changed_ms,
        .has_reported_health = instance->known & FIELD_BIT(REPORT_HEALTH_STATUS),
        .reported_health = instance->reported_health,
        .has_failed_restarts = true,
        .failed_restarts = instance->failed_restarts,
        .has_recovery_attempts = true,
        .recovery_attempts = instance->recovery_attempts,
    };
    memcpy(ret_record->values.number, instance->number, sizeof(instance->number));
    memcpy(ret_record->updated_s, instance->record_updated_s, sizeof(instance->record_updated_s));
    if (instance->host_id.len) {
        ret_record->values.present |= FIELD_BIT(REPORT_HOST_ID);
        ret_record->values.host_id = ident_slice(&instance->host_id);
    }
    if (instance->last_error) {
        ret_record->values.present |= FIELD_BIT(REPORT_LAST_ERROR);
        ret_record->values.last_error = slice_text(instance->last_error);
    }
}

bool fleet_load(struct fleet *fleet, struct slice id, const struct instance_record *record,
                enum instance_state indexed, uint64_t seq, int64_t now_ms)
{
    enum instance_state in_hash = has_value(record, REPORT_STATE) ? record->values.state : STATE_NONE;
    enum instance_state state = indexed != STATE_NONE ? indexed : in_hash;
    struct instance *instance;

    if (!ident_is_valid(id, IDENT_MAX) || !has_value(record, REPORT_BROKER_ID) || state == STATE_NONE)
        return false;
    if (fleet_find(fleet, id))
        return true;
    instance = fleet_add(fleet, id, now_ms);
    take_record(instance, record);
    instance->batch = 0; /* this is what is stored: nothing of it is on its way */
    instance->seq = seq;
    instance->was_crashed = state == STATE_RESTARTING && instance->previous_state == STATE_CRASHED;
    instance->was_stopped = state == STATE_RESTARTING && instance->previous_state == STATE_STOPPED;
    fleet_place(fleet, instance, state, entered_at(record, now_ms));
    breaker_join(&fleet->watch->breaker, instance);
    /* What was told last: where that is not so any more, the first change of the instance tells it. */
    instance->health = has_value(record, REPORT_HEALTH_STATUS) && record->has_failed_restarts
                           ? record->values.health
                           : instance_judge_health(fleet, instance);
    instance->load_score = instance_load_score(fleet, instance);
    return true;
}

bool fleet_load_again(struct fleet *fleet, struct slice id, const struct instance_record *record,
                      enum instance_state indexed, uint64_t seq, int64_t now_ms)
{
    struct instance *instance = fleet_find(fleet, id);
    uint32_t generation = instance ? instance->generation : 0;
    uint32_t place = instance ? fleet_index_of(fleet, instance) : MAP_NONE;

    if (instance)
        fleet_forget(fleet, instance);
    if (!fleet_load(fleet, id, record, indexed, seq, now_ms))
        return false;
    instance = fleet_find(fleet, id);
    /* It has taken the slot that it has just left. To those who refer to it, it is the same. */
    if (place != MAP_NONE && fleet_index_of(fleet, instance) == place)
        instance->generation = generation;
    return true;
}

bool fleet_load_numbers(struct fleet *fleet, struct slice id, const struct instance_record *record)
{
    struct instance *instance = fleet_find(fleet, id);
    int64_t seen_s = -1;

    if (!instance || (record->values.present | record->invalid) & ~NUMBER_BITS ||
        record->has_previous_state || record->has_desired_state || record->has_state_changed ||
        record->has_reported_health || record->has_failed_restarts || record->has_recovery_attempts)
        return false;
    for (uint32_t i = 0; i < INSTANCE_RECORDS; i++) {
        if (record->updated_s[i] < 0)
            continue;
        instance->record_updated_s[i] = record->updated_s[i];
        seen_s = record->updated_s[i] > seen_s ? record->updated_s[i] : seen_s;
    }
    for (uint32_t rest = record->values.present, field; field_take(&rest, &field);) {
        int64_t updated_s = instance->record_updated_s[stored_record(field)];

        instance->known |= FIELD_BIT(field);
        instance->number[field] = record->values.number[field];
        instance->sampled_ms[field] = updated_s >= 0 ? updated_s * MS_PER_S : 0;
    }
    instance->load_score = instance_load_score(fleet, instance);
    if (seen_s >= 0)
        fleet_on_heartbeat(fleet, id, seen_s * MS_PER_S);
    return true;
}

/* Whoever rewrites a hash with a new last_updated_at confirms all of its numbers. */
static void follow_updated(struct change *change, const struct instance_record *record, uint32_t foreign)
{
    struct instance *instance = change->instance;

    for (uint32_t i = 0; i < INSTANCE_RECORDS; i++) {
        if (foreign & FIELD_BIT(STORED_UPDATED + i))
            instance->record_updated_s[i] = record->updated_s[i];
    }
    for (uint32_t rest = record->values.present & NUMBER_BITS, field; field_take(&rest, &field);) {
        if (foreign & FIELD_BIT(STORED_UPDATED + stored_record(field)))
            instance->sampled_ms[field] = change->at_ms;
    }
}

/* The write has happened, so no transition is refused. */
static void follow_state(struct change *change, enum instance_state to)
{
    struct instance *instance = change->instance;
    enum event_kind event = EVENT_INSTANCE_FAILED;

    (void)transition_find(instance->state, to, instance->was_crashed,
                          &event); /* refused: as if it had been running */
    instance_move(change, to, event, slice_text("written by others"));
}

/* Takes over what others have written; false where they have written nothing that is not known. */
static bool follow_record(struct change *change, const struct instance_record *record)
{
    struct fleet *fleet = change->fleet;
    struct report values = record->values;
    uint32_t updated = (FIELD_BIT(INSTANCE_RECORDS) - 1) << STORED_UPDATED;
    uint32_t foreign = stored_foreign(change->instance, record) & (values.present | updated);

    if (!foreign)
        return false;
    fleet_touch(fleet, change->instance, change->at_ms);
    values.present = foreign & ~updated;
    change_take_values(change, &values);
    change->stamped = 0; /* their last_updated_at stays as it is, even where they left it alone */
    follow_updated(change, record, foreign);
    if (report_has(&values, REPORT_STATE))
        follow_state(change, values.state);
    watch_on_report(change, &values);
    return true;
}

/* The fields in which RECORD is not what was stored last. A clock that jumped has moved the times known here.
 */
static uint32_t spoilt_fields(const struct instance *instance, const struct instance_record *record)
{
    uint32_t shifted = instance->is_shifted ? FIELD_BIT(STORED_STATE_CHANGED_AT) : 0;

    return (stored_differing(instance, record) & ~shifted) | stored_surplus(instance, record);
}

/* Writes back where RECORD differs from what is known by now. True where that is so in a field of SPOILT:
 * else it is what has just been judged, or a shifted time, and nobody else's doing. */
static bool repair_record(struct change *change, const struct instance_record *record, uint32_t spoilt)
{
    struct instance *instance = change->instance;
    uint32_t differing = stored_differing(instance, record);
    uint32_t surplus = stored_surplus(instance, record);

    if (!differing && !surplus)
        return false;
    instance->is_shifted = false;
    instance->batch = change->fleet->batch;
    stored_write(instance, differing, NULL, change->sink);
    stored_unset(instance, surplus, change->sink);
    return (differing | surplus) & spoilt;
}

/* What agents have written into the hashes counts as reported. A health hash with the daemon's own fields
 * holds the published health, which says nothing about the reported one. */
static void take_as_reported(struct instance *instance, const struct instance_record *record)
{
    instance->uptime_reported = has_value(record, REPORT_UPTIME_SECONDS);
    instance->restarts_reported = has_value(record, REPORT_RESTART_COUNT);
    if (has_value(record, REPORT_HEALTH_STATUS) && !record->has_reported_health &&
        !record->has_failed_restarts) {
        instance->known |= FIELD_BIT(REPORT_HEALTH_STATUS);
        instance->reported_health = record->values.health;
    }
}

static enum adopt_result adopt_unknown(struct fleet *fleet, struct slice id,
                                       const struct instance_record *record, const struct cause *cause,
                                       int64_t now_ms, struct sink *sink)
{
    enum event_kind event = EVENT_NONE;
    struct instance *instance;
    struct change change;

    if (!ident_is_valid(id, IDENT_MAX) || !has_value(record, REPORT_BROKER_ID) ||
        !has_value(record, REPORT_STATE) || fleet->count >= fleet->options.max)
        return ADOPT_REFUSED;
    /* It may be what is left of one whose removal is not stored yet. */
    if (fleet->removed_batch == fleet->batch)
        return ADOPT_REFUSED;
    instance = fleet_add(fleet, id, now_ms);
    take_record(instance, record);
    take_as_reported(instance, record);
    fleet->stats.registered++;
    change = change_of(fleet, instance, cause, now_ms, sink);
    change.entered_ms = entered_at(record, now_ms);
    fleet_emit(instance, EVENT_INSTANCE_REGISTERED, none, none, none, none, cause, now_ms, sink);
    (void)transition_find(STATE_NONE, record->values.state, false,
                          &event); /* a new instance may be in any state */
    instance_move(&change, record->values.state, event, none);
    change.stamped = 0; /* a last_updated_at that is there stays */
    change_settle(&change);
    (void)repair_record(&change, record, 0); /* registered either way */
    return ADOPT_REGISTERED;
}

enum adopt_result fleet_adopt(struct fleet *fleet, struct slice id, const struct instance_record *record,
                              bool follow, const struct cause *cause, int64_t now_ms, struct sink *sink)
{
    struct instance *instance = fleet_find(fleet, id);
    struct change change;
    bool followed, repaired;
    uint32_t spoilt;

    if (!instance)
        return follow ? adopt_unknown(fleet, id, record, cause, now_ms, sink) : ADOPT_REFUSED;
    change = change_of(fleet, instance, cause, now_ms, sink);
    spoilt = spoilt_fields(instance, record);
    followed = follow && follow_record(&change, record);
    change_settle(&change);
    repaired = repair_record(&change, record, spoilt);
    if (followed)
        return ADOPT_FOLLOWED;
    return repaired ? ADOPT_REPAIRED : ADOPT_NOTHING;
}
