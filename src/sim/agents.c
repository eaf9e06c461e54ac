/* An agent is a small state machine over its instance, on the agenda: its reports, the end of its present
 * state, its crashes and its silences. What was put on the agenda for a state that has ended since is known
 * by the agent's generation. */
#include "agents.h"

#include "core/state.h"
#include "util/alloc.h"
#include "util/hash.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define COMMANDS_KEPT 32
#define BALANCE_SHARE 0.1 /* how fast the numbers go back to their mean, per report */

struct walk {
    double value, mean, step, min, max;
};

enum metric { METRIC_CPU, METRIC_MEMORY, METRIC_NETWORK, METRIC_LATENCY, METRIC_QUEUE, METRIC_LOAD };
#define METRICS 6

struct agent {
    struct agents *all;
    struct rng rng;
    uint32_t number;
    enum instance_state state;
    uint32_t generation;
    bool silent, crashes, throttled, reports_uptime;
    int64_t running_since_ms;
    uint64_t restarts;
    double disk_mb, memory_limit_mb;
    struct walk metric[METRICS];
    const char *last_error;
    uint64_t done[COMMANDS_KEPT]; /* hashes of command_ids, a ring */
    uint64_t done_count;
    char command_id[IDENT_COMMAND_MAX + 1]; /* the one that the present restart will answer; empty: none */
};

static const char *const crash_reasons[] = {"terminal64.exe: access violation", "out of memory",
                                            "broker closed the connection",
                                            "expert advisor: array out of range"};

static const char *const metric_names[METRICS] = {"cpu_usage",       "memory_usage", "network_usage",
                                                  "network_latency", "queue_length", "load_average"};

struct answer {
    const char *command_id, *status, *error; /* command_id NULL: none */
};

static void calm_metrics(struct agent *agent)
{
    for (int i = 0; i < METRICS; i++)
        agent->metric[i].value = agent->metric[i].mean;
}

static void init_metrics(struct agent *agent)
{
    double busy = rng_unit(&agent->rng);
    struct walk *metric = agent->metric;

    agent->memory_limit_mb = 2048;
    agent->disk_mb = 3000 + 4000 * rng_unit(&agent->rng);
    metric[METRIC_CPU] = (struct walk){0, 15 + 45 * busy, 4, 0, 100};
    metric[METRIC_MEMORY] = (struct walk){0, 400 + 900 * busy, 40, 50, 2048};
    metric[METRIC_NETWORK] = (struct walk){0, 50 + 200 * busy, 20, 0, 5000};
    metric[METRIC_LATENCY] = (struct walk){0, 20 + 60 * rng_unit(&agent->rng), 8, 1, 2000};
    metric[METRIC_QUEUE] = (struct walk){0, 5 + 20 * busy, 4, 0, 1000};
    metric[METRIC_LOAD] = (struct walk){0, 0.3 + busy, 0.15, 0, 16};
    calm_metrics(agent);
}

static void walk_metrics(struct agent *agent)
{
    for (int i = 0; i < METRICS; i++) {
        struct walk *walk = &agent->metric[i];
        double mean = agent->throttled && i == METRIC_QUEUE ? walk->mean / 4 : walk->mean;

        walk->value += BALANCE_SHARE * (mean - walk->value) + walk->step * rng_normal(&agent->rng);
        walk->value = fmin(fmax(walk->value, walk->min), walk->max);
    }
    agent->disk_mb += rng_unit(&agent->rng) * 0.1;
}

static void on_written(void *ctx, uint64_t state, const struct written *written)
{
    const struct agent *agent = ctx;
    struct account *account = &agent->all->sim->account;
    struct instance_account *instance = &account->instances[agent->number - 1];

    if (!written->ok)
        return;
    account->reports++;
    instance->reports++;
    instance->state = (enum instance_state)state;
}

static void write_identity(struct agent *agent, struct writer *writer)
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

static void write_running(struct agent *agent, struct writer *writer)
{
    for (int i = 0; i < METRICS; i++)
        writer_add_number(writer, metric_names[i], agent->metric[i].value, i == METRIC_QUEUE ? 0 : 2);
    writer_add_whole(writer, "active_connections", 1 + agent->number % 4);
    writer_add_whole(writer, "socket_connections", 2 + agent->number % 3);
}

static const char *judge_health(const struct agent *agent)
{
    if (agent->state == STATE_CRASHED)
        return "critical";
    return agent->metric[METRIC_CPU].value > 80 || agent->metric[METRIC_QUEUE].value > 100 ? "warning"
                                                                                           : "healthy";
}

