/* What time alone does to instances. Only the heads of the lists are looked at. */
#include "util/number.h"
#include "watch_private.h"

#define MS_PER_S        1000
#define REASON_TEXT_MAX 64

struct reason {
    char text[REASON_TEXT_MAX];
    size_t len;
};

static void reason_add(struct reason *reason, const char *text)
{
    size_t len = strlen(text);

    memcpy(reason->text + reason->len, text, len);
    reason->len += len;
}

/* `heartbeat lost for 30 s`: whole seconds as such, all else in milliseconds. */
static struct slice reason_format(struct reason *reason, const char *what, int64_t ms)
{
    bool is_seconds = ms % MS_PER_S == 0;

    reason->len = 0;
    reason_add(reason, what);
    reason->len += number_format_i64(reason->text + reason->len, is_seconds ? ms / MS_PER_S : ms);
    reason_add(reason, is_seconds ? " s" : " ms");
    return slice_of(reason->text, reason->len);
}

static int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* When the head of the list of STATE is due, the first millisecond that is late; INT64_MAX for never. */
static int64_t head_deadline(const struct fleet *fleet, enum instance_state state)
{
    const struct fleet_options *options = &fleet->options;
    const struct instance *head;

    if (fleet->head[state] == MAP_NONE)
        return INT64_MAX;
    head = &fleet->slots[fleet->head[state]];
    if (state == STATE_RUNNING && options->heartbeat_timeout_ms > 0)
        return head->silent_from_ms + options->heartbeat_timeout_ms + 1;
    if (state == STATE_RESTARTING && options->restarting_timeout_ms > 0)
        return max_i64(head->state_changed_ms, fleet->excused_ms) + options->restarting_timeout_ms + 1;
    if (state == STATE_STOPPED && options->forget_after_s > 0)
        return head->seen_ms + options->forget_after_s * MS_PER_S + 1;
    return INT64_MAX;
}

static void crash(struct fleet *fleet, struct instance *instance, struct slice reason,
                  const struct cause *cause, int64_t now_ms, struct sink *sink)
{
    struct change change = change_of(fleet, instance, cause, now_ms, sink);
    struct watch_record *record = &watched_get(fleet, instance)->record;

    instance->batch = fleet->batch;
    if (instance->state == STATE_RUNNING) {
        record->is_silent = true;
        instance->watched->is_dirty = true;
    }
    instance_move(&change, STATE_CRASHED, EVENT_INSTANCE_FAILED, reason);
    change_finish(&change);
}

/* Does what is due to the head of the list of STATE, as a group of its own. */
static void judge_head(struct fleet *fleet, enum instance_state state, int64_t now_ms, struct sink *sink)
{
    const struct fleet_options *options = &fleet->options;
    struct instance *head = &fleet->slots[fleet->head[state]];
    struct cause cause = {CAUSE_TIMER, {(uint64_t)now_ms, fleet->timers++}};
    struct reason reason;

    if (state == STATE_RUNNING) {
        int64_t until_ms = watch_was_in_maintenance(fleet, head, head->silent_from_ms, now_ms);

        if (until_ms > head->silent_from_ms) {
            fleet_excuse(fleet, head, until_ms);
            return;
        }
    }
    sink->ops->begin(sink->ctx, &cause);
    if (state == STATE_RUNNING) {
        fleet->stats.heartbeats_lost++;
        crash(fleet, head, reason_format(&reason, "heartbeat lost for ", options->heartbeat_timeout_ms),
              &cause, now_ms, sink);
    } else if (state == STATE_RESTARTING) {
        crash(fleet, head,
              reason_format(&reason, "restarting for longer than ", options->restarting_timeout_ms), &cause,
              now_ms, sink);
    } else {
        fleet_remove(
            fleet, head,
            reason_format(&reason, "stopped and silent for longer than ", options->forget_after_s * MS_PER_S),
            &cause, now_ms, sink);
    }
}

static const enum instance_state judged[] = {STATE_RUNNING, STATE_RESTARTING, STATE_STOPPED};

static int64_t lists_next_deadline(const struct fleet *fleet)
{
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
        int64_t deadline = head_deadline(fleet, judged[i]);

        next = deadline < next ? deadline : next;
    }
    return next;
}

void fleet_on_timer(struct fleet *fleet, int64_t now_ms, int64_t horizon_ms, struct sink *sink)
{
    int64_t until_ms = now_ms < horizon_ms ? now_ms : horizon_ms;
    int left = FLEET_TIMER_MAX;

    if (fleet->watch->is_held)
        return;
    for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
        for (; left > 0 && head_deadline(fleet, judged[i]) <= until_ms; left--)
            judge_head(fleet, judged[i], now_ms, sink);
    }
    if (lists_next_deadline(fleet) > until_ms)
        watch_on_timer(fleet, now_ms, horizon_ms, sink);
}

int64_t fleet_next_deadline(const struct fleet *fleet)
{
    int64_t lists = lists_next_deadline(fleet), watch = watch_next_deadline(fleet);

    if (fleet->watch->is_held)
        return INT64_MAX;
    return lists < watch ? lists : watch;
}

static void shift(int64_t *time_ms, int64_t delta_ms)
{
    if (*time_ms > 0 && *time_ms < INT64_MAX)
        *time_ms += delta_ms;
}

static void shift_instance(struct fleet *fleet, struct instance *instance, int64_t delta_ms)
{
    shift(&instance->seen_ms, delta_ms);
    shift(&instance->silent_from_ms, delta_ms);
    for (int i = 0; i < REPORT_NUMBERS; i++)
        shift(&instance->sampled_ms[i], delta_ms);
    shift(&instance->state_changed_ms, delta_ms);
    instance->is_shifted = true;
    shift(&instance->member.crashed_ms, delta_ms);
    if (instance->watched)
        watched_shift(fleet, instance, delta_ms);
}

void fleet_shift_times(struct fleet *fleet, int64_t delta_ms)
{
    struct instance *instance;

    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1)
        shift_instance(fleet, instance, delta_ms);
    shift(&fleet->excused_ms, delta_ms);
    shift(&fleet->watch->held_ms, delta_ms);
    breaker_shift(&fleet->watch->breaker, delta_ms);
}

void fleet_excuse_silence(struct fleet *fleet, int64_t now_ms)
{
    fleet->excused_ms = now_ms;
    for (uint32_t i = 0; i < fleet->slot_count; i++) {
        struct instance *instance = &fleet->slots[i];

        if (instance->used && (instance->state == STATE_RUNNING || instance->state == STATE_RESTARTING) &&
            instance->silent_from_ms < now_ms)
            instance->silent_from_ms = now_ms;
    }
}
