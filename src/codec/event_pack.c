/* A field is a byte for its name, a byte for the form of its value, and what these need. A value is packed in
 * another form than as text only where it is what that form is unpacked as. */
#include "codec/event_pack.h"

#include "core/event.h"
#include "core/ident.h"
#include "core/state.h"
#include "util/number.h"
#include "util/time_text.h"
#include <assert.h>

enum form { FORM_TEXT, FORM_NUMBER, FORM_TIME, FORM_CAUSE, FORM_EVENT, FORM_STATE };

/* In place of a name's number: it stands there itself. */
#define NAME_ITSELF 0xff

static const struct slice names_known[] = {
    SLICE("event"),          SLICE("instance_id"), SLICE("seq"),        SLICE("at"),
    SLICE("from"),           SLICE("to"),          SLICE("reason"),     SLICE("alert"),
    SLICE("value"),          SLICE("threshold"),   SLICE("command_id"), SLICE("signal_id"),
    SLICE("correlation_id"),
};
static_assert(ARRAY_LEN(names_known) == EVENT_FIELDS_MAX, "the fields of the contract (core/event.c)");

static void add_number(struct buf *out, uint64_t value)
{
    while (value > 0x7f) {
        buf_add_char(out, (char)(0x80 | (value & 0x7f)));
        value >>= 7;
    }
    buf_add_char(out, (char)value);
}

static uint64_t take_number(struct slice *at)
{
    uint64_t value = 0;
    for (unsigned shift = 0; at->len; shift += 7) {
        unsigned char byte = (unsigned char)*at->data++;
        at->len--;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte <= 0x7f)
            break;
    }
    return value;
}

/* How far VALUE is ahead of BASE, or else behind it, whichever way around is shorter. */
static void add_distance(struct buf *out, uint64_t base, uint64_t value)
{
    uint64_t ahead = value - base, behind = base - value;
    add_number(out, ahead <= INT64_MAX ? ahead << 1 : (behind - 1) << 1 | 1);
}

static uint64_t take_distance(struct slice *at, uint64_t base)
{
    uint64_t distance = take_number(at);
    return distance & 1 ? base - (distance >> 1) - 1 : base + (distance >> 1);
}

static void add_text(struct buf *out, struct slice text)
{
    add_number(out, text.len);
    buf_add_slice(out, text);
}

static struct slice take_text(struct slice *at)
{
    uint64_t len = take_number(at);
    struct slice text = slice_of(at->data, len < at->len ? len : at->len);
    *at = slice_of(at->data + text.len, at->len - text.len);
    return text;
}

static void add_name(struct buf *out, struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(names_known); i++) {
        if (slice_equal(name, names_known[i])) {
            buf_add_char(out, (char)i);
            return;
        }
    }
    buf_add_char(out, (char)NAME_ITSELF);
    add_text(out, name);
}

static struct slice take_name(struct slice *at)
{
    uint64_t name = (unsigned char)*at->data;
    *at = slice_of(at->data + 1, at->len - 1);
    return name < ARRAY_LEN(names_known) ? names_known[name] : take_text(at);
}

static struct slice number_text(char scratch[CAUSE_TEXT_MAX], uint64_t number)
{
    return slice_of(scratch, number_format_u64(scratch, number));
}

static struct slice time_text(char scratch[CAUSE_TEXT_MAX], uint64_t seconds)
{
    time_text_format(scratch, (int64_t)seconds * 1000);
    return slice_of(scratch, TIME_TEXT_LEN);
}

static bool pack_number(struct buf *out, struct slice value)
{
    char text[CAUSE_TEXT_MAX];
    uint64_t number;
    if (!number_parse_u64(value, UINT64_MAX, &number) || !slice_equal(number_text(text, number), value))
        return false;
    buf_add_char(out, FORM_NUMBER);
    add_number(out, number);
    return true;
}

static bool pack_time(struct buf *out, struct slice value, struct stream_id id)
{
    int64_t ms;
    if (value.len != TIME_TEXT_LEN || !time_text_parse(value, &ms))
        return false;
    buf_add_char(out, FORM_TIME);
    add_distance(out, id.ms / 1000, (uint64_t)ms / 1000);
    return true;
}

static bool pack_cause(struct buf *out, struct slice value, struct stream_id id)
{
    struct cause cause;
    if (!cause_parse(value, &cause))
        return false;
    buf_add_char(out, FORM_CAUSE);
    buf_add_char(out, (char)cause.kind);
    add_distance(out, id.ms, cause.id.ms);
    add_number(out, cause.id.seq);
    return true;
}

static bool pack_word(struct buf *out, struct slice value)
{
    for (int kind = 0; kind < EVENT_KINDS; kind++) {
        if (slice_is(value, event_name((enum event_kind)kind))) {
            buf_add_char(out, FORM_EVENT);
            buf_add_char(out, (char)kind);
            return true;
        }
    }
    for (int state = 0; state < INSTANCE_STATES; state++) {
        if (slice_is(value, instance_state_name((enum instance_state)state))) {
            buf_add_char(out, FORM_STATE);
            buf_add_char(out, (char)state);
            return true;
        }
    }
    return false;
}

void event_pack(struct buf *out, struct stream_id id, const struct slice *names, const struct slice *values,
                size_t count)
{
    for (size_t i = 0; i < count && i < EVENT_PACK_FIELDS_MAX; i++) {
        add_name(out, names[i]);
        if (pack_number(out, values[i]) || pack_time(out, values[i], id) || pack_cause(out, values[i], id) ||
            pack_word(out, values[i]))
            continue;
        buf_add_char(out, FORM_TEXT);
        add_text(out, values[i]);
    }
}

static struct slice take_cause(struct slice *at, struct stream_id id, char scratch[CAUSE_TEXT_MAX])
{
    struct cause cause = {.kind = (enum cause_kind)take_number(at)};
    cause.id.ms = take_distance(at, id.ms);
    cause.id.seq = take_number(at);
    return slice_of(scratch, cause_format(scratch, &cause));
}

static struct slice take_value(struct slice *at, struct stream_id id, char scratch[CAUSE_TEXT_MAX])
{
    switch ((enum form)take_number(at)) {
    case FORM_NUMBER:
        return number_text(scratch, take_number(at));
    case FORM_TIME:
        return time_text(scratch, take_distance(at, id.ms / 1000));
    case FORM_CAUSE:
        return take_cause(at, id, scratch);
    case FORM_EVENT:
        return slice_text(event_name((enum event_kind)take_number(at)));
    case FORM_STATE:
        return slice_text(instance_state_name((enum instance_state)take_number(at)));
    case FORM_TEXT:
        break;
    }
    return take_text(at);
}

void event_unpack(struct slice packed, struct stream_id id, struct event_unpacked *ret_event)
{
    size_t count = 0;
    while (packed.len && count < EVENT_PACK_FIELDS_MAX) {
        ret_event->names[count] = take_name(&packed);
        ret_event->values[count] = take_value(&packed, id, ret_event->scratch[count]);
        count++;
    }
    ret_event->count = count;
}

struct slice event_find_ident(const struct slice *names, const struct slice *values, size_t count,
                              const char *name)
{
    struct slice found = slice_of("", 0);
    for (size_t i = 0; i < count; i++)
        if (slice_is(names[i], name) && ident_is_valid(values[i], IDENT_MAX))
            found = values[i];
    return found;
}
