#include "codec/json_text.h"
#include "util/alloc.h"
#include "util/utf8.h"
#include <stdlib.h>

static void add_escaped(struct buf *out, struct slice text)
{
    static const char hex[] = "0123456789abcdef";
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            buf_add_char(out, '\\');
            buf_add_char(out, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            char code[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            buf_add(out, code, sizeof code);
        } else {
            buf_add_char(out, (char)c);
        }
    }
    buf_add_char(out, '"');
}

void json_add_string(struct buf *out, struct slice text)
{
    if (utf8_is_valid(text)) {
        add_escaped(out, text);
        return;
    }
    char *mended = mem_new(text.len * 3, 1);
    add_escaped(out, slice_of(mended, utf8_sanitize(mended, text.len * 3, text)));
    free(mended);
}
