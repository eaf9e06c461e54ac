#include "app/access.h"

/* Of what Basic encodes, a name, a colon and the token; longer ones are no token. */
#define BASIC_MAX 1024

/* What stands behind SCHEME; false where the header is something else. */
static bool parse_scheme(struct slice header, const char *scheme, struct slice *ret_rest)
{
    size_t at = strlen(scheme);

    if (header.len <= at || !slice_is_nocase(slice_of(header.data, at), scheme) || header.data[at] != ' ')
        return false;
    while (at < header.len && header.data[at] == ' ')
        at++;
    *ret_rest = slice_of(header.data + at, header.len - at);
    return ret_rest->len > 0;
}

/* The six bits of a letter of base64; -1 for what is none. */
static int base64_bits(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Writes what TEXT encodes to OUT; false where it is no base64 or more than fits. */
static bool base64_decode(struct slice text, char out[BASIC_MAX], size_t *ret_len)
{
    size_t len = 0;
    unsigned bits = 0, count = 0;

    if (text.len % 4 != 0 || text.len / 4 * 3 > BASIC_MAX)
        return false;
    for (int padding = 0; padding < 2 && text.len > 0 && text.data[text.len - 1] == '='; padding++)
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        int six = base64_bits(text.data[i]);

        if (six < 0)
            return false;
        bits = (bits << 6 | (unsigned)six) & 0xffff;
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        out[len++] = (char)(unsigned char)(bits >> count & 0xff);
    }
    *ret_len = len;
    return true;
}

/* The token of `Basic`, the password there; the name may be any. OUT holds it. */
static bool parse_basic(struct slice header, char out[BASIC_MAX], struct slice *ret_token)
{
    struct slice encoded;
    size_t len;
    const char *colon;

    if (!parse_scheme(header, "Basic", &encoded) || !base64_decode(encoded, out, &len))
        return false;
    colon = memchr(out, ':', len);
    if (!colon)
        return false;
    *ret_token = slice_of(colon + 1, (size_t)(out + len - colon) - 1);
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
    char decoded[BASIC_MAX];

    *ret_token = NULL;
    if (count == 0)
        return ACCESS_UNCONFIGURED;
    if (!parse_scheme(authorization, "Bearer", &given) &&
        !(need == ACCESS_TO_READ && parse_basic(authorization, decoded, &given)))
        return ACCESS_NO_TOKEN;
    for (size_t i = 0; i < count; i++) {
        if (is_secret(tokens[i].secret, given))
            *ret_token = &tokens[i];
    }
    if (!*ret_token)
        return ACCESS_WRONG_TOKEN;
    return may((*ret_token)->role, need) ? ACCESS_GRANTED : ACCESS_WRONG_ROLE;
}
