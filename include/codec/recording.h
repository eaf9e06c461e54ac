/* Recordings (SPEC §11): what `mt5statectl record` writes and `mt5stated --backtest` reads, one JSON object a
 * line.
 *
 *   {"stream":"state","id":…,"fields":{"instance_id":…,…}}     an instance as it was when the recording began
 *   {"stream":"reports","id":…,"fields":{…}}                   and signals, results: entries as they were
 * read
 *   {"stream":"events","id":…,"fields":{…}}                    what the daemon published
 *   {"stream":"reports","gap":true}                            of this stream something is missing here
 *
 * IDs are those of the entries, by the Redis server's clock; that of a state is the time at which it was so.
 * The fields of a state are those of its three hashes, with the kind in front (`instance.broker_id`,
 * `metrics.cpu_usage`, `health.last_error`), `seq`, and `watch` and `alerts` in the words of watch_record.h,
 * of the alerts one a line. An open group of the breaker is a state with `group` and `breaker` instead; it
 * comes before its members. */
#pragma once

#include "codec/json_object.h"
#include "codec/report.h"
#include "codec/watch_record.h"
#include "core/fleet.h"
#include "util/errmsg.h"

/* ---- written ---- */

/* Appends the line of INSTANCE, without the newline. AT_MS is now, by the Redis server's clock. */
void recording_add_state(struct buf *out, struct fleet *fleet, struct instance *instance, int64_t at_ms);

/* The same of GROUP, which is open. */
void recording_add_group(struct buf *out, const struct breaker_group *group, int64_t at_ms);

/* ---- read ---- */

enum recorded_kind {
    RECORDED_ENTRY, /* of reports, signals or results */
    RECORDED_STATE,
    RECORDED_EVENT,
    RECORDED_GAP,
    RECORDED_UNKNOWN, /* of a stream that this build does not know */
};

struct recorded_line {
    enum recorded_kind kind;
    struct stream_id id;               /* of all but a gap */
    struct entry entry;                /* RECORDED_ENTRY */
    bool is_of_reports, is_of_signals; /* RECORDED_GAP: what is missing; signals or results */
    const struct json_object *members; /* fields of a state or an event, borrowed from the reader */
};

/* Embedded; zeroed is empty. What was read borrows from it and from the line, until the next one. */
struct recording_reader {
    struct json_object line, fields;
};
void recording_reader_clear(struct recording_reader *reader);

/* Reads one line, without its newline. False, with WHY filled, where it is none. Members that are not known
 * are ignored. A field may be a number in place of its text. */
bool recording_read(struct recording_reader *reader, struct slice text, struct recorded_line *ret_line,
                    struct errmsg *why);

/* The text of a field of LINE, which has members; empty where it is not there or no text. */
struct slice recorded_text(const struct recorded_line *line, const char *name);

/* Room for the texts of a state. */
struct recorded_state_scratch {
    char last_error[REPORT_TEXT_MAX];
    struct watch_record_scratch watch;
};

struct recorded_state {
    bool is_group;
    struct breaker_group group; /* where is_group; the rest is an instance's */
    struct slice instance_id;
    struct instance_record record;
    uint64_t seq;
    bool has_watch;
    struct watch_record watch;
    struct slice alerts; /* for recorded_state_next_alert */
};

/* Takes a state apart. False, with WHY filled, where it names no instance or is damaged. RET_STATE borrows
 * from LINE and SCRATCH. */
bool recorded_state_parse(const struct recorded_line *line, struct recorded_state_scratch *scratch,
                          struct recorded_state *ret_state, struct errmsg *why);
/* Takes the next alert off STATE; false behind the last. One that cannot be read is passed over. */
bool recorded_state_next_alert(struct recorded_state *state, struct alert *ret_alert);
