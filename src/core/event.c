/* The table of events, and an event as fields. */
#include "core/event.h"

#include "util/number.h"
#include "util/time_text.h"
#include <assert.h>

const char *event_name(enum event_kind kind)
{
    static const char *const names[EVENT_KINDS] = {
        [EVENT_INSTANCE_STARTED] = "instance_started",
        [EVENT_INSTANCE_FAILED] = "instance_failed",
        [EVENT_INSTANCE_RECOVERED] = "instance_recovered",
        [EVENT_INSTANCE_STOPPED] = "instance_stopped",
        [EVENT_INSTANCE_DEGRADED] = "instance_degraded",
        [EVENT_NETWORK_ISSUE] = "network_issue",
        [EVENT_SOCKET_FAILURE] = "socket_failure",
        [EVENT_INSTANCE_RESTARTING] = "instance_restarting",
        [EVENT_INSTANCE_REGISTERED] = "instance_registered",
        [EVENT_INSTANCE_REMOVED] = "instance_removed",
        [EVENT_ALERT_FIRING] = "alert_firing",
        [EVENT_ALERT_RESOLVED] = "alert_resolved",
        [EVENT_COMMAND_ISSUED] = "command_issued",
        [EVENT_COMMAND_COMPLETED] = "command_completed",
        [EVENT_SIGNAL_DROPPED] = "signal_dropped",
        [EVENT_LATE_EXECUTION] = "late_execution",
        [EVENT_MAINTENANCE_CHANGED] = "maintenance_changed",
    };

    return kind == EVENT_NONE ? NULL : names[kind];
}

/* Where event_fields writes, and how far it is. */
struct field_list {
    struct slice *names, *values;
    size_t count;
};

/* A field that does not apply is left out. */
static void field_add(struct field_list *list, const char *name, struct slice value)
{
    if (value.len == 0)
        return;
    list->names[list->count] = slice_text(name);
    list->values[list->count] = value;
    list->count++;
}

/* TEXT, or where that is empty the number that is formatted to OUT. */
static void field_add_number(struct field_list *list, const char *name, struct slice text, bool has_number,
                             double number, char out[NUMBER_TEXT_MAX])
{
    if (text.len == 0 && has_number)
        text = slice_of(out, number_format_double(out, number));
    field_add(list, name, text);
}

static_assert(3 * NUMBER_TEXT_MAX + TIME_TEXT_LEN + 1 + CAUSE_TEXT_MAX <= EVENT_SCRATCH_SIZE,
              "all that is formatted must fit");

size_t event_fields(const struct event *event, struct slice names[EVENT_FIELDS_MAX],
                    struct slice values[EVENT_FIELDS_MAX], char scratch[EVENT_SCRATCH_SIZE])
{
    struct field_list list = {.names = names, .values = values};
    char *seq = scratch;
    char *value = seq + NUMBER_TEXT_MAX;
    char *threshold = value + NUMBER_TEXT_MAX;
    char *at = threshold + NUMBER_TEXT_MAX;
    char *cause = at + TIME_TEXT_LEN + 1;

    time_text_format(at, event->at_ms);
    field_add(&list, "event", slice_text(event_name(event->kind)));
    field_add(&list, "instance_id", event->instance_id);
    if (event->seq > 0)
        field_add(&list, "seq", slice_of(seq, number_format_u64(seq, event->seq)));
    field_add(&list, "at", slice_of(at, TIME_TEXT_LEN));
    field_add(&list, "from", event->from);
    field_add(&list, "to", event->to);
    field_add(&list, "reason", event->reason);
    field_add(&list, "alert", event->alert);
    field_add_number(&list, "value", event->value_text, event->has_value, event->value, value);
    field_add_number(&list, "threshold", event->threshold_text, event->has_threshold, event->threshold,
                     threshold);
    field_add(&list, "command_id", event->command_id);
    field_add(&list, "signal_id", event->signal_id);
    field_add(&list, "correlation_id", slice_of(cause, cause_format(cause, &event->cause)));
    return list.count;
}
