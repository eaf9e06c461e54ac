/* Names of what a sink is told, as they are stored. */
#include "core/sink.h"

const char *total_kind_name(enum total_kind kind)
{
    static const char *const names[TOTAL_KINDS] = {
        [TOTAL_RECEIVED] = "received", [TOTAL_PROCESSED] = "processed", [TOTAL_FAILED] = "failed",
        [TOTAL_DROPPED] = "dropped",   [TOTAL_LOST] = "lost",           [TOTAL_DUPLICATE] = "duplicate",
        [TOTAL_RESULT] = "result",
    };

    return names[kind];
}

const char *signal_outcome_name(enum signal_outcome outcome)
{
    static const char *const names[] = {
        [OUTCOME_PROCESSED] = "processed",
        [OUTCOME_FAILED] = "failed",
        [OUTCOME_DROPPED] = "dropped",
        [OUTCOME_LOST] = "lost",
    };

    return names[outcome];
}
