/* The daemon without its I/O: reads reports in order, tells the time, stores batches, runs hooks, delivers
 * notices; and is paused, killed and started again. */
#pragma once

#include "core/fleet.h"
#include "world.h"

struct run;

/* Something outside that takes its time. */
enum chore_kind { CHORE_HOOK, CHORE_NOTIFIED, CHORE_DELIVERED };
struct chore {
    enum chore_kind kind;
    int64_t at_ms;
    uint32_t agent, group, rule; /* as in struct effect */
    enum command_kind command;
    uint64_t number; /* of the command; of the change of the notice */
};

struct daemon {
    struct run *run;
    struct fleet fleet;
    bool has_fleet, is_running;
    int64_t start_ms;   /* while it is not running: when it starts again */
    int64_t started_ms; /* when it started last */
    int64_t stalled_ms; /* until when it is paused; 0: it is not */
    bool is_held;       /* by the guard */
    int64_t release_ms, released_ms;
    int64_t at_ms; /* the time that the core was given last */
    int64_t horizon_ms;
    uint64_t read_place, stored_place; /* the next entry to be read; what is acknowledged */
    int64_t commit_ms;                 /* when the open batch goes out; 0: there is none */
    int64_t pause_ms, restart_ms;
    bool is_operator;  /* an operator's order is being carried out */
    bool is_reloading; /* options have changed, and not everybody was looked at */
    int64_t quiet_ms;  /* the last time at which everything may have changed: a start, a reload, … */
    struct chore *chores;
    uint32_t chore_count, chore_cap;
    int64_t chore_ms;
    struct {
        uint64_t deaths, restarts, pauses, reloads, orders, hooks;
    } sums;
};

void daemon_init(struct daemon *daemon, struct run *run);
void daemon_clear(struct daemon *daemon);
/* Does all that is to be done at the run's time. */
void daemon_act(struct daemon *daemon);
int64_t daemon_next_ms(const struct daemon *daemon);
/* An operator asks for something at random. */
void daemon_take_order(struct daemon *daemon);
void daemon_reload(struct daemon *daemon);
/* The effects of a batch that is stored, and what was left undone by the one before. */
void daemon_add_chore(struct daemon *daemon, const struct chore *chore);
/* Nothing goes wrong any more; operators undo what they have done. */
void daemon_calm(struct daemon *daemon);
/* They start whatever is stopped. */
void daemon_start_stopped(struct daemon *daemon);

/* ---- for the files of the daemon ---- */
void daemon_start(struct daemon *daemon);
/* Between any two steps the process may be killed; true where it was. */
bool daemon_dies(struct daemon *daemon);
/* Those that are due; false where the daemon died over it. */
bool daemon_do_chores(struct daemon *daemon);
/* What a process that is gone had under way outside is begun again. */
void daemon_resume_chores(struct daemon *daemon);
