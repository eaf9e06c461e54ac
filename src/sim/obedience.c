/* How an agent misbehaves with a command is decided by the seed and the command_id alone, so that no accident
 * of timing changes it. */
#include "obedience.h"

#include "agent.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/macros.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LATE_MAX 10000 /* in the fleet; beyond it the agents ignore what they would put off */

struct task;

struct task_row {
    const char *name;
    void (*obey)(struct agent *agent, const struct task *task);
};

/* A command that will be obeyed. */
struct task {
    struct order order;
    const struct task_row *row; /* NULL: of no known kind */
    char cancels[IDENT_COMMAND_MAX + 1];
    bool has_target;
    uint32_t target; /* number; 0: of others */
};

struct late_task {
    struct late_task *next, **at;
    struct agent *agent;
    struct task task;
};

enum conduct { CONDUCT_OBEY, CONDUCT_REFUSE, CONDUCT_IGNORE, CONDUCT_LATE };

static void answer(struct agent *agent, const struct task *task, const char *error)
{
    struct reply reply = agent_finish(agent, &task->order, error);

    agent_report(agent, &reply);
}

static void obey_restart(struct agent *agent, const struct task *task)
{
    agent_begin_restart(agent, &task->order);
}

static void obey_start(struct agent *agent, const struct task *task)
{
    if (agent->state == STATE_RUNNING)
        answer(agent, task, NULL);
    else
        obey_restart(agent, task);
}

static void obey_stop(struct agent *agent, const struct task *task)
{
    struct reply reply;

    agent_give_up_order(agent, "replaced by another command");
    reply = agent_finish(agent, &task->order, NULL);
    if (agent->state == STATE_STOPPED)
        agent_report(agent, &reply);
    else
        agent_enter(agent, STATE_STOPPED, &reply);
}

static void obey_reconnect(struct agent *agent, const struct task *task)
{
    if (agent->state != STATE_RUNNING) {
        answer(agent, task, "the terminal does not run");
        return;
    }
    troubles_cure(agent, task->row->name);
    vitals_calm(&agent->vitals, VITAL_LATENCY);
    vitals_calm(&agent->vitals, VITAL_SOCKETS);
    answer(agent, task, NULL);
}

static void obey_throttle(struct agent *agent, const struct task *task)
{
    agent->is_throttled = true;
    troubles_cure(agent, task->row->name);
    answer(agent, task, NULL);
}

static void obey_unthrottle(struct agent *agent, const struct task *task)
{
    agent->is_throttled = false;
    answer(agent, task, NULL);
}

/* Whether an instance of others runs cannot be known here. */
static const char *find_target_error(const struct agent *agent, const struct task *task)
{
    if (agent->state != STATE_RUNNING)
        return "the terminal does not run";
    if (!task->has_target)
        return "no target is named";
    if (task->target == agent->number)
        return "the target is the instance itself";
    if (task->target != 0 && agent->all->all[task->target - 1].state != STATE_RUNNING)
        return "the target does not run";
    return NULL;
}

static void obey_redistribute(struct agent *agent, const struct task *task)
{
    const char *error = find_target_error(agent, task);
    struct walk *load = &agent->vitals.walk[VITAL_LOAD];
    double before = load->value;

    if (!error) {
        troubles_cure(agent, task->row->name);
        load->value = fmin(load->value / 2, load->mean);
    }
    if (!error && task->target != 0) {
        load = &agent->all->all[task->target - 1].vitals.walk[VITAL_LOAD];
        load->value = fmin(load->value + before / 20, load->max);
    }
    answer(agent, task, error);
}

static void obey_cancel(struct agent *agent, const struct task *task)
{
    struct reply reply;

    if (task->cancels[0] == '\0' || strcmp(task->cancels, agent->restart.command_id) != 0) {
        answer(agent, task, "nothing to cancel");
        return;
    }
    reply = agent_finish(agent, &task->order, NULL);
    agent_resume(agent, "cancelled", &reply);
}

static const struct task_row rows[] = {
    {"start", obey_start},           {"restart", obey_restart},
    {"recover", obey_restart},       {"stop", obey_stop},
    {"reconnect", obey_reconnect},   {"throttle", obey_throttle},
    {"unthrottle", obey_unthrottle}, {"redistribute", obey_redistribute},
    {"cancel", obey_cancel},
};

static void obey(struct agent *agent, const struct task *task)
{
    if (task->row)
        task->row->obey(agent, task);
    else
        answer(agent, task, "unknown command");
}

static void remove_late(struct late_task *late)
{
    late->agent->all->late_count--;
    *late->at = late->next;
    if (late->next)
        late->next->at = late->at;
    free(late);
}

static void on_late_due(void *ctx, uint64_t arg, int64_t due_ms)
{
    struct late_task *late = ctx;

    (void)arg;
    (void)due_ms;
    if (late->agent->all->sim->phase != SIM_CLOSING)
        obey(late->agent, &late->task);
    remove_late(late);
}

