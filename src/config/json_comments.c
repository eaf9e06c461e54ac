/* Comments and `\u0000` in JSON text. */
#include "config/json_comments.h"

#include <string.h>

#define NUL_ESCAPE "\\u0000"
#define MARK       "\xef\xbf\xbf" /* U+FFFF */

/* The position behind the string that begins (with its quote) at AT. */
static size_t skip_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++) {
        if (text[at] == '\\')
            at++;
    }
    return at < len ? at + 1 : len;
}

static size_t blank_line(char *text, size_t len, size_t at)
{
    while (at < len && text[at] != '\n')
        text[at++] = ' ';
    return at;
}

/* Returns LEN + 1 where the comment does not end. */
static size_t blank_block(char *text, size_t len, size_t at)
{
    const char *end = memmem(text + at + 2, len - at - 2, "*/", 2);
    size_t behind = end ? (size_t)(end - text) + 2 : len + 1;

    for (; at < behind && at < len; at++) {
        if (text[at] != '\n')
            text[at] = ' ';
    }
    return behind;
}

bool json_blank_comments(char *text, size_t len, size_t *ret_bad)
{
    size_t at = 0;

    while (at < len) {
        size_t start = at;

        if (text[at] == '"') {
            at = skip_string(text, len, at);
        } else if (text[at] == '/' && at + 1 < len && text[at + 1] == '/') {
            at = blank_line(text, len, at);
        } else if (text[at] == '/' && at + 1 < len && text[at + 1] == '*') {
            at = blank_block(text, len, at);
        } else {
            at++;
        }
        if (at > len) {
            *ret_bad = start;
            return false;
        }
    }
    return true;
}

void json_mark_nuls(char *text, size_t len)
{
    bool in_string = false;

    for (size_t at = 0; at < len; at++) {
        if (text[at] == '"') {
            in_string = !in_string;
        } else if (in_string && text[at] == '\\') {
            if (len - at >= strlen(NUL_ESCAPE) && memcmp(text + at, NUL_ESCAPE, strlen(NUL_ESCAPE)) == 0)
                memset(text + at + 2, 'f', 4);
            at++;
        }
    }
}

bool json_text_is_marked(const char *text)
{
    return strstr(text, MARK) != NULL;
}

size_t json_line_of(const char *text, size_t at)
{
    size_t line = 1;

    for (size_t i = 0; i < at; i++)
        line += text[i] == '\n';
    return line;
}

size_t json_column_of(const char *text, size_t at)
{
    size_t column = 1;

    while (at > 0 && text[--at] != '\n')
        column++;
    return column;
}
