/* A fleet with a recording sink, and reports and records of instances written as text: `state=running
 * cpu_usage=12.5`. */
#pragma once

#include "core/fleet.h"
#include "recording_sink.h"

struct fleet_fixture {
    struct fleet fleet;
    struct recording_sink recorder;
    struct sink *sink;
    enum instance_state refused_to; /* of the last call of on_refused, STATE_NONE for none */
    size_t refused_count;
};

/* Heartbeat 30 s, restarting 120 s, metrics 60 s, never forget, 100 instances. */
void fleet_fixture_init(struct fleet_fixture *f);
void fleet_fixture_clear(struct fleet_fixture *f);

/* TEXT: names and values of report fields, divided by spaces; a value runs to the next space. Lives
 * as long as TEXT. */
struct report report_of(const char *id, const char *text);
/* Applies such a report at AT_MS, with cause `report-AT_MS-0`. */
bool fixture_report(struct fleet_fixture *f, int64_t at_ms, const char *id, const char *text);
/* Registers ID in STATE at AT_MS by a report with broker_id b1, and forgets what was recorded. */
struct instance *fixture_register(struct fleet_fixture *f, int64_t at_ms, const char *id, const char *state);

/* What Redis would hold of INSTANCE if all was stored; borrows from it. */
struct instance_record record_of(const struct instance *instance);
/* Changes RECORD as a HSET of the report fields in TEXT would. */
void record_write(struct instance_record *record, const char *text);
/* Takes a valid field away, or makes it invalid. */
void record_lose(struct instance_record *record, enum report_field field);
void record_spoil(struct instance_record *record, enum report_field field);
/* A record of nothing. */
struct instance_record record_empty(void);
