/* The head of an HTTP request, judged before anybody acts on it: the request line and the header lines up to
 * the empty one (RFC 9112). The HTTP library behind us is kinder than it should be with some of them, and
 * answers others in words of its own; what is refused here it never sees.
 *
 * Pure: bytes in, a verdict out. A LF alone ends a line too, as people at a terminal write it; a CR alone, a
 * NUL or another control, a line that is folded and a name that is no token end the request. */
#pragma once

#include "util/slice.h"
#include <stdint.h>

#define HTTP_HEAD_MAX_BYTES   8192 /* the request line included (SPEC §8.4) */
#define HTTP_HEAD_MAX_FIELDS  100
#define HTTP_HEAD_MAX_ARGS    64 /* parts of the query, the empty ones too */
#define HTTP_HEAD_MAX_COOKIES 64
#define HTTP_CHUNK_MAX_BYTES                                                                                 \
    (16u << 20) /* that a body, or a chunk of it, may say it has: more is not even read */

/* What the headers say about where the request ends, and to whom it goes. Zeroed at first. */
struct http_framing {
    unsigned content_lengths, transfer_encodings, hosts;
    bool is_chunked, expects_continue;
    bool has_bad_name, has_bad_length, has_bad_expectation;
    uint64_t content_length;
};

/* Takes a header into account. */
void http_framing_add(struct http_framing *framing, struct slice name, struct slice value);
/* What makes the headers say two things, or nothing that can be relied on; NULL where they are in order. */
const char *http_framing_fault(const struct http_framing *framing);

enum http_verdict {
    HTTP_PARTIAL, /* in order so far, and not at its end */
    HTTP_WHOLE,
    HTTP_REFUSED,
};

struct http_head {
    struct http_framing framing;
    size_t bytes;       /* of the head, its empty line included; where it is whole */
    int status;         /* where it is refused: 400, 413, 417, 431, 505 */
    const char *detail; /* what is wrong */
    bool is_head;       /* the method is HEAD: an answer has no body */
    bool is_old;        /* HTTP/1.0 */
};

/* Judges the head at the beginning of BYTES, in which empty lines before it are let pass. What is bad is
 * refused as soon as it is there, however much is missing. */
enum http_verdict http_head_read(struct http_head *head, struct slice bytes);

/* Judges a chunked body, its trailers included, at the beginning of BYTES. *RET_STATUS and *RET_DETAIL where
 * it is refused: 400, or 413 for a chunk beyond HTTP_CHUNK_MAX_BYTES. */
enum http_verdict http_chunks_read(struct slice bytes, int *ret_status, const char **ret_detail);
