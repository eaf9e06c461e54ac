/* Commands and recoveries: what may be commanded, when, and how often. */
#include "run.h"
#include "util/number.h"
#include <stdio.h>

static struct account *account_of(struct run *run, uint32_t agent)
{
    return model_account(&run->model, agent);
}

/* The id that the next command, or command NUMBER, must have. */
static struct slice format_id(char out[IDENT_COMMAND_MAX + 1], uint32_t agent, enum command_kind kind,
                              uint64_t number)
{
    int len = snprintf(out, IDENT_COMMAND_MAX + 1, "t%u.%s.%llu", agent, command_kind_name(kind),
                       (unsigned long long)number);

    return slice_of(out, len > 0 ? (size_t)len : 0);
}

static const struct rule *find_rule(const struct run *run, uint32_t place)
{
    for (uint32_t i = 0; i < run->options.rules.count; i++) {
        if (slice_is(ident_slice(&run->options.rules.rules[i].name), rule_names[place]))
            return &run->options.rules.rules[i];
    }
    return NULL;
}

/* What keeps every automatic command from being given; NULL: nothing. */
static const char *find_obstacle(const struct run *run, uint32_t agent)
{
    const struct kept *kept = &run->model.told[agent];
    enum launch_mode mode = LAUNCH_AUTO;

    (void)launch_mode_parse(kept_get(kept, RECORD_INSTANCE, "launch_mode"), &mode); /* else auto */
    if (run->daemon.is_held)
        return "while the guard holds";
    if (run->options.observe_only)
        return "in observe_only";
    if (is_in_maintenance(run, agent))
        return "in maintenance";
    if (group_covers(run, agent))
        return "while a breaker is open";
    if (!(run->options.recovery.launch_modes & 1U << run->world.agents[agent].launch_mode) &&
        !(run->options.recovery.launch_modes & 1U << mode))
        return "for its launch mode";
    return run->world.agents[agent].is_steady ? "although it is well" : NULL;
}

static uint32_t count_recoveries(const struct run *run)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < run->settings.instances; i++)
        count += run->model.told[i].account.is_open && run->model.told[i].account.is_automatic_recover;
    return count;
}

static void check_recover(struct run *run, uint32_t agent, const struct command_order *order)
{
    struct account *account = account_of(run, agent);
    const struct recovery_options *options = &run->options.recovery;
    uint32_t last = options->backoff_count - 1;
    uint32_t place = order->attempt - 1 < last ? order->attempt - 1 : last;
    bool is_new = order->attempt == account->attempts + 1;

    /* What an attempt changes in the hashes is told at the end of its group. */
    if (is_new)
        account->counted_ms = order->issued_ms;
    if (order->attempt <= account->last_attempt || (!is_new && order->attempt != account->attempts))
        run_fail(run, "t%u: attempt %u, %llu are counted and %llu was the last", agent, order->attempt,
                 (unsigned long long)account->attempts, (unsigned long long)account->last_attempt);
    else if (is_new && order->attempt > options->max_attempts)
        run_fail(run, "t%u: attempt %u of %u", agent, order->attempt, options->max_attempts);
    else if (order->issued_ms < account->counted_ms + options->backoff_ms[place])
        run_fail(run, "t%u: attempt %u does not wait its backoff", agent, order->attempt);
    if (account->is_disarmed ||
        slice_is(kept_get(&run->model.told[agent], RECORD_INSTANCE, "desired_state"), "stopped"))
        run_fail(run, "t%u: a recovery while it is disarmed", agent);
    if (count_recoveries(run) >= options->max_concurrent)
        run_fail(run, "t%u: more than %u recoveries at once", agent, options->max_concurrent);
    account->last_attempt = order->attempt;
    account->given++;
    account->is_automatic_recover = true;
}

