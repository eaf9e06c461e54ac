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

enum access access_to_read(const struct config_token *tokens, size_t count, struct slice authorization)
{
    struct slice given;
    enum access access = ACCESS_WRONG_TOKEN;

    if (count == 0)
        return ACCESS_UNCONFIGURED;
    if (!parse_bearer(authorization, &given))
        return ACCESS_NO_TOKEN;
    for (size_t i = 0; i < count; i++) {
        if (is_secret(tokens[i].secret, given))
            access = tokens[i].role == CONFIG_ROLE_REPORT ? ACCESS_WRONG_ROLE : ACCESS_GRANTED;
    }
    return access;
}
