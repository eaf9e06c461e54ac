#include "codec/event_json.h"
#include "codec/json_text.h"

void event_json_add(struct buf *out, const struct slice *names, const struct slice *values, size_t count)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_char(out, ',');
        json_add_string(out, names[i]);
        buf_add_char(out, ':');
        if (slice_is(names[i], "seq"))
            buf_add_slice(out, values[i]);
        else
            json_add_string(out, values[i]);
    }
    buf_add_char(out, '}');
}
