#include "codec/event_json.h"
#include "codec/json_text.h"
#include "util/number.h"

void event_json_add_members(struct buf *out, const struct slice *names, const struct slice *values,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_char(out, ',');
        json_add_string(out, names[i]);
        buf_add_char(out, ':');
        uint64_t seq;
        if (slice_is(names[i], "seq") && number_parse_u64(values[i], UINT64_MAX, &seq))
            buf_add_u64(out, seq);
        else
            json_add_string(out, values[i]);
    }
}

void event_json_add(struct buf *out, const struct slice *names, const struct slice *values, size_t count)
{
    buf_add_char(out, '{');
    event_json_add_members(out, names, values, count);
    buf_add_char(out, '}');
}
