/* Instance reports (SPEC §5.1): the one table of fields, and a validated report. */
#pragma once

#include "core/command.h"
#include "core/ident.h"
#include "core/sink.h"
#include "core/state.h"
#include "core/stream.h"

enum report_field {
    /* Numbers first: their value is the index of report.number and of instance.number. */
    REPORT_ACTIVE_CONNECTIONS,
    REPORT_CPU_USAGE,
    REPORT_MEMORY_USAGE,
    REPORT_NETWORK_USAGE,
    REPORT_DISK_USAGE,
    REPORT_MEMORY_LIMIT,
    REPORT_NETWORK_LATENCY,
    REPORT_QUEUE_LENGTH,
    REPORT_LOAD_AVERAGE,
    REPORT_SOCKET_CONNECTIONS,
    REPORT_UPTIME_SECONDS,
    REPORT_RESTART_COUNT,
    REPORT_INSTANCE_ID,
    REPORT_BROKER_ID,
    REPORT_HOST_ID,
    REPORT_STATE,
    REPORT_LAUNCH_MODE,
    REPORT_HEALTH_STATUS,
    REPORT_LAST_ERROR,
    /* The answer to a command (SPEC §7.2): kept in no hash. */
    REPORT_COMMAND_ID,
    REPORT_COMMAND_STATUS,
    REPORT_COMMAND_ERROR,
};
#define REPORT_NUMBERS (REPORT_RESTART_COUNT + 1)
#define REPORT_FIELDS  (REPORT_COMMAND_ERROR + 1)
/* The fields below this one are kept in hashes. */
#define REPORT_KEPT_FIELDS (REPORT_LAST_ERROR + 1)

enum report_field_kind {
    REPORT_FIELD_NUMBER,
    REPORT_FIELD_ID,
    REPORT_FIELD_STATE,
    REPORT_FIELD_LAUNCH_MODE,
    REPORT_FIELD_HEALTH,
    REPORT_FIELD_TEXT,
    REPORT_FIELD_COMMAND_ID,
    REPORT_FIELD_COMMAND_STATUS
};

struct report_field_info {
    struct slice name;
    enum report_field_kind kind;
    enum record_kind record; /* the hash that it is kept in; RECORD_INSTANCE where it is kept in none */
};
/* By enum report_field. */
extern const struct report_field_info report_field_table[REPORT_FIELDS];
/* The names alone, for whoever decodes entries of the stream into struct entry. */
extern const struct slice report_entry_names[REPORT_FIELDS];

#define REPORT_TEXT_MAX 1024

/* All values valid (no number is negative); which are there is said by the bits (1 << enum report_field) of
 * present. Borrowed slices. */
struct report {
    uint32_t present;
    double number[REPORT_NUMBERS];
    struct slice number_text[REPORT_NUMBERS]; /* as it was reported */
    struct slice instance_id, broker_id, host_id;
    struct slice last_error; /* valid UTF-8 without a NUL, at most REPORT_TEXT_MAX bytes */
    enum instance_state state;
    enum launch_mode launch_mode;
    enum health health;
    struct slice command_id;            /* up to IDENT_COMMAND_MAX bytes */
    enum command_status command_status; /* an answer: accepted, ok or failed */
    struct slice command_error;         /* like last_error */
};

static inline bool report_has(const struct report *r, enum report_field field)
{
    return (r->present >> field) & 1U;
}
