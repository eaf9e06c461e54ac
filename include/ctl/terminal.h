/* What standard output is: its width, and whether colours are welcome. */
#pragma once

#include "util/buf.h"

struct terminal {
    bool is_terminal; /* else nothing is cut, wrapped or painted */
    bool has_colour;
    size_t width; /* columns; 0: no limit */
};

enum paint { PAINT_NONE, PAINT_STRONG, PAINT_FAINT, PAINT_GOOD, PAINT_WARN, PAINT_BAD, PAINT_BUSY };

/* Looks at the descriptor FD, $COLUMNS, $NO_COLOR and $TERM. */
void terminal_look(struct terminal *terminal, int fd);

/* Appends TEXT, which is shown text, in a colour. */
void terminal_add(const struct terminal *terminal, struct buf *out, enum paint paint, struct slice text);

/* The colour of a state, a health, a severity or the status of an alert; PAINT_NONE for any other word. */
enum paint paint_of(struct slice word);
