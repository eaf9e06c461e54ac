/* The target of a request taken apart: `/path?name=value&…`, or `http://authority/path?…` as a proxy writes
 * it. */
#pragma once

#include "util/slice.h"

#define HTTP_ARGS_MAX 32 /* query arguments; more are refused */

struct http_arg {
    struct slice name, value;
};

struct http_target {
    char *text;                          /* decoded in place; the slices point into it */
    struct slice authority;              /* of the proxy's form; data is NULL where there is none */
    struct slice path;                   /* percent-decoded, without the query */
    struct http_arg args[HTTP_ARGS_MAX]; /* decoded, `+` is a space */
    size_t arg_count;
};

/* Reads TEXT, of which a copy is made. What is wrong with it, or NULL; there is a target to clear in any
 * case. */
const char *http_target_parse(struct http_target *target, const char *text);
void http_target_clear(struct http_target *target);
