/* What is loaded from the store is what the daemon held when it had stored everything. */
#include "codec/watch_record.h"
#include "run.h"
#include <math.h>

static const char *find_difference(const struct instance *a, const struct instance *b)
{
    if (a->state != b->state || a->previous_state != b->previous_state || a->was_crashed != b->was_crashed)
        return "state";
    if (a->desired_state != b->desired_state || a->launch_mode != b->launch_mode)
        return "desired_state";
    if (a->state_changed_ms / 1000 != b->state_changed_ms / 1000)
        return "state_changed_at";
    if (a->health != b->health || a->reported_health != b->reported_health)
        return "health";
    for (int i = 0; i < REPORT_NUMBERS; i++) {
        if (a->number[i] != b->number[i])
            return "numbers";
    }
    if (a->seq != b->seq || a->failed_restarts != b->failed_restarts ||
        a->recovery_attempts != b->recovery_attempts)
        return "counters";
    if (isnan(a->load_score) != isnan(b->load_score) ||
        (!isnan(a->load_score) && a->load_score != b->load_score))
        return "load";
    return a->member.victim_of != b->member.victim_of ? "victim_of" : NULL;
}

static void format_alerts(struct buf *out, const struct instance *instance)
{
    for (uint32_t place = 0; place < RULES_RUN; place++) {
        for (uint32_t i = 0; instance->watched && i < instance->watched->alert_count; i++) {
            struct alert alert = instance->watched->alerts[i];

            if (!slice_is(ident_slice(&alert.name), rule_names[place]))
                continue;
            alert.value = 0; /* the newest is not written for its own sake */
            if (place == 5)
                alert.next_ms = 0; /* when a target is looked for again; at once after a start */
            buf_add_format(out, "; %s ", rule_names[place]);
            alert_record_format(out, &alert);
        }
    }
}

static void format_watch(struct buf *out, const struct fleet *fleet, const struct instance *instance)
{
    struct watch_record record = {0};

    if (instance->watched)
        record = instance->watched->record;
    if (record.commands <= fleet->watch->used_numbers)
        record.commands = 0; /* it has had none yet */
    watch_record_format(out, &record);
    format_alerts(out, instance);
}

static void compare_instance(struct run *run, const struct fleet *held_by, const struct instance *held,
                             const struct fleet *loaded_by)
{
    const struct instance *loaded = fleet_find(loaded_by, ident_slice(&held->id));
    struct buf a = BUF_INIT, b = BUF_INIT;
    const char *difference = loaded ? find_difference(held, loaded) : "existence";

    if (difference)
        run_fail(run, "%.*s: what is loaded differs in %s", held->id.len, held->id.text, difference);
    if (loaded) {
        format_watch(&a, held_by, held);
        format_watch(&b, loaded_by, loaded);
        if (!slice_equal(buf_slice(&a), buf_slice(&b)))
            run_fail(run, "%.*s: held %s, loaded %s", held->id.len, held->id.text, buf_text(&a),
                     buf_text(&b));
    }
    buf_clear(&a);
    buf_clear(&b);
}

static void compare_notices(struct run *run, const struct notices *held, const struct notices *loaded)
{
    const struct notice *notice;

    if (held->count != loaded->count)
        run_fail(run, "%u notices held, %u loaded", held->count, loaded->count);
    for (uint32_t i = 0; (notice = notices_next(held, i)); i = notices_place_of(held, notice) + 1) {
        const struct notice *other = notices_find(loaded, notice_key(notice));
        struct buf a = BUF_INIT, b = BUF_INIT;

        notice_record_format(&a, notice);
        if (other)
            notice_record_format(&b, other);
        if (!slice_equal(buf_slice(&a), buf_slice(&b)))
            run_fail(run, "notice %.*s: held %s, loaded %s", notice->key_len, notice->key, buf_text(&a),
                     buf_text(&b));
        buf_clear(&a);
        buf_clear(&b);
    }
}

static void compare_groups(struct run *run, const struct breaker *held, const struct breaker *loaded)
{
    if (held->open_count != loaded->open_count)
        run_fail(run, "%u groups open, %u loaded", held->open_count, loaded->open_count);
    for (uint32_t i = 0; i < held->group_count; i++) {
        const struct breaker_group *group = &held->groups[i], *other;

        if (!group->used || !group->is_open)
            continue;
        other = breaker_find(loaded, breaker_group_key(group));
        if (!other || !other->is_open || other->victims != group->victims ||
            other->victims_running != group->victims_running || other->opened_ms != group->opened_ms)
            run_fail(run, "group %.*s: %u victims held, %u loaded", group->key_len, group->key,
                     group->victims, other ? other->victims : 0);
    }
}

void check_same(struct run *run, const struct fleet *held, const struct fleet *loaded)
{
    const struct instance *instance;

    run->model.sums.compared++;
    if (held->count != loaded->count)
        run_fail(run, "%u instances held, %u loaded", held->count, loaded->count);
    if (held->watch->used_numbers != loaded->watch->used_numbers)
        run_fail(run, "numbers of commands up to %llu are used, %llu loaded",
                 (unsigned long long)held->watch->used_numbers,
                 (unsigned long long)loaded->watch->used_numbers);
    if (held->watch->under_way != loaded->watch->under_way)
        run_fail(run, "%u recoveries under way, %u loaded", held->watch->under_way, loaded->watch->under_way);
    for (uint32_t i = 0; (instance = fleet_next(held, i)) && !run->failed;
         i = fleet_index_of(held, instance) + 1)
        compare_instance(run, held, instance, loaded);
    compare_notices(run, &held->watch->notices, &loaded->watch->notices);
    compare_groups(run, &held->watch->breaker, &loaded->watch->breaker);
}

void check_load(struct run *run, const struct fleet *fleet)
{
    struct fleet loaded;

    fleet_init(&loaded, &run->settings.fleet, (struct hash_key){1, 2});
    watch_configure(&loaded, &run->options, run->now_ms);
    model_load(&run->model, &loaded);
    check_same(run, fleet, &loaded);
    fleet_clear(&loaded);
}