static void put_off(struct agent *agent, const struct task *task)
{
    struct agents *agents = agent->all;
    struct sim *sim = agents->sim;
    struct late_task *late = mem_new(1, sizeof(*late));

    *late = (struct late_task){.next = agents->late, .at = &agents->late, .agent = agent, .task = *task};
    if (late->next)
        late->next->at = &late->next;
    agents->late = late;
    agents->late_count++;
    agenda_add(&sim->agenda, sim->now_ms + sim->options->command_late_ms, on_late_due, late, 0);
}

void obedience_clear(struct agents *agents)
{
    struct late_task *late = agents->late;

    agents->late = NULL;
    while (late) {
        struct late_task *next = late->next;

        free(late);
        late = next;
    }
}

static bool remember(struct agent *agent, uint64_t hash)
{
    uint64_t kept = agent->done_count < COMMANDS_KEPT ? agent->done_count : COMMANDS_KEPT;

    for (uint64_t i = 0; i < kept; i++) {
        if (agent->done[i] == hash)
            return false;
    }
    agent->done[agent->done_count++ % COMMANDS_KEPT] = hash;
    return true;
}

static enum conduct choose_conduct(const struct agents *agents, struct rng *rng)
{
    const struct options *options = agents->sim->options;
    double at = rng_unit(rng);

    if (at < options->command_refuse_share)
        return CONDUCT_REFUSE;
    at -= options->command_refuse_share;
    if (at < options->command_ignore_share)
        return CONDUCT_IGNORE;
    at -= options->command_ignore_share;
    if (at < options->command_late_share)
        return agents->late_count < LATE_MAX ? CONDUCT_LATE : CONDUCT_IGNORE;
    return CONDUCT_OBEY;
}

/* The number is larger than any that is counted up to. */
static void answer_unknown(struct agent *agent, struct rng *rng)
{
    struct order order = {.is_twice = false};
    const struct reply reply = {&order, REPLY_UNKNOWN, NULL};

    (void)snprintf(order.command_id, sizeof(order.command_id), "mt5-%u.recover.%u", agent->number,
                   4000000000U + rng_below(rng, 200000000));
    agent_report(agent, &reply);
}

static void copy_id(char out[IDENT_COMMAND_MAX + 1], struct slice id)
{
    if (!ident_is_valid(id, IDENT_COMMAND_MAX))
        return;
    memcpy(out, id.data, id.len);
    out[id.len] = '\0';
}

static struct task make_task(const struct agents *agents, const struct agent_command *command)
{
    struct task task = {.has_target = ident_is_valid(command->target, IDENT_MAX)};

    copy_id(task.order.command_id, command->command_id);
    copy_id(task.cancels, command->cancels);
    if (command->target_number <= agents->count)
        task.target = command->target_number;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (slice_is(command->command, rows[i].name))
            task.row = &rows[i];
    }
    return task;
}

static void take(struct agent *agent, const struct agent_command *command, uint64_t hash)
{
    struct agents *agents = agent->all;
    struct command_account *account = &agents->sim->account.commands;
    const struct options *options = agents->sim->options;
    struct task task = make_task(agents, command);
    struct rng rng;
    enum conduct conduct;

    rng_init(&rng, (uint64_t)options->seed + hash, RNG_COMMAND);
    conduct = choose_conduct(agents, &rng);
    if (conduct == CONDUCT_IGNORE) {
        account->ignored++;
        return;
    }
    task.order.is_twice = rng_chance(&rng, options->command_twice_share);
    if (rng_chance(&rng, options->command_unknown_share))
        answer_unknown(agent, &rng);
    if (conduct == CONDUCT_REFUSE) {
        const struct reply reply = {&task.order, REPLY_FAILED, "refused by chance"};

        account->refused++;
        agent_report(agent, &reply);
        return;
    }
    account->under_way++;
    account->late += conduct == CONDUCT_LATE;
    if (conduct == CONDUCT_LATE)
        put_off(agent, &task);
    else
        obey(agent, &task);
}

void agents_obey(struct agents *agents, uint32_t number, const struct agent_command *command)
{
    struct command_account *account = &agents->sim->account.commands;
    struct agent *agent;
    uint64_t hash;

    if (number == 0 || number > agents->count || !ident_is_valid(command->command_id, IDENT_COMMAND_MAX) ||
        agents->sim->phase == SIM_CLOSING)
        return;
    agent = &agents->all[number - 1];
    hash = hash_bytes((struct hash_key){3, 4}, command->command_id.data, command->command_id.len);
    account->read++;
    if (agent->is_silent || agent->state == STATE_NONE)
        account->missed++;
    else if (command->is_expired)
        account->expired++;
    else if (!remember(agent, hash))
        account->repeated++;
    else
        take(agent, command, hash);
}
