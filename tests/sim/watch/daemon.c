#include "daemon.h"

#include "run.h"
#include "util/alloc.h"
#include "util/number.h"
#include <stdlib.h>

#define NEVER       INT64_MAX
#define ROUNDS_MOST 1000 /* calls of the timer until nothing is due any more */

static struct sink *sink_of(struct daemon *daemon)
{
    return &daemon->run->model.sink;
}

static struct cause operator_cause(struct daemon *daemon)
{
    return (struct cause){CAUSE_OPERATOR, {(uint64_t)daemon->run->now_ms, daemon->run->step}};
}

/* ---- life and death ---- */

static void fleet_make(struct daemon *daemon, struct fleet *fleet)
{
    struct run *run = daemon->run;
    struct hash_key key = {rng_next(&run->rng), rng_next(&run->rng)};

    fleet_init(fleet, &run->settings.fleet, key);
    watch_configure(fleet, &run->options, run->now_ms);
}

/* What a process that is gone had under way outside is begun again. */
static void resume_chores(struct daemon *daemon)
{
    struct run *run = daemon->run;
    const struct notice *notice;

    for (uint32_t i = 0; i < run->settings.instances; i++) {
        const struct kept *kept = &run->model.stored[i];
        const struct command *command = &kept->watch.record.command;

        if (kept->account.exists && kept->watch.exists && command->is_open && command->hook_is_due)
            daemon_add_chore(daemon, &(struct chore){.kind = CHORE_HOOK,
                                                     .at_ms = run->now_ms + rng_between(&run->rng, 1, 2000),
                                                     .agent = i,
                                                     .group = GROUP_NONE,
                                                     .command = command->kind,
                                                     .number = command->number});
    }
    for (uint32_t i = 0; (notice = notices_next(&daemon->fleet.watch->notices, i));
         i = notices_place_of(&daemon->fleet.watch->notices, notice) + 1) {
        struct chore chore = {.kind = CHORE_NOTIFIED,
                              .at_ms = run->now_ms + rng_between(&run->rng, 1, 2000),
                              .group = GROUP_NONE,
                              .number = notice->change};

        if (notice->group[0]) {
            chore.group = group_parse(run, slice_text(notice->group));
        } else {
            chore.agent = world_parse_id(ident_slice(&notice->instance_id));
            chore.rule = rule_place(ident_slice(&notice->alert));
        }
        daemon_add_chore(daemon, &chore);
    }
}

static void start(struct daemon *daemon)
{
    struct run *run = daemon->run;

    run_note(run, "daemon: starts");
    daemon->is_running = true;
    daemon->has_fleet = true;
    daemon->is_held = false;
    daemon->stalled_ms = daemon->horizon_ms = daemon->commit_ms = 0;
    daemon->at_ms = daemon->started_ms = daemon->quiet_ms = run->now_ms;
    daemon->read_place = daemon->stored_place;
    daemon->is_reloading = true;
    fleet_make(daemon, &daemon->fleet);
    model_load(&run->model, &daemon->fleet);
    fleet_excuse_silence(&daemon->fleet, run->now_ms);
    daemon->chore_count = 0;
    daemon->chore_ms = NEVER;
    resume_chores(daemon);
    for (uint32_t i = 0; i < run->settings.instances; i++) {
        struct account *told = &run->model.told[i].account, *stored = &run->model.stored[i].account;

        told->idle_from_ms = stored->idle_from_ms = 0;
        told->judged_from_ms = stored->judged_from_ms = told->state_ms; /* the guard does not hold at start */
    }
}

static void end(struct daemon *daemon, int64_t down_ms)
{
    model_lose(&daemon->run->model);
    fleet_clear(&daemon->fleet);
    daemon->has_fleet = daemon->is_running = false;
    daemon->chore_count = 0;
    daemon->chore_ms = NEVER;
    daemon->start_ms = daemon->run->now_ms + down_ms;
}

