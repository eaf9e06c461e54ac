/* One agent: a small state machine over its instance. What was put on the agenda for a state that has ended
 * since is known by the agent's generation. */
#pragma once

#include "agents.h"
#include "core/ident.h"
#include "trouble.h"
#include "vitals.h"

#define COMMANDS_KEPT 32

/* A command that the agent has taken on. */
struct order {
    char command_id[IDENT_COMMAND_MAX + 1]; /* empty: none */
    bool is_twice;                          /* each of its answers is written twice */
};

/* What a report says about an order. */
struct reply {
    const struct order *order;
    enum reply_kind kind;
    const char *error; /* NULL: none */
};

struct agent {
    struct agents *all;
    struct rng rng;
    uint32_t number;           /* from 1 */
    enum instance_state state; /* STATE_NONE until its first report */
    uint32_t generation;
    bool is_silent, crashes, is_throttled, reports_uptime, is_doomed, is_in_outage;
    int64_t running_since_ms;
    uint64_t restarts;
    const char *last_error;
    struct vitals vitals;
    struct trouble_state troubles[TROUBLES];
    struct order restart;         /* that the present restart will answer */
    enum instance_state before;   /* where it goes back to if that is cancelled */
    uint64_t done[COMMANDS_KEPT]; /* hashes of command_ids, a ring */
    uint64_t done_count;
};

/* It has not been started yet. */
void agent_init(struct agent *agent, struct agents *all, uint32_t number);

/* FN(agent, ARG) after DELAY_MS. */
void agent_plan(struct agent *agent, double delay_ms, agenda_fn fn, uint64_t arg);
/* One step of its numbers. */
void agent_walk(struct agent *agent);
/* A report at once. REPLY may be NULL. A silent agent writes nothing. */
void agent_report(struct agent *agent, const struct reply *reply);

/* To running as a new process, with a report at once, as of the next two. */
void agent_come_up(struct agent *agent, const struct reply *reply);
void agent_crash(struct agent *agent, const char *error, const struct reply *reply);
/* To STOPPED or RESTARTING. */
void agent_enter(struct agent *agent, enum instance_state state, const struct reply *reply);

/* A restart for ORDER, which is answered with accepted now and once more at its end. */
void agent_begin_restart(struct agent *agent, const struct order *order);
/* The order under way, if any, is answered with failed and WHY; the restart itself goes on. */
void agent_give_up_order(struct agent *agent, const char *why);
/* Gives the order up and goes back to what the agent was doing before. */
void agent_resume(struct agent *agent, const char *why, const struct reply *reply);
/* Counts ORDER as ended and returns its last reply, which borrows it. */
struct reply agent_finish(struct agent *agent, const struct order *order, const char *error);
