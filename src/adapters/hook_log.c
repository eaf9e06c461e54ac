/* What the log says of hooks: one line a try, with what it printed. */
#include "hook_internal.h"

#include "adapters/log.h"
#include "util/errmsg.h"
#include <string.h>

#define FIELDS_MAX 10

struct line {
    struct log_field fields[FIELDS_MAX];
    size_t count;
};

static void add(struct line *line, struct log_field field)
{
    line->fields[line->count++] = field;
}

/* Which it is, how often it was tried, and REASON (may be NULL). */
static void add_job(struct line *line, const struct hook_job *job, const char *tries, const char *reason)
{
    add(line, log_text("hook", job->label));
    add(line, log_text("key", job->key));
    add(line, log_int(tries, job->result.tries));
    if (reason)
        add(line, log_text("reason", reason));
    if (job->instance_id[0])
        add(line, log_text("instance_id", job->instance_id));
    if (job->command_id[0])
        add(line, log_text("command_id", job->command_id));
}

static void say_reason(const struct hook_job *job, struct errmsg *ret_reason)
{
    const struct hook_result *result = &job->result;

    if (result->error)
        errmsg_set(ret_reason, "cannot be executed: %s", strerror(result->error));
    else if (result->timed_out)
        errmsg_set(ret_reason, "over its time limit");
    else if (result->signal)
        errmsg_set(ret_reason, "killed by signal %d", result->signal);
    else
        errmsg_set(ret_reason, "exit %d", result->exit_code);
}

static void add_output(struct line *line, const struct hook_exit *exit)
{
    struct slice output = exit->output;

    while (output.len > 0 && output.data[output.len - 1] == '\n')
        output.len--;
    if (output.len > 0)
        add(line, log_slice("output", output));
    if (exit->output_lost > 0)
        add(line, log_int("output_lost_bytes", (int64_t)exit->output_lost));
}

static void write_line(const struct hook_job *job, const struct line *line, bool failed, bool is_last)
{
    struct log *log = job->hooks->log;

    if (!failed)
        log_write(log, LOG_INFO_LEVEL, "hook done", line->fields, line->count);
    else if (job->is_stopped)
        log_write(log, LOG_INFO_LEVEL, "hook ended, was cancelled", line->fields, line->count);
    else if (job->is_cancelled)
        log_write(log, LOG_WARN_LEVEL, "hook failed, was cancelled", line->fields, line->count);
    else if (is_last)
        log_write(log, LOG_ERROR_LEVEL, "hook given up", line->fields, line->count);
    else
        log_write_limited(log, LOG_WARN_LEVEL, slice_text(job->key), "hook failed, will be tried again",
                          line->fields, line->count);
}

void hook_log_try(const struct hook_job *job, const struct hook_exit *exit, bool is_last)
{
    bool failed = job->is_stopped || !exit || exit->timed_out || exit->signal || exit->exit_code != 0;
    struct line line = {.count = 0};
    struct errmsg reason;

    if (failed)
        say_reason(job, &reason);
    add_job(&line, job, "try", failed ? reason.text : NULL);
    if (exit) {
        add(&line, log_int("elapsed_ms", exit->elapsed_ms));
        add_output(&line, exit);
        if (exit->has_left)
            add(&line, log_text("left", "processes, now ended"));
    }
    write_line(job, &line, failed, is_last);
}

void hook_log_dropped(const struct hook_job *job)
{
    struct line line = {.count = 0};

    add_job(&line, job, "tries", NULL);
    log_write_limited(job->hooks->log, LOG_WARN_LEVEL, slice_text(job->label), "hook dropped, too many wait",
                      line.fields, line.count);
}

void hook_log_refused(const struct hook_job *job)
{
    struct line line = {.count = 0};

    add_job(&line, job, "tries", NULL);
    log_write(job->hooks->log, LOG_INFO_LEVEL, "hook not run, what it was for is over", line.fields,
              line.count);
}
