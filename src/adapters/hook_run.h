/* One try of a hook: from its start until nothing is left of its process group; where it had to be ended,
 * until nothing is left of all that it has started. */
#pragma once

#include "hook_search.h"
#include "hook_spawn.h"

#define HOOK_OUTPUT_KEEP_BYTES 4096

struct hook_run;

/* How the program itself ended. */
struct hook_exit {
    int exit_code; /* -1 where it did not exit */
    int signal;    /* that killed it, or 0 */
    bool timed_out;
    int64_t elapsed_ms;
    struct slice output;  /* the first of it; valid during the call */
    uint64_t output_lost; /* bytes read behind that, and thrown away */
    bool has_left;        /* others that it has started, which are being ended */
};

/* Called from the loop. */
struct hook_run_events {
    /* Once, when the program itself has been reaped. The input is not needed any more. */
    void (*exited)(void *ctx, const struct hook_exit *exit);
    /* Once, behind that, maybe at once: nothing is left, or what is left cannot be killed. The run may be
     * freed in it, and has to be soon. */
    void (*gone)(void *ctx);
};

/* Starts PROGRAM with INPUT, borrowed until `exited`. 0, or -errno where there is no process. */
int hook_run_new(struct loop *loop, struct hook_search *search, const struct hook_program *program,
                 struct slice input, int64_t timeout_ms, int64_t kill_after_ms,
                 const struct hook_run_events *events, void *ctx, struct hook_run **ret_run);
/* Does not end the processes. */
void hook_run_free(struct hook_run *run);

/* Ends all of it as over the time limit, but not as timed out: SIGTERM now, SIGKILL in a while. Nothing
 * where that is under way. The events come as ever, none from inside this call. */
void hook_run_stop(struct hook_run *run);

/* For the end, outside of the loop. Detaches the run from the loop, so that no event comes any more, and
 * sends SIGTERM. */
void hook_run_abort(struct hook_run *run);
void hook_run_kill(struct hook_run *run);
/* Reaps; true where nothing is left. */
bool hook_run_is_gone(struct hook_run *run);
