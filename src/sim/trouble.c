/* One row per kind. Each agent draws the times of each kind from a sequence of its own, so that no kind
 * changes when another comes. */
#include "trouble.h"

#include "agent.h"

struct trouble_row {
    const char *name;
    enum vital vital;
    double low, high;
    const char *cure; /* the command that helps; a restart always does */
};

static const struct trouble_row rows[TROUBLES] = {
    [TROUBLE_CPU] = {"cpu", VITAL_CPU, 86, 99, NULL},
    [TROUBLE_MEMORY] = {"memory", VITAL_MEMORY, 1750, 2000, NULL},
    [TROUBLE_LATENCY] = {"latency", VITAL_LATENCY, 700, 1500, "reconnect"},
    [TROUBLE_QUEUE] = {"queue", VITAL_QUEUE, 150, 400, "throttle"},
    [TROUBLE_LOAD] = {"load", VITAL_LOAD, 3, 8, "redistribute"},
    [TROUBLE_SOCKET] = {"socket", VITAL_SOCKETS, 0, 0, "reconnect"},
};

static void on_due(void *ctx, uint64_t kind, int64_t due_ms);
static void on_over(void *ctx, uint64_t kind_and_episode, int64_t due_ms);

const char *trouble_name(enum trouble trouble)
{
    return rows[trouble].name;
}

void troubles_init(struct agent *agent)
{
    uint64_t purpose = RNG_TROUBLE + (uint64_t)agent->number * TROUBLES;

    for (uint32_t i = 0; i < TROUBLES; i++)
        rng_init(&agent->troubles[i].rng, (uint64_t)agent->all->sim->options->seed, purpose + i);
}

static void plan_next(struct agent *agent, uint64_t kind)
{
    int64_t every_s = agent->all->sim->options->trouble_every_s[kind];

    if (every_s > 0)
        agent_plan(agent, rng_exponential(&agent->troubles[kind].rng, (double)every_s * 1000), on_due, kind);
}

void troubles_start(struct agent *agent)
{
    for (uint64_t i = 0; i < TROUBLES; i++)
        plan_next(agent, i);
}

/* An agent that is throttled gets no queue. */
static bool may_begin(const struct agent *agent, uint64_t kind)
{
    return agent->state == STATE_RUNNING && !(kind == TROUBLE_QUEUE && agent->is_throttled);
}

static void on_due(void *ctx, uint64_t kind, int64_t due_ms)
{
    struct agent *agent = ctx;
    struct trouble_state *state = &agent->troubles[kind];
    const struct trouble_row *row = &rows[kind];
    int64_t trouble_ms = agent->all->sim->options->trouble_ms;

    (void)due_ms;
    if (!may_begin(agent, kind)) {
        plan_next(agent, kind);
        return;
    }
    state->is_on = true;
    state->episode++;
    agent->all->sim->account.troubles[kind].begun++;
    vitals_hold(&agent->vitals, row->vital, row->low, row->high, rng_unit(&state->rng));
    if (trouble_ms > 0)
        agent_plan(agent, (double)trouble_ms, on_over, kind | (uint64_t)state->episode << 8);
}

static void end(struct agent *agent, uint64_t kind)
{
    agent->troubles[kind].is_on = false;
    vitals_release(&agent->vitals, rows[kind].vital);
    plan_next(agent, kind);
}

static void on_over(void *ctx, uint64_t kind_and_episode, int64_t due_ms)
{
    struct agent *agent = ctx;
    uint64_t kind = kind_and_episode & 0xff;
    struct trouble_state *state = &agent->troubles[kind];

    (void)due_ms;
    if (!state->is_on || state->episode != kind_and_episode >> 8)
        return;
    agent->all->sim->account.troubles[kind].passed++;
    end(agent, kind);
    vitals_calm(&agent->vitals, rows[kind].vital);
}

static void cure(struct agent *agent, uint64_t kind)
{
    if (!agent->troubles[kind].is_on)
        return;
    agent->all->sim->account.troubles[kind].cured++;
    end(agent, kind);
}

void troubles_cure(struct agent *agent, const char *command)
{
    for (uint64_t i = 0; i < TROUBLES; i++) {
        if (rows[i].cure && strcmp(rows[i].cure, command) == 0)
            cure(agent, i);
    }
}

void troubles_cure_all(struct agent *agent)
{
    for (uint64_t i = 0; i < TROUBLES; i++)
        cure(agent, i);
}
