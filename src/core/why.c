/* The steps of an instance are packed one behind the other in one piece of memory: most instances have a full
 * history at some time, and nearly all of a step is empty, said often, or close to what stands beside it.
 *
 * A record: a byte with kind, cause and what of the numbers is there; the time, from base_ms; that of the
 * cause, from the step's; its running number; value and threshold where they are there; four texts (the
 * status first), each either a word's number, doubled, and 1, or its length, doubled, the text and a NUL.
 * Whole numbers have 7 bits a byte, and where they may be negative their sign below them. */
#include "core/why.h"

#include "util/alloc.h"
#include <stdlib.h>
#include <string.h>

/* A record without its texts: 1 byte, 3 numbers, 2 doubles, 4 lengths with NULs at most. */
#define HEAD_MAX  (1 + 3 * 10 + 2 * 8 + 4 * 11)
#define CUT_BYTES 128 /* memory is taken in pieces of this */

#define WORD_MAX 62

struct why_word {
    unsigned char len;
    char text[WORD_MAX + 1]; /* ends in a NUL */
};

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

/* A text with a number or a name in it is said once, and would take the place of those that are said often.
 */
static bool may_be_word(struct slice text)
{
    if (text.len == 0 || text.len > WORD_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] >= '0' && text.data[i] <= '9')
            return false;
    }
    return true;
}

/* The number of the word TEXT, which is made one where there is room, else WHY_WORDS. */
static uint32_t find_word(struct why_words *words, struct slice text)
{
    struct why_word *word;

    if (!words || !may_be_word(text))
        return WHY_WORDS;
    for (uint32_t i = 0; i < words->count; i++) {
        if (slice_equal(slice_of(words->items[i].text, words->items[i].len), text))
            return i;
    }
    if (words->count == WHY_WORDS)
        return WHY_WORDS;
    if (!words->items)
        words->items = mem_new(WHY_WORDS, sizeof(*words->items));
    word = &words->items[words->count];
    memcpy(word->text, text.data, text.len);
    word->len = (unsigned char)text.len;
    return words->count++;
}

static unsigned char *put_text(unsigned char *at, struct why_words *words, struct slice text)
{
    uint32_t word = find_word(words, text);

    if (word < WHY_WORDS)
        return put_number(at, (uint64_t)word << 1 | 1);
    at = put_bytes(put_number(at, (uint64_t)text.len << 1), text.data, text.len);
    *at++ = '\0';
    return at;
}

static struct slice take_text(const unsigned char **at, const struct why_words *words)
{
    uint64_t number = take_number(at);
    struct slice text;

    if (number & 1)
        return slice_of(words->items[number >> 1].text, words->items[number >> 1].len);
    text = slice_of((const char *)*at, (size_t)(number >> 1));
    *at += text.len + 1;
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

static size_t pack(unsigned char *to, const struct why *why, const struct why_step *step)
{
    unsigned char *at = to;

    *at++ = (unsigned char)(step->kind | (step->has_value ? HAS_VALUE : 0) |
                            (step->has_threshold ? HAS_THRESHOLD : 0) | step->cause.kind << CAUSE_SHIFT);
    at = put_distance(at, (uint64_t)why->base_ms, (uint64_t)step->at_ms);
    at = put_distance(at, (uint64_t)step->at_ms, step->cause.id.ms);
    at = put_number(at, step->cause.id.seq);
    if (step->has_value)
        at = put_bytes(at, &step->value, sizeof(step->value));
    if (step->has_threshold)
        at = put_bytes(at, &step->threshold, sizeof(step->threshold));
    at = put_text(at, why->words, status_of(step));
    at = put_text(at, why->words, step->alert);
    at = put_text(at, NULL, step->command_id);
    at = put_text(at, why->words, step->reason);
    return (size_t)(at - to);
}

static const unsigned char *unpack(const struct why *why, const unsigned char *at, struct why_step *ret_step)
{
    unsigned head = *at++;
    struct why_step step = {.kind = (enum why_kind)(head & KIND_BITS),
                            .cause.kind = (enum cause_kind)(head >> CAUSE_SHIFT),
                            .has_value = head & HAS_VALUE,
                            .has_threshold = head & HAS_THRESHOLD};

    step.at_ms = (int64_t)take_distance(&at, (uint64_t)why->base_ms);
    step.cause.id.ms = take_distance(&at, (uint64_t)step.at_ms);
    step.cause.id.seq = take_number(&at);
    if (step.has_value)
        step.value = take_double(&at);
    if (step.has_threshold)
        step.threshold = take_double(&at);
    step.status = take_text(&at, why->words).data;
    step.alert = take_text(&at, why->words);
    step.command_id = take_text(&at, why->words);
    step.reason = take_text(&at, why->words);
    *ret_step = step;
    return at;
}

void why_clear(struct why *why)
{
    free(why->records);
    *why = (struct why){.words = why->words};
}

void why_words_clear(struct why_words *words)
{
    free(words->items);
    *words = (struct why_words){0};
}

static void drop_oldest(struct why *why)
{
    struct why_step step;
    size_t len = (size_t)(unpack(why, why->records, &step) - why->records);

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
    why->len += (uint32_t)pack(why->records + why->len, why, step);
    why->count++;
}

bool why_next(const struct why *why, struct why_place *place, struct why_step *ret_step)
{
    if (place->offset >= why->len)
        return false;
    place->offset = (uint32_t)(unpack(why, why->records + place->offset, ret_step) - why->records);
    return true;
}
