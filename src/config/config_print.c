/* The effective configuration as JSON (SPEC §1.1, --print-config). What it prints loads again, but for
 * credentials. */
#include "config/config.h"

#include "config_type.h"
#include "config_value.h"

#include "util/buf.h"

/* How many bytes of NAME are its section; 0 for a key that is in none, and for none. */
static size_t section_len(const char *name)
{
    const char *dot = name ? strchr(name, '.') : NULL;

    return dot ? (size_t)(dot - name) : 0;
}

static bool shares_section(const char *a, const char *b)
{
    return section_len(a) == section_len(b) && strncmp(a, b, section_len(a)) == 0;
}

/* LAST is NULL before the first key, NEXT behind the last. */
static void end_section(struct buf *out, const char *last, const char *next)
{
    if (section_len(last) == 0 || (next && shares_section(last, next)))
        return;
    print_break(out, 2);
    buf_add_char(out, '}');
}

static void begin_section(struct buf *out, const char *last, const char *next)
{
    if (section_len(next) == 0 || (last && shares_section(last, next)))
        return;
    print_break(out, 2);
    buf_add_char(out, '"');
    buf_add(out, next, section_len(next));
    buf_add_text(out, "\": {");
}

void config_print(const struct config *config, struct buf *out)
{
    const char *last = NULL;

    buf_add_char(out, '{');
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        size_t section = section_len(key->name), indent = section ? 4 : 2;

        end_section(out, last, key->name);
        if (last)
            buf_add_char(out, ',');
        begin_section(out, last, key->name);
        print_break(out, indent);
        print_text(out, key->name + section + (section ? 1 : 0));
        buf_add_text(out, ": ");
        config_types[key->type].print(out, config, key, indent);
        last = key->name;
    }
    end_section(out, last, NULL);
    buf_add_text(out, "\n}\n");
}