static void check_automatic(struct run *run, uint32_t agent, const struct command_order *order)
{
    struct account *account = account_of(run, agent);
    const char *obstacle = find_obstacle(run, agent);

    if (obstacle)
        run_fail(run, "t%u: %s is commanded %s", agent, command_kind_name(order->kind), obstacle);
    switch (order->kind) {
    case COMMAND_RECOVER:
        check_recover(run, agent, order);
        break;
    case COMMAND_STOP:
        run->model.sums.stops++;
        if (account->given < run->options.recovery.max_attempts)
            run_fail(run, "t%u: stop after %u recoveries of %u", agent, account->given,
                     run->options.recovery.max_attempts);
        break;
    case COMMAND_THROTTLE:
        account->owes_unthrottle = true;
        break;
    case COMMAND_UNTHROTTLE:
        if (!account->owes_unthrottle)
            run_fail(run, "t%u: unthrottle without a throttle", agent);
        account->owes_unthrottle = false;
        break;
    case COMMAND_START:
    case COMMAND_RESTART:
        run_fail(run, "t%u: %s by itself", agent, command_kind_name(order->kind));
        break;
    default:
        break;
    }
}

static void check_target(struct run *run, uint32_t agent, const struct command_order *order)
{
    uint32_t target = world_parse_id(order->target_instance_id);
    const struct account *account;

    if ((order->kind == COMMAND_REDISTRIBUTE) != (order->target_instance_id.len > 0))
        run_fail(run, "t%u: %s has a target, or none", agent, command_kind_name(order->kind));
    if (order->target_instance_id.len == 0 || target >= run->settings.instances)
        return;
    account = &run->model.told[target].account;
    if (target == agent || !account->exists || account->state != STATE_RUNNING || account->is_throttled ||
        is_in_maintenance(run, target) ||
        run->world.agents[target].broker != run->world.agents[agent].broker ||
        run->world.agents[target].host == run->world.agents[agent].host)
        run_fail(run, "t%u: t%u is not fit as a target", agent, target);
    for (uint32_t i = 0; i < RULES_RUN; i++) {
        if (account->rules[i].fires)
            run_fail(run, "t%u: the target t%u fires", agent, target);
    }
}

static void check_cancel(struct run *run, uint32_t agent, const struct command_order *order)
{
    struct account *account = account_of(run, agent);
    char text[IDENT_COMMAND_MAX + 1];

    if (!slice_equal(order->cancels, format_id(text, agent, account->command_kind, account->command_number)))
        run_fail(run, "t%u: a cancel of something else than the last command, %s", agent, text);
}

void check_command(struct run *run, uint32_t agent, const struct command_order *order)
{
    struct account *account = account_of(run, agent);
    char text[IDENT_COMMAND_MAX + 1];

    account->number++;
    if (!slice_equal(order->command_id, format_id(text, agent, order->kind, account->number)))
        run_fail(run, "t%u: the id should be %s", agent, text);
    if (order->issued_ms != run->daemon.at_ms ||
        order->expires_ms != order->issued_ms + run->options.recovery.timeout_ms)
        run_fail(run, "t%u: it was issued or expires at another time", agent);
    if (order->kind == COMMAND_CANCEL) {
        check_cancel(run, agent, order);
        return;
    }
    if (account->is_open)
        run_fail(run, "t%u: a second command under way", agent);
    check_target(run, agent, order);
    account->is_automatic_recover = false;
    if (!run->daemon.is_operator) {
        check_automatic(run, agent, order);
    } else if (order->kind == COMMAND_START || order->kind == COMMAND_RECOVER) {
        account->is_disarmed = false;
        account->cooldown_until_ms = 0;
    }
    account->is_open = true;
    account->by_operator = run->daemon.is_operator;
    account->command_kind = order->kind;
    account->command_number = account->number;
    account->issued_ms = order->issued_ms;
    account->expires_ms = order->expires_ms;
    account->idle_from_ms = 0;
}

/* ---- events of commands ---- */

