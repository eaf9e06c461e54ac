/* The tables of the four records, and the fields that they are stored under. */
#include "codec/watch_record.h"

#include "record_words.h"
#include "util/macros.h"
#include "util/utf8.h"
#include <assert.h>

/* ---- vocabularies ---- */

static const char *name_of_command(unsigned value)
{
    return command_kind_name((enum command_kind)value);
}

static const char *name_of_phase(unsigned value)
{
    return recovery_phase_name((enum recovery_phase)value);
}

static const char *name_of_status(unsigned value)
{
    return alert_status_name((enum alert_status)value);
}

static const char *name_of_severity(unsigned value)
{
    return severity_name((enum severity)value);
}

static const char *name_of_action(unsigned value)
{
    return rule_action_name((enum rule_action)value);
}

static const char *name_of_group(unsigned value)
{
    static const char *const names[GROUP_KINDS] = {
        [GROUP_ALL] = "all",
        [GROUP_BROKER] = "broker",
        [GROUP_HOST] = "host",
    };

    return names[value];
}

static const struct vocabulary commands = {name_of_command, COMMAND_KINDS};
static const struct vocabulary phases = {name_of_phase, RECOVERY_PHASES};
static const struct vocabulary statuses = {name_of_status, ALERT_STATUSES};
static const struct vocabulary severities = {name_of_severity, SEVERITIES};
static const struct vocabulary actions = {name_of_action, RULE_ACTIONS};
static const struct vocabulary groups = {name_of_group, GROUP_KINDS};

/* ---- tables ---- */

#define WATCH(...)   WORD(struct watch_record, __VA_ARGS__)
#define ALERT(...)   WORD(struct alert, __VA_ARGS__)
#define NOTICE(...)  WORD(struct notice, __VA_ARGS__)
#define BREAKER(...) WORD(struct breaker_group, __VA_ARGS__)

/* The maintenance_reason is behind all words, to the end of the line. */
static const struct word watch_words[] = {
    WATCH("commands", U64, commands),
    WORD_IF(struct watch_record, "command", NAME, command.kind, &commands, command.is_open),
    WATCH("number", U64, command.number),
    WATCH("by_operator", BOOL, command.by_operator),
    WATCH("accepted", BOOL, command.is_accepted),
    WATCH("succeeded", BOOL, command.has_succeeded),
    WATCH("hook_due", BOOL, command.hook_is_due),
    WATCH("attempt", U32, command.attempt),
    WATCH("issued", TIME, command.issued_ms),
    WATCH("expires", TIME, command.expires_ms),
    WATCH("alert", IDENT, command.alert),
    WATCH("target", IDENT, command.target),
    WATCH("cause", CAUSE, command.cause),
    WATCH("cancel", U64, cancel_number),
    WORD_IF(struct watch_record, "cancels", NAME, cancel_hook.kind, &commands, cancel_hook.is_due),
    WATCH("cancels_number", U64, cancel_hook.number),
    WATCH("cancel_issued", TIME, cancel_hook.issued_ms),
    WORD_IF(struct watch_record, "owed", NAME, owed.kind, &commands, owed.is_due),
    WATCH("owed_number", U64, owed.number),
    WATCH("owed_expires", TIME, owed.expires_ms),
    WORD_OF(struct watch_record, "recovery", NAME, recovery.phase, &phases),
    WATCH("disarmed", BOOL, recovery.is_disarmed),
    WATCH("has_stopped", BOOL, recovery.has_stopped),
    WATCH("next", TIME, recovery.next_ms),
    WATCH("cooldown_until", TIME, recovery.cooldown_until_ms),
    WATCH("recovery_alert", IDENT, recovery.alert),
    WATCH("recovery_cause", CAUSE, recovery.cause),
    WATCH("crashed", TIME, crashed_ms),
    WATCH("silent", BOOL, is_silent),
    WATCH("throttled", BOOL, is_throttled),
    WATCH("owes_unthrottle", BOOL, owes_unthrottle),
    WORD_OF(struct watch_record, "victim_of", NAMES, victim_of, &groups),
    WATCH("maintenance_until", TIME, maintenance_until_ms),
};
#define REASON_WORD " maintenance_reason="

