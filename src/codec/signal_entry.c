/* Each reader takes a value in, or says what is wrong with it. */
#include "codec/signal_entry.h"

#include "util/number.h"

#define NOT_AN_ID     "not an id of A-Z a-z 0-9 . _ -"
#define NOT_A_DECIMAL "not a finite decimal number"

static bool has_field(const struct entry *entry, unsigned field)
{
    return (entry->present >> field) & 1U;
}

/* NULL where the id was read. */
static const char *read_id(struct slice text, struct slice *ret_id)
{
    if (text.len > IDENT_MAX)
        return "longer than 64 bytes";
    if (!ident_is_valid(text, IDENT_MAX))
        return NOT_AN_ID;
    *ret_id = text;
    return NULL;
}

static const char *read_action(struct slice text, struct signal_entry_scratch *scratch,
                               struct slice *ret_action)
{
    if (text.len > IDENT_ACTION_MAX)
        return "longer than 32 bytes";
    if (!ident_is_valid(text, IDENT_ACTION_MAX))
        return NOT_AN_ID;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        scratch->action[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    *ret_action = slice_of(scratch->action, text.len);
    return NULL;
}

static const char *read_signal_field(const struct entry *entry, enum signal_field field,
                                     struct signal_entry_scratch *scratch, struct signal_entry *signal)
{
    struct slice text = entry->value[field];

    if (!has_field(entry, field))
        return field == SIGNAL_INSTANCE_ID ? NULL : "missing";
    if ((entry->oversize >> field) & 1U)
        return "longer than 4096 bytes";
    switch (field) {
    case SIGNAL_SIGNAL_ID:
        return read_id(text, &signal->signal_id);
    case SIGNAL_ACTION:
        return read_action(text, scratch, &signal->action);
    case SIGNAL_INSTANCE_ID:
        break;
    }
    return read_id(text, &signal->instance_id);
}

static const char *read_status(struct slice text, enum result_status *ret_status)
{
    return result_status_parse(text, ret_status) ? NULL
                                                 : "not one of accepted executed partially_filled closed "
                                                   "failed rejected cancelled expired";
}

static const char *read_slippage(struct slice text, struct result_entry *result)
{
    if (!number_parse_decimal(text, &result->slippage))
        return NOT_A_DECIMAL;
    result->has_slippage = true;
    return NULL;
}

static const char *read_execution_time(struct slice text, struct result_entry *result)
{
    if (!number_parse_decimal(text, &result->execution_time_ms))
        return NOT_A_DECIMAL;
    if (result->execution_time_ms < 0)
        return "negative";
    result->has_execution_time = true;
    return NULL;
}

static bool result_field_is_required(enum result_field field)
{
    return field == RESULT_RESULT_ID || field == RESULT_SIGNAL_ID || field == RESULT_STATUS;
}

static const char *read_result_field(const struct entry *entry, enum result_field field,
                                     struct result_entry *result)
{
    struct slice text = entry->value[field];

    if (!has_field(entry, field))
        return result_field_is_required(field) ? "missing" : NULL;
    if ((entry->oversize >> field) & 1U)
        return "longer than 4096 bytes";
    switch (field) {
    case RESULT_RESULT_ID:
        return read_id(text, &result->result_id);
    case RESULT_SIGNAL_ID:
        return read_id(text, &result->signal_id);
    case RESULT_STATUS:
        return read_status(text, &result->status);
    case RESULT_TRADE_ID:
        return read_id(text, &result->trade_id);
    case RESULT_INSTANCE_ID:
        return read_id(text, &result->instance_id);
    case RESULT_SLIPPAGE:
        return read_slippage(text, result);
    case RESULT_EXECUTION_TIME:
        break;
    }
    return read_execution_time(text, result);
}

static bool refuse(struct slice field, const char *fault, struct slice *ret_field, struct errmsg *reason)
{
    *ret_field = field;
    errmsg_set(reason, "%s: %s", field.data, fault);
    return false;
}

bool signal_entry_parse(const struct entry *entry, struct signal_entry_scratch *scratch,
                        struct signal_entry *ret_signal, struct slice *ret_field, struct errmsg *reason)
{
    struct signal_entry signal = {.id = entry->id};

    for (unsigned i = 0; i < SIGNAL_FIELDS; i++) {
        const char *fault = read_signal_field(entry, (enum signal_field)i, scratch, &signal);

        if (fault)
            return refuse(signal_field_names[i], fault, ret_field, reason);
    }
    *ret_signal = signal;
    return true;
}

bool result_entry_parse(const struct entry *entry, struct result_entry *ret_result, struct slice *ret_field,
                        struct errmsg *reason)
{
    struct result_entry result = {.id = entry->id};

    for (unsigned i = 0; i < RESULT_FIELDS; i++) {
        const char *fault = read_result_field(entry, (enum result_field)i, &result);

        if (fault)
            return refuse(result_field_names[i], fault, ret_field, reason);
    }
    *ret_result = result;
    return true;
}
