/* How agents fare, obey and fail. */
#include "run.h"
#include "util/alloc.h"
#include <stdlib.h>

#define NEVER INT64_MAX

static int64_t next_of(const void *owner, uint32_t index)
{
    const struct world *world = owner;

    return world->agents[index].next_ms;
}

static uint32_t *place_of(const void *owner, uint32_t index)
{
    const struct world *world = owner;

    return &world->agents[index].place;
}

static void schedule(struct world *world, uint32_t number)
{
    struct agent *agent = &world->agents[number];
    int64_t next = agent->report_ms;

    next = agent->mode_until_ms < next ? agent->mode_until_ms : next;
    next = agent->trouble_ms < next ? agent->trouble_ms : next;
    for (uint32_t i = 0; i < agent->answer_count; i++)
        next = agent->answers[i].at_ms < next ? agent->answers[i].at_ms : next;
    agent->next_ms = next;
    heap_put(&world->due, number);
}

void world_init(struct world *world, struct run *run)
{
    const struct settings *s = &run->settings;
    struct rng *rng = &run->rng;

    *world = (struct world){.run = run};
    world->agents = mem_new(s->instances, sizeof(*world->agents));
    heap_init(&world->due, next_of, place_of, world);
    for (uint32_t i = 0; i < s->instances; i++) {
        struct agent *agent = &world->agents[i];

        *agent =
            (struct agent){.broker = rng_below(rng, s->brokers),
                           .host = rng_below(rng, s->hosts),
                           .launch_mode = rng_chance(rng, s->manual_percent) ? LAUNCH_MANUAL : LAUNCH_AUTO,
                           .is_steady = rng_chance(rng, s->steady_percent),
                           .is_stubborn = rng_chance(rng, s->stubborn_percent),
                           .mode_until_ms = NEVER,
                           .trouble_ms = NEVER,
                           .period_ms = rng_between(rng, s->period_least_ms, s->period_most_ms),
                           .place = HEAP_NONE};
        if (rng_chance(rng, 30)) /* so that samples come exactly at the end of what a rule waits */
            agent->period_ms = (agent->period_ms + 999) / 1000 * 1000;
        agent->report_ms = run->now_ms + rng_between(rng, 0, agent->period_ms);
        if (!agent->is_steady)
            agent->trouble_ms = run_draw_time(run, s->trouble_ms);
        schedule(world, i);
    }
    world->outage_ms = run_draw_time(run, s->outage_ms);
}

void world_clear(struct world *world)
{
    heap_clear(&world->due);
    free(world->agents);
    free(world->sent);
}

int64_t world_next_ms(const struct world *world)
{
    uint32_t first = heap_first(&world->due);
    int64_t next = first == HEAP_NONE ? NEVER : world->agents[first].next_ms;

    return next < world->outage_ms ? next : world->outage_ms;
}

/* ---- one agent ---- */

/* AGENT is in MODE from now on, and says so; after MS in NEXT (0: it stays). */
static void enter(struct world *world, uint32_t number, enum agent_mode mode, int64_t ms,
                  enum agent_mode next)
{
    struct agent *agent = &world->agents[number];

    agent->mode = mode;
    agent->mode_until_ms = ms > 0 ? world->run->now_ms + ms : NEVER;
    agent->next_mode = next;
    if (mode == AGENT_RESTARTING || mode == AGENT_CRASHED)
        memset(agent->ill_until_ms, 0, sizeof(agent->ill_until_ms));
    world->is_short = rng_chance(&world->run->rng, 30);
    world_send(world, number, NULL);
    world->is_short = false;
}

/* Of one thing, or of several at once. */
static void fall_ill(struct world *world, struct agent *agent)
{
    struct rng *rng = &world->run->rng;
    int64_t most_ms = world->run->settings.fleet.heartbeat_timeout_ms * (rng_chance(rng, 40) ? 20 : 2);
    uint32_t count = rng_chance(rng, 60) ? 1 : 1 + rng_below(rng, 3);

    for (; count > 0; count--)
        agent->ill_until_ms[rng_below(rng, AILMENTS)] = world->run->now_ms + rng_between(rng, 1, most_ms);
}

/* What was to help has not. */
static void relapse(struct world *world, struct agent *agent)
{
    struct rng *rng = &world->run->rng;

    if (world->run->is_calm || !agent->is_stubborn || rng_chance(rng, 50))
        return;
    fall_ill(world, agent);
    agent->ill_until_ms[AILS_CPU] =
        world->run->now_ms + world->run->settings.fleet.heartbeat_timeout_ms * rng_between(rng, 1, 10);
}

