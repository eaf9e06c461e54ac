/* A field of one of the hashes of the watch, as anything may stand in it: one byte for which hash, the
 * field's name, 0x1f, its value. What is read is valid, and is read again from the text that is written of
 * it. */
#include "fuzz.h"

#include "codec/watch_json.h"
#include "codec/watch_record.h"
#include "util/utf8.h"
#include <math.h>

static bool is_ident(const struct ident *ident)
{
    return ident->len == 0 || ident_is_valid(ident_slice(ident), IDENT_MAX);
}

static void check_watch(struct slice field, struct slice text, struct buf *out)
{
    struct watch_record_scratch scratch;
    struct watch_record record;

    if (!watch_record_parse(field, text, &scratch, &record))
        return;
    CHECK(ident_is_valid(field, IDENT_MAX));
    CHECK((unsigned)record.command.kind < COMMAND_KINDS && (unsigned)record.recovery.phase < RECOVERY_PHASES);
    CHECK(is_ident(&record.command.alert) && is_ident(&record.recovery.alert));
    CHECK(record.victim_of < 1U << GROUP_KINDS);
    if (record.maintenance_reason)
        CHECK(strlen(record.maintenance_reason) <= REPORT_TEXT_MAX &&
              utf8_is_valid(slice_text(record.maintenance_reason)));
    watch_record_format(out, &record);
}

static void check_alert(struct slice field, struct slice text, struct buf *out)
{
    struct slice id, other_id, rule;
    struct alert alert;

    if (!alert_record_parse(field, text, &id, &alert))
        return;
    CHECK(alert_field_parse(field, &other_id, &rule));
    CHECK(slice_equal(id, other_id) && slice_equal(rule, ident_slice(&alert.name)));
    CHECK(ident_is_valid(id, IDENT_MAX) && ident_is_valid(rule, IDENT_MAX));
    CHECK((unsigned)alert.status < ALERT_STATUSES && isfinite(alert.value));
    CHECK(alert.rule == ALERT_NO_RULE && alert.done < 1U << RULE_ACTIONS);
    alert_record_format(out, &alert);
}

static void check_notice(struct slice field, struct slice text, struct buf *out)
{
    struct buf json = BUF_INIT;
    struct notice notice;

    if (!notice_record_parse(field, text, &notice))
        return;
    CHECK(slice_equal(notice_key(&notice), field));
    CHECK(ident_is_valid(ident_slice(&notice.alert), IDENT_MAX));
    CHECK((notice.instance_id.len > 0) != (notice.group[0] != '\0'));
    CHECK(is_ident(&notice.instance_id) && is_ident(&notice.broker_id) && is_ident(&notice.host_id));
    CHECK((unsigned)notice.severity < SEVERITIES && isfinite(notice.value) && isfinite(notice.threshold));
    alertmanager_json_add(&json, &notice, field);
    CHECK(json.data[0] == '{' && json.data[json.len - 1] == '}');
    buf_clear(&json);
    notice_record_format(out, &notice);
}

static void check_breaker(struct slice field, struct slice text, struct buf *out)
{
    struct breaker_group group;

    if (!breaker_record_parse(field, text, &group))
        return;
    CHECK(slice_equal(breaker_group_key(&group), field) && group.is_open);
    CHECK((group.kind == GROUP_ALL) == slice_is(field, "all"));
    breaker_record_format(out, &group);
}

static void (*const checks[])(struct slice field, struct slice text,
                              struct buf *out) = {check_watch, check_alert, check_notice, check_breaker};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf told = BUF_INIT, again = BUF_INIT;
    struct slice text, field;
    unsigned kind;

    if (size < 1)
        return 0;
    kind = data[0] % 4;
    text = slice_of((const char *)data + 1, size - 1);
    field = fuzz_take(&text, 0x1f);
    checks[kind](field, text, &told);
    CHECK(told.len == 0 || !memchr(told.data, '\n', told.len));
    if (told.len > 0) {
        checks[kind](field, buf_slice(&told), &again);
        CHECK(slice_equal(buf_slice(&told), buf_slice(&again)));
    }
    buf_clear(&told);
    buf_clear(&again);
    return 0;
}
