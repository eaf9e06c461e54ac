#include "model.h"

#include "codec/report.h"
#include "codec/watch_record.h"
#include "run.h"
#include "util/alloc.h"
#include "util/number.h"
#include <stdlib.h>

const char *const rule_names[RULES_RUN] = {
    "HighCpuUsage",    "HighMemoryUsage", "NetworkFailure", "InstanceCrash",
    "HighQueueLength", "HighLoadAverage", "SocketFailure",  "RecoveryFailure",
    "Quiet",           "SlowToClear",     "Overload",       "Stopped",
};

uint32_t rule_place(struct slice name)
{
    uint32_t i = 0;

    while (i < RULES_RUN && !slice_is(name, rule_names[i]))
        i++;
    return i;
}

void model_init(struct model *model, struct run *run)
{
    uint32_t count = run->settings.instances;

    *model = (struct model){.run = run, .sink = {&model_ops, model}};
    model->told = mem_new(count, sizeof(*model->told));
    model->stored = mem_new(count, sizeof(*model->stored));
    model->parts = mem_new(count, sizeof(*model->parts));
    model->touched = mem_new(count, sizeof(*model->touched));
    model->is_marked = mem_new(count, sizeof(*model->is_marked));
    model->marked = mem_new(count, sizeof(*model->marked));
    model->group_count = 1 + run->settings.brokers + run->settings.hosts;
    model->groups = mem_new(model->group_count, sizeof(*model->groups));
    model->groups_stored = mem_new(model->group_count, sizeof(*model->groups_stored));
    model->group_is_dirty = mem_new(model->group_count, sizeof(*model->group_is_dirty));
}

void model_clear(struct model *model)
{
    free(model->told);
    free(model->stored);
    free(model->parts);
    free(model->touched);
    free(model->is_marked);
    free(model->marked);
    free(model->groups);
    free(model->groups_stored);
    free(model->group_is_dirty);
    free(model->effects);
}

struct kept *model_touch(struct model *model, uint32_t agent, enum kept_part part)
{
    if (!model->parts[agent])
        model->touched[model->touched_count++] = agent;
    model->parts[agent] |= (uint8_t)part;
    model->has_batch = true;
    return &model->told[agent];
}

void model_mark(struct model *model, uint32_t agent)
{
    if (model->is_marked[agent])
        return;
    model->is_marked[agent] = true;
    model->marked[model->marked_count++] = agent;
}

static void copy_parts(struct kept *to, const struct kept *from, uint8_t parts)
{
    if (parts & PART_HASHES)
        to->hashes = from->hashes;
    if (parts & PART_WATCH)
        to->watch = from->watch;
    if (parts & PART_ALERTS)
        to->alerts = from->alerts;
    if (parts & PART_NOTICES)
        to->notices = from->notices;
    if (parts & PART_ACCOUNT)
        to->account = from->account;
}

static void settle(struct model *model, struct kept *to, const struct kept *from)
{
    for (uint32_t i = 0; i < model->touched_count; i++) {
        uint32_t agent = model->touched[i];

        copy_parts(&to[agent], &from[agent], model->parts[agent]);
        model->parts[agent] = 0;
    }
    model->touched_count = 0;
    model->has_batch = false;
}

static void carry_out(struct model *model, const struct effect *effect)
{
    struct run *run = model->run;
    struct chore chore = {.agent = effect->agent,
                          .group = effect->group,
                          .rule = effect->rule,
                          .command = effect->command,
                          .number = effect->number};

    if (effect->kind == EFFECT_NOTIFY) {
        chore.kind = CHORE_NOTIFIED;
        chore.at_ms = run->now_ms + rng_between(&run->rng, 1, 2000);
        daemon_add_chore(&run->daemon, &chore);
        return;
    }
    world_take_command(&run->world, effect->agent, effect->command, effect->number, effect->victim,
                       effect->expires_ms);
    if (!run->options.has_hook[effect->command])
        return;
    chore.kind = CHORE_HOOK;
    chore.at_ms = run->now_ms + rng_between(&run->rng, 1, run->options.recovery.timeout_ms * 5 / 4);
    daemon_add_chore(&run->daemon, &chore);
}