/* Half of the agents leave uptime and restarts to whoever watches. */
static void write_health(struct agent *agent, struct writer *writer)
{
    if (agent->reports_uptime) {
        int64_t up_ms = agent->state == STATE_RUNNING ? agent->all->sim->now_ms - agent->running_since_ms : 0;

        writer_add_whole(writer, "uptime_seconds", (uint64_t)up_ms / 1000);
        writer_add_whole(writer, "restart_count", agent->restarts);
    }
    writer_add_text(writer, "health_status", judge_health(agent));
    writer_add_text(writer, "last_error", agent->last_error);
}

static void write_answer(struct writer *writer, struct answer answer)
{
    if (!answer.command_id)
        return;
    writer_add_text(writer, "command_id", answer.command_id);
    writer_add_text(writer, "command_status", answer.status);
    if (answer.error)
        writer_add_text(writer, "command_error", answer.error);
}

static void report(struct agent *agent, struct answer answer)
{
    struct writer *writer = agent->all->sim->writer;

    if (agent->silent || agent->all->sim->phase == SIM_CLOSING ||
        (writer_is_full(writer) && !answer.command_id))
        return;
    writer_begin(writer, STREAM_REPORTS);
    write_identity(agent, writer);
    writer_add_text(writer, "state", instance_state_name(agent->state));
    if (agent->state == STATE_RUNNING)
        write_running(agent, writer);
    writer_add_number(writer, "disk_usage", agent->disk_mb, 1);
    writer_add_number(writer, "memory_limit", agent->memory_limit_mb, 0);
    write_health(agent, writer);
    write_answer(writer, answer);
    writer_end(writer, on_written, agent, (uint64_t)agent->state);
    spoiler_maybe_add(agent->all->spoiler, STREAM_REPORTS);
}

static const struct answer no_answer;

static void on_report_due(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct agent *agent = ctx;
    struct sim *sim = agent->all->sim;
    double jitter = 0.95 + 0.1 * rng_unit(&agent->rng);
    int64_t next_ms = due_ms + sim_ms((double)sim->options->report_interval_ms * jitter);

    (void)arg;
    if (sim->phase == SIM_CLOSING)
        return;
    walk_metrics(agent);
    report(agent, no_answer);
    agenda_add(&sim->agenda, next_ms > sim->now_ms ? next_ms : sim->now_ms + 1, on_report_due, agent, 0);
}

static void plan_change(struct agent *agent, double delay_ms, agenda_fn fn)
{
    agenda_add(&agent->all->sim->agenda, agent->all->sim->now_ms + sim_ms(delay_ms), fn, agent,
               agent->generation);
}

static void on_crash_due(void *ctx, uint64_t generation, int64_t due_ms);
static void on_restart_due(void *ctx, uint64_t generation, int64_t due_ms);
static void on_restarted(void *ctx, uint64_t generation, int64_t due_ms);

/* The one place that changes the state; the report goes out with ANSWER at once. */
static void enter_state(struct agent *agent, enum instance_state state, struct answer answer)
{
    const struct options *options = agent->all->sim->options;

    agent->state = state;
    agent->generation++;
    if (state == STATE_RUNNING) {
        agent->running_since_ms = agent->all->sim->now_ms;
        agent->last_error = "";
        calm_metrics(agent);
        if (agent->crashes && options->crash_every_s > 0)
            plan_change(agent, rng_exponential(&agent->rng, (double)options->crash_every_s * 1000),
                        on_crash_due);
    } else if (state == STATE_CRASHED && !options->stay_down) {
        plan_change(agent, rng_exponential(&agent->rng, (double)options->down_ms), on_restart_due);
    } else if (state == STATE_RESTARTING) {
        plan_change(agent, (double)options->restart_ms * (0.5 + rng_unit(&agent->rng)), on_restarted);
    }
    report(agent, answer);
}

static bool is_stale(const struct agent *agent, uint64_t generation)
{
    return generation != agent->generation || agent->all->sim->phase == SIM_CLOSING;
}

static void crash(struct agent *agent, struct answer answer)
{
    agent->last_error =
        crash_reasons[rng_below(&agent->rng, sizeof(crash_reasons) / sizeof(crash_reasons[0]))];
    enter_state(agent, STATE_CRASHED, answer);
}

