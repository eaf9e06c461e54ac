/* What the files of the fleet share: slots and lists (fleet.c), the fields that are stored (fleet_stored.c),
 * and the one way in which an instance changes (fleet_change.c). */
#pragma once

#include "core/fleet.h"
#include "core/watch.h"

/* Hashes of an instance: RECORD_INSTANCE, RECORD_METRICS, RECORD_HEALTH. */
#define INSTANCE_RECORDS 3

/* Every field of the three hashes has a number, so that a set of them is a word of bits. First those of enum
 * report_field, where REPORT_HEALTH_STATUS is the published health, and REPORT_INSTANCE_ID and those of an
 * answer to a command are not stored. */
enum stored_field {
    STORED_PREVIOUS_STATE = REPORT_FIELDS,
    STORED_STATE_CHANGED_AT,
    STORED_DESIRED_STATE,
    STORED_REPORTED_HEALTH,
    STORED_FAILED_RESTARTS,
    STORED_RECOVERY_ATTEMPTS,
    STORED_UPDATED, /* last_updated_at of RECORD_INSTANCE; those of the other two follow */
};
#define STORED_FIELDS (STORED_UPDATED + INSTANCE_RECORDS)

#define FIELD_BIT(field) (1U << (unsigned)(field))
#define NUMBER_BITS      (FIELD_BIT(REPORT_NUMBERS) - 1)
/* What of a report is kept in the hashes. */
#define KEPT_BITS (FIELD_BIT(REPORT_KEPT_FIELDS) - 1)

/* Takes the lowest field out of a set; false where it is empty. */
static inline bool field_take(uint32_t *set, uint32_t *ret_field)
{
    if (!*set)
        return false;
    *ret_field = (uint32_t)__builtin_ctz(*set);
    *set &= *set - 1;
    return true;
}

/* What one input does to one instance: collected first, told to the sink at once. */
struct change {
    struct fleet *fleet;
    struct instance *instance;
    const struct cause *cause;
    int64_t at_ms;
    int64_t entered_ms; /* when a state that it brings was entered */
    struct sink *sink;
    const struct report *report; /* whose numbers are stored as they were written; may be NULL */
    uint32_t dirty;              /* bits of enum stored_field: to be written */
    bool is_round;               /* decisions are to be taken */
    int64_t horizon_ms;          /* in a round: alerts are judged no further than up to here */
    bool has_moved;              /* to another state */
    uint32_t stamped;            /* bits of enum record_kind: to have a new last_updated_at */
};

/* A new instance, in no state and no list; what it must have at its default. */
struct instance *fleet_add(struct fleet *fleet, struct slice id, int64_t at_ms);
/* Puts INSTANCE into STATE and its list; nobody is told. Only for instance_move and fleet_load. */
void fleet_place(struct fleet *fleet, struct instance *instance, enum instance_state state,
                 int64_t entered_ms);
/* A sign of life, and a mark that the batch that is being filled touches INSTANCE. */
void fleet_touch(struct fleet *fleet, struct instance *instance, int64_t seen_ms);
/* Its silence counts from NOW_MS on. */
void fleet_excuse(struct fleet *fleet, struct instance *instance, int64_t now_ms);
/* Whether it was another before. */
bool instance_set_last_error(struct instance *instance, struct slice text);

/* The fields that INSTANCE has. */
uint32_t stored_known(const struct instance *instance);
/* The fields of which RECORD has a valid value that INSTANCE does not have. */
uint32_t stored_foreign(const struct instance *instance, const struct instance_record *record);
/* The fields of INSTANCE that RECORD lacks, or has otherwise or not as they should be stored. */
uint32_t stored_differing(const struct instance *instance, const struct instance_record *record);
/* The fields of RECORD, valid or not, that INSTANCE does not have at all. */
uint32_t stored_surplus(const struct instance *instance, const struct instance_record *record);
/* The hash that a field is kept in. */
enum record_kind stored_record(uint32_t field);
/* Writes FIELDS of INSTANCE, at most one call of the sink per hash. REPORT as in struct change. */
void stored_write(const struct instance *instance, uint32_t fields, const struct report *report,
                  struct sink *sink);
void stored_unset(const struct instance *instance, uint32_t fields, struct sink *sink);

struct change change_of(struct fleet *fleet, struct instance *instance, const struct cause *cause,
                        int64_t at_ms, struct sink *sink);
void change_mark(struct change *change, uint32_t field);
/* Brings INSTANCE into state TO, which is another, and tells the sink of index and event (EVENT_NONE: none).
 * What else depends on the state follows with change_settle. */
void instance_move(struct change *change, enum instance_state to, enum event_kind event, struct slice reason);
/* Takes every value of REPORT, which may come from a hash as well, but its state. */
void change_take_values(struct change *change, const struct report *report);
/* The worst of all that speaks about an instance (SPEC §6.3). */
enum health instance_judge_health(const struct fleet *fleet, const struct instance *instance);
/* Ends a change, the writing aside: health, load score, last_updated_at. */
void change_settle(struct change *change);
/* Settles and writes what is dirty. */
void change_finish(struct change *change);
/* Takes it out of every set by state but that of its own. */
void fleet_leave_other_sets(const struct instance *instance, struct sink *sink);
