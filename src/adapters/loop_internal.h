/* What loop.c and loop_lookup.c share. */
#pragma once

#include "adapters/loop.h"

struct loop {
    struct event_base *base;
    bool stop;        /* asked for and not yet obeyed */
    unsigned orphans; /* look-ups whose owner is gone and whose resolver has not answered yet */
};
