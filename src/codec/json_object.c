#include "codec/json_object.h"

#include "util/number.h"
#include <stdint.h>

#define WANTED_VALUE "a value"

struct reader {
    const char *begin, *at, *end;
    struct buf *out; /* where texts are decoded to; big enough from the beginning */
    struct errmsg *why;
    const char *fault_at; /* NULL: none, or it is about the whole */
};

const char *json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {"text", "a number", "true or false", "null", "a list or an object"};
    return names[kind];
}

static bool fail(struct reader *r, const char *what)
{
    errmsg_set(r->why, "%s", what);
    r->fault_at = r->at;
    return false;
}

/* Whoever wrote it by hand sees what stands there and what belongs there. */
static bool fail_wanting(struct reader *r, const char *wanted)
{
    r->fault_at = r->at;
    if (r->at == r->end)
        errmsg_set(r->why, "it ends where %s should be", wanted);
    else if (*r->at > ' ' && *r->at < 0x7f)
        errmsg_set(r->why, "%c where %s should be", *r->at, wanted);
    else
        errmsg_set(r->why, "something else where %s should be", wanted);
    return false;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* The next byte that is no space; 0 at the end (and for a NUL, which belongs nowhere either). */
static char peek(struct reader *r)
{
    skip_space(r);
    return r->at < r->end ? *r->at : '\0';
}

static bool take(struct reader *r, char c)
{
    if (peek(r) != c)
        return false;
    r->at++;
    return true;
}

/* Goes on behind a comma. One before CLOSE is too many, as many languages allow it and JSON does not. */
static bool take_comma(struct reader *r, char close)
{
    if (!take(r, ','))
        return false;
    const char *comma = r->at - 1;
    if (peek(r) != close)
        return true;
    errmsg_set(r->why, "a comma too many, before %c", close);
    r->fault_at = comma;
    return false;
}

static bool read_hex4(struct reader *r, uint32_t *ret_code)
{
    uint32_t code = 0;
    if (r->end - r->at < 4)
        return fail(r, "not four hex digits");
    for (int i = 0; i < 4; i++) {
        int digit = number_hex_digit(r->at[i]);
        if (digit < 0)
            return fail(r, "not four hex digits");
        code = code << 4 | (uint32_t)digit;
    }
    r->at += 4;
    *ret_code = code;
    return true;
}

static void add_code(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_add_char(out, (char)code);
    } else if (code < 0x800) {
        buf_add_char(out, (char)(0xc0 | code >> 6));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        buf_add_char(out, (char)(0xe0 | code >> 12));
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    } else {
        buf_add_char(out, (char)(0xf0 | code >> 18));
        buf_add_char(out, (char)(0x80 | (code >> 12 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    }
}

/* Behind `\u`: one character, from two escapes where it needs them. Half of such a pair is U+FFFD. */
static bool read_unicode(struct reader *r)
{
    uint32_t code, low;
    if (!read_hex4(r, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
        const char *before = r->at;
        r->at += 2;
        if (!read_hex4(r, &low))
            return false;
        if (low >= 0xdc00 && low < 0xe000)
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        else
            r->at = before;
    }
    add_code(r->out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
    return true;
}

static bool read_escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = r->at < r->end ? *r->at : '\0';
    const char *known = c ? strchr(from, c) : NULL;
    if (c == 'u') {
        r->at++;
        return read_unicode(r);
    }
    if (!known)
        return fail(r, "an unknown escape");
    buf_add_char(r->out, to[known - from]);
    r->at++;
    return true;
}

static bool read_text(struct reader *r, struct slice *ret_text)
{
    size_t start = r->out->len;
    if (!take(r, '"'))
        return fail_wanting(r, "a name in double quotes");
    for (;;) {
        const char *plain = r->at;
        while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (unsigned char)*r->at >= 0x20)
            r->at++;
        buf_add(r->out, plain, (size_t)(r->at - plain));
        if (r->at == r->end)
            return fail(r, "a text without end");
        if (*r->at != '"' && *r->at != '\\')
            return fail(r, "a control character in a text");
        if (*r->at++ == '"')
            break;
        if (!read_escape(r))
            return false;
    }
    /* The buffer does not move: a text never decodes to more bytes than it was written in. */
    *ret_text = slice_of(r->out->data + start, r->out->len - start);
    return true;
}

static bool read_digits(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > start || fail(r, "no digit");
}

static bool next_is(const struct reader *r, const char *set)
{
    return r->at < r->end && *r->at && strchr(set, *r->at);
}

static bool read_number(struct reader *r, struct slice *ret_text)
{
    const char *start = r->at;
    if (next_is(r, "-"))
        r->at++;
    if (next_is(r, "0"))
        r->at++;
    else if (!read_digits(r))
        return false;
    if (next_is(r, ".")) {
        r->at++;
        if (!read_digits(r))
            return false;
    }
    if (next_is(r, "eE")) {
        r->at++;
        if (next_is(r, "+-"))
            r->at++;
        if (!read_digits(r))
            return false;
    }
    *ret_text = slice_of(start, (size_t)(r->at - start));
    return true;
}

static bool read_word(struct reader *r, const char *word, struct slice *ret_text)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return fail_wanting(r, WANTED_VALUE);
    *ret_text = slice_of(r->at, len);
    r->at += len;
    return true;
}

static bool read_value(struct reader *r, unsigned depth, struct json_member *member);

/* Behind the bracket. What is in it is read, and forgotten. */
static bool skip_nested(struct reader *r, bool is_object, unsigned depth)
{
    char close = is_object ? '}' : ']';
    size_t kept = r->out->len;
    if (depth == JSON_DEPTH_MAX)
        return fail(r, "nested too deeply");
    if (take(r, close))
        return true;
    do {
        struct json_member member;
        if (is_object && (!read_text(r, &member.name) || !(take(r, ':') || fail_wanting(r, "a colon"))))
            return false;
        if (!read_value(r, depth + 1, &member))
            return false;
        r->out->len = kept;
    } while (take_comma(r, close));
    return !r->fault_at && (take(r, close) || fail_wanting(r, is_object ? "a comma or }" : "a comma or ]"));
}

static bool read_value(struct reader *r, unsigned depth, struct json_member *member)
{
    char c = peek(r);
    member->value = slice_of("", 0);
    if (c == '"') {
        member->kind = JSON_TEXT;
        return read_text(r, &member->value);
    }
    if (c == '{' || c == '[') {
        const char *start = r->at++;
        member->kind = JSON_NESTED;
        if (!skip_nested(r, c == '{', depth))
            return false;
        member->value = slice_of(start, (size_t)(r->at - start));
        return true;
    }
    if (c == 't' || c == 'f') {
        member->kind = JSON_BOOL;
        return read_word(r, c == 't' ? "true" : "false", &member->value);
    }
    if (c == 'n') {
        member->kind = JSON_NULL;
        return read_word(r, "null", &member->value);
    }
    member->kind = JSON_NUMBER;
    if (c != '-' && !(c >= '0' && c <= '9'))
        return fail_wanting(r, WANTED_VALUE);
    return read_number(r, &member->value);
}

static bool is_new(const struct json_object *object, struct slice name)
{
    for (size_t i = 0; i < object->count; i++) {
        if (slice_equal(object->members[i].name, name))
            return false;
    }
    return true;
}

static bool read_member(struct reader *r, struct json_object *object)
{
    if (object->count == JSON_MEMBERS_MAX)
        return fail(r, "too many members");
    struct json_member *member = &object->members[object->count];
    if (!read_text(r, &member->name))
        return false;
    if (!is_new(object, member->name)) {
        errmsg_set(r->why, "%.*s: there twice", (int)(member->name.len < 64 ? member->name.len : 64),
                   member->name.data);
        return false;
    }
    if (!take(r, ':'))
        return fail_wanting(r, "a colon");
    if (!read_value(r, 1, member))
        return false;
    object->count++;
    return true;
}

static bool read_object(struct reader *r, struct json_object *object)
{
    if (!take(r, '{'))
        return fail_wanting(r, "the { of a JSON object");
    if (!take(r, '}')) {
        do {
            if (!read_member(r, object))
                return false;
        } while (take_comma(r, '}'));
        if (r->fault_at || !(take(r, '}') || fail_wanting(r, "a comma or }")))
            return false;
    }
    skip_space(r);
    return r->at == r->end || fail(r, "something behind the object");
}

/* *ret_at is SIZE_MAX where the fault has no place. */
static bool parse(struct json_object *object, struct slice text, struct errmsg *why, size_t *ret_at)
{
    *object = (struct json_object){.scratch = BUF_INIT};
    struct reader r = {text.data, text.data, text.data + text.len, &object->scratch, why, NULL};
    if (text.len == 0) {
        r.begin = r.at = r.end = "";
    }
    (void)buf_reserve(&object->scratch, text.len + 1);
    if (read_object(&r, object))
        return true;
    json_object_clear(object);
    *ret_at = r.fault_at ? (size_t)(r.fault_at - r.begin) : SIZE_MAX;
    return false;
}

bool json_object_parse(struct json_object *object, struct slice text, struct errmsg *why)
{
    struct errmsg what;
    size_t at;
    if (parse(object, text, &what, &at))
        return true;
    if (at == SIZE_MAX)
        *why = what;
    else
        errmsg_set(why, "%s, at byte %zu", what.text, at + 1);
    return false;
}

bool json_find_fault(struct slice text, size_t *ret_at, struct errmsg *ret_what)
{
    struct json_object object;
    struct errmsg what;
    size_t at;
    if (parse(&object, text, &what, &at)) {
        json_object_clear(&object);
        return false;
    }
    if (at == SIZE_MAX)
        return false;
    *ret_what = what;
    *ret_at = at;
    return true;
}

void json_object_clear(struct json_object *object)
{
    buf_clear(&object->scratch);
    object->count = 0;
}

const struct json_member *json_object_find(const struct json_object *object, const char *name)
{
    for (size_t i = 0; i < object->count; i++) {
        if (slice_is(object->members[i].name, name))
            return &object->members[i];
    }
    return NULL;
}
