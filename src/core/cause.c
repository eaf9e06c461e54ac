/* Causes as text: the correlation_id of an event. */
#include "core/stream.h"

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
