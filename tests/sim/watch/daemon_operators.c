/* Those who run the fleet: their commands, maintenance, removals and reloads. */
#include "run.h"

#define NEVER INT64_MAX

static struct sink *sink_of(struct daemon *daemon)
{
    return &daemon->run->model.sink;
}

static struct cause operator_cause(struct daemon *daemon)
{
    return (struct cause){CAUSE_OPERATOR, {(uint64_t)daemon->run->now_ms, daemon->run->step}};
}

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
    (void)daemon_dies(daemon); /* nothing follows in this step */
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
        daemon_start(daemon);
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
