/* Entries of the streams of signals and of results become validated structs (SPEC §3, §5.5, §5.6).
 *
 * entry.value[i] is the value of signal_field_names[i], or of result_field_names[i] (core/signal.h). */
#pragma once

#include "core/signal.h"
#include "core/stream.h"
#include "util/errmsg.h"

/* Room for what is not borrowed from the entry: the action in lower case. */
struct signal_entry_scratch {
    char action[IDENT_ACTION_MAX];
};

/* True where every field is valid; *RET_SIGNAL then borrows from ENTRY and SCRATCH. Else *RET_FIELD is the
 * name of the first field that is not (static text, the metric's label), and *REASON says `field: what is
 * wrong`. What is not returned is untouched. */
bool signal_entry_parse(const struct entry *entry, struct signal_entry_scratch *scratch,
                        struct signal_entry *ret_signal, struct slice *ret_field, struct errmsg *reason);

/* The same for a result; *RET_RESULT borrows from ENTRY alone. */
bool result_entry_parse(const struct entry *entry, struct result_entry *ret_result, struct slice *ret_field,
                        struct errmsg *reason);
