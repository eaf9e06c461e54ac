/* Executors: consumers of one group over the stream of signals, each on a link of its own, as real ones are.
 *
 * A signal is executed at most once: what was delivered again (a second entry, a delivery whose answer was
 * lost) is known by its number. What an earlier run has left pending is acknowledged and not executed: it may
 * have been. */
#pragma once

#include "answers.h"

struct loop;
struct redis_link_options;
struct executor;

#define FOREIGN_IDS 4096 /* the newest ids of others that are remembered */

struct executors {
    struct sim *sim;
    struct signals *signals;
    struct answers *answers;
    const char *stream, *group;
    struct executor *all;
    size_t count;
    bool is_draining;
    uint64_t foreign[FOREIGN_IDS]; /* hashes, a ring */
    uint64_t foreign_count;
    void (*on_progress)(void *ctx);
    void *ctx;
};

void executors_init(struct executors *executors, struct sim *sim, struct signals *signals,
                    struct answers *answers);
/* Connects them; ON_PROGRESS is called behind each of their reads. */
void executors_start(struct executors *executors, struct loop *loop, const struct redis_link_options *link,
                     void (*on_progress)(void *ctx), void *ctx);
void executors_clear(struct executors *executors);
/* Goes on reading where that was put off. */
void executors_resume(struct executors *executors);

/* From now on a read that finds nothing counts as the end. */
void executors_begin_drain(struct executors *executors);
/* Each has found the end since then. */
bool executors_are_drained(const struct executors *executors);