static int64_t draw_down_time(struct run *run)
{
    if (rng_chance(&run->rng, 80))
        return rng_between(&run->rng, 0, 3000);
    return rng_between(&run->rng, 0, run->settings.fleet.heartbeat_timeout_ms * 4);
}

/* Between any two steps the process may be killed; true where it was. */
static bool dies(struct daemon *daemon)
{
    struct run *run = daemon->run;

    if (run->failed)
        return true;
    if (run->is_calm || run->settings.death_odds == 0 || rng_below(&run->rng, run->settings.death_odds) > 0)
        return false;
    run_note(run, "daemon: killed, with %u instances not stored", run->model.touched_count);
    daemon->sums.deaths++;
    /* Its last batch may have arrived all the same. */
    if (rng_chance(&run->rng, 20)) {
        model_commit(&run->model);
        daemon->stored_place = daemon->read_place;
    }
    end(daemon, draw_down_time(run));
    return true;
}

static void commit(struct daemon *daemon)
{
    daemon->commit_ms = 0;
    daemon->stored_place = daemon->read_place;
    world_forget_sent(&daemon->run->world, daemon->stored_place);
    model_commit(&daemon->run->model);
}

static void stop_orderly(struct daemon *daemon)
{
    struct run *run = daemon->run;

    run_note(run, "daemon: stops");
    daemon->sums.restarts++;
    daemon->restart_ms = run_draw_time(run, run->settings.restart_ms);
    commit(daemon);
    check_load(run, &daemon->fleet);
    end(daemon, draw_down_time(run));
}

void daemon_init(struct daemon *daemon, struct run *run)
{
    *daemon = (struct daemon){.run = run, .chore_ms = NEVER, .at_ms = run->now_ms};
    daemon->pause_ms = run_draw_time(run, run->settings.pause_ms);
    daemon->restart_ms = run_draw_time(run, run->settings.restart_ms);
    start(daemon);
}

void daemon_clear(struct daemon *daemon)
{
    if (daemon->has_fleet)
        fleet_clear(&daemon->fleet);
    free(daemon->chores);
}

/* ---- chores ---- */

void daemon_add_chore(struct daemon *daemon, const struct chore *chore)
{
    if (daemon->chore_count == daemon->chore_cap) {
        daemon->chore_cap = daemon->chore_cap ? daemon->chore_cap * 2 : 16;
        daemon->chores = mem_resize(daemon->chores, daemon->chore_cap, sizeof(*daemon->chores));
    }
    daemon->chores[daemon->chore_count++] = *chore;
    if (chore->at_ms < daemon->chore_ms)
        daemon->chore_ms = chore->at_ms;
}

static struct notice *find_notice(struct daemon *daemon, const struct chore *chore)
{
    char key[NOTICE_KEY_MAX], id_text[ID_TEXT_MAX];
    size_t len;

    if (chore->group != GROUP_NONE) {
        struct slice stored = notice_key(&daemon->run->model.groups[chore->group].notice);

        return notices_find(&daemon->fleet.watch->notices, stored);
    }
    len = notice_key_format(key, world_format_id(id_text, chore->agent), false,
                            slice_text(rule_names[chore->rule]));
    return notices_find(&daemon->fleet.watch->notices, slice_of(key, len));
}

static void end_hook(struct daemon *daemon, const struct chore *chore)
{
    char id_text[ID_TEXT_MAX], command_text[IDENT_COMMAND_MAX + 1];
    struct slice id = world_format_id(id_text, chore->agent);
    struct slice command =
        slice_of(command_text, command_id_format(command_text, id, chore->command, chore->number));
    bool is_done = daemon->run->is_calm || rng_chance(&daemon->run->rng, 80);
    struct cause cause = {CAUSE_TIMER, {(uint64_t)daemon->run->now_ms, daemon->fleet.timers++}};

    daemon->sums.hooks++;
    run_note(daemon->run, "hook of %s: %s", command_text, is_done ? "done" : "failed");
    if (is_done)
        world_take_hook(&daemon->run->world, chore->agent, chore->command);
    watch_on_hook_done(&daemon->fleet, id, command, is_done, &cause, daemon->at_ms, sink_of(daemon));
}

