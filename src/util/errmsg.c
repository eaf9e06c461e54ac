/* Error texts of a fixed size, never cut inside a character. */
#include "util/errmsg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static size_t character_len(unsigned char lead)
{
    if (lead >= 0xf0)
        return 4;
    if (lead >= 0xe0)
        return 3;
    return lead >= 0xc0 ? 2 : 1;
}

/* The length of TEXT without the character that the cut at LEN went through, if it did. */
static size_t whole_len(const char *text, size_t len)
{
    size_t lead = len;

    while (lead > 0 && len - lead < 4) {
        lead--;
        if (((unsigned char)text[lead] & 0xc0) != 0x80)
            return lead + character_len((unsigned char)text[lead]) > len ? lead : len;
    }
    return len;
}

void errmsg_set(struct errmsg *e, const char *format, ...)
{
    /* Apart from E, whose old text may well be among the arguments. */
    char text[sizeof(e->text)];
    size_t len;
    va_list args;
    int wanted;

    if (!e)
        return;
    va_start(args, format);
    wanted = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (wanted < 0)
        text[0] = '\0';
    len = strlen(text);
    if (wanted >= (int)sizeof(text))
        len = whole_len(text, len);
    memcpy(e->text, text, len);
    e->text[len] = '\0';
}
