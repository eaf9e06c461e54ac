/* Instance reports from entries of their stream (SPEC §5.1), and instances from their three hashes (SPEC §4,
 * §5.4). The names that the decoder of the stream looks for are report_entry_names (core/report.h). */
#pragma once

#include "core/fleet.h"
#include "core/report.h"
#include "core/stream.h"
#include "util/errmsg.h"

/* Where the texts of a report are mended. */
struct report_scratch {
    char last_error[REPORT_TEXT_MAX], command_error[REPORT_TEXT_MAX];
};

/* True where instance_id is there and every field that is there is valid (SPEC §3); *RET_REPORT then borrows
 * from ENTRY, and its last_error and command_error from SCRATCH. Else *RET_FIELD is the name of the first
 * field that is not (static text, the metric's label), and *REASON says `field: what is wrong`. What is not
 * returned is untouched. */
bool report_parse(const struct entry *entry, struct report_scratch *scratch, struct report *ret_report,
                  struct slice *ret_field, struct errmsg *reason);

/* The instance_id of an entry where that alone is valid, else empty: a rejected entry is a sign of life too.
 * Borrowed from ENTRY. */
struct slice report_find_instance_id(const struct entry *entry);

/* A record of an instance of which Redis holds nothing. */
void instance_record_init(struct instance_record *record);

/* Takes one field of the hash KIND (RECORD_INSTANCE, RECORD_METRICS or RECORD_HEALTH) into RECORD; the first
 * one says that the hash exists. Unknown names are ignored. A value that is valid but not written as it
 * should be stored (`FAILED`, broken UTF-8) is taken and marked as invalid too, so that it is written anew.
 * RECORD borrows from VALUE, and its last_error from SCRATCH: both must live as long as it. */
void instance_record_parse_field(struct instance_record *record, enum record_kind kind, struct slice name,
                                 struct slice value, char scratch[REPORT_TEXT_MAX]);