static const struct word alert_words[] = {
    WORD_OF(struct alert, "status", NAME, status, &statuses),
    ALERT("guarded", BOOL, is_guarded),
    ALERT("since", TIME, since_ms),
    ALERT("fired", TIME, fired_ms),
    ALERT("cleared", TIME, cleared_ms),
    ALERT("value", NUMBER, value),
    WORD_OF(struct alert, "done", NAMES, done, &actions),
    ALERT("tries", U32, tries),
    ALERT("next", TIME, next_ms),
    ALERT("cause", CAUSE, cause),
};

static const struct word notice_words[] = {
    WORD_OF(struct notice, "severity", NAME, severity, &severities),
    NOTICE("broker_id", IDENT, broker_id),
    NOTICE("host_id", IDENT, host_id),
    NOTICE("starts", TIME, starts_ms),
    NOTICE("ends", TIME, ends_ms),
    NOTICE("hook_due", BOOL, hook_is_due),
    NOTICE("about_state", BOOL, is_about_state),
    WORD_IF(struct notice, "value", NUMBER, value, NULL, has_value),
    WORD_IF(struct notice, "threshold", NUMBER, threshold, NULL, has_threshold),
    NOTICE("cause", CAUSE, cause),
};

static const struct word breaker_words[] = {
    BREAKER("opened", TIME, opened_ms),
    BREAKER("crashed", U32, crashed),
    BREAKER("of", U32, of),
};

static_assert(ARRAY_LEN(watch_words) <= WORDS_MAX, "the words that were seen are a set of bits");

/* ---- the free text ---- */

/* A line stays a line: what could break it, and the mark itself, are written as %XX. */
static bool is_escaped(unsigned char c)
{
    return c < ' ' || c == 0x7f || c == '%';
}

