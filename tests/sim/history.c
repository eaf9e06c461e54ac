/* The last lines of what happened, so that a failure can be read. */
#include "sim.h"

#include "util/alloc.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LINES    80
#define LINE_MAX 240

struct history {
    char lines[LINES][LINE_MAX];
    uint64_t count;
};

const char *const sim_streams[STREAM_KINDS] = {STREAM_NAMES};

struct history *history_new(void)
{
    return mem_new(1, sizeof(struct history));
}

void history_free(struct history *history)
{
    free(history);
}

void history_reset(struct history *history)
{
    history->count = 0;
}

void history_print(const struct history *history)
{
    uint64_t first = history->count > LINES ? history->count - LINES : 0;

    for (uint64_t i = first; i < history->count; i++)
        (void)fprintf(stderr, "    %s\n", history->lines[i % LINES]);
}

static void PRINTF_LIKE(3, 0) add_line(struct sim *sim, const char *mark, const char *format, va_list args)
{
    char *line = sim->history->lines[sim->history->count++ % LINES];
    int len = snprintf(line, LINE_MAX, "%6llu t=%lld%s ", (unsigned long long)sim->step,
                       (long long)(sim->now_ms % 10000000), mark);

    if (len > 0 && len < LINE_MAX)
        (void)vsnprintf(line + len, (size_t)(LINE_MAX - len), format, args);
    if (sim->verbose)
        (void)fprintf(stderr, "%s\n", line);
}

void sim_note(struct sim *sim, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_line(sim, "", format, args);
    va_end(args);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_line(sim, " WRONG", format, args);
    va_end(args);
    sim->failed = true;
}
