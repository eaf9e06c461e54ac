/* What the core says, written down; and handed to the checks. */
#include "model_private.h"
#include "run.h"
#include "util/number.h"
#include <string.h>

#define TEXT(literal) SLICE(literal)

const struct slice kept_names[3][FIELDS_MAX] = {
    [RECORD_INSTANCE] = {TEXT("broker_id"), TEXT("state"), TEXT("launch_mode"), TEXT("active_connections"),
                         TEXT("last_updated_at"), TEXT("host_id"), TEXT("previous_state"),
                         TEXT("state_changed_at"), TEXT("desired_state")},
    [RECORD_METRICS] = {TEXT("cpu_usage"), TEXT("memory_usage"), TEXT("memory_limit"),
                        TEXT("network_latency"), TEXT("queue_length"), TEXT("load_average"),
                        TEXT("socket_connections"), TEXT("last_updated_at"), TEXT("network_usage"),
                        TEXT("disk_usage")},
    [RECORD_HEALTH] = {TEXT("uptime_seconds"), TEXT("restart_count"), TEXT("health_status"),
                       TEXT("last_error"), TEXT("last_updated_at"), TEXT("reported_health"),
                       TEXT("failed_restarts"), TEXT("recovery_attempts")},
};

struct slice kept_get(const struct kept *kept, enum record_kind kind, const char *name)
{
    for (uint32_t i = 0; i < FIELDS_MAX; i++) {
        const struct kept_field *field = &kept->hashes.fields[kind][i];

        if (kept->hashes.present[kind] & 1U << i && slice_is(kept_names[kind][i], name))
            return slice_of(field->text, field->len);
    }
    return slice_of(NULL, 0);
}

uint32_t model_agent_of(struct run *run, struct slice id)
{
    uint32_t agent = world_parse_id(id);

    if (agent < run->settings.instances)
        return agent;
    run_fail(run, "%.*s is no instance", (int)id.len, id.data);
    return 0;
}

static void on_begin(void *ctx, const struct cause *cause)
{
    struct model *model = ctx;

    (void)cause;
    model->has_batch = true;
}

static uint32_t find_name(enum record_kind kind, struct slice name)
{
    for (uint32_t i = 0; i < FIELDS_MAX; i++) {
        if (slice_equal(kept_names[kind][i], name))
            return i;
    }
    return FIELDS_MAX;
}

static void on_record_set(void *ctx, enum record_kind kind, struct slice id,
                          const struct record_field *fields, size_t count)
{
    struct model *model = ctx;
    uint32_t agent = model_agent_of(model->run, id);
    struct kept *kept = model_touch(model, agent, PART_HASHES);
    uint64_t attempts;

    for (size_t i = 0; i < count; i++) {
        uint32_t place = find_name(kind, fields[i].name);
        struct kept_field *field;

        if (place == FIELDS_MAX || fields[i].value.len > sizeof(field->text)) {
            run_fail(model->run, "t%u: no room for %.*s", agent, (int)fields[i].name.len,
                     fields[i].name.data);
            return;
        }
        field = &kept->hashes.fields[kind][place];
        kept->hashes.present[kind] |= 1U << place;
        field->len = (unsigned char)fields[i].value.len;
        if (field->len)
            memcpy(field->text, fields[i].value.data, field->len);
        if (slice_is(fields[i].name, "recovery_attempts") &&
            number_parse_u64(fields[i].value, UINT64_MAX, &attempts))
            check_attempts(model->run, agent, attempts);
    }
}

static void on_record_unset(void *ctx, enum record_kind kind, struct slice id, const struct slice *names,
                            size_t count)
{
    struct model *model = ctx;
    struct kept *kept = model_touch(model, model_agent_of(model->run, id), PART_HASHES);

    for (size_t i = 0; i < count; i++) {
        uint32_t place = find_name(kind, names[i]);

        if (place < FIELDS_MAX)
            kept->hashes.present[kind] &= ~(1U << place);
    }
}

static void on_record_remove(void *ctx, enum record_kind kind, struct slice id)
{
    struct model *model = ctx;

    model_touch(model, model_agent_of(model->run, id), PART_HASHES)->hashes.present[kind] = 0;
}

static enum instance_state state_of(const char *name)
{
    enum instance_state state = STATE_NONE;

    if (name)
        (void)instance_state_parse(slice_text(name), &state); /* stays STATE_NONE */
    return state;
}

/* The first thing that is told of a new one. What is known of its report stays. */
static void account_open(struct account *account)
{
    if (account->exists)
        return;
    account->exists = true;
    account->state = STATE_NONE;
}

