/* Names of the fields of signals and results, and what each status means: one row each. */
#include "core/signal.h"

#include "util/macros.h"

const struct slice signal_field_names[SIGNAL_FIELDS] = {
    [SIGNAL_SIGNAL_ID] = SLICE("signal_id"),
    [SIGNAL_ACTION] = SLICE("action"),
    [SIGNAL_INSTANCE_ID] = SLICE("instance_id"),
};

const struct slice result_field_names[RESULT_FIELDS] = {
    [RESULT_RESULT_ID] = SLICE("result_id"),
    [RESULT_SIGNAL_ID] = SLICE("signal_id"),
    [RESULT_STATUS] = SLICE("status"),
    [RESULT_TRADE_ID] = SLICE("trade_id"),
    [RESULT_INSTANCE_ID] = SLICE("instance_id"),
    [RESULT_SLIPPAGE] = SLICE("slippage"),
    [RESULT_EXECUTION_TIME] = SLICE("execution_time"),
};

static const struct {
    const char *name;
    enum result_effect effect;
} statuses[RESULT_STATUSES] = {
    [STATUS_ACCEPTED] = {"accepted", RESULT_ACCEPTS},
    [STATUS_EXECUTED] = {"executed", RESULT_PROCESSES},
    [STATUS_PARTIALLY_FILLED] = {"partially_filled", RESULT_PROCESSES},
    [STATUS_CLOSED] = {"closed", RESULT_PROCESSES},
    [STATUS_FAILED] = {"failed", RESULT_FAILS},
    [STATUS_REJECTED] = {"rejected", RESULT_FAILS},
    [STATUS_CANCELLED] = {"cancelled", RESULT_FAILS},
    [STATUS_EXPIRED] = {"expired", RESULT_FAILS},
};

const char *result_status_name(enum result_status status)
{
    return statuses[status].name;
}

enum result_effect result_status_effect(enum result_status status)
{
    return statuses[status].effect;
}

bool result_status_parse(struct slice text, enum result_status *ret_status)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (slice_is_nocase(text, statuses[i].name)) {
            *ret_status = (enum result_status)i;
            return true;
        }
    }
    return false;
}