void model_commit(struct model *model)
{
    model->used_numbers_stored = model->used_numbers;
    settle(model, model->stored, model->told);
    if (model->groups_differ)
        memcpy(model->groups_stored, model->groups, model->group_count * sizeof(*model->groups));
    model->groups_differ = false;
    for (uint32_t i = 0; i < model->effect_count; i++)
        carry_out(model, &model->effects[i]);
    model->effect_count = 0;
}

void model_lose(struct model *model)
{
    model->sums.lost += model->has_batch;
    model->used_numbers = model->used_numbers_stored;
    settle(model, model->told, model->stored);
    if (model->groups_differ)
        memcpy(model->groups, model->groups_stored, model->group_count * sizeof(*model->groups));
    model->groups_differ = false;
    model->effect_count = 0;
    for (uint32_t i = 0; i < model->group_count; i++)
        model->group_is_dirty[i] = false;
    model->any_group_dirty = false;
}

/* ---- groups ---- */

uint32_t group_of(const struct run *run, uint32_t agent, enum group_kind kind)
{
    switch (kind) {
    case GROUP_ALL:
        return 0;
    case GROUP_BROKER:
        return 1 + run->world.agents[agent].broker;
    default:
        return 1 + run->settings.brokers + run->world.agents[agent].host;
    }
}

uint32_t group_parse(const struct run *run, struct slice key)
{
    uint64_t number;

    if (slice_is(key, "all"))
        return 0;
    if (key.len > 8 && memcmp(key.data, "broker:b", 8) == 0 &&
        number_parse_u64(slice_of(key.data + 8, key.len - 8), run->settings.brokers - 1, &number))
        return 1 + (uint32_t)number;
    if (key.len > 6 && memcmp(key.data, "host:h", 6) == 0 &&
        number_parse_u64(slice_of(key.data + 6, key.len - 6), run->settings.hosts - 1, &number))
        return 1 + run->settings.brokers + (uint32_t)number;
    return GROUP_NONE;
}

bool group_covers(const struct run *run, uint32_t agent)
{
    for (int k = 0; k < GROUP_KINDS; k++) {
        if (run->model.groups[group_of(run, agent, (enum group_kind)k)].is_open)
            return true;
    }
    return false;
}

bool is_in_maintenance(const struct run *run, uint32_t agent)
{
    int64_t minute = run->daemon.at_ms / 60000 + 3 * 1440; /* 1970 began on a Thursday */
    uint32_t at = (uint32_t)(minute % (7 * 1440));
    char id[ID_TEXT_MAX], broker[ID_TEXT_MAX];

    if (run->model.told[agent].account.maintenance_until_ms > run->daemon.at_ms)
        return true;
    (void)world_format_id(id, agent);
    (void)world_format_broker(broker, run->world.agents[agent].broker);
    for (size_t i = 0; i < run->options.window_count; i++) {
        const struct maintenance_window *w = &run->options.windows[i];
        bool is_open = w->from_min < w->until_min ? at >= w->from_min && at < w->until_min
                                                  : at >= w->from_min || at < w->until_min;
        bool is_covered = (strcmp(w->instances, "*") == 0 || strcmp(w->instances, id) == 0) &&
                          (strcmp(w->brokers, "*") == 0 || strcmp(w->brokers, broker) == 0);

        if (is_open && is_covered)
            return true;
    }
    return false;
}

/* ---- loading ---- */

static void load_instance(struct model *model, struct fleet *fleet, uint32_t agent,
                          struct watch_record_scratch *scratch)
{
    const struct kept *kept = &model->stored[agent];
    struct run *run = model->run;
    char id_text[ID_TEXT_MAX], error[REPORT_TEXT_MAX], field_text[ALERT_FIELD_MAX];
    struct slice id = world_format_id(id_text, agent), alert_id;
    struct instance_record record;
    struct watch_record watch;
    struct instance *instance;
    struct buf line = BUF_INIT;

