/* Text for a terminal. What comes from outside may be any bytes; what is shown of it moves no cursor, changes
 * no colour and has no line breaks: controls, and the marks that turn the direction of writing, are shown as
 * escapes (\n, \x1b, \u202e), invalid UTF-8 as U+FFFD. */
#pragma once

#include "util/buf.h"

/* Appends what is shown of TEXT. */
void text_add_shown(struct buf *out, struct slice text);

/* JSON that is safe on a terminal: the same value, with every character that is dangerous there as \uXXXX. */
void text_add_shown_json(struct buf *out, struct slice json);

/* Columns that TEXT, which is shown text, takes on a terminal. */
size_t text_width(struct slice text);

/* Appends shown TEXT, cut to WIDTH columns; an ellipsis stands for what is missing. */
void text_add_cut(struct buf *out, struct slice text, size_t width);

/* Appends shown TEXT in lines of at most WIDTH columns, parted at spaces where there are any; the first
 * begins at column FIRST, the others behind INDENT spaces. WIDTH 0: one line. No line break at the end. */
void text_add_wrapped(struct buf *out, struct slice text, size_t first, size_t indent, size_t width);

void text_add_spaces(struct buf *out, size_t count);
