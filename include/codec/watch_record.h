/* What watches over instances (core/watch.h) as fields of hashes of the daemon's own, for the next start
 * (docs/REDIS_SCHEMA.md). A value is one line of words, to be read by people too:
 *
 *   mt5stated:watch    {id}           commands=7 command=recover number=7 attempt=2 issued=…
 * maintenance_reason=… mt5stated:alerts   {id}:{rule}    status=firing since=… fired=… value=92.5
 * cause=report-1742638530123-0 mt5stated:notices  {id}:{alert}, @{group}:{alert}    severity=critical
 * broker_id=b1 starts=… hook_due=1 mt5stated:breaker  {group}        opened=… crashed=5 of=8
 *
 * Reading takes any bytes. It is false where the field or the line is malformed, and nothing is returned
 * then; words that are not known are skipped, those that are missing are zero. */
#pragma once

#include "core/watch.h"
#include "util/buf.h"

/* The field of an alert: two ids with a colon between. */
#define ALERT_FIELD_MAX (2 * IDENT_MAX + 1)

/* Append the value of RECORD's field to OUT. Of a command only what is open is written; of a text
 * REPORT_TEXT_MAX bytes. Enumerations must be valid. */
void watch_record_format(struct buf *out, const struct watch_record *record);
void alert_record_format(struct buf *out, const struct alert *alert);
void notice_record_format(struct buf *out, const struct notice *notice);
void breaker_record_format(struct buf *out, const struct breaker_group *group);

/* Writes the field of the alert of RULE about instance ID and returns its length. */
size_t alert_field_format(char out[ALERT_FIELD_MAX], struct slice id, struct slice rule);
/* The other way round; both are valid ids then, borrowed from FIELD. */
bool alert_field_parse(struct slice field, struct slice *ret_id, struct slice *ret_rule);
/* Sets key, instance_id or group, and alert of NOTICE. */
bool notice_field_parse(struct slice field, struct notice *notice);
/* Sets key and kind of GROUP. */
bool breaker_field_parse(struct slice field, struct breaker_group *group);

struct watch_record_scratch {
    char reason[REPORT_TEXT_MAX + 1];
};

/* FIELD is an instance's id. The record's maintenance_reason is NULL or lies in SCRATCH. */
bool watch_record_parse(struct slice field, struct slice text, struct watch_record_scratch *scratch,
                        struct watch_record *ret_record);
/* The instance's id is borrowed from FIELD; the alert's rule is ALERT_NO_RULE, for its name alone is stored.
 */
bool alert_record_parse(struct slice field, struct slice text, struct slice *ret_id, struct alert *ret_alert);
/* What only notices.c sets is zero. */
bool notice_record_parse(struct slice field, struct slice text, struct notice *ret_notice);
/* A group that is open; its counts are zero but crashed and of. */
bool breaker_record_parse(struct slice field, struct slice text, struct breaker_group *ret_group);
