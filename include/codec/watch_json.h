/* Instances, their alerts and their causal chains as JSON (SPEC §8.1, §8.2), and alerts as Alertmanager takes
 * them (SPEC §7.4). Times are UTC text. What is not known is left out, where nothing else is said. */
#pragma once

#include "core/watch.h"
#include "util/buf.h"

/* Appends `{"instance_id":…,"why":[…]}`, the oldest step first. WHY may be NULL: no step. A step has `at`
 * with milliseconds and, as a number, `at_ms`, then of `step status alert value threshold command_id reason
 * correlation_id` those that apply. */
void why_json_add(struct buf *out, struct slice instance_id, const struct why *why);

/* Appends INSTANCE as an object, by SPEC §8.1. previous_state, desired_state and maintenance are null where
 * there is none; so is a maintenance's `until` where it has no end. metrics and health have the fields of the
 * hashes, as they are known at NOW_MS. */
void instance_json_add(struct buf *out, const struct fleet *fleet, const struct instance *instance,
                       int64_t now_ms);

/* Appends one item of /api/v1/alerts. DOING says what is being done about the instance (watch_describe).
 * `fired_at` is null while it is pending; `value` and `threshold` are names where the rule is about states,
 * and severity and threshold are left out where the rule is gone. */
void alert_json_add(struct buf *out, const struct fleet *fleet, const struct instance *instance,
                    const struct alert *alert, struct slice doing);
/* The same of an open group: alert FleetFailure, with `group`, how many have crashed as `value` and of how
 * many as `threshold`, and no instance. */
void group_alert_json_add(struct buf *out, const struct breaker_group *group, struct slice doing);

/* Appends NOTICE as one element of the array that Alertmanager takes by POST /api/v2/alerts, with endsAt once
 * it has ended. Labels never change: those of its beginning, and of a group its name and how many had
 * crashed. */
void alertmanager_json_add(struct buf *out, const struct notice *notice, struct slice doing);
