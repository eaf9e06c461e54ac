/* Who may read over HTTP where not everybody may (SPEC §8.1, §8.3). */
#pragma once

#include "config/config.h"
#include "util/slice.h"

enum access {
    ACCESS_GRANTED,
    ACCESS_NO_TOKEN,     /* 401: no bearer token was sent */
    ACCESS_WRONG_TOKEN,  /* 401 */
    ACCESS_WRONG_ROLE,   /* 403 */
    ACCESS_UNCONFIGURED, /* 403: no token could be right, for there is none */
};

/* AUTHORIZATION is the value of that header, empty where there is none. How long this takes does not depend
 * on the tokens' secrets, only on their number. */
enum access access_to_read(const struct config_token *tokens, size_t count, struct slice authorization);
