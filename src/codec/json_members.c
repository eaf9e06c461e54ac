#include "json_members.h"

#include "codec/json_text.h"
#include "util/time_text.h"
#include <math.h>

void json_add_comma(struct buf *out)
{
    char last = out->len > 0 ? out->data[out->len - 1] : '[';

    if (last != '{' && last != '[')
        buf_add_char(out, ',');
}

void json_add_name(struct buf *out, const char *name)
{
    json_add_comma(out);
    buf_add_char(out, '"');
    buf_add_text(out, name);
    buf_add_text(out, "\":");
}

void json_add_text_member(struct buf *out, const char *name, struct slice text)
{
    json_add_name(out, name);
    json_add_string(out, text);
}

void json_add_text_member_if(struct buf *out, const char *name, struct slice text)
{
    if (text.len > 0)
        json_add_text_member(out, name, text);
}

void json_add_text_member_or_null(struct buf *out, const char *name, struct slice text)
{
    json_add_name(out, name);
    if (text.len > 0)
        json_add_string(out, text);
    else
        buf_add_text(out, "null");
}

void json_add_number_member(struct buf *out, const char *name, double value)
{
    json_add_name(out, name);
    if (isfinite(value))
        buf_add_double(out, value);
    else
        buf_add_text(out, "null");
}

void json_add_integer_member(struct buf *out, const char *name, int64_t value)
{
    json_add_name(out, name);
    buf_add_i64(out, value);
}

void json_add_bool_member(struct buf *out, const char *name, bool value)
{
    json_add_name(out, name);
    buf_add_text(out, value ? "true" : "false");
}

void json_add_time_member(struct buf *out, const char *name, int64_t ms)
{
    char text[TIME_TEXT_LEN + 1];

    time_text_format(text, ms);
    json_add_text_member(out, name, slice_of(text, TIME_TEXT_LEN));
}

void json_add_time_ms_member(struct buf *out, const char *name, int64_t ms)
{
    char text[TIME_TEXT_MS_LEN + 1];

    time_text_format_ms(text, ms);
    json_add_text_member(out, name, slice_of(text, TIME_TEXT_MS_LEN));
}
