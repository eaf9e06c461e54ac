/* Standard output and standard error. */
#include "ctl/command.h"
#include "ctl/text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void ctl_complain(const char *format, ...)
{
    char text[4096];
    struct buf line = BUF_INIT;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* what does not fit is left out */
    va_end(args);
    buf_add_text(&line, "mt5statectl: ");
    text_add_shown(&line, slice_text(text));
    (void)fprintf(stderr, "%s\n", buf_text(&line));
    buf_clear(&line);
}

int ctl_flush(struct ctl *ctl)
{
    bool is_written = ctl->out.len == 0 || fwrite(ctl->out.data, 1, ctl->out.len, stdout) == ctl->out.len;

    is_written = fflush(stdout) == 0 && is_written;
    if (!is_written && errno != EPIPE) /* whoever read it has seen enough */
        ctl_complain("standard output: %s", strerror(errno));
    buf_reset(&ctl->out, 1 << 20);
    return is_written ? CTL_DONE : CTL_REFUSED;
}

void ctl_add_json(struct ctl *ctl, struct slice json)
{
    if (ctl->terminal.is_terminal)
        text_add_shown_json(&ctl->out, json);
    else
        buf_add_slice(&ctl->out, json);
}
