/* The lines of a file, one after the other, in bounded memory. */
#pragma once

#include "util/buf.h"
#include <stdbool.h>

/* No entry that the daemon hands on is longer: all fields at their most, escaped. */
#define BACKTEST_LINE_MAX ((size_t)1 << 20)

struct backtest_lines {
    int fd;
    struct buf data;
    size_t at; /* where the next line begins in data */
    bool has_ended;
    uint64_t number;   /* of the line that was given last, from 1 */
    uint64_t too_long; /* lines that were left out for it */
    bool is_cut;       /* the line that was given last had no end */
};

/* Opens PATH; -errno (-EISDIR for a directory). */
int backtest_lines_open(struct backtest_lines *lines, const char *path);
void backtest_lines_close(struct backtest_lines *lines);
/* The next line without its newline, borrowed until the next call; empty ones are passed over. 1, 0 behind
 * the last, or -errno. */
int backtest_lines_next(struct backtest_lines *lines, struct slice *ret_line);
