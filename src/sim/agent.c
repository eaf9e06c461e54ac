#include "agent.h"

#include <stdio.h>

static const char *const crash_reasons[] = {"terminal64.exe: access violation", "out of memory",
                                            "broker closed the connection",
                                            "expert advisor: array out of range"};

void agent_init(struct agent *agent, struct agents *all, uint32_t number)
{
    uint64_t seed = (uint64_t)all->sim->options->seed;

    *agent = (struct agent){.all = all, .number = number, .state = STATE_NONE, .last_error = ""};
    agent->reports_uptime = number % 2 == 1;
    rng_init(&agent->rng, seed, RNG_AGENT + number);
    agent->crashes = rng_chance(&agent->rng, all->sim->options->crash_share);
    vitals_init(&agent->vitals, seed, number);
    troubles_init(agent);
}

void agent_plan(struct agent *agent, double delay_ms, agenda_fn fn, uint64_t arg)
{
    struct sim *sim = agent->all->sim;

    agenda_add(&sim->agenda, sim->now_ms + sim_ms(delay_ms), fn, agent, arg);
}

void agent_walk(struct agent *agent)
{
    vitals_walk(&agent->vitals, agent->is_throttled);
}

static void on_written(void *ctx, uint64_t state_and_reply, const struct written *written)
{
    const struct agent *agent = ctx;
    struct account *account = &agent->all->sim->account;
    struct instance_account *instance = &account->instances[agent->number - 1];

    if (!written->ok)
        return;
    account->reports++;
    account->replies[state_and_reply >> 8]++;
    instance->reports++;
    instance->state = (enum instance_state)(state_and_reply & 0xff);
}

static void write_identity(const struct agent *agent, struct writer *writer)
{
    const struct options *options = agent->all->sim->options;
    uint32_t index = agent->number - 1;
    char text[32];

    (void)snprintf(text, sizeof(text), "mt5-%u", agent->number);
    writer_add_text(writer, "instance_id", text);
    (void)snprintf(text, sizeof(text), "broker-%u", 1 + index % (uint32_t)options->brokers);
    writer_add_text(writer, "broker_id", text);
    (void)snprintf(text, sizeof(text), "host-%u", 1 + index % (uint32_t)options->hosts);
    writer_add_text(writer, "host_id", text);
    writer_add_text(writer, "launch_mode", agent->number % 10 == 0 ? "manual" : "auto");
}

static const char *judge_health(const struct agent *agent)
{
    const struct walk *walk = agent->vitals.walk;

    if (agent->state == STATE_CRASHED)
        return "critical";
    return walk[VITAL_CPU].value > 80 || walk[VITAL_QUEUE].value > 100 ? "warning" : "healthy";
}

/* Half of the agents leave uptime and restarts to whoever watches. */
static void write_health(const struct agent *agent, struct writer *writer)
{
    if (agent->reports_uptime) {
        int64_t up_ms = agent->state == STATE_RUNNING ? agent->all->sim->now_ms - agent->running_since_ms : 0;

        writer_add_whole(writer, "uptime_seconds", (uint64_t)up_ms / 1000);
        writer_add_whole(writer, "restart_count", agent->restarts);
    }
    writer_add_text(writer, "health_status", judge_health(agent));
    writer_add_text(writer, "last_error", agent->last_error);
}

static void write_reply(struct writer *writer, const struct reply *reply)
{
    static const char *const statuses[REPLIES] = {
        [REPLY_ACCEPTED] = "accepted", [REPLY_OK] = "ok", [REPLY_FAILED] = "failed", [REPLY_UNKNOWN] = "ok"};

    writer_add_text(writer, "command_id", reply->order->command_id);
    writer_add_text(writer, "command_status", statuses[reply->kind]);
    if (reply->error)
        writer_add_text(writer, "command_error", reply->error);
}

static void write_report(struct agent *agent, const struct reply *reply, enum reply_kind counted_as)
{
    struct writer *writer = agent->all->sim->writer;

    writer_begin(writer, STREAM_REPORTS);
    write_identity(agent, writer);
    writer_add_text(writer, "state", instance_state_name(agent->state));
    if (agent->state == STATE_RUNNING) {
        vitals_write(&agent->vitals, writer);
        writer_add_whole(writer, "active_connections", 1 + agent->number % 4);
    }
    writer_add_number(writer, "disk_usage", agent->vitals.disk_mb, 1);
    writer_add_number(writer, "memory_limit", agent->vitals.memory_limit_mb, 0);
    write_health(agent, writer);
    if (reply)
        write_reply(writer, reply);
    writer_end(writer, on_written, agent, (uint64_t)agent->state | (uint64_t)counted_as << 8);
    spoiler_maybe_add(agent->all->spoiler, STREAM_REPORTS);
}

void agent_report(struct agent *agent, const struct reply *reply)
{
    const struct sim *sim = agent->all->sim;

    if (agent->is_silent || sim->phase == SIM_CLOSING || (!reply && writer_is_full(sim->writer)))
        return;
    write_report(agent, reply, reply ? reply->kind : REPLY_NONE);
    if (reply && reply->order->is_twice)
        write_report(agent, reply, REPLY_TWICE);
}

