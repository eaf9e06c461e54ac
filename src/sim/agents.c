#include "agent.h"

#include "obedience.h"
#include "util/alloc.h"
#include <stdlib.h>

#define OUTAGE_SPREAD_MS 1000

static void on_report_due(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct agent *agent = ctx;
    struct sim *sim = agent->all->sim;
    double jitter = 0.95 + 0.1 * rng_unit(&agent->vitals.rng);
    int64_t next_ms = due_ms + sim_ms((double)sim->options->report_interval_ms * jitter);

    (void)arg;
    if (sim->phase == SIM_CLOSING)
        return;
    agent_walk(agent);
    agent_report(agent, NULL);
    agenda_add(&sim->agenda, next_ms > sim->now_ms ? next_ms : sim->now_ms + 1, on_report_due, agent, 0);
}

static void plan_silence(struct agent *agent);

static void on_silence_over(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct agent *agent = ctx;

    (void)arg;
    (void)due_ms;
    agent->is_silent = false;
    agent->all->sim->account.instances[agent->number - 1].silent = false;
    plan_silence(agent);
}

static void on_silence_due(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct agent *agent = ctx;
    double length_ms = rng_exponential(&agent->rng, (double)agent->all->sim->options->silence_ms);

    (void)arg;
    (void)due_ms;
    agent->is_silent = true;
    agent->all->sim->account.instances[agent->number - 1].silent = true;
    agent_plan(agent, length_ms, on_silence_over, 0);
}

static void plan_silence(struct agent *agent)
{
    int64_t every_s = agent->all->sim->options->silence_every_s;

    if (every_s > 0)
        agent_plan(agent, rng_exponential(&agent->rng, (double)every_s * 1000), on_silence_due, 0);
}

/* A terminal that is being restarted has no way back to running either. */
static void strike(struct agent *agent, const char *error)
{
    if (agent->state == STATE_RUNNING)
        agent_crash(agent, error, NULL);
    else if (agent->before == STATE_RUNNING)
        agent->before = STATE_CRASHED;
}

static void on_doom_due(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct agent *agent = ctx;

    (void)arg;
    (void)due_ms;
    agent->is_doomed = true;
    strike(agent, "the terminal's data folder is damaged");
}

static void on_outage_due(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct agent *agent = ctx;

    (void)arg;
    (void)due_ms;
    agent->is_in_outage = true;
    strike(agent, "the broker closed every connection");
}

/* What was stopped meanwhile stays stopped. */
static void on_outage_over(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct agent *agent = ctx;

    (void)arg;
    (void)due_ms;
    agent->is_in_outage = false;
    if (agent->state == STATE_CRASHED && !agent->is_doomed)
        agent_enter(agent, STATE_RESTARTING, NULL);
}

static void plan_outage(struct agent *agent)
{
    const struct options *options = agent->all->sim->options;
    double at_ms = (double)options->outage_after_s * 1000;
    struct rng rng;

    if (options->outage_after_s == 0 || (agent->number - 1) % options->brokers != options->outage_broker - 1)
        return;
    rng_init(&rng, (uint64_t)options->seed, RNG_OUTAGE + agent->number);
    agent_plan(agent, at_ms + OUTAGE_SPREAD_MS * rng_unit(&rng), on_outage_due, 0);
    at_ms += (double)options->outage_seconds * 1000;
    agent_plan(agent, at_ms + OUTAGE_SPREAD_MS * rng_unit(&rng), on_outage_over, 0);
}

void agents_init(struct agents *agents, struct sim *sim, struct spoiler *spoiler)
{
    *agents = (struct agents){.sim = sim, .spoiler = spoiler, .count = (uint32_t)sim->options->instances};
    agents->all = mem_new(agents->count, sizeof(*agents->all));
    for (uint32_t i = 0; i < agents->count; i++)
        agent_init(&agents->all[i], agents, i + 1);
}

void agents_clear(struct agents *agents)
{
    obedience_clear(agents);
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
    agent_come_up(agent, NULL);
    plan_silence(agent);
    troubles_start(agent);
    agenda_add(&sim->agenda, due_ms + sim->options->report_interval_ms, on_report_due, agent, 0);
}

/* The first reports are spread over an interval, as later ones are, but not over more than a second. */
void agents_start(struct agents *agents)
{
    struct sim *sim = agents->sim;
    const struct options *options = sim->options;
    int64_t spread_ms = options->report_interval_ms < 1000 ? options->report_interval_ms : 1000;

    for (uint32_t i = 0; i < agents->count; i++) {
        struct agent *agent = &agents->all[i];

        agenda_add(&sim->agenda, sim->now_ms + spread_ms * i / agents->count, on_first_report_due, agent, 0);
        if (agent->number > options->instances - options->doomed)
            agent_plan(agent, (double)options->doomed_after_s * 1000, on_doom_due, 0);
        plan_outage(agent);
    }
}
