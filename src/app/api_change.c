/* Operators' changes (SPEC §8.3). */
#include "app/api.h"

#include "adapters/http.h"
#include "app/daemon.h"
#include "app/pending.h"
#include "core/watch.h"
#include "util/number.h"
#include "util/time_text.h"

/* A hundred years and more; longer is without end. */
#define SECONDS_MAX 4e9
#define MS_PER_S    1000

static struct cause next_cause(struct server *server)
{
    return (struct cause){CAUSE_OPERATOR, {(uint64_t)daemon_now_ms(server->d), server->operations++}};
}

/* What an operator may ask for; the other commands are the daemon's own. */
static bool read_kind(struct slice text, enum command_kind *ret_kind)
{
    static const enum command_kind kinds[] = {COMMAND_START, COMMAND_STOP, COMMAND_RESTART, COMMAND_RECOVER};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (slice_is(text, command_kind_name(kinds[i]))) {
            *ret_kind = kinds[i];
            return true;
        }
    }
    return false;
}

static void command(const struct api_call *call, struct instance *instance, const struct watch_order *order)
{
    struct daemon *d = call->server->d;
    struct cause cause = next_cause(call->server);
    char id[IDENT_COMMAND_MAX + 1];
    if (!watch_command(&d->fleet, instance, order, &cause, daemon_now_ms(d), commit_sink(&d->commit), id)) {
        char until[TIME_TEXT_LEN + 1];
        time_text_format(until, instance->watched->record.command.expires_ms);
        api_refuse(
            call->request, 409,
            "%s is under way until %s at the latest; only a stronger command replaces it (the strongest "
            "first: stop, recover, restart, start)",
            id, until);
        return;
    }
    struct pending_change change = {.command = command_kind_name(order->kind),
                                    .instance_id = call->parameter,
                                    .reason = order->reason,
                                    .answer = PENDING_COMMAND_ID,
                                    .command_id = slice_text(id)};
    pending_add(call, &change);
}

void api_post_command(const struct api_call *call)
{
    struct json_object body;
    struct slice name, reason;
    struct watch_order order;
    if (!pending_may_begin(call))
        return;
    struct instance *instance = api_find_instance(call);
    if (!instance || !api_read_body(call, "command reason", false, &body))
        return;
    if (api_take_text(call, &body, "command", IDENT_MAX, true, &name) &&
        api_take_text(call, &body, "reason", REPORT_TEXT_MAX, false, &reason)) {
        order.reason = reason;
        if (!read_kind(name, &order.kind))
            api_refuse(call->request, 422, "command: not one of start stop restart recover");
        else if (call->server->d->config->observe_only)
            api_refuse(call->request, 409, "observe_only is set: nothing is commanded");
        else
            command(call, instance, &order);
    }
    json_object_clear(&body);
}

/* How long, in milliseconds; INT64_MAX where it is not said. */
static bool take_duration(const struct api_call *call, const struct json_object *body, int64_t *ret_ms)
{
    const struct json_member *member = json_object_find(body, "seconds");
    double seconds;
    if (!member) {
        *ret_ms = INT64_MAX;
        return true;
    }
    if (member->kind != JSON_NUMBER || !number_parse_decimal(member->value, &seconds)) {
        api_refuse(call->request, 422, "seconds: not a number");
        return false;
    }
    if (!(seconds > 0 && seconds <= SECONDS_MAX)) {
        api_refuse(call->request, 422, "seconds: not above 0 and up to %.0f", SECONDS_MAX);
        return false;
    }
    *ret_ms = (int64_t)(seconds * MS_PER_S + 0.5);
    return true;
}

