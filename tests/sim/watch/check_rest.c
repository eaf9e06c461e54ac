/* What must be so whenever nothing is due: of each instance of which something was told, and now and then of
 * all. */
#include "run.h"

#define SLACK_MS 1500

static const struct rule *rule_at(const struct run *run, uint32_t place)
{
    for (uint32_t i = 0; i < run->options.rules.count; i++) {
        const struct rule *rule = &run->options.rules.rules[i];

        if (slice_is(ident_slice(&rule->name), rule_names[place]))
            return rule->enabled ? rule : NULL;
    }
    return NULL;
}

static void check_health(struct run *run, uint32_t agent)
{
    const struct kept *kept = &run->model.told[agent];
    enum health health = HEALTH_HEALTHY, reported = HEALTH_HEALTHY, worst;

    (void)health_parse(kept_get(kept, RECORD_HEALTH, "health_status"),
                       &health); /* a text that is no health… */
    (void)health_parse(kept_get(kept, RECORD_HEALTH, "reported_health"), &reported); /* …differs below */
    worst = kept->account.state == STATE_CRASHED ? HEALTH_CRITICAL : reported;
    for (uint32_t i = 0; i < RULES_RUN; i++) {
        const struct rule *rule = kept->account.rules[i].fires ? rule_at(run, i) : NULL;
        enum health its = !rule || rule->severity == SEVERITY_INFO
                              ? HEALTH_HEALTHY
                              : (rule->severity == SEVERITY_WARNING ? HEALTH_WARNING : HEALTH_CRITICAL);

        worst = its > worst ? its : worst;
    }
    if (health != worst)
        run_fail(run, "t%u: health is %s and should be %s", agent, health_name(health), health_name(worst));
}

/* What the rules must have said by now. */
static void check_condition(struct run *run, uint32_t agent, uint32_t place, const struct rule *rule)
{
    const struct account *account = &run->model.told[agent].account;
    const struct account_rule *its = &account->rules[place];
    bool is_fresh = run->now_ms - its->sample_ms < run->settings.fleet.metric_max_age_ms - SLACK_MS;
    bool should = its->over_ms > 0 && is_fresh && account->state == STATE_RUNNING &&
                  its->sample_ms >= account->judged_from_ms + SLACK_MS &&
                  its->over_ms >= account->judged_from_ms && run->now_ms - its->over_ms > rule->for_ms &&
                  its->over_ms > run->daemon.quiet_ms;

    if (should && !its->fires)
        run_fail(run, "t%u: %s does not fire, beyond the threshold since %lld ms", agent, rule_names[place],
                 (long long)(run->now_ms - its->over_ms));
    if (rule->metric == METRIC_STATE && (double)account->state == rule->threshold && !its->fires &&
        run->now_ms - account->state_ms > rule->for_ms && run->now_ms - run->daemon.quiet_ms > rule->for_ms)
        run_fail(run, "t%u: %s does not fire", agent, rule_names[place]);
    if (rule->metric == METRIC_STATE && (double)account->state != rule->threshold && its->fires &&
        account->state != STATE_RESTARTING && rule->keep_firing_ms == 0)
        run_fail(run, "t%u: %s still fires", agent, rule_names[place]);
    if (rule->by_max_attempts && its->fires && !account->is_disarmed && rule->keep_firing_ms == 0)
        run_fail(run, "t%u: %s fires, and recovery is armed", agent, rule_names[place]);
}

static void check_alerts(struct run *run, uint32_t agent)
{
    const struct kept *kept = &run->model.told[agent];
    bool suppressed = is_in_maintenance(run, agent) || group_covers(run, agent), throttles = false;

    for (uint32_t i = 0; i < RULES_RUN; i++) {
        const struct account_rule *its = &kept->account.rules[i];
        const struct rule *rule = rule_at(run, i);
        bool is_stored = kept->alerts.present & 1U << i && kept->alerts.alerts[i].status == ALERT_FIRING;
        bool has_notice = kept->notices.present & 1U << i && kept->notices.notices[i].ends_ms == 0;

        if (is_stored != its->fires)
            run_fail(run, "t%u: %s fires %d, stored %d", agent, rule_names[i], its->fires, is_stored);
        if (has_notice != its->is_told || (its->is_told && !its->fires))
            run_fail(run, "t%u: %s fires %d, is told %d, has a notice %d", agent, rule_names[i], its->fires,
                     its->is_told, has_notice);
        if (!rule) {
            if (its->fires)
                run_fail(run, "t%u: %s fires without its rule", agent, rule_names[i]);
            continue;
        }
        if (its->fires && rule->actions & ACTION_BIT(ACTION_NOTIFY) && !its->is_told && !suppressed)
            run_fail(run, "t%u: %s fires and is not notified", agent, rule_names[i]);
        throttles |= its->fires && rule->actions & ACTION_BIT(ACTION_THROTTLE);
        check_condition(run, agent, i, rule);
    }
    if (kept->account.is_throttled && !throttles)
        run_fail(run, "t%u: throttled, and nothing asks for it", agent);
    if (kept->account.is_throttled && !kept->account.owes_unthrottle)
        run_fail(run, "t%u: throttled, and its agent was not told", agent);
}