static void on_crash_due(void *ctx, uint64_t generation, int64_t due_ms)
{
    (void)due_ms;
    if (!is_stale(ctx, generation))
        crash(ctx, no_answer);
}

static void on_restart_due(void *ctx, uint64_t generation, int64_t due_ms)
{
    (void)due_ms;
    if (!is_stale(ctx, generation))
        enter_state(ctx, STATE_RESTARTING, no_answer);
}

static void count_answer(struct agent *agent, bool ok)
{
    agent->all->sim->account.commands_obeyed += ok;
    agent->all->sim->account.commands_failed += !ok;
}

static void on_restarted(void *ctx, uint64_t generation, int64_t due_ms)
{
    struct agent *agent = ctx;
    bool ok = !rng_chance(&agent->rng, agent->all->sim->options->restart_fail_share);
    struct answer answer = {NULL, ok ? "ok" : "failed", ok ? NULL : "the terminal did not come up"};
    char command_id[IDENT_COMMAND_MAX + 1];

    (void)due_ms;
    if (is_stale(agent, generation))
        return;
    memcpy(command_id, agent->command_id, sizeof(command_id));
    if (command_id[0] != '\0') {
        answer.command_id = command_id;
        agent->command_id[0] = '\0';
        count_answer(agent, ok);
    }
    agent->restarts += ok;
    if (ok)
        enter_state(agent, STATE_RUNNING, answer);
    else
        crash(agent, answer);
}

static void plan_silence(struct agent *agent);

static void on_silence_over(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct agent *agent = ctx;

    (void)arg;
    (void)due_ms;
    agent->silent = false;
    agent->all->sim->account.instances[agent->number - 1].silent = false;
    plan_silence(agent);
}

static void on_silence_due(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct agent *agent = ctx;
    const struct options *options = agent->all->sim->options;
    double length_ms = rng_exponential(&agent->rng, (double)options->silence_ms);

    (void)arg;
    (void)due_ms;
    agent->silent = true;
    agent->all->sim->account.instances[agent->number - 1].silent = true;
    agenda_add(&agent->all->sim->agenda, agent->all->sim->now_ms + sim_ms(length_ms), on_silence_over, agent,
               0);
}

static void plan_silence(struct agent *agent)
{
    const struct options *options = agent->all->sim->options;
    double wait_ms;

    if (options->silence_every_s == 0)
        return;
    wait_ms = rng_exponential(&agent->rng, (double)options->silence_every_s * 1000);
    agenda_add(&agent->all->sim->agenda, agent->all->sim->now_ms + sim_ms(wait_ms), on_silence_due, agent, 0);
}

void agents_init(struct agents *agents, struct sim *sim, struct spoiler *spoiler)
{
    *agents = (struct agents){.sim = sim, .spoiler = spoiler, .count = (uint32_t)sim->options->instances};
    agents->all = mem_new(agents->count, sizeof(*agents->all));
    for (uint32_t i = 0; i < agents->count; i++) {
        struct agent *agent = &agents->all[i];

        agent->all = agents;
        agent->number = i + 1;
        agent->last_error = "";
        agent->reports_uptime = i % 2 == 0;
        rng_init(&agent->rng, (uint64_t)sim->options->seed, RNG_AGENT + i);
        agent->crashes = rng_chance(&agent->rng, sim->options->crash_share);
        init_metrics(agent);
    }
}

void agents_clear(struct agents *agents)
{
    free(agents->all);
    agents->all = NULL;
    agents->count = 0;
}

static void on_first_report_due(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct agent *agent = ctx;
    struct sim *sim = agent->all->sim;

    (void)arg;
    if (sim->phase == SIM_CLOSING)
        return;
    enter_state(agent, STATE_RUNNING, no_answer);
    plan_silence(agent);
    agenda_add(&sim->agenda, due_ms + sim->options->report_interval_ms, on_report_due, agent, 0);
}

/* The first reports are spread over an interval, as later ones are, but not over more than a second. */
void agents_start(struct agents *agents)
{
    struct sim *sim = agents->sim;
    int64_t spread_ms = sim->options->report_interval_ms < 1000 ? sim->options->report_interval_ms : 1000;

    for (uint32_t i = 0; i < agents->count; i++)
        agenda_add(&sim->agenda, sim->now_ms + spread_ms * i / agents->count, on_first_report_due,
                   &agents->all[i], 0);
}