static void set_maintenance(const struct api_call *call, struct instance *instance, int64_t until_ms,
                            struct slice reason)
{
    struct daemon *d = call->server->d;
    struct cause cause = next_cause(call->server);
    struct pending_change change = {.command = until_ms ? "maintenance_on" : "maintenance_off",
                                    .instance_id = call->parameter,
                                    .reason = reason,
                                    .answer = until_ms ? PENDING_MAINTENANCE : PENDING_EMPTY,
                                    .until_ms = until_ms};
    watch_set_maintenance(&d->fleet, instance, until_ms, reason, &cause, daemon_now_ms(d),
                          commit_sink(&d->commit));
    pending_add(call, &change);
}

void api_put_maintenance(const struct api_call *call)
{
    struct json_object body;
    struct slice reason;
    int64_t ms;
    if (!pending_may_begin(call))
        return;
    struct instance *instance = api_find_instance(call);
    if (!instance || !api_read_body(call, "reason seconds", false, &body))
        return;
    if (api_take_text(call, &body, "reason", REPORT_TEXT_MAX, true, &reason) &&
        take_duration(call, &body, &ms)) {
        if (ms != INT64_MAX) /* at least a millisecond */
            ms = daemon_now_ms(call->server->d) + (ms ? ms : 1);
        set_maintenance(call, instance, ms, reason);
    }
    json_object_clear(&body);
}

/* What only a window of the configuration keeps in maintenance cannot be ended by an operator. */
static bool may_end(const struct api_call *call, const struct instance *instance)
{
    const struct daemon *d = call->server->d;
    int64_t now_ms = daemon_now_ms(d), until_ms;
    const struct maintenance_window *window = watch_open_window(&d->fleet, instance, now_ms, &until_ms);
    char until[TIME_TEXT_LEN + 1];
    if (!window || watch_in_own_maintenance(instance, now_ms))
        return true;
    time_text_format(until, until_ms);
    api_refuse(
        call->request, 409,
        "the window %.*s of maintenance_windows (%s, UTC) keeps it in maintenance until %s; only a change "
        "of the configuration ends that",
        window->name.len, window->name.text, window->weekly, until);
    return false;
}

void api_delete_maintenance(const struct api_call *call)
{
    struct json_object body;
    struct slice reason;
    if (!pending_may_begin(call))
        return;
    struct instance *instance = api_find_instance(call);
    if (!instance || !api_read_body(call, "reason", true, &body))
        return;
    if (api_take_text(call, &body, "reason", REPORT_TEXT_MAX, false, &reason) && may_end(call, instance))
        set_maintenance(call, instance, 0, reason);
    json_object_clear(&body);
}

static void remove_instance(const struct api_call *call, struct instance *instance, struct slice reason)
{
    struct daemon *d = call->server->d;
    struct sink *sink = commit_sink(&d->commit);
    struct cause cause = next_cause(call->server);
    struct pending_change change = {
        .command = "remove", .instance_id = call->parameter, .reason = reason, .answer = PENDING_EMPTY};
    sink->ops->begin(sink->ctx, &cause);
    fleet_remove(&d->fleet, instance, reason.len ? reason : slice_text("removed by an operator"), &cause,
                 daemon_now_ms(d), sink);
    pending_add(call, &change);
}

void api_delete_instance(const struct api_call *call)
{
    struct json_object body;
    struct slice reason;
    if (!pending_may_begin(call))
        return;
    struct instance *instance = api_find_instance(call);
    if (!instance || !api_read_body(call, "reason", true, &body))
        return;
    if (api_take_text(call, &body, "reason", REPORT_TEXT_MAX, false, &reason))
        remove_instance(call, instance, reason);
    json_object_clear(&body);
}

void api_post_reload(const struct api_call *call)
{
    struct pending_change change = {.command = "reload"};
    struct buf problems = BUF_INIT, body = BUF_INIT;
    /* Before: the token is gone with the old configuration. */
    pending_log(call, &change);
    if (daemon_reload(call->server->d, &problems)) {
        buf_add_text(&body, "{\"reloaded\":true}\n");
        api_answer_json(call->request, 200, &body);
    } else {
        http_request_answer_problem(call->request, 422, buf_text(&problems));
    }
    buf_clear(&problems);
}
