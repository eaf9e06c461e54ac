/* Levels, formats, what is dropped and what repeats. The text is log_line's, the descriptor log_sink's. */
#include "adapters/log.h"

#include "adapters/loop.h"
#include "log_line.h"
#include "log_sink.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/macros.h"
#include "util/time_text.h"
#include <stdlib.h>

#define REPEAT_MS       10000
#define PAUSE_SHARE     10 /* of that: what comes sooner behind the same line is a burst */
#define BURST_SHARE     2  /* of that: so much a line uses up of it; what is left is written at once */
#define REPEAT_KEYS     256
#define LINE_KEEP_BYTES ((size_t)16 * 1024)

/* A message that was written, and what came of it since. Times are monotonic. */
struct log_repeat {
    uint64_t id; /* hash of message and key */
    bool is_used;
    bool is_holding; /* it repeats: nothing is written before end_ms */
    enum log_level level;
    int64_t written_ms;
    int64_t used_ms; /* what was written at once counts up to here */
    int64_t end_ms;
    uint64_t count;       /* held back */
    int64_t last_wall_ms; /* of the last of them */
    struct buf body;      /* and what it said */
};

struct log {
    struct log_sink *sink;
    enum log_level level;
    enum log_format format; /* never auto */
    int fd;
    struct buf line; /* scratch */
    uint64_t dropped;
    uint64_t dropped_told;
    uint64_t notes_lost;        /* that said so */
    struct log_repeat *repeats; /* REPEAT_KEYS of them; NULL until the first */
    int64_t repeat_ms;
    struct hash_key hash_key;
    struct loop_timer *timer; /* the next end of a repeat; NULL without a loop */
    int64_t timer_ms;         /* when it fires, while it is set */
};

static void on_repeat_timer(void *ctx);
static void on_drained(void *ctx);

static enum log_format choose_format(int fd, enum log_format format)
{
    if (format != LOG_FORMAT_AUTO)
        return format;
    return log_sink_is_journal(fd) ? LOG_FORMAT_JOURNAL : LOG_FORMAT_LOGFMT;
}

struct log *log_new(struct loop *loop, int fd)
{
    struct log *log = mem_new(1, sizeof(*log));

    log->level = LOG_INFO_LEVEL;
    log->fd = fd;
    log->format = choose_format(fd, LOG_FORMAT_AUTO);
    log->repeat_ms = REPEAT_MS;
    log->hash_key = hash_key_random();
    log->sink = log_sink_new(loop, fd, on_drained, log);
    if (loop)
        log->timer = loop_timer_new(loop, on_repeat_timer, log);
    return log;
}

static uint64_t all_dropped(const struct log *log)
{
    return log->dropped + log_sink_lost_lines(log->sink) - log->notes_lost;
}

uint64_t log_dropped_lines(const struct log *log)
{
    return log ? all_dropped(log) : 0;
}

/* Puts a note where lines are missing, once there is room for it and for SIZE bytes more. */
static void tell_dropped(struct log *log, size_t size)
{
    struct buf note = BUF_INIT;
    uint64_t dropped = all_dropped(log), told = log->dropped_told;
    struct log_field field = log_int("lines", (int64_t)(dropped - log->dropped_told));

    if (dropped == log->dropped_told)
        return;
    log_line_begin(&note, log->format, LOG_WARN_LEVEL, loop_wall_ms());
    log_line_add_body(&note, log->format, "msg", "log lines dropped", &field, 1);
    log_line_end(&note, log->format);
    if (log_sink_has_room(log->sink, note.len + size)) {
        uint64_t lost = log_sink_lost_lines(log->sink);

        /* Before, since the sink may ask for another when it is through. */
        log->dropped_told = dropped;
        log_sink_add(log->sink, buf_slice(&note));
        if (log_sink_lost_lines(log->sink) != lost) {
            log->notes_lost++;
            log->dropped_told = told;
        }
    }
    buf_clear(&note);
}

static void on_drained(void *ctx)
{
    tell_dropped(ctx, 0);
}

static void write_line(struct log *log)
{
    if (!log_sink_has_room(log->sink, log->line.len))
        log_sink_retry(log->sink);
    tell_dropped(log, log->line.len);
    if (log_sink_has_room(log->sink, log->line.len))
        log_sink_add(log->sink, buf_slice(&log->line));
    else
        log->dropped++;
    buf_reset(&log->line, LINE_KEEP_BYTES);
}

static void write_fields(struct log *log, enum log_level level, const char *name, const char *text,
                         const struct log_field *fields, size_t count)
{
    log_line_begin(&log->line, log->format, level, loop_wall_ms());
    log_line_add_body(&log->line, log->format, name, text, fields, count);
    log_line_end(&log->line, log->format);
    write_line(log);
}

void log_write(struct log *log, enum log_level level, const char *msg, const struct log_field *fields,
               size_t count)
{
    if (log && level >= log->level)
        write_fields(log, level, "msg", msg, fields, count);
}

void log_event(struct log *log, enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    if (log && level >= log->level)
        write_fields(log, level, "event", event, fields, count);
}

static void write_repeat(struct log *log, struct log_repeat *repeat)
{
    char last[TIME_TEXT_MS_LEN + 1];
    struct log_field repeated = log_int("repeated", (int64_t)repeat->count);

    if (repeat->count == 0)
        return;
    log_line_begin(&log->line, log->format, repeat->level, loop_wall_ms());
    buf_add_slice(&log->line, buf_slice(&repeat->body));
    time_text_format_ms(last, repeat->last_wall_ms);
    struct log_field at = log_text("last", last);
    log_line_add_field(&log->line, log->format, &repeated);
    log_line_add_field(&log->line, log->format, &at);
    log_line_end(&log->line, log->format);
    repeat->count = 0;
    buf_clear(&repeat->body);
    write_line(log);
}

