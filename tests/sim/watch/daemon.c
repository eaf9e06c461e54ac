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

/* ---- life and death ---- */

static void fleet_make(struct daemon *daemon, struct fleet *fleet)
{
    struct run *run = daemon->run;
    struct hash_key key = {rng_next(&run->rng), rng_next(&run->rng)};

    fleet_init(fleet, &run->settings.fleet, key);
    watch_configure(fleet, &run->options, run->now_ms);
}

void daemon_start(struct daemon *daemon)
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
    daemon_resume_chores(daemon);
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

bool daemon_dies(struct daemon *daemon)
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
    daemon_start(daemon);
}

void daemon_clear(struct daemon *daemon)
{
    if (daemon->has_fleet)
        fleet_clear(&daemon->fleet);
    free(daemon->chores);
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
        if (daemon_dies(daemon))
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
        if (daemon_dies(daemon))
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
        daemon_start(daemon);
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

    if (!look_around(daemon) || !read_some(daemon) || !daemon_do_chores(daemon) || !tell_time(daemon))
        return;
    if (!run->model.has_batch && run->model.effect_count == 0 && daemon->read_place == daemon->stored_place)
        return;
    if (daemon->commit_ms > run->now_ms)
        return;
    if (daemon->commit_ms > 0 || rng_chance(&run->rng, run->settings.commit_percent))
        commit(daemon);
    else
        daemon->commit_ms = run->now_ms + rng_between(&run->rng, 1, 200);
    (void)daemon_dies(daemon); /* nothing follows in this step */
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
