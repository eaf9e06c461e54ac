/* Instance states, health and the table of transitions (SPEC §5.2). */
#pragma once

#include "core/event.h"
#include "util/slice.h"

enum instance_state { STATE_NONE = -1, STATE_RUNNING, STATE_STOPPED, STATE_CRASHED, STATE_RESTARTING };
#define INSTANCE_STATES 4

enum health { HEALTH_HEALTHY, HEALTH_WARNING, HEALTH_CRITICAL };
#define HEALTHS 3

enum launch_mode { LAUNCH_AUTO, LAUNCH_MANUAL };

/* NULL for STATE_NONE. */
const char *instance_state_name(enum instance_state state);
const char *health_name(enum health health);
const char *launch_mode_name(enum launch_mode mode);

/* Any case; `failed` is read as crashed. */
bool instance_state_parse(struct slice text, enum instance_state *ret_state);
bool health_parse(struct slice text, enum health *ret_health);
bool launch_mode_parse(struct slice text, enum launch_mode *ret_mode);

/* What a report may do. The row for FROM (STATE_NONE: new) and TO, which differ: false where it is refused;
 * else *ret_event is its event (EVENT_NONE for none). WAS_CRASHED: a restarting instance had crashed before.
 */
bool transition_find(enum instance_state from, enum instance_state to, bool was_crashed,
                     enum event_kind *ret_event);
