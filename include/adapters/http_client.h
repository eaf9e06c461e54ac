/* The HTTP client: POSTs over libcurl on the event loop, which never waits for it (SPEC §7.4).
 *
 * http and https only; certificates and host names are verified against the system's CAs. A redirect is an
 * answer like any other and is not followed. Proxies of the environment (http_proxy and the like) are not
 * used: what is POSTed goes where the URL says. Connections are kept and used again.
 *
 * A user and a password in the URL (percent-encoded where needed) are sent as basic authentication. Nothing
 * that this file hands out repeats any part of a URL. */
#pragma once

#include "util/errmsg.h"
#include "util/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of an answer's body this much is handed on, and this much read; a longer one is cut off there. */
#define HTTP_CLIENT_BODY_MAX_BYTES 4096
#define HTTP_CLIENT_READ_MAX_BYTES (1u << 20)
/* Requests under way at a time. */
#define HTTP_CLIENT_REQUESTS_MAX 256

struct loop;
struct http_client;

/* Where ERROR is NULL, an answer came, whose status may be any from 200 on. Else ERROR is a short text, and
 * STATUS is 0, or that of an answer that did not come to its end. */
struct http_client_result {
    int status;
    const char *error;
    struct slice body; /* its first bytes, any bytes */
};

/* Texts of the result are valid during the call. It may post again, and may free the client. */
typedef void (*http_client_fn)(void *ctx, const struct http_client_result *result);

/* All is copied. */
struct http_client_request {
    const char *url;
    const char *content_type; /* ours: no line breaks */
    struct slice body;
    int64_t timeout_ms; /* above 0: from the call to the end of the answer; half of it may go by until the
                           connection is made */
    http_client_fn done;
    void *ctx;
};

/* One that has not begun to need memory. */
struct http_client *http_client_new(struct loop *loop);
/* Makes it ready to send, as the first POST would: libcurl is loaded, unless it has been. False where that
 * fails. From then on no descriptor of the process but the first three is inherited by what it executes:
 * libcurl opens some that it does not mark. */
bool http_client_start(struct http_client *client, struct errmsg *err);
/* Breaks off all requests; their callbacks are not called. NULL is fine. */
void http_client_free(struct http_client *client);

/* Begins a POST. DONE is called once, from the loop, never from here. 0; -EBUSY where too many are under way;
 * -EINVAL where libcurl refuses what it was given, -ELIBACC where it cannot be loaded, -ENOMEM. A URL that
 * makes no sense is told to DONE. */
int http_client_post(struct http_client *client, const struct http_client_request *request);

/* Requests under way. */
size_t http_client_pending(const struct http_client *client);