static void add_reason(struct buf *out, struct slice reason)
{
    char kept[REPORT_TEXT_MAX];
    size_t len = utf8_sanitize(kept, sizeof(kept), reason);

    buf_add_text(out, REASON_WORD);
    for (size_t i = 0; i < len; i++) {
        if (is_escaped((unsigned char)kept[i]))
            buf_add_format(out, "%%%02X", (unsigned)(unsigned char)kept[i]);
        else
            buf_add_char(out, kept[i]);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Takes one character, as add_reason wrote it, off the front of *TEXT. */
static bool take_character(struct slice *text, char *ret_character)
{
    bool is_code = text->data[0] == '%';
    size_t len = is_code ? 3 : 1;
    int character = (unsigned char)text->data[0];

    if (text->len < len)
        return false;
    if (is_code) {
        int high = hex_digit(text->data[1]), low = hex_digit(text->data[2]);

        character = high < 0 || low < 0 ? 0 : high * 16 + low;
    }
    if (character == 0 || is_escaped((unsigned char)character) != is_code)
        return false;
    *ret_character = (char)(unsigned char)character;
    *text = slice_of(text->data + len, text->len - len);
    return true;
}

static bool read_reason(struct slice text, char out[REPORT_TEXT_MAX + 1])
{
    size_t len = 0;

    while (text.len > 0) {
        if (len == REPORT_TEXT_MAX || !take_character(&text, &out[len]))
            return false;
        len++;
    }
    out[len] = '\0';
    return utf8_is_valid(slice_of(out, len));
}

/* ---- values ---- */

void watch_record_format(struct buf *out, const struct watch_record *record)
{
    struct watch_record shown = *record;

    if (!record->command.is_open)
        shown.command = (struct command){0};
    record_words_add(out, watch_words, ARRAY_LEN(watch_words), &shown);
    if (record->maintenance_reason)
        add_reason(out, slice_text(record->maintenance_reason));
}

void alert_record_format(struct buf *out, const struct alert *alert)
{
    record_words_add(out, alert_words, ARRAY_LEN(alert_words), alert);
}

void notice_record_format(struct buf *out, const struct notice *notice)
{
    record_words_add(out, notice_words, ARRAY_LEN(notice_words), notice);
}

void breaker_record_format(struct buf *out, const struct breaker_group *group)
{
    record_words_add(out, breaker_words, ARRAY_LEN(breaker_words), group);
}

bool watch_record_parse(struct slice field, struct slice text, struct watch_record_scratch *scratch,
                        struct watch_record *ret_record)
{
    struct watch_record record = {0};
    const char *reason = text.len > 0 ? memmem(text.data, text.len, REASON_WORD, strlen(REASON_WORD)) : NULL;

    if (!ident_is_valid(field, IDENT_MAX))
        return false;
    if (reason) {
        size_t before = (size_t)(reason - text.data);
        size_t skipped = before + strlen(REASON_WORD);

        if (!read_reason(slice_of(text.data + skipped, text.len - skipped), scratch->reason))
            return false;
        record.maintenance_reason = scratch->reason;
        text.len = before;
    }
    if (!record_words_parse(text, watch_words, ARRAY_LEN(watch_words), &record))
        return false;
    *ret_record = record;
    return true;
}

bool alert_record_parse(struct slice field, struct slice text, struct slice *ret_id, struct alert *ret_alert)
{
    struct alert alert = {.rule = ALERT_NO_RULE};
    struct slice id, rule;

    if (!alert_field_parse(field, &id, &rule) ||
        !record_words_parse(text, alert_words, ARRAY_LEN(alert_words), &alert))
        return false;
    ident_set(&alert.name, rule);
    *ret_id = id;
    *ret_alert = alert;
    return true;
}

bool notice_record_parse(struct slice field, struct slice text, struct notice *ret_notice)
{
    struct notice notice = {0};

    if (!notice_field_parse(field, &notice) ||
        !record_words_parse(text, notice_words, ARRAY_LEN(notice_words), &notice))
        return false;
    *ret_notice = notice;
    return true;
}

bool breaker_record_parse(struct slice field, struct slice text, struct breaker_group *ret_group)
{
    struct breaker_group group = {.is_open = true};

    if (!breaker_field_parse(field, &group) ||
        !record_words_parse(text, breaker_words, ARRAY_LEN(breaker_words), &group))
        return false;
    *ret_group = group;
    return true;
}

/* ---- fields ---- */

/* Cuts TEXT in two at its first or last colon; false where it has none. */
static bool cut_at_colon(struct slice text, bool at_last, struct slice *ret_before, struct slice *ret_behind)
{
    const char *colon = NULL;

    if (text.len > 0)
        colon = at_last ? memrchr(text.data, ':', text.len) : memchr(text.data, ':', text.len);
    if (!colon)
        return false;
    *ret_before = slice_of(text.data, (size_t)(colon - text.data));
    *ret_behind = slice_of(colon + 1, text.len - ret_before->len - 1);
    return true;
}

size_t alert_field_format(char out[ALERT_FIELD_MAX], struct slice id, struct slice rule)
{
    memcpy(out, id.data, id.len);
    out[id.len] = ':';
    memcpy(out + id.len + 1, rule.data, rule.len);
    return id.len + 1 + rule.len;
}

bool alert_field_parse(struct slice field, struct slice *ret_id, struct slice *ret_rule)
{
    struct slice id, rule;

    if (!cut_at_colon(field, false, &id, &rule) || !ident_is_valid(id, IDENT_MAX) ||
        !ident_is_valid(rule, IDENT_MAX))
        return false;
    *ret_id = id;
    *ret_rule = rule;
    return true;
}

static bool parse_group(struct slice key, enum group_kind *ret_kind)
{
    struct slice word, id;
    enum group_kind kind = GROUP_ALL;

    if (!slice_is(key, name_of_group(GROUP_ALL))) {
        if (!cut_at_colon(key, false, &word, &id) || !ident_is_valid(id, IDENT_MAX))
            return false;
        kind = slice_is(word, name_of_group(GROUP_BROKER)) ? GROUP_BROKER : GROUP_HOST;
        if (!slice_is(word, name_of_group(kind)))
            return false;
    }
    *ret_kind = kind;
    return true;
}

bool breaker_field_parse(struct slice field, struct breaker_group *group)
{
    if (!parse_group(field, &group->kind))
        return false;
    group->key_len = (unsigned char)field.len;
    memcpy(group->key, field.data, field.len);
    return true;
}

bool notice_field_parse(struct slice field, struct notice *notice)
{
    bool is_group = field.len > 0 && field.data[0] == '@';
    struct slice owner, alert;
    enum group_kind kind;

    if (!cut_at_colon(field, true, &owner, &alert) || !ident_is_valid(alert, IDENT_MAX))
        return false;
    if (is_group)
        owner = slice_of(owner.data + 1, owner.len - 1);
    if (is_group ? !parse_group(owner, &kind) : !ident_is_valid(owner, IDENT_MAX))
        return false;
    if (is_group) {
        memcpy(notice->group, owner.data, owner.len);
        notice->group[owner.len] = '\0';
    } else {
        ident_set(&notice->instance_id, owner);
    }
    ident_set(&notice->alert, alert);
    notice->key_len = (unsigned char)field.len;
    memcpy(notice->key, field.data, field.len);
    return true;
}
