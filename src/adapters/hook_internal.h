/* What the files of the hooks share. A request is in exactly one state, and in the lists of that state; it
 * moves only through hook_job_wait, hook_job_start and hook_job_end. */
#pragma once

#include "hook_run.h"
#include <sys/queue.h>

struct hook_search;
struct loop_timer;

enum hook_job_state {
    HOOK_JOB_NEW,
    HOOK_JOB_READY,    /* to be started as soon as there is a place: in `waiting` and in `ready` */
    HOOK_JOB_HELD,     /* may not be started now: in `waiting` */
    HOOK_JOB_RETRYING, /* until its timer fires: in `waiting` */
    HOOK_JOB_RUNNING,  /* its place has it */
    HOOK_JOB_ENDED,    /* to be told from the loop: in `ended` */
};

struct hook_job {
    TAILQ_ENTRY(hook_job) link;       /* in `waiting` or `ended` */
    TAILQ_ENTRY(hook_job) ready_link; /* in `ready` */
    struct hooks *hooks;
    enum hook_job_state state;
    uint64_t number;          /* in the order of the requests */
    struct loop_timer *timer; /* from the first pause on */
    int64_t retry_ms;         /* the next pause */
    bool is_cancelled;        /* while it runs: not to be tried again */
    bool is_stopped;          /* and its group is being ended for that */
    struct hook_program program;
    char *input; /* with its line feed */
    size_t input_len;
    char *label, *key;
    char *lane;                     /* or NULL */
    char *instance_id, *command_id; /* "": none */
    hook_may_start_fn may_start;
    hook_done_fn done;
    void *ctx;
    struct hook_result result;
};

/* One that runs, and then what it left behind. */
struct hook_place {
    TAILQ_ENTRY(hook_place) link;
    struct hooks *hooks;
    struct hook_job *job; /* NULL once the program has exited */
    char *lane;           /* the job's, or NULL */
    struct hook_run *run;
};

TAILQ_HEAD(hook_job_list, hook_job);
TAILQ_HEAD(hook_place_list, hook_place);

struct hooks {
    struct loop *loop;
    struct log *log;
    struct hook_search *search;
    struct hooks_options options;
    struct hook_job_list waiting; /* by number: what waits for its next try is before what was never tried */
    struct hook_job_list ready;   /* in the order in which they became so */
    struct hook_job_list ended;
    struct hook_place_list places;
    size_t place_count;
    uint64_t last_number;
    struct loop_timer *teller; /* tells what is in `ended` */
    struct loop_timer *asker;  /* set while any is HELD: makes them READY again, in their order */
    bool is_closing;
    struct hooks_stats stats;
};

struct hook_job *hook_job_new(struct hooks *hooks, const struct hook_request *request);
void hook_job_free(struct hook_job *job);
/* READY, HELD or RETRYING. */
void hook_job_wait(struct hook_job *job, enum hook_job_state state);
/* Ends the waiting of a job. */
void hook_job_leave(struct hook_job *job);
/* To be told; no list may have it any more. */
void hook_job_end(struct hook_job *job, enum hook_outcome outcome);
/* Starts a job that was READY; what cannot be started has failed a try, or has ended. */
void hook_job_start(struct hook_job *job);

/* Its process group, if any, is gone already, or left to itself. */
void hook_place_free(struct hook_place *place);

/* Starts what may and what there is a place for, then drops what is too much. */
void hooks_settle(struct hooks *hooks);

/* The lines of the log. EXIT is NULL where the job could not be started. */
void hook_log_try(const struct hook_job *job, const struct hook_exit *exit, bool is_last);
void hook_log_dropped(const struct hook_job *job);
void hook_log_refused(const struct hook_job *job);