    instance_record_init(&record);
    for (int kind = 0; kind < 3; kind++) {
        for (uint32_t i = 0; i < FIELDS_MAX; i++) {
            const struct kept_field *field = &kept->hashes.fields[kind][i];

            if (kept->hashes.present[kind] & 1U << i)
                instance_record_parse_field(&record, (enum record_kind)kind, kept_names[kind][i],
                                            slice_of(field->text, field->len), error);
        }
    }
    if (!fleet_load(fleet, id, &record, kept->account.state, kept->account.seq, run->now_ms)) {
        run_fail(run, "t%u cannot be loaded", agent);
        return;
    }
    instance = fleet_find(fleet, id);
    if (kept->watch.exists) {
        struct watch_record stored = kept->watch.record;
        char reason[REASON_MAX + 1];

        memcpy(reason, kept->watch.reason, sizeof(reason));
        stored.maintenance_reason = kept->watch.has_reason ? reason : NULL;
        watch_record_format(&line, &stored);
        if (watch_record_parse(id, buf_slice(&line), scratch, &watch))
            watch_load(fleet, instance, &watch, run->now_ms);
        else
            run_fail(run, "t%u: its watch cannot be read: %s", agent, buf_text(&line));
    }
    for (uint32_t i = 0; i < RULES_RUN; i++) {
        struct slice field =
            slice_of(field_text, alert_field_format(field_text, id, slice_text(rule_names[i])));
        struct alert alert;

        if (!(kept->alerts.present & 1U << i))
            continue;
        buf_reset(&line, SIZE_MAX);
        alert_record_format(&line, &kept->alerts.alerts[i]);
        if (alert_record_parse(field, buf_slice(&line), &alert_id, &alert))
            watch_load_alert(fleet, instance, &alert, run->now_ms);
        else
            run_fail(run, "t%u: an alert cannot be read: %s", agent, buf_text(&line));
    }
    buf_clear(&line);
}

static void load_notice(struct model *model, struct fleet *fleet, const struct notice *stored)
{
    struct buf line = BUF_INIT;
    struct notice notice;

    notice_record_format(&line, stored);
    if (notice_record_parse(notice_key(stored), buf_slice(&line), &notice))
        watch_load_notice(fleet, &notice);
    else
        run_fail(model->run, "a notice cannot be read: %s", buf_text(&line));
    buf_clear(&line);
}

void model_load(struct model *model, struct fleet *fleet)
{
    struct watch_record_scratch *scratch = mem_new(1, sizeof(*scratch));
    char key[64];

    watch_load_used_numbers(fleet, model->used_numbers_stored);
    for (uint32_t i = 0; i < model->group_count; i++) {
        const struct kept_group *group = &model->groups_stored[i];
        uint32_t brokers = model->run->settings.brokers;
        const char *prefix = i == 0 ? "all" : (i <= brokers ? "broker:b" : "host:h");
        size_t len = strlen(prefix);

        memcpy(key, prefix, len);
        if (i > 0)
            len += number_format_u64(key + len, i <= brokers ? i - 1 : i - 1 - brokers);
        if (group->is_open)
            breaker_load(&fleet->watch->breaker, slice_of(key, len), group->opened_ms, group->crashed,
                         group->of);
        if (group->has_notice)
            load_notice(model, fleet, &group->notice);
    }
    for (uint32_t i = 0; i < model->run->settings.instances; i++) {
        const struct kept *kept = &model->stored[i];

        if (kept->account.exists)
            load_instance(model, fleet, i, scratch);
        for (uint32_t k = 0; k < RULES_RUN; k++) {
            if (kept->notices.present & 1U << k)
                load_notice(model, fleet, &kept->notices.notices[k]);
        }
    }
    watch_load_finish(fleet, model->run->now_ms);
    free(scratch);
}