static void on_index_move(void *ctx, enum index_kind kind, struct slice id, const char *from, const char *to)
{
    struct model *model = ctx;
    struct run *run = model->run;
    uint32_t agent = model_agent_of(run, id);
    struct account *account = model_account(model, agent);

    if (kind == INDEX_INSTANCE_STATE && !to && account->exists && state_of(from) != account->state)
        return; /* out of every other set, in which it is not as a rule */
    if (kind != INDEX_INSTANCE_STATE || state_of(from) != (account->exists ? account->state : STATE_NONE))
        run_fail(run, "t%u leaves a set that it is not in", agent);
    account_open(account);
    check_group_members(run, agent, state_of(from), state_of(to));
    check_move(run, agent, state_of(from), state_of(to));
    account->state = state_of(to);
    account->state_ms = run->daemon.at_ms;
    model_mark(model, agent);
}

static void on_load_set(void *ctx, struct slice id, double score)
{
    struct model *model = ctx;

    (void)score;
    model_account(model, model_agent_of(model->run, id))->has_score = true;
}

static void on_load_remove(void *ctx, struct slice id)
{
    struct model *model = ctx;

    model_account(model, model_agent_of(model->run, id))->has_score = false;
}

static void forget(struct model *model, uint32_t agent)
{
    struct kept *kept = model_touch(model, agent, PART_ACCOUNT);

    if (kept->account.has_score || kept->alerts.present || kept->watch.exists || kept->account.is_throttled ||
        kept->account.is_open)
        run_fail(model->run, "t%u is removed and leaves something behind", agent);
    kept->account = (struct account){.state = STATE_NONE, .ever_number = kept->account.ever_number};
}

static void note_event(struct run *run, uint32_t agent, const struct event *event)
{
    run_note(run, "t%u event %s %.*s>%.*s alert=%.*s command=%.*s at=%+lld: %.*s", agent,
             event_name(event->kind), (int)event->from.len, event->from.data, (int)event->to.len,
             event->to.data, (int)event->alert.len, event->alert.data, (int)event->command_id.len,
             event->command_id.data, (long long)(event->at_ms - run->now_ms), (int)event->reason.len,
             event->reason.data);
}

static void on_event(void *ctx, const struct event *event)
{
    struct model *model = ctx;
    struct run *run = model->run;
    struct account *account;
    uint32_t agent;

    model->sums.events++;
    model->has_batch = true;
    if (event->instance_id.len == 0)
        return; /* of a group; its notice says the same */
    agent = model_agent_of(run, event->instance_id);
    note_event(run, agent, event);
    account = model_account(model, agent);
    account_open(account);
    if (event->seq != account->seq + 1)
        run_fail(run, "t%u: event %llu follows %llu", agent, (unsigned long long)event->seq,
                 (unsigned long long)account->seq);
    account->seq = event->seq;
    model_mark(model, agent);
    if (event->kind == EVENT_INSTANCE_FAILED)
        check_silence(run, agent, event);
    else if (event->kind == EVENT_ALERT_FIRING || event->kind == EVENT_ALERT_RESOLVED)
        check_alert_event(run, agent, event);
    else if (event->kind == EVENT_COMMAND_ISSUED || event->kind == EVENT_COMMAND_COMPLETED)
        check_command_event(run, agent, event);
}

static void on_seq_set(void *ctx, struct slice id, uint64_t seq)
{
    struct model *model = ctx;

    model_account(model, model_agent_of(model->run, id))->seq = seq;
}

static void on_seq_forget(void *ctx, struct slice id)
{
    struct model *model = ctx;

    forget(model, model_agent_of(model->run, id));
}

static void on_reject(void *ctx, const struct cause *cause, struct slice reason)
{
    struct model *model = ctx;

    (void)cause;
    run_fail(model->run, "a report is rejected: %.*s", (int)reason.len, reason.data);
}

/* The fleet alone is watched here: of trades and signals nothing is told. */
const struct sink_ops model_ops = {
    .begin = on_begin,
    .record_set = on_record_set,
    .record_unset = on_record_unset,
    .record_remove = on_record_remove,
    .index_move = on_index_move,
    .load_set = on_load_set,
    .load_remove = on_load_remove,
    .event = on_event,
    .seq_set = on_seq_set,
    .seq_forget = on_seq_forget,
    .reject = on_reject,
    .watch_set = model_on_watch_set,
    .watch_unset = model_on_watch_unset,
    .alert_set = model_on_alert_set,
    .alert_unset = model_on_alert_unset,
    .notice_set = model_on_notice_set,
    .notice_unset = model_on_notice_unset,
    .breaker_set = model_on_breaker_set,
    .breaker_unset = model_on_breaker_unset,
    .throttled_set = model_on_throttled_set,
    .command = model_on_command,
    .notify = model_on_notify,
};
