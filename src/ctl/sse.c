#include "ctl/sse.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

static void forget(struct buf *b)
{
    buf_reset(b, SSE_EVENT_MAX_BYTES);
}

static void replace(struct buf *b, struct slice text)
{
    forget(b);
    buf_add_slice(b, text);
}

void sse_clear(struct sse *sse)
{
    buf_clear(&sse->last_id);
    buf_clear(&sse->line);
    buf_clear(&sse->name);
    buf_clear(&sse->data);
    buf_clear(&sse->next_id);
}

void sse_restart(struct sse *sse)
{
    forget(&sse->line);
    forget(&sse->name);
    forget(&sse->data);
    replace(&sse->next_id, buf_slice(&sse->last_id));
    sse->has_data = sse->is_behind_cr = sse->is_begun = false;
}

/* An event without data moves the position and is no event. */
static bool dispatch(struct sse *sse)
{
    struct sse_event event;
    bool goes_on = true;

    replace(&sse->last_id, buf_slice(&sse->next_id));
    if (sse->has_data) {
        event = (struct sse_event){.name = sse->name.len ? buf_slice(&sse->name) : slice_text("message"),
                                   .data = buf_slice(&sse->data),
                                   .id = buf_slice(&sse->last_id)};
        goes_on = sse->on_event(sse->ctx, &event);
    }
    forget(&sse->name);
    forget(&sse->data);
    sse->has_data = false;
    return goes_on;
}

static void take_field(struct sse *sse, struct slice name, struct slice value)
{
    if (slice_is(name, "data")) {
        if (sse->has_data)
            buf_add_char(&sse->data, '\n');
        buf_add_slice(&sse->data, value);
        sse->has_data = true;
    } else if (slice_is(name, "event")) {
        replace(&sse->name, value);
    } else if (slice_is(name, "id") && !(value.len && memchr(value.data, '\0', value.len))) {
        replace(&sse->next_id, value);
    }
}

static bool take_line(struct sse *sse, struct slice line)
{
    const char *colon = line.len ? memchr(line.data, ':', line.len) : NULL;
    size_t name_len = colon ? (size_t)(colon - line.data) : line.len;
    size_t value_at = colon ? name_len + 1 : name_len;

    if (line.len == 0)
        return dispatch(sse);
    if (value_at < line.len && line.data[value_at] == ' ')
        value_at++;
    take_field(sse, slice_of(line.data, name_len), slice_of(line.data + value_at, line.len - value_at));
    return true;
}

static bool end_line(struct sse *sse)
{
    struct slice line = buf_slice(&sse->line);
    size_t mark_len = sizeof(byte_order_mark) - 1;
    bool goes_on;

    if (!sse->is_begun && line.len >= mark_len && memcmp(line.data, byte_order_mark, mark_len) == 0)
        line = slice_of(line.data + mark_len, line.len - mark_len);
    sse->is_begun = true;
    goes_on = take_line(sse, line);
    forget(&sse->line);
    return goes_on;
}

bool sse_feed(struct sse *sse, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.data[i];
        bool is_second = c == '\n' && sse->is_behind_cr;

        sse->is_behind_cr = c == '\r';
        if (is_second)
            continue;
        if (c != '\n' && c != '\r') {
            buf_add_char(&sse->line, c);
            if (sse->line.len + sse->data.len > SSE_EVENT_MAX_BYTES)
                return false;
        } else if (!end_line(sse)) {
            return false;
        }
    }
    return true;
}
