/* One try of a hook. The program's exit comes as an event of its pidfd; where the system gives none, and for
 * the rest of its group, which has none, a timer asks.
 *
 * The number of a process group is not given to anybody else while the group has members. A process with that
 * number, once the program itself was reaped, is therefore a stranger, and the group is gone: that is looked
 * at before each signal and each wait.
 *
 * One that is ended, at its time limit or because it was stopped, goes with all that it has started, in
 * whatever group that is: `sought`, from the first signal on. What one that ended by itself has detached is
 * left alone. */
#include "hook_run.h"

#include "adapters/loop.h"
#include "util/alloc.h"
#include "util/macros.h"
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How often is asked for what has no event. */
#define ASK_MS 20
/* What SIGKILL has not ended by then hangs in the kernel, or is not ours to kill. */
#define KILL_WAIT_MS 1000
/* What is read in one go, as much as a pipe holds; and the pause behind it, so that a hook that prints
 * without end is held to 6 MiB/s and not given the whole processor. */
#define READ_MAX_BYTES ((size_t)64 * 1024)
#define READ_PAUSE_MS  10

enum run_phase {
    RUN_WORKING,
    RUN_ASKED,       /* over its time limit, or stopped: SIGTERM was sent to the group */
    RUN_KILLED,      /* SIGKILL was */
    RUN_LEFT,        /* the program has exited, the rest of the group got SIGTERM */
    RUN_LEFT_KILLED, /* and SIGKILL */
};

struct hook_run {
    struct loop *loop;
    struct hook_run_events events;
    void *ctx;
    struct hook_process process; /* descriptors are -1 once closed */
    struct hook_search *search;
    struct hook_sought sought;
    enum run_phase phase;
    int64_t started_ms, due_ms; /* when the phase ends */
    int64_t kill_after_ms;
    bool timed_out;
    bool is_ended;                                /* by us */
    struct event *on_exit, *on_input, *on_output; /* NULL once their descriptor is closed */
    struct loop_timer *timer, *pause;
    struct slice input; /* what is not written yet */
    char output[HOOK_OUTPUT_KEEP_BYTES];
    size_t output_len;
    uint64_t output_lost;
};

static void close_watched(struct event **event, int *fd)
{
    if (*event)
        event_free(*event);
    *event = NULL;
    if (*fd >= 0)
        (void)close(*fd); /* pipes and pidfds: nothing is lost */
    *fd = -1;
}

static void close_all(struct hook_run *run)
{
    close_watched(&run->on_exit, &run->process.pid_fd);
    close_watched(&run->on_input, &run->process.input_fd);
    close_watched(&run->on_output, &run->process.output_fd);
    loop_timer_stop(run->pause);
}

static bool is_reaped(const struct hook_run *run)
{
    return run->phase >= RUN_LEFT;
}

static bool is_killed(const struct hook_run *run)
{
    return run->phase == RUN_KILLED || run->phase == RUN_LEFT_KILLED;
}

/* False where nobody is left; SIGNO 0 only looks. */
static bool signal_group(const struct hook_run *run, int signo)
{
    pid_t pid = run->process.pid;

    if (is_reaped(run) && (kill(pid, 0) == 0 || errno != ESRCH))
        return false;
    return kill(-pid, signo) == 0 || errno != ESRCH;
}

/* To the group, and where the run is ended by us to all else that it has started. */
static bool signal_all(struct hook_run *run, int signo)
{
    if (run->is_ended)
        hook_search_begin(run->search, &run->sought, signo);
    return signal_group(run, signo);
}

/* Orphans of the group become our children where we are the first process of a container. */
static bool group_has_left(const struct hook_run *run)
{
    if (!signal_group(run, 0))
        return false;
    while (waitpid(-run->process.pid, NULL, WNOHANG) > 0)
        continue;
    return signal_group(run, 0);
}

static bool has_left(const struct hook_run *run)
{
    return group_has_left(run) || run->sought.is_sought;
}

static void set_timer(struct hook_run *run)
{
    int64_t delay_ms = run->due_ms - loop_now_ms();
    bool has_event = run->on_exit && !is_reaped(run);

    loop_timer_set(run->timer, has_event || delay_ms < ASK_MS ? delay_ms : ASK_MS);
}

static void enter_phase(struct hook_run *run, enum run_phase phase, int64_t duration_ms)
{
    run->phase = phase;
    run->due_ms = loop_now_ms() + duration_ms;
    set_timer(run);
}

