#include "ctl/json.h"

#include "util/time_text.h"
#include <ctype.h>

static const char escaped_nul[] = "\\u0000";

/* Writes \ufffd over each \u0000; a backslash that is itself escaped begins no escape. */
static void replace_nuls(char *text, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (text[i] != '\\')
            continue;
        if (len - i >= sizeof(escaped_nul) - 1 && memcmp(text + i, escaped_nul, sizeof(escaped_nul) - 1) == 0)
            memcpy(text + i, "\\ufffd", sizeof(escaped_nul) - 1);
        i++;
    }
}

/* At a backslash. */
static bool is_escape(struct slice text)
{
    if (text.len < 2 || text.data[1] != 'u')
        return text.len >= 2;
    for (size_t i = 2; i < 6; i++) {
        if (i == text.len || !isxdigit((unsigned char)text.data[i]))
            return false;
    }
    return true;
}

/* cJSON skips any control as white space, and a byte order mark; what is no digit behind \u it takes for 0.
 */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return false;
        if (c != '\\')
            continue;
        if (!is_escape(slice_of(text.data + i, text.len - i)))
            return false;
        i++;
    }
    return text.len > 0 && text.data[0] != '\xef';
}

cJSON *json_read(struct slice text, struct errmsg *why)
{
    struct buf copy = BUF_INIT;
    const char *end = NULL;
    cJSON *root = NULL;

    buf_add_slice(&copy, text);
    replace_nuls(copy.data, copy.len);
    if (is_plain(text))
        root = cJSON_ParseWithLengthOpts(buf_text(&copy), copy.len + 1, &end, true);
    if (!root)
        errmsg_set(why, "no JSON");
    buf_clear(&copy);
    return root;
}

const cJSON *json_get(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;

    return cJSON_IsNull(item) ? NULL : item;
}

static struct slice text_of(const cJSON *item)
{
    return cJSON_IsString(item) ? slice_text(item->valuestring) : slice_of("", 0);
}

struct slice json_text(const cJSON *object, const char *name)
{
    return text_of(json_get(object, name));
}

bool json_number(const cJSON *object, const char *name, double *ret_number)
{
    const cJSON *item = json_get(object, name);

    if (!cJSON_IsNumber(item))
        return false;
    *ret_number = item->valuedouble;
    return true;
}

double json_number_or_0(const cJSON *object, const char *name)
{
    double number = 0;

    (void)json_number(object, name, &number);
    return number;
}

bool json_is_true(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(json_get(object, name));
}

bool json_time(const cJSON *object, const char *name, int64_t *ret_ms)
{
    return time_text_parse(json_text(object, name), ret_ms);
}

void json_add_plain(struct buf *out, const cJSON *item)
{
    if (cJSON_IsString(item))
        buf_add_slice(out, text_of(item));
    else if (cJSON_IsNumber(item))
        buf_add_double(out, item->valuedouble);
    else if (cJSON_IsBool(item))
        buf_add_text(out, cJSON_IsTrue(item) ? "yes" : "no");
}

/* ---- values as they are written; the text is known to be JSON ---- */

static size_t skip_space(struct slice text, size_t i)
{
    while (i < text.len && memchr(" \t\r\n", text.data[i], 4))
        i++;
    return i;
}

static size_t skip_string(struct slice text, size_t i)
{
    for (i++; i < text.len && text.data[i] != '"'; i++) {
        if (text.data[i] == '\\')
            i++;
    }
    return i < text.len ? i + 1 : text.len;
}

/* Behind the value at I. */
static size_t skip_value(struct slice text, size_t i)
{
    size_t depth = 0;

    while (i < text.len) {
        char c = text.data[i];

        if (c == '"') {
            i = skip_string(text, i);
        } else {
            if (depth == 0 && (c == ',' || c == '}' || c == ']'))
                return i;
            depth += c == '{' || c == '[';
            depth -= c == '}' || c == ']';
            i++;
        }
        if (depth == 0 && (c == '"' || c == '}' || c == ']'))
            return i;
    }
    return i;
}

bool json_find_raw(struct slice text, const char *name, struct slice *ret_value)
{
    size_t i = skip_space(text, 0);

    if (i >= text.len || text.data[i] != '{')
        return false;
    i = skip_space(text, i + 1);
    while (i < text.len && text.data[i] == '"') {
        size_t name_at = i, value_at;

        i = skip_string(text, i);
        value_at = skip_space(text, skip_space(text, i) + 1); /* behind the colon */
        if (slice_is(slice_of(text.data + name_at + 1, i - name_at - 2), name)) {
            *ret_value = slice_of(text.data + value_at, skip_value(text, value_at) - value_at);
            return true;
        }
        i = skip_space(text, skip_value(text, value_at));
        if (i < text.len && text.data[i] == ',')
            i = skip_space(text, i + 1);
    }
    return false;
}
