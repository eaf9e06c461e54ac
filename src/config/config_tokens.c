/* http.tokens: bearer tokens with their roles; the secrets are read from their files when all is read. */
#include "config_type.h"
#include "config_value.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/errmsg.h"
#include <errno.h>
#include <stdlib.h>

#define TOKENS_MAX       1000
#define SECRET_MIN_BYTES 16
#define SECRET_MAX_BYTES 4096

static bool name_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct config_token *token = record;
    const char *text = text_read(loader, name, item);
    const char *fault = text ? ident_fault(text) : NULL;

    if (fault)
        loader_problem(loader, loader->where, name, "%s", fault);
    if (!text || fault)
        return false;
    text_replace(&token->name, text);
    return true;
}

static bool role_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct config_token *token = record;
    const char *text = text_read(loader, name, item);
    int role = text ? choice_find(config_role_names, text) : -1;

    if (role >= 0)
        token->role = (enum config_role)role;
    else if (text)
        tell_wrong_choice(loader, name, text, config_role_names);
    return role >= 0;
}

static bool file_apply(struct loader *loader, const char *name, const cJSON *item, void *record)
{
    struct config_token *token = record;
    const char *text = text_read(loader, name, item);

    if (text && !*text)
        loader_problem(loader, loader->where, name, "must not be empty");
    if (!text || !*text)
        return false;
    text_replace(&token->file, text);
    return true;
}

static void token_clear(void *record)
{
    struct config_token *token = record;

    free(token->name);
    free(token->file);
    if (token->secret)
        explicit_bzero(token->secret, strlen(token->secret));
    free(token->secret);
}

static const struct field token_fields[] = {
    {{"name", "identifier", NULL, "what it is called in the log; each has its own"}, name_apply, NULL},
    {{"role", "name", NULL,
      "read: what does not change anything; report: POST reports and nothing else; admin: all"},
     role_apply,
     NULL},
    {{"file", "path", NULL,
      "holds the token, 16 to 4096 printable ASCII characters; a last newline is no part of it"},
     file_apply,
     NULL},
};
const struct field_table token_table = {token_fields, ARRAY_LEN(token_fields)};

static const struct list_kind token_kind = {
    .plural = "tokens",
    .max = TOKENS_MAX,
    .size = sizeof(struct config_token),
    .table = {token_fields, ARRAY_LEN(token_fields)},
    .clear = token_clear,
};

bool tokens_apply(struct loader *loader, const struct config_key *key, const cJSON *list)
{
    struct config *config = loader->config;
    void *tokens;
    size_t count;

    if (!records_read(loader, key->name, list, &token_kind, &tokens, &count))
        return false;
    tokens_clear(config, key);
    config->http.tokens = tokens;
    config->http.token_count = count;
    return true;
}

/* Cuts the last newline off and says what is wrong with the secret, NULL where nothing is. */
static const char *secret_fault(struct buf *content)
{
    if (content->len && content->data[content->len - 1] == '\n')
        content->len--;
    if (content->len && content->data[content->len - 1] == '\r')
        content->len--;
    if (content->len == 0)
        return "is empty";
    if (content->len < SECRET_MIN_BYTES)
        return "a token has 16 bytes at least";
    for (size_t i = 0; i < content->len; i++) {
        if (content->data[i] <= ' ' || content->data[i] >= 0x7f)
            return "a token is printable ASCII without spaces";
    }
    return NULL;
}

static void read_secret(struct loader *loader, struct config_token *token, const char *origin,
                        const char *name)
{
    struct buf content = BUF_INIT;
    int error = loader_read_file(token->file, SECRET_MAX_BYTES, &content);
    const char *fault = error ? NULL : secret_fault(&content);

    if (error == -EFBIG)
        fault = "a token has 4096 bytes at most";
    else if (error)
        fault = strerror(-error);
    if (fault)
        loader_problem(loader, origin, name, "%s: %s", token->file, fault);
    else
        token->secret = mem_copy_text(content.data, content.len);
    loader_wipe(&content);
}

/* The token I must not be that of an earlier one, nor have its name. */
static void check_differs(struct loader *loader, const char *origin, size_t i)
{
    const struct config_token *tokens = loader->config->http.tokens, *token = &tokens[i];
    struct errmsg name;

    for (size_t j = 0; j < i; j++) {
        if (strcmp(token->name, tokens[j].name) == 0) {
            errmsg_set(&name, "http.tokens[%zu].name", i);
            loader_problem(loader, origin, name.text, "must differ from that of http.tokens[%zu]", j);
        }
        if (token->secret && tokens[j].secret && strcmp(token->secret, tokens[j].secret) == 0) {
            errmsg_set(&name, "http.tokens[%zu].file", i);
            loader_problem(loader, origin, name.text, "holds the same token as that of http.tokens[%zu]", j);
        }
    }
}

void tokens_check(struct loader *loader, const struct config_key *key)
{
    const char *origin = loader_origin(loader, key->name);

    for (size_t i = 0; i < loader->config->http.token_count; i++) {
        struct errmsg name;

        errmsg_set(&name, "http.tokens[%zu].file", i);
        read_secret(loader, &loader->config->http.tokens[i], origin, name.text);
        check_differs(loader, origin, i);
    }
}

void tokens_print(struct buf *out, const struct config *config, const struct config_key *key, size_t indent)
{
    UNUSED(key);
    buf_add_char(out, '[');
    for (size_t i = 0; i < config->http.token_count; i++) {
        const struct config_token *token = &config->http.tokens[i];

        if (i)
            buf_add_char(out, ',');
        print_break(out, indent + 2);
        buf_add_text(out, "{\"name\": ");
        print_text(out, token->name);
        buf_add_format(out, ", \"role\": \"%s\", \"file\": ", config_role_names[token->role]);
        print_text(out, token->file);
        buf_add_char(out, '}');
    }
    if (config->http.token_count)
        print_break(out, indent);
    buf_add_char(out, ']');
}

void tokens_clear(struct config *config, const struct config_key *key)
{
    UNUSED(key);
    records_free(&token_kind, config->http.tokens, config->http.token_count);
}