static void do_chore(struct daemon *daemon, struct chore chore)
{
    struct run *run = daemon->run;
    struct cause cause = {CAUSE_TIMER, {(uint64_t)run->now_ms, daemon->fleet.timers++}};
    struct notice *notice;

    if (chore.kind == CHORE_HOOK) {
        end_hook(daemon, &chore);
        return;
    }
    notice = find_notice(daemon, &chore);
    if (!notice || notice->change != chore.number)
        return; /* something newer is on its way */
    if (chore.kind == CHORE_NOTIFIED) {
        watch_on_notified(&daemon->fleet, notice, chore.number, &cause, sink_of(daemon));
        chore.kind = CHORE_DELIVERED;
        chore.at_ms = run->now_ms + rng_between(&run->rng, 0, 5000);
        daemon_add_chore(daemon, &chore);
    } else if (notice->ends_ms > 0) {
        watch_forget_notice(&daemon->fleet, notice, &cause, sink_of(daemon));
    }
}

/* Those that are due; false where the daemon died over it. */
static bool do_chores(struct daemon *daemon)
{
    int64_t next_ms = NEVER;

    if (daemon->chore_ms > daemon->run->now_ms)
        return true;
    for (uint32_t i = 0; i < daemon->chore_count;) {
        struct chore chore = daemon->chores[i];

        if (chore.at_ms > daemon->run->now_ms) {
            next_ms = chore.at_ms < next_ms ? chore.at_ms : next_ms;
            i++;
            continue;
        }
        daemon->chores[i] = daemon->chores[--daemon->chore_count];
        do_chore(daemon, chore);
        if (dies(daemon))
            return false;
    }
    daemon->chore_ms = next_ms;
    for (uint32_t i = 0; i < daemon->chore_count; i++) {
        if (daemon->chores[i].at_ms < daemon->chore_ms)
            daemon->chore_ms = daemon->chores[i].at_ms;
    }
    return true;
}

/* ---- reading ---- */

static void set_number(struct report *report, enum report_field field, uint16_t value,
                       char text[NUMBER_TEXT_MAX])
{
    report->present |= 1U << field;
    report->number[field] = value;
    report->number_text[field] = slice_of(text, number_format_u64(text, value));
}

static void take_report(struct daemon *daemon, const struct sent *sent, uint64_t place)
{
    static const enum report_field fields[AILMENTS] = {
        [AILS_CPU] = REPORT_CPU_USAGE,           [AILS_MEMORY] = REPORT_MEMORY_USAGE,
        [AILS_LATENCY] = REPORT_NETWORK_LATENCY, [AILS_QUEUE] = REPORT_QUEUE_LENGTH,
        [AILS_LOAD] = REPORT_LOAD_AVERAGE,       [AILS_SOCKETS] = REPORT_SOCKET_CONNECTIONS,
    };
    char id[ID_TEXT_MAX], broker[ID_TEXT_MAX], host[ID_TEXT_MAX], command[IDENT_COMMAND_MAX + 1];
    char numbers[AILMENTS + 1][NUMBER_TEXT_MAX];
    const struct agent *agent = &daemon->run->world.agents[sent->agent];
    const struct account *account;
    bool was_open;
    uint64_t number;
    struct cause cause = {CAUSE_REPORT, {(uint64_t)sent->at_ms, place}};
    struct report report = {.instance_id = world_format_id(id, sent->agent),
                            .broker_id = world_format_broker(broker, agent->broker),
                            .host_id = world_format_host(host, agent->host),
                            .state = sent->state,
                            .launch_mode = agent->launch_mode,
                            .health = sent->health,
                            .present = 1U << REPORT_INSTANCE_ID | 1U << REPORT_BROKER_ID |
                                       1U << REPORT_HOST_ID | 1U << REPORT_STATE | 1U << REPORT_LAUNCH_MODE |
                                       1U << REPORT_HEALTH_STATUS};

    daemon->at_ms = sent->at_ms;
    if (sent->is_broken) {
        fleet_on_heartbeat(&daemon->fleet, report.instance_id, sent->at_ms);
        return;
    }
    for (int i = 0; i < AILMENTS; i++) {
        if (sent->present & 1U << i)
            set_number(&report, fields[i], sent->values[i], numbers[i]);
    }
    set_number(&report, REPORT_MEMORY_LIMIT, 1000, numbers[AILMENTS]);
    if (sent->answer.number > 0) {
        report.present |= 1U << REPORT_COMMAND_ID | 1U << REPORT_COMMAND_STATUS;
        report.command_id = slice_of(
            command, command_id_format(command, report.instance_id, sent->answer.kind, sent->answer.number));
        report.command_status = sent->answer.status;
        run_note(daemon->run, "t%u answers %s: %s, %s", sent->agent, command,
                 command_status_name(sent->answer.status), instance_state_name(sent->state));
    }
    account = &daemon->run->model.told[sent->agent].account;
    was_open = account->is_open;
    number = account->command_number;
    check_sample(daemon->run, sent);
    model_ops.begin(&daemon->run->model, &cause);
    (void)fleet_on_report(&daemon->fleet, &report, &cause, sent->at_ms, sink_of(daemon));
    check_return(daemon->run, sent, was_open, number);
}

