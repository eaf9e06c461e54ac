#include "app/access.h"

#define SCHEME "Bearer"

/* The token of `Bearer TOKEN`; false where the header is something else. */
static bool parse_bearer(struct slice header, struct slice *ret_token)
{
    size_t at = strlen(SCHEME);

    if (header.len <= at || !slice_is_nocase(slice_of(header.data, at), SCHEME) || header.data[at] != ' ')
        return false;
    while (at < header.len && header.data[at] == ' ')
        at++;
    *ret_token = slice_of(header.data + at, header.len - at);
    return ret_token->len > 0;
}

/* Takes as long for each GIVEN of the same length, whatever SECRET is (config lets none be empty). */
static bool is_secret(const char *secret, struct slice given)
{
    size_t len = strlen(secret);
    volatile unsigned char difference = len != given.len;

    for (size_t i = 0; i < given.len; i++)
        difference |= (unsigned char)(given.data[i] ^ secret[len ? i % len : 0]);
    return len > 0 && difference == 0;
}

static bool may(enum config_role role, enum access_need need)
{
    switch (role) {
    case CONFIG_ROLE_READ:
        return need == ACCESS_TO_READ;
    case CONFIG_ROLE_REPORT:
        return need == ACCESS_TO_REPORT;
    case CONFIG_ROLE_ADMIN:
        break;
    }
    return true;
}

enum access access_check(const struct config_token *tokens, size_t count, struct slice authorization,
                         enum access_need need, const struct config_token **ret_token)
{
    struct slice given;

    *ret_token = NULL;
    if (count == 0)
        return ACCESS_UNCONFIGURED;
    if (!parse_bearer(authorization, &given))
        return ACCESS_NO_TOKEN;
    for (size_t i = 0; i < count; i++) {
        if (is_secret(tokens[i].secret, given))
            *ret_token = &tokens[i];
    }
    if (!*ret_token)
        return ACCESS_WRONG_TOKEN;
    return may((*ret_token)->role, need) ? ACCESS_GRANTED : ACCESS_WRONG_ROLE;
}
