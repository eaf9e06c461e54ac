/* Why something was done about an instance, or was not (SPEC §8.2): the newest steps of its causal chain. */
#pragma once

#include "core/stream.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stdint.h>

enum why_kind { WHY_SAMPLE, WHY_ALERT, WHY_DECISION, WHY_COMMAND, WHY_ANSWER };
#define WHY_KINDS 5
/* `sample`, `alert`, … */
const char *why_kind_name(enum why_kind kind);

/* Why nothing is done although something asks for it. */
enum hold {
    HOLD_NONE,
    HOLD_MAINTENANCE,
    HOLD_GUARD,
    HOLD_BREAKER,
    HOLD_COOLDOWN,
    HOLD_MAX_CONCURRENT,
    HOLD_LAUNCH_MODE,
    HOLD_OBSERVE_ONLY,
    HOLD_DISARMED,
    HOLD_NO_TARGET,
    HOLD_UNDER_WAY, /* a command that is as strong, or an operator's, has not ended */
};
#define HOLDS 11
/* `maintenance`, `guard`, …; empty for HOLD_NONE. */
const char *hold_name(enum hold hold);

struct why_step {
    enum why_kind kind;
    int64_t at_ms;
    const char *status; /* what the alert became, what was decided, how a command stands; NULL: none */
    bool has_value, has_threshold;
    double value, threshold;
    struct cause cause;
    struct slice alert, command_id, reason; /* empty where they do not apply */
};

/* Texts that many steps have, each held once for all instances: names of rules, what was decided, reasons. As
 * many as there is room for, as they come; none leaves. Zeroed is empty. */
struct why_word;
#define WHY_WORDS 255
struct why_words {
    struct why_word *items;
    uint32_t count;
};

void why_words_clear(struct why_words *words);

/* Zeroed is empty. */
#define WHY_STEPS 64
struct why {
    struct why_words *words; /* borrowed; NULL: all texts lie in the records */
    unsigned char *records;  /* the steps, packed, oldest first */
    uint32_t len;
    uint32_t bytes;  /* that all of it needs, but for this struct */
    int64_t base_ms; /* what the times of the records are counted from */
    uint32_t count;
};

/* Empties it; it goes on with the same words. */
void why_clear(struct why *why);
/* Adds a copy of STEP; the oldest of 64 leaves. */
void why_add(struct why *why, const struct why_step *step);

/* Iterates from the oldest step: a zeroed place is ahead of it. False, and *ret_step untouched, behind the
 * newest; the texts of a step are valid until the next one is added. */
struct why_place {
    uint32_t offset;
};
bool why_next(const struct why *why, struct why_place *place, struct why_step *ret_step);
