/* The queue of the hooks: who waits, who is started next, who is dropped, and who is told.
 *
 * DONE is called from the teller alone, which runs by itself in the loop: whatever it calls here finds no
 * list half changed. */
#include "hook_internal.h"

#include "adapters/log.h"
#include "adapters/loop.h"
#include "util/alloc.h"
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define KILL_AFTER_MS  5000
#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS   64000
#define TRIES          10
/* How often is asked whether what may not be started may be by now. */
#define ASK_MS 250
/* At the end of the daemon, which has 5 s in all (SPEC §1.1): for SIGTERM, for SIGKILL; and how often is
 * looked. */
#define FREE_ASK_MS  1000
#define FREE_KILL_MS 500
#define FREE_STEP_MS 5

static void accept_children(void)
{
    struct sigaction now;

    if (sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
        (void)signal(SIGCHLD, SIG_DFL); /* fails for invalid signal numbers only */
}

static void set_options(struct hooks *hooks, const struct hooks_options *options)
{
    struct hooks_options *o = &hooks->options;

    *o = *options;
    o->kill_after_ms = o->kill_after_ms ? o->kill_after_ms : KILL_AFTER_MS;
    o->retry_first_ms = o->retry_first_ms ? o->retry_first_ms : RETRY_FIRST_MS;
    o->retry_max_ms = o->retry_max_ms ? o->retry_max_ms : RETRY_MAX_MS;
    if (o->retry_max_ms < o->retry_first_ms)
        o->retry_max_ms = o->retry_first_ms;
    o->tries = o->tries ? o->tries : TRIES;
}

static void tell_job(struct hook_job *job)
{
    TAILQ_REMOVE(&job->hooks->ended, job, link);
    if (job->done)
        job->done(job->ctx, &job->result);
    hook_job_free(job);
}

/* Of those that end meanwhile none is told in this turn: a DONE that always asks anew would hold the loop. */
static void tell_ended(void *ctx)
{
    struct hooks *hooks = ctx;
    const struct hook_job *last = TAILQ_LAST(&hooks->ended, hook_job_list);
    struct hook_job *job;
    bool was_last = false;

    while (!was_last && (job = TAILQ_FIRST(&hooks->ended))) {
        was_last = job == last;
        tell_job(job);
    }
    if (!TAILQ_EMPTY(&hooks->ended))
        loop_timer_set(hooks->teller, 0);
}

/* Only the state changes: both wait, and are counted as one. */
static void ask_again(void *ctx)
{
    struct hooks *hooks = ctx;
    struct hook_job *job;

    for (job = TAILQ_FIRST(&hooks->waiting); job; job = TAILQ_NEXT(job, link)) {
        if (job->state != HOOK_JOB_HELD)
            continue;
        job->state = HOOK_JOB_READY;
        TAILQ_INSERT_TAIL(&hooks->ready, job, ready_link);
    }
    hooks_settle(hooks);
}

struct hooks *hooks_new(struct loop *loop, struct log *log, const struct hooks_options *options)
{
    struct hooks *hooks = mem_new(1, sizeof(*hooks));

    accept_children();
    hooks->loop = loop;
    hooks->log = log;
    set_options(hooks, options);
    TAILQ_INIT(&hooks->waiting);
    TAILQ_INIT(&hooks->ready);
    TAILQ_INIT(&hooks->ended);
    TAILQ_INIT(&hooks->places);
    hooks->search = hook_search_new(loop);
    hooks->teller = loop_timer_new(loop, tell_ended, hooks);
    hooks->asker = loop_timer_new(loop, ask_again, hooks);
    return hooks;
}

static bool lane_is_free(const struct hooks *hooks, const char *lane)
{
    const struct hook_place *place;

    for (place = TAILQ_FIRST(&hooks->places); lane && place; place = TAILQ_NEXT(place, link))
        if (place->lane && strcmp(place->lane, lane) == 0)
            return false;
    return true;
}

static void try_start(struct hook_job *job)
{
    struct hooks *hooks = job->hooks;
    enum hook_permission permission = job->may_start ? job->may_start(job->ctx) : HOOK_MAY_START;

    hook_job_leave(job);
    switch (permission) {
    case HOOK_MAY_START:
        hook_job_start(job);
        break;
    case HOOK_MUST_WAIT:
        hook_job_wait(job, HOOK_JOB_HELD);
        if (!loop_timer_is_set(hooks->asker))
            loop_timer_set(hooks->asker, ASK_MS);
        break;
    case HOOK_MUST_END:
        hook_log_refused(job);
        hook_job_end(job, HOOK_CANCELLED);
        break;
    }
}

void hooks_settle(struct hooks *hooks)
{
    struct hook_job *job, *next;

    if (hooks->is_closing)
        return;
    for (job = TAILQ_FIRST(&hooks->ready); job && hooks->place_count < hooks->options.max_running;
         job = next) {
        next = TAILQ_NEXT(job, ready_link);
        if (lane_is_free(hooks, job->lane))
            try_start(job);
    }
    while (hooks->stats.queued + hooks->stats.retrying > hooks->options.max_queued) {
        job = TAILQ_FIRST(&hooks->waiting);
        hook_job_leave(job);
        hook_log_dropped(job);
        hook_job_end(job, HOOK_DROPPED);
    }
}

void hooks_run(struct hooks *hooks, const struct hook_request *request)
{
    if (hooks->is_closing)
        return;
    hook_job_wait(hook_job_new(hooks, request), HOOK_JOB_READY);
    hooks_settle(hooks);
}

void hooks_configure(struct hooks *hooks, const struct hooks_options *options)
{
    set_options(hooks, options);
    hooks_settle(hooks);
}

void hooks_forget_key(struct hooks *hooks, const char *key)
{
    struct hook_job *job, *next;
    struct hook_place *place;

    for (job = TAILQ_FIRST(&hooks->waiting); job; job = next) {
        next = TAILQ_NEXT(job, link);
        if (strcmp(job->key, key) != 0)
            continue;
        hook_job_leave(job);
        hook_job_end(job, HOOK_CANCELLED);
    }
    for (place = TAILQ_FIRST(&hooks->places); place; place = TAILQ_NEXT(place, link))
        if (place->job && strcmp(place->job->key, key) == 0)
            place->job->is_cancelled = true;
}

void hooks_cancel_key(struct hooks *hooks, const char *key)
{
    struct hook_place *place;

    hooks_forget_key(hooks, key);
    for (place = TAILQ_FIRST(&hooks->places); place; place = TAILQ_NEXT(place, link)) {
        if (!place->job || strcmp(place->job->key, key) != 0)
            continue;
        place->job->is_stopped = true;
        hook_run_stop(place->run);
    }
}

struct hooks_stats hooks_stats(const struct hooks *hooks)
{
    struct hooks_stats stats = hooks->stats;

    stats.lingering = hooks->place_count - stats.running;
    return stats;
}

static void end_waiting(struct hooks *hooks)
{
    struct hook_job *job;
    struct hook_place *place;

    while ((job = TAILQ_FIRST(&hooks->waiting))) {
        hook_job_leave(job);
        hook_job_end(job, HOOK_CANCELLED);
    }
    for (place = TAILQ_FIRST(&hooks->places); place; place = TAILQ_NEXT(place, link)) {
        hook_run_abort(place->run);
        if (place->job)
            hook_job_end(place->job, HOOK_CANCELLED);
        place->job = NULL;
    }
}

static bool all_gone(struct hooks *hooks)
{
    struct hook_place *place;
    bool all = true;

    hook_search_now(hooks->search);
    for (place = TAILQ_FIRST(&hooks->places); place; place = TAILQ_NEXT(place, link))
        all = hook_run_is_gone(place->run) && all; /* each is asked: that reaps it */
    return all;
}

/* Waits until nothing is left, LIMIT_MS at most. */
static bool await_all_gone(struct hooks *hooks, int64_t limit_ms)
{
    int64_t end_ms = loop_now_ms() + limit_ms;

    while (!all_gone(hooks)) {
        if (loop_now_ms() >= end_ms)
            return false;
        (void)poll(NULL, 0, FREE_STEP_MS); /* woken early by a signal, it looks again */
    }
    return true;
}

static void end_places(struct hooks *hooks)
{
    struct hook_place *place;
    int64_t ask_ms = hooks->options.kill_after_ms;

    if (!await_all_gone(hooks, ask_ms < FREE_ASK_MS ? ask_ms : FREE_ASK_MS)) {
        for (place = TAILQ_FIRST(&hooks->places); place; place = TAILQ_NEXT(place, link))
            hook_run_kill(place->run);
        (void)await_all_gone(hooks, FREE_KILL_MS); /* what is left then is beyond us */
    }
    while ((place = TAILQ_FIRST(&hooks->places))) {
        TAILQ_REMOVE(&hooks->places, place, link);
        hook_place_free(place);
    }
}

void hooks_free(struct hooks *hooks)
{
    struct hook_job *job;

    if (!hooks)
        return;
    hooks->is_closing = true;
    end_waiting(hooks);
    end_places(hooks);
    while ((job = TAILQ_FIRST(&hooks->ended)))
        tell_job(job);
    loop_timer_free(hooks->teller);
    loop_timer_free(hooks->asker);
    hook_search_free(hooks->search);
    free(hooks);
}