static void check_open(struct run *run, uint32_t agent)
{
    const struct kept *kept = &run->model.told[agent];
    const struct command *command = &kept->watch.record.command;
    bool is_stored = kept->watch.exists && command->is_open && !command->has_succeeded;

    if (is_stored != kept->account.is_open)
        run_fail(run, "t%u: a command is under way %d, stored %d", agent, kept->account.is_open, is_stored);
    if (kept->watch.exists && kept->account.number > 0 && kept->watch.record.commands != kept->account.number)
        run_fail(run, "t%u: the number of its commands is stored as %llu", agent,
                 (unsigned long long)kept->watch.record.commands);
    if (kept->account.last_attempt > kept->account.attempts)
        run_fail(run, "t%u: attempt %llu is not stored", agent,
                 (unsigned long long)kept->account.last_attempt);
    if (kept->account.wants_stopped != slice_is(kept_get(kept, RECORD_INSTANCE, "desired_state"), "stopped"))
        run_fail(run, "t%u: desired_state is wrong", agent);
    if (kept->account.is_open && kept->account.expires_ms <= run->now_ms)
        run_fail(run, "t%u: a command has not expired", agent);
    if (kept->account.has_score != (kept->account.state == STATE_RUNNING))
        run_fail(run, "t%u: the load index is wrong", agent);
    if (kept->watch.exists && kept->watch.record.is_throttled != kept->account.is_throttled)
        run_fail(run, "t%u: throttled is stored as %d", agent, kept->watch.record.is_throttled);
}

/* Nothing stands in the way of a recovery. */
static bool should_recover(const struct run *run, uint32_t agent)
{
    const struct kept *kept = &run->model.told[agent];
    const struct account *account = &kept->account;
    uint32_t under_way = 0;

    if (account->state != STATE_CRASHED || account->is_open || account->is_disarmed ||
        !account->rules[3].fires || run->options.observe_only || is_in_maintenance(run, agent) ||
        group_covers(run, agent) ||
        !(run->options.recovery.launch_modes & 1U << run->world.agents[agent].launch_mode) ||
        slice_is(kept_get(kept, RECORD_INSTANCE, "desired_state"), "stopped") ||
        kept->watch.record.command.is_open)
        return false;
    for (uint32_t i = 0; i < run->settings.instances; i++)
        under_way += run->model.told[i].watch.exists &&
                     run->model.told[i].watch.record.recovery.phase == RECOVERY_UNDER_WAY;
    return under_way < run->options.recovery.max_concurrent;
}

/* Given up once more with as many attempts as the last time, where the rule that tells of it was taken away:
 * only the record says so. */
static void note_given_up_again(struct run *run, uint32_t agent)
{
    const struct kept *kept = &run->model.told[agent];

    if (!kept->account.is_disarmed && kept->account.attempts > run->options.recovery.max_attempts &&
        kept->watch.exists && kept->watch.record.recovery.is_disarmed)
        model_account(&run->model, agent)->is_disarmed = true;
}

static void check_progress(struct run *run, uint32_t agent)
{
    struct account *account = &run->model.told[agent].account;
    const struct recovery_options *options = &run->options.recovery;
    int64_t most_ms = 0;

    for (uint32_t i = 0; i < options->backoff_count; i++)
        most_ms = options->backoff_ms[i] > most_ms ? options->backoff_ms[i] : most_ms;
    most_ms += most_ms / 10 + SLACK_MS;
    note_given_up_again(run, agent);
    if (!should_recover(run, agent)) {
        if (account->idle_from_ms != 0)
            model_account(&run->model, agent)->idle_from_ms = 0;
        return;
    }
    if (account->idle_from_ms == 0)
        model_account(&run->model, agent)->idle_from_ms = run->now_ms;
    else if (run->now_ms - account->idle_from_ms > most_ms && run->now_ms - run->daemon.quiet_ms > most_ms)
        run_fail(run, "t%u: crashed, and nothing is done about it since %lld ms", agent,
                 (long long)(run->now_ms - account->idle_from_ms));
}

static void check_instance(struct run *run, uint32_t agent)
{
    if (!run->model.told[agent].account.exists)
        return;
    check_health(run, agent);
    check_alerts(run, agent);
    check_open(run, agent);
}

void check_marked(struct run *run)
{
    struct model *model = &run->model;

    for (uint32_t i = 0; i < model->marked_count; i++) {
        model->is_marked[model->marked[i]] = false;
        check_instance(run, model->marked[i]);
    }
    model->marked_count = 0;
}

void check_all(struct run *run)
{
    if (!run->daemon.is_running || run->daemon.is_held || run->daemon.stalled_ms > 0 ||
        run->daemon.horizon_ms < run->now_ms || fleet_next_deadline(&run->daemon.fleet) <= run->now_ms)
        return;
    for (uint32_t i = 0; i < run->settings.instances; i++) {
        check_instance(run, i);
        if (run->model.told[i].account.exists)
            check_progress(run, i);
    }
    if (!run->model.has_batch)
        check_load(run, &run->daemon.fleet);
}

/* All is well for long: nothing fires, nothing is told, nothing is under way. */
void check_end(struct run *run)
{
    for (uint32_t i = 0; i < run->settings.instances; i++) {
        const struct kept *kept = &run->model.stored[i];
        const struct account *account = &kept->account;

        for (uint32_t k = 0; k < RULES_RUN; k++) {
            if (account->rules[k].fires)
                run_fail(run, "t%u: %s fires at the end", i, rule_names[k]);
        }
        if (kept->notices.present || kept->alerts.present)
            run_fail(run, "t%u: alerts %x, notices %x at the end", i, kept->alerts.present,
                     kept->notices.present);
        if (!account->exists || account->state != STATE_RUNNING || account->is_open ||
            account->is_throttled || account->owes_unthrottle || account->attempts > 0 ||
            account->is_disarmed)
            run_fail(run, "t%u: not calm at the end: state %d, open %d, throttled %d, owes %d, attempts %llu",
                     i, account->state, account->is_open, account->is_throttled, account->owes_unthrottle,
                     (unsigned long long)account->attempts);
    }
    for (uint32_t i = 0; i < run->model.group_count; i++) {
        if (run->model.groups_stored[i].is_open || run->model.groups_stored[i].has_notice)
            run_fail(run, "group %u is open or told at the end", i);
    }
}
