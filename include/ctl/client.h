/* The daemon's HTTP API, over libcurl. No redirect is followed and no proxy of the environment is used, so
 * the token goes where the URL says and nowhere else. */
#pragma once

#include "util/buf.h"
#include "util/errmsg.h"
#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#define CLIENT_BODY_MAX_BYTES (256u << 20)

struct client {
    CURL *curl;
    char *base;               /* `http://127.0.0.1:10555`, with no slash at its end */
    char *socket;             /* of a unix:/path; NULL: TCP */
    char *shown;              /* what the user calls it */
    struct curl_slist *token; /* the header with the token; NULL: none */
    bool is_token_bare;       /* others may read the file that it is from */
    int64_t timeout_ms;
    int64_t ahead_ms; /* how far the daemon's clock is ahead of ours, as far as that matters */
};

struct response {
    int status;
    struct buf body;
    char content_type[64];
};

/* URL: `http://…`, `https://…`, `HOST:PORT`, `unix:/path`. TOKEN_FILE may be empty. False, with WHY filled
 * and nothing to clear, where one of them makes no sense. */
bool client_init(struct client *client, const char *url, const char *token_file, int64_t timeout_ms,
                 struct errmsg *why);
void client_clear(struct client *client);

/* Asks METHOD PATH, with BODY as JSON where it is not empty. False, with WHY filled and nothing to clear,
 * where no answer came; else the caller clears RET_RESPONSE. */
bool client_ask(struct client *client, const char *method, const char *path, struct slice body,
                struct response *ret_response, struct errmsg *why);
void response_clear(struct response *response);

/* A handle of its own for what is followed, PATH and the token set. */
CURL *client_open(const struct client *client, const char *path, const struct curl_slist *headers);

/* Why the transfer of CURL brought nothing: its CODE, and what libcurl says about it, ERROR. */
void client_explain(const struct client *client, CURL *curl, CURLcode code, const char *error,
                    struct errmsg *why);

/* The daemon's clock, as far as we know it. */
int64_t client_now_ms(const struct client *client);

/* Appends TEXT as a part of a path or a query. */
void client_add_escaped(struct buf *out, struct slice text);
