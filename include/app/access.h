/* Who may do what over HTTP (SPEC §8.1, §8.3), by the tokens of http.tokens: sent as Bearer, or, for reading
 * only, as the password of Basic, which is all that a browser can send when it opens a page. A browser sends
 * Basic by itself, whoever made it ask; so nothing can be changed with it. */
#pragma once

#include "config/config.h"
#include "util/slice.h"

enum access {
    ACCESS_GRANTED,
    ACCESS_NO_TOKEN,     /* 401: none was sent in a way that is of use here */
    ACCESS_WRONG_TOKEN,  /* 401 */
    ACCESS_WRONG_ROLE,   /* 403 */
    ACCESS_UNCONFIGURED, /* 403: no token could be right, for there is none */
};

/* What is asked for: reading, posting reports, changing anything else. */
enum access_need { ACCESS_TO_READ, ACCESS_TO_REPORT, ACCESS_TO_CHANGE };

/* AUTHORIZATION is the value of that header, empty where there is none. How long this takes does not depend
 * on the tokens' secrets, only on their number. *RET_TOKEN is the token that was sent where it is one of
 * them, else NULL. */
enum access access_check(const struct config_token *tokens, size_t count, struct slice authorization,
                         enum access_need need, const struct config_token **ret_token);
