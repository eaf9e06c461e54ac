/* Recovery (SPEC §6.4): one episode per instance, whatever alerts ask for it. */
#pragma once

#include "core/ident.h"
#include "core/stream.h"
#include <stdbool.h>
#include <stdint.h>

#define BACKOFFS_MAX 16

struct recovery_options {
    uint32_t max_attempts;
    int64_t timeout_ms;
    int64_t backoff_ms[BACKOFFS_MAX]; /* before attempt 1, 2, 3…; the last repeats */
    uint32_t backoff_count;           /* from 1 */
    int64_t cooldown_ms, stable_ms;
    uint32_t launch_modes; /* bits of enum launch_mode */
    uint32_t max_concurrent;
};

/* none → waiting (the attempt is counted, its backoff runs, or something holds it up) → under way (the
 * command is out) → none. */
enum recovery_phase { RECOVERY_NONE, RECOVERY_WAITING, RECOVERY_UNDER_WAY };
#define RECOVERY_PHASES 3
const char *recovery_phase_name(enum recovery_phase phase);

/* How an attempt ended. */
enum recovery_outcome {
    RECOVERY_SUCCEEDED,
    RECOVERY_FAILED, /* its agent says so */
    RECOVERY_TIMEOUT,
    RECOVERY_UNNEEDED, /* what asked for it was over before the command went out, or the instance came back */
    RECOVERY_GIVEN_UP, /* no attempt: a further one would have been needed after max_attempts */
};
#define RECOVERY_OUTCOMES 5
const char *recovery_outcome_name(enum recovery_outcome outcome);

struct recovery {
    enum recovery_phase phase;
    bool is_disarmed;          /* given up; rests until it is armed again */
    bool has_stopped;          /* it has been stopped since it was given up: running again arms it */
    bool is_for_crash;         /* it has succeeded once the instance runs, whatever its agent says */
    int64_t next_ms;           /* waiting: when the backoff is over */
    int64_t cooldown_until_ms; /* for threshold rules */
    struct ident alert;        /* that asked for the attempt */
    struct cause cause;
};
