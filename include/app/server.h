/* What is answered over HTTP (SPEC §8): one table of routes, and who may use them. What is read comes from
 * memory; what is changed is answered once it is stored (app/pending.h). */
#pragma once

#include "app/metrics.h"
#include "util/errmsg.h"

struct daemon;
struct http_server;

struct server {
    struct daemon *d;
    struct http_server *http;
    struct metrics metrics;
    uint64_t operations; /* running number for causes of kind CAUSE_OPERATOR */
    uint32_t pending;    /* changes that are not stored yet (app/pending.h) */
};

/* Binds the configured address; 0, or -errno with WHY. */
int server_init(struct server *server, struct daemon *d, struct errmsg *why);
/* Also after a server_init that failed. */
void server_clear(struct server *server);
