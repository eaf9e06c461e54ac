/* An instance as JSON (SPEC §8.1): the fields of its hashes under their own names, and what is known besides.
 */
#include "core/fleet.h"
#include "json_members.h"
#include "watch_json_private.h"

#define MS_PER_S 1000

static void add_updated(struct buf *out, const struct instance *instance, enum record_kind record)
{
    if (instance->record_updated_s[record] >= 0)
        json_add_time_member(out, "last_updated_at", instance->record_updated_s[record] * MS_PER_S);
}

/* The numbers that are kept in the hash RECORD, those that are known. */
static void add_numbers(struct buf *out, const struct instance *instance, enum record_kind record,
                        int64_t now_ms)
{
    for (unsigned i = 0; i < REPORT_NUMBERS; i++) {
        const struct report_field_info *info = &report_field_table[i];
        double value =
            i == REPORT_UPTIME_SECONDS ? instance_uptime_seconds(instance, now_ms) : instance->number[i];

        if (info->record == record && ((instance->known >> i) & 1U))
            json_add_number_member(out, info->name.data, value);
    }
}

static void add_metrics(struct buf *out, const struct instance *instance, int64_t now_ms)
{
    json_add_name(out, "metrics");
    buf_add_char(out, '{');
    add_numbers(out, instance, RECORD_METRICS, now_ms);
    add_updated(out, instance, RECORD_METRICS);
    buf_add_char(out, '}');
}

static void add_health(struct buf *out, const struct instance *instance, int64_t now_ms)
{
    json_add_name(out, "health");
    buf_add_char(out, '{');
    json_add_text_member(out, "health_status", slice_text(health_name(instance->health)));
    if ((instance->known >> REPORT_HEALTH_STATUS) & 1U)
        json_add_text_member(out, "reported_health", slice_text(health_name(instance->reported_health)));
    add_numbers(out, instance, RECORD_HEALTH, now_ms);
    json_add_integer_member(out, "failed_restarts", (int64_t)instance->failed_restarts);
    json_add_integer_member(out, "recovery_attempts", (int64_t)instance->recovery_attempts);
    json_add_text_member(out, "last_error", slice_text(instance->last_error));
    add_updated(out, instance, RECORD_HEALTH);
    buf_add_char(out, '}');
}

static void add_alerts(struct buf *out, const struct fleet *fleet, const struct instance *instance)
{
    const struct watched *watched = instance->watched;

    json_add_name(out, "alerts");
    buf_add_char(out, '[');
    for (uint32_t i = 0; watched && i < watched->alert_count; i++)
        watch_json_add_alert(out, fleet, &watched->alerts[i]);
    buf_add_char(out, ']');
}

static void add_maintenance(struct buf *out, const struct fleet *fleet, const struct instance *instance,
                            int64_t now_ms)
{
    struct slice reason = {NULL, 0};
    int64_t until_ms = INT64_MAX;

    if (!watch_in_maintenance(fleet, instance, now_ms, &reason, &until_ms)) {
        json_add_text_member_or_null(out, "maintenance", slice_text(NULL));
        return;
    }
    json_add_name(out, "maintenance");
    buf_add_char(out, '{');
    json_add_text_member(out, "reason", reason);
    if (until_ms == INT64_MAX)
        json_add_text_member_or_null(out, "until", slice_text(NULL));
    else
        json_add_time_member(out, "until", until_ms);
    buf_add_char(out, '}');
}

void instance_json_add(struct buf *out, const struct fleet *fleet, const struct instance *instance,
                       int64_t now_ms)
{
    int64_t age_ms = now_ms - instance->seen_ms;

    buf_add_char(out, '{');
    json_add_text_member(out, "instance_id", ident_slice(&instance->id));
    json_add_text_member(out, "broker_id", ident_slice(&instance->broker_id));
    json_add_text_member_if(out, "host_id", ident_slice(&instance->host_id));
    json_add_text_member(out, "state", slice_text(instance_state_name(instance->state)));
    json_add_text_member_or_null(out, "previous_state",
                                 slice_text(instance_state_name(instance->previous_state)));
    json_add_time_member(out, "state_changed_at", instance->state_changed_ms);
    json_add_text_member_or_null(out, "desired_state",
                                 slice_text(instance_state_name(instance->desired_state)));
    json_add_text_member(out, "launch_mode", slice_text(launch_mode_name(instance->launch_mode)));
    add_numbers(out, instance, RECORD_INSTANCE, now_ms);
    add_updated(out, instance, RECORD_INSTANCE);
    add_metrics(out, instance, now_ms);
    add_health(out, instance, now_ms);
    add_alerts(out, fleet, instance);
    add_maintenance(out, fleet, instance, now_ms);
    watch_json_add_command(out, instance);
    json_add_bool_member(out, "throttled", instance->watched && instance->watched->record.is_throttled);
    json_add_integer_member(out, "open_trades", instance->open_trades);
    json_add_integer_member(out, "heartbeat_age_ms", age_ms > 0 ? age_ms : 0);
    buf_add_char(out, '}');
}
