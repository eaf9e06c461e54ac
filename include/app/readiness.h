/* Whether the daemon is ready, and which layer it waits for (SPEC §8.1). */
#pragma once

#include <stdbool.h>

struct daemon;

struct readiness {
    bool is_ready;
    char text[96]; /* the word; where layers have a Redis of their own with those behind it: `connecting rts`
                    */
};

/* D is home. What all depends on comes first: another daemon leads, then the instances. */
void readiness_look(const struct daemon *d, struct readiness *ret);
