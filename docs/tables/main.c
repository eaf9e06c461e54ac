/* tables [--check] DOCUMENT...
 *
 * Puts the tables of the code into documents: each line `<!-- WHAT FIRST -->` up to the next `<!-- end -->`
 * gets what `kinds` names, and all else stays as it is. With --check nothing is written, and a document that
 * would change is an error. */
#include "tables.h"
#include "util/macros.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_BEGIN "<!-- "
#define MARK_END   " -->\n"
#define CLOSE      "<!-- end -->\n"

static const struct kind {
    const char *name;
    table_fn *add;
} kinds[] = {
    {"keys", keys_add},   {"fields", fields_add},     {"members", members_add},
    {"rules", rules_add}, {"families", families_add},
};

struct mark {
    const struct kind *kind;
    struct slice first;
};

static const struct kind *kind_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (slice_is(name, kinds[i].name))
            return &kinds[i];
    }
    return NULL;
}

static struct slice behind(struct slice text, size_t len)
{
    return slice_of(text.data + len, text.len - len);
}

/* LINE as a mark; false where it is none. */
static bool mark_parse(struct slice line, struct mark *ret_mark)
{
    size_t begin = strlen(MARK_BEGIN), end = strlen(MARK_END);
    struct slice inside;
    const char *space;

    if (line.len <= begin + end || memcmp(line.data, MARK_BEGIN, begin) != 0 ||
        memcmp(line.data + line.len - end, MARK_END, end) != 0)
        return false;
    inside = slice_of(line.data + begin, line.len - begin - end);
    space = memchr(inside.data, ' ', inside.len);
    if (!space)
        return false;
    ret_mark->kind = kind_find(slice_of(inside.data, (size_t)(space - inside.data)));
    ret_mark->first = behind(inside, (size_t)(space - inside.data) + 1);
    return ret_mark->kind != NULL;
}

/* Cuts a line off TEXT, its newline included. */
static struct slice line_cut(struct slice *text)
{
    const char *end = memchr(text->data, '\n', text->len);
    struct slice line = slice_of(text->data, end ? (size_t)(end - text->data) + 1 : text->len);

    *text = behind(*text, line.len);
    return line;
}

bool marks_have(const struct marks *marks, const char *name)
{
    struct buf mark = BUF_INIT;
    bool found;

    buf_add_format(&mark, "\n" MARK_BEGIN "%s %s" MARK_END, marks->kind, name);
    found = memmem(marks->document.data, marks->document.len, mark.data, mark.len) != NULL;
    buf_clear(&mark);
    return found;
}

static bool text_skip_table(struct slice *text)
{
    while (text->len) {
        if (slice_is(line_cut(text), CLOSE))
            return true;
    }
    return false;
}

static bool document_fill(const char *path, struct slice text, struct buf *out)
{
    struct marks marks = {.document = text};

    while (text.len) {
        struct slice line = line_cut(&text);
        struct mark mark;

        buf_add_slice(out, line);
        if (!mark_parse(line, &mark))
            continue;
        marks.kind = mark.kind->name;
        if (!mark.kind->add(out, mark.first, &marks) || !text_skip_table(&text)) {
            (void)fprintf(stderr, "%s: no such table, or no end of it: %.*s", path, (int)line.len, line.data);
            return false;
        }
        buf_add_text(out, CLOSE);
    }
    return true;
}

static bool file_read(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    size_t got = 0;

    do {
        out->len += got;
        got = file ? fread(buf_reserve(out, 65536), 1, 65536, file) : 0;
    } while (got > 0);
    return file && fclose(file) == 0;
}

static bool file_write(const char *path, const struct buf *text)
{
    FILE *file = fopen(path, "we");
    bool is_written = file && fwrite(text->data, 1, text->len, file) == text->len;

    return file && fclose(file) == 0 && is_written;
}

static bool document_update(const char *path, bool is_check)
{
    struct buf old = BUF_INIT, new = BUF_INIT;
    bool good = file_read(path, &old);

    if (!good)
        perror(path);
    good = good && document_fill(path, buf_slice(&old), &new);
    if (good && !slice_equal(buf_slice(&old), buf_slice(&new))) {
        good = !is_check && file_write(path, &new);
        if (!good)
            (void)fprintf(stderr, "%s is not what the code says: scripts/generate-docs\n", path);
    }
    buf_clear(&old);
    buf_clear(&new);
    return good;
}

int main(int argc, char **argv)
{
    bool is_check = argc > 1 && strcmp(argv[1], "--check") == 0, good = argc > 1 + is_check;

    for (int i = 1 + is_check; i < argc; i++)
        good &= document_update(argv[i], is_check);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
