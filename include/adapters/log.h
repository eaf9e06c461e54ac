/* The log: one line an event to one file descriptor, as logfmt, JSON or for the journal (SPEC §12).
 *
 * Never blocks: the descriptor is non-blocking (opened anew through /proc/self/fd where that works, so that
 * the flag is not shared with other processes), lines wait in a bounded buffer, and beyond it they are
 * dropped and counted; the count is logged when the reader goes on. A message that goes on repeating with the
 * same KEY is held back and its count logged afterwards. Values from outside are escaped: a line is always
 * one line. */
#pragma once

#include "util/slice.h"
#include <stdint.h>

enum log_level { LOG_DEBUG_LEVEL, LOG_INFO_LEVEL, LOG_WARN_LEVEL, LOG_ERROR_LEVEL };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL };

struct loop;
struct log;

enum log_value_kind { LOG_VALUE_TEXT, LOG_VALUE_INTEGER, LOG_VALUE_NUMBER };

/* One name=value of a line. NAME is ours: a literal of letters, digits and underscores; NULL: left out. */
struct log_field {
    const char *name;
    enum log_value_kind kind;
    struct slice text;
    int64_t integer;
    double number;
};

static inline struct log_field log_slice(const char *name, struct slice value)
{
    return (struct log_field){.name = name, .kind = LOG_VALUE_TEXT, .text = value};
}

static inline struct log_field log_text(const char *name, const char *value)
{
    return log_slice(name, slice_text(value));
}

static inline struct log_field log_int(const char *name, int64_t value)
{
    return (struct log_field){.name = name, .kind = LOG_VALUE_INTEGER, .integer = value};
}

static inline struct log_field log_number(const char *name, double value)
{
    return (struct log_field){.name = name, .kind = LOG_VALUE_NUMBER, .number = value};
}

/* Writes to FD (not closed by log_free). LOOP may be NULL: then lines are written at once as far as FD takes
 * them. Never NULL. Level info and format auto (the journal's where $JOURNAL_STREAM names FD, else logfmt)
 * until log_configure. */
struct log *log_new(struct loop *loop, int fd);
/* Writes what still waits, as far as the reader takes it at once, and frees. NULL is fine. */
void log_free(struct log *log);
void log_configure(struct log *log, enum log_level level, enum log_format format);

/* `ts=… level=… msg=MSG name=value…`. Of a value the first 4 KiB are written, with an ellipsis behind them.
 * LOG may be NULL: nothing is written. The line has been handed to the system when this returns, unless the
 * reader is behind. */
void log_write(struct log *log, enum log_level level, const char *msg, const struct log_field *fields,
               size_t count);
/* The same for a state change or anything else that has an event name: `event=EVENT` in place of `msg=`. */
void log_event(struct log *log, enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

/* Like log_write for what may repeat. Of lines with the same MSG and KEY (may be empty) the first is written
 * as it comes, and so is one more within 10 s that is not sooner than 1 s behind it; one each 5 s always is.
 * What comes more often is collapsed: the N that are held back become one line, the last of them with
 * `repeated=N` behind it, after 1 s, then every 10 s while it repeats. At most 256 keys are remembered at a
 * time; beyond that lines are written as they come. */
void log_write_limited(struct log *log, enum log_level level, struct slice key, const char *msg,
                       const struct log_field *fields, size_t count);

/* Changes the 10 s; to be called before the first of such lines. */
void log_set_repeat_ms(struct log *log, int64_t repeat_ms);

/* LOG(log, WARN, "msg", log_text("a", b), …) with at least one field. */
#define LOG(log, level, msg, ...)                                                                            \
    log_write(log, LOG_##level##_LEVEL, msg, (const struct log_field[]){__VA_ARGS__},                        \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define LOG_LIMITED(log, level, key, msg, ...)                                                               \
    log_write_limited(log, LOG_##level##_LEVEL, key, msg, (const struct log_field[]){__VA_ARGS__},           \
                      sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* Writes at once what repeated and is held back: before a line that says that it is over. */
void log_tell_repeats(struct log *log);

/* Lines dropped because the reader did not keep up, since log_new. */
uint64_t log_dropped_lines(const struct log *log);
