/* What the two files of the HTTP client share: one request, as libcurl's easy handle and what we keep of the
 * answer. */
#pragma once

#include "adapters/http_client.h"
#include "curl_library.h"
#include <stdbool.h>
#include <sys/queue.h>

struct http_transfer {
    TAILQ_ENTRY(http_transfer) link; /* of the client, while libcurl has it */
    const struct curl_library *curl;
    CURL *easy; /* its CURLOPT_PRIVATE is this */
    struct curl_slist *headers;
    http_client_fn done;
    void *ctx;
    size_t head_bytes, body_bytes; /* read so far */
    size_t kept_bytes;
    bool head_is_too_long, body_is_cut;
    char said[CURL_ERROR_SIZE]; /* by libcurl; may name the host */
    char kept[HTTP_CLIENT_BODY_MAX_BYTES];
};

/* 0 with a request that has not begun; -ENOMEM, or -EINVAL where libcurl refuses an option. */
int http_transfer_new(const struct curl_library *curl, const struct http_client_request *request,
                      struct http_transfer **ret_transfer);
/* Tells the owner how it ended: CODE is libcurl's. */
void http_transfer_tell(const struct http_transfer *transfer, CURLcode code);
/* Not while libcurl's multi handle has it. */
void http_transfer_free(struct http_transfer *transfer);