static bool is_stale(const struct agent *agent, uint64_t generation)
{
    return generation != agent->generation || agent->all->sim->phase == SIM_CLOSING;
}

static void on_crash_due(void *ctx, uint64_t generation, int64_t due_ms)
{
    struct agent *agent = ctx;
    size_t reasons = sizeof(crash_reasons) / sizeof(crash_reasons[0]);

    (void)due_ms;
    if (!is_stale(agent, generation))
        agent_crash(agent, crash_reasons[rng_below(&agent->rng, (uint32_t)reasons)], NULL);
}

static void on_restart_due(void *ctx, uint64_t generation, int64_t due_ms)
{
    struct agent *agent = ctx;

    (void)due_ms;
    if (!is_stale(agent, generation) && !agent->is_in_outage && !agent->is_doomed)
        agent_enter(agent, STATE_RESTARTING, NULL);
}

/* Why it does not come up; NULL where it does. */
static const char *find_obstacle(struct agent *agent)
{
    bool by_chance = rng_chance(&agent->rng, agent->all->sim->options->restart_fail_share);

    if (agent->is_in_outage)
        return "the broker refuses every connection";
    if (agent->is_doomed)
        return "the terminal ends as soon as it has started";
    return by_chance ? "the terminal did not come up" : NULL;
}

static void on_restarted(void *ctx, uint64_t generation, int64_t due_ms)
{
    struct agent *agent = ctx;
    struct order order = agent->restart;
    struct reply reply;
    const struct reply *told = NULL;
    const char *error;

    (void)due_ms;
    if (is_stale(agent, generation))
        return;
    error = find_obstacle(agent);
    if (order.command_id[0] != '\0') {
        agent->restart.command_id[0] = '\0';
        reply = agent_finish(agent, &order, error);
        told = &reply;
    }
    agent->restarts += !error;
    if (error)
        agent_crash(agent, error, told);
    else
        agent_come_up(agent, told);
}

/* The one place that changes the state. */
static void change_state(struct agent *agent, enum instance_state state, const struct reply *reply)
{
    const struct options *options = agent->all->sim->options;
    double delay_ms;

    agent->state = state;
    agent->generation++;
    if (state == STATE_RUNNING && agent->crashes && options->crash_every_s > 0) {
        delay_ms = rng_exponential(&agent->rng, (double)options->crash_every_s * 1000);
        agent_plan(agent, delay_ms, on_crash_due, agent->generation);
    } else if (state == STATE_CRASHED && !options->stay_down) {
        delay_ms = rng_exponential(&agent->rng, (double)options->down_ms);
        agent_plan(agent, delay_ms, on_restart_due, agent->generation);
    } else if (state == STATE_RESTARTING) {
        delay_ms = (double)options->restart_ms * (0.5 + rng_unit(&agent->rng));
        agent_plan(agent, delay_ms, on_restarted, agent->generation);
    }
    agent_report(agent, reply);
}

void agent_come_up(struct agent *agent, const struct reply *reply)
{
    agent->running_since_ms = agent->all->sim->now_ms;
    agent->last_error = "";
    troubles_cure_all(agent);
    vitals_calm_all(&agent->vitals);
    change_state(agent, STATE_RUNNING, reply);
}

void agent_crash(struct agent *agent, const char *error, const struct reply *reply)
{
    agent->all->sim->account.crashes++;
    agent->last_error = error;
    change_state(agent, STATE_CRASHED, reply);
}

void agent_enter(struct agent *agent, enum instance_state state, const struct reply *reply)
{
    change_state(agent, state, reply);
}

struct reply agent_finish(struct agent *agent, const struct order *order, const char *error)
{
    struct command_account *commands = &agent->all->sim->account.commands;

    commands->under_way--;
    commands->obeyed += !error;
    commands->failed += error != NULL;
    return (struct reply){order, error ? REPLY_FAILED : REPLY_OK, error};
}

void agent_begin_restart(struct agent *agent, const struct order *order)
{
    const struct reply reply = {order, REPLY_ACCEPTED, NULL};

    if (agent->restart.command_id[0] == '\0')
        agent->before = agent->state;
    agent_give_up_order(agent, "replaced by another command");
    agent->restart = *order;
    change_state(agent, STATE_RESTARTING, &reply);
}

void agent_give_up_order(struct agent *agent, const char *why)
{
    struct order order = agent->restart;
    struct reply reply;

    if (order.command_id[0] == '\0')
        return;
    agent->restart.command_id[0] = '\0';
    reply = agent_finish(agent, &order, why);
    agent_report(agent, &reply);
}

/* What it was doing goes on: a terminal that ran has not been started anew. */
void agent_resume(struct agent *agent, const char *why, const struct reply *reply)
{
    agent_give_up_order(agent, why);
    change_state(agent, agent->before, reply);
}
