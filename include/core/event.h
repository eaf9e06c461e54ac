/* Events (SPEC §7.1): the one table of kinds, and the struct that is handed to the sink. */
#pragma once

#include "core/stream.h"
#include "util/slice.h"
#include <stdint.h>

enum event_kind {
    EVENT_NONE = -1,
    EVENT_INSTANCE_STARTED,
    EVENT_INSTANCE_FAILED,
    EVENT_INSTANCE_RECOVERED,
    EVENT_INSTANCE_STOPPED,
    EVENT_INSTANCE_DEGRADED,
    EVENT_NETWORK_ISSUE,
    EVENT_SOCKET_FAILURE,
    EVENT_INSTANCE_RESTARTING,
    EVENT_INSTANCE_REGISTERED,
    EVENT_INSTANCE_REMOVED,
    EVENT_ALERT_FIRING,
    EVENT_ALERT_RESOLVED,
    EVENT_COMMAND_ISSUED,
    EVENT_COMMAND_COMPLETED,
    EVENT_SIGNAL_DROPPED,
    EVENT_LATE_EXECUTION,
    EVENT_MAINTENANCE_CHANGED,
};
#define EVENT_KINDS (EVENT_MAINTENANCE_CHANGED + 1)

/* NULL for EVENT_NONE. */
const char *event_name(enum event_kind kind);

/* How much an event matters to whoever reads the log. */
enum event_gravity { GRAVITY_INFO, GRAVITY_WARNING, GRAVITY_ERROR };

/* Empty slices are fields that do not apply. Borrowed: valid during the call. */
struct event {
    enum event_kind kind;
    struct slice instance_id;
    uint64_t seq; /* grows by one per instance; 0 without an instance */
    int64_t at_ms;
    struct slice from, to;
    struct slice reason;
    struct slice alert;
    /* What an alert is about: numbers, or in their place text (the names of states). */
    bool has_value, has_threshold;
    double value, threshold;
    struct slice value_text, threshold_text; /* where not empty, these are written and not the numbers */
    struct slice command_id, signal_id;
    struct cause cause;
    /* For the log alone: */
    enum event_gravity gravity;
    const char *severity; /* of the alert that it is about; static, NULL: none */
    int64_t until_ms;     /* of maintenance: 0 none, INT64_MAX without end */
};

/* The fields of an event in the order of the contract, as text. Returns how many were written to NAMES and
 * VALUES (EVENT_FIELDS_MAX each); SCRATCH holds what had to be formatted. */
#define EVENT_FIELDS_MAX   13
#define EVENT_SCRATCH_SIZE 192
size_t event_fields(const struct event *event, struct slice names[EVENT_FIELDS_MAX],
                    struct slice values[EVENT_FIELDS_MAX], char scratch[EVENT_SCRATCH_SIZE]);
