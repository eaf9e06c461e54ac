/* The table of commands, and their ids. */
#include "core/command.h"

#include "util/macros.h"
#include "util/number.h"

static const char *const kind_names[COMMAND_KINDS] = {
    [COMMAND_STOP] = "stop",           [COMMAND_RECOVER] = "recover",
    [COMMAND_RESTART] = "restart",     [COMMAND_START] = "start",
    [COMMAND_RECONNECT] = "reconnect", [COMMAND_REDISTRIBUTE] = "redistribute",
    [COMMAND_THROTTLE] = "throttle",   [COMMAND_UNTHROTTLE] = "unthrottle",
    [COMMAND_CANCEL] = "cancel",
};

static const char *const status_names[COMMAND_STATUSES] = {
    [COMMAND_ISSUED] = "issued", [COMMAND_ACCEPTED] = "accepted", [COMMAND_OK] = "ok",
    [COMMAND_FAILED] = "failed", [COMMAND_EXPIRED] = "expired",   [COMMAND_CANCELLED] = "cancelled",
};

const char *command_kind_name(enum command_kind kind)
{
    return kind_names[kind];
}

const char *command_status_name(enum command_status status)
{
    return status_names[status];
}

bool command_kind_parse(struct slice text, enum command_kind *ret_kind)
{
    for (int i = 0; i < COMMAND_KINDS; i++) {
        if (slice_is(text, kind_names[i])) {
            *ret_kind = (enum command_kind)i;
            return true;
        }
    }
    return false;
}

bool command_answer_parse(struct slice text, enum command_status *ret_status)
{
    for (int i = COMMAND_ACCEPTED; i <= COMMAND_FAILED; i++) {
        if (slice_is_nocase(text, status_names[i])) {
            *ret_status = (enum command_status)i;
            return true;
        }
    }
    return false;
}

size_t command_id_format(char out[IDENT_COMMAND_MAX + 1], struct slice instance_id, enum command_kind kind,
                         uint64_t number)
{
    struct slice word = slice_text(kind_names[kind]);
    char *at = out;

    memcpy(at, instance_id.data, instance_id.len);
    at += instance_id.len;
    *at++ = '.';
    memcpy(at, word.data, word.len);
    at += word.len;
    *at++ = '.';
    at += number_format_u64(at, number);
    return (size_t)(at - out);
}

/* What stands behind the last dot; TEXT then ends in front of it. */
static struct slice cut_last_part(struct slice *text)
{
    size_t at = text->len;
    struct slice part;

    while (at > 0 && text->data[at - 1] != '.')
        at--;
    if (at == 0)
        return slice_of(NULL, 0);
    part = slice_of(text->data + at, text->len - at);
    text->len = at - 1;
    return part;
}

bool command_id_parse(struct slice id, struct slice instance_id, enum command_kind *ret_kind,
                      uint64_t *ret_number)
{
    struct slice number = cut_last_part(&id);
    struct slice word = cut_last_part(&id);
    enum command_kind kind;
    uint64_t parsed;

    if (!slice_equal(id, instance_id) || !command_kind_parse(word, &kind) ||
        !number_parse_u64(number, UINT64_MAX, &parsed) || (number.len > 1 && number.data[0] == '0'))
        return false;
    *ret_kind = kind;
    *ret_number = parsed;
    return true;
}
