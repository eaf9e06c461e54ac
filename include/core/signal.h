/* Signals and results as they are read (SPEC §5.5, §5.6): fields, statuses, validated entries. */
#pragma once

#include "core/ident.h"
#include "core/stream.h"
#include "util/stream_id.h"

enum signal_field { SIGNAL_SIGNAL_ID, SIGNAL_ACTION, SIGNAL_INSTANCE_ID };
#define SIGNAL_FIELDS 3

enum result_field {
    RESULT_RESULT_ID,
    RESULT_SIGNAL_ID,
    RESULT_STATUS,
    RESULT_TRADE_ID,
    RESULT_INSTANCE_ID,
    RESULT_SLIPPAGE,
    RESULT_EXECUTION_TIME
};
#define RESULT_FIELDS 7

/* By enum signal_field and enum result_field; a name ends in a NUL. */
extern const struct slice signal_field_names[SIGNAL_FIELDS];
extern const struct slice result_field_names[RESULT_FIELDS];

/* What a status of a result does to its signal. */
enum result_effect { RESULT_ACCEPTS, RESULT_PROCESSES, RESULT_FAILS };

enum result_status {
    STATUS_ACCEPTED,
    STATUS_EXECUTED,
    STATUS_PARTIALLY_FILLED,
    STATUS_CLOSED,
    STATUS_FAILED,
    STATUS_REJECTED,
    STATUS_CANCELLED,
    STATUS_EXPIRED
};
#define RESULT_STATUSES 8

/* In lower case, as it is stored. */
const char *result_status_name(enum result_status status);
enum result_effect result_status_effect(enum result_status status);
/* Any case; false, and *ret_status untouched, for all else. */
bool result_status_parse(struct slice text, enum result_status *ret_status);

/* Valid values; borrowed. The action is lower-case. An absent id is empty. */
struct signal_entry {
    struct stream_id id;
    struct slice signal_id, action, instance_id;
};

struct result_entry {
    struct stream_id id;
    struct slice result_id, signal_id, trade_id, instance_id;
    enum result_status status;
    bool has_slippage, has_execution_time;
    double slippage, execution_time_ms;
};