static bool remember_command(struct agent *agent, struct slice command_id)
{
    uint64_t hash = hash_bytes((struct hash_key){3, 4}, command_id.data, command_id.len);
    uint64_t kept = agent->done_count < COMMANDS_KEPT ? agent->done_count : COMMANDS_KEPT;

    for (uint64_t i = 0; i < kept; i++) {
        if (agent->done[i] == hash)
            return false;
    }
    agent->done[agent->done_count++ % COMMANDS_KEPT] = hash;
    return true;
}

static void answer_now(struct agent *agent, const char *command_id, const char *error)
{
    struct answer answer = {command_id, error ? "failed" : "ok", error};

    count_answer(agent, !error);
    report(agent, answer);
}

static void begin_restart(struct agent *agent, const char *command_id)
{
    struct answer answer = {command_id, "accepted", NULL};

    (void)snprintf(agent->command_id, sizeof(agent->command_id), "%s", command_id);
    enter_state(agent, STATE_RESTARTING, answer);
}

static void obey_start(struct agent *agent, const char *command_id)
{
    if (agent->state == STATE_RUNNING)
        answer_now(agent, command_id, NULL);
    else
        begin_restart(agent, command_id);
}

static void obey_stop(struct agent *agent, const char *command_id)
{
    struct answer answer = {command_id, "ok", NULL};

    agent->command_id[0] = '\0';
    count_answer(agent, true);
    if (agent->state == STATE_STOPPED)
        report(agent, answer);
    else
        enter_state(agent, STATE_STOPPED, answer);
}

static void obey_reconnect(struct agent *agent, const char *command_id)
{
    agent->metric[METRIC_LATENCY].value = agent->metric[METRIC_LATENCY].mean;
    answer_now(agent, command_id, agent->state == STATE_RUNNING ? NULL : "the terminal does not run");
}

static void obey_throttle(struct agent *agent, const char *command_id)
{
    agent->throttled = true;
    answer_now(agent, command_id, NULL);
}

static void obey_unthrottle(struct agent *agent, const char *command_id)
{
    agent->throttled = false;
    answer_now(agent, command_id, NULL);
}

static void obey_redistribute(struct agent *agent, const char *command_id)
{
    agent->metric[METRIC_LOAD].value /= 2;
    answer_now(agent, command_id, NULL);
}

static const struct {
    const char *name;
    void (*obey)(struct agent *agent, const char *command_id);
} command_table[] = {
    {"start", obey_start},           {"restart", begin_restart},
    {"recover", begin_restart},      {"stop", obey_stop},
    {"reconnect", obey_reconnect},   {"throttle", obey_throttle},
    {"unthrottle", obey_unthrottle}, {"redistribute", obey_redistribute},
};

/* What is cancelled was the restart of a terminal that is down, so down it is. */
static void obey_cancel(struct agent *agent, const char *command_id, struct slice victim)
{
    struct answer answer = {command_id, "ok", NULL};

    if (agent->command_id[0] == '\0' || !slice_is(victim, agent->command_id)) {
        answer_now(agent, command_id, "nothing to cancel");
        return;
    }
    agent->command_id[0] = '\0';
    count_answer(agent, true);
    enter_state(agent, STATE_STOPPED, answer);
}

static void obey(struct agent *agent, const struct agent_command *command)
{
    char command_id[IDENT_COMMAND_MAX + 1];

    memcpy(command_id, command->command_id.data, command->command_id.len);
    command_id[command->command_id.len] = '\0';
    if (rng_chance(&agent->rng, agent->all->sim->options->command_fail_share)) {
        answer_now(agent, command_id, "refused by chance");
        return;
    }
    if (slice_is(command->command, "cancel")) {
        obey_cancel(agent, command_id, command->cancels);
        return;
    }
    for (size_t i = 0; i < sizeof(command_table) / sizeof(command_table[0]); i++) {
        if (slice_is(command->command, command_table[i].name)) {
            command_table[i].obey(agent, command_id);
            return;
        }
    }
    answer_now(agent, command_id, "unknown command");
}

void agents_obey(struct agents *agents, uint32_t number, const struct agent_command *command)
{
    struct account *account = &agents->sim->account;
    struct agent *agent;

    if (number == 0 || number > agents->count || !ident_is_valid(command->command_id, IDENT_COMMAND_MAX))
        return;
    agent = &agents->all[number - 1];
    account->commands_read++;
    if (agent->silent)
        account->commands_missed++;
    else if (command->is_expired)
        account->commands_expired++;
    else if (!remember_command(agent, command->command_id))
        account->commands_repeated++;
    else
        obey(agent, command);
}
