/* Alerts, notices and silence: that each is what the reports say, begins once and ends. */
#include "run.h"

static struct account *account_of(struct run *run, uint32_t agent)
{
    return model_account(&run->model, agent);
}

/* The ailment that a rule of the defaults is about; AILMENTS for any other. */
static enum ailment ailment_of(uint32_t rule)
{
    static const enum ailment ailments[RULES_RUN] = {
        AILS_CPU,
        AILS_MEMORY,
        AILS_LATENCY,
        (enum ailment)AILMENTS,
        AILS_QUEUE,
        AILS_LOAD,
        AILS_SOCKETS,
        (enum ailment)AILMENTS,
        (enum ailment)AILMENTS,
        AILS_CPU,
        AILS_LOAD,
        (enum ailment)AILMENTS,
    };

    return ailments[rule];
}

void check_sample(struct run *run, const struct sent *sent)
{
    struct account *account = &run->model.told[sent->agent].account;
    bool runs = sent->state == STATE_RUNNING;

    for (uint32_t i = 0; i < RULES_RUN; i++) {
        enum ailment ailment = ailment_of(i);
        struct account_rule *rule;
        bool holds, was_missing;

        if ((int)ailment == AILMENTS || !(sent->present & 1U << ailment))
            continue;
        holds = runs && ailment_holds(ailment, sent->values[ailment]);
        if (!holds && account->rules[i].over_ms == 0 && account->rules[i].sample_ms == 0)
            continue;
        rule = &account_of(run, sent->agent)->rules[i];
        if (rule->changed_ms != sent->at_ms) {
            rule->before_ms = rule->over_ms;
            rule->changed_ms = sent->at_ms;
        }
        was_missing = sent->at_ms - rule->sample_ms > run->settings.fleet.metric_max_age_ms - 1000;
        if (!holds)
            rule->over_ms = rule->sample_ms = 0;
        else if (rule->over_ms == 0 || was_missing)
            rule->over_ms = sent->at_ms;
        if (holds)
            rule->sample_ms = sent->at_ms;
    }
}

static const struct rule *find_rule(const struct run *run, uint32_t place)
{
    for (uint32_t i = 0; i < run->options.rules.count; i++) {
        if (slice_is(ident_slice(&run->options.rules.rules[i].name), rule_names[place]))
            return &run->options.rules.rules[i];
    }
    return NULL;
}

static bool asks_for_recovery(const struct run *run, const struct account *account)
{
    for (uint32_t i = 0; i < RULES_RUN; i++) {
        const struct rule *rule = account->rules[i].fires ? find_rule(run, i) : NULL;

        if (rule && rule->actions & ACTION_BIT(ACTION_RECOVER) &&
            (!rule_is_threshold(rule) || account->state == STATE_RUNNING))
            return true;
    }
    return false;
}

static void check_beginning(struct run *run, uint32_t agent, uint32_t place, const struct event *event)
{
    struct account *account = account_of(run, agent);
    struct account_rule *its = &account->rules[place];
    const struct rule *rule = find_rule(run, place);
    /* One that is judged as of a moment ahead of the report at hand rests on those before. */
    int64_t over_ms = event->at_ms < its->changed_ms ? its->before_ms : its->over_ms;

    if (its->fires)
        run_fail(run, "t%u: %s begins a second time", agent, rule_names[place]);
    if (!rule || !rule->enabled)
        run_fail(run, "t%u: %s fires, and there is no such rule", agent, rule_names[place]);
    else if (rule_is_threshold(rule) && account->state != STATE_RUNNING)
        run_fail(run, "t%u: %s fires while it does not run", agent, rule_names[place]);
    if (run->daemon.is_held)
        run_fail(run, "t%u: %s fires while the guard holds", agent, rule_names[place]);
    if (run->world.agents[agent].is_steady)
        run_fail(run, "t%u: %s fires, and it is well", agent, rule_names[place]);
    if (rule && (int)ailment_of(place) != AILMENTS &&
        (over_ms == 0 ||
         (rule->for_ms > 0 && event->at_ms - over_ms <= rule->for_ms && run->daemon.quiet_ms <= over_ms)))
        run_fail(run, "t%u: %s fires too soon, beyond the threshold since %lld ms", agent, rule_names[place],
                 (long long)(over_ms ? event->at_ms - over_ms : -1));
    if (rule && (int)ailment_of(place) != AILMENTS && its->sample_ms < account->judged_from_ms &&
        event->at_ms >= its->changed_ms)
        run_fail(run, "t%u: %s fires for an old sample", agent, rule_names[place]);
    if (rule && rule->by_max_attempts && !account->is_disarmed &&
        account->attempts <= run->options.recovery.max_attempts && !asks_for_recovery(run, account))
        run_fail(run, "t%u: given up, and nothing asks for a recovery", agent);
    if (rule && rule->by_max_attempts) {
        if (account->attempts < run->options.recovery.max_attempts)
            run_fail(run, "t%u: given up after %llu attempts", agent, (unsigned long long)account->attempts);
        account->is_disarmed = true;
    }
    its->fires = true;
    its->fired_ms = event->at_ms;
    its->reconnects = 0;
    its->done = 0;
    run->model.sums.fired++;
}

