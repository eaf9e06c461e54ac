#include "codec/http_target.h"

#include "util/alloc.h"
#include "util/number.h"
#include <stdlib.h>

/* Decodes LEN bytes in place; false where an escape is broken or stands for NUL. */
static bool decode(char *text, size_t len, bool plus_is_space, struct slice *ret_text)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            int high = len - i > 2 ? number_hex_digit(text[i + 1]) : -1;
            int low = len - i > 2 ? number_hex_digit(text[i + 2]) : -1;

            if (high < 0 || low < 0 || high + low == 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        text[out++] = c;
    }
    *ret_text = slice_of(text, out);
    return true;
}

static const char *arg_parse(struct http_target *target, char *text, size_t len)
{
    static const char broken[] = "the query has a % without two hex digits behind it, or %00";
    char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    struct http_arg *arg = &target->args[target->arg_count];

    if (len == 0)
        return NULL;
    if (target->arg_count == HTTP_ARGS_MAX)
        return "the query has more than 32 arguments";
    arg->value = slice_of("", 0);
    if (!decode(text, name_len, true, &arg->name))
        return broken;
    if (equals && !decode(equals + 1, len - name_len - 1, true, &arg->value))
        return broken;
    target->arg_count++;
    return NULL;
}

static const char *query_parse(struct http_target *target, char *query)
{
    const char *fault = NULL;

    while (*query && !fault) {
        size_t len = strcspn(query, "&");
        char *next = query + len + (query[len] == '&');

        fault = arg_parse(target, query, len);
        query = next;
    }
    return fault;
}

const char *http_target_parse(struct http_target *target, const char *text)
{
    static const struct slice scheme = SLICE("http://");
    size_t len = strlen(text), path_len;
    char *path, *query;

    *target = (struct http_target){.text = mem_copy_text(text, len)};
    path = target->text;
    if (len >= scheme.len && slice_is_nocase(slice_of(path, scheme.len), scheme.data)) {
        target->authority = slice_of(path + scheme.len, strcspn(path + scheme.len, "/?"));
        path += scheme.len + target->authority.len;
    }
    path_len = strcspn(path, "?");
    query = path + path_len + (path[path_len] == '?');
    if (path_len == 0 && target->authority.data)
        target->path = slice_of("/", 1);
    else if (!decode(path, path_len, false, &target->path))
        return "the path has a % without two hex digits behind it, or %00";
    return query_parse(target, query);
}

void http_target_clear(struct http_target *target)
{
    free(target->text);
    *target = (struct http_target){0};
}
