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

    if (run->daemon.horizon_ms < run->daemon.started_ms || run->daemon.horizon_ms < run->daemon.released_ms)
        run_fail(run, "t%u: %s is commanded before the reports were read", agent,
                 command_kind_name(order->kind));
    if (obstacle && !(order->kind == COMMAND_UNTHROTTLE && strcmp(obstacle, "for its launch mode") == 0))
        run_fail(run, "t%u: %s is commanded %s", agent, command_kind_name(order->kind), obstacle);
    switch (order->kind) {
    case COMMAND_RECOVER:
        check_recover(run, agent, order);
        break;
    case COMMAND_STOP:
        run->model.sums.stops++;
        if (account->given < run->least_attempts)
            run_fail(run, "t%u: stop after %u recoveries of %u", agent, account->given, run->least_attempts);
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
    account->is_replaced = order->reason.len > 8 && memcmp(order->reason.data, "replaced", 8) == 0;
}

/* Each id is one that no command ever had: the numbers of an instance ascend by one, and the first is behind
 * those of any that was removed. */
static void take_number(struct run *run, uint32_t agent, const struct command_order *order)
{
    struct account *account = account_of(run, agent);
    char text[ID_TEXT_MAX];
    enum command_kind kind = COMMAND_KINDS;
    uint64_t number = 0;
    bool is_next;

    (void)command_id_parse(order->command_id, world_format_id(text, agent), &kind, &number); /* else 0 */
    is_next = account->number > 0 ? number == account->number + 1
                                  : number > 0 && number <= run->model.used_numbers + 1;
    if (kind != order->kind || !is_next || number <= account->ever_number)
        run_fail(run, "t%u: its id does not follow number %llu", agent, (unsigned long long)account->number);
    account->number = account->ever_number = number;
}

void check_command(struct run *run, uint32_t agent, const struct command_order *order)
{
    struct account *account = account_of(run, agent);

    take_number(run, agent, order);
    if (order->issued_ms != run->daemon.at_ms ||
        order->expires_ms != order->issued_ms + run->options.recovery.timeout_ms)
        run_fail(run, "t%u: it was issued or expires at another time", agent);
    if (order->kind == COMMAND_CANCEL) {
        /* What was to end a throttle, and was replaced, is still owed. */
        account_of(run, agent)->owes_unthrottle |=
            memmem(order->cancels.data, order->cancels.len, ".unthrottle.", 12) != NULL;
        check_cancel(run, agent, order);
        return;
    }
    if (account->is_open)
        run_fail(run, "t%u: a second command under way", agent);
    if (account->is_replaced && order->kind >= account->command_kind && order->kind != COMMAND_UNTHROTTLE)
        run_fail(run, "t%u: %s replaces what is as strong", agent, command_kind_name(order->kind));
    if (account->is_replaced && account->by_operator && !run->daemon.is_operator)
        run_fail(run, "t%u: %s replaces an operator's command", agent, command_kind_name(order->kind));
    account->is_replaced = account->is_ok = false;
    check_target(run, agent, order);
    account->is_automatic_recover = false;
    if (!run->daemon.is_operator) {
        check_automatic(run, agent, order);
    } else if (order->kind == COMMAND_START || order->kind == COMMAND_RECOVER) {
        account->is_disarmed = account->has_stopped = false;
        account->cooldown_until_ms = 0;
    }
    if (order->kind <= COMMAND_START)
        account->wants_stopped =
            order->kind == COMMAND_STOP || (account->wants_stopped && !run->daemon.is_operator);
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
    if (event->reason.len >= 9 && memcmp(event->reason.data, "cancelled", 9) == 0 &&
        rule_place(event->alert) < RULES_RUN) /* what was replaced may be asked for again */
        account->rules[rule_place(event->alert)].done &=
            ~(1U << COMMAND_THROTTLE | 1U << COMMAND_REDISTRIBUTE);
    if (event->reason.len > 7 && memcmp(event->reason.data, "expired", 7) == 0 &&
        run->daemon.horizon_ms < account->expires_ms)
        run_fail(run, "t%u: a command expires before the reports were read", agent);
    if (is_ok && account->is_automatic_recover && account->state == STATE_RUNNING)
        account->cooldown_until_ms = event->at_ms + run->options.recovery.cooldown_ms;
    account->is_ok = is_ok && account->is_automatic_recover && account->state != STATE_RUNNING;
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
        if (!run->daemon.is_operator && account->attempts > 1 &&
            (account->state != STATE_RUNNING ||
             run->daemon.at_ms - account->state_ms < run->options.recovery.stable_ms ||
             run->daemon.at_ms - account->resolved_ms < run->options.recovery.stable_ms))
            run_fail(run, "t%u: its attempts are forgotten too soon", agent);
        account->given = 0;
        account->last_attempt = 0;
    } else if (attempts == (uint64_t)most + 1) {
        account->is_disarmed = true; /* with less than before, where a reload has lowered max_attempts */
    } else if (attempts == account->attempts - 1) {
        /* one that was counted and not needed any more */
    } else if (attempts != account->attempts + 1) {
        run_fail(run, "t%u: %llu attempts follow %llu", agent, (unsigned long long)attempts,
                 (unsigned long long)account->attempts);
    }
    if (attempts < account->last_attempt)
        account->last_attempt = attempts;
    account->attempts = attempts;
    account->counted_ms = run->daemon.at_ms;
}

void check_move(struct run *run, uint32_t agent, enum instance_state from, enum instance_state to)
{
    struct account *account = account_of(run, agent);
    bool had_stopped = from == STATE_STOPPED || (from == STATE_RESTARTING && account->was_stopped);

    /* Having been stopped counts, whatever came between (SPEC §6.4). */
    account->has_stopped = account->is_disarmed && (account->has_stopped || to == STATE_STOPPED);
    if ((had_stopped || account->has_stopped) && to == STATE_RUNNING) {
        account->is_disarmed = account->has_stopped = account->wants_stopped = false;
        account->cooldown_until_ms = 0;
    }
    if (account->is_ok && to == STATE_RUNNING && run->daemon.at_ms < account->expires_ms)
        account->cooldown_until_ms = run->daemon.at_ms + run->options.recovery.cooldown_ms;
    if (to == STATE_RUNNING)
        account->is_ok = false;
    account->was_stopped = from == STATE_STOPPED && to == STATE_RESTARTING;
    account->judged_from_ms = run->daemon.at_ms;
    for (int i = 0; i < RULES_RUN; i++) {
        struct account_rule *rule = &account->rules[i];

        rule->over_ms = rule->over_ms > 0 && rule->sample_ms == run->daemon.at_ms ? rule->sample_ms : 0;
    }
}
