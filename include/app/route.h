/* Paths of the HTTP API: a pattern may have one parameter, `/api/v1/instances/{id}/why`. And whose Host is
 * believed. Pure. */
#pragma once

#include "util/slice.h"
#include <stdbool.h>

/* True where PATH (decoded) is what PATTERN describes; *RET_PARAMETER is then what stands for its `{…}`, one
 * segment of at least one byte, and empty where there is none. */
bool route_matches(const char *pattern, struct slice path, struct slice *ret_parameter);

/* ALLOWED is a list of names parted by spaces. */
bool route_allows_arg(const char *allowed, struct slice name);

/* True where a browser that was sent here by a foreign page under a name of that page's own (DNS rebinding)
 * could not have sent HOST, the value of that header: an address, a name without dots (`localhost`, `fleet`),
 * a name below localhost, LISTEN_HOST, or nothing. With or without a port. */
bool route_host_is_ours(struct slice host, const char *listen_host);
