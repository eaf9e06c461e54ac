/* Hooks of commands and notifications (SPEC §7.3): run once what they are about is stored, at least once over
 * restarts; what becomes of them is told to core.
 *
 * Of one alert one hook `notify` is under way at a time: what changes meanwhile is told when it has ended, so
 * that nobody hears of an end first and of the beginning afterwards. Of one instance one hook of a command
 * runs at a time.
 *
 * Before each try it is asked again whether it may run now: not without the lease; not while the guard holds,
 * nor where an automatic command would be held back; never where its command has ended or expired. What ends
 * while Redis is away is told to core when it is back. */
#pragma once

#include "codec/batch.h"
#include <sys/queue.h>

struct daemon;
struct hooks;
struct hook_call;

struct hook_calls {
    struct daemon *d;
    struct hooks *hooks;
    TAILQ_HEAD(hook_call_list, hook_call) live; /* that core waits for */
    uint64_t notified, not_notified, dropped;   /* notifications: done, given up, pushed out of the queue */
};

void hook_calls_init(struct hook_calls *calls, struct daemon *d);
void hook_calls_clear(struct hook_calls *calls);
void hook_calls_configure(struct hook_calls *calls);
/* The state they belong to is given up: none is begun or tried again. What runs runs on, for nobody. */
void hook_calls_reset(struct hook_calls *calls);

/* What a stored batch holds. */
void hook_calls_command(struct hook_calls *calls, const struct batch *batch,
                        const struct batch_command *command);
void hook_calls_notice(struct hook_calls *calls, const struct batch *batch,
                       const struct batch_notice *notice);
/* The command COMMAND_ID has ended: its hook is not tried again, and where it was not done (IS_DONE: it has
 * ended as `ok`, which may be what the hook has brought about) the hook is ended if it runs. */
void hook_calls_forget(struct hook_calls *calls, struct slice command_id, bool is_done);
/* The state is loaded: what had not come to its end is run again. */
void hook_calls_resume(struct hook_calls *calls);
/* Redis is back, with the state that is held: what has ended meanwhile is told. */
void hook_calls_go_on(struct hook_calls *calls);