/* The alert that asked for it fires, its rule has the action, and it has not been done for it before. */
static void check_asker(struct run *run, uint32_t agent, const struct event *event)
{
    static const enum rule_action actions[COMMAND_KINDS] = {[COMMAND_STOP] = ACTION_STOP,
                                                            [COMMAND_RECOVER] = ACTION_RECOVER,
                                                            [COMMAND_RECONNECT] = ACTION_RECONNECT,
                                                            [COMMAND_REDISTRIBUTE] = ACTION_REDISTRIBUTE,
                                                            [COMMAND_THROTTLE] = ACTION_THROTTLE};
    struct account *account = account_of(run, agent);
    uint32_t place = rule_place(event->alert);
    const struct rule *rule = place < RULES_RUN ? find_rule(run, place) : NULL;
    enum command_kind kind = account->command_kind;
    struct account_rule *its = rule ? &account->rules[place] : NULL;

    if (kind == COMMAND_UNTHROTTLE)
        return;
    if (!rule || !its->fires || !(rule->actions & ACTION_BIT(actions[kind]))) {
        run_fail(run, "t%u: nothing that fires asks for %s", agent, command_kind_name(kind));
        return;
    }
    if (kind == COMMAND_RECONNECT)
        its->reconnects++;
    else if (kind != COMMAND_RECOVER && its->done & 1U << kind)
        run_fail(run, "t%u: %s a second time", agent, command_kind_name(kind));
    its->done |= 1U << kind;
    if (its->reconnects > run->options.recovery.max_attempts && !run->daemon.is_reloading)
        run_fail(run, "t%u: reconnect number %u", agent, its->reconnects);
    if (kind == COMMAND_RECOVER && rule_is_threshold(rule) && run->daemon.at_ms < account->cooldown_until_ms)
        run_fail(run, "t%u: a recovery in the cooldown", agent);
}

static void check_completed(struct run *run, uint32_t agent, const struct event *event)
{
    struct account *account = account_of(run, agent);
    char text[IDENT_COMMAND_MAX + 1];
    bool is_ok = event->reason.len >= 2 && memcmp(event->reason.data, "ok", 2) == 0;
    enum command_kind kind;
    uint64_t number;

    if (!account->is_open || !slice_equal(event->command_id, format_id(text, agent, account->command_kind,
                                                                       account->command_number))) {
        struct slice id = world_format_id(text, agent);

        if (!command_id_parse(event->command_id, id, &kind, &number) || kind != COMMAND_CANCEL ||
            number > account->number)
            run_fail(run, "t%u: a command ends that is not under way", agent);
        return;
    }
    account->is_open = false;
    if (is_ok && account->is_automatic_recover && account->state == STATE_RUNNING)
        account->cooldown_until_ms = event->at_ms + run->options.recovery.cooldown_ms;
}

void check_command_event(struct run *run, uint32_t agent, const struct event *event)
{
    struct account *account = account_of(run, agent);
    char text[IDENT_COMMAND_MAX + 1];

    if (event->kind == EVENT_COMMAND_COMPLETED) {
        check_completed(run, agent, event);
        return;
    }
    if (account->is_open && slice_equal(event->command_id, format_id(text, agent, account->command_kind,
                                                                     account->command_number))) {
        if (!account->by_operator)
            check_asker(run, agent, event);
    } else if (!slice_equal(event->command_id, format_id(text, agent, COMMAND_CANCEL, account->number))) {
        run_fail(run, "t%u: an event of a command that was not given", agent);
    }
}

/* ---- attempts ---- */

void check_attempts(struct run *run, uint32_t agent, uint64_t attempts)
{
    struct account *account = account_of(run, agent);
    uint32_t most = run->options.recovery.max_attempts;

    if (attempts == account->attempts)
        return; /* written again */
    run_note(run, "t%u attempts %llu", agent, (unsigned long long)attempts);
    if (attempts == 0) {
        account->given = 0;
        account->last_attempt = 0;
    } else if (attempts == (uint64_t)most + 1) {
        account->is_disarmed = true;
    } else if (attempts == account->attempts - 1) {
        /* one that was counted and not needed any more */
        account->last_attempt = attempts < account->last_attempt ? attempts : account->last_attempt;
    } else if (attempts != account->attempts + 1) {
        run_fail(run, "t%u: %llu attempts follow %llu", agent, (unsigned long long)attempts,
                 (unsigned long long)account->attempts);
    }
    account->attempts = attempts;
    account->counted_ms = run->daemon.at_ms;
}

void check_move(struct run *run, uint32_t agent, enum instance_state from, enum instance_state to)
{
    struct account *account = account_of(run, agent);

    if (from == STATE_STOPPED && to == STATE_RUNNING) {
        account->is_disarmed = false;
        account->cooldown_until_ms = 0;
    }
    account->judged_from_ms = run->daemon.at_ms;
    for (int i = 0; i < RULES_RUN; i++)
        account->rules[i].over_ms = 0;
}
