/* A ring of steps that grows to its full size only where there is that much to tell. The texts of a step are
 * one allocation. */
#include "core/why.h"

#include "util/alloc.h"
#include <stdlib.h>

#define FIRST_STEPS 4

const char *why_kind_name(enum why_kind kind)
{
    static const char *const names[WHY_KINDS] = {
        [WHY_SAMPLE] = "sample",   [WHY_ALERT] = "alert",   [WHY_DECISION] = "decision",
        [WHY_COMMAND] = "command", [WHY_ANSWER] = "answer",
    };

    return names[kind];
}

const char *hold_name(enum hold hold)
{
    static const char *const names[HOLDS] = {
        [HOLD_NONE] = "",
        [HOLD_MAINTENANCE] = "maintenance",
        [HOLD_GUARD] = "guard",
        [HOLD_BREAKER] = "breaker",
        [HOLD_COOLDOWN] = "cooldown",
        [HOLD_MAX_CONCURRENT] = "max_concurrent",
        [HOLD_LAUNCH_MODE] = "launch_mode",
        [HOLD_OBSERVE_ONLY] = "observe_only",
        [HOLD_DISARMED] = "disarmed",
        [HOLD_NO_TARGET] = "no_target",
        [HOLD_UNDER_WAY] = "under_way",
    };

    return names[hold];
}

static struct why_step *slot_at(const struct why *why, uint32_t place)
{
    return &why->steps[(why->first + place) % why->cap];
}

static uint32_t text_bytes(const struct why_step *step)
{
    return (uint32_t)(step->alert.len + step->command_id.len + step->reason.len + 1);
}

static void step_clear(struct why_step *step)
{
    free(step->text);
}

void why_clear(struct why *why)
{
    for (uint32_t i = 0; i < why->count; i++)
        step_clear(slot_at(why, i));
    free(why->steps);
    *why = (struct why){0};
}

static void grow(struct why *why)
{
    uint32_t cap = why->cap ? why->cap * 2 : FIRST_STEPS;
    struct why_step *steps = mem_new(cap, sizeof(*steps));

    for (uint32_t i = 0; i < why->count; i++)
        steps[i] = *slot_at(why, i);
    free(why->steps);
    why->steps = steps;
    why->bytes += (cap - why->cap) * (uint32_t)sizeof(*steps);
    why->cap = cap;
    why->first = 0;
}

static struct slice put_text(char **at, struct slice text)
{
    struct slice copy = slice_of(*at, text.len);

    if (text.len)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return copy;
}

static void step_copy(struct why_step *to, const struct why_step *from)
{
    char *text = mem_new(text_bytes(from), 1);

    *to = *from;
    to->text = text;
    to->alert = put_text(&text, from->alert);
    to->command_id = put_text(&text, from->command_id);
    to->reason = put_text(&text, from->reason);
}

void why_add(struct why *why, const struct why_step *step)
{
    if (why->count == why->cap && why->cap < WHY_STEPS)
        grow(why);
    if (why->count == WHY_STEPS) {
        why->bytes -= text_bytes(slot_at(why, 0));
        step_clear(slot_at(why, 0));
        why->first = (why->first + 1) % why->cap;
        why->count--;
    }
    step_copy(slot_at(why, why->count), step);
    why->bytes += text_bytes(step);
    why->count++;
}

const struct why_step *why_get(const struct why *why, uint32_t place)
{
    return slot_at(why, place);
}
