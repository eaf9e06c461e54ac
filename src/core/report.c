/* The table of the fields of a report. */
#include "core/report.h"

/* One row a field: the name of its number, its name outside, its kind, the hash that keeps it. */
#define REPORT_ROWS(ROW)                                                                                     \
    ROW(ACTIVE_CONNECTIONS, "active_connections", NUMBER, INSTANCE)                                          \
    ROW(CPU_USAGE, "cpu_usage", NUMBER, METRICS)                                                             \
    ROW(MEMORY_USAGE, "memory_usage", NUMBER, METRICS)                                                       \
    ROW(NETWORK_USAGE, "network_usage", NUMBER, METRICS)                                                     \
    ROW(DISK_USAGE, "disk_usage", NUMBER, METRICS)                                                           \
    ROW(MEMORY_LIMIT, "memory_limit", NUMBER, METRICS)                                                       \
    ROW(NETWORK_LATENCY, "network_latency", NUMBER, METRICS)                                                 \
    ROW(QUEUE_LENGTH, "queue_length", NUMBER, METRICS)                                                       \
    ROW(LOAD_AVERAGE, "load_average", NUMBER, METRICS)                                                       \
    ROW(SOCKET_CONNECTIONS, "socket_connections", NUMBER, METRICS)                                           \
    ROW(UPTIME_SECONDS, "uptime_seconds", NUMBER, HEALTH)                                                    \
    ROW(RESTART_COUNT, "restart_count", NUMBER, HEALTH)                                                      \
    ROW(INSTANCE_ID, "instance_id", ID, INSTANCE)                                                            \
    ROW(BROKER_ID, "broker_id", ID, INSTANCE)                                                                \
    ROW(HOST_ID, "host_id", ID, INSTANCE)                                                                    \
    ROW(STATE, "state", STATE, INSTANCE)                                                                     \
    ROW(LAUNCH_MODE, "launch_mode", LAUNCH_MODE, INSTANCE)                                                   \
    ROW(HEALTH_STATUS, "health_status", HEALTH, HEALTH)                                                      \
    ROW(LAST_ERROR, "last_error", TEXT, HEALTH)                                                              \
    ROW(COMMAND_ID, "command_id", COMMAND_ID, INSTANCE)                                                      \
    ROW(COMMAND_STATUS, "command_status", COMMAND_STATUS, INSTANCE)                                          \
    ROW(COMMAND_ERROR, "command_error", TEXT, INSTANCE)

#define INFO_ROW(field, name, kind, record)                                                                  \
    [REPORT_##field] = {SLICE(name), REPORT_FIELD_##kind, RECORD_##record},
#define NAME_ROW(field, name, kind, record) [REPORT_##field] = SLICE(name),

const struct report_field_info report_field_table[REPORT_FIELDS] = {REPORT_ROWS(INFO_ROW)};

const struct slice report_entry_names[REPORT_FIELDS] = {REPORT_ROWS(NAME_ROW)};
