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
    EVENT_INSTANCE_RESTARTING,
    EVENT_INSTANCE_REGISTERED,
    EVENT_INSTANCE_REMOVED,
    EVENT_SIGNAL_DROPPED,
    EVENT_LATE_EXECUTION,
};
#define EVENT_KINDS 10

const char *event_name(enum event_kind kind);

/* Empty slices are fields that do not apply. Borrowed: valid during the call. */
struct event {
    enum event_kind kind;
    struct slice instance_id;
    uint64_t seq; /* grows by one per instance; 0 without an instance */
    int64_t at_ms;
    struct slice from, to;
    struct slice reason;
    struct slice signal_id;
    struct cause cause;
};

/* The fields of an event in the order of the contract, as text. Returns how many were written to NAMES and
 * VALUES (EVENT_FIELDS_MAX each); SCRATCH holds what had to be formatted. */
#define EVENT_FIELDS_MAX   12
#define EVENT_SCRATCH_SIZE 160
size_t event_fields(const struct event *event, struct slice names[EVENT_FIELDS_MAX],
                    struct slice values[EVENT_FIELDS_MAX], char scratch[EVENT_SCRATCH_SIZE]);
