/* The last lines of what happened, so that a failure can be read. */
#include "run.h"
#include "util/alloc.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LINES    160
#define TEXT_MAX 1500
#define LINE_MAX (TEXT_MAX + 64)

struct trace {
    char lines[LINES][LINE_MAX];
    uint64_t count;
};

struct trace *trace_new(void)
{
    return mem_new(1, sizeof(struct trace));
}

void trace_free(struct trace *trace)
{
    free(trace);
}

void trace_reset(struct trace *trace)
{
    trace->count = 0;
}

void trace_print(const struct trace *trace)
{
    for (uint64_t i = trace->count > LINES ? trace->count - LINES : 0; i < trace->count; i++)
        (void)fprintf(stderr, "    %s\n", trace->lines[i % LINES]);
}

static void add_line(struct run *run, const char *mark, const char *text)
{
    char *line = run->trace->lines[run->trace->count++ % LINES];

    (void)snprintf(line, LINE_MAX, "%8llu +%.3f%s %.*s", (unsigned long long)run->step,
                   (double)(run->now_ms - START_MS) / 1000, mark, TEXT_MAX - 1, text);
    if (run->verbose)
        (void)fprintf(stderr, "%s\n", line);
}

void run_note(struct run *run, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    add_line(run, "", text);
}

void run_fail(struct run *run, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    add_line(run, " WRONG", text);
    run->failed = true;
}
