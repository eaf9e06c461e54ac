/* One request: its waiting, its tries, its end. */
#include "hook_internal.h"

#include "adapters/loop.h"
#include "util/alloc.h"
#include <stdlib.h>
#include <string.h>

static void on_retry(void *ctx);

struct hook_job *hook_job_new(struct hooks *hooks, const struct hook_request *request)
{
    struct hook_job *job = mem_new(1, sizeof(*job));

    job->hooks = hooks;
    job->number = ++hooks->last_number;
    job->retry_ms = hooks->options.retry_first_ms;
    hook_program_init(&job->program, request->argv, request->variables, request->variable_count);
    /* The copy has room for a NUL behind it, which the line feed takes. */
    job->input = mem_copy_text(request->input.data, request->input.len);
    job->input[request->input.len] = '\n';
    job->input_len = request->input.len + 1;
    job->label = mem_copy_text(request->label, strlen(request->label));
    job->key = mem_copy_text(request->key, strlen(request->key));
    job->lane = request->lane ? mem_copy_text(request->lane, strlen(request->lane)) : NULL;
    job->instance_id = mem_copy_text(request->instance_id.data, request->instance_id.len);
    job->command_id = mem_copy_text(request->command_id.data, request->command_id.len);
    job->may_start = request->may_start;
    job->done = request->done;
    job->ctx = request->ctx;
    job->result = (struct hook_result){.label = job->label, .key = job->key, .exit_code = -1};
    return job;
}

/* What an ended one needs no more, while many may wait to be told. */
static void release_job(struct hook_job *job)
{
    hook_program_clear(&job->program);
    free(job->input);
    job->input = NULL;
    loop_timer_free(job->timer);
    job->timer = NULL;
}

void hook_job_free(struct hook_job *job)
{
    release_job(job);
    free(job->label);
    free(job->key);
    free(job->lane);
    free(job->instance_id);
    free(job->command_id);
    free(job);
}

static void insert_by_number(struct hook_job_list *list, struct hook_job *job)
{
    struct hook_job *before = TAILQ_LAST(list, hook_job_list);

    /* New ones go to the end; others to the beginning, as only what has failed too is older. */
    if (!before || before->number < job->number) {
        TAILQ_INSERT_TAIL(list, job, link);
        return;
    }
    before = TAILQ_FIRST(list);
    while (before->number < job->number)
        before = TAILQ_NEXT(before, link);
    TAILQ_INSERT_BEFORE(before, job, link);
}

static void count_waiting(struct hook_job *job, size_t change)
{
    struct hooks_stats *stats = &job->hooks->stats;

    if (job->state == HOOK_JOB_RETRYING)
        stats->retrying += change;
    else
        stats->queued += change;
}

void hook_job_wait(struct hook_job *job, enum hook_job_state state)
{
    job->state = state;
    insert_by_number(&job->hooks->waiting, job);
    if (state == HOOK_JOB_READY)
        TAILQ_INSERT_TAIL(&job->hooks->ready, job, ready_link);
    count_waiting(job, 1);
}

void hook_job_leave(struct hook_job *job)
{
    count_waiting(job, (size_t)-1);
    TAILQ_REMOVE(&job->hooks->waiting, job, link);
    if (job->state == HOOK_JOB_READY)
        TAILQ_REMOVE(&job->hooks->ready, job, ready_link);
    else if (job->state == HOOK_JOB_RETRYING)
        loop_timer_stop(job->timer);
    job->state = HOOK_JOB_NEW;
}

static void count_outcome(struct hooks_stats *stats, enum hook_outcome outcome)
{
    switch (outcome) {
    case HOOK_DONE:
        stats->done++;
        break;
    case HOOK_FAILED:
        stats->failed++;
        break;
    case HOOK_NOT_EXECUTABLE:
        stats->not_executable++;
        break;
    case HOOK_DROPPED:
        stats->dropped++;
        break;
    case HOOK_CANCELLED:
        stats->cancelled++;
        break;
    }
}

