/* Finds what a hook has started, also where that has left its process group (setsid, daemons): by a mark that
 * its program wears from the start on and that everything made by it inherits.
 *
 * The mark is an unguessable number as the soft limit RLIMIT_LOCKS, which has meant nothing since
 * Linux 2.4.25. A process can change its own, as it can clear its environment and close its descriptors, but
 * nothing does without wanting to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct loop;
struct hook_search;

/* A mark that nobody else wears, above 0; 0 where the limits of this process leave no room for one. */
uint64_t hook_mark_draw(void);
/* Until hook_mark_doff this process wears MARK, so whatever it starts does. False where that is refused.
 * *RET_BEFORE is for hook_mark_doff. */
bool hook_mark_don(uint64_t mark, uint64_t *ret_before);
void hook_mark_doff(uint64_t before);

/* One run whose processes are to go. Those of GROUP are not looked for: they are found without. */
struct hook_sought {
    uint64_t mark;
    pid_t group;
    void (*over)(void *ctx); /* from the loop: a whole look has found nobody; the sought one may be freed */
    void *ctx;
    /* The search's own: */
    TAILQ_ENTRY(hook_sought) link;
    bool is_sought; /* in the list */
    bool was_found; /* somebody was, ever */
    bool is_late;   /* asked for when the look that goes on had begun: the next one counts */
    bool is_clean;  /* the look that has just ended found nobody */
    int signo;      /* what whoever is found gets; 0: nothing any more */
    size_t found;   /* by the look that goes on */
};

/* One for all hooks: one look through /proc finds the processes of all runs. A look is made in slices of a
 * few milliseconds, with turns of the loop between them. */
struct hook_search *hook_search_new(struct loop *loop);
/* Nobody may be sought any more. NULL is fine. */
void hook_search_free(struct hook_search *search);

/* Sends SIGNO to all processes with the mark, and looks again until none is left; SIGTERM once, SIGKILL at
 * each look, and then to a whole process group at once. Replaces what was asked for before. Nothing without a
 * mark. */
void hook_search_begin(struct hook_search *search, struct hook_sought *sought, int signo);
/* Nothing where it is not sought. */
void hook_search_end(struct hook_search *search, struct hook_sought *sought);

/* For the end, outside of the loop: one look for all that are sought, in one go. `over` is not called. */
void hook_search_now(struct hook_search *search);
