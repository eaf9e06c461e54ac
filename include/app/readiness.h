/* Whether the daemon is ready, and which layer it waits for (SPEC §8.1). */
#pragma once

#include <stdbool.h>

struct daemon;

struct readiness {
    bool is_ready;
    const char *word;           /* of SPEC §8.1; NULL where it is ready */
    const struct daemon *store; /* the first that is not; home, where all are */
    const char *layers;         /* that it is about; empty for all */
    char text[96];              /* both: `connecting`, `connecting rts` */
};

/* D is home. What all depends on comes first: another daemon leads, then the instances. */
void readiness_look(const struct daemon *d, struct readiness *ret);
