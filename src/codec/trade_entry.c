/* One reader per kind of field; each says what is wrong with a value, or NULL, so the table decides and
 * nothing else does. */
#include "codec/trade_entry.h"

#include "util/number.h"
#include "util/utf8.h"

static const char *find_id_fault(struct slice text)
{
    if (text.len > IDENT_MAX)
        return "longer than 64 bytes";
    return ident_is_valid(text, IDENT_MAX) ? NULL : "not an id of A-Z a-z 0-9 . _ -";
}

static const char *find_number_fault(struct slice text, bool is_signed)
{
    double value;

    if (!number_parse_decimal(text, &value))
        return "not a finite decimal number";
    return !is_signed && value < 0 ? "negative" : NULL;
}

static const char *find_text_fault(struct slice text)
{
    if (text.len == 0)
        return "empty";
    return text.len > TRADE_TEXT_MAX ? "longer than 64 bytes" : NULL;
}

static const char *find_fault(enum trade_field_kind kind, struct slice text, enum trade_state *ret_state)
{
    switch (kind) {
    case TRADE_FIELD_ID:
        return find_id_fault(text);
    case TRADE_FIELD_TEXT:
        return find_text_fault(text);
    case TRADE_FIELD_NUMBER:
        return find_number_fault(text, false);
    case TRADE_FIELD_SIGNED_NUMBER:
        return find_number_fault(text, true);
    case TRADE_FIELD_STATE:
        break;
    }
    return trade_state_parse(text, ret_state) ? NULL : "not one of pending executing executed failed closed";
}

static bool refuse(enum trade_field field, const char *what, struct slice *ret_field, struct errmsg *reason)
{
    *ret_field = trade_entry_names[field];
    errmsg_set(reason, "%s: %s", trade_entry_names[field].data, what);
    return false;
}

static struct slice sanitize_text(struct trade_entry_scratch *scratch, enum trade_field field,
                                  struct slice text)
{
    char *out = scratch->text[field - TRADE_SYMBOL];

    return slice_of(out, utf8_sanitize(out, TRADE_TEXT_MAX, text));
}

bool trade_entry_parse(const struct entry *entry, struct trade_entry_scratch *scratch,
                       struct trade_update *ret_update, struct slice *ret_field, struct errmsg *reason)
{
    struct trade_update update = {.id = entry->id, .present = entry->present, .state = TRADE_NONE};

    if (!((entry->present >> TRADE_TRADE_ID) & 1U))
        return refuse(TRADE_TRADE_ID, "missing", ret_field, reason);
    for (unsigned i = 0; i < TRADE_FIELDS; i++) {
        enum trade_field_kind kind = trade_field_table[i].kind;
        const char *fault;

        if (!((entry->present >> i) & 1U))
            continue;
        fault = (entry->oversize >> i) & 1U ? "longer than 4096 bytes"
                                            : find_fault(kind, entry->value[i], &update.state);
        if (fault)
            return refuse((enum trade_field)i, fault, ret_field, reason);
        update.value[i] = kind == TRADE_FIELD_TEXT
                              ? sanitize_text(scratch, (enum trade_field)i, entry->value[i])
                              : entry->value[i];
    }
    *ret_update = update;
    return true;
}
