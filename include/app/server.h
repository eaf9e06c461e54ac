/* What is answered over HTTP: health, readiness, metrics. One table of routes; every answer comes from
 * memory. */
#pragma once

#include "app/metrics.h"
#include "util/errmsg.h"

struct daemon;
struct http_server;

struct server {
    struct daemon *d;
    struct http_server *http;
    struct metrics metrics;
};

/* Binds the configured address; 0, or -errno with WHY. */
int server_init(struct server *server, struct daemon *d, struct errmsg *why);
/* Also after a server_init that failed. */
void server_clear(struct server *server);