/* Reads in order; the horizon moves once there is no more. False where the daemon died over it. */
static bool read_some(struct daemon *daemon)
{
    struct world *world = &daemon->run->world;
    uint32_t left = 1 + rng_below(&daemon->run->rng, daemon->run->settings.read_most);

    for (; left > 0 && daemon->read_place < world->sent_first + world->sent_count; left--) {
        take_report(daemon, world_sent(world, daemon->read_place), daemon->read_place);
        daemon->read_place++;
        if (dies(daemon))
            return false;
    }
    daemon->at_ms = daemon->run->now_ms;
    if (daemon->read_place == world->sent_first + world->sent_count)
        daemon->horizon_ms = daemon->run->now_ms;
    return true;
}

/* ---- time ---- */

static bool is_due(const struct daemon *daemon)
{
    int64_t due_ms = fleet_next_deadline(&daemon->fleet);

    return daemon->horizon_ms > 0 && due_ms <= daemon->horizon_ms && due_ms <= daemon->run->now_ms;
}

static bool tell_time(struct daemon *daemon)
{
    struct run *run = daemon->run;

    daemon->at_ms = run->now_ms;
    /* It may be asked at any time. */
    if (rng_chance(&run->rng, 2))
        fleet_on_timer(&daemon->fleet, run->now_ms, daemon->horizon_ms, sink_of(daemon));
    for (int round = 0; is_due(daemon); round++) {
        if (round == ROUNDS_MOST) {
            run_fail(run, "the timer never comes to rest");
            return false;
        }
        fleet_on_timer(&daemon->fleet, run->now_ms, daemon->horizon_ms, sink_of(daemon));
        if (dies(daemon))
            return false;
    }
    if (daemon->is_held || daemon->horizon_ms < run->now_ms)
        return true;
    daemon->is_reloading = false;
    check_groups(run);
    check_marked(run);
    return !run->failed;
}

static void hold(struct daemon *daemon)
{
    struct run *run = daemon->run;

    run_note(run, "daemon: runs again, the guard holds");
    daemon->is_held = true;
    daemon->at_ms = run->now_ms;
    daemon->release_ms = run->now_ms + run->settings.hold_ms;
    watch_hold(&daemon->fleet, run->now_ms);
    for (uint32_t i = 0; i < run->settings.instances; i++) {
        if (run->model.told[i].account.exists)
            model_account(&run->model, i)->judged_from_ms = run->now_ms;
    }
}

static void release(struct daemon *daemon)
{
    run_note(daemon->run, "daemon: the guard lets go");
    daemon->is_held = false;
    daemon->at_ms = daemon->released_ms = daemon->quiet_ms = daemon->run->now_ms;
    watch_release(&daemon->fleet, daemon->run->now_ms);
}

