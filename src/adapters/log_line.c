#include "log_line.h"

#include "util/macros.h"
#include "util/time_text.h"
#include "util/utf8.h"
#include <math.h>

#define VALUE_MAX_BYTES 4096
#define ELLIPSIS        "\xe2\x80\xa6"

static const struct {
    const char *name;
    char priority; /* of syslog, for the journal */
} levels[] = {
    [LOG_DEBUG_LEVEL] = {"debug", '7'},
    [LOG_INFO_LEVEL] = {"info", '6'},
    [LOG_WARN_LEVEL] = {"warning", '4'},
    [LOG_ERROR_LEVEL] = {"error", '3'},
};

/* The length of what must not stand in a line as it is, at the start of valid UTF-8: the controls of both
 * ranges and the two line separators; 0 where there is none. */
static size_t control_length(const unsigned char *at, size_t left)
{
    if (at[0] < 0x20 || at[0] == 0x7f)
        return 1;
    if (left >= 2 && at[0] == 0xc2 && at[1] < 0xa0)
        return 2;
    if (left >= 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9))
        return 3;
    return 0;
}

static void add_control(struct buf *out, const unsigned char *at, size_t len)
{
    static const struct {
        unsigned char code;
        const char *text;
    } short_forms[] = {{'\n', "\\n"}, {'\r', "\\r"}, {'\t', "\\t"}};

    for (size_t i = 0; i < ARRAY_LEN(short_forms); i++) {
        if (len == 1 && at[0] == short_forms[i].code) {
            buf_add_text(out, short_forms[i].text);
            return;
        }
    }
    buf_add_format(out, "\\u%04x", len == 1 ? at[0] : len == 2 ? at[1] : 0x2000u + (at[2] & 0x3fu));
}

static void add_quoted(struct buf *out, struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;

    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len;) {
        size_t control = control_length(bytes + i, text.len - i);

        if (control > 0) {
            add_control(out, bytes + i, control);
            i += control;
            continue;
        }
        if (bytes[i] == '"' || bytes[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, text.data[i++]);
    }
    buf_add_char(out, '"');
}

static bool needs_quotes(struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;

    for (size_t i = 0; i < text.len; i++) {
        if (bytes[i] == ' ' || bytes[i] == '"' || bytes[i] == '=' ||
            control_length(bytes + i, text.len - i) > 0)
            return true;
        if (text.len - i >= 3 && memcmp(bytes + i, "\xef\xbf\xbd", 3) == 0)
            return true; /* was not UTF-8 */
    }
    return text.len == 0;
}

/* At most MAX bytes of TEXT, without the torn character at their end. */
static struct slice cut_text(struct slice text, size_t max)
{
    size_t len = max;

    if (text.len <= max)
        return text;
    while (len > max - 4 && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len--;
    return slice_of(text.data, len);
}

static void add_text_value(struct buf *out, enum log_format format, struct slice value)
{
    char clean[VALUE_MAX_BYTES * 3 + sizeof(ELLIPSIS)];
    struct slice kept = cut_text(value, VALUE_MAX_BYTES);
    size_t len = utf8_sanitize(clean, sizeof(clean) - sizeof(ELLIPSIS), kept);

    if (kept.len < value.len) {
        memcpy(clean + len, ELLIPSIS, sizeof(ELLIPSIS) - 1);
        len += sizeof(ELLIPSIS) - 1;
    }
    if (format == LOG_FORMAT_JSON || needs_quotes(slice_of(clean, len)))
        add_quoted(out, slice_of(clean, len));
    else
        buf_add(out, clean, len);
}

static void add_name(struct buf *out, enum log_format format, const char *name)
{
    if (format == LOG_FORMAT_JSON) {
        buf_add_text(out, ",\"");
        buf_add_text(out, name);
        buf_add_text(out, "\":");
    } else {
        buf_add_char(out, ' ');
        buf_add_text(out, name);
        buf_add_char(out, '=');
    }
}

void log_line_add_field(struct buf *out, enum log_format format, const struct log_field *field)
{
    bool is_odd = field->kind == LOG_VALUE_NUMBER && !isfinite(field->number); /* JSON has no such numbers */

    add_name(out, format, field->name);
    switch (field->kind) {
    case LOG_VALUE_TEXT:
        add_text_value(out, format, field->text);
        return;
    case LOG_VALUE_INTEGER:
        buf_add_i64(out, field->integer);
        return;
    case LOG_VALUE_NUMBER:
        if (is_odd && format == LOG_FORMAT_JSON)
            buf_add_char(out, '"');
        buf_add_double(out, field->number);
        if (is_odd && format == LOG_FORMAT_JSON)
            buf_add_char(out, '"');
        return;
    }
}

void log_line_begin(struct buf *out, enum log_format format, enum log_level level, int64_t wall_ms)
{
    char ts[TIME_TEXT_MS_LEN + 1];

    time_text_format_ms(ts, wall_ms);
    if (format == LOG_FORMAT_JSON) {
        buf_add_format(out, "{\"ts\":\"%s\",\"level\":\"%s\"", ts, levels[level].name);
        return;
    }
    if (format == LOG_FORMAT_JOURNAL)
        buf_add_format(out, "<%c>", levels[level].priority);
    buf_add_format(out, "ts=%s level=%s", ts, levels[level].name);
}

void log_line_add_body(struct buf *out, enum log_format format, const char *name, const char *text,
                       const struct log_field *fields, size_t count)
{
    struct log_field first = log_text(name, text);

    log_line_add_field(out, format, &first);
    for (size_t i = 0; i < count; i++)
        if (fields[i].name)
            log_line_add_field(out, format, &fields[i]);
}

void log_line_end(struct buf *out, enum log_format format)
{
    buf_add_text(out, format == LOG_FORMAT_JSON ? "}\n" : "\n");
}
