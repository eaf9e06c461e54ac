#include "ctl/text.h"

#include "util/utf8.h"
#include <locale.h>
#include <wchar.h>
#include <wctype.h>

/* The names of characters as glibc knows them, whatever the user's locale; 0 where the system has none. It is
 * set for this thread and for characters only, so numbers are written as ever. */
static void use_characters(void)
{
    static locale_t characters;

    if (characters)
        return;
    characters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (characters)
        (void)uselocale(characters);
}

/* The character at AT, which is valid UTF-8. */
static uint32_t decode(const char *at, size_t *ret_len)
{
    unsigned char lead = (unsigned char)*at;
    size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t character = len == 1 ? lead : lead & (0x7fU >> len);

    for (size_t i = 1; i < len; i++)
        character = (character << 6) | ((unsigned char)at[i] & 0x3fU);
    *ret_len = len;
    return character;
}

/* Marks that no terminal needs, and that make text look like other text. */
static bool is_mark(uint32_t c)
{
    return c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
           (c >= 0xe0000 && c <= 0xe007f);
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

static size_t width_of(uint32_t c)
{
    int width = c < 0x7f ? 1 : wcwidth((wchar_t)c);

    return width < 0 ? 1 : (size_t)width;
}

static void add_escape(struct buf *out, uint32_t c)
{
    if (c == '\n')
        buf_add_text(out, "\\n");
    else if (c == '\r')
        buf_add_text(out, "\\r");
    else if (c == '\t')
        buf_add_text(out, "\\t");
    else if (c < 0x80)
        buf_add_format(out, "\\x%02x", c);
    else
        buf_add_format(out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
}

/* TEXT with every byte that is no UTF-8 replaced; the caller clears it. */
static struct buf mend(struct slice text)
{
    struct buf mended = BUF_INIT;
    size_t room = 3 * text.len + 1;

    mended.len = utf8_sanitize(buf_reserve(&mended, room), room, text);
    return mended;
}

void text_add_shown(struct buf *out, struct slice text)
{
    struct buf mended = mend(text);
    size_t len;

    for (size_t i = 0; i < mended.len; i += len) {
        uint32_t c = decode(mended.data + i, &len);

        if (is_control(c) || is_mark(c))
            add_escape(out, c);
        else
            buf_add(out, mended.data + i, len);
    }
    buf_clear(&mended);
}

static void add_json_escape(struct buf *out, uint32_t c)
{
    if (c > 0xffff)
        buf_add_format(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
    else
        buf_add_format(out, "\\u%04x", c);
}

void text_add_shown_json(struct buf *out, struct slice json)
{
    struct buf mended = mend(json);
    size_t len;

    for (size_t i = 0; i < mended.len; i += len) {
        uint32_t c = decode(mended.data + i, &len);

        if (c == '\r') /* white space, but a terminal would write over the line */
            buf_add_char(out, ' ');
        else if ((is_control(c) && c != '\n' && c != '\t') || is_mark(c))
            add_json_escape(out, c);
        else
            buf_add(out, mended.data + i, len);
    }
    buf_clear(&mended);
}

size_t text_width(struct slice text)
{
    size_t width = 0, len;

    use_characters();
    for (size_t i = 0; i < text.len; i += len)
        width += width_of(decode(text.data + i, &len));
    return width;
}

/* How many bytes of TEXT fit into WIDTH columns. */
static size_t fit(struct slice text, size_t width)
{
    size_t used = 0, len, i;

    use_characters();
    for (i = 0; i < text.len; i += len) {
        used += width_of(decode(text.data + i, &len));
        if (used > width)
            break;
    }
    return i;
}

void text_add_cut(struct buf *out, struct slice text, size_t width)
{
    size_t kept = fit(text, width);

    if (kept == text.len) {
        buf_add_slice(out, text);
    } else if (width > 0) {
        buf_add(out, text.data, fit(text, width - 1));
        buf_add_text(out, "…");
    }
}

void text_add_spaces(struct buf *out, size_t count)
{
    while (count-- > 0)
        buf_add_char(out, ' ');
}

/* Where a line that holds LEN bytes of TEXT is best ended: behind the last word that is whole. */
static size_t line_end(struct slice text, size_t len)
{
    size_t end = len;

    if (len == text.len || text.data[len] == ' ')
        return len;
    while (end > 0 && text.data[end - 1] != ' ')
        end--;
    return end > 0 ? end : len;
}

static size_t without_spaces(struct slice text, size_t len)
{
    while (len > 0 && text.data[len - 1] == ' ')
        len--;
    return len;
}

void text_add_wrapped(struct buf *out, struct slice text, size_t first, size_t indent, size_t width)
{
    size_t at = first;

    while (text.len > 0) {
        size_t room = width > at + 8 ? width - at : 8; /* in a narrower one everything is a line */
        size_t len = width ? fit(text, room) : text.len;

        if (len == 0) /* one character that is wider than all */
            (void)decode(text.data, &len);
        len = line_end(text, len);
        buf_add(out, text.data, width ? without_spaces(text, len) : len);
        while (len < text.len && text.data[len] == ' ')
            len++;
        text = slice_of(text.data + len, text.len - len);
        if (text.len == 0)
            return;
        buf_add_char(out, '\n');
        text_add_spaces(out, indent);
        at = indent;
    }
}