/* The guard, pauses and restarts; false where the daemon does not run then. */
static bool look_around(struct daemon *daemon)
{
    struct run *run = daemon->run;

    if (!daemon->is_running) {
        if (run->now_ms < daemon->start_ms)
            return false;
        start(daemon);
    }
    if (daemon->stalled_ms > 0) {
        if (run->now_ms < daemon->stalled_ms)
            return false;
        daemon->stalled_ms = 0;
        hold(daemon);
    }
    if (run->now_ms >= daemon->pause_ms) {
        daemon->sums.pauses++;
        daemon->pause_ms = run_draw_time(run, run->settings.pause_ms);
        daemon->stalled_ms =
            run->now_ms + rng_between(&run->rng, 2000, run->settings.fleet.heartbeat_timeout_ms * 3);
        run_note(run, "daemon: paused for %.1f s", (double)(daemon->stalled_ms - run->now_ms) / 1000);
        return false;
    }
    if (daemon->is_held && run->now_ms >= daemon->release_ms)
        release(daemon);
    if (run->now_ms >= daemon->restart_ms) {
        stop_orderly(daemon);
        return false;
    }
    return true;
}

void daemon_act(struct daemon *daemon)
{
    struct run *run = daemon->run;

    if (!look_around(daemon) || !read_some(daemon) || !do_chores(daemon) || !tell_time(daemon))
        return;
    if (!run->model.has_batch && run->model.effect_count == 0 && daemon->read_place == daemon->stored_place)
        return;
    if (daemon->commit_ms > run->now_ms)
        return;
    if (daemon->commit_ms > 0 || rng_chance(&run->rng, run->settings.commit_percent))
        commit(daemon);
    else
        daemon->commit_ms = run->now_ms + rng_between(&run->rng, 1, 200);
    (void)dies(daemon); /* nothing follows in this step */
}