void check_alert_event(struct run *run, uint32_t agent, const struct event *event)
{
    uint32_t place = rule_place(event->alert);

    if (place == RULES_RUN) {
        run_fail(run, "t%u: an alert of no rule", agent);
        return;
    }
    if (event->kind == EVENT_ALERT_FIRING) {
        check_beginning(run, agent, place, event);
        return;
    }
    if (!account_of(run, agent)->rules[place].fires)
        run_fail(run, "t%u: %s is resolved and did not fire", agent, rule_names[place]);
    account_of(run, agent)->rules[place].fires = false;
    account_of(run, agent)->resolved_ms = event->at_ms;
}

void check_notify(struct run *run, uint32_t agent, const struct notice *notice, const struct event *event)
{
    uint32_t place = rule_place(ident_slice(&notice->alert));
    struct account_rule *its = &account_of(run, agent)->rules[place];

    if (event->kind == EVENT_ALERT_RESOLVED) {
        if (!its->is_told || notice->ends_ms == 0)
            run_fail(run, "%.*s: an end of what was not notified", notice->key_len, notice->key);
        its->is_told = false;
        return;
    }
    if (its->is_told || !its->fires || notice->starts_ms != its->fired_ms || notice->ends_ms != 0)
        run_fail(run, "%.*s: notified, and told %d, fires %d", notice->key_len, notice->key, its->is_told,
                 its->fires);
    if (its->told_ms == notice->starts_ms)
        run_fail(run, "%.*s: the same firing is notified a second time", notice->key_len, notice->key);
    if (is_in_maintenance(run, agent) || group_covers(run, agent))
        run_fail(run, "%.*s: notified in maintenance or while the breaker is open", notice->key_len,
                 notice->key);
    its->is_told = true;
    its->told_ms = notice->starts_ms;
    run->model.sums.notified++;
}

void check_silence(struct run *run, uint32_t agent, const struct event *event)
{
    static const char lost[] = "heartbeat lost";
    const struct world *world = &run->world;
    int64_t timeout_ms = run->settings.fleet.heartbeat_timeout_ms, seen_ms = 0;

    if (event->reason.len < sizeof(lost) - 1 || memcmp(event->reason.data, lost, sizeof(lost) - 1) != 0)
        return;
    for (uint64_t i = world->sent_first + world->sent_count; i > world->sent_first && seen_ms == 0; i--) {
        if (world_sent(world, i - 1)->agent == agent)
            seen_ms = world_sent(world, i - 1)->at_ms;
    }
    if (seen_ms == 0)
        seen_ms = world->agents[agent].sent_ms;
    if (run->daemon.at_ms - seen_ms <= timeout_ms)
        run_fail(run, "t%u: told to be silent, and was heard %lld ms ago", agent,
                 (long long)(run->daemon.at_ms - seen_ms));
    if (run->daemon.at_ms - run->daemon.released_ms <= timeout_ms ||
        run->daemon.at_ms - run->daemon.started_ms <= timeout_ms || run->daemon.is_held)
        run_fail(run, "t%u: told to be silent too soon after a hold or a start", agent);
    if (is_in_maintenance(run, agent))
        run_fail(run, "t%u: told to be silent in maintenance", agent);
    if (world->agents[agent].is_steady)
        run_fail(run, "t%u: told to be silent, and is well", agent);
    account_of(run, agent)->is_silent = true;
}

void check_return(struct run *run, const struct sent *sent, bool was_open, uint64_t number)
{
    struct account *account = &run->model.told[sent->agent].account;
    const struct command *command = &run->model.told[sent->agent].watch.record.command;

    if (!account->is_silent)
        return;
    account_of(run, sent->agent)->is_silent = false;
    if (was_open && account->is_open && account->command_number == number && !command->is_accepted &&
        sent->answer.number == 0 && (sent->state == STATE_RUNNING || sent->state == STATE_STOPPED))
        run_fail(run, "t%u: it is heard again, and the command to it is not ended", sent->agent);
}
