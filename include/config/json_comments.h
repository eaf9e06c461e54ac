/* JSON as people write it in configuration files, made fit for a parser that knows the standard only.
 *
 * Both functions change TEXT in place and leave its length and every newline where they were, so that a
 * position in it still has its line number. Neither needs TEXT to be valid JSON. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Blanks `//` and block comments outside of strings. False where a block comment does not end; *ret_bad is
 * then where it began. */
bool json_blank_comments(char *text, size_t len, size_t *ret_bad);

/* cJSON cuts a string at `\u0000`. Replaces that escape by `\uffff`, which no text of ours may hold, so that
 * it is still to be seen, at the key it belongs to, after parsing (json_text_is_marked). */
void json_mark_nuls(char *text, size_t len);
bool json_text_is_marked(const char *text);

/* The line, from 1, on which TEXT[AT] is. */
size_t json_line_of(const char *text, size_t at);
/* The column, from 1, in which TEXT[AT] is: bytes behind the last newline. */
size_t json_column_of(const char *text, size_t at);