static void make_trouble(struct world *world, uint32_t number)
{
    struct agent *agent = &world->agents[number];
    struct rng *rng = &world->run->rng;
    int64_t heartbeat_ms = world->run->settings.fleet.heartbeat_timeout_ms;
    int64_t restarting_ms = world->run->settings.fleet.restarting_timeout_ms;

    agent->trouble_ms = run_draw_time(world->run, world->run->settings.trouble_ms);
    if (agent->mode != AGENT_RUNNING) {
        if (agent->mode == AGENT_STOPPED && rng_chance(rng, 40))
            enter(world, number, AGENT_RESTARTING, 1 + restarting_ms / 10, AGENT_RUNNING);
        return;
    }
    switch (rng_below(rng, 8)) {
    case 0: /* it crashes, and comes back by itself or not */
        enter(world, number, AGENT_CRASHED, rng_chance(rng, 50) ? rng_between(rng, 1, heartbeat_ms * 3) : 0,
              AGENT_RUNNING);
        break;
    case 1:
        enter(world, number, AGENT_SILENT, rng_between(rng, 1, heartbeat_ms * 6),
              rng_chance(rng, 60) ? AGENT_RUNNING : AGENT_CRASHED);
        break;
    case 2:
        enter(world, number, AGENT_RESTARTING, rng_between(rng, 1, restarting_ms * 3),
              rng_chance(rng, 70) ? AGENT_RUNNING : AGENT_CRASHED);
        break;
    case 3:
        if (rng_chance(rng, 30))
            enter(world, number, AGENT_STOPPED, rng_between(rng, 1, heartbeat_ms * 10), AGENT_RUNNING);
        break;
    default:
        fall_ill(world, agent);
        break;
    }
}

static void start_again(struct world *world, uint32_t number)
{
    struct agent *agent = &world->agents[number];
    struct rng *rng = &world->run->rng;
    int64_t timeout_ms = world->run->options.recovery.timeout_ms;
    bool fails = !world->run->is_calm && agent->is_stubborn && rng_chance(rng, 80);

    if (!world->run->is_calm && !fails && rng_chance(rng, 5)) {
        enter(world, number, AGENT_RESTARTING, world->run->settings.fleet.restarting_timeout_ms * 2,
              AGENT_RUNNING);
        return;
    }
    if (!fails && rng_chance(rng, 30)) { /* so quickly that no report says so */
        memset(agent->ill_until_ms, 0, sizeof(agent->ill_until_ms));
        enter(world, number, AGENT_RUNNING, 0, AGENT_RUNNING);
        relapse(world, agent);
        return;
    }
    enter(world, number, AGENT_RESTARTING, rng_between(rng, 1, timeout_ms / 2),
          fails ? AGENT_CRASHED : AGENT_RUNNING);
}

/* What a command does to an agent that carries it out. */
static void carry_out(struct world *world, uint32_t number, enum command_kind kind)
{
    struct agent *agent = &world->agents[number];
    bool helps = world->run->is_calm || rng_chance(&world->run->rng, 70);

    switch (kind) {
    case COMMAND_RECOVER:
    case COMMAND_RESTART:
    case COMMAND_START:
        start_again(world, number);
        break;
    case COMMAND_STOP:
        enter(world, number, AGENT_STOPPED, 0, AGENT_STOPPED);
        break;
    case COMMAND_RECONNECT:
        if (helps)
            agent->ill_until_ms[AILS_LATENCY] = agent->ill_until_ms[AILS_SOCKETS] = 0;
        break;
    case COMMAND_REDISTRIBUTE:
        if (helps)
            agent->ill_until_ms[AILS_LOAD] = 0;
        break;
    case COMMAND_THROTTLE:
        if (helps)
            agent->ill_until_ms[AILS_QUEUE] = 0;
        break;
    default:
        break;
    }
}

static bool take_answer(struct world *world, struct agent *agent, struct answer *ret_answer)
{
    for (uint32_t i = 0; i < agent->answer_count; i++) {
        if (agent->answers[i].at_ms <= world->run->now_ms) {
            *ret_answer = agent->answers[i];
            agent->answers[i] = agent->answers[--agent->answer_count];
            return true;
        }
    }
    return false;
}

static void act(struct world *world, uint32_t number)
{
    struct agent *agent = &world->agents[number];
    struct answer answer;

    for (int i = 0; i < AILMENTS; i++) {
        if (agent->ill_until_ms[i] > 0 && agent->ill_until_ms[i] <= world->run->now_ms)
            agent->ill_until_ms[i] = 0;
    }
    if (agent->mode_until_ms <= world->run->now_ms) {
        enter(world, number, agent->next_mode, 0, AGENT_RUNNING);
        if (agent->mode == AGENT_RUNNING)
            relapse(world, agent);
    }
    if (agent->trouble_ms <= world->run->now_ms)
        make_trouble(world, number);
    while (take_answer(world, agent, &answer)) {
        bool is_alive = agent->mode != AGENT_SILENT && agent->cut_until_ms <= world->run->now_ms;

        if (is_alive && answer.status == COMMAND_OK)
            carry_out(world, number, answer.kind);
        world_send(world, number, &answer);
    }
    if (agent->report_ms <= world->run->now_ms) {
        agent->report_ms = world->run->now_ms + agent->period_ms;
        world_send(world, number, NULL);
    }
    schedule(world, number);
}

/* ---- orders ---- */

static void plan_answer(struct agent *agent, struct answer answer)
{
    if (agent->answer_count < ANSWERS_MAX)
        agent->answers[agent->answer_count++] = answer;
}

