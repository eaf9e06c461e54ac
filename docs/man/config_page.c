/* Writes docs/man/mt5stated.json.5.scd to standard output, with the table of keys in place of its line
 * @KEYS@: the man page says what the daemon does. */
#include "config/schema.h"
#include "util/buf.h"
#include <stdio.h>

#define MARK     "@KEYS@\n"
#define NO_LIMIT 1e8 /* who reaches a limit above it has other troubles */

/* What scdoc would take for markup. */
static void add_escaped(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (memchr("*_\\#[]<>", text.data[i], 8))
            buf_add_char(out, '\\');
        buf_add_char(out, text.data[i]);
    }
}

static void add_default(struct buf *out, const struct config_key *key)
{
    struct buf value = BUF_INIT;

    if (key->type == CONFIG_TYPE_INTEGER || key->type == CONFIG_TYPE_NUMBER)
        buf_add_double(&value, key->number_default);
    else if (key->type == CONFIG_TYPE_BOOL)
        buf_add_text(&value, key->number_default != 0 ? "true" : "false");
    else if (key->text_default && key->text_default[0])
        buf_add_text(&value, key->text_default);
    if (value.len > 0) {
        buf_add_text(out, ", default ");
        add_escaped(out, buf_slice(&value));
    }
    buf_clear(&value);
}

static void add_range(struct buf *out, const struct config_key *key)
{
    if (key->type != CONFIG_TYPE_INTEGER && key->type != CONFIG_TYPE_NUMBER)
        return;
    buf_add_text(out, key->above_min ? ", above " : ", from ");
    buf_add_double(out, key->min);
    if (key->max < NO_LIMIT) {
        buf_add_text(out, " to ");
        buf_add_double(out, key->max);
    }
}

static void add_choices(struct buf *out, const struct config_key *key)
{
    for (size_t i = 0; key->type == CONFIG_TYPE_ENUM && key->choices[i]; i++) {
        buf_add_text(out, i ? " " : ", of ");
        add_escaped(out, slice_text(key->choices[i]));
    }
}

static void add_key(struct buf *out, const struct config_key *key)
{
    buf_add_char(out, '*');
    add_escaped(out, slice_text(key->name));
    buf_add_text(out, "* (");
    add_escaped(out, slice_text(config_type_name(key->type)));
    add_choices(out, key);
    add_range(out, key);
    add_default(out, key);
    buf_add_text(out, key->reloadable ? ")\n\t" : "; needs a restart)\n\t");
    add_escaped(out, slice_text(key->meaning));
    buf_add_text(out, "\n\n");
}

/* Behind its key, one line each. */
static void add_field(struct buf *out, const struct config_key *key, size_t index)
{
    const struct config_field *field = config_field_at(key, index);
    struct buf words = BUF_INIT;

    config_field_add_words(key, index, &words);
    buf_add_text(out, "\t_");
    add_escaped(out, slice_text(field->name));
    buf_add_text(out, "_: ");
    add_escaped(out, slice_text(field->meaning));
    buf_add_text(out, " (");
    add_escaped(out, slice_text(field->value));
    if (words.len)
        buf_add_text(out, ", of ");
    add_escaped(out, buf_slice(&words));
    buf_add_text(out, field->fallback ? ", default " : ", must be there");
    if (field->fallback)
        add_escaped(out, slice_text(field->fallback));
    buf_add_text(out, ")\n\n");
    buf_clear(&words);
}

static bool read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    size_t got = 0;

    do {
        out->len += got;
        got = file ? fread(buf_reserve(out, 4096), 1, 4096, file) : 0;
    } while (got > 0);
    return file && fclose(file) == 0;
}

int main(int argc, char **argv)
{
    struct buf page = BUF_INIT, out = BUF_INIT;
    const char *mark;

    if (argc != 2 || !read_file(argv[1], &page) || !(mark = strstr(buf_text(&page), MARK)))
        return 1;
    buf_add(&out, page.data, (size_t)(mark - page.data));
    for (size_t i = 0; i < config_key_count; i++) {
        add_key(&out, &config_keys[i]);
        for (size_t field = 0; config_field_at(&config_keys[i], field); field++)
            add_field(&out, &config_keys[i], field);
    }
    buf_add_text(&out, mark + sizeof(MARK) - 1);
    if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0)
        return 1;
    buf_clear(&page);
    buf_clear(&out);
    return 0;
}