static void wake_at(struct log *log, int64_t at_ms, int64_t now_ms)
{
    if (!log->timer || (loop_timer_is_set(log->timer) && log->timer_ms <= at_ms))
        return;
    log->timer_ms = at_ms;
    loop_timer_set(log->timer, at_ms > now_ms ? at_ms - now_ms : 0);
}

/* Writes what was held back long enough. What went on repeating is held back for another time, the rest is
 * forgotten. */
static void end_repeats(struct log *log, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;

    for (size_t i = 0; log->repeats && i < REPEAT_KEYS; i++) {
        struct log_repeat *repeat = &log->repeats[i];

        if (repeat->is_used && repeat->end_ms <= now_ms) {
            repeat->is_used = repeat->is_holding = repeat->count > 0;
            repeat->end_ms = now_ms + log->repeat_ms;
            write_repeat(log, repeat);
        }
        if (repeat->is_used && repeat->end_ms < next_ms)
            next_ms = repeat->end_ms;
    }
    if (next_ms != INT64_MAX)
        wake_at(log, next_ms, now_ms);
}

static void on_repeat_timer(void *ctx)
{
    end_repeats(ctx, loop_now_ms());
}

/* The entry for ID, or a free one, or NULL where all are taken. */
static struct log_repeat *find_repeat(struct log *log, uint64_t id)
{
    struct log_repeat *unused = NULL;

    if (!log->repeats)
        log->repeats = mem_new(REPEAT_KEYS, sizeof(*log->repeats));
    for (size_t i = 0; i < REPEAT_KEYS; i++) {
        struct log_repeat *repeat = &log->repeats[i];

        if (repeat->is_used && repeat->id == id)
            return repeat;
        if (!repeat->is_used && !unused)
            unused = repeat;
    }
    return unused;
}

/* Whether one more is written as it comes: two lines in the time of a repeat are no flood, where a person
 * could have made them. */
static bool may_write(const struct log *log, const struct log_repeat *repeat, int64_t now_ms)
{
    return !repeat->is_holding && now_ms - repeat->written_ms >= log->repeat_ms / PAUSE_SHARE &&
           repeat->used_ms - now_ms <= log->repeat_ms / BURST_SHARE;
}

static void note_written(struct log *log, struct log_repeat *repeat, int64_t now_ms)
{
    int64_t from_ms = repeat->used_ms > now_ms ? repeat->used_ms : now_ms;

    repeat->written_ms = now_ms;
    repeat->used_ms = from_ms + log->repeat_ms / BURST_SHARE;
    repeat->end_ms = repeat->used_ms;
    wake_at(log, repeat->end_ms, now_ms);
}

/* Counts the line and keeps its body. The first that is held back does not wait for long: it may be the only
 * one. */
static void hold_back(struct log *log, struct log_repeat *repeat, int64_t now_ms, enum log_level level,
                      const char *msg, const struct log_field *fields, size_t count)
{
    if (!repeat->is_holding) {
        repeat->is_holding = true;
        repeat->end_ms = now_ms + log->repeat_ms / PAUSE_SHARE;
        wake_at(log, repeat->end_ms, now_ms);
    }
    repeat->count++;
    repeat->last_wall_ms = loop_wall_ms();
    repeat->level = level;
    buf_reset(&repeat->body, LINE_KEEP_BYTES);
    log_line_add_body(&repeat->body, log->format, "msg", msg, fields, count);
}

void log_write_limited(struct log *log, enum log_level level, struct slice key, const char *msg,
                       const struct log_field *fields, size_t count)
{
    if (!log || level < log->level)
        return;

    int64_t now_ms = loop_now_ms();
    uint64_t id =
        hash_bytes(log->hash_key, msg, strlen(msg)) ^ (hash_bytes(log->hash_key, key.data, key.len) * 31);

    if (!log->timer)
        end_repeats(log, now_ms);

    struct log_repeat *repeat = find_repeat(log, id);

    if (repeat && repeat->is_used && !may_write(log, repeat, now_ms)) {
        hold_back(log, repeat, now_ms, level, msg, fields, count);
        return;
    }
    if (repeat && !repeat->is_used) {
        repeat->is_used = true;
        repeat->id = id;
        repeat->used_ms = now_ms;
    }
    if (repeat)
        note_written(log, repeat, now_ms);
    log_write(log, level, msg, fields, count);
}

/* Writes all that is held back, in the format in which it was kept. */
static void forget_repeats(struct log *log)
{
    for (size_t i = 0; log->repeats && i < REPEAT_KEYS; i++) {
        write_repeat(log, &log->repeats[i]);
        buf_clear(&log->repeats[i].body);
        log->repeats[i].is_used = log->repeats[i].is_holding = false;
    }
}

void log_tell_repeats(struct log *log)
{
    for (size_t i = 0; log && log->repeats && i < REPEAT_KEYS; i++)
        write_repeat(log, &log->repeats[i]);
}

void log_set_repeat_ms(struct log *log, int64_t repeat_ms)
{
    log->repeat_ms = repeat_ms;
}

void log_configure(struct log *log, enum log_level level, enum log_format format)
{
    format = choose_format(log->fd, format);
    if (format != log->format)
        forget_repeats(log);
    log->level = level;
    log->format = format;
}

void log_free(struct log *log)
{
    if (!log)
        return;
    forget_repeats(log);
    tell_dropped(log, 0);
    loop_timer_free(log->timer);
    log_sink_free(log->sink);
    free(log->repeats);
    buf_clear(&log->line);
    free(log);
}