static void forget_answers(struct agent *agent, uint64_t number)
{
    for (uint32_t i = 0; i < agent->answer_count;) {
        if (agent->answers[i].number == number)
            agent->answers[i] = agent->answers[--agent->answer_count];
        else
            i++;
    }
}

void world_take_command(struct world *world, uint32_t number, enum command_kind kind, uint64_t command,
                        uint64_t victim, int64_t expires_ms)
{
    struct agent *agent = &world->agents[number];
    struct rng *rng = &world->run->rng;
    int64_t now_ms = world->run->now_ms, left_ms = expires_ms - now_ms;
    struct answer answer = {.kind = kind, .number = command, .status = COMMAND_OK};
    uint32_t mood = world->run->is_calm ? 99 : rng_below(rng, 100);

    if (left_ms <= 0 || agent->mode == AGENT_SILENT || agent->cut_until_ms > now_ms)
        return;
    if (kind == COMMAND_CANCEL)
        forget_answers(agent, victim);
    answer.at_ms = now_ms + rng_between(rng, 1, left_ms * 6 / 10);
    if (mood < 10) {
        answer.status = COMMAND_FAILED;
    } else if (mood < 20) {
        return;
    } else if (mood < 28) {
        answer.at_ms = expires_ms + rng_between(rng, 1, left_ms);
    } else if (mood < 35) {
        struct answer again = answer;

        again.at_ms += rng_between(rng, 0, left_ms);
        plan_answer(agent, again);
    } else if (mood < 38) {
        plan_answer(agent, (struct answer){now_ms + 1, kind, command + 1000, COMMAND_OK});
    } else if (mood < 60) {
        plan_answer(agent, (struct answer){now_ms + 1, kind, command, COMMAND_ACCEPTED});
    }
    plan_answer(agent, answer);
    schedule(world, number);
}

void world_take_hook(struct world *world, uint32_t number, enum command_kind kind)
{
    struct agent *agent = &world->agents[number];

    if (agent->mode != AGENT_SILENT ||
        (kind != COMMAND_RECOVER && kind != COMMAND_RESTART && kind != COMMAND_START))
        return;
    start_again(world, number);
    schedule(world, number);
}

/* ---- outages ---- */

static bool is_struck(const struct agent *agent, uint32_t kind, uint32_t number)
{
    return !agent->is_steady &&
           (kind == 0 || (kind == 1 && agent->broker == number) || (kind == 2 && agent->host == number));
}

/* All of a broker, of a host, or nearly all, are cut off or crash, at once or one after the other. */
static void strike(struct world *world)
{
    struct run *run = world->run;
    struct rng *rng = &run->rng;
    int64_t heartbeat_ms = run->settings.fleet.heartbeat_timeout_ms;
    uint32_t kind = rng_chance(rng, 15) ? 0 : 1 + rng_below(rng, 2);
    uint32_t number = rng_below(rng, kind == 1 ? run->settings.brokers : run->settings.hosts);
    int64_t until_ms = run->now_ms + rng_between(rng, heartbeat_ms / 2, heartbeat_ms * 20);
    bool crashes = rng_chance(rng, 40);

    world->outage_ms = run_draw_time(run, run->settings.outage_ms);
    run_note(run, "world: outage of %s %u, %s, for %.1f s",
             kind == 0 ? "all" : (kind == 1 ? "broker" : "host"), number, crashes ? "crashes" : "silence",
             (double)(until_ms - run->now_ms) / 1000);
    for (uint32_t i = 0; i < run->settings.instances; i++) {
        struct agent *agent = &world->agents[i];

        if (!is_struck(agent, kind, number) || rng_chance(rng, 10))
            continue;
        if (!crashes) {
            agent->cut_until_ms = until_ms;
        } else if (agent->mode == AGENT_RUNNING) {
            enter(world, i, AGENT_CRASHED,
                  rng_chance(rng, 80) ? until_ms - run->now_ms + rng_between(rng, 0, heartbeat_ms) : 0,
                  AGENT_RUNNING);
            schedule(world, i);
        }
    }
}

void world_act(struct world *world)
{
    if (world->outage_ms <= world->run->now_ms)
        strike(world);
    while (heap_first(&world->due) != HEAP_NONE &&
           world->agents[heap_first(&world->due)].next_ms <= world->run->now_ms)
        act(world, heap_first(&world->due));
}

void world_calm(struct world *world)
{
    world->outage_ms = NEVER;
    for (uint32_t i = 0; i < world->run->settings.instances; i++) {
        struct agent *agent = &world->agents[i];

        agent->is_stubborn = false;
        agent->answer_count = 0;
        agent->trouble_ms = NEVER;
        agent->cut_until_ms = 0;
        memset(agent->ill_until_ms, 0, sizeof(agent->ill_until_ms));
        if (agent->mode != AGENT_STOPPED && agent->mode != AGENT_RUNNING)
            enter(world, i, AGENT_RUNNING, 0, AGENT_RUNNING);
        agent->mode_until_ms = NEVER;
        schedule(world, i);
    }
}
