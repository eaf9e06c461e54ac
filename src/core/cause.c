/* Causes as text: the correlation_id of an event. */
#include "core/stream.h"

#include "util/macros.h"
#include <assert.h>

static const struct slice names[] = {
    [CAUSE_REPORT] = SLICE("report"),       [CAUSE_SIGNAL] = SLICE("signal"),
    [CAUSE_RESULT] = SLICE("result"),       [CAUSE_TRADE] = SLICE("trade"),
    [CAUSE_TIMER] = SLICE("timer"),         [CAUSE_ADOPTED] = SLICE("adopted"),
    [CAUSE_RECONCILE] = SLICE("reconcile"), [CAUSE_OPERATOR] = SLICE("operator"),
};

static_assert(sizeof("reconcile-") + STREAM_ID_TEXT_MAX <= CAUSE_TEXT_MAX, "the longest name must fit");

size_t cause_format(char out[CAUSE_TEXT_MAX], const struct cause *cause)
{
    struct slice name = names[cause->kind];

    memcpy(out, name.data, name.len);
    out[name.len] = '-';
    return name.len + 1 + stream_id_format(out + name.len + 1, cause->id);
}

bool cause_parse(struct slice text, struct cause *ret_cause)
{
    const char *dash = text.len > 0 ? memchr(text.data, '-', text.len) : NULL;
    struct slice name = slice_of(text.data, dash ? (size_t)(dash - text.data) : 0);
    char written[CAUSE_TEXT_MAX];

    for (unsigned i = 0; dash && i < ARRAY_LEN(names); i++) {
        struct cause cause = {.kind = (enum cause_kind)i};

        if (!slice_equal(name, names[i]) ||
            !stream_id_parse(slice_of(dash + 1, text.len - name.len - 1), &cause.id))
            continue;
        /* An ID has other spellings, such as one without its sequence. */
        if (!slice_equal(text, slice_of(written, cause_format(written, &cause))))
            return false;
        *ret_cause = cause;
        return true;
    }
    return false;
}

const char *layer_name(enum layer layer)
{
    static const char *const layers[LAYERS] = {
        [LAYER_RIS] = "ris", [LAYER_RTSS] = "rtss", [LAYER_RTRS] = "rtrs", [LAYER_RTS] = "rts"};

    return layers[layer];
}
