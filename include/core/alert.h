/* An alert: one rule and one instance that meets it, or met it until lately (SPEC §6.2). */
#pragma once

#include "core/ident.h"
#include "core/rule.h"
#include "core/stream.h"
#include <stdbool.h>
#include <stdint.h>

enum alert_status { ALERT_PENDING, ALERT_FIRING };
#define ALERT_STATUSES 2
const char *alert_status_name(enum alert_status status);

#define ALERT_NO_RULE UINT16_MAX

struct alert {
    struct ident name; /* of the rule, which a reload may take away */
    uint16_t rule;     /* its place in the set; ALERT_NO_RULE where it is gone */
    enum alert_status status;
    bool is_guarded; /* it would fire, if the guard let it */
    int64_t since_ms, fired_ms;
    int64_t cleared_ms; /* firing, but its condition is false since then; 0: it is not */
    double value;       /* of the last sample that met the rule */
    struct cause cause; /* of its beginning */
    uint64_t seq;       /* of the event by which it began to fire; 0 where that was in an earlier life */
    /* What has been done about it while it fires. */
    uint32_t done;  /* bits of enum rule_action */
    uint32_t tries; /* reconnects so far */
    int64_t next_ms;
};
