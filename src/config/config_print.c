/* The effective configuration as JSON (SPEC §1.1, --print-config). What it prints loads again, but for
 * credentials. */
#include "config/config.h"

#include "config/schema.h"
#include "config/url.h"
#include "util/buf.h"

static void print_text(struct buf *out, const char *text)
{
    buf_add_char(out, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *c); /* there are no control characters: loading refuses them */
    }
    buf_add_char(out, '"');
}

static void print_url(struct buf *out, const char *url)
{
    struct buf shown = BUF_INIT;

    redis_url_redact(url, &shown);
    print_text(out, buf_text(&shown));
    buf_clear(&shown);
}

static void print_tokens(struct buf *out, const struct config *config)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < config->http.token_count; i++) {
        const struct config_token *token = &config->http.tokens[i];

        buf_add_text(out, i ? ",\n      {\"name\": " : "\n      {\"name\": ");
        print_text(out, token->name);
        buf_add_format(out, ", \"role\": \"%s\", \"file\": ", config_role_names[token->role]);
        print_text(out, token->file);
        buf_add_char(out, '}');
    }
    buf_add_text(out, config->http.token_count ? "\n    ]" : "]");
}

static void print_value(struct buf *out, const struct config *config, const struct config_key *key)
{
    switch (key->type) {
    case CONFIG_TYPE_INTEGER:
        buf_add_i64(out, *config_integer_at(config, key));
        break;
    case CONFIG_TYPE_NUMBER:
        buf_add_double(out, *config_number_at(config, key));
        break;
    case CONFIG_TYPE_BOOL:
        buf_add_text(out, *config_bool_at(config, key) ? "true" : "false");
        break;
    case CONFIG_TYPE_ENUM:
        print_text(out, key->choices[*config_enum_at(config, key)]);
        break;
    case CONFIG_TYPE_TOKENS:
        print_tokens(out, config);
        break;
    default:
        (key->secret ? print_url : print_text)(out, *config_text_at(config, key));
        break;
    }
}

/* How many bytes of NAME are its section. */
static size_t section_len(const char *name)
{
    return strcspn(name, ".");
}

static bool shares_section(const char *a, const char *b)
{
    return section_len(a) == section_len(b) && strncmp(a, b, section_len(a)) == 0;
}

void config_print(const struct config *config, struct buf *out)
{
    const char *last = NULL;

    buf_add_text(out, "{");
    for (size_t i = 0; i < config_key_count; i++) {
        const char *name = config_keys[i].name;
        size_t section = section_len(name);

        if (!last || !shares_section(last, name)) {
            buf_add_text(out, last ? "\n  },\n  \"" : "\n  \"");
            buf_add(out, name, section);
            buf_add_text(out, "\": {\n    ");
        } else {
            buf_add_text(out, ",\n    ");
        }
        print_text(out, name + section + 1);
        buf_add_text(out, ": ");
        print_value(out, config, &config_keys[i]);
        last = name;
    }
    buf_add_text(out, "\n  }\n}\n");
}