void hook_job_end(struct hook_job *job, enum hook_outcome outcome)
{
    struct hooks *hooks = job->hooks;

    count_outcome(&hooks->stats, outcome);
    release_job(job);
    job->state = HOOK_JOB_ENDED;
    job->result.outcome = outcome;
    TAILQ_INSERT_TAIL(&hooks->ended, job, link);
    loop_timer_set(hooks->teller, 0);
}

static void on_retry(void *ctx)
{
    struct hook_job *job = ctx;

    hook_job_leave(job);
    hook_job_wait(job, HOOK_JOB_READY);
    hooks_settle(job->hooks);
}

/* A try that failed in a way that may pass. EXIT is NULL where it could not be started. */
static void fail_try(struct hook_job *job, const struct hook_exit *exit)
{
    struct hooks *hooks = job->hooks;
    const struct hooks_options *o = &hooks->options;
    bool is_last = job->is_cancelled || job->result.tries >= o->tries;

    hook_log_try(job, exit, is_last);
    if (is_last) {
        hook_job_end(job, job->is_cancelled ? HOOK_CANCELLED : HOOK_FAILED);
        return;
    }
    hooks->stats.retried++;
    if (!job->timer)
        job->timer = loop_timer_new(hooks->loop, on_retry, job);
    loop_timer_set(job->timer, job->retry_ms);
    job->retry_ms = job->retry_ms > o->retry_max_ms / 2 ? o->retry_max_ms : job->retry_ms * 2;
    hook_job_wait(job, HOOK_JOB_RETRYING);
}

static void judge_exit(struct hook_job *job, const struct hook_exit *exit)
{
    job->result.exit_code = exit->exit_code;
    job->result.signal = exit->signal;
    job->result.timed_out = exit->timed_out;
    job->hooks->stats.timed_out += exit->timed_out;
    if (job->is_stopped) {
        hook_log_try(job, exit, true);
        hook_job_end(job, HOOK_CANCELLED);
        return;
    }
    if (exit->timed_out || exit->signal || exit->exit_code == 1) {
        fail_try(job, exit);
        return;
    }
    hook_log_try(job, exit, true);
    hook_job_end(job, exit->exit_code == 0 ? HOOK_DONE : HOOK_FAILED);
}

static void on_exited(void *ctx, const struct hook_exit *exit)
{
    struct hook_place *place = ctx;
    struct hook_job *job = place->job;

    place->job = NULL;
    place->hooks->stats.running--;
    judge_exit(job, exit);
    if (exit->has_left) /* else the place is free in a moment, and nobody is dropped for want of it */
        hooks_settle(place->hooks);
}

void hook_place_free(struct hook_place *place)
{
    hook_run_free(place->run);
    free(place->lane);
    free(place);
}

static void on_gone(void *ctx)
{
    struct hook_place *place = ctx;
    struct hooks *hooks = place->hooks;

    TAILQ_REMOVE(&hooks->places, place, link);
    hooks->place_count--;
    hook_place_free(place);
    hooks_settle(hooks);
}

static void refuse_start(struct hook_job *job, int error)
{
    job->result.exit_code = -1;
    job->result.signal = 0;
    job->result.timed_out = false;
    job->result.error = error;
    if (hook_error_may_pass(error)) {
        fail_try(job, NULL);
        return;
    }
    hook_log_try(job, NULL, true);
    hook_job_end(job, HOOK_NOT_EXECUTABLE);
}

void hook_job_start(struct hook_job *job)
{
    static const struct hook_run_events events = {.exited = on_exited, .gone = on_gone};
    struct hooks *hooks = job->hooks;
    struct hook_place *place = mem_new(1, sizeof(*place));
    int r;

    job->result.tries++;
    r = hook_run_new(hooks->loop, hooks->search, &job->program, slice_of(job->input, job->input_len),
                     hooks->options.timeout_ms, hooks->options.kill_after_ms, &events, place, &place->run);
    if (r < 0) {
        free(place);
        refuse_start(job, -r);
        return;
    }
    job->result.error = 0;
    job->state = HOOK_JOB_RUNNING;
    place->hooks = hooks;
    place->job = job;
    place->lane = job->lane ? mem_copy_text(job->lane, strlen(job->lane)) : NULL;
    TAILQ_INSERT_TAIL(&hooks->places, place, link);
    hooks->place_count++;
    hooks->stats.running++;
}
