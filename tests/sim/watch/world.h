/* Everybody but the daemon: terminals with their agents, outages, and the stream of reports. Knows what is
 * true, which the checks hold against what the daemon says.
 *
 * An agent reports at its period and at each change of its state. Ids are `t` and the agent's number. */
#pragma once

#include "core/command.h"
#include "core/state.h"
#include "util/heap.h"

struct run;

enum agent_mode { AGENT_RUNNING, AGENT_STOPPED, AGENT_CRASHED, AGENT_RESTARTING, AGENT_SILENT };

enum ailment { AILS_CPU, AILS_MEMORY, AILS_LATENCY, AILS_QUEUE, AILS_LOAD, AILS_SOCKETS };
#define AILMENTS 6

/* An answer that an agent is going to give, or has put into a report. */
struct answer {
    int64_t at_ms;
    enum command_kind kind;
    uint64_t number; /* 0: none */
    enum command_status status;
};
#define ANSWERS_MAX 4

struct agent {
    uint32_t broker, host;
    enum launch_mode launch_mode;
    bool is_steady;   /* nothing ever ails it, and nobody gives it orders */
    bool is_stubborn; /* a recovery does not help it for long */
    enum agent_mode mode, next_mode;
    int64_t mode_until_ms;
    int64_t ill_until_ms[AILMENTS]; /* 0: it is well */
    int64_t trouble_ms, cut_until_ms, report_ms, period_ms;
    int64_t sent_ms; /* its last report that came through */
    struct answer answers[ANSWERS_MAX];
    uint32_t answer_count;
    int64_t next_ms;
    uint32_t place;
};

/* An entry of the stream of reports. */
struct sent {
    int64_t at_ms;
    uint32_t agent;
    enum instance_state state;
    enum health health;
    uint32_t present; /* bits of enum ailment: numbers that it has */
    uint16_t values[AILMENTS];
    bool is_broken; /* to be rejected, but a heartbeat */
    struct answer answer;
};

struct world {
    struct run *run;
    struct agent *agents;
    struct heap due;
    struct sent *sent; /* from sent_first on; kept until they are acknowledged */
    uint64_t sent_first, sent_count;
    uint32_t sent_cap;
    int64_t outage_ms;
    bool is_short; /* the next report has no numbers */
    uint64_t reports;
};

void world_init(struct world *world, struct run *run);
void world_clear(struct world *world);
/* When somebody acts next. */
int64_t world_next_ms(const struct world *world);
/* Everybody who is to act by now does. */
void world_act(struct world *world);
/* Agent NUMBER reads a command. COMMAND is the number of its id, VICTIM that of what a cancel ends. */
void world_take_command(struct world *world, uint32_t number, enum command_kind kind, uint64_t command,
                        uint64_t victim, int64_t expires_ms);
/* The hook of a command has done its work. */
void world_take_hook(struct world *world, uint32_t number, enum command_kind kind);
/* The entry number PLACE, counted from the first one ever. */
const struct sent *world_sent(const struct world *world, uint64_t place);
/* All below PLACE are acknowledged. */
void world_forget_sent(struct world *world, uint64_t place);
/* From here on nothing goes wrong: everybody is well, comes back and obeys. */
void world_calm(struct world *world);

/* world_report.c */
void world_send(struct world *world, uint32_t number, const struct answer *answer);
/* True where VALUE is beyond what the rules about AILMENT tolerate. */
bool ailment_holds(enum ailment ailment, uint16_t value);

#define ID_TEXT_MAX 16
struct slice world_format_id(char out[ID_TEXT_MAX], uint32_t agent);
/* UINT32_MAX where it is no agent's. */
uint32_t world_parse_id(struct slice id);
struct slice world_format_broker(char out[ID_TEXT_MAX], uint32_t broker);
struct slice world_format_host(char out[ID_TEXT_MAX], uint32_t host);
