/* The streams that the daemon reads, and why something happened. */
#pragma once

#include "util/slice.h"
#include "util/stream_id.h"

/* In the order in which one read's entries are taken in: an instance is known before its signals, a signal
 * before its results. */
enum stream_kind { STREAM_REPORTS, STREAM_SIGNALS, STREAM_RESULTS, STREAM_TRADES };
#define STREAM_KINDS 4

/* The layers of SPEC, each by the one stream that is read there: instance state, signal stream, result
 * stream, trade state. Each may be on a Redis of its own. */
enum layer {
    LAYER_RIS = STREAM_REPORTS,
    LAYER_RTSS = STREAM_SIGNALS,
    LAYER_RTRS = STREAM_RESULTS,
    LAYER_RTS = STREAM_TRADES,
};
#define LAYERS     STREAM_KINDS
#define LAYERS_ALL ((1U << LAYERS) - 1)
/* `ris`, `rtss`, `rtrs`, `rts`. */
const char *layer_name(enum layer layer);

/* Fields of an entry, by the numbers of its stream's table (core/report.h, core/signal.h, core/trade.h). */
#define ENTRY_FIELDS_MAX 32
/* Longer values are cut and marked as oversize: no field that is understood may be longer. */
#define ENTRY_VALUE_MAX 4096

/* One decoded stream entry. The slices are borrowed and valid during the call that hands it over. */
struct entry {
    enum stream_kind stream;
    struct stream_id id;
    struct slice value[ENTRY_FIELDS_MAX]; /* only where the bit in present is set */
    uint32_t present;
    uint32_t oversize;
};

/* What brought something about; written as correlation_id `report-1690000000000-0`, `timer-1690000000000-3`.
 */
enum cause_kind {
    CAUSE_REPORT,
    CAUSE_SIGNAL,
    CAUSE_RESULT,
    CAUSE_TRADE,
    CAUSE_TIMER,
    CAUSE_ADOPTED,
    CAUSE_RECONCILE,
    CAUSE_OPERATOR
};

struct cause {
    enum cause_kind kind;
    struct stream_id id; /* the entry's ID; for the others the time and a running number */
};

#define CAUSE_TEXT_MAX 64
/* Writes the correlation_id and a NUL, returns the length. */
size_t cause_format(char out[CAUSE_TEXT_MAX], const struct cause *cause);
/* Reads what cause_format writes, exactly; false, and *ret_cause untouched, for all else. */
bool cause_parse(struct slice text, struct cause *ret_cause);
/* For the causes that are entries of a stream. */
static inline bool cause_is_entry(const struct cause *cause)
{
    return cause->kind <= CAUSE_TRADE;
}
