/* Changes that were asked for over HTTP and wait until they are stored (SPEC §8.3). A client whose change is
 * not stored in time is told that this is not known; one that goes away takes nothing back. What was stored
 * is logged, with who wanted it. */
#pragma once

#include "app/api.h"
#include <stdint.h>

/* Waiting at a time; further ones are refused with 503 before they change anything. */
#define PENDING_MAX 256
/* How long a client waits at most. */
#define PENDING_MS 5000

/* How a change that is stored is answered. */
enum pending_answer { PENDING_COMMAND_ID, PENDING_MAINTENANCE, PENDING_EMPTY };

struct pending_change {
    const char *command; /* for the log; static */
    struct slice instance_id, reason;
    enum pending_answer answer;
    struct slice command_id; /* with PENDING_COMMAND_ID */
    int64_t until_ms;        /* with PENDING_MAINTENANCE; INT64_MAX: without end */
};

/* True where changes can be made now: this daemon is the active one and Redis takes writes. Else it has been
 * answered (503). */
bool pending_may_begin(const struct api_call *call);
/* CHANGE has been told to the sink: sends it, and answers once it is stored. CHANGE is copied. */
void pending_add(const struct api_call *call, const struct pending_change *change);
/* Logs what somebody with a token has done. */
void pending_log(const struct api_call *call, const struct pending_change *change);
