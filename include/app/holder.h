/* Who holds the lease: a token that names the process, so that one on the same host can be told to be dead.
 */
#pragma once

#include <stdbool.h>

#define HOLDER_TOKEN_MAX 256

/* `CONSUMER@BOOT:PIDNS:PID:STARTTIME#RANDOM` for this process. */
void holder_make_token(char out[HOLDER_TOKEN_MAX], const char *consumer);
/* True where HOLDER is of the same consumer, boot and pid namespace as OWN, and its process is no more. */
bool holder_is_dead(const char *holder, const char *own);
