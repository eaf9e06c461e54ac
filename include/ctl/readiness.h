/* A daemon that is not ready: what its word for that means, and for whom it matters. */
#pragma once

#include "ctl/command.h"

/* Redis has answered with ERROR, the text of the API, instead of there being no way to it. */
bool readiness_is_refusal(struct slice error);

/* What the WORD of readiness means, and what to do about it; empty where it is not known. IS_REFUSED: Redis
 * can be reached, and refuses. */
struct slice readiness_meaning(struct slice word, bool is_refused);

/* Asks whether the daemon is ready, and says so on standard error where it is not, for what was read may be
 * from before. Where nothing can be found out nothing is said. */
void readiness_warn(struct ctl *ctl);

/* The daemon knows a fleet, be it from before. Asks, too. */
bool readiness_has_state(struct ctl *ctl);
