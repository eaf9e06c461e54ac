#include "ctl/terminal.h"

#include "util/macros.h"
#include "util/number.h"
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_DEFAULT 80
#define WIDTH_MIN     20
#define WIDTH_MAX     10000

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "";
}

static size_t find_width(int fd)
{
    struct winsize size;
    uint64_t width = 0;

    if (ioctl(fd, TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    if (width == 0 && !number_parse_u64(slice_text(variable("COLUMNS")), WIDTH_MAX, &width))
        width = WIDTH_DEFAULT;
    return width < WIDTH_MIN ? WIDTH_MIN : (size_t)width;
}

void terminal_look(struct terminal *terminal, int fd)
{
    *terminal = (struct terminal){.is_terminal = isatty(fd) == 1};
    if (!terminal->is_terminal)
        return;
    terminal->width = find_width(fd);
    terminal->has_colour = variable("NO_COLOR")[0] == '\0' && variable("TERM")[0] != '\0' &&
                           strcmp(variable("TERM"), "dumb") != 0;
}

void terminal_add(const struct terminal *terminal, struct buf *out, enum paint paint, struct slice text)
{
    static const char *const codes[] = {
        [PAINT_NONE] = "",   [PAINT_STRONG] = "1", [PAINT_FAINT] = "2", [PAINT_GOOD] = "32",
        [PAINT_WARN] = "33", [PAINT_BAD] = "31",   [PAINT_BUSY] = "36",
    };
    bool is_painted = terminal->has_colour && paint != PAINT_NONE && text.len > 0;

    if (is_painted)
        buf_add_format(out, "\033[%sm", codes[paint]);
    buf_add_slice(out, text);
    if (is_painted)
        buf_add_text(out, "\033[0m");
}

enum paint paint_of(struct slice word)
{
    static const struct {
        const char *word;
        enum paint paint;
    } words[] = {
        {"running", PAINT_GOOD},    {"healthy", PAINT_GOOD}, {"ready", PAINT_GOOD},
        {"crashed", PAINT_BAD},     {"critical", PAINT_BAD}, {"failed", PAINT_BAD},
        {"restarting", PAINT_BUSY}, {"warning", PAINT_WARN}, {"pending", PAINT_WARN},
        {"stopped", PAINT_FAINT},   {"firing", PAINT_BAD},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_is(word, words[i].word))
            return words[i].paint;
    }
    return PAINT_NONE;
}
