/* record: what comes in and what comes of it, as JSON lines, for --backtest and for people. */
#include "codec/json_text.h"
#include "ctl/follow.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct recording {
    struct ctl *ctl;
    FILE *file;
    const char *name;
    uint64_t lines;
};

/* A line that a crash has left without its end is ended. */
static bool end_last_line(FILE *file)
{
    char last = '\n';

    if (fseek(file, -1, SEEK_END) == 0 && fread(&last, 1, 1, file) == 1 && last != '\n')
        return fseek(file, 0, SEEK_END) == 0 && fputc('\n', file) != EOF;
    return true; /* empty, or nothing that one can go back in */
}

static bool open_file(struct recording *recording)
{
    int fd;

    if (strcmp(recording->name, "-") == 0) {
        recording->file = stdout;
        return true;
    }
    fd = open(recording->name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    recording->file = fd >= 0 ? fdopen(fd, "a+") : NULL;
    if (recording->file && end_last_line(recording->file))
        return true;
    ctl_complain("%s: %s", recording->name, strerror(errno));
    return false;
}

static bool write_line(struct recording *recording, struct buf *line)
{
    bool is_written;

    buf_add_char(line, '\n');
    is_written = fwrite(line->data, 1, line->len, recording->file) == line->len;
    is_written = fflush(recording->file) == 0 && is_written;
    if (!is_written)
        ctl_complain("%s: %s", recording->name, strerror(errno));
    recording->lines += is_written;
    return is_written;
}

/* A line in which something is missing: a reader must not take it for a time in which nothing came. */
static bool write_gap(struct recording *recording, const char *stream)
{
    struct buf line = BUF_INIT;
    bool goes_on;

    buf_add_format(&line, "{\"stream\":\"%s\",\"gap\":true}", stream);
    goes_on = write_line(recording, &line);
    buf_clear(&line);
    return goes_on;
}

/* In the form in which the tap tells of the other streams. */
static bool on_event(void *ctx, const struct sse_event *event)
{
    struct buf line = BUF_INIT;
    bool goes_on = true;

    if (slice_is(event->name, "gap"))
        return write_gap(ctx, "events");
    buf_add_text(&line, "{\"stream\":\"events\",\"id\":");
    json_add_string(&line, event->id);
    buf_add_text(&line, ",\"fields\":");
    if (follow_add_json(&line, event, false)) {
        buf_add_char(&line, '}');
        goes_on = write_line(ctx, &line);
    }
    buf_clear(&line);
    return goes_on;
}

static bool on_entry(void *ctx, const struct sse_event *event)
{
    struct buf line = BUF_INIT;
    bool goes_on = !follow_add_json(&line, event, false) || write_line(ctx, &line);

    buf_clear(&line);
    return goes_on;
}

/* The tap tells nothing twice: what was read meanwhile is not there. */
static bool on_tap_return(void *ctx)
{
    return write_gap(ctx, "reports") && write_gap(ctx, "signals") && write_gap(ctx, "results");
}

int cmd_record(struct ctl *ctl)
{
    struct recording recording = {.ctl = ctl, .name = ctl->options.words[0]};
    struct follow follows[] = {
        {.path = "/api/v1/events", .sse = {.on_event = on_event, .ctx = &recording}},
        {.path = "/api/v1/tap?state=1",
         .sse = {.on_event = on_entry, .ctx = &recording},
         .on_return = on_tap_return},
    };
    int code;

    if (!open_file(&recording))
        return CTL_USAGE;
    if (!ctl->client.token)
        ctl_complain("no --token-file: events only, neither reports nor signals nor results");
    code = follow_run(ctl, follows, ctl->client.token ? 2 : 1);
    if (fclose(recording.file) != 0 && code == CTL_DONE)
        code = CTL_REFUSED;
    ctl_complain("%llu lines", (unsigned long long)recording.lines);
    return code;
}
