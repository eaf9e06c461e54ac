/* What UTF-8 is: no overlong forms, no surrogates, nothing above U+10FFFF. */
#include "util/utf8.h"

static const char replacement[] = "\xef\xbf\xbd";

static bool is_within(char c, unsigned low, unsigned high)
{
    return (unsigned char)c >= low && (unsigned char)c <= high;
}

/* The length of the character of two bytes or more at AT, of which LEFT are there; 0 where it is not one. The
 * limits of the second byte rule out what is overlong, a surrogate or too large. */
static size_t multibyte_len(const char *at, size_t left)
{
    unsigned char lead = (unsigned char)*at;
    unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

    if (lead < 0xc2 || lead > 0xf4 || left < len || !is_within(at[1], low, high))
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (!is_within(at[i], 0x80, 0xbf))
            return 0;
    }
    return len;
}

static size_t character_len(const char *at, size_t left)
{
    return (unsigned char)*at < 0x80 ? 1 : multibyte_len(at, left);
}

bool utf8_is_valid(struct slice text)
{
    for (size_t i = 0; i < text.len;) {
        size_t len = character_len(text.data + i, text.len - i);

        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

size_t utf8_sanitize(char *out, size_t room, struct slice text)
{
    size_t written = 0;

    for (size_t i = 0; i < text.len;) {
        size_t len = character_len(text.data + i, text.len - i);
        const char *from = len > 0 ? text.data + i : replacement;
        size_t out_len = len > 0 ? len : sizeof(replacement) - 1;

        if (out_len > room - written)
            break;
        memcpy(out + written, from, out_len);
        written += out_len;
        i += len > 0 ? len : 1;
    }
    return written;
}