static void keep_output(struct hook_run *run, const char *data, size_t len)
{
    size_t room = sizeof(run->output) - run->output_len;
    size_t kept = len < room ? len : room;

    memcpy(run->output + run->output_len, data, kept);
    run->output_len += kept;
    run->output_lost += len - kept;
}

/* One read's worth at most; true where there may be more, or what comes is for nobody: then it can wait. */
static bool read_output(struct hook_run *run)
{
    static char scratch[READ_MAX_BYTES];
    ssize_t n = read(run->process.output_fd, scratch, sizeof(scratch));

    if (n > 0)
        keep_output(run, scratch, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close_watched(&run->on_output, &run->process.output_fd);
    return n == (ssize_t)sizeof(scratch) || (n > 0 && run->output_lost > 0);
}

static void on_output(evutil_socket_t fd, short what, void *ctx)
{
    struct hook_run *run = ctx;

    UNUSED(fd);
    UNUSED(what);
    if (!read_output(run))
        return;
    (void)event_del(run->on_output); /* of an event that is there */
    loop_timer_set(run->pause, READ_PAUSE_MS);
}

static void watch(struct event *event)
{
    if (event && event_add(event, NULL) < 0)
        mem_fail();
}

static void on_pause(void *ctx)
{
    watch(((struct hook_run *)ctx)->on_output);
}

/* One that does not want its input, or not all of it, is fine. */
static void on_input(evutil_socket_t fd, short what, void *ctx)
{
    struct hook_run *run = ctx;
    ssize_t n = write(run->process.input_fd, run->input.data, run->input.len);

    UNUSED(fd);
    UNUSED(what);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        run->input = slice_of(run->input.data + n, run->input.len - (size_t)n);
    if (n < 0 || run->input.len == 0)
        close_watched(&run->on_input, &run->process.input_fd);
}

static void enter_left(struct hook_run *run)
{
    enum run_phase before = run->phase;
    int64_t left_ms = run->due_ms - loop_now_ms();

    if (before == RUN_WORKING)
        enter_phase(run, RUN_LEFT, run->kill_after_ms);
    else /* had its signal: no time on top of what it was given */
        enter_phase(run, before == RUN_ASKED ? RUN_LEFT : RUN_LEFT_KILLED, left_ms);
}

static void finish_exit(struct hook_run *run, int status)
{
    struct hook_exit told = {
        .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .timed_out = run->timed_out,
        .elapsed_ms = loop_now_ms() - run->started_ms,
    };
    bool is_gone;

    if (run->process.output_fd >= 0)
        (void)read_output(run); /* what the program printed last; children may still hold the pipe */
    close_all(run);
    told.output = slice_of(run->output, run->output_len);
    told.output_lost = run->output_lost;
    enter_left(run);

    told.has_left = signal_all(run, run->phase == RUN_LEFT ? SIGTERM : SIGKILL) && group_has_left(run);
    is_gone = !told.has_left && !run->sought.is_sought;
    told.has_left = told.has_left || run->sought.was_found;
    if (is_gone)
        loop_timer_stop(run->timer);
    run->events.exited(run->ctx, &told);
    if (is_gone)
        run->events.gone(run->ctx);
}

/* A look that began behind the program's exit, or behind the last signal, has found nobody. */
static void on_nobody_found(void *ctx)
{
    struct hook_run *run = ctx;

    if (is_reaped(run) && !group_has_left(run))
        run->events.gone(run->ctx);
}

/* False where the program has not exited. *RET_STATUS is that of a kill where somebody else took it. */
static bool reap(const struct hook_run *run, int *ret_status)
{
    pid_t pid = waitpid(run->process.pid, ret_status, WNOHANG);

    if (pid == 0 || (pid < 0 && errno == EINTR))
        return false;
    if (pid < 0)
        *ret_status = SIGKILL;
    return true;
}

static void on_exit_event(evutil_socket_t fd, short what, void *ctx)
{
    struct hook_run *run = ctx;
    int status;

    UNUSED(fd);
    UNUSED(what);
    if (reap(run, &status))
        finish_exit(run, status);
}

void hook_run_stop(struct hook_run *run)
{
    if (run->phase != RUN_WORKING)
        return;
    run->is_ended = true;
    (void)signal_all(run, SIGTERM);
    enter_phase(run, RUN_ASKED, run->kill_after_ms);
}

static void end_phase(struct hook_run *run)
{
    switch (run->phase) {
    case RUN_WORKING:
        run->timed_out = true;
        hook_run_stop(run);
        break;
    case RUN_ASKED:
    case RUN_KILLED: /* hangs in the kernel: it keeps its place until it has exited */
        (void)signal_all(run, SIGKILL);
        enter_phase(run, RUN_KILLED, KILL_WAIT_MS);
        break;
    case RUN_LEFT:
        (void)signal_all(run, SIGKILL);
        enter_phase(run, RUN_LEFT_KILLED, KILL_WAIT_MS);
        break;
    case RUN_LEFT_KILLED:
        run->events.gone(run->ctx);
        break;
    }
}

static void on_timer(void *ctx)
{
    struct hook_run *run = ctx;
    int status;

    if (!is_reaped(run) && reap(run, &status)) /* its exit counts, even where the time is over by now */
        finish_exit(run, status);
    else if (is_reaped(run) && !has_left(run))
        run->events.gone(run->ctx);
    else if (loop_now_ms() >= run->due_ms)
        end_phase(run);
    else
        set_timer(run);
}

static struct event *event_of(const struct hook_run *run, int fd, short what, event_callback_fn fn)
{
    struct event *event =
        event_new(loop_event_base(run->loop), fd, (short)(what | EV_PERSIST), fn, (void *)run);

    if (!event)
        mem_fail();
    watch(event);
    return event;
}

int hook_run_new(struct loop *loop, struct hook_search *search, const struct hook_program *program,
                 struct slice input, int64_t timeout_ms, int64_t kill_after_ms,
                 const struct hook_run_events *events, void *ctx, struct hook_run **ret_run)
{
    struct hook_process process;
    struct hook_run *run;
    int r = hook_program_start(program, &process);

    if (r < 0)
        return r;
    run = mem_new(1, sizeof(*run));
    run->loop = loop;
    run->events = *events;
    run->ctx = ctx;
    run->process = process;
    run->search = search;
    run->sought =
        (struct hook_sought){.mark = process.mark, .group = process.pid, .over = on_nobody_found, .ctx = run};
    run->started_ms = loop_now_ms();
    run->kill_after_ms = kill_after_ms;
    run->input = input;
    run->timer = loop_timer_new(loop, on_timer, run);
    run->pause = loop_timer_new(loop, on_pause, run);
    run->on_input = event_of(run, process.input_fd, EV_WRITE, on_input);
    run->on_output = event_of(run, process.output_fd, EV_READ, on_output);
    if (process.pid_fd >= 0)
        run->on_exit = event_of(run, process.pid_fd, EV_READ, on_exit_event);
    enter_phase(run, RUN_WORKING, timeout_ms);
    *ret_run = run;
    return 0;
}

void hook_run_free(struct hook_run *run)
{
    hook_search_end(run->search, &run->sought);
    close_all(run);
    loop_timer_free(run->timer);
    loop_timer_free(run->pause);
    free(run);
}

/* The output stays open: who prints in answer to SIGTERM must not die of a broken pipe. */
void hook_run_abort(struct hook_run *run)
{
    close_watched(&run->on_exit, &run->process.pid_fd);
    close_watched(&run->on_input, &run->process.input_fd);
    if (run->on_output)
        event_free(run->on_output);
    run->on_output = NULL;
    loop_timer_stop(run->pause);
    loop_timer_stop(run->timer);
    if (run->phase == RUN_WORKING) {
        run->phase = RUN_ASKED;
        run->is_ended = true;
        (void)signal_all(run, SIGTERM);
    }
}

void hook_run_kill(struct hook_run *run)
{
    (void)signal_all(run, SIGKILL);
    run->phase = is_reaped(run) ? RUN_LEFT_KILLED : RUN_KILLED;
}

bool hook_run_is_gone(struct hook_run *run)
{
    int status;

    if (run->process.output_fd >= 0)
        (void)read_output(run);
    if (!is_reaped(run)) {
        if (!reap(run, &status))
            return false;
        run->phase = is_killed(run) ? RUN_LEFT_KILLED : RUN_LEFT;
        if (run->is_ended) /* what it had started in the meantime */
            hook_search_begin(run->search, &run->sought, run->phase == RUN_LEFT ? SIGTERM : SIGKILL);
    }
    return !has_left(run);
}