static int64_t min_ms(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t daemon_next_ms(const struct daemon *daemon)
{
    const struct run *run = daemon->run;
    int64_t next_ms = min_ms(daemon->pause_ms, daemon->restart_ms);

    if (!daemon->is_running)
        return daemon->start_ms;
    if (daemon->stalled_ms > 0)
        return daemon->stalled_ms;
    if (daemon->is_held)
        next_ms = min_ms(next_ms, daemon->release_ms);
    if (daemon->commit_ms > 0)
        next_ms = min_ms(next_ms, daemon->commit_ms);
    if (daemon->read_place < run->world.sent_first + run->world.sent_count ||
        daemon->horizon_ms < daemon->quiet_ms)
        next_ms = min_ms(next_ms, run->now_ms + 1);
    next_ms = min_ms(next_ms, daemon->chore_ms);
    next_ms = min_ms(next_ms, fleet_next_deadline(&daemon->fleet));
    return next_ms > run->now_ms ? next_ms : run->now_ms + 1;
}

/* ---- operators ---- */

static void set_maintenance(struct daemon *daemon, struct instance *instance, uint32_t agent,
                            int64_t until_ms)
{
    struct cause cause = operator_cause(daemon);

    run_note(daemon->run, "operator: maintenance of t%u %s", agent, until_ms > 0 ? "on" : "off");
    model_account(&daemon->run->model, agent)->maintenance_until_ms = until_ms;
    watch_set_maintenance(&daemon->fleet, instance, until_ms, slice_text("work on it"), &cause, daemon->at_ms,
                          sink_of(daemon));
}

static void command(struct daemon *daemon, struct instance *instance, uint32_t agent, enum command_kind kind)
{
    struct cause cause = operator_cause(daemon);
    struct watch_order order = {.kind = kind};
    char id[IDENT_COMMAND_MAX + 1];

    run_note(daemon->run, "operator: %s t%u", command_kind_name(kind), agent);
    daemon->is_operator = true;
    (void)watch_command(&daemon->fleet, instance, &order, &cause, daemon->at_ms, sink_of(daemon), id);
    daemon->is_operator = false;
}

static void remove_instance(struct daemon *daemon, struct instance *instance, uint32_t agent)
{
    struct cause cause = operator_cause(daemon);

    run_note(daemon->run, "operator: removes t%u", agent);
    model_ops.begin(&daemon->run->model, &cause);
    daemon->is_operator = true;
    fleet_remove(&daemon->fleet, instance, slice_text("removed by an operator"), &cause, daemon->at_ms,
                 sink_of(daemon));
    daemon->is_operator = false;
}

void daemon_take_order(struct daemon *daemon)
{
    static const enum command_kind kinds[] = {COMMAND_START, COMMAND_STOP, COMMAND_RESTART, COMMAND_RECOVER};
    struct run *run = daemon->run;
    uint32_t agent = rng_below(&run->rng, run->settings.instances);
    char id[ID_TEXT_MAX];
    struct instance *instance;
    int64_t heartbeat_ms = run->settings.fleet.heartbeat_timeout_ms;

    if (!daemon->is_running || daemon->stalled_ms > 0 || run->world.agents[agent].is_steady)
        return;
    instance = fleet_find(&daemon->fleet, world_format_id(id, agent));
    if (!instance)
        return;
    daemon->sums.orders++;
    daemon->at_ms = run->now_ms;
    if (instance->state == STATE_STOPPED && rng_chance(&run->rng, 70)) {
        command(daemon, instance, agent, COMMAND_START);
        return;
    }
    switch (rng_below(&run->rng, 8)) {
    case 0:
    case 1:
        set_maintenance(daemon, instance, agent,
                        rng_chance(&run->rng, 80) ? run->now_ms + rng_between(&run->rng, 1, heartbeat_ms * 10)
                                                  : INT64_MAX);
        break;
    case 2:
        set_maintenance(daemon, instance, agent, 0);
        break;
    case 3:
        if (rng_chance(&run->rng, 30)) {
            remove_instance(daemon, instance, agent);
            break;
        }
        /* fall through */
    default:
        command(daemon, instance, agent, kinds[rng_below(&run->rng, ARRAY_LEN(kinds))]);
        break;
    }
    (void)dies(daemon); /* nothing follows in this step */
}

void daemon_reload(struct daemon *daemon)
{
    struct run *run = daemon->run;

    if (run->options.recovery.max_attempts < run->least_attempts)
        run->least_attempts = run->options.recovery.max_attempts;
    if (!daemon->is_running)
        return;
    run_note(run, "operator: reloads");
    daemon->sums.reloads++;
    daemon->quiet_ms = run->now_ms;
    daemon->is_reloading = true;
    watch_configure(&daemon->fleet, &run->options, run->now_ms);
}

void daemon_calm(struct daemon *daemon)
{
    struct run *run = daemon->run;

    daemon->pause_ms = daemon->restart_ms = NEVER;
    daemon->stalled_ms = daemon->stalled_ms > 0 ? run->now_ms : 0;
    if (!daemon->is_running)
        start(daemon);
    daemon_reload(daemon);
    daemon->at_ms = run->now_ms;
    for (uint32_t i = 0; i < run->settings.instances; i++) {
        char id[ID_TEXT_MAX];
        struct instance *instance = fleet_find(&daemon->fleet, world_format_id(id, i));

        if (!instance)
            continue;
        if (run->model.told[i].account.maintenance_until_ms > 0)
            set_maintenance(daemon, instance, i, 0);
    }
}

void daemon_start_stopped(struct daemon *daemon)
{
    struct run *run = daemon->run;
    char id[ID_TEXT_MAX];

    daemon->at_ms = run->now_ms;
    for (uint32_t i = 0; i < run->settings.instances; i++) {
        struct instance *instance = fleet_find(&daemon->fleet, world_format_id(id, i));

        if (instance && (instance->state == STATE_STOPPED || run->model.told[i].account.is_disarmed))
            command(daemon, instance, i, COMMAND_START);
    }
}
