/* The steps of an instance are packed one behind the other in one piece of memory: most instances have a full
 * history at some time, and nearly all of a step is empty, short, or close to what stands beside it.
 *
 * A record: a byte with kind, cause and what of the numbers is there; the time, from base_ms; that of the
 * cause, from the step's; its running number; value and threshold where they are there; four texts, each
 * behind its length, the first (the status) with a NUL. Whole numbers have 7 bits a byte, and where they may
 * be negative their sign below them. */
#include "core/why.h"

#include "util/alloc.h"
#include <stdlib.h>
#include <string.h>

/* A record without its texts: 1 byte, 3 numbers, 2 doubles, 4 lengths and a NUL at most. */
#define HEAD_MAX  (1 + 3 * 10 + 2 * 8 + 4 * 10 + 1)
#define CUT_BYTES 256 /* memory is taken in pieces of this */

#define KIND_BITS     7U
#define HAS_VALUE     8U
#define HAS_THRESHOLD 16U
#define CAUSE_SHIFT   5

_Static_assert(WHY_KINDS <= 8, "three bits for the kind");
_Static_assert(CAUSE_OPERATOR < 8, "three bits for the cause");

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

static unsigned char *put_number(unsigned char *at, uint64_t number)
{
    for (; number > 127; number >>= 7)
        *at++ = (unsigned char)(number | 128);
    *at++ = (unsigned char)number;
    return at;
}

static uint64_t take_number(const unsigned char **at)
{
    uint64_t number = 0;
    unsigned shift = 0;

    for (; **at > 127; ++*at, shift += 7)
        number |= (uint64_t)(**at & 127) << shift;
    number |= (uint64_t) * (*at)++ << shift;
    return number;
}

/* TO - FROM, both any number: what overflows comes back. */
static unsigned char *put_distance(unsigned char *at, uint64_t from, uint64_t to)
{
    uint64_t distance = to - from;

    return put_number(at, distance << 1 ^ (distance >> 63 ? UINT64_MAX : 0));
}

static uint64_t take_distance(const unsigned char **at, uint64_t from)
{
    uint64_t number = take_number(at);

    return from + (number >> 1 ^ (number & 1 ? UINT64_MAX : 0));
}

static unsigned char *put_bytes(unsigned char *at, const void *data, size_t len)
{
    if (len)
        memcpy(at, data, len);
    return at + len;
}

static unsigned char *put_text(unsigned char *at, struct slice text)
{
    return put_bytes(put_number(at, text.len), text.data, text.len);
}

static struct slice take_text(const unsigned char **at)
{
    size_t len = take_number(at);
    struct slice text = slice_of((const char *)*at, len);

    *at += len;
    return text;
}

static double take_double(const unsigned char **at)
{
    double value;

    memcpy(&value, *at, sizeof(value));
    *at += sizeof(value);
    return value;
}

static struct slice status_of(const struct why_step *step)
{
    return slice_text(step->status ? step->status : "");
}

static size_t pack(unsigned char *to, int64_t base_ms, const struct why_step *step)
{
    unsigned char *at = to;

    *at++ = (unsigned char)(step->kind | (step->has_value ? HAS_VALUE : 0) |
                            (step->has_threshold ? HAS_THRESHOLD : 0) | step->cause.kind << CAUSE_SHIFT);
    at = put_distance(at, (uint64_t)base_ms, (uint64_t)step->at_ms);
    at = put_distance(at, (uint64_t)step->at_ms, step->cause.id.ms);
    at = put_number(at, step->cause.id.seq);
    if (step->has_value)
        at = put_bytes(at, &step->value, sizeof(step->value));
    if (step->has_threshold)
        at = put_bytes(at, &step->threshold, sizeof(step->threshold));
    at = put_text(at, status_of(step));
    *at++ = '\0';
    at = put_text(at, step->alert);
    at = put_text(at, step->command_id);
    at = put_text(at, step->reason);
    return (size_t)(at - to);
}

static const unsigned char *unpack(const unsigned char *at, int64_t base_ms, struct why_step *ret_step)
{
    unsigned head = *at++;
    struct why_step step = {.kind = (enum why_kind)(head & KIND_BITS),
                            .cause.kind = (enum cause_kind)(head >> CAUSE_SHIFT),
                            .has_value = head & HAS_VALUE,
                            .has_threshold = head & HAS_THRESHOLD};

    step.at_ms = (int64_t)take_distance(&at, (uint64_t)base_ms);
    step.cause.id.ms = take_distance(&at, (uint64_t)step.at_ms);
    step.cause.id.seq = take_number(&at);
    if (step.has_value)
        step.value = take_double(&at);
    if (step.has_threshold)
        step.threshold = take_double(&at);
    step.status = take_text(&at).data;
    at++;
    step.alert = take_text(&at);
    step.command_id = take_text(&at);
    step.reason = take_text(&at);
    *ret_step = step;
    return at;
}

void why_clear(struct why *why)
{
    free(why->records);
    *why = (struct why){0};
}

static void drop_oldest(struct why *why)
{
    struct why_step step;
    size_t len = (size_t)(unpack(why->records, why->base_ms, &step) - why->records);

    why->len -= (uint32_t)len;
    memmove(why->records, why->records + len, why->len);
    why->count--;
}

/* Room for LEN bytes, and for not much more: long reasons may have left. */
static void fit(struct why *why, size_t len)
{
    size_t bytes = (len + CUT_BYTES - 1) / CUT_BYTES * CUT_BYTES;

    if (bytes <= why->bytes && why->bytes - bytes <= 4 * CUT_BYTES)
        return;
    why->records = mem_resize(why->records, bytes, 1);
    why->bytes = (uint32_t)bytes;
}

void why_add(struct why *why, const struct why_step *step)
{
    size_t most = HEAD_MAX + status_of(step).len + step->alert.len + step->command_id.len + step->reason.len;

    if (why->count == WHY_STEPS)
        drop_oldest(why);
    if (why->count == 0)
        why->base_ms = step->at_ms;
    fit(why, why->len + most);
    why->len += (uint32_t)pack(why->records + why->len, why->base_ms, step);
    why->count++;
}

bool why_next(const struct why *why, struct why_place *place, struct why_step *ret_step)
{
    if (place->offset >= why->len)
        return false;
    place->offset = (uint32_t)(unpack(why->records + place->offset, why->base_ms, ret_step) - why->records);
    return true;
}
