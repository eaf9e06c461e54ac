/* An entry of the stream of trade updates becomes a validated update (SPEC §3, §5.3, §13). The names that the
 * decoder of the stream looks for are trade_entry_names (core/trade.h). */
#pragma once

#include "core/stream.h"
#include "core/trade.h"
#include "util/errmsg.h"

/* The longest symbol, order type or direction. */
#define TRADE_TEXT_MAX 64

/* Room for the free texts of one update, made valid UTF-8. */
struct trade_entry_scratch {
    char text[3][TRADE_TEXT_MAX];
};

/* True where every field is valid; *RET_UPDATE then borrows from ENTRY and SCRATCH. Else *RET_FIELD is the
 * name of the first field that is not (static text, the metric's label), and *REASON says `field: what is
 * wrong`. What is not returned is untouched. Numbers keep the text in which they came. */
bool trade_entry_parse(const struct entry *entry, struct trade_entry_scratch *scratch,
                       struct trade_update *ret_update, struct slice *ret_field, struct errmsg *reason);
